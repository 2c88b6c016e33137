package targetgroup

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trellis-project/trellis"
)

const (
	// maxIdle bounds the connections that wait in one target's pool.
	maxIdle = 256
	// idleTimeout is less than the keep-alive of common servers (nginx 75 s, Node and gunicorn less, which
	// the look before reuse catches), so that it is rarely the target that closes first.
	idleTimeout = 55 * time.Second
	// lookAfter is how long a connection may wait before it is looked at when it is taken again. Under load a
	// connection is taken again sooner, so that looking costs nothing then; a target that closes an idle
	// connection and has it taken within this time costs a request, which is not retried.
	lookAfter = 10 * time.Millisecond
	// dialTimeout bounds connecting to a target, the TLS handshake included.
	dialTimeout = 5 * time.Second
	// drainTime is how long connections of a deregistered target may go on.
	drainTime = 60 * time.Second
)

// Health is what is known of a target.
type Health struct {
	Status trellis.TargetStatus
	Reason string // empty when HEALTHY
}

// Target is a member of a target group: an address, its health, and the connections to it.
// It is safe for concurrent use.
type Target struct {
	// ID is what was registered: an address, an instance id or an ARN.
	ID string
	// Addr is where it listens. It is not valid when it is unknown: an instance that is gone, or a function.
	Addr netip.AddrPort
	// Key is the Key of its trellis.Target.
	Key string
	// VPCID is the VPC that its address is in.
	VPCID string

	groupID string
	m       *Manager
	secure  bool // TLS to the target, certificate not verified, as VPC Lattice does
	vpc     atomic.Pointer[trellis.VPC]
	health  atomic.Pointer[Health]

	mu     sync.Mutex
	idle   []*Conn            // a stack: the last one put is the first one taken; nil-free
	live   map[*Conn]struct{} // every open connection, waiting or in use
	closed bool               // nothing waits any more: what is put is closed
	cut    *time.Timer        // closes what is still open when draining has taken too long

	// Guarded by Manager.mu.
	checking   *checking // its health check, nil when it is not checked
	registered time.Time // its noun's RegisteredAt
}

// Health returns the target's status and the reason of it.
func (t *Target) Health() Health { return *t.health.Load() }

// Connections returns how many connections to the target are open, and how many of those wait in the pool.
func (t *Target) Connections() (open, idle int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.live), len(t.idle)
}

// Get returns a connection to the target: one that waited (reused is true), else a new one. The caller gives
// it back with Put when a whole answer was read and the connection may go on, and closes it otherwise.
// A reused connection may still turn out to have been closed by the target: whoever sent nothing that could
// have been processed may try again.
func (t *Target) Get(ctx context.Context) (c *Conn, reused bool, err error) {
	for {
		c := t.pop()
		if c == nil {
			break
		}
		waited := time.Since(c.since)
		if waited < idleTimeout && (waited < lookAfter || c.quiet()) {
			return c, true, nil
		}
		c.Close()
	}
	c, err = t.dial(ctx)
	return c, false, err
}

// pop takes the connection that was put last, nil when none waits.
func (t *Target) pop() *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.idle)
	if n == 0 {
		return nil
	}
	c := t.idle[n-1]
	t.idle[n-1] = nil
	t.idle = t.idle[:n-1]
	return c
}

// Put gives a connection back to wait for the next request. It must be between two answers, with nothing
// unread and no deadline set. When the pool is full, or the target drains, it is closed.
func (t *Target) Put(c *Conn) {
	c.since = time.Now()
	t.mu.Lock()
	keep := !t.closed && len(t.idle) < maxIdle
	if keep {
		t.idle = append(t.idle, c)
	}
	t.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// dial opens a new connection.
func (t *Target) dial(ctx context.Context) (*Conn, error) {
	if err := permitted(t.vpc.Load(), t.Addr.Addr()); err != nil {
		return nil, fmt.Errorf("connect to target %s: %w", t.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := t.m.dial(ctx, t.VPCID, t.Addr)
	if err != nil {
		return nil, fmt.Errorf("connect to target %s at %s: %w", t.ID, t.Addr, err)
	}
	c := newConn(t, nc)
	if t.secure {
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
		if err := tc.HandshakeContext(ctx); err != nil {
			nc.Close()
			return nil, fmt.Errorf("handshake with target %s at %s: %w", t.ID, t.Addr, err)
		}
		c.Conn = tc
	}
	t.mu.Lock()
	t.live[c] = struct{}{}
	t.mu.Unlock()
	return c, nil
}

// forget drops a closed connection from the live ones.
func (t *Target) forget(c *Conn) {
	t.mu.Lock()
	delete(t.live, c)
	t.mu.Unlock()
}

// sweep closes the connections that have waited for too long.
func (t *Target) sweep(now time.Time) {
	t.mu.Lock()
	n := 0
	for n < len(t.idle) && now.Sub(t.idle[n].since) >= idleTimeout {
		n++ // the stack is sorted by the time of Put: the oldest are at the bottom
	}
	old := append([]*Conn(nil), t.idle[:n]...)
	t.idle = append(t.idle[:0], t.idle[n:]...)
	t.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

// retire closes what waits and lets what is in use go on until the given time.
func (t *Target) retire(until time.Duration) {
	t.mu.Lock()
	t.closed = true
	idle := t.idle
	t.idle = nil
	if t.cut == nil {
		t.cut = time.AfterFunc(max(until, 0), t.closeAll)
	}
	t.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// revive undoes retire, for a target that was registered again while it drained.
func (t *Target) revive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = false
	if t.cut != nil {
		t.cut.Stop()
		t.cut = nil
	}
}

// closeAll closes every connection, those in use too.
func (t *Target) closeAll() {
	t.mu.Lock()
	t.closed = true
	if t.cut != nil {
		t.cut.Stop()
	}
	t.idle = nil
	all := make([]*Conn, 0, len(t.live))
	for c := range t.live {
		all = append(all, c)
	}
	t.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}
