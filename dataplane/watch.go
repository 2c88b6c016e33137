package dataplane

import (
	"sync/atomic"
	"time"
)

// watchEvery is how often deadlines are looked at. Setting a deadline on the socket for each read would cost
// more than the read of a small head; so a wait only notes until when it may last.
const watchEvery = 250 * time.Millisecond

// The things that a connection waits for, each with a guard of its own.
const (
	readClient = iota
	writeClient
	readTarget
	writeTarget
	waits
)

// long is a deadline that has passed for sure.
var long = time.Unix(1, 0)

// guard is until when one kind of wait may last, in Unix nanoseconds: 0 while nothing waits, -1 once it has
// lasted too long.
type guard struct{ due atomic.Int64 }

// arm lets what comes next last for d.
func (c *conn) arm(wait int, d time.Duration) {
	c.guards[wait].due.Store(c.l.clock.Load() + int64(d))
}

// rest ends a wait. That it lasted too long, if so, stays to be seen.
func (c *conn) rest(wait int) {
	g := &c.guards[wait].due
	for due := g.Load(); due > 0 && !g.CompareAndSwap(due, 0); due = g.Load() {
	}
}

// prolong lets a wait that is under way last for d from now.
func (c *conn) prolong(wait int, d time.Duration) {
	g := &c.guards[wait].due
	if due := g.Load(); due > 0 {
		g.CompareAndSwap(due, c.l.clock.Load()+int64(d))
	}
}

// late tells whether a wait was ended by its guard.
func (c *conn) late(wait int) bool { return c.guards[wait].due.Load() < 0 }

// watch ends waits that last too long, as long as there are connections.
func (l *listener) watch() {
	defer l.watches.Done()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.over:
			return
		}
		now := time.Now().UnixNano()
		l.clock.Store(now)
		l.mu.Lock()
		if len(l.conns) == 0 {
			l.watching = false
			l.mu.Unlock()
			return
		}
		for c := range l.conns {
			for i := range c.guards {
				if due := c.guards[i].due.Load(); due > 0 && due < now {
					c.expire(i, due)
				}
			}
			if l.s.Strict && now-c.born.UnixNano() > int64(strictLifetime) {
				c.outlive()
			}
		}
		l.mu.Unlock()
	}
}

// expire ends one wait. The lock keeps a target's connection from going back to its pool meanwhile.
func (c *conn) expire(wait int, due int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.guards[wait].due.CompareAndSwap(due, -1) {
		return
	}
	switch wait {
	case readClient:
		c.nc.SetReadDeadline(long)
	case writeClient:
		c.nc.SetWriteDeadline(long)
	case readTarget, writeTarget:
		if c.target != nil {
			c.target.SetDeadline(long)
		}
	}
}

// outlive ends a connection that is older than it may be.
func (c *conn) outlive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outlived.Store(true)
	c.nc.SetDeadline(long)
	if c.target != nil {
		c.target.SetDeadline(long)
	}
}

// waiting is since when a connection waits for a next request, 0 when it does not or is being woken.
func (c *conn) waiting() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.idle || c.woken {
		return 0
	}
	return c.since
}

// wake ends the wait for a next request; a request that is being served goes on.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		c.woken = true
		c.nc.SetReadDeadline(long)
	}
}

// cut ends a connection whatever it does.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.nc.SetDeadline(long)
	if c.target != nil {
		c.target.SetDeadline(long)
	}
}
