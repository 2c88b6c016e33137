package telemetry

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask runs a query to its end.
func ask(t testing.TB, l *Logs, q Query) QueryState {
	t.Helper()
	id, err := l.StartQuery(q)
	if err != nil {
		t.Fatal(err)
	}
	l.queries.work.Wait()
	s, err := l.QueryResults(q.Account, id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestQueries runs every query of testdata/queries.txt over testdata/events.jsonl, whose lines are 30 s apart.
func TestQueries(t *testing.T) {
	l, _ := open(t, t.TempDir(), nil)
	withStream(t, l, "s")
	events, err := os.ReadFile("testdata/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(events)), "\n") {
		put(t, l, "s", time.Duration(i)*30*time.Second, line)
	}
	cases, err := os.ReadFile("testdata/queries.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(cases)), "\n\n") {
		query, _, ok := strings.Cut(block+"\n", "\n----\n")
		if !ok {
			t.Fatalf("block without ----: %s", block)
		}
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString(query + "\n----\n")
		q := Query{Account: account, Groups: []string{group1}, From: epoch.Unix(), To: epoch.Unix() + 3600, Text: query}
		if _, err := parseQuery(query); err != nil {
			out.WriteString("error: " + err.Error() + "\n")
			continue
		}
		for _, line := range ask(t, l, q).Results {
			var fields []string
			for _, f := range line {
				if f.Name != "@ptr" {
					fields = append(fields, f.Name+"="+f.Value)
				}
			}
			if len(fields) == 0 {
				fields = []string{"(no fields)"}
			}
			out.WriteString(strings.Join(fields, " | ") + "\n")
		}
	}
	if *update {
		if err := os.WriteFile("testdata/queries.txt", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(cases), out.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestQueryKeepsTheLatestOfMany(t *testing.T) {
	l, _ := open(t, t.TempDir(), nil)
	withStream(t, l, "s")
	var events []Event
	for i := range 5000 {
		events = append(events, Event{epoch.UnixMilli() + int64(i), []byte(`{"n":` + numberValue(float64(i)).String() + `}`)})
	}
	if _, err := l.Put(account, group1, "s", events); err != nil {
		t.Fatal(err)
	}
	q := Query{Account: account, Groups: []string{group1}, From: epoch.Unix(), To: epoch.Unix() + 60, Text: "fields n", Limit: 2}
	s := ask(t, l, q)
	if len(s.Results) != 2 || s.Results[0][0].Value != "4999" || s.Results[1][0].Value != "4998" || s.Stats.RecordsScanned != 5000 {
		t.Errorf("%v, %+v", s.Results, s.Stats)
	}
	q.Text = "fields n | sort n asc | limit 3"
	if s := ask(t, l, q); len(s.Results) != 3 || s.Results[2][0].Value != "2" {
		t.Errorf("%v", s.Results)
	}
	q.From, q.To = epoch.Unix()+2, epoch.Unix()+2
	q.Text = "stats count(*) as n"
	if s := ask(t, l, q); s.Results[0][0].Value != "1000" {
		t.Errorf("in one second: %v", s.Results)
	}
	if got := l.Queries(account, group1, QueryComplete); len(got) != 3 || got[0].Query.Text != q.Text {
		t.Errorf("%d queries", len(got))
	}
	if _, err := l.QueryResults("444455556666", s.ID); code(err) != "ResourceNotFoundException" {
		t.Errorf("another account sees the query: %v", err)
	}
	if err := l.StopQuery(account, s.ID); code(err) != "InvalidParameterException" {
		t.Errorf("stopping an ended query: %v", err)
	}
}

func FuzzQuery(f *testing.F) {
	cases, err := os.ReadFile("testdata/queries.txt")
	if err != nil {
		f.Fatal(err)
	}
	for block := range strings.SplitSeq(string(cases), "\n\n") {
		query, _, _ := strings.Cut(block, "\n----")
		f.Add(query, `{"responseCode":403,"a":{"b":[1,"x"]}}`)
	}
	f.Fuzz(func(t *testing.T, query, message string) {
		commands, err := parseQuery(query)
		if err != nil {
			if code(err) != "MalformedQueryException" {
				t.Errorf("error without a code: %v", err)
			}
			return
		}
		x := plan(commands, 10)
		for i := range 3 {
			x.add(&row{at: position{int64(i), 0}, message: message})
		}
		if n := len(x.results()); n > maxRows {
			t.Errorf("%d results", n)
		}
	})
}
