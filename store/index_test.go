package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/trellis-project/trellis"
)

// shareFor is a share of the account 1 for other accounts.
func shareFor(id string, accounts ...string) *trellis.ResourceShare {
	s := &trellis.ResourceShare{Meta: trellis.Meta{Account: "1", ID: id}, Name: id}
	for _, a := range accounts {
		s.Principals = append(s.Principals, trellis.SharePrincipal{Principal: a})
	}
	return s
}

// found are the ids of the shares that are found by a term.
func found(t *testing.T, tx *Tx, term string) (ids []string) {
	t.Helper()
	shares, err := Find[*trellis.ResourceShare](tx, term)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shares {
		ids = append(ids, s.ID)
	}
	return ids
}

// TestIndex finds shares by the accounts that they are for: after they are made, changed and deleted, within the transaction that
// does it and after it, and after a start with data of a Trellis that knew no index.
func TestIndex(t *testing.T) {
	const a, b = "111111111111", "222222222222"
	o := Options{Dir: t.TempDir()}
	want := func(tx *Tx, term string, ids ...string) {
		t.Helper()
		if got := found(t, tx, term); !slices.Equal(got, ids) {
			t.Errorf("by %s is found %v, want %v", term, got, ids)
		}
	}
	commit := func(s *Store, fn func(tx *Tx)) {
		t.Helper()
		if _, err := s.Commit(t.Context(), func(tx *Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	read := func(s *Store, fn func(tx *Tx)) {
		t.Helper()
		if err := s.Read(t.Context(), func(tx *Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	const many = 2*fetchBatch + 3
	err := Use(t.Context(), o, func(s *Store) error {
		commit(s, func(tx *Tx) {
			tx.Put(shareFor("x", a, b))
			tx.Put(shareFor("y", b))
			want(tx, b, "x", "y")
		})
		commit(s, func(tx *Tx) {
			want(tx, a, "x")
			tx.Put(shareFor("x", b))
			want(tx, a)
			tx.Delete(shareFor("y"))
			want(tx, b, "x")
		})
		read(s, func(tx *Tx) {
			want(tx, a)
			want(tx, b, "x")
		})
		commit(s, func(tx *Tx) {
			for i := range many {
				tx.Put(shareFor(fmt.Sprintf("z%03d", i), a))
			}
		})
		read(s, func(tx *Tx) {
			if n := len(found(t, tx, a)); n != many {
				t.Errorf("%d of %d are found", n, many)
			}
		})

		// Who found nothing must not write when another lets something be found meanwhile.
		runs := 0
		commit(s, func(tx *Tx) {
			n := len(found(t, tx, "333333333333"))
			if runs++; runs == 1 {
				commit(s, func(tx *Tx) { tx.Put(shareFor("w", "333333333333")) })
			}
			if runs == 2 && n != 1 {
				t.Errorf("the second run finds %d", n)
			}
			tx.Put(shareFor("v"))
		})
		if runs != 2 {
			t.Errorf("%d runs, want a second one", runs)
		}

		// As a Trellis without an index has left it.
		commit(s, func(tx *Tx) {
			var strangers []string // more than are looked at with others
			for i := range reindexTerms + 1 {
				strangers = append(strangers, fmt.Sprintf("4%011d", i))
			}
			old := []*trellis.ResourceShare{shareFor("m", strangers...), shareFor("x", a)}
			for i := range 2*reindexWrite + 1 {
				old = append(old, shareFor(fmt.Sprintf("old%02d", i), b))
			}
			for _, n := range old {
				value, err := s.keys.encode(n)
				if err != nil {
					t.Fatal(err)
				}
				tx.set(nounKey(n.Kind(), n.Key()), write{value: value})
			}
			want(tx, b)
		})
		return nil
	})
	if err == nil {
		err = Use(t.Context(), o, func(s *Store) error {
			read(s, func(tx *Tx) {
				want(tx, fmt.Sprintf("4%011d", reindexTerms), "m")
				if ids := found(t, tx, b); len(ids) != 2*reindexWrite+1 || slices.Contains(ids, "x") {
					t.Errorf("by %s is found %v", b, ids)
				}
				if ids := found(t, tx, a); len(ids) != many+1 || !slices.Contains(ids, "x") {
					t.Errorf("by %s is found %v", a, ids)
				}
			})
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}
