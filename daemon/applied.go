package daemon

import (
	"context"
	"sync"

	"github.com/trellis-project/trellis"
)

// applied is the revision that this node's traffic side carries, for those who wait for theirs.
type applied struct {
	mu      sync.Mutex
	rev     trellis.Revision
	changed chan struct{} // closed at the next change
}

// newApplied returns an applied at revision 0.
func newApplied() *applied { return &applied{changed: make(chan struct{})} }

// set moves on to a revision and wakes who waits.
func (a *applied) set(rev trellis.Revision) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if rev > a.rev {
		a.rev = rev
		close(a.changed)
		a.changed = make(chan struct{})
	}
}

// revision is the revision that is carried now.
func (a *applied) revision() trellis.Revision {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rev
}

// wait returns when a revision is carried, or with ctx's error.
func (a *applied) wait(ctx context.Context, rev trellis.Revision) error {
	for {
		a.mu.Lock()
		done, changed := a.rev >= rev, a.changed
		a.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
