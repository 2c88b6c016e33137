package targetgroup

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/http2"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/streams"
)

// Pool is the connections to targets of one event loop. But for NewPool, it is used on the loop alone, so taking a
// connection and giving it back needs no lock.
type Pool struct {
	m    *Manager
	loop *reactor.Loop
	by   map[*Target]*reserve

	http2 http2.Pool
	// streams are those of the connections of HTTP/2, to be used again.
	streams streams.Pool
}

// reserve is the connections to one target.
type reserve struct {
	idle []*Conn            // a stack: the last one put is the first one taken
	live map[*Conn]struct{} // every open connection, waiting or in use

	sessions []*Conn           // of HTTP/2, that take requests
	dialing  bool              // one of HTTP/2 is being made, or has not settled
	waiters  []*reactor.Signal // who waits for it
}

// Conn is a connection to a target. One request at a time owns it. Its Read and Write are for fibers.
type Conn struct {
	reactor.Conn
	// Target is whom it leads to.
	Target *Target

	pool   *Pool
	idle   bool
	secure *reactor.Secured // nil for plain TCP

	session  *streams.Session // nil for HTTP/1.1
	reading  bool             // a fiber reads the session
	settling bool             // the target has not said yet what it allows
}

// NewPool makes the pool of a loop. The Manager closes what target groups let go.
func (m *Manager) NewPool(loop *reactor.Loop) *Pool {
	p := &Pool{m: m, loop: loop, by: map[*Target]*reserve{}}
	m.mu.Lock()
	m.pools = append(m.pools, p)
	m.mu.Unlock()
	return p
}

// Get returns a connection to a target: one that waited (reused is true), else a new one, for which the calling
// fiber waits. The caller gives it back with Put when a whole answer was read and the connection may go on, and
// closes it otherwise. A reused connection may still turn out to have been closed by the target: whoever sent nothing
// that could have been processed may try again.
func (p *Pool) Get(t *Target) (c *Conn, reused bool, err error) {
	if r := p.by[t]; r != nil {
		for n := len(r.idle); n > 0; n = len(r.idle) {
			c := r.idle[n-1]
			r.idle[n-1] = nil
			r.idle = r.idle[:n-1]
			t.idle.Add(-1)
			c.idle = false
			c.SetReadDeadline(0)
			if c.Quiet() {
				return c, true, nil
			}
			c.Close()
		}
	}
	c, err = p.Dial(t)
	return c, false, err
}

// Put gives a connection back to wait for the next request. It must be between two answers. When the pool is full,
// when something has come that is no answer to anything, or when the target drains, it is closed.
func (p *Pool) Put(c *Conn) {
	r := p.by[c.Target]
	if r == nil || c.Target.closed.Load() || len(r.idle) >= maxIdle || !c.Quiet() || c.secure.Holds() {
		c.Close()
		return
	}
	c.idle = true
	c.SetWriteDeadline(0)
	c.SetReadDeadline(p.loop.Now() + idleTimeout)
	r.idle = append(r.idle, c)
	c.Target.idle.Add(1)
}

// Dial opens a new connection, for which the calling fiber waits.
func (p *Pool) Dial(t *Target) (*Conn, error) { return p.dial(t) }

// reserve is what there is of a target's connections.
func (p *Pool) reserve(t *Target) *reserve {
	r := p.by[t]
	if r == nil {
		r = &reserve{live: map[*Conn]struct{}{}}
		p.by[t] = r
	}
	return r
}

// dial is Dial, to agree on protocols with a target that has TLS.
func (p *Pool) dial(t *Target, protocols ...string) (*Conn, error) {
	if err := permitted(t.common.vpc.Load(), t.Addr.Addr()); err != nil {
		return nil, fmt.Errorf("connect to target %s: %w", t.ID(), err)
	}
	fd, err := p.m.socket(t.common.vpcID, t.Addr)
	if err != nil {
		return nil, fmt.Errorf("connect to target %s at %s: %w", t.ID(), t.Addr, err)
	}
	c := &Conn{Target: t, pool: p}
	until := p.loop.Now() + dialTimeout
	if err := c.Conn.Connect(p.loop, fd, c, t.Addr, dialTimeout); err != nil {
		return nil, fmt.Errorf("target %s at %s: %w", t.ID(), t.Addr, err)
	}
	p.reserve(t).live[c] = struct{}{}
	t.open.Add(1)
	if t.common.secure {
		if err := c.handshake(until, p.m.tlsWith(t, protocols...)); err != nil {
			c.Close()
			return nil, fmt.Errorf("handshake with target %s at %s: %w", t.ID(), t.Addr, err)
		}
	}
	return c, nil
}

// Close closes the connection. It may be called more than once.
func (c *Conn) Close() error {
	if !c.IsOpen() {
		return nil
	}
	p, t := c.pool, c.Target
	if r := p.by[t]; r != nil {
		if c.idle {
			for i, x := range r.idle {
				if x == c {
					r.idle = append(r.idle[:i], r.idle[i+1:]...)
					break
				}
			}
			c.idle = false
			t.idle.Add(-1)
		}
		delete(r.live, c)
		if len(r.live) == 0 && !r.dialing {
			delete(p.by, t)
		}
	}
	t.open.Add(-1)
	if c.secure != nil {
		c.secure.Close()
	}
	err := c.Conn.Close()
	c.failSession()
	return err
}

// Ready is reactor.Owner's. What comes while a connection waits is its end, or no answer to anything.
func (c *Conn) Ready() {
	if c.session != nil {
		c.read()
		return
	}
	if c.idle && !c.Quiet() && !c.chatter() {
		c.Close()
	}
}

// chatter tells whether what has come is TLS' own, as session tickets are.
func (c *Conn) chatter() bool {
	if c.secure == nil {
		return false
	}
	var b [1]byte
	n, err := c.secure.TryRead(b[:])
	return n == 0 && err == nil
}

// handshake begins TLS with the target.
func (c *Conn) handshake(until time.Duration, config *tls.Config) error {
	c.secure = reactor.SecureClient(&c.Conn, config)
	c.SetReadDeadline(until)
	c.SetWriteDeadline(until)
	if err := c.secure.Handshake(); err != nil {
		return err
	}
	c.SetReadDeadline(0)
	c.SetWriteDeadline(0)
	return nil
}

// Expired is reactor.Owner's: the connection has waited for too long.
func (c *Conn) Expired() {
	if c.idle || c.session != nil && c.session.Streams() == 0 {
		c.Close()
	}
}

// Read reads what the target sends.
func (c *Conn) Read(b []byte) (int, error) {
	if c.secure != nil {
		return c.secure.Read(b)
	}
	return c.Conn.Read(b)
}

// Write writes all of b to the target.
func (c *Conn) Write(b []byte) (int, error) {
	if c.secure != nil {
		return c.secure.Write(b)
	}
	return c.Conn.Write(b)
}

// CloseWrite tells the target that nothing more is sent.
func (c *Conn) CloseWrite() error {
	if c.secure != nil {
		if err := c.secure.CloseWrite(); err != nil {
			return err
		}
	}
	return c.Conn.CloseWrite()
}

// WaitRead waits until there may be something to read.
func (c *Conn) WaitRead() error {
	if c.secure.Holds() {
		return nil
	}
	return c.Conn.WaitRead()
}

// retire closes what waits of a target.
func (p *Pool) retire(t *Target) {
	if r := p.by[t]; r != nil {
		for len(r.idle) > 0 {
			r.idle[len(r.idle)-1].Close()
		}
		for _, c := range slices.Clone(r.sessions) {
			c.session.HTTP2.Shutdown()
			c.session.Flush()
			c.changed()
		}
	}
}

// closeAll closes every connection of a target, those in use too.
func (p *Pool) closeAll(t *Target) {
	if r := p.by[t]; r != nil {
		for c := range r.live {
			c.Close()
		}
	}
}

// plainSocket makes a TCP socket in the namespace that the process is in.
func plainSocket(_ string, to netip.AddrPort) (int, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set up socket: %w", err)
	}
	return fd, nil
}

// each runs f on the loop of every pool.
func (m *Manager) each(pools []*Pool, f func(*Pool)) {
	for _, p := range pools {
		p.loop.Post(func() { f(p) })
	}
}

// retire closes what waits to a target and lets what is in use go on for a time. The caller holds mu.
func (m *Manager) retire(t *Target, until time.Duration) {
	t.closed.Store(true)
	m.each(m.pools, func(p *Pool) { p.retire(t) })
	if t.cut == nil {
		t.cut = time.AfterFunc(max(until, 0), func() { m.closeTarget(t) })
	}
}

// revive undoes retire, for a target that was registered again while it drained. The caller holds mu.
func (m *Manager) revive(t *Target) {
	t.closed.Store(false)
	if t.cut != nil {
		t.cut.Stop()
		t.cut = nil
	}
}

// closeTarget closes every connection to a target, those in use too.
func (m *Manager) closeTarget(t *Target) {
	m.mu.Lock()
	pools := m.pools
	t.closed.Store(true)
	if t.cut != nil {
		t.cut.Stop()
	}
	m.mu.Unlock()
	m.each(pools, func(p *Pool) { p.closeAll(t) })
}
