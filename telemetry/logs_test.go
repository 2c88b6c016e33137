package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// messages returns what a stream holds.
func messages(t *testing.T, l *Logs, stream string) []string {
	t.Helper()
	page, err := l.Get(account, group1, stream, GetQuery{FromHead: true, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range page.Events {
		out = append(out, e.Message)
	}
	return out
}

// newest is the path of the group's newest segment.
func newest(t *testing.T, l *Logs) string {
	t.Helper()
	g, err := l.find(account, group1)
	if err != nil {
		t.Fatal(err)
	}
	return g.segments[len(g.segments)-1].path
}

// TestNothingIsLostWithoutAnEnd opens a folder a second time while the first process never closed it, as after
// kill -9, and with a record that was cut off at every possible place.
func TestNothingIsLostWithoutAnEnd(t *testing.T) {
	dir := t.TempDir()
	l, _ := open(t, dir, nil)
	withStream(t, l, "a")
	put(t, l, "a", 0, "first")
	path := newest(t, l)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, l, "a", time.Second, "second")
	both, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(whole); n <= len(both); n++ {
		again := t.TempDir()
		if err := os.CopyFS(again, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(again, rel), both[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		l, end := open(t, again, nil)
		want := []string{"first"}
		if n == len(both) {
			want = append(want, "second")
		}
		put(t, l, "a", 2*time.Second, "third")
		if d := cmp.Diff(append(want, "third"), messages(t, l, "a")); d != "" {
			t.Fatalf("cut at byte %d (-want +got):\n%s", n, d)
		}
		end()
	}
}

func TestDamageEndsASegmentAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	l, end := open(t, dir, nil)
	withStream(t, l, "a")
	put(t, l, "a", 0, "first")
	put(t, l, "a", time.Second, "damaged")
	put(t, l, "a", 2*time.Second, "behind")
	path := newest(t, l)
	end()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte("damaged"))] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	l, end = open(t, dir, nil)
	put(t, l, "a", 3*time.Second, "new")
	end()
	l, _ = open(t, dir, nil)
	if d := cmp.Diff([]string{"first", "new"}, messages(t, l, "a")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, b) {
		t.Errorf("the damaged segment was changed: %v", err)
	}
}

func TestGroupsAndStreams(t *testing.T) {
	dir := t.TempDir()
	l, end := open(t, dir, nil)
	long := strings.Repeat("x", 512)
	for _, name := range []string{"b", "a/1", "a/2", long} {
		if err := l.CreateGroup(LogGroup{Account: account, Name: name, Tags: map[string]string{"n": name[:1]}}); err != nil {
			t.Fatal(err)
		}
	}
	for want, err := range map[string]error{
		"ResourceAlreadyExistsException": l.CreateGroup(LogGroup{Account: account, Name: "b"}),
		"InvalidParameterException":      l.CreateGroup(LogGroup{Account: account, Name: "white space"}),
		"ResourceNotFoundException":      l.DeleteGroup("444455556666", "b"),
	} {
		if code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := l.SetRetention(account, "b", 2); code(err) != "InvalidParameterException" {
		t.Errorf("retention of 2 days: %v", err)
	}
	if err := l.SetRetention(account, "b", 7); err != nil {
		t.Error(err)
	}
	if err := l.Untag(account, "b", []string{"n"}); err != nil {
		t.Error(err)
	}
	end()

	l, _ = open(t, dir, nil)
	var names []string
	for after := ""; ; {
		gs, next, err := l.Groups(account, GroupFilter{}, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range gs {
			names = append(names, g.Name)
		}
		if after = next; after == "" {
			break
		}
	}
	if d := cmp.Diff([]string{"a/1", "a/2", "b", long}, names); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	g, err := l.Group(account, "b")
	if err != nil || g.RetentionDays != 7 || len(g.Tags) != 0 || g.ARN != "arn:aws:logs:eu-west-1:111122223333:log-group:b" {
		t.Errorf("%+v, %v", g, err)
	}
	for i := range 5 {
		if err := l.CreateStream(account, "b", fmt.Sprintf("s%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.CreateStream(account, "b", "s1"); code(err) != "ResourceAlreadyExistsException" {
		t.Error(err)
	}
	if err := l.DeleteStream(account, "b", "s1"); err != nil {
		t.Error(err)
	}
	for _, f := range []StreamFilter{{}, {ByTime: true}, {Descending: true}, {Prefix: "s"}} {
		n := 0
		for after := ""; ; {
			ss, next, err := l.Streams(account, "b", f, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			n += len(ss)
			if after = next; after == "" {
				break
			}
		}
		if n != 4 {
			t.Errorf("%+v: %d streams", f, n)
		}
	}
	if err := l.DeleteGroup(account, "b"); err != nil {
		t.Error(err)
	}
	if _, _, err := l.Streams(account, "b", StreamFilter{}, "", 1); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
}

func TestADeletedStreamTakesItsEventsWithIt(t *testing.T) {
	dir := t.TempDir()
	l, end := open(t, dir, nil)
	withStream(t, l, "a")
	put(t, l, "a", 0, "old")
	if err := l.DeleteStream(account, group1, "a"); err != nil {
		t.Fatal(err)
	}
	withStream(t, l, "a")
	put(t, l, "a", time.Second, "new")
	for range 2 {
		if d := cmp.Diff([]string{"new"}, messages(t, l, "a")); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		end()
		l, end = open(t, dir, nil)
	}
}

func TestPutRefuses(t *testing.T) {
	now := epoch.Add(time.Hour)
	l, _ := open(t, t.TempDir(), func() time.Time { return now })
	withStream(t, l, "a")
	at := func(d time.Duration) Event { return Event{now.Add(d).UnixMilli(), []byte("x")} }
	many := make([]Event, maxBatchEvents+1)
	for i := range many {
		many[i] = at(0)
	}
	for name, events := range map[string][]Event{
		"none": {}, "too many": many, "order": {at(time.Second), at(0)}, "span": {at(-25 * time.Hour), at(0)},
		"size": {{now.UnixMilli(), make([]byte, maxBatchBytes)}}, "empty": {{now.UnixMilli(), nil}},
	} {
		if _, err := l.Put(account, group1, "a", events); code(err) != "InvalidParameterException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := l.Put(account, group1, "b", []Event{at(0)}); code(err) != "ResourceNotFoundException" {
		t.Errorf("unknown stream: %v", err)
	}
	r, err := l.Put(account, group1, "a", []Event{at(-time.Hour), at(0), at(3 * time.Hour), at(4 * time.Hour)})
	if want := (Rejected{2, -1, -1}); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = l.Put(account, group1, "a", []Event{at(-15*24*time.Hour - time.Hour), at(-15 * 24 * time.Hour)})
	if want := (Rejected{-1, 2, -1}); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	if err := l.SetRetention(account, group1, 1); err != nil {
		t.Fatal(err)
	}
	r, err = l.Put(account, group1, "a", []Event{at(-30 * time.Hour), at(-25 * time.Hour), at(-7 * time.Hour)})
	if want := (Rejected{-1, -1, 2}); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	if n := len(messages(t, l, "a")); n != 3 {
		t.Errorf("%d events were kept", n)
	}
}

func TestRetentionHidesAndRemoves(t *testing.T) {
	now := epoch
	l, _ := open(t, t.TempDir(), func() time.Time { return now })
	withStream(t, l, "a")
	put(t, l, "a", 0, "old")
	first := newest(t, l)
	if err := l.SetRetention(account, group1, 1); err != nil {
		t.Fatal(err)
	}
	now = epoch.Add(36 * time.Hour)
	if n := len(messages(t, l, "a")); n != 0 {
		t.Errorf("%d events past their retention are shown", n)
	}
	g, _ := l.find(account, group1)
	g.segments[0].size = segmentBytes // full
	put(t, l, "a", 36*time.Hour, "new")
	if err := g.expire(g.oldest(l.millis())); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("the expired segment is still there: %v", err)
	}
	if d := cmp.Diff([]string{"new"}, messages(t, l, "a")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestGetWalksBothWays(t *testing.T) {
	l, _ := open(t, t.TempDir(), nil)
	withStream(t, l, "a")
	withStream(t, l, "other")
	for i := range 10 {
		put(t, l, "a", time.Duration(i)*time.Second, fmt.Sprint(i))
		put(t, l, "other", time.Duration(i)*time.Second, "no")
	}
	walk := func(q GetQuery, forward bool) (out []string) {
		for range 20 {
			page, err := l.Get(account, group1, "a", q)
			if err != nil {
				t.Fatal(err)
			}
			line := ""
			for _, e := range page.Events {
				line += e.Message
			}
			out = append(out, line)
			next := page.Backward
			if forward {
				next = page.Forward
			}
			if next == q.Token {
				return out
			}
			q.Token = next
		}
		t.Fatal("the walk does not end")
		return nil
	}
	if d := cmp.Diff([]string{"0123", "4567", "89", ""}, walk(GetQuery{FromHead: true, Limit: 4}, true)); d != "" {
		t.Errorf("forward (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"6789", "2345", "01", ""}, walk(GetQuery{Limit: 4}, false)); d != "" {
		t.Errorf("backward (-want +got):\n%s", d)
	}
	from, to := epoch.Add(2*time.Second).UnixMilli(), epoch.Add(5*time.Second).UnixMilli()
	if d := cmp.Diff([]string{"234", ""}, walk(GetQuery{From: from, To: to, FromHead: true, Limit: 4}, true)); d != "" {
		t.Errorf("range (-want +got):\n%s", d)
	}
	page, _ := l.Get(account, group1, "a", GetQuery{FromHead: true, Limit: 100})
	put(t, l, "a", 11*time.Second, "later")
	page, err := l.Get(account, group1, "a", GetQuery{Token: page.Forward, Limit: 100})
	if err != nil || len(page.Events) != 1 || page.Events[0].Message != "later" {
		t.Errorf("following: %+v, %v", page, err)
	}
	if _, err := l.Get(account, group1, "a", GetQuery{Token: "x", Limit: 1}); code(err) != "InvalidParameterException" {
		t.Errorf("bad token: %v", err)
	}
}

func TestFilterPages(t *testing.T) {
	l, _ := open(t, t.TempDir(), nil)
	withStream(t, l, "a")
	withStream(t, l, "b")
	for i := range 10 {
		put(t, l, []string{"a", "b"}[i%2], time.Duration(10-i)*time.Second, fmt.Sprintf(`{"n":%d}`, i))
	}
	var got []string
	q := FilterQuery{Limit: 3, Pattern: "{ $.n != 4 }"}
	for {
		events, next, err := l.Filter(account, group1, q)
		if err != nil {
			t.Fatal(err)
		}
		line := ""
		for _, e := range events {
			line += e.Stream + strings.Trim(e.Message, `{"n:}`) + " "
		}
		got = append(got, line)
		if q.After = next; next == "" {
			break
		}
	}
	if d := cmp.Diff([]string{"b9 a8 b7 ", "a6 b5 b3 ", "a2 b1 a0 "}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	events, _, err := l.Filter(account, group1, FilterQuery{Limit: 100, Streams: []string{"a"}, From: epoch.Add(4 * time.Second).UnixMilli(), To: epoch.Add(8 * time.Second).UnixMilli()})
	if err != nil || len(events) != 3 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if _, _, err := l.Filter(account, group1, FilterQuery{Limit: 1, Streams: []string{"c"}}); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
}

func TestAPageIsBoundedByBytes(t *testing.T) {
	l, _ := open(t, t.TempDir(), nil)
	withStream(t, l, "a")
	for i := range 12 {
		put(t, l, "a", time.Duration(i)*time.Second, strings.Repeat("x", 600<<10))
	}
	n := 0
	q := FilterQuery{Limit: 10_000}
	for {
		events, next, err := l.Filter(account, group1, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) != 1 {
			t.Errorf("a page of %d events", len(events))
		}
		n += len(events)
		if q.After = next; next == "" {
			break
		}
	}
	if n != 12 {
		t.Errorf("%d events", n)
	}
}

func TestDeliverMakesTheStream(t *testing.T) {
	l, _ := open(t, t.TempDir(), nil)
	if err := l.CreateGroup(LogGroup{Account: account, Name: group1}); err != nil {
		t.Fatal(err)
	}
	for _, arn := range []string{l.GroupARN(account, group1), l.GroupARN(account, group1) + ":*"} {
		if err := l.Deliver(t.Context(), arn, "rows", []Event{{epoch.UnixMilli(), []byte("row")}}); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"row", "row"}, messages(t, l, "rows")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if err := l.Deliver(t.Context(), l.GroupARN(account, "missing"), "rows", nil); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
}

func TestPatterns(t *testing.T) {
	b, err := os.ReadFile("testdata/patterns.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := strings.Split(line, " => ")
		m, err := parsePattern(parts[0])
		got := "error"
		if err == nil {
			got = fmt.Sprint(m.match(&message{text: []byte(parts[1])}))
		} else if code(err) != "InvalidParameterException" {
			t.Errorf("%s: %v", line, err)
		}
		if want := parts[len(parts)-1]; got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{ ($.a = "x*" || $.b[0].c >= 4) && $.d IS NULL }`, `{"a":"xy"}`)
	f.Add(`?A ?"b c" -d`, "A")
	f.Add(`[ip, ..., status=4* || status=%5..%, size>1000]`, `127.0.0.1 - "GET / x" 404 1534`)
	f.Add(`%a|b%`, "b")
	f.Fuzz(func(t *testing.T, text, line string) {
		m, err := parsePattern(text)
		if err != nil {
			if code(err) == "" {
				t.Errorf("error without a code: %v", err)
			}
			return
		}
		of := &message{text: []byte(line)}
		m.match(of)
		if m.named == nil {
			return
		}
		for name, value := range m.named(of) {
			if got, ok := m.value(of, name); ok && got != value {
				t.Errorf("%s of %q by %q: %q and %q", name, line, text, value, got)
			}
		}
	})
}

func FuzzSegment(f *testing.F) {
	f.Add(appendRecord(appendRecord(nil, record{kind: recordStream, stream: 1, time: 5, text: []byte("s")}), record{kind: recordEvent, stream: 1, time: -5, ingested: 6, text: []byte("m")}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		rr := newRecordReader(strings.NewReader(string(b)))
		var again []byte
		for {
			r, err := rr.next()
			if err != nil {
				break
			}
			again = appendRecord(again, r)
			if int64(len(again)) != rr.at && len(again) > int(rr.at) {
				t.Errorf("%d bytes were read, the record takes %d", rr.at, len(again))
			}
		}
	})
}

func TestRunSynchronizesAndEnds(t *testing.T) {
	tel, err := New(Options{Dir: t.TempDir(), Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	l := tel.Logs()
	if err := l.CreateGroup(LogGroup{Account: account, Name: group1}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- tel.Run(ctx) }()
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for n := range 200 {
				if err := l.Deliver(t.Context(), l.GroupARN(account, group1), fmt.Sprint(i), []Event{{l.millis(), []byte(fmt.Sprint(n))}}); err != nil {
					t.Error(err)
				}
				if n%50 == 0 {
					if _, _, err := l.Filter(account, group1, FilterQuery{Limit: 10}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writers.Wait()
	g, err := l.find(account, group1)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.sync(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := l.Deliver(t.Context(), l.GroupARN(account, group1), "late", []Event{{l.millis(), []byte("after the end")}}); err != nil {
		t.Errorf("a late row: %v", err)
	}
	if events, _, err := l.Filter(account, group1, FilterQuery{Limit: 10_000}); err != nil || len(events) != 801 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if err := l.shut(); err != nil {
		t.Error(err)
	}
}
