package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParseWrk reads what wrk 4.1 prints.
func TestParseWrk(t *testing.T) {
	const good = `Running 2s test @ http://10.20.0.10:9101/svc00025/items
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   763.51us  108.33us   4.27ms   93.11%
    Req/Sec    83.42k     3.87k   87.36k    90.00%
  Latency Distribution
     50%  742.00us
     75%  768.00us
     90%    0.84ms
     99%    1.10ms
  165950 requests in 2.00s, 20.42MB read
Requests/sec:  82909.56
Transfer/sec:     10.20MB
`
	for name, c := range map[string]struct {
		out  string
		want loadResult
	}{
		"good":            {good, loadResult{requests: 165950, seconds: 2, p50: 742, p99: 1100}},
		"refused":         {good + "  Non-2xx or 3xx responses: 12\n", loadResult{requests: 165950, seconds: 2, p50: 742, p99: 1100, refused: 12}},
		"broken":          {good + "  Socket errors: connect 1, read 500, write 2, timeout 3\n", loadResult{requests: 165950, seconds: 2, p50: 742, p99: 1100, refused: 6}},
		"a minute":        {"  7 requests in 1.00m, 1.00KB read\n", loadResult{requests: 7, seconds: 60}},
		"seconds to wait": {"     50%    1.50s \n     99%    2.00m \n  7 requests in 900.00ms, 1.00KB read\n", loadResult{requests: 7, seconds: 0.9, p50: 1.5e6, p99: 1.2e8}},
	} {
		got, err := parseWrk(c.out)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(loadResult{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if _, err := parseWrk("unable to connect to 10.20.0.10:9101 Connection refused\n"); err == nil {
		t.Error("no requests: no error")
	}
}

// TestParseH2load reads what h2load 1.52 prints.
func TestParseH2load(t *testing.T) {
	const good = `starting benchmark...
Main benchmark duration is over for thread #0. Stopping all clients.
finished in 2.00s, 30843.50 req/s, 3.36MB/s
requests: 61687 total, 61751 started, 61687 done, 61687 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 61687 2xx, 0 3xx, 0 4xx, 0 5xx
`
	got, err := parseH2load(good)
	if d := cmp.Diff(loadResult{requests: 61687, seconds: 2}, got, cmp.AllowUnexported(loadResult{})); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	got, err = parseH2load(strings.Replace(good, "61687 succeeded, 0 failed, 0 errored, 0 timeout", "61680 succeeded, 4 failed, 2 errored, 1 timeout", 1))
	if got.refused != 7 || err != nil {
		t.Errorf("%d refused, %v", got.refused, err)
	}
	if _, err := parseH2load("failed to resolve\n"); err == nil {
		t.Error("no requests: no error")
	}
}

// TestParseAnswers reads what bench/load writes.
func TestParseAnswers(t *testing.T) {
	got, err := parseAnswers(strings.NewReader("12.5 140.0 200\n600000.0 3.1 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]answered{{12.5, 140, 200}, {600000, 3.1, 0}}, got, cmp.AllowUnexported(answered{})); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"1 2\n", "1 2 three\n"} {
		if _, err := parseAnswers(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
