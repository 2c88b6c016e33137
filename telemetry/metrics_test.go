package telemetry

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"
)

// openMetricsIn opens the metrics in a folder; the function closes them as the end of the process does.
func openMetricsIn(t *testing.T, dir string, now func() time.Time) (*Metrics, func()) {
	t.Helper()
	tel, err := New(Options{Dir: dir, Region: "eu-west-1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return tel.Metrics(), func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := tel.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// TestMetrics puts values of two accounts, asks for them by period, unit and statistic, and again after a restart; what is
// too old is neither listed nor shown.
func TestMetrics(t *testing.T) {
	dir, now := t.TempDir(), epoch
	clock := func() time.Time { return now }
	m, end := openMetricsIn(t, dir, clock)
	calls := Metric{Namespace: "shop", Name: "calls", Dimensions: map[string]string{"b": "2", "a": "1"}}
	put := func(account string, metric Metric, at time.Duration, unit string, values ...float64) {
		t.Helper()
		s := Statistics{Unit: unit}
		for _, v := range values {
			if err := s.Take(v, 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Put(account, []Measured{{metric, epoch.Add(at), s}}); err != nil {
			t.Fatal(err)
		}
	}
	put(account, calls, 10*time.Second, "Count", 1, 2, 3)
	put(account, calls, 50*time.Second, "Count", -4)
	put(account, calls, 70*time.Second, "Count", 10)
	put(account, calls, 70*time.Second, "Bytes", 7)
	put("444455556666", calls, 0, "Count", 99)
	put(account, Metric{Namespace: "shop", Name: "other"}, 0, "None", 1)
	show := func(period int, unit string, merge bool) (s string) {
		t.Helper()
		points, err := m.Points(account, calls, epoch, epoch.Add(time.Hour), period, unit, merge)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			median, _ := p.Value("p50")
			s += fmt.Sprintf("%s+%gs n=%g sum=%g min=%g max=%g p50=%.1f; ", p.Unit, p.Time.Sub(epoch).Seconds(), p.Count, p.Sum, p.Minimum, p.Maximum, median)
		}
		return s
	}
	for range 2 {
		for _, test := range []struct {
			period int
			unit   string
			merge  bool
			want   string
		}{
			{60, "Count", false, "Count+0s n=4 sum=2 min=-4 max=3 p50=1.0; Count+60s n=1 sum=10 min=10 max=10 p50=10.0; "},
			{120, "", false, "Bytes+0s n=1 sum=7 min=7 max=7 p50=7.0; Count+0s n=5 sum=12 min=-4 max=10 p50=2.0; "},
			{60, "Seconds", false, ""},
		} {
			if got := show(test.period, test.unit, test.merge); got != test.want {
				t.Errorf("period %d, unit %q: %s\nwant %s", test.period, test.unit, got, test.want)
			}
		}
		found, next, err := m.List(account, MetricQuery{Dimensions: map[string]*string{"a": nil}}, "", 10)
		if err != nil || next != "" || len(found) != 1 || found[0].key() != calls.key() {
			t.Errorf("listed %v, %q, %v", found, next, err)
		}
		one, next, err := m.List(account, MetricQuery{}, "", 1)
		if err != nil || len(one) != 1 || next == "" {
			t.Errorf("a page: %v, %q, %v", one, next, err)
		}
		end()
		m, end = openMetricsIn(t, dir, clock)
	}
	now = now.Add((metricDays + 1) * 24 * time.Hour)
	if found, _, err := m.List(account, MetricQuery{}, "", 10); err != nil || len(found) > 0 || show(60, "", true) != "" {
		t.Errorf("after its time: %v, %v", found, err)
	}
	end()
}

// TestStatistics sums up values with percentiles, and without them where they would be wrong.
func TestStatistics(t *testing.T) {
	var s Statistics
	for i := range 1000 {
		if err := s.Take(float64(i+1), 1); err != nil {
			t.Fatal(err)
		}
	}
	b, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := decodeStatistics(b)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]float64{"p0": 1, "p50": 500, "p99": 990, "p99.9": 999, "p100": 1000} {
		if got, known := again.Value(p); !known || math.Abs(got-want) > want*0.02 {
			t.Errorf("%s is %g, want %g", p, got, want)
		}
	}
	if err := again.Add(&Statistics{Count: 2, Sum: 3, Minimum: 1, Maximum: 2}); err != nil {
		t.Fatal(err)
	}
	if v, known := again.Value("p50"); known {
		t.Errorf("a percentile of values that are not known: %g", v)
	}
	for name, want := range map[string]bool{"Sum": true, "p99.95": true, "p100": true, "p101": false, "p": false, "pNaN": false, "p-1": false, "p1e1": false, "q5": false, "": false} {
		if IsStatistic(name) != want {
			t.Errorf("IsStatistic(%q) is %t", name, !want)
		}
	}
	for n := range 33 {
		if _, err := decodeStatistics(b[:n]); err == nil {
			t.Errorf("%d bytes are taken for a statistic set", n)
		}
	}
}
