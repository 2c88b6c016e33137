package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// TestKept keeps what was followed, secrets sealed, and reads it again without an etcd; what is cut short is refused.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	s, stop := start(t, dir)
	if _, err := s.Kept(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before anything was kept: %v", err)
	}
	put(t, s, &trellis.AccessKey{ID: "AKIAEXAMPLE", Secret: trellis.NewSecret("the-plain-secret-text")})
	rev := put(t, s, account("111122223333", "management"))
	var nouns []trellis.Noun
	err := s.Read(t.Context(), func(tx *store.Tx) error {
		keys, err := store.List[*trellis.AccessKey](tx, "")
		accounts, err2 := store.List[*trellis.Account](tx, "")
		nouns = []trellis.Noun{keys[0], accounts[0]}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(rev, len(nouns), slices.Values(nouns)); err != nil {
		t.Fatal(err)
	}
	stop()
	c, err := s.Kept()
	if err != nil || c.Revision != rev || !c.Snapshot || len(c.Puts) != 2 {
		t.Fatalf("%+v %v", c, err)
	}
	if k, ok := c.Puts[0].(*trellis.AccessKey); !ok || k.Secret.Reveal() != "the-plain-secret-text" {
		t.Errorf("%v", c.Puts[0])
	}
	path := filepath.Join(dir, "kept.zst")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Kept(); err == nil {
		t.Error("a file that is cut short was read")
	}
}
