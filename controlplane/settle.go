package controlplane

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// settling is what is still to be done about one noun: wait for the traffic side, then for a moment in time,
// then run step in a transaction. The step reads the noun again and does nothing when it is no longer as it was.
type settling struct {
	at      time.Time                   // zero: at once
	prepare func(context.Context) error // work of a while that step needs, done before its transaction; nil: none
	step    func(*store.Tx) (again bool, err error)
	// shown is the status that Get and List give until the traffic side carries what step wrote; empty
	// when step removes the noun.
	shown trellis.Status
}

// next returns what is still to be done about a noun, nil when nothing is.
func (p *Plane) next(n trellis.Noun) *settling {
	switch n := n.(type) {
	case *trellis.Service:
		return p.nextService(n)
	case *trellis.TargetGroup:
		return p.nextTargetGroup(n)
	case *trellis.Target:
		return p.nextTarget(n)
	case *trellis.ServiceAssociation:
		return p.nextServiceAssociation(n)
	case *trellis.VPCAssociation:
		return p.nextVPCAssociation(n)
	case *trellis.ResourceGateway:
		return p.nextResourceGateway(n)
	case *trellis.ResourceConfiguration:
		return p.nextResourceConfiguration(n)
	case *trellis.ResourceAssociation:
		return p.nextResourceAssociation(n)
	case *trellis.VPCEndpoint:
		return p.nextVPCEndpoint(n)
	case *trellis.Instance:
		return p.nextInstance(n)
	case *trellis.Certificate:
		return p.nextCertificate(n)
	case *trellis.ResourceShare:
		return p.nextShare(n)
	}
	return nil
}

// settleWorkers is how many nouns are moved on at the same time; the others wait their turn.
const settleWorkers = 8

// Run moves statuses: CREATE_IN_PROGRESS to ACTIVE and DELETE_IN_PROGRESS to gone once the traffic side of
// this node has followed, drained targets to gone after a minute, domains to verified once their record is there. It
// follows the store from its beginning, so what an earlier process left in progress is finished too. It also issues and
// renews certificates. It returns when ctx is done and all it started has ended.
func (p *Plane) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { p.renew(ctx) })
	workers := make(chan struct{}, settleWorkers)
	err := p.Follow(ctx, func(ch store.Change) error {
		for _, n := range ch.Puts {
			if s := p.next(n); s != nil {
				wg.Go(func() { p.settle(ctx, n, s, ch.Revision, workers) })
			}
			if v, ok := n.(*trellis.DomainVerification); ok && v.Status == trellis.VerificationPending {
				wg.Go(func() { p.verify(ctx, v) })
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// settle carries out one settling and tries again, ever more slowly, while the store fails.
func (p *Plane) settle(ctx context.Context, n trellis.Noun, s *settling, rev trellis.Revision, workers chan struct{}) {
	p.applied(ctx, rev)
	if !s.at.IsZero() && !sleep(ctx, s.at.Sub(p.Now())) {
		return
	}
	name := string(n.Kind()) + "/" + n.Key()
	if s.shown != "" {
		p.unsettled.Store(name, s.shown)
		defer p.unsettled.Delete(name)
	}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		var rev trellis.Revision
		again, wrote := false, false
		err := p.prepare(ctx, s)
		if err == nil {
			select {
			case workers <- struct{}{}:
			case <-ctx.Done():
				return
			}
			rev, err = p.Store.Commit(ctx, func(tx *store.Tx) (err error) {
				again, err = s.step(tx)
				wrote = err == nil
				return err
			})
			<-workers
		}
		switch {
		case errors.Is(err, trellis.ErrNotExist):
			return // somebody else has removed it
		case err == nil && again:
			pause = 25 * time.Millisecond
			continue
		case err == nil:
			if wrote && s.shown != "" {
				p.applied(ctx, rev)
			}
			return
		case ctx.Err() != nil:
			return
		}
		p.Log.Warn("moving a status failed", "kind", n.Kind(), "key", n.Key(), "error", err)
		if !sleep(ctx, pause) {
			return
		}
	}
}

// prepare does what a settling needs before its step: one at a time, and beside the workers, so that many of one kind
// keep neither the others nor the processors.
func (p *Plane) prepare(ctx context.Context, s *settling) error {
	if s.prepare == nil {
		return nil
	}
	p.preparing.Lock()
	defer p.preparing.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.prepare(ctx)
}

// applied waits until the traffic side carries a revision, but not for ever.
func (p *Plane) applied(ctx context.Context, rev trellis.Revision) {
	ctx, cancel := context.WithTimeout(ctx, appliedTimeout)
	defer cancel()
	if err := p.Applied(ctx, rev); err != nil && !errors.Is(err, context.Canceled) {
		p.Log.Warn("the traffic side does not follow", "revision", rev, "error", err)
	}
}

// shown is the status of a noun as Get and List give it: ACTIVE only once the traffic side carries it.
func (p *Plane) shown(n trellis.Noun, stored trellis.Status) trellis.Status {
	if stored == trellis.StatusActive {
		if s, ok := p.unsettled.Load(string(n.Kind()) + "/" + n.Key()); ok {
			return s.(trellis.Status)
		}
	}
	return stored
}

// sleep waits, and tells false when ctx is done first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// activate is the step from an IN_PROGRESS status to ACTIVE. seen is the status that the noun had when the
// step was planned, status points into the noun as it is now.
func activate[T trellis.Noun](tx *store.Tx, key string, seen trellis.Status, status func(T) *trellis.Status) (bool, error) {
	n, err := store.Get[T](tx, key)
	if err != nil || *status(n) != seen {
		return false, err
	}
	*status(n) = trellis.StatusActive
	tx.Put(n)
	return false, nil
}

// ready refuses work on a noun whose status does not let it, in AWS's words. Extended mode lets a noun be
// used while it is being created: nothing is missing that a client could notice.
func (p *Plane) ready(resourceType, id string, s trellis.Status) error {
	if s.Carries() || s == trellis.StatusCreateInProgress && !p.Strict {
		return nil
	}
	return badStatus(resourceType, id, s)
}

// badStatus is AWS's ConflictException for an operation that a status forbids.
func badStatus(resourceType, id string, s trellis.Status) error {
	return trellis.Conflict(resourceType, id, "Invalid resource status for this operation, resource id %s, status: %s.", id, s)
}
