package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trellis-project/trellis"
)

// Change is what one commit did, or all there is.
type Change struct {
	Revision trellis.Revision
	Snapshot bool           // Puts is everything at Revision: forget what was known before
	Puts     []trellis.Noun // must not be changed by who gets it
	Deletes  []Deleted
}

// Deleted names a noun that is gone.
type Deleted struct {
	Kind trellis.Kind
	Key  string
}

// Follow calls fn with a snapshot at one revision and then with every later commit, in order and without
// gaps; a commit that changed no noun is a Change with its revision only. When the history that it needs
// is gone, or etcd was not reachable for a while, it starts over with a fresh snapshot. It returns when
// ctx is done, when the store stops, when a noun cannot be read, or with the error of fn.
func (s *Store) Follow(ctx context.Context, fn func(Change) error) error {
	select {
	case <-s.ready:
	case <-s.over:
		return ErrUnavailable
	case <-ctx.Done():
		return ctx.Err()
	}
	pause := 10 * time.Millisecond
	for {
		begun := time.Now()
		err := s.followOnce(ctx, fn)
		lost, ok := errors.AsType[*etcdError](err)
		if !ok {
			return err
		}
		if time.Since(begun) > time.Minute {
			pause = 10 * time.Millisecond
		}
		s.o.Log.Info("store is followed anew", "cause", lost.err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.over:
			timer.Stop()
			return ErrUnavailable
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// followOnce is one snapshot and the commits after it. An *etcdError means: start over.
func (s *Store) followOnce(ctx context.Context, fn func(Change) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := newTexts()
	snap, err := s.snapshot(ctx, t)
	if err != nil {
		return err
	}
	if err := fn(snap); err != nil {
		return err
	}
	watch, err := call(ctx, s, func(_ context.Context, c *clientv3.Client) (clientv3.WatchChan, error) {
		return c.Watch(ctx, keyAll, clientv3.WithPrefix(), clientv3.WithRev(snap.Revision+1)), nil
	})
	if err != nil {
		return &etcdError{err}
	}
	for {
		select {
		case resp, ok := <-watch:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !ok {
				return &etcdError{errors.New("the watch ended")}
			}
			if err := resp.Err(); err != nil {
				return &etcdError{err}
			}
			if err := s.deliver(resp.Events, t, fn); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-s.over:
			return ErrUnavailable
		}
	}
}

// deliver calls fn for each revision among events, which are in order.
func (s *Store) deliver(events []*clientv3.Event, t *texts, fn func(Change) error) error {
	for len(events) > 0 {
		c := Change{Revision: events[0].Kv.ModRevision}
		for len(events) > 0 && events[0].Kv.ModRevision == c.Revision {
			ev := events[0]
			events = events[1:]
			kind, key, ok := splitNounKey(string(ev.Kv.Key))
			switch {
			case !ok:
			case ev.Type == clientv3.EventTypeDelete:
				c.Deletes = append(c.Deletes, Deleted{kind, key})
			default:
				n, err := s.keys.decode(kind, key, ev.Kv.Value)
				if err != nil {
					return fmt.Errorf("follow revision %d: %w", c.Revision, err)
				}
				t.share(n)
				c.Puts = append(c.Puts, n)
			}
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

// snapshot reads all nouns at the newest revision.
func (s *Store) snapshot(ctx context.Context, t *texts) (Change, error) {
	c := Change{Snapshot: true}
	all := clientv3.GetPrefixRangeEnd(keyNouns)
	for next, end := keyNouns, all; ; {
		opts := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(rangePage)}
		if c.Revision != 0 {
			opts = append(opts, clientv3.WithRev(c.Revision))
		}
		bounded, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, errTimeout)
		resp, err := call(bounded, s, func(ctx context.Context, cl *clientv3.Client) (*clientv3.GetResponse, error) {
			resp, err := cl.Get(ctx, next, opts...)
			if err := s.letGo(); err != nil {
				s.o.Log.Debug("memory is not given back", "error", err)
			}
			return resp, err
		})
		cancel()
		if err != nil {
			if ctx.Err() != nil {
				return c, ctx.Err()
			}
			return c, &etcdError{err}
		}
		if c.Revision == 0 {
			c.Revision = resp.Header.Revision
		}
		var kind trellis.Kind
		for _, kv := range resp.Kvs {
			k, key, _ := splitNounKey(string(kv.Key))
			n, err := s.keys.decode(k, key, kv.Value)
			if err != nil {
				return c, fmt.Errorf("snapshot at revision %d: %w", c.Revision, err)
			}
			t.share(n)
			c.Puts = append(c.Puts, n)
			kind = k
		}
		switch {
		case resp.More: // the rest of the kind first: etcd counts all that it is asked for, again for each page
			next, end = string(resp.Kvs[len(resp.Kvs)-1].Key)+"\x00", clientv3.GetPrefixRangeEnd(nounKey(kind, ""))
		case end == all:
			return c, nil
		default:
			next, end = end, all
		}
	}
}

// compact drops the history before a revision.
func (s *Store) compact(ctx context.Context, rev trellis.Revision) error {
	_, err := call(ctx, s, func(ctx context.Context, c *clientv3.Client) (*clientv3.CompactResponse, error) {
		return c.Compact(ctx, rev)
	})
	if errors.Is(err, rpctypes.ErrCompacted) {
		return nil
	}
	return err
}
