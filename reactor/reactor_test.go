package reactor

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain fails when a test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a running loop on a clock that can be put forward.
type rig struct {
	*Loop
	t     *testing.T
	ahead atomic.Int64
}

// run runs a loop until the test ends.
func run(t *testing.T, o Options) *rig {
	r := &rig{t: t}
	o.Now = func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Loop = l
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	t.Cleanup(func() {
		l.Post(l.Stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if l.Post(func() {}) {
			t.Error("a loop that has ended takes work")
		}
	})
	return r
}

// task is a function as a Task.
type task func()

// Run is Task's.
func (f task) Run() { f() }

// do runs f on the loop and waits for it.
func (r *rig) do(f func()) {
	done := make(chan struct{})
	r.Post(func() { defer close(done); f() })
	<-done
}

// fiber runs f on a fiber and waits for it.
func (r *rig) fiber(f func()) {
	done := make(chan struct{})
	r.Post(func() { r.Go(task(func() { defer close(done); f() })) })
	<-done
}

// advance puts the clock forward and waits until the loop has looked at it.
func (r *rig) advance(d time.Duration) {
	r.ahead.Add(int64(d))
	r.do(func() {})
	r.do(func() {})
}

// told is an Owner that counts.
type told struct{ ready, expired atomic.Int64 }

// Ready is Owner's.
func (o *told) Ready() { o.ready.Add(1) }

// Expired is Owner's.
func (o *told) Expired() { o.expired.Add(1) }

// until polls for something that the kernel brings about.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !cond(); {
		if time.Now().After(end) {
			t.Fatal(what, "did not come about")
		}
	}
}

// pair makes a Conn of the loop and its other end.
func (r *rig) pair(o Owner) (*Conn, net.Conn) {
	r.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	defer ln.Close()
	c := new(Conn)
	r.fiber(func() {
		if err := c.Connect(r.Loop, socket(r.t), o, ln.Addr().(*net.TCPAddr).AddrPort(), time.Second); err != nil {
			r.t.Error(err)
		}
	})
	far, err := ln.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { far.Close() })
	return c, far
}

// socket makes a TCP socket.
func socket(t *testing.T) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestBytes sends more than the kernel holds both ways at once, with fibers that wait for each other's news.
func TestBytes(t *testing.T) {
	r := run(t, Options{})
	c, far := r.pair(&told{})
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	var back []byte
	var wg sync.WaitGroup
	wg.Go(func() { // an echo that begins late
		all, err := io.ReadAll(io.LimitReader(far, int64(len(data))))
		if err != nil || !bytes.Equal(all, data) {
			t.Errorf("%d bytes came, %v", len(all), err)
		}
		far.Write(all)
		far.Close()
	})
	var sent Signal
	r.fiber(func() {
		r.Go(task(func() {
			if n, err := c.Write2(data[:1000], data[1000:]); n != len(data) || err != nil {
				t.Errorf("%d bytes sent, %v", n, err)
			}
			sent.Set()
		}))
		buf := r.Buffer()
		for {
			n, err := c.Read(buf)
			back = append(back, buf[:n]...)
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				break
			}
		}
		r.Release(buf)
		if err := r.Await(&sent, time.Second); err != nil {
			t.Error(err)
		}
		c.Close()
	})
	wg.Wait()
	if !bytes.Equal(back, data) {
		t.Errorf("%d bytes came back", len(back))
	}
}

// TestRefusedWrites has a socket that refuses what is sent, as one under repair does and a joined one whose reader's queue is full.
func TestRefusedWrites(t *testing.T) {
	repair := func(c *Conn, how int) {
		if err := unix.SetsockoptInt(int(c.fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, how); err != nil {
			t.Fatal("put a socket under repair, which needs root:", err)
		}
	}
	for _, joined := range []bool{true, false} {
		r := run(t, Options{Joined: joined})
		c, far := r.pair(&told{})
		repair(c, unix.TCP_REPAIR_ON)
		sent := make(chan error, 1)
		r.Post(func() { r.Go(task(func() { _, err := c.Write2([]byte("abc"), []byte("def")); sent <- err })) })
		if !joined {
			if err := <-sent; !errors.Is(err, unix.EINVAL) {
				t.Errorf("not joined: %v", err)
			}
			r.do(func() { c.Close() })
			continue
		}
		for range 3 {
			r.advance(fullPause << 5)
		}
		repair(c, unix.TCP_REPAIR_OFF_NO_WP)
		r.advance(fullPause << 5)
		got := make([]byte, 6)
		if _, err := io.ReadFull(far, got); err != nil || string(got) != "abcdef" {
			t.Errorf("%q came, %v", got, err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		repair(c, unix.TCP_REPAIR_ON)
		r.do(func() { c.SetWriteDeadline(r.Now() + time.Minute) })
		r.do(func() { r.Go(task(func() { _, err := c.Write([]byte("abc")); sent <- err })) })
		r.advance(time.Hour)
		if err := <-sent; !IsTimeout(err) {
			t.Errorf("after the deadline: %v", err)
		}
		r.do(func() { c.Close() })
	}
}

// TestOwner checks that an owner hears of what comes while nobody reads, and of a deadline.
func TestOwner(t *testing.T) {
	r := run(t, Options{})
	o := &told{}
	c, far := r.pair(o)
	r.do(func() {
		if !c.Quiet() {
			t.Error("a fresh connection is not quiet")
		}
		c.SetReadDeadline(r.Now() + time.Minute)
	})
	r.advance(59 * time.Second)
	if o.expired.Load() != 0 {
		t.Error("expired too early")
	}
	r.advance(2 * time.Second)
	if o.expired.Load() == 0 {
		t.Error("not expired")
	}
	far.Write([]byte("x"))
	until(t, "news", func() bool { return o.ready.Load() > 0 })
	r.do(func() {
		if c.Quiet() {
			t.Error("a connection with a byte to read is quiet")
		}
		b := make([]byte, 10)
		if n, err := c.TryRead(b); n != 1 || err != nil {
			t.Error(n, err)
		}
		if n, err := c.TryRead(b); n != 0 || err != nil {
			t.Error(n, err)
		}
	})
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	until(t, "the reset", func() (gone bool) { r.do(func() { gone = c.Gone() }); return gone })
}

// TestDeadlines checks that waits end in time, by interruption and by closing.
func TestDeadlines(t *testing.T) {
	r := run(t, Options{})
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		end  func(c *Conn)
		want error
	}{
		"deadline":  {func(c *Conn) { c.SetReadDeadline(r.Now() + time.Minute) }, ErrTimeout},
		"interrupt": {func(c *Conn) { c.Interrupt(stop) }, stop},
		"close":     {func(c *Conn) { c.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := r.pair(&told{})
			got := make(chan error, 2)
			r.do(func() {
				r.Go(task(func() { _, err := conn.Read(make([]byte, 1)); got <- err }))
				c.end(conn)
			})
			r.advance(2 * time.Minute)
			if err := <-got; !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			r.fiber(func() {
				if _, err := conn.Write(nil); err != nil {
					t.Error("writing nothing fails:", err)
				}
				conn.Abort()
				if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			})
		})
	}
}

// TestConnectFails connects to where nobody listens, and to where nobody answers.
func TestConnectFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	r := run(t, Options{})
	var c Conn
	r.fiber(func() {
		if err := c.Connect(r.Loop, socket(t), &told{}, dead, time.Second); !errors.Is(err, unix.ECONNREFUSED) {
			t.Error(err)
		}
		if c.IsOpen() || r.Conns() != 0 {
			t.Error("a failed connection is open")
		}
	})
	// A listener whose queue is full lets further ones wait.
	full := socket(t)
	defer unix.Close(full)
	if err := errors.Join(unix.Bind(full, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(full, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(full)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(name.(*unix.SockaddrInet4).Port))
	failed := make(chan error, 4)
	r.do(func() {
		for range 4 {
			r.Go(task(func() {
				c := new(Conn)
				failed <- c.Connect(r.Loop, socket(t), &told{}, at, time.Minute)
			}))
		}
	})
	late := 0
	for n := 0; n < 4; n++ {
		select {
		case err := <-failed:
			if errors.Is(err, ErrTimeout) {
				late++
			}
		case <-time.After(100 * time.Millisecond):
			r.advance(2 * time.Minute)
			n--
		}
	}
	if late == 0 {
		t.Error("nobody waited in vain")
	}
}

// TestFibers checks the order of fibers, that Turn goes on when it says so, and timers.
func TestFibers(t *testing.T) {
	var order []int
	turns := 0
	r := run(t, Options{Turn: func() bool { turns++; return turns%10 != 0 }})
	var signals [3]Signal
	r.do(func() {
		for i := range 3 {
			r.Go(task(func() {
				order = append(order, i)
				if err := r.Await(&signals[i], time.Hour); err != nil {
					t.Error(err)
				}
				order = append(order, 10+i)
			}))
		}
		cancel := r.After(0, func() { t.Error("a cancelled timer fires") })
		cancel()
		r.After(time.Minute, func() {
			for i := range 3 {
				signals[2-i].Set()
			}
		})
		var never Signal
		r.Go(task(func() {
			if err := r.Await(&never, time.Second); err != ErrTimeout {
				t.Error(err)
			}
			order = append(order, 20)
		}))
	})
	r.advance(30 * time.Second)
	r.advance(31 * time.Second)
	r.do(func() {
		if want := []int{0, 1, 2, 20, 12, 11, 10}; !slices.Equal(order, want) {
			t.Errorf("%v, want %v", order, want)
		}
	})
	r.do(func() {
		if turns < 10 {
			t.Error("Turn was called", turns, "times")
		}
	})
}

// TestManyFibers runs more fibers than are kept, which all wait.
func TestManyFibers(t *testing.T) {
	r := run(t, Options{})
	var gates [10 * fibersKept]Signal
	done := 0
	r.do(func() {
		for i := range gates {
			r.Go(task(func() { r.Await(&gates[i], time.Hour); done++ }))
		}
	})
	r.do(func() {
		for i := range gates {
			gates[i].Set()
		}
	})
	r.do(func() {
		if done != len(gates) || len(r.free) > fibersKept || r.fibers != len(r.free) {
			t.Errorf("%d done, %d kept, %d alive", done, len(r.free), r.fibers)
		}
		b := r.Buffer()
		r.Release(b)
	})
	for range 16 {
		r.advance(2 * tickEvery)
	}
	r.do(func() {
		if len(r.free) > 0 || r.fibers > 0 || len(r.buffers) > 0 {
			t.Errorf("%d fibers and %d buffers are kept that nobody needs", r.fibers, len(r.buffers))
		}
	})
}

// TestListener takes connections on two loops that share a socket, pauses and resumes.
func TestListener(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := ln.Addr().String()
	ln.Close() // f goes on
	shared := int(f.Fd())
	if err := unix.SetNonblock(shared, true); err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int64
	var from sync.Map
	var listeners []*Listener
	loops := []*rig{run(t, Options{}), run(t, Options{})}
	for _, r := range loops {
		r.do(func() {
			n, err := r.Listen(shared, func(fd int, at netip.AddrPort) bool {
				from.Store(at.String(), true)
				unix.Close(fd)
				return taken.Add(1)%10 != 0
			}, nil)
			if err != nil {
				t.Error(err)
			}
			listeners = append(listeners, n)
		})
	}
	for range 100 {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		local := c.LocalAddr().String()
		until(t, "accept", func() bool {
			for i, r := range loops { // whoever paused goes on
				r.do(listeners[i].Resume)
			}
			_, ok := from.Load(local)
			return ok
		})
		c.Close()
	}
	for i, r := range loops {
		r.do(listeners[i].Close)
	}
}

// BenchmarkPingPong is a byte there and back between a fiber and a goroutine's blocking socket.
func BenchmarkPingPong(b *testing.B) {
	l, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	l.Post(func() {
		l.Go(task(func() {
			defer l.Stop()
			var c Conn
			if err := c.Connect(l, fd, &told{}, ln.Addr().(*net.TCPAddr).AddrPort(), time.Second); err != nil {
				b.Error(err)
				return
			}
			buf := make([]byte, 8)
			b.ReportAllocs()
			for b.Loop() {
				c.Write(buf[:1])
				c.Read(buf)
			}
			c.Close()
		}))
	})
	if err := l.Run(); err != nil {
		b.Error(err)
	}
}
