package telemetry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sums are the metrics of the account with the sums and counts of their minutes from epoch on, as name{dimension=value} +0s sum/count.
func sums(t *testing.T, l *Logs) []string {
	t.Helper()
	found, _, err := l.metrics.List(account, MetricQuery{}, "", 2000)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, m := range found {
		points, err := l.metrics.Points(account, m, epoch, epoch.Add(time.Hour), 60, "", false)
		if err != nil {
			t.Fatal(err)
		}
		name := m.Namespace + "/" + m.Name
		if len(m.Dimensions) > 0 {
			name += strings.TrimPrefix(fmt.Sprint(m.Dimensions), "map")
		}
		for _, p := range points {
			out = append(out, fmt.Sprintf("%s %s+%gs %g/%g", name, p.Unit, p.Time.Sub(epoch).Seconds(), p.Sum, p.Count))
		}
	}
	return out
}

// TestMetricFilters lets log events count in metrics: by terms, by fields of JSON and between spaces, with dimensions and default
// values; before and after a restart, whoever put them.
func TestMetricFilters(t *testing.T) {
	dir := t.TempDir()
	l, end := open(t, dir, nil)
	withStream(t, l, "s")
	zero := 0.
	for _, f := range []MetricFilter{
		{Name: "errors", Pattern: "ERROR", Namespace: "shop", Metric: "errors", Value: "1", Default: &zero, Unit: "Count"},
		{Name: "latency", Pattern: "{ $.status >= 200 }", Namespace: "shop", Metric: "latency", Value: "$.latency", Dimensions: map[string]string{"status": "$.status", "fast": "$.fast"}},
		{Name: "bytes", Pattern: "[ip, request, status=2*, size]", Namespace: "shop", Metric: "bytes", Value: "$size"},
	} {
		if err := l.PutMetricFilter(account, group1, f); err != nil {
			t.Fatal(err)
		}
	}
	put(t, l, "s", 0, "an ERROR")
	put(t, l, "s", time.Second, "10.0.0.1 \"GET /\" 200 512")
	put(t, l, "s", 2*time.Second, "10.0.0.1 \"GET /\" 404 9")
	put(t, l, "s", time.Minute, "10.0.0.1 \"GET /\" 200 500")
	put(t, l, "s", time.Minute+time.Second, "10.0.0.1 \"GET /\" 200 much")
	end()
	l, _ = open(t, dir, nil)
	events := []Event{}
	for _, m := range []string{`{"status":200,"latency":12.5,"fast":true}`, `{"status":200,"latency":"7.5","fast":true}`, `{"status":503,"latency":100,"fast":false}`,
		`{"status":200,"fast":true}`, `{"status":200,"latency":1}`, `{"status":200,"latency":"NaN","fast":true}`, `{"status":100,"latency":1,"fast":true}`} {
		events = append(events, Event{epoch.Add(2 * time.Minute).UnixMilli(), []byte(m)})
	}
	if err := l.Deliver(t.Context(), l.GroupARN(account, group1), "rows", events); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"shop/bytes +0s 512/1", "shop/bytes +60s 500/1",
		"shop/errors Count+0s 1/1", "shop/errors Count+60s 0/1", "shop/errors Count+120s 0/1",
		"shop/latency[fast:false status:503] +120s 100/1", "shop/latency[fast:true status:200] +120s 20/2",
	}
	if d := cmp.Diff(want, sums(t, l)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}

	list := func(q MetricFilterQuery, after string, limit int) string {
		t.Helper()
		found, next, err := l.MetricFilters(account, q, after, limit)
		if err != nil {
			return code(err)
		}
		var names []string
		for _, f := range found {
			names = append(names, f.Group[len(f.Group)-6:]+":"+f.Name)
		}
		return strings.Join(names, " ") + " " + next
	}
	for _, test := range []struct {
		q     MetricFilterQuery
		after string
		limit int
		want  string
	}{
		{MetricFilterQuery{}, "", 10, "orders:bytes orders:errors orders:latency "},
		{MetricFilterQuery{Group: group1}, "", 2, "orders:bytes orders:errors " + group1 + ":errors"},
		{MetricFilterQuery{Group: group1}, group1 + ":errors", 2, "orders:latency "},
		{MetricFilterQuery{Prefix: "l"}, "", 10, "orders:latency "},
		{MetricFilterQuery{Namespace: "shop", Metric: "errors"}, "", 10, "orders:errors "},
		{MetricFilterQuery{Group: "missing"}, "", 10, "ResourceNotFoundException"},
	} {
		if got := list(test.q, test.after, test.limit); got != test.want {
			t.Errorf("%+v: %s, want %s", test.q, got, test.want)
		}
	}
	if g, err := l.Group(account, group1); err != nil || g.MetricFilters != 3 {
		t.Errorf("%+v, %v", g, err)
	}
	if err := l.DeleteMetricFilter(account, group1, "errors"); err != nil {
		t.Error(err)
	}
	if err := l.DeleteMetricFilter(account, group1, "errors"); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
	put(t, l, "s", 3*time.Minute, "an ERROR")
	if d := cmp.Diff(want, sums(t, l)); d != "" {
		t.Errorf("after its filter went (-want +got):\n%s", d)
	}
}

// TestMetricFiltersThatCannotBe refuses filters by what is wrong with them.
func TestMetricFiltersThatCannotBe(t *testing.T) {
	l, _ := open(t, t.TempDir(), nil)
	withStream(t, l, "s")
	if err := l.CreateGroup(LogGroup{Account: account, Name: "rare", Class: "INFREQUENT_ACCESS"}); err != nil {
		t.Fatal(err)
	}
	one, huge := 1., 1e200
	for want, f := range map[string]MetricFilter{
		"a brace is not closed":               {Pattern: "{ $.a = 1", Value: "1"},
		"$.a is neither a number nor a field": {Pattern: "ERROR", Value: "$.a"},
		"$.":                                  {Pattern: "{ $.a = 1 }", Value: "$."},
		"$size":                               {Pattern: "[a, b]", Value: "$size"},
		"much":                                {Pattern: "{ $.a = 1 }", Value: "much"},
		"mutually exclusive":                  {Pattern: "{ $.a = 1 }", Value: "1", Default: &one, Dimensions: map[string]string{"a": "$.a"}},
		"at most 3":                           {Pattern: "{ $.a = 1 }", Value: "1", Dimensions: map[string]string{"a": "$.a", "b": "$.a", "c": "$.a", "d": "$.a"}},
		"$b":                                  {Pattern: "[a]", Value: "1", Dimensions: map[string]string{"a": "$b"}},
		"range":                               {Pattern: "", Value: "1", Default: &huge},
		"in the range":                        {Pattern: "", Value: "NaN"},
	} {
		f.Name, f.Namespace, f.Metric = "f", "shop", "m"
		if err := l.PutMetricFilter(account, group1, f); code(err) != "InvalidParameterException" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	f := MetricFilter{Name: "f", Namespace: "shop", Metric: "m", Value: "1"}
	if err := l.PutMetricFilter(account, "missing", f); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
	if err := l.PutMetricFilter(account, "rare", f); code(err) != "InvalidOperationException" {
		t.Error(err)
	}
	for n := range 101 {
		f.Name = fmt.Sprint(n)
		if err := l.PutMetricFilter(account, group1, f); n < 100 && err != nil || n == 100 && code(err) != "LimitExceededException" {
			t.Errorf("filter %d: %v", n, err)
		}
	}
	f.Name, f.Value = "7", "2"
	if err := l.PutMetricFilter(account, group1, f); err != nil {
		t.Errorf("in the place of one: %v", err)
	}
}

// TestManyDimensions bounds the metrics that a filter makes.
func TestManyDimensions(t *testing.T) {
	l, _ := open(t, t.TempDir(), nil)
	withStream(t, l, "s")
	f := MetricFilter{Name: "f", Pattern: "[client, path]", Namespace: "shop", Metric: "calls", Value: "1", Dimensions: map[string]string{"client": "$client"}}
	if err := l.PutMetricFilter(account, group1, f); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var events []Event
		for n := range 1500 {
			events = append(events, Event{epoch.UnixMilli(), fmt.Appendf(nil, "%d /", n)})
		}
		if _, err := l.Put(account, group1, "s", events); err != nil {
			t.Fatal(err)
		}
	}
	got := sums(t, l)
	if len(got) != 1000 || !strings.HasSuffix(got[0], " 2/2") {
		t.Errorf("%d metrics, the first is %s", len(got), got[0])
	}
}

// TestTestPattern shows the fields of messages that match.
func TestTestPattern(t *testing.T) {
	line := `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534`
	for pattern, want := range map[string]string{
		"frank": "[{1 map[]}]",
		"[ip, id, user, time, request, status, size]":  "[{1 map[$id:- $ip:127.0.0.1 $request:GET /apache_pb.gif HTTP/1.0 $size:1534 $status:200 $time:10/Oct/2000:13:25:15 -0700 $user:frank]}]",
		"[ip, ..., status=2*, size]":                   "[{1 map[$2:- $3:frank $4:10/Oct/2000:13:25:15 -0700 $5:GET /apache_pb.gif HTTP/1.0 $ip:127.0.0.1 $size:1534 $status:200]}]",
		`{ $.a.b = 1 && $.c NOT EXISTS || $.d = "x" }`: "[{2 map[$.a.b:1]}]",
		"nothing": "[]",
	} {
		got, err := TestPattern(pattern, []string{line, `{"a":{"b":1}}`})
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v", pattern, got, err)
		}
	}
	if _, err := TestPattern("{", nil); code(err) != "InvalidParameterException" {
		t.Error(err)
	}
}

// TestResourcePolicies keeps at most ten policies of an account, over a restart.
func TestResourcePolicies(t *testing.T) {
	dir := t.TempDir()
	l, end := open(t, dir, nil)
	for n := range 11 {
		if _, err := l.PutResourcePolicy(account, fmt.Sprint("p", n), "{}"); n < 10 && err != nil || n == 10 && code(err) != "LimitExceededException" {
			t.Errorf("policy %d: %v", n, err)
		}
	}
	p, err := l.PutResourcePolicy(account, "p3", `{"changed":true}`)
	if err != nil || p.UpdatedMillis == 0 {
		t.Error(p, err)
	}
	if err := l.DeleteResourcePolicy(account, "p4"); err != nil {
		t.Error(err)
	}
	if err := l.DeleteResourcePolicy(account, "p4"); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
	end()
	l, _ = open(t, dir, nil)
	if got := l.ResourcePolicies(account); len(got) != 9 || got[3].Document != `{"changed":true}` || len(l.ResourcePolicies("444455556666")) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestManyMinutes gives a minute that has matched no default value, however many others have come since.
func TestManyMinutes(t *testing.T) {
	zero := 0.
	f, err := MetricFilter{Name: "f", Pattern: "ERROR", Namespace: "shop", Metric: "errors", Value: "1", Default: &zero}.liven()
	if err != nil {
		t.Fatal(err)
	}
	var events []Event
	for n := range 2 * maxReported {
		at := epoch.Add(time.Duration(n) * time.Minute).UnixMilli()
		events = append(events, Event{at, []byte("an ERROR")}, Event{at, []byte("nothing")})
	}
	values, err := measured([]*liveFilter{f}, events)
	if err != nil || len(values) != 2*maxReported {
		t.Fatalf("%d values, %v", len(values), err)
	}
	for _, v := range values {
		if v.Set.Count != 1 {
			t.Errorf("%v has %g values", v.Time, v.Set.Count)
		}
	}
}
