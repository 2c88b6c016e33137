package identity

import (
	"bytes"
	"testing"
	"time"
)

// FuzzOpenSession opens tokens that others made up: none may open, and none may do harm.
func FuzzOpenSession(f *testing.F) {
	keys := sealingKeys{0: bytes.Repeat([]byte{7}, 32), 1: bytes.Repeat([]byte{8}, 32)}
	old, err := keys.seal(0, &session{AccessKeyID: "ASIAOLD"})
	if err != nil {
		f.Fatal(err)
	}
	token, err := keys.seal(1, &session{AccessKeyID: "ASIAEXAMPLE", Secret: "s", Account: "111122223333", Expires: time.Unix(1, 0)})
	if err != nil {
		f.Fatal(err)
	}
	if s, err := keys.open(token); err != nil || s.AccessKeyID != "ASIAEXAMPLE" {
		f.Fatalf("own token: %+v, %v", s, err)
	}
	for _, seed := range []string{"", "AQ==", old, old[:20], token[:20], token[:len(token)-1], token + "A", token + "\n", "\x00", "AQ\nAA", "AgAAAAA=", "AgAAAAE="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := keys.open(text); err == nil && text != token && text != old {
			t.Errorf("%q opened as %+v", text, s)
		}
	})
}

// TestRecentForgets fills a recent beyond its limit: it stays bounded and keeps what came last.
func TestRecentForgets(t *testing.T) {
	r := newRecent[int](8)
	for i := range 100 {
		key := string(rune('a' + i))
		r.add(key, i)
		if v, ok := r.get(key); !ok || v != i {
			t.Fatalf("what was added last is gone: %d, %v", v, ok)
		}
		if n := len(*r.m.Load()); n > 8 {
			t.Fatalf("%d values are remembered", n)
		}
	}
}
