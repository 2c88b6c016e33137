package identity_test

import (
	"encoding/base64"
	"slices"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/store"
)

// TestSealingKeysRotate makes sessions while keys come and go. A key seals only when nodes have had the time to learn it,
// and goes when the last of its sessions has ended.
func TestSealingKeysRotate(t *testing.T) {
	w := newWorld(t)
	ctx, i := t.Context(), w.identity
	keys := func() (ids []string) {
		t.Helper()
		w.must(w.store.Read(ctx, func(tx *store.Tx) error {
			nouns, err := store.List[*trellis.SealingKey](tx, "")
			for _, n := range nouns {
				ids = append(ids, n.ID)
			}
			return err
		}))
		return ids
	}
	session := func(wantKey string) *identity.Credentials {
		t.Helper()
		c, err := i.SessionToken(ctx, w.admin(), 129600, "", "")
		w.must(err)
		b, err := base64.StdEncoding.DecodeString(c.SessionToken)
		w.must(err)
		if got := map[bool]string{true: "store", false: string('0' + b[4])}[b[0] == 1]; got != wantKey {
			t.Errorf("sealed by key %s, want %s", got, wantKey)
		}
		w.session(c)
		return c
	}
	before := session("store") // a Trellis of before there were keys has made it
	w.must(i.RotateSealingKeys(ctx))
	session("store") // the key is too young
	behind := w.directory()
	w.wait(time.Minute)
	first := session("1")
	if _, _, err := behind.Caller(first.AccessKeyID, first.SessionToken); err != nil {
		t.Errorf("a node that has followed until the key came: %v", err)
	}
	w.session(before)
	w.must(i.RotateSealingKeys(ctx))
	if got := keys(); !slices.Equal(got, []string{"1"}) {
		t.Errorf("keys %v, want the one that is young", got)
	}
	w.wait(30 * 24 * time.Hour)
	w.must(i.RotateSealingKeys(ctx))
	old := session("1")
	w.wait(time.Minute)
	session("2")
	w.session(old)
	w.wait(36*time.Hour - time.Minute - time.Second)
	w.must(i.RotateSealingKeys(ctx))
	w.session(old) // in its last second
	w.wait(time.Hour + 2*time.Minute)
	w.must(i.RotateSealingKeys(ctx))
	if got := keys(); !slices.Equal(got, []string{"2"}) {
		t.Errorf("keys %v, want the new one alone", got)
	}
	_, _, err := w.directory().Caller(old.AccessKeyID, old.SessionToken)
	if err == nil {
		t.Error("a session without its key is taken")
	}
}
