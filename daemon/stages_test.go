package daemon

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestStagesStopInOppositeOrder looks at the order in which actors of three stages end.
func TestStagesStopInOppositeOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ended []string
		s := newStages()
		for _, name := range []string{"store", "vpc", "api"} {
			s.start(actor{name, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // in the bubble: takes no time, lets a wrong order show
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, name)
				return ctx.Err()
			}})
		}
		s.stop()
		if want := []string{"api", "vpc", "store"}; !slices.Equal(ended, want) {
			t.Errorf("ended %v, want %v", ended, want)
		}
		if err := s.failure(); err != nil {
			t.Errorf("stopping is no failure: %v", err)
		}
	})
}

// TestStagesTellTheFirstFailure looks at an actor that fails and one that ends by itself.
func TestStagesTellTheFirstFailure(t *testing.T) {
	for _, c := range []struct {
		give error
		want string
	}{
		{errors.New("no disk"), "store: no disk"},
		{nil, "store: ended by itself"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newStages()
			s.start(actor{"store", func(context.Context) error { return c.give }})
			synctest.Wait()
			if err := s.failure(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("failure is %v, want %q", err, c.want)
			}
			s.stop()
		})
	}
}

// TestAppliedWakesWaiters lets many wait for revisions that come in steps.
func TestAppliedWakesWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApplied()
		var wg sync.WaitGroup
		for rev := range int64(10) {
			wg.Go(func() {
				if err := a.wait(t.Context(), rev); err != nil || a.revision() < rev {
					t.Errorf("wait for %d ended at %d: %v", rev, a.revision(), err)
				}
			})
		}
		a.set(4)
		a.set(3) // never goes back
		if a.revision() != 4 {
			t.Errorf("revision is %d", a.revision())
		}
		a.set(9)
		wg.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.wait(ctx, 100); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait for what does not come: %v", err)
		}
	})
}
