// Package storetest runs the real store for the tests of the packages above it.
package storetest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/trellis-project/trellis/store"
)

// Main runs the tests of a package with one store in a temporary directory, which shared points to meanwhile, and returns the
// exit code. Tests that share it work in accounts of their own.
func Main(m *testing.M, shared **store.Store) (code int) {
	dir, err := os.MkdirTemp("", "trellis-store-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	err = store.Use(context.Background(), store.Options{Dir: dir}, func(s *store.Store) error {
		*shared = s
		code = m.Run()
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		return 1
	}
	return code
}

// Start runs a store of its own until a test ends.
func Start(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.New(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("store: %v", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-ended:
		ended <- err
		t.Fatalf("store: %v", err)
	}
	return s
}
