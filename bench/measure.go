package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis/sigv4"
)

// What requests are made for and signed with; the same as in bench/plane.
const (
	host   = "orders-0cccccccccccccccc.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
	region = "eu-west-1"
	keyID  = "AKIABENCH00000000000"
	secret = "the-secret-of-the-benchmark"
)

// result is one measurement: requests a second, CPU µs of the proxy for each request, latency in µs.
type result struct{ rps, cpu, p50, p99 float64 }

// What wrk prints.
var (
	wrkCount = regexp.MustCompile(`(\d+) requests in ([0-9.]+)(m?s)`)
	wrkBad   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)`)
	wrkP     = regexp.MustCompile(`(50|99)%\s+([0-9.]+)(us|ms|s)`)
)

// measure puts one contestant under load.
func measure(dir string, c *contestant, length time.Duration, conns int) (result, error) {
	args := []string{"-c", loadCore, "wrk", "-t1", "-c" + strconv.Itoa(conns), "-d" + strconv.Itoa(max(int(length.Seconds()), 1)) + "s", "--latency", "-H", "Host: " + host}
	if c.signed {
		// The signature is made once: verifying is what is measured.
		r := sigv4.Request{Method: "GET", Path: path, Host: host, Headers: []sigv4.Field{{Name: "Host", Value: host}}}
		var lua strings.Builder
		for _, f := range sigv4.Sign(&r, keyID, secret, "", region, "vpc-lattice-svcs", sigv4.UnsignedPayload, time.Now()) {
			fmt.Fprintf(&lua, "wrk.headers[%q] = %q\n", f.Name, f.Value)
		}
		script, err := writeFile(dir, "signed.lua", lua.String())
		if err != nil {
			return result{}, err
		}
		args = append(args, "-s", script)
	}
	var before time.Duration
	var err error
	if c.pid != 0 {
		if before, err = cpuTime(c.pid); err != nil {
			return result{}, err
		}
	}
	out, err := exec.Command("taskset", append(args, "http://"+c.addr+path)...).CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	var after time.Duration
	if c.pid != 0 {
		if after, err = cpuTime(c.pid); err != nil {
			return result{}, err
		}
	}
	if m := wrkBad.FindSubmatch(out); m != nil {
		return result{}, fmt.Errorf("bad answers: %s", m[0])
	}
	m := wrkCount.FindSubmatch(out)
	if m == nil {
		return result{}, fmt.Errorf("wrk said %q", out)
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64)
	seconds, _ := strconv.ParseFloat(string(m[2]), 64)
	r := result{rps: n / seconds, cpu: float64((after - before).Nanoseconds()) / 1e3 / n}
	for _, p := range wrkP.FindAllSubmatch(out, -1) {
		v, _ := strconv.ParseFloat(string(p[2]), 64)
		v *= map[string]float64{"us": 1, "ms": 1e3, "s": 1e6}[string(p[3])]
		if string(p[1]) == "50" {
			r.p50 = v
		} else {
			r.p99 = v
		}
	}
	return r, nil
}
