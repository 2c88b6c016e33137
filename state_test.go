package trellis_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestStateKeeps puts and deletes rules of a few listeners at random, so that each has now few and now many, and
// compares what the State says with a plain map.
func TestStateKeeps(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	st, want := trellis.NewState(), map[string]*trellis.Rule{}
	for i := range 8000 {
		r := &trellis.Rule{Meta: trellis.Meta{Account: "111122223333", ID: fmt.Sprint("rule-", rnd.IntN(120))},
			ServiceID: "svc-1", ListenerID: fmt.Sprint("listener-", rnd.IntN(3)), Priority: i}
		if rnd.IntN(100) < 30+60*(i/1500%2) {
			st.Delete(trellis.KindRule, r.Key())
			delete(want, r.Key())
		} else {
			st.Put(r)
			want[r.Key()] = r
		}
		if got, ok := trellis.Get[*trellis.Rule](st, r.Key()); ok != (want[r.Key()] != nil) || ok && got != want[r.Key()] {
			t.Fatalf("%s: %v, want %v", r.Key(), got, want[r.Key()])
		}
		if st.Len(trellis.KindRule) != len(want) {
			t.Fatalf("%d rules, want %d", st.Len(trellis.KindRule), len(want))
		}
		got := map[string]*trellis.Rule{}
		for l := range 3 {
			listener := fmt.Sprint("111122223333/svc-1/listener-", l)
			for r := range trellis.Under[*trellis.Rule](st, listener) {
				got[r.Key()] = r
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("below the listeners there are %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
}

// TestStateOf makes States of nouns at once that are in order, by chance in order, and not at all: they have the same nouns as
// after Put of each, below the same parents, and go on as others do.
func TestStateOf(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: "111122223333", ID: id} }
	for _, size := range []int{0, 1, 3, 64, 65, 200} {
		var nouns []trellis.Noun
		for i := range size {
			nouns = append(nouns, &trellis.Service{Meta: meta(fmt.Sprint("svc-", i))},
				&trellis.Rule{Meta: meta(fmt.Sprint("rule-", i)), ServiceID: "svc-1", ListenerID: fmt.Sprint("listener-", i%2)},
				&trellis.Target{Account: "111122223333", TargetGroupID: fmt.Sprint("tg-", i%3), ID: "fd00::1", Port: i})
		}
		for _, order := range []func(){func() {}, func() {
			slices.SortFunc(nouns, func(a, b trellis.Noun) int {
				return cmp.Or(cmp.Compare(a.Kind(), b.Kind()), cmp.Compare(a.Key(), b.Key()))
			})
		}, func() {
			rnd.Shuffle(size, func(i, j int) { nouns[i], nouns[j] = nouns[j], nouns[i] })
		}} {
			order()
			at, want := trellis.StateOf(nouns), trellis.NewState()
			for _, n := range nouns {
				want.Put(n)
			}
			same := func() {
				t.Helper()
				if !slices.Equal(trellis.Sorted[*trellis.Service](at), trellis.Sorted[*trellis.Service](want)) ||
					!slices.Equal(trellis.Sorted[*trellis.Rule](at), trellis.Sorted[*trellis.Rule](want)) ||
					!slices.Equal(trellis.Sorted[*trellis.Target](at), trellis.Sorted[*trellis.Target](want)) || at.Count() != want.Count() {
					t.Fatalf("%d of each: there are %d nouns, want %d", size, at.Count(), want.Count())
				}
				for _, group := range []string{"tg-0", "tg-1", "tg-2"} {
					under := func(st *trellis.State) int {
						return len(slices.Collect(trellis.Under[*trellis.Target](st, "111122223333/"+group)))
					}
					if under(at) != under(want) {
						t.Fatalf("%d of each: %d targets below %s, want %d", size, under(at), group, under(want))
					}
				}
			}
			same()
			for i := 0; i < len(nouns); i += 2 {
				at.Delete(nouns[i].Kind(), nouns[i].Key())
				want.Delete(nouns[i].Kind(), nouns[i].Key())
			}
			same()
		}
	}
}

// TestStateTellsKeysApart looks for nouns by their keys, and by keys that are like them, which none has.
func TestStateTellsKeysApart(t *testing.T) {
	meta := trellis.Meta{Account: "111122223333", ID: "rule-1"}
	for _, n := range []trellis.Noun{
		&trellis.Rule{Meta: meta, ServiceID: "svc-1", ListenerID: "listener-1"},
		&trellis.Target{Account: "111122223333", TargetGroupID: "tg-1", ID: "10.0.0.1", Port: 80},
		&trellis.Target{Account: "111122223333", TargetGroupID: "tg-1", ID: "fd00::1", Port: 65535},
		&trellis.Target{Account: "111122223333", TargetGroupID: "tg-1", ID: "i-1"},
		&trellis.Target{Account: "111122223333", TargetGroupID: "tg-1", ID: "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/one/1"},
		&trellis.Service{Meta: meta},
		&trellis.Account{ID: "111122223333"},
	} {
		st := trellis.StateOf([]trellis.Noun{n})
		has := func(key string) bool {
			before := st.Len(n.Kind())
			st.Delete(n.Kind(), key)
			defer st.Put(n)
			return st.Len(n.Kind()) < before
		}
		key := n.Key()
		if !has(key) {
			t.Errorf("%s is not there", key)
		}
		for i := range key {
			for _, other := range []string{key[:i], key[i+1:], key[:i] + key[i+1:], key[:i] + "/" + key[i:], key[:i] + "x" + key[i+1:], key[:i] + "0" + key[i:]} {
				if other != key && has(other) {
					t.Errorf("%s is found by %s", key, other)
				}
			}
		}
	}
}

// TestStateInTheMidst deletes each noun while it is looked at: all are seen.
func TestStateInTheMidst(t *testing.T) {
	for _, n := range []int{1, 5, 64, 65, 200} {
		st := trellis.NewState()
		for i := range n {
			st.Put(&trellis.Target{Account: "111122223333", TargetGroupID: "tg-1", ID: "10.0.0.1", Port: 1 + i})
		}
		seen := map[string]bool{}
		for target := range trellis.Under[*trellis.Target](st, "111122223333/tg-1") {
			seen[target.Key()] = true
			st.Delete(target.Kind(), target.Key())
		}
		if len(seen) != n || st.Len(trellis.KindTarget) != 0 {
			t.Errorf("%d targets: %d were seen, %d are left", n, len(seen), st.Len(trellis.KindTarget))
		}
	}
}
