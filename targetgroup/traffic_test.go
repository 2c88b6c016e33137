package targetgroup

import (
	"context"
	"sync"
	"testing"

	"github.com/trellis-project/trellis"
)

// TestApplyUnderTraffic changes members a thousand times while requests pick, connect and give back, and
// expects that none of them finds no target or a closed door.
func TestApplyUnderTraffic(t *testing.T) {
	h := newHosts()
	for _, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		h.answer(ip, 200)
	}
	st := stateWith(trellis.TargetGroup{}, member("10.0.0.1"), member("10.0.0.2"))
	m := New(Options{Dial: h.dial})
	m.Apply(st)
	ctx, stop := context.WithCancel(context.Background())
	var requests sync.WaitGroup
	for range 4 {
		requests.Go(func() {
			for ctx.Err() == nil {
				target := m.Group(testGroup).Pick()
				if target == nil {
					t.Error("no target")
					return
				}
				c, _, err := target.Get(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				if c.Target != target {
					t.Error("a connection of another target")
				}
				target.Put(c)
			}
		})
	}
	for i := range 1000 {
		extra := member("10.0.0.3")
		extra.Account, extra.TargetGroupID = testAccount, testGroup
		if i%2 == 0 {
			st.Put(&extra)
		} else {
			st.Delete(trellis.KindTarget, extra.Key())
		}
		m.Apply(st)
	}
	stop()
	requests.Wait()
	m.closeAll()
	h.open.Wait()
	for gone := range m.retired {
		if open, _ := gone.Connections(); open != 0 {
			t.Errorf("%s, which is gone, has %d connections", gone.ID, open)
		}
	}
}
