package store

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestLettingGoLosesNothing lets the pages of etcd's file go again and again while others write, read and defragment, which
// maps the file anew: all that was written is read.
func TestLettingGoLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	e, err := startEngine(t.Context(), s.o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.stop(stopTimeout)
	if from, to, err := mappingOf(filepath.Join(dir, "etcd", "member", "snap", "db")); err != nil || from >= to {
		t.Fatalf("etcd's file is mapped from %#x to %#x, %v", from, to, err)
	}
	s.client, s.letGo = e.client, e.letGoPages
	close(s.ready)

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	repeat := func(what string, f func() error) {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := f(); err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
			}
		})
	}
	repeat("let go", e.letGoPages)
	repeat("defragment", func() error { return e.etcd.Server.Backend().Defrag() })

	for i := range 60 {
		if _, err := s.Commit(t.Context(), func(tx *Tx) error {
			tx.Put(&trellis.Account{ID: fmt.Sprint(i), Name: fmt.Sprint(strings.Repeat("n", 1000), i)})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		c, err := s.snapshot(t.Context(), newTexts())
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Puts) != i+1 {
			t.Fatalf("%d accounts after %d", len(c.Puts), i+1)
		}
		for _, n := range c.Puts {
			if a := n.(*trellis.Account); a.Name != strings.Repeat("n", 1000)+a.ID {
				t.Fatalf("account %s is called %q", a.ID, a.Name)
			}
		}
	}
}
