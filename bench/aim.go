package main

import (
	"fmt"
	"slices"
	"strings"
)

// aim is what Trellis is to reach: a bound on a metric of one contestant, alone or beside another's in the same
// rounds, since a machine drifts and a ratio doesn't.
type aim struct {
	row, contestant, metric string
	versus                  string // a contestant, or best: the best of the peers. Empty: the metric alone
	minus                   bool   // the difference to versus instead of the ratio
	atLeast                 bool   // else at most
	bound                   float64
	what                    string // of the metric, in tables
}

// best stands for the peer that does best.
const best = "best peer"

// aims are all of them, by row.
var aims = []aim{
	{row: "a", contestant: "trellis", metric: "cpu_us", versus: "nginx", bound: 0.75, what: "CPU"},
	{row: "a", contestant: "trellis-target", metric: "cpu_us", versus: "nginx", bound: 0.6, what: "CPU"},
	{row: "a", contestant: "trellis-both", metric: "cpu_us", versus: "nginx", bound: 0.45, what: "CPU"},
	{row: "a", contestant: "trellis", metric: "core_rps", versus: "nginx", atLeast: true, bound: 1.4, what: "requests/s of a full core"},
	{row: "a", contestant: "trellis-both", metric: "rps", versus: "direct", atLeast: true, bound: 1.2, what: "requests/s"},
	{row: "a", contestant: "trellis", metric: "cpu_us", versus: "envoys", bound: 1.0 / 8, what: "CPU"},
	{row: "a", contestant: "trellis", metric: "pss_mb", versus: "envoys", bound: 1.0 / 10, what: "PSS"},
	{row: "b2", contestant: "trellis", metric: "p99", versus: "haproxy", bound: 1, what: "p99"},
	{row: "b2", contestant: "trellis-both", metric: "p99", versus: "direct", bound: 1.3, what: "p99"},
	{row: "b8", contestant: "trellis", metric: "p99", versus: "haproxy", bound: 1, what: "p99"},
	{row: "b8", contestant: "trellis-both", metric: "p99", versus: "direct", bound: 1.3, what: "p99"},
	{row: "c64k", contestant: "trellis", metric: "gbps", versus: best, atLeast: true, bound: 1, what: "GB/s"},
	{row: "c1m", contestant: "trellis", metric: "gbps", versus: best, atLeast: true, bound: 1, what: "GB/s"},
	{row: "cup", contestant: "trellis", metric: "gbps", versus: best, atLeast: true, bound: 1, what: "GB/s"},
	{row: "d", contestant: "trellis", metric: "bytes", bound: 1200, what: "bytes/connection"},
	{row: "e", contestant: "trellis", metric: "cpu_us", versus: "nginx", bound: 1, what: "CPU"},
	{row: "f10k", contestant: "trellis", metric: "beyond", bound: 4000, what: "bytes/service beyond its text"},
	{row: "f10k", contestant: "trellis", metric: "depth_us", bound: 2, what: "CPU µs, last − first"},
	{row: "f10k", contestant: "trellis", metric: "live_ms", bound: 10, what: "ms until live"},
	{row: "f10k", contestant: "trellis", metric: "lost", bound: 0, what: "lost"},
	{row: "f10k", contestant: "trellis-rules", metric: "depth_us", bound: 2, what: "CPU µs, last − first"},
	{row: "f10k", contestant: "trellis-rules", metric: "live_ms", bound: 10, what: "ms until live"},
	{row: "f10k", contestant: "trellis-rules", metric: "lost", bound: 0, what: "lost"},
	{row: "g", contestant: "trellis-auth", metric: "cpu_us", versus: "trellis", minus: true, bound: 4, what: "CPU µs"},
	{row: "h", contestant: "trellis", metric: "cpu_us", versus: "nginx", bound: 1, what: "CPU"},
	{row: "h", contestant: "trellis", metric: "cpu_us", versus: "haproxy", bound: 1.2, what: "CPU"},
	{row: "i", contestant: "trellis", metric: "cpu_us", versus: "nginx", bound: 1, what: "CPU"},
	{row: "i", contestant: "trellis", metric: "cpu_us", versus: "haproxy", bound: 1.2, what: "CPU"},
	{row: "k", contestant: "trellis", metric: "cpu_us", versus: "nginx", bound: 0.9, what: "CPU"},
	{row: "lf", contestant: "trellis", metric: "cpu_us", versus: "envoy", bound: 1, what: "CPU"},
	{row: "lr", contestant: "trellis", metric: "cpu_us", versus: "envoy", bound: 1, what: "CPU"},
	{row: "m", contestant: "trellis", metric: "bytes", bound: 20_000, what: "bytes/connection"},
	{row: "n", contestant: "trellis", metric: "gbps", versus: "haproxy", atLeast: true, bound: 1, what: "GB/s"},
	{row: "o", contestant: "trellis", metric: "gbps", versus: "haproxy", atLeast: true, bound: 1, what: "GB/s"},
	{row: "p", contestant: "trellis", metric: "verify_ns", bound: 3000, what: "ns/signature"},
	{row: "p", contestant: "trellis", metric: "verify_allocs", bound: 2, what: "allocations of a signature"},
	{row: "p", contestant: "trellis", metric: "two_ns", bound: 400, what: "ns/decision"},
	{row: "p", contestant: "trellis", metric: "decide_allocs", bound: 0, what: "allocations of a decision"},
	{row: "p", contestant: "trellis", metric: "decisions", atLeast: true, bound: 1e6, what: "decisions/s"},
	{row: "p", contestant: "trellis", metric: "long_ns", bound: 30_000, what: "ns/decision, 1,000 statements"},
	{row: "q", contestant: "trellis-serve", metric: "rules_s", atLeast: true, bound: 1500, what: "CreateRule/s"},
	{row: "q", contestant: "trellis-serve", metric: "rules_p99", bound: 50, what: "p99 ms of CreateRule"},
	{row: "q", contestant: "trellis-serve", metric: "get_s", atLeast: true, bound: 8000, what: "GetService/s"},
	{row: "q", contestant: "trellis-serve", metric: "get_p99", bound: 50, what: "p99 ms of GetService"},
	{row: "q", contestant: "trellis-serve", metric: "alone_p50", bound: 10, what: "ms until live"},
	{row: "q", contestant: "trellis-serve", metric: "list_p99", bound: 20, what: "ms a page of 10,000"},
	{row: "r", contestant: "trellis-serve", metric: "peak_mb", bound: 2147, what: "peak RSS MB"},
}

// reached is the value that an aim is about: the median over the rounds, of the rounds that have all of it. ok is
// false when there are none.
func (a aim) reached(samples []sample, peers []string) (value float64, ok bool) {
	mine := values(samples, a.row, a.contestant, a.metric)
	others := map[int][]float64{}
	for _, name := range peers {
		if a.versus == best {
			for round, v := range values(samples, a.row, name, a.metric) {
				others[round] = append(others[round], v)
			}
		}
	}
	if a.versus != best {
		for round, v := range values(samples, a.row, a.versus, a.metric) {
			others[round] = []float64{v}
		}
	}
	var vs []float64
	for round, v := range mine {
		switch other := others[round]; {
		case a.versus == "":
			vs = append(vs, v)
		case len(other) == 0:
		case a.minus:
			vs = append(vs, v-a.of(other))
		default:
			vs = append(vs, v/a.of(other))
		}
	}
	s := spreadOf(vs)
	return s.median, s.n > 0
}

// of is the best of some values: the most of what is to be much.
func (a aim) of(vs []float64) float64 {
	if a.atLeast {
		return slices.Max(vs)
	}
	return slices.Min(vs)
}

// met tells whether a value is what was aimed at.
func (a aim) met(value float64) bool {
	if a.atLeast {
		return value >= a.bound
	}
	return value <= a.bound
}

// verdict is the aim, what was reached, and met or MISSED. It is empty when nothing was measured.
func (a aim) verdict(samples []sample, peers []string) string {
	value, ok := a.reached(samples, peers)
	if !ok {
		return ""
	}
	sign, verdict := "≤", "MISSED"
	if a.atLeast {
		sign = "≥"
	}
	if a.met(value) {
		verdict = "met"
	}
	what := a.what
	switch {
	case a.minus:
		what += " − " + a.versus
	case a.versus != "":
		what += " ÷ " + a.versus
	}
	return fmt.Sprintf("%s %s, aim %s %s: %s", what, short(value), sign, short(a.bound), verdict)
}

// verdicts are those about one contestant in one row.
func verdicts(samples []sample, row, contestant string, peers []string) []string {
	var vs []string
	for _, a := range aims {
		if a.row == row && a.contestant == contestant {
			if v := a.verdict(samples, peers); v != "" {
				vs = append(vs, v)
			}
		}
	}
	return vs
}

// short is a number with three digits or so.
func short(v float64) string {
	if v >= 100 || v <= -100 {
		return fmt.Sprintf("%.0f", v)
	}
	text := fmt.Sprintf("%.3f", v)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
