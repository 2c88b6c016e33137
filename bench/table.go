package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// results are all that one run has found, as results.json has it.
type results struct {
	About   about    `json:"about"`
	Samples []sample `json:"samples"`
}

// cells are a table: the names of its columns, and its lines.
type cells struct {
	title string
	head  []string
	lines [][]string
}

// tables makes the table of each row that was measured.
func (r results) tables() []cells {
	all := contestants()
	var peers []string
	for _, c := range all {
		if c.peer {
			peers = append(peers, c.name)
		}
	}
	var ts []cells
	for _, row := range rows() {
		t := cells{title: row.title, head: []string{""}}
		for i, col := range row.columns {
			t.head = append(t.head, col.title)
			if i == 0 && row.versus != "" {
				t.head = append(t.head, "÷ "+row.versus)
			}
		}
		t.head = append(t.head, "aims")
		for _, c := range all {
			if line := r.line(row, c, peers); line != nil {
				t.lines = append(t.lines, line)
			}
		}
		if len(t.lines) > 0 {
			ts = append(ts, t)
		}
	}
	return ts
}

// line is what was measured of one contestant in one row; nil when it was not tried.
func (r results) line(row row, c *contestant, peers []string) []string {
	tried := false
	for _, s := range r.Samples {
		tried = tried || s.Row == row.name && s.Contestant == c.name
	}
	if !tried {
		return nil
	}
	line := []string{c.title}
	for i, col := range row.columns {
		line = append(line, cell(spreadIn(r.Samples, row.name, c.name, col.metric), col.format))
		if i == 0 && row.versus != "" {
			ratio, ok := aim{row: row.name, contestant: c.name, metric: col.metric, versus: row.versus}.reached(r.Samples, nil)
			line = append(line, dash)
			if ok {
				line[len(line)-1] = fmt.Sprintf("%.2f", ratio)
			}
		}
	}
	return append(line, strings.Join(verdicts(r.Samples, row.name, c.name, peers), "\n"))
}

// dash stands for what was not measured.
const dash = "–"

// cell is a median with the least and the most.
func cell(s spread, format string) string {
	switch s.n {
	case 0:
		return dash
	case 1:
		return number(s.median, format)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.median, format), number(s.min, format), number(s.max, format))
}

// number is a number with commas between the thousands.
func number(v float64, format string) string {
	text := fmt.Sprintf(format, v)
	sign := ""
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "-", rest
	}
	whole, rest, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return sign + whole
}

// print writes the tables for a terminal.
func (r results) print(out io.Writer) {
	for _, t := range r.tables() {
		fmt.Fprintf(out, "\n%s\n", t.title)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, line := range append([][]string{t.head}, t.lines...) {
			last := len(line) - 1
			aims := strings.Split(line[last], "\n")
			fmt.Fprintln(w, "  "+strings.Join(line[:last], "\t")+"\t"+aims[0])
			for _, more := range aims[1:] {
				fmt.Fprintln(w, strings.Repeat("\t", last)+more)
			}
		}
		w.Flush()
	}
	met, missed := r.count()
	fmt.Fprintf(out, "\naims: %d met, %d missed. %s\n", met, missed, r.About)
	for _, e := range append(r.unable(), r.errors()...) {
		fmt.Fprintln(out, e)
	}
}

// count counts the aims.
func (r results) count() (met, missed int) {
	for _, t := range r.tables() {
		for _, line := range t.lines {
			met += strings.Count(line[len(line)-1], ": met")
			missed += strings.Count(line[len(line)-1], ": MISSED")
		}
	}
	return met, missed
}

// errors are the measurements that failed, without those of what can't be done here.
func (r results) errors() []string {
	var es []string
	for _, s := range r.Samples {
		if s.Error != "" && !s.Unable {
			es = append(es, fmt.Sprintf("row %s, %s, round %d: %s", s.Row, s.Contestant, s.Round+1, s.Error))
		}
	}
	return es
}

// unable is who can't be measured here, and why.
func (r results) unable() []string {
	var us []string
	for _, s := range r.Samples {
		if u := s.Contestant + " is " + s.Error; s.Unable && !slices.Contains(us, u) {
			us = append(us, u)
		}
	}
	return us
}

// markdown writes the tables for a page.
func (r results) markdown(out io.Writer) {
	met, missed := r.count()
	fmt.Fprintf(out, "%s\n\nAims: %d met, %d missed.\n", r.About, met, missed)
	for _, t := range r.tables() {
		fmt.Fprintf(out, "\n### %s\n\n", t.title)
		for i, line := range append([][]string{t.head}, t.lines...) {
			fmt.Fprintf(out, "| %s |\n", strings.ReplaceAll(strings.Join(line, " | "), "\n", "<br>"))
			if i == 0 {
				fmt.Fprintf(out, "|%s\n", strings.Repeat("---|", len(line)))
			}
		}
	}
}
