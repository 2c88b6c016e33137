package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	trellisd "github.com/trellis-project/trellis/daemon"
)

// TestMain plays the roles that the soak gives to its own program in instances, and that of `trellis serve`, so that the
// test need not build it.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "serve" {
		if err := serve(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if done, err := playRole(); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is `trellis serve` with the flags that the soak uses.
func serve(args []string) error {
	c := trellisd.DefaultConfig()
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.StringVar(&c.Listen, "listen", "", "")
	f.StringVar(&c.Data, "data", "", "")
	f.StringVar(&c.Debug, "debug", "", "")
	f.DurationVar(&c.DrainTimeout, "drain-timeout", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	d, err := trellisd.New(c, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

// TestLeaks holds samples against each other: what is more is named.
func TestLeaks(t *testing.T) {
	before := &sample{Goroutines: 10, Heap: 20 << 20, Objects: 100000, Namespaces: 3, Rules: 40, Links: 5, Descriptors: map[string]int{"socket": 7}, stacks: map[string]int{"a.b": 4}}
	after := *before
	if found := leaks("then", before, &after, true); len(found) > 0 {
		t.Errorf("the same sample leaks: %v", found)
	}
	after = sample{Joined: 1, Goroutines: 12, Heap: 60 << 20, Objects: 400000, Namespaces: 4, Rules: 41, Links: 6, Descriptors: map[string]int{"socket": 8, "file": 1}, stacks: map[string]int{"a.b": 5, "c.d": 1}}
	got := leaks("then", before, &after, true)
	for _, want := range []string{"1 descriptors of kind file", "1 descriptors of kind socket", "1 namespaces", "1 packet rules", "1 links", "1 BPF map entries", "2 goroutines more", "1 goroutines in a.b",
		"1 goroutines in c.d", "reachable heap is 60.0 MB"} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	if got := before.least(&after); got.Goroutines != 10 || got.descriptors() != 7 || got.stacks["a.b"] != 4 || got.stacks["c.d"] != 0 {
		t.Errorf("the least of both is %+v", got)
	}
}

// TestGrowth wants growth that goes on to be told from caches that fill once.
func TestGrowth(t *testing.T) {
	series := func(heap func(minute int) float64) []*sample {
		var out []*sample
		for m := range 61 {
			out = append(out, &sample{At: time.Unix(int64(60*m), 0), Heap: int64(heap(m) * (1 << 20))})
		}
		return out
	}
	heap := func(s *sample) int64 { return s.Heap }
	if per, ok := growth(series(func(m int) float64 { return 30 + min(float64(m), 10) }), heap); !ok || per > 1<<20 {
		t.Errorf("a cache that fills: %g an hour, %t", per, ok)
	}
	if per, ok := growth(series(func(m int) float64 { return 30 + float64(m) }), heap); !ok || per < 59<<20 || per > 61<<20 {
		t.Errorf("a megabyte a minute: %g an hour, %t", per, ok)
	}
	if _, ok := growth(series(func(int) float64 { return 1 })[:5], heap); ok {
		t.Error("five minutes are no hour")
	}
}

// TestJudge gives the judge calls and the world that they met.
func TestJudge(t *testing.T) {
	now := time.Now().UnixNano()
	at := func(c call) *call {
		c.Client, c.Start, c.End = "go", now+int64(time.Second), now+int64(time.Second)
		return &c
	}
	for _, c := range []struct {
		name, class string
		call        call
		before      func(*judge)
	}{
		{"as asked", classOK, call{Service: "mix", Case: "echo", Want: "go", From: "go", Status: 200}, nil},
		{"another target", classUnexplained, call{Service: "mix", Case: "echo", Want: "go", From: "node", Status: 200}, nil},
		{"a failure", classUnexplained, call{Service: "mix", Case: "echo", Want: "go", Status: 502}, nil},
		{"a failure under a fault", classFault, call{Service: "mix", Case: "echo", Want: "go", Status: 502}, func(j *judge) { j.begin("killed", "go") }},
		{"a failure under a fault of another", classUnexplained, call{Service: "mix", Case: "echo", Want: "go", Status: 502}, func(j *judge) { j.begin("killed", "node") }},
		{"a wrong body under a fault", classUnexplained, call{Service: "mix", Case: "echo", Want: "go", From: "go", Status: 200, Err: errWrong}, func(j *judge) { j.begin("killed", "go") }},
		{"the end of a connection", classRace, call{Service: "mix", Case: "echo", Want: "node", Status: 502}, nil},
		{"a body cut as provoked", classProvoked, call{Service: "mix", Case: "truncated", Want: "raw", From: "raw", Status: 200, Err: errCut}, nil},
		{"a body cut and not shown", classUnexplained, call{Service: "mix", Case: "truncated", Want: "raw", From: "raw", Status: 200}, nil},
		{"unsigned", classOK, call{Service: "iam", Case: "echo", Status: 403}, nil},
		{"unsigned and let in", classUnexplained, call{Service: "iam", Case: "echo", From: "go", Status: 200}, nil},
		{"denied", classUnexplained, call{Service: "flip", Case: "echo", Status: 403}, nil},
		{"denied by policy", classOK, call{Service: "flip", Case: "echo", Status: 403}, func(j *judge) { j.policy.change("deny", func() error { return nil }) }},
		{"let in against a policy", classUnexplained, call{Service: "flip", Case: "echo", From: "go", Status: 200}, func(j *judge) { j.policy.change("deny", func() error { return nil }) }},
		{"by the default action", classOK, call{Service: "shift", Case: "echo", Rule: 1, From: "sa", Status: 200}, func(j *judge) { j.shift = newTimeline("sa") }},
		{"by a rule", classOK, call{Service: "shift", Case: "echo", Rule: 1, From: "sb", Status: 200}, func(j *judge) { j.rules[0].change("sb", func() error { return nil }) }},
		{"past a rule", classUnexplained, call{Service: "shift", Case: "echo", Rule: 1, From: "sa", Status: 200}, func(j *judge) { j.rules[0].change("sb", func() error { return nil }) }},
		{"a new call of a target that is drained", classUnexplained, call{Service: "web", Case: "h2 echo", From: "w2", Status: 200}, func(j *judge) { j.web.change("w1", func() error { return nil }) }},
		{"over a stream that was there before its target is drained", classOK, call{Service: "kept", Case: "stream", Want: "w2", From: "w2", Status: 200}, func(j *judge) { j.web.change("w1", func() error { return nil }) }},
		{"a stream that is cut when its target is drained", classUnexplained, call{Service: "kept", Case: "stream", Want: "w2", Err: errReset}, func(j *judge) { j.web.change("w1", func() error { return nil }) }},
		{"while Trellis starts", classRestart, call{Service: "six", Case: "echo", Err: errRefused}, func(j *judge) { j.begin(classRestart) }},
		{"a wrong body while Trellis starts", classUnexplained, call{Service: "six", Case: "echo", From: "six", Status: 200, Err: errWrong}, func(j *judge) { j.begin(classRestart) }},
		{"a name not found under a target's fault", classUnexplained, call{Service: "mix", Case: "echo", Want: "go", Err: errResolve}, func(j *judge) { j.begin("killed", "go") }},
		{"late on a machine that stood still", classStall, call{Service: "mix", Case: "echo", Want: "go", Err: errResolve}, func(j *judge) { j.stood(time.Now(), time.Now()) }},
		{"let in against a policy on a machine that stood still", classUnexplained, call{Service: "flip", Case: "echo", From: "go", Status: 200}, func(j *judge) {
			j.policy.change("deny", func() error { return nil })
			j.stood(time.Now(), time.Now())
		}},
	} {
		j := newJudge([]*target{{name: "node", leaves: true}, {name: "go"}}, shiftRules)
		j.others = map[string][]string{"flip": {"go"}, "iam": {"go"}, "kept": webTargets}
		if c.before != nil {
			c.before(j)
		}
		j.take(at(c.call))
		j.settleDoubts(true)
		if j.counts[c.class] != 1 {
			t.Errorf("%s: %v, want %s; %v", c.name, j.counts, c.class, j.unexplained)
		}
	}
}

// TestPattern compares bodies with what they should be.
func TestPattern(t *testing.T) {
	whole := make([]byte, 5000)
	if n, _ := newPattern("abc", 5000).Read(whole); n != 5000 {
		t.Fatalf("%d bytes", n)
	}
	for name, c := range map[string]struct {
		body string
		want string // part of the verdict, empty for none
	}{
		"whole":   {string(whole), ""},
		"short":   {string(whole[:4999]), "ends after 4999 of 5000"},
		"long":    {string(whole) + "x", "byte 5000"},
		"changed": {string(whole[:700]) + "?" + string(whole[701:]), "byte 700"},
	} {
		k := newCheck("abc", 5000)
		for part := range slices.Chunk([]byte(c.body), 333) {
			k.Write(part)
		}
		if got := k.verdict(); got == "" != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
