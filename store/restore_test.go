package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// TestRestore makes a second data directory out of a snapshot: it has what was there when the snapshot was taken, secrets
// and claims included, no revision of it comes again, and the snapshot without its key, with another one, over a store or
// with damage is refused and leaves nothing.
func TestRestore(t *testing.T) {
	dir := t.TempDir()
	s, _ := start(t, dir)
	put(t, s, &trellis.AccessKey{ID: "AKIAEXAMPLE", Secret: trellis.NewSecret("the-plain-secret-text")})
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Put(account("111122223333", "before"))
		return tx.Claim("name/before", "111122223333")
	})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := s.Backup(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	after := put(t, s, account("111122223333", "after"))
	path := filepath.Join(t.TempDir(), "store.snapshot")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := store.ReadSnapshot(path); err != nil || info.Revision != int64(after)-1 || info.Keys == 0 {
		t.Errorf("snapshot: %+v %v, want revision %d", info, err, after-1)
	}

	restored := t.TempDir()
	if err := store.Restore(t.Context(), store.Options{Dir: restored}, path); err == nil || !strings.Contains(err.Error(), "the sealing key is needed") {
		t.Errorf("without a key: %v", err)
	}
	if err := os.WriteFile(filepath.Join(restored, "seal.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), store.Options{Dir: restored}, path); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), store.Options{Dir: restored}, path); err == nil || !strings.Contains(err.Error(), "holds a store already") {
		t.Errorf("a second time: %v", err)
	}
	r, _ := start(t, restored)
	if got := name(t, r, "111122223333"); got != "before" {
		t.Errorf("restored name: %q", got)
	}
	err = r.Read(t.Context(), func(tx *store.Tx) error {
		k, err := store.Get[*trellis.AccessKey](tx, "AKIAEXAMPLE")
		if err == nil && k.Secret.Reveal() != "the-plain-secret-text" {
			t.Errorf("restored secret: %q", k.Secret.Reveal())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := r.Commit(t.Context(), func(tx *store.Tx) error { return tx.Claim("name/before", "444455556666") }); err == nil {
		t.Error("a claim did not come back")
	}
	if rev := put(t, r, account("444455556666", "new")); rev <= after {
		t.Errorf("revision %d comes after %d was answered", rev, after)
	}

	other := t.TempDir()
	if _, err := store.New(store.Options{Dir: other}); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), store.Options{Dir: other}, path); err == nil || !strings.Contains(err.Error(), "bring that file back") {
		t.Errorf("with another key: %v", err)
	}
	bad := bytes.Clone(text.Bytes())
	bad[len(bad)/2] ^= 1
	for name, text := range map[string][]byte{"changed": bad, "cut": text.Bytes()[:text.Len()/2], "empty": nil, "text": []byte("hello")} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.Restore(t.Context(), store.Options{Dir: other}, path); err == nil {
			t.Errorf("a snapshot that is %s: restored", name)
		}
		if _, err := os.Stat(filepath.Join(other, "etcd")); !os.IsNotExist(err) {
			t.Errorf("a snapshot that is %s left a store: %v", name, err)
		}
	}
}
