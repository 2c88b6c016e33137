package dataplane

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/trellis-project/trellis/reactor"
)

const (
	// lookUpTimeout bounds a look-up.
	lookUpTimeout = 5 * time.Second
	// Bounds of how long an answer is kept, whatever its TTL is; the lower one is for failures too.
	minKept, maxKept = time.Second, 5 * time.Minute
	// maxNames bounds the answers that are kept, maxLookUps those that are asked for at once: an account's names that are
	// not answered keep those of others from nothing.
	maxNames, maxLookUps, maxLookUpsOfOne = 4096, 64, 8
)

// errBusy says that more names are asked for than may be.
var errBusy = errors.New("too many names are being looked up")

// names are the domain names of resources that were looked up, for all workers.
type names struct {
	lookUp func(ctx context.Context, vpcID, name string) ([]netip.Addr, time.Duration, error)
	now    func() time.Time
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu     sync.Mutex     // guards all below
	asking map[string]int // how many are looked up now, by account
	total  int            // of all accounts
	by     map[asked]*lookedUp
}

// asked is a name, the account whose resource has it, and the VPC whose resolver is asked; empty for the node's.
type asked struct{ account, vpcID, name string }

// found is how a look-up ended.
type found struct {
	addrs []netip.Addr
	err   error
}

// lookedUp is what is known of a name.
type lookedUp struct {
	found
	until   time.Time     // when it has to be looked up again
	asking  bool          // it is looked up now
	waiting []func(found) // called at the end of that
}

// newNames returns names of which none was looked up.
func newNames(lookUp func(ctx context.Context, vpcID, name string) ([]netip.Addr, time.Duration, error), now func() time.Time) *names {
	ctx, cancel := context.WithCancel(context.Background())
	return &names{lookUp: lookUp, now: now, ctx: ctx, cancel: cancel, asking: map[string]int{}, by: map[asked]*lookedUp{}}
}

// end ends the look-ups under way and waits for them.
func (n *names) end() {
	n.cancel()
	n.work.Wait()
}

// lookUp finds the addresses of a name, for which the calling fiber waits if need be.
func (w *worker) lookUp(q asked) ([]netip.Addr, error) {
	var later found
	var told reactor.Signal
	f, known := w.s.names.ask(q, func(f found) {
		w.loop.Post(func() {
			later = f
			told.Set()
		})
	})
	if known {
		return f.addrs, f.err
	}
	if err := w.loop.Await(&told, 2*lookUpTimeout); err != nil {
		return nil, err
	}
	return later.addrs, later.err
}

// ask returns what is known of a name. What is not known yet is given to tell, later.
func (n *names) ask(q asked, tell func(found)) (f found, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.by[q]
	switch {
	case a != nil && a.asking:
		a.waiting = append(a.waiting, tell)
		return f, false
	case a != nil && n.now().Before(a.until):
		return a.found, true
	case n.total >= maxLookUps, n.asking[q.account] >= maxLookUpsOfOne:
		return found{err: errBusy}, true
	case a == nil:
		n.makeRoom()
		a = &lookedUp{}
		n.by[q] = a
	}
	a.asking, a.waiting = true, []func(found){tell}
	n.asking[q.account]++
	n.total++
	n.work.Go(func() { n.find(q, a) })
	return f, false
}

// find looks a name up and tells who waits.
func (n *names) find(q asked, a *lookedUp) {
	ctx, cancel := context.WithTimeout(n.ctx, lookUpTimeout)
	defer cancel()
	addrs, ttl, err := n.lookUp(ctx, q.vpcID, q.name)
	n.mu.Lock()
	a.found = found{addrs, err}
	a.until = n.now().Add(min(max(ttl, minKept), maxKept))
	waiting := a.waiting
	a.asking, a.waiting = false, nil
	n.total--
	if n.asking[q.account]--; n.asking[q.account] == 0 {
		delete(n.asking, q.account)
	}
	n.mu.Unlock()
	for _, tell := range waiting {
		tell(found{addrs, err})
	}
}

// makeRoom forgets an answer when there are too many, one that is too old if it meets one soon. The caller holds mu.
func (n *names) makeRoom() {
	if len(n.by) < maxNames {
		return
	}
	var victim asked
	tries := 0
	for q, a := range n.by {
		if a.asking {
			continue
		}
		victim = q
		if tries++; tries == 8 || !n.now().Before(a.until) {
			break
		}
	}
	delete(n.by, victim)
}
