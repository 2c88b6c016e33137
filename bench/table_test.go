package main

import (
	"strings"
	"testing"
)

// TestNumber puts commas between thousands.
func TestNumber(t *testing.T) {
	for want, got := range map[string]string{"0.75": number(0.75, "%.2f"), "999": number(999, "%.0f"), "1,000": number(1000, "%.0f"), "-1,234,567.9": number(-1234567.89, "%.1f"), "-12": number(-12, "%.0f")} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestTable prints a row: who failed is there with dashes, who was not tried is not.
func TestTable(t *testing.T) {
	r := results{Samples: rounds("a", "cpu_us", map[string][]float64{"nginx": {20, 22, 24}, "trellis": {10, 22, 12}})}
	r.Samples = append(r.Samples, sample{Row: "a", Contestant: "haproxy", Error: "it broke"}, sample{Row: "a", Contestant: "trellis-both", Error: "unable: no kernel", Unable: true}, sample{Row: "b2", Contestant: "trellis-both", Error: "unable: no kernel", Unable: true})
	var out strings.Builder
	r.print(&out)
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	for i, want := range []string{
		"",
		"Small answers, 64 connections, as fast as they come",
		"CPU µs/request ÷ nginx requests/s core used requests/s of a full core with load and target µs PSS MB peak RSS MB aims",
		"nginx 22.0 (20.0–24.0) 1.00 – – – – – –",
		"HAProxy – – – – – – – –",
		"Trellis 12.0 (10.0–22.0) 0.50 – – – – – – CPU ÷ nginx 0.5, aim ≤ 0.75: met",
		"Trellis, both legs accelerated – – – – – – – –",
	} {
		if i >= len(lines) || lines[i] != want {
			t.Fatalf("line %d: want %q in:\n%s", i, want, out.String())
		}
	}
	if tail := strings.Join(lines[7:], "\n"); !strings.Contains(tail, "1 met, 0 missed") || !strings.Contains(tail, "round 1: it broke") || strings.Count(tail, "trellis-both is unable: no kernel") != 1 {
		t.Errorf("ends with %q", tail)
	}
	out.Reset()
	r.markdown(&out)
	if want := "| Trellis | 12.0 (10.0–22.0) | 0.50 | – | – | – | – | – | – | CPU ÷ nginx 0.5, aim ≤ 0.75: met |\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in:\n%s", want, out.String())
	}
}

// TestChoose finds rows by name and by letter.
func TestChoose(t *testing.T) {
	for _, c := range []struct{ rows, contestants, want string }{
		{"b,f10k", "trellis,nginx", "b2 b8 f10k: nginx trellis"},
		{"g", "direct", "g: direct"},
	} {
		rs, cs, err := choose(c.rows, c.contestants)
		if err != nil {
			t.Fatal(err)
		}
		var rowNames, names []string
		for _, r := range rs {
			rowNames = append(rowNames, r.name)
		}
		for _, c := range cs {
			names = append(names, c.name)
		}
		if got := strings.Join(rowNames, " ") + ": " + strings.Join(names, " "); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if _, _, err := choose("z", ""); err == nil {
		t.Error("row z: no error")
	}
}

// TestTurns has another contestant begin in each round, and takes long rows once.
func TestTurns(t *testing.T) {
	rs, cs, err := choose("b8,f1k", "nginx,envoys,trellis")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, turn := range turns(2, rs, cs) {
		got = append(got, turn.row.name+" "+turn.c.name)
	}
	if want := "b8 nginx, b8 trellis, f1k nginx, f1k trellis, b8 trellis, b8 nginx"; strings.Join(got, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(got, ", "), want)
	}
}

// TestKilobytes reads a file of /proc.
func TestKilobytes(t *testing.T) {
	if got := kilobytes("Rss:  10 kB\nPss:                 812 kB\nPss_Dirty: 5 kB\n", "Pss:"); got != 812*1024 {
		t.Errorf("%g", got)
	}
}
