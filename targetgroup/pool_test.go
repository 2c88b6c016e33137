package targetgroup

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/reactor"
)

// rig is an event loop with a pool, on a clock that can be put forward.
type rig struct {
	t     *testing.T
	loop  *reactor.Loop
	pool  *Pool
	ahead atomic.Int64
}

// newRig runs a loop until the test ends.
func newRig(t testing.TB, m *Manager) *rig {
	t.Helper()
	r := &rig{}
	r.t, _ = t.(*testing.T)
	var err error
	r.loop, err = reactor.New(reactor.Options{Now: func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	r.pool = m.NewPool(r.loop)
	done := make(chan error, 1)
	go func() { done <- r.loop.Run() }()
	t.Cleanup(func() {
		r.loop.Post(r.loop.Stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// task is a function as a fiber's task.
type task func()

// Run is reactor.Task's.
func (f task) Run() { f() }

// fiber runs f on a fiber and waits for it.
func (r *rig) fiber(f func()) {
	done := make(chan struct{})
	r.loop.Post(func() { r.loop.Go(task(func() { defer close(done); f() })) })
	<-done
}

// settle waits until the loop has done what was posted before.
func (r *rig) settle() {
	done := make(chan struct{})
	r.loop.Post(func() { close(done) })
	<-done
}

// advance puts the loop's clock forward, and waits until it has looked at it.
func (r *rig) advance(d time.Duration) {
	r.ahead.Add(int64(d))
	r.settle()
	r.settle()
}

// loopback runs a listener and a Manager whose one target it is.
func loopback(t testing.TB) (net.Listener, *Manager, *trellis.State) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	at := netip.MustParseAddrPort(ln.Addr().String())
	st := stateWith(trellis.TargetGroup{}, trellis.Target{ID: "127.0.0.1", Port: int(at.Port())})
	st.Put(&trellis.VPC{Meta: trellis.Meta{Account: testAccount, ID: testVPC}, CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
	m := New(Options{})
	m.Apply(st)
	return ln, m, st
}

// pair opens a connection to the target and returns both of its ends.
func (r *rig) pair(ln net.Listener, target *Target) (c *Conn, far net.Conn) {
	r.t.Helper()
	var err error
	r.fiber(func() { c, _, err = r.pool.Get(target) })
	if err != nil {
		r.t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { far.Close() })
	return c, far
}

// TestOnlyQuietConnectionsAreReused spoils a connection before it is put back, and while it waits.
func TestOnlyQuietConnectionsAreReused(t *testing.T) {
	for name, spoil := range map[string]func(far net.Conn) error{
		"closed by the target": func(far net.Conn) error { return far.Close() },
		"reset by the target": func(far net.Conn) error {
			return errors.Join(far.(*net.TCPConn).SetLinger(0), far.Close())
		},
		"unread bytes": func(far net.Conn) error {
			_, err := far.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			return err
		},
	} {
		for _, waits := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				ln, m, _ := loopback(t)
				target, r := m.Group(testGroup).Pick(), newRig(t, m)
				c, far := r.pair(ln, target)
				r.fiber(func() {
					r.pool.Put(c)
					again, reused, err := r.pool.Get(target)
					if err != nil || !reused || again != c {
						t.Errorf("a quiet connection was not reused: %v", err)
					}
					if waits {
						r.pool.Put(c)
					}
				})
				if err := spoil(far); err != nil {
					t.Fatal(err)
				}
				if waits { // the loop hears of it by itself
					for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
						if open, _ := target.Connections(); open == 0 {
							break
						}
					}
				}
				r.fiber(func() {
					if !waits {
						r.pool.Put(c)
					}
					if c.IsOpen() {
						t.Error("the spoilt connection is still open")
					}
					if again, reused, err := r.pool.Get(target); err != nil || reused {
						t.Errorf("reused %v, %v", reused, err)
					} else {
						again.Close()
					}
				})
				if open, idle := target.Connections(); open != 0 || idle != 0 {
					t.Errorf("%d open, %d waiting", open, idle)
				}
			})
		}
	}
}

// TestPoolIsBounded gives more connections back than a pool keeps, and lets them wait for too long.
func TestPoolIsBounded(t *testing.T) {
	_, m, _ := loopback(t)
	target, r := m.Group(testGroup).Pick(), newRig(t, m)
	r.fiber(func() {
		var all []*Conn
		for range maxIdle + 10 {
			c, _, err := r.pool.Get(target)
			if err != nil {
				t.Error(err)
				return
			}
			all = append(all, c)
		}
		for _, c := range all {
			r.pool.Put(c)
		}
	})
	if open, idle := target.Connections(); open != maxIdle || idle != maxIdle {
		t.Errorf("%d open, %d waiting", open, idle)
	}
	r.advance(idleTimeout - time.Second)
	if open, idle := target.Connections(); open != maxIdle || idle != maxIdle {
		t.Errorf("%d open, %d waiting, before the idle timeout", open, idle)
	}
	r.advance(2 * time.Second)
	if open, idle := target.Connections(); open != 0 || idle != 0 {
		t.Errorf("%d open, %d waiting after the idle timeout", open, idle)
	}
}

// TestDraining deregisters a target with a connection in use and one that waits.
func TestDraining(t *testing.T) {
	ln, m, st := loopback(t)
	target, r := m.Group(testGroup).Pick(), newRig(t, m)
	busy, _ := r.pair(ln, target)
	waiting, _ := r.pair(ln, target)
	r.fiber(func() { r.pool.Put(waiting) })
	drain := func(since time.Duration) {
		at := time.Now().Add(-since)
		n := *trellis.Sorted[*trellis.Target](st)[0]
		n.DrainingSince = &at
		st.Put(&n)
		m.Apply(st)
		r.settle()
	}
	drain(time.Second)
	if m.Group(testGroup).Pick() != nil {
		t.Error("a draining target is picked")
	}
	if open, idle := target.Connections(); open != 1 || idle != 0 {
		t.Errorf("%d open, %d waiting, want the one in use only", open, idle)
	}
	r.fiber(func() {
		late, _, err := r.pool.Get(target)
		if err != nil {
			t.Errorf("a request that had picked the target before fails: %v", err)
			return
		}
		r.pool.Put(late)
		if late.IsOpen() {
			t.Error("a connection of a target that drains waits in the pool")
		}
	})
	again := *trellis.Sorted[*trellis.Target](st)[0] // registered again, then drained long ago: a clock that jumps
	again.DrainingSince = nil
	st.Put(&again)
	m.Apply(st)
	if m.Group(testGroup).Pick() == nil {
		t.Error("a target that is registered again is not picked")
	}
	drain(2 * drainTime)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); r.settle() {
		if open, _ := target.Connections(); open == 0 {
			break
		}
	}
	r.fiber(func() {
		if _, err := busy.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the connection in use outlived the drain: %v", err)
		}
	})
}

// TestApplyUnderTraffic changes members a thousand times while requests pick, connect and give back, and
// expects that none of them finds no target or a closed door.
func TestApplyUnderTraffic(t *testing.T) {
	ln, m, st := loopback(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	})
	var stop atomic.Bool
	var requests sync.WaitGroup
	for range 2 {
		r := newRig(t, m)
		requests.Go(func() {
			r.fiber(func() {
				for !stop.Load() {
					target := m.Group(testGroup).Pick()
					if target == nil {
						t.Error("no target")
						return
					}
					c, _, err := r.pool.Get(target)
					if err != nil {
						t.Error(err)
						return
					}
					if c.Target != target {
						t.Error("a connection of another target")
					}
					r.pool.Put(c)
				}
			})
		})
	}
	other := *trellis.Sorted[*trellis.Target](st)[0]
	other.ID = "127.0.0.2"
	ln2, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), uint16(other.Port)).String())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if i%2 == 0 {
			st.Put(&other)
		} else {
			st.Delete(trellis.KindTarget, other.Key())
		}
		m.Apply(st)
	}
	stop.Store(true)
	requests.Wait()
	ln.Close()
	ln2.Close()
	wg.Wait()
	for gone := range m.retired {
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
			if open, _ := gone.Connections(); open == 0 {
				break
			}
		}
		if open, _ := gone.Connections(); open != 0 {
			t.Errorf("%s, which is gone, has %d connections", gone.ID(), open)
		}
	}
}

func BenchmarkGetPut(b *testing.B) {
	_, m, _ := loopback(b)
	target, r := m.Group(testGroup).Pick(), newRig(b, m)
	b.ReportAllocs()
	r.fiber(func() {
		for b.Loop() {
			c, _, err := r.pool.Get(target)
			if err != nil {
				b.Error(err)
				return
			}
			r.pool.Put(c)
		}
	})
}
