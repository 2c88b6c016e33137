package identity

import (
	"bytes"
	"testing"
)

// FuzzOpenSession opens tokens that others made up: none may open, and none may do harm. The two that do are written down,
// since each process of the fuzzer would seal others.
func FuzzOpenSession(f *testing.F) {
	const (
		old   = "AXtgNigAWQ7wyUhVanAZAkg384X8eWcX9IXSFpEXUYeCfaZN9McHwZc0fFCHB+E7KtAd7D6byrH+7RPSYqxBzz4Yx6RP70QKupMVDYesmQAS2ZcvsjHdnwIRy4WmhLoA4cjNnEVZCoyRl22Fo5LX+HCBlTlU75IMhHsK/3m/YRfNVlnbGA=="
		token = "AgAAAAHVFFXjiOkxgUFtld6zDjDLBDAsUqXjRpZlRCRJz7FCeOg7VAz/SXj/uGC6B3OraqeLBhp3xJ3Yor42MvgUBC4McsPQqGc+TgdXfs2l06/fvRT9ehy02gNn4nqAslzwyNRzlzfJWf9haPC5457Aj7qBePWk7AglOPpUGoff0kp/VEa8ZD4ZgK3iLi4+zOEDITaunqUNYA=="
	)
	keys := sealingKeys{0: bytes.Repeat([]byte{7}, 32), 1: bytes.Repeat([]byte{8}, 32)}
	for text, id := range map[string]string{old: "ASIAOLD", token: "ASIAEXAMPLE"} {
		if s, err := keys.open(text); err != nil || s.AccessKeyID != id {
			f.Fatalf("own token: %+v, %v", s, err)
		}
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
