package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// TestRotateKey seals the secrets of more nouns than fit one transaction with a new key: they open with it alone, the old
// key is kept aside, and a store that is open is left alone.
func TestRotateKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "seal.key")
	if _, _, err := store.RotateKey(t.Context(), store.Options{Dir: dir}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a store: %v", err)
	}
	const nouns = 450
	s, stop := start(t, dir)
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		for i := range nouns {
			tx.Put(&trellis.AccessKey{ID: fmt.Sprintf("AKIA%03d", i), Secret: trellis.NewSecret(fmt.Sprint("secret ", i))})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var inUse *store.InUseError
	if _, _, err := store.RotateKey(t.Context(), store.Options{Dir: dir}); !errors.As(err, &inUse) {
		t.Errorf("while it is open: %v", err)
	}
	stop()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n, old, err := store.RotateKey(t.Context(), store.Options{Dir: dir})
	if err != nil || n != nouns {
		t.Fatalf("%d nouns: %v", n, err)
	}
	if kept, err := os.ReadFile(old); err != nil || string(kept) != string(before) {
		t.Errorf("the old key is not kept: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(after), strings.TrimSpace(string(before))) {
		t.Errorf("the key file still holds the old key: %v", err)
	}
	s, _ = start(t, dir)
	err = s.Read(t.Context(), func(tx *store.Tx) error {
		keys, err := store.List[*trellis.AccessKey](tx, "")
		for i, k := range keys {
			if want := fmt.Sprint("secret ", i); k.Secret.Reveal() != want {
				t.Errorf("%s: %q", k.ID, k.Secret.Reveal())
			}
		}
		if len(keys) != nouns {
			t.Errorf("%d keys", len(keys))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
