package telemetry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// openTrailIn opens the audit trail in a folder; the function closes it as the end of the process does.
func openTrailIn(t *testing.T, dir string, now func() time.Time) (*Trail, func()) {
	t.Helper()
	tel, err := New(Options{Dir: dir, Region: "eu-west-1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return tel.Trail(), func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := tel.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// ids are the ids of records.
func ids(records []trellis.AuditRecord) string {
	var s []string
	for _, r := range records {
		s = append(s, r.ID)
	}
	return strings.Join(s, " ")
}

// TestTrail keeps records of two accounts and of nobody, finds them by page and after a restart, and loses none that
// was of a change although the process ends without a word.
func TestTrail(t *testing.T) {
	dir, now := t.TempDir(), epoch
	clock := func() time.Time { return now }
	trail, end := openTrailIn(t, dir, clock)
	for i := range 6 {
		now = now.Add(time.Second)
		trail.Add(trellis.AuditRecord{ID: fmt.Sprint(i), Account: account, Time: now, Operation: []string{"GetUser", "CreateUser"}[i%2], ReadOnly: i%2 == 0})
	}
	trail.Add(trellis.AuditRecord{ID: "other", Account: "444455556666", Time: now})
	trail.Add(trellis.AuditRecord{ID: "unknown", Time: now})
	trail.Add(trellis.AuditRecord{ID: "data", Account: account, Time: now, Data: true})

	look := func(trail *Trail, account string, q Lookup, want string) (next string) {
		t.Helper()
		if q.Limit == 0 {
			q.Limit = 50
		}
		got, next, err := trail.Look(account, q)
		if err != nil || ids(got) != want {
			t.Errorf("%+v: %q, want %q, %v", q, ids(got), want, err)
		}
		return next
	}
	killed, endKilled := openTrailIn(t, dir, clock) // as after a kill: what the first has not written is not there
	look(killed, account, Lookup{}, "5 4 3 2 1 0")
	endKilled()

	next := look(trail, account, Lookup{Limit: 4}, "5 4 3 2")
	if next = look(trail, account, Lookup{Limit: 4, After: next}, "1 0"); next != "" {
		t.Errorf("a page after the last: %s", next)
	}
	look(trail, "444455556666", Lookup{}, "other")
	look(trail, "777788889999", Lookup{}, "")
	creates := func(r *trellis.AuditRecord) bool { return r.Operation == "CreateUser" }
	look(trail, account, Lookup{Text: "CreateUser", Matches: creates}, "5 3 1")
	look(trail, account, Lookup{From: epoch.Add(2 * time.Second), To: epoch.Add(4 * time.Second)}, "3 2 1")
	if _, _, err := trail.Look(account, Lookup{After: "x"}); err == nil {
		t.Error("a position that is none was taken")
	}
	trail.Add(trellis.AuditRecord{ID: "last", Account: account, Time: now, ReadOnly: true})
	end()
	trail, end = openTrailIn(t, dir, clock)
	look(trail, account, Lookup{}, "last 5 4 3 2 1 0")
	now = now.Add(trailDays*24*time.Hour - 2500*time.Millisecond)
	look(trail, account, Lookup{}, "last 5 4 3 2") // 2 was written together with 3
	end()
}

// TestTrailIsBounded fills the trail of nobody: the oldest records go.
func TestTrailIsBounded(t *testing.T) {
	dir := t.TempDir()
	trail, end := openTrailIn(t, dir, func() time.Time { return epoch })
	text := strings.Repeat("x", 1<<20)
	for range 80 {
		trail.Add(trellis.AuditRecord{ErrorMessage: text})
	}
	end()
	files, err := filepath.Glob(filepath.Join(dir, "audit", nobody, "*", "segment-*"))
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, f := range files {
		i, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += i.Size()
	}
	if sum > nobodyBytes+2<<20 || sum < nobodyBytes/2 {
		t.Errorf("%d bytes are kept", sum)
	}
}
