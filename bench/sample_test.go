package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSpread takes medians.
func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{1, 3, 3, 3}},
		{[]float64{4, 1}, spread{2, 2.5, 1, 4}},
		{[]float64{9, 1, 2}, spread{3, 2, 1, 9}},
	} {
		if d := cmp.Diff(c.want, spreadOf(c.values), cmp.AllowUnexported(spread{})); d != "" {
			t.Errorf("%v: %s", c.values, d)
		}
	}
}

// TestPercentile takes the nearest rank.
func TestPercentile(t *testing.T) {
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(i+1))
	}
	for share, want := range map[float64]float64{0: 1, .5: 50, .99: 99, .999: 100, 1: 100} {
		if got := percentile(hundred, share); got != want {
			t.Errorf("%g: %g, want %g", share, got, want)
		}
	}
	if got := percentile(nil, .5); !math.IsNaN(got) {
		t.Errorf("of nothing: %g", got)
	}
}

// TestLatencies cuts a window out.
func TestLatencies(t *testing.T) {
	got, bad := latencies([]answered{{due: 0, took: 9, status: 200}, {due: 10, took: 5, status: 200}, {due: 19, took: 3, status: 0}, {due: 20, took: 1, status: 200}}, 10, 20)
	if d := cmp.Diff([]float64{3, 5}, got); d != "" || bad != 1 {
		t.Errorf("%d bad, %s", bad, d)
	}
}

// rounds makes samples of a row: a metric's values by contestant, one for each round.
func rounds(row, metric string, of map[string][]float64) (samples []sample) {
	for contestant, values := range of {
		for round, v := range values {
			samples = append(samples, sample{Row: row, Contestant: contestant, Round: round, Metrics: metrics{metric: v}})
		}
	}
	return samples
}

// TestReached compares within rounds: a round in which everything was slow changes no ratio.
func TestReached(t *testing.T) {
	peers := []string{"nginx", "envoy"}
	samples := rounds("a", "x", map[string][]float64{"trellis": {10, 30, 12}, "nginx": {20, 60, 20}, "envoy": {40, 50, 60}})
	samples = append(samples, sample{Row: "a", Contestant: "trellis", Round: 3, Error: "failed"}, sample{Row: "a", Contestant: "nginx", Round: 3, Metrics: metrics{"x": 1}})
	for name, c := range map[string]struct {
		aim     aim
		want    float64
		verdict string
	}{
		"ratio":      {aim{versus: "nginx", bound: 0.6, what: "X"}, 0.5, "X ÷ nginx 0.5, aim ≤ 0.6: met"},
		"difference": {aim{versus: "nginx", minus: true, bound: -11, what: "X"}, -10, "X − nginx -10, aim ≤ -11: MISSED"},
		"alone":      {aim{bound: 12, what: "X"}, 12, "X 12, aim ≤ 12: met"},
		"best low":   {aim{versus: best, bound: 0.5, what: "X"}, 0.6, "X ÷ best peer 0.6, aim ≤ 0.5: MISSED"},
		"best high":  {aim{versus: best, atLeast: true, bound: 0.2, what: "X"}, 0.25, "X ÷ best peer 0.25, aim ≥ 0.2: met"},
	} {
		c.aim.row, c.aim.contestant, c.aim.metric = "a", "trellis", "x"
		got, ok := c.aim.reached(samples, peers)
		if !ok || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", name, got, c.want)
		}
		if got := c.aim.verdict(samples, peers); got != c.verdict {
			t.Errorf("%s: %q, want %q", name, got, c.verdict)
		}
	}
	if got := (aim{row: "b2", contestant: "trellis", metric: "x"}).verdict(samples, peers); got != "" {
		t.Errorf("nothing was measured: %q", got)
	}
}

// TestAims holds every aim to rows, metrics and contestants that there are.
func TestAims(t *testing.T) {
	shown := map[string]bool{"f10k depth_us": true} // measured, and seen in two columns of the table
	for _, r := range rows() {
		for _, col := range r.columns {
			shown[r.name+" "+col.metric] = true
		}
	}
	in := map[string]*contestant{}
	for _, c := range contestants() {
		if in[c.name] != nil {
			t.Errorf("two contestants are called %s", c.name)
		}
		in[c.name] = c
	}
	for _, a := range aims {
		if !shown[a.row+" "+a.metric] {
			t.Errorf("aim %+v: no table of row %s shows %s", a, a.row, a.metric)
		}
		names := []string{a.contestant}
		if a.versus != "" && a.versus != best {
			names = append(names, a.versus)
		}
		for _, name := range names {
			if c := in[name]; c == nil || !c.in(a.row) {
				t.Errorf("aim %+v: %s is not in row %s", a, name, a.row)
			}
		}
	}
}
