package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// run starts a store for a test of the package's inside.
func run(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-s.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("the store does not become ready")
	}
	return s
}

// follower applies changes to a State and checks that there are no gaps.
type follower struct {
	t         *testing.T
	state     *trellis.State
	snapshots int
}

// apply is a function for Follow.
func (f *follower) apply(c Change) {
	if c.Snapshot {
		f.state = trellis.NewState()
		f.snapshots++
	} else if c.Revision != f.state.Revision+1 {
		f.t.Errorf("revision %d follows %d", c.Revision, f.state.Revision)
	}
	for _, n := range c.Puts {
		f.state.Put(n)
	}
	for _, d := range c.Deletes {
		f.state.Delete(d.Kind, d.Key)
	}
	f.state.Revision = c.Revision
}

// TestFollow commits from many goroutines while a follower that began in the middle keeps up: it sees every
// revision once and ends with what the store holds.
func TestFollow(t *testing.T) {
	s := run(t, Options{Dir: t.TempDir()})
	const workers, rounds = 6, 25
	begun := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				_, err := s.Commit(t.Context(), func(tx *Tx) error {
					tx.Put(&trellis.Account{ID: fmt.Sprintf("%d/%d", w, i)})
					tx.Mark("any", fmt.Sprint(w, i))
					if i%3 == 2 {
						tx.Delete(&trellis.Account{ID: fmt.Sprintf("%d/%d", w, i-1)})
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if i == 3 {
					once.Do(func() { close(begun) })
				}
			}
		})
	}
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	last := make(chan trellis.Revision, 1)
	go func() {
		wg.Wait()
		rev, err := s.Commit(ctx, func(tx *Tx) error { tx.Mark("the", "end"); return nil })
		if err != nil {
			t.Error(err)
		}
		last <- rev
		put, err := s.Commit(ctx, func(tx *Tx) error { tx.Put(&trellis.Account{ID: "end"}); return nil })
		if err != nil || put != rev+1 {
			t.Errorf("revision %d after %d: %v", put, rev, err)
		}
	}()
	f := &follower{t: t}
	err := s.Follow(ctx, func(c Change) error {
		f.apply(c)
		if _, ok := trellis.Get[*trellis.Account](f.state, "end"); ok {
			return context.Canceled
		}
		return nil
	})
	if err != context.Canceled {
		t.Fatal(err)
	}
	if rev := <-last; f.state.Revision != rev+1 || f.snapshots != 1 {
		t.Errorf("ended at revision %d after %d snapshots, want %d after 1", f.state.Revision, f.snapshots, rev+1)
	}
	err = s.Read(ctx, func(tx *Tx) error {
		all, err := List[*trellis.Account](tx, "")
		if len(all) != f.state.Len(trellis.KindAccount) {
			t.Errorf("the follower has %d accounts, the store %d", f.state.Len(trellis.KindAccount), len(all))
		}
		for _, a := range all {
			if _, ok := trellis.Get[*trellis.Account](f.state, a.Key()); !ok {
				t.Errorf("the follower has no %s", a.Key())
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFollowAfterCompaction takes away the history that a slow follower still needs, between its snapshot and
// its watch: it starts over with a fresh snapshot and misses nothing.
func TestFollowAfterCompaction(t *testing.T) {
	s := run(t, Options{Dir: t.TempDir()})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	commit := func(id string) trellis.Revision {
		rev, err := s.Commit(ctx, func(tx *Tx) error { tx.Put(&trellis.Account{ID: id}); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	commit("before")
	f := &follower{t: t}
	err := s.Follow(ctx, func(c Change) error {
		f.apply(c)
		if f.snapshots == 1 {
			commit("lost 1")
			if err := s.compact(ctx, commit("lost 2")); err != nil {
				t.Fatal(err)
			}
			return nil
		}
		if f.snapshots == 2 && c.Snapshot {
			commit("after")
			return nil
		}
		return context.Canceled
	})
	if err != context.Canceled {
		t.Fatal(err)
	}
	for _, id := range []string{"before", "lost 1", "lost 2", "after"} {
		if _, ok := trellis.Get[*trellis.Account](f.state, id); !ok {
			t.Errorf("the follower has no %q", id)
		}
	}
	if f.snapshots != 2 {
		t.Errorf("%d snapshots, want 2", f.snapshots)
	}
}

// TestReadAtCompactedRevision takes away the revision that a transaction reads: it runs again on a newer one.
func TestReadAtCompactedRevision(t *testing.T) {
	s := run(t, Options{Dir: t.TempDir()})
	commit := func(name string) trellis.Revision {
		rev, err := s.Commit(t.Context(), func(tx *Tx) error { tx.Put(&trellis.Account{ID: "1", Name: name}); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return rev
	}
	commit("old")
	runs := 0
	_, err := s.Commit(t.Context(), func(tx *Tx) error {
		runs++
		if _, err := List[*trellis.Account](tx, "other"); err != nil {
			return err
		}
		if runs == 1 {
			if err := s.compact(t.Context(), commit("new")); err != nil {
				return err
			}
		}
		a, err := Get[*trellis.Account](tx, "1")
		if err == nil && a.Name != "new" {
			t.Errorf("read %q", a.Name)
		}
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("ran %d times: %v", runs, err)
	}
}

// TestNewerSchema refuses data that a newer Trellis wrote.
func TestNewerSchema(t *testing.T) {
	dir := t.TempDir()
	t.Run("newer", func(t *testing.T) {
		s := run(t, Options{Dir: dir})
		_, err := s.Commit(t.Context(), func(tx *Tx) error {
			tx.set(keySchema, write{value: []byte(`{"version":99,"sealKey":"` + s.keys.id() + `"}`)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	s, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(t.Context())
	if want := "store: the data has schema version 99"; err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
		t.Errorf("Run: %v", err)
	}
}

// TestSnapshotInPages follows a store with more nouns of some kinds than are read at once, and with just as many: each is there
// once.
func TestSnapshotInPages(t *testing.T) {
	s := run(t, Options{Dir: t.TempDir(), Timeout: time.Minute})
	want := map[string]bool{}
	var nouns []trellis.Noun
	for i := range rangePage + 1 {
		nouns = append(nouns, &trellis.Group{Meta: trellis.Meta{Account: "111122223333"}, Name: fmt.Sprint(i)})
	}
	for i := range rangePage {
		nouns = append(nouns, &trellis.Role{Meta: trellis.Meta{Account: "111122223333"}, Name: fmt.Sprint(i)})
	}
	nouns = append(nouns, &trellis.Account{ID: "111122223333"}, &trellis.User{Meta: trellis.Meta{Account: "111122223333"}, Name: "last"})
	for batch := range slices.Chunk(nouns, 5000) {
		if _, err := s.Commit(t.Context(), func(tx *Tx) error {
			for _, n := range batch {
				tx.Put(n)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nouns {
		want[nounKey(n.Kind(), n.Key())] = true
	}
	c, err := s.snapshot(t.Context(), newTexts())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Puts {
		delete(want, nounKey(n.Kind(), n.Key()))
	}
	if len(c.Puts) != len(nouns) || len(want) != 0 {
		t.Errorf("%d nouns of %d, %d are missing", len(c.Puts), len(nouns), len(want))
	}
}
