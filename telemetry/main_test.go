package telemetry

import (
	"context"
	"errors"
	"flag"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "111122223333"
	group1  = "/aws/vpclattice/orders"
)

// epoch is the time that tests begin at.
var epoch = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

// open opens Logs in a folder and closes them at the end of the test, or when the returned function is called.
func open(t *testing.T, dir string, now func() time.Time) (*Logs, func()) {
	t.Helper()
	if now == nil {
		now = func() time.Time { return epoch.Add(time.Hour) }
	}
	tel, err := New(Options{Dir: dir, Region: "eu-west-1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ended := false
	end := func() {
		if ended {
			return
		}
		ended = true
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := tel.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(end)
	return tel.Logs(), end
}

// withStream makes the test group with a stream.
func withStream(t *testing.T, l *Logs, stream string) {
	t.Helper()
	if err := l.CreateGroup(LogGroup{Account: account, Name: group1}); err != nil && code(err) != "ResourceAlreadyExistsException" {
		t.Fatal(err)
	}
	if err := l.CreateStream(account, group1, stream); err != nil {
		t.Fatal(err)
	}
}

// put puts one message at an offset from epoch.
func put(t *testing.T, l *Logs, stream string, offset time.Duration, message string) {
	t.Helper()
	r, err := l.Put(account, group1, stream, []Event{{epoch.Add(offset).UnixMilli(), []byte(message)}})
	if err != nil || !r.None() {
		t.Fatalf("put: %+v, %v", r, err)
	}
}

// code is the code of an error that clients see.
func code(err error) string {
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return e.Code
	}
	return ""
}
