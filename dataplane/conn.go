package dataplane

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/targetgroup"
)

// conn is a client's connection. Between requests it holds its goroutine and this struct, no buffer.
type conn struct {
	l      *listener
	nc     net.Conn
	raw    syscall.RawConn // nil when the connection has no descriptor (in memory)
	peek   func(fd uintptr) bool
	peeked struct { // what peek has read
		n   int
		err error
	}
	remote netip.AddrPort
	born   time.Time
	x      *exchange     // the exchange under way, nil between requests
	idleIn time.Duration // how long the connection may wait for the next request
	last   bool          // this request is the connection's last one

	guards   [waits]guard
	outlived atomic.Bool
	mu       sync.Mutex        // guards the following
	idle     bool              // waits for a next request
	since    int64             // of that wait, Unix nanoseconds by the coarse clock
	woken    bool              // that wait was ended from outside
	ended    bool              // cut: deadlines in the past are set
	target   *targetgroup.Conn // in use, known to the watch
}

// newConn wraps an accepted connection.
func newConn(l *listener, nc net.Conn) *conn {
	c := &conn{l: l, nc: nc, born: time.Now(), idleIn: defaultIdle}
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		c.remote = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
			c.peek = c.readRaw
		}
	}
	return c
}

// serve serves the requests of the connection until one of the two sides has had enough.
func (c *conn) serve() {
	defer c.l.ended(c)
	defer c.nc.Close()
	defer func() {
		if r := recover(); r != nil {
			c.l.s.Logger.Error("request handling panicked", "panic", r, "stack", string(debug.Stack()))
			c.x = nil // not given back: its state is unknown
			c.release()
		}
	}()
	for c.await() {
		c.x.serve()
		if c.last || c.outlived.Load() {
			c.linger()
			c.x.free()
			c.x = nil
			return
		}
		if !c.x.next() {
			c.x.free()
			c.x = nil
		}
	}
}

// await waits for the first bytes of a request, holding no buffer meanwhile, and reads until its head is
// whole. It returns false when there is nothing more to serve; what was bad about the head has been answered.
func (c *conn) await() bool {
	if c.x == nil {
		c.setIdle(true)
		c.arm(readClient, c.idleIn)
		ok := c.first()
		c.setIdle(false)
		if !ok {
			return false
		}
	}
	x := c.x
	x.start = time.Now()
	c.arm(readClient, headTimeout)
	for {
		n, err := http1.ParseRequest(x.in[:x.inEnd], &x.req)
		if n > 0 {
			c.rest(readClient)
			x.headLen, x.inPos = n, n
			return true
		}
		if err == nil {
			if x.inEnd == len(x.in) {
				x.growIn()
			}
			var m int
			if m, err = c.nc.Read(x.in[x.inEnd:]); m > 0 {
				x.inEnd += m
				continue
			}
		}
		c.refuse(err)
		return false
	}
}

// first reads the first bytes of a request into a new exchange.
func (c *conn) first() bool {
	if c.raw == nil {
		x := newExchange(c)
		n, err := c.nc.Read(x.in)
		if n == 0 || err != nil && n == 0 {
			x.free()
			return false
		}
		x.inEnd, c.x = n, x
		return true
	}
	c.peeked.n = 0
	if err := c.raw.Read(c.peek); err != nil {
		// The wait was ended from outside; what has come meanwhile is still served.
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.raw.Control(func(fd uintptr) { c.readRaw(fd) }) != nil {
			return false
		}
	}
	return c.peeked.n > 0
}

// setIdle says whether the connection waits for a next request. While it drains, such a wait ends at once.
func (c *conn) setIdle(idle bool) {
	c.mu.Lock()
	c.idle, c.since = idle, c.l.clock.Load()
	woken := c.woken
	c.woken = false
	c.mu.Unlock()
	draining := c.l.draining.Load()
	switch {
	case idle && draining:
		c.nc.SetReadDeadline(long)
	case !idle && (woken || draining || c.late(readClient)):
		c.nc.SetReadDeadline(time.Time{}) // for a request that came in the last moment
	}
}

// readRaw reads into a new exchange. It returns false, and holds none, when nothing has come yet.
func (c *conn) readRaw(fd uintptr) bool {
	x := newExchange(c)
	for {
		n, err := syscall.Read(int(fd), x.in)
		if err == syscall.EINTR {
			continue
		}
		if n <= 0 {
			x.free()
			c.peeked.n = 0
			return err != syscall.EAGAIN
		}
		x.inEnd, c.x, c.peeked.n = n, x, n
		return true
	}
}

// refuse answers a head that is bad, or that did not come in time, and closes.
func (c *conn) refuse(err error) {
	x := c.x
	c.last = true
	status, reason := 0, failClientProtocol
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		status = bad.Status
	case c.late(readClient):
		status = 408
	default: // the client is gone
		status, reason = 400, failClientClosed
	}
	x.refused(status, reason)
	c.rest(readClient)
	c.linger()
	c.release()
}

// release gives back what an interrupted request holds.
func (c *conn) release() {
	if t, _ := c.takeTarget(); t != nil {
		t.Close()
	}
	if c.x != nil {
		c.x.free()
		c.x = nil
	}
}

// write writes to the client.
func (c *conn) write(b []byte, within time.Duration) error {
	c.arm(writeClient, within)
	n, err := c.nc.Write(b)
	c.x.rec.BytesSent += int64(n)
	if err == nil {
		c.rest(writeClient)
	}
	return err
}

// setTarget makes a target's connection known to the watch.
func (c *conn) setTarget(t *targetgroup.Conn) {
	c.mu.Lock()
	c.target = t
	c.mu.Unlock()
}

// takeTarget takes the target's connection away from the watch. Clean tells that none of its waits was ended
// by force.
func (c *conn) takeTarget() (t *targetgroup.Conn, clean bool) {
	c.mu.Lock()
	t, c.target = c.target, nil
	clean = c.guards[readTarget].due.Swap(0) >= 0
	clean = c.guards[writeTarget].due.Swap(0) >= 0 && clean && !c.outlived.Load() && !c.ended
	c.mu.Unlock()
	return t, clean
}

// linger closes the sending side and reads on for a moment, so that the client gets the answer instead of a
// reset for bytes that nobody reads (RFC 9112 9.6).
func (c *conn) linger() {
	if c.x == nil || !c.x.unread {
		return
	}
	if w, ok := c.nc.(interface{ CloseWrite() error }); !ok || w.CloseWrite() != nil {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(lingerTimeout))
	io.CopyN(io.Discard, onlyReader{c.nc}, 1<<20)
}

// onlyReader hides everything but Read.
type onlyReader struct{ io.Reader }

// abort closes the connection so that the client sees it fail: a body that was cut short must not look like
// one that ended (RFC 9112 8).
func (c *conn) abort() {
	if t, ok := c.nc.(interface{ SetLinger(int) error }); ok {
		t.SetLinger(0)
	}
	c.nc.Close()
}
