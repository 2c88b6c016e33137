package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a soak has found, as it is written to a file.
type report struct {
	Begun       time.Time          `json:"begun"`
	Seconds     float64            `json:"seconds"`
	Seed        uint64             `json:"seed"`
	Command     string             `json:"command"`
	Missing     []string           `json:"missing_runtimes"`
	Calls       map[string]int     `json:"calls"` // by class
	Clients     map[string]int     `json:"calls_by_client"`
	Kinds       map[string]int     `json:"kinds"` // of calls other than ok
	Churn       map[string]int     `json:"churn"`
	Faults      map[string]int     `json:"faults"`
	Repeated    map[string]int     `json:"api_calls_repeated"` // after an answer of 5xx
	Stalls      int                `json:"machine_stalls"`
	Stalled     float64            `json:"machine_stalled_seconds"`
	Unexplained []string           `json:"unexplained"`
	Leaks       []string           `json:"leaks"`
	Growth      map[string]float64 `json:"growth_bytes_per_hour,omitempty"`
	Start       *sample            `json:"after_start"`
	Idle        *sample            `json:"world_idle_before"`
	IdleAfter   *sample            `json:"world_idle_after"`
	End         *sample            `json:"after_removal"`
	Samples     []*sample          `json:"samples"`
	Kept        string             `json:"kept,omitempty"` // directory with the log and profiles, when something was found

	dataDir string // of Trellis
}

// failed tells whether the soak has found something.
func (r *report) failed() bool { return r.Calls[classUnexplained] > 0 || len(r.Leaks) > 0 }

// progress prints how it goes in one line, and what nothing explains as soon as it is known.
func (s *soak) progress(m *sample, begun time.Time) {
	j := s.judge
	j.mu.Lock()
	total := 0
	for _, n := range j.counts {
		total += n
	}
	line := fmt.Sprintf("%8s %4.0f/s", time.Since(begun).Round(time.Second), float64(total-s.lastTotal)/time.Since(s.lastAt).Seconds())
	s.lastTotal, s.lastAt = total, time.Now()
	for _, class := range []string{classOK, classProvoked, classFault, classRace, classRestart, classStall, classUnexplained} {
		line += fmt.Sprintf("  %s %d", class, j.counts[class])
	}
	fresh := slices.Clone(j.unexplained[min(s.shown, len(j.unexplained)):])
	s.shown = len(j.unexplained)
	j.mu.Unlock()
	s.churn.mu.Lock()
	line += fmt.Sprintf(" | churn %d", sumOfCounts(s.churn.counts))
	s.churn.mu.Unlock()
	s.faults.mu.Lock()
	line += fmt.Sprintf("  faults %d", sumOfCounts(s.faults.counts))
	s.faults.mu.Unlock()
	if m != nil {
		line += fmt.Sprintf(" | rss %.0f MB  heap %.1f MB  fds %d  threads %d  goroutines %d  rules %d  namespaces %d", mega(m.RSS), mega(m.Heap), m.descriptors(), m.Threads,
			m.Goroutines, m.Rules, m.Namespaces)
	}
	fmt.Fprintln(s.out, line)
	for _, text := range fresh {
		fmt.Fprintf(s.out, "         UNEXPLAINED %s\n", text)
	}
}

// sumOfCounts adds up.
func sumOfCounts(counts map[string]int) int {
	n := 0
	for _, m := range counts {
		n += m
	}
	return n
}

// finish makes the report of what was counted.
func (s *soak) finish(r *report) {
	j := s.judge
	j.settleDoubts(true)
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, text := range j.raced() {
		j.counts[classUnexplained]++
		j.blame(text)
	}
	r.Calls, r.Clients, r.Kinds, r.Unexplained = maps.Clone(j.counts), maps.Clone(j.perClient), maps.Clone(j.kinds), slices.Clone(j.unexplained)
	r.Stalls, r.Stalled = j.stalls, j.stalled.Seconds()
	s.daemon.mu.Lock()
	r.Repeated = maps.Clone(s.daemon.repeated)
	s.daemon.mu.Unlock()
	r.Churn, r.Faults = maps.Clone(s.churn.counts), maps.Clone(s.faults.counts)
}

// print prints the report as tables.
func (r *report) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	table := func(title string, counts map[string]int) {
		fmt.Fprintf(w, "\n%s\n", title)
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(w, "  %s\t%d\n", k, counts[k])
		}
	}
	table("CALLS", r.Calls)
	table("BY CLIENT", r.Clients)
	table("OTHER THAN OK", r.Kinds)
	table("CHANGES", r.Churn)
	table("FAULTS", r.Faults)
	if len(r.Repeated) > 0 {
		table("API CALLS ANSWERED BY 5xx AND REPEATED", r.Repeated)
	}
	fmt.Fprintf(w, "\nHELD\tafter start\tworld, before\tworld, after\tremoved\n")
	row := func(name string, value func(*sample) string) {
		fmt.Fprintf(w, "  %s", name)
		for _, s := range []*sample{r.Start, r.Idle, r.IdleAfter, r.End} {
			text := "-"
			if s != nil {
				text = value(s)
			}
			fmt.Fprintf(w, "\t%s", text)
		}
		fmt.Fprintln(w)
	}
	row("memory (RSS), MB", func(s *sample) string { return fmt.Sprintf("%.1f", mega(s.RSS)) })
	row("of it, no file's", func(s *sample) string { return fmt.Sprintf("%.1f", mega(s.Anon)) })
	row("reachable heap, MB", func(s *sample) string { return fmt.Sprintf("%.1f", mega(s.Heap)) })
	row("descriptors", func(s *sample) string { return fmt.Sprint(s.descriptors()) })
	row("goroutines", func(s *sample) string { return fmt.Sprint(s.Goroutines) })
	row("threads", func(s *sample) string { return fmt.Sprint(s.Threads) })
	row("namespaces", func(s *sample) string { return fmt.Sprint(s.Namespaces) })
	row("packet rules", func(s *sample) string { return fmt.Sprint(s.Rules) })
	row("links", func(s *sample) string { return fmt.Sprint(s.Links) })
	row("BPF map entries", func(s *sample) string { return fmt.Sprint(s.Joined) })
	_ = w.Flush() // to a terminal or a file: nobody could be told
	for _, name := range slices.Sorted(maps.Keys(r.Growth)) {
		fmt.Fprintf(out, "\nUnder traffic the %s grew by %.1f MB an hour.\n", name, r.Growth[name]/(1<<20))
	}
	if r.Stalls > 0 {
		fmt.Fprintf(out, "\nThe machine stood still %d times, for %.1f s in all: it has other work to do.\n", r.Stalls, r.Stalled)
	}
	for _, m := range r.Missing {
		fmt.Fprintf(out, "Not run: %s\n", m)
	}
	list := func(title string, texts []string) {
		if len(texts) > 0 {
			fmt.Fprintf(out, "\n%s\n  %s\n", title, strings.Join(texts, "\n  "))
		}
	}
	list("UNEXPLAINED", r.Unexplained[:min(len(r.Unexplained), 40)])
	list("LEAKED", r.Leaks)
	if r.failed() {
		fmt.Fprintf(out, "\nFAILED: %d unexplained, %d leaks. Repeat it with: %s\n", r.Calls[classUnexplained], len(r.Leaks), r.Command)
	}
	if r.Kept != "" {
		fmt.Fprintf(out, "The log and profiles are in %[1]s: go tool pprof -top -diff_base %[1]s/heap-world-before.pprof %[1]s/heap-world-after.pprof\n", r.Kept)
	}
	if r.failed() {
		return
	}
	fmt.Fprintf(out, "\nPASSED: %d calls in %s, nothing unexplained, nothing leaked.\n", sumOfCounts(r.Calls), time.Duration(r.Seconds*float64(time.Second)).Round(time.Second))
}

// write writes the report as JSON, and returns the file's name.
func (r *report) write(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "soak-"+r.Begun.Format("20060102-150405")+".json")
	return path, os.WriteFile(path, append(b, '\n'), 0o644)
}
