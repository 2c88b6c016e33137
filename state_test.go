package trellis_test

import (
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
	for i := range 5000 {
		r := &trellis.Rule{Meta: trellis.Meta{Account: "111122223333", ID: fmt.Sprint("rule-", rnd.IntN(14))},
			ServiceID: "svc-1", ListenerID: fmt.Sprint("listener-", rnd.IntN(3)), Priority: i}
		if rnd.IntN(100) < 50+40*(i/250%2) {
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

// TestStateInTheMidst deletes each noun while it is looked at: all are seen.
func TestStateInTheMidst(t *testing.T) {
	for _, n := range []int{1, 5, 8, 9, 50} {
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
