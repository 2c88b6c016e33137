package accesslog

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestApplyChanges changes subscriptions at random and applies them each time: they must be those that a new Log reads
// from the same state. Now and then the state is another one, as after a snapshot.
func TestApplyChanges(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
		st := trellis.NewState()
		l := New(Options{Region: "eu-west-1"})
		for range 60 {
			for range 1 + rnd.IntN(4) {
				sub := &trellis.AccessLogSubscription{Meta: trellis.Meta{Account: account, ID: fmt.Sprintf("als-%d", rnd.IntN(8))},
					Resource:       trellis.Ref{Account: pick(account, "444455556666"), ID: pick("svc-1", "svc-2", "sn-1", "rcfg-1")},
					DestinationARN: pick(trellis.LogGroupARN("eu-west-1", account, "a"), trellis.LogGroupARN("eu-west-1", account, "b"), "arn:aws:s3:::logs"),
					LogType:        pick("", "SERVICE", "RESOURCE")}
				if rnd.IntN(3) == 0 {
					st.Delete(sub.Kind(), sub.Key())
				} else {
					st.Put(sub)
				}
			}
			if rnd.IntN(10) == 0 {
				next := trellis.NewState()
				for sub := range trellis.All[*trellis.AccessLogSubscription](st) {
					next.Put(sub)
				}
				st = next
			}
			was := l.subs.Load()
			before := fmt.Sprint(*was)
			l.Apply(st)
			fresh := New(Options{Region: "eu-west-1"})
			fresh.Apply(st)
			if got, want := l.subs.Load(), fresh.subs.Load(); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(l.sources, fresh.sources) {
				t.Fatalf("seed %d: subscriptions are %v, want %v", seed, got, want)
			}
			if fmt.Sprint(*was) != before {
				t.Fatalf("seed %d: the subscriptions before were changed", seed)
			}
		}
	}
}
