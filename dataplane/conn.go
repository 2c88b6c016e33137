package dataplane

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/http2"
	"github.com/trellis-project/trellis/reactor"
)

// connState is what a client's connection does.
type connState uint8

// The states of a connection.
const (
	idle     connState = iota // waits for a next request, in worker.waiting
	queued                    // has sent something, in the queue of its tenant
	busy                      // a fiber serves it
	carrying                  // has requests of HTTP/2 and sends nothing at the moment
	over                      // closed
)

// Why a connection's waits are ended from outside.
var (
	errOutlived   = errors.New("the connection is older than it may be")
	errCut        = errors.New("the drain's time is up")
	errClientGone = errors.New("the client has gone")
)

// conn is a client's connection. Between requests it holds this struct: no fiber, no buffer.
type conn struct {
	reactor.Conn
	w      *worker
	l      *listener
	tenant *tenant
	remote netip.AddrPort
	born   time.Duration
	idleIn time.Duration // how long the connection may wait for the next request
	tls    *agreed       // nil for a connection without TLS
	hello  *hello        // how TLS begins, while it does
	http2  *session      // nil for HTTP/1.1
	x      *exchange     // the exchange of HTTP/1.1 under way, nil between requests

	vouched *vouched // nil until the network was asked who opened the connection

	state      connState
	begun      bool  // something has come over it
	asked      bool  // a request has come over it
	outlived   bool  // it is older than it may be
	prev, next *conn // in worker.waiting
}

// adopt begins to serve an accepted connection.
func (w *worker) adopt(l *listener, a *accountUse, fd int, from netip.AddrPort) *conn {
	c := &conn{w: w, l: l, remote: from, born: w.loop.Now(), idleIn: defaultIdle, tenant: w.join(a)}
	if err := c.Open(w.loop, fd, c); err != nil {
		c.state = over
		w.leave(c.tenant)
		w.gone(l)
		return c
	}
	if l.resources { // the resource may be the first to speak
		w.enqueue(c)
		return c
	}
	c.rest()
	return c
}

// rest makes the connection wait for a next request, which a listener that drains does not.
func (c *conn) rest() {
	c.state = idle
	c.w.waiting.add(c)
	c.SetReadDeadline(c.w.loop.Now() + c.idleIn)
	c.SetWriteDeadline(0)
	if c.l.draining.Load() {
		c.dismiss()
	}
}

// Ready is reactor.Owner's.
func (c *conn) Ready() {
	switch c.state {
	case idle:
		c.w.waiting.remove(c)
		c.w.enqueue(c)
	case carrying:
		c.w.enqueue(c)
	case busy:
		if c.Gone() && c.x != nil && c.x.target != nil { // nobody waits for the answer
			c.x.target.Interrupt(errClientGone)
		}
	}
}

// Expired is reactor.Owner's: nothing has come for the idle timeout.
func (c *conn) Expired() {
	switch {
	case c.http2 != nil && c.state == carrying && c.http2.Partial():
		c.http2.Fail(reactor.ErrTimeout)
	case c.http2 != nil && c.state == idle:
		c.http2.retire()
	case c.state == idle:
		c.end()
	}
}

// dismiss ends the wait for a next request; a request that has come is still served. A connection that is new is
// given a moment: its first request is under way, and clients send only those again that fail on a used connection.
func (c *conn) dismiss() {
	if c.http2 != nil && c.state != over {
		c.http2.leave()
		return
	}
	if c.state != idle {
		return
	}
	if !c.Silent() {
		c.Ready()
		return
	}
	if until := c.born + firstRequest; !c.asked && c.w.loop.Now() < until {
		c.SetReadDeadline(until)
		return
	}
	c.end()
}

// cut ends a connection whatever it does.
func (c *conn) cut() { c.interrupt(errCut) }

// interrupt ends what the connection does.
func (c *conn) interrupt(err error) {
	switch c.state {
	case idle, queued, carrying:
		c.end()
	case busy:
		if c.x != nil && c.x.target != nil {
			c.x.target.Interrupt(err)
		}
		c.Interrupt(err)
	}
}

// end closes the connection and forgets it.
func (c *conn) end() {
	if c.state == over {
		return
	}
	if c.state == idle {
		c.w.waiting.remove(c)
	}
	c.state = over
	if c.tls != nil {
		c.tls.Close()
	}
	c.Close()
	if c.http2 != nil {
		c.http2.Close(net.ErrClosed)
	}
	c.w.leave(c.tenant)
	c.w.gone(c.l)
}

// turn is waiting's. The connection may have been closed meanwhile.
func (c *conn) turn() {
	if c.state == queued {
		c.state = busy
		c.w.loop.Go(c)
	}
}

// Run serves what the connection has sent: one request. It is a fiber's task.
func (c *conn) Run() {
	defer func() {
		if p := recover(); p != nil {
			c.w.s.panicked(p)
			if c.x != nil {
				c.x.abandon()
				c.x = nil
			}
			c.end()
		}
	}()
	if c.http2 != nil {
		c.http2.read()
		return
	}
	if c.l.resources {
		c.reachResource()
		return
	}
	if !c.await() {
		return
	}
	c.x.serve()
	c.idleIn = c.x.idle
	switch {
	case c.x.last || c.outlived || !c.IsOpen():
		c.linger()
		c.free()
		c.end()
	case c.x.next():
		c.w.enqueue(c) // others first
	default:
		c.free()
		if c.HasNews() {
			c.w.enqueue(c)
		} else {
			c.rest()
		}
	}
}

// await reads until the head of a request is whole. It returns false when there is none to serve: then the
// connection is at rest or has ended, and what was bad about the head has been answered.
func (c *conn) await() bool {
	x := c.x
	if x == nil {
		x = c.begin()
		n, err := c.TryRead(x.in)
		if n == 0 {
			c.free()
			if err != nil {
				c.end()
			} else {
				c.rest()
			}
			return false
		}
		if !c.begun && x.in[0] == recordHandshake {
			c.begun = true
			first := append([]byte(nil), x.in[:n]...)
			c.free()
			if c.secure(first) {
				c.secured()
			}
			return false
		}
		x.inEnd = n
		if !c.begun && c.isHTTP2() {
			first := append([]byte(nil), x.in[:x.inEnd]...)
			c.free()
			c.beginHTTP2(first)
			return false
		}
		c.begun = true
	}
	loop := c.w.loop
	x.began, x.start = loop.Now(), loop.Time()
	c.SetReadDeadline(x.began + headTimeout)
	for {
		n, err := http1.ParseRequest(x.in[:x.inEnd], x.req)
		if n > 0 {
			x.headLen, x.inPos = n, n
			c.asked = true
			x.last = x.req.Close || c.l.draining.Load() || c.tooOld()
			return true
		}
		if err == nil {
			if x.inEnd == len(x.in) {
				x.growIn()
			}
			var m int
			if m, err = c.Read(x.in[x.inEnd:]); m > 0 {
				x.inEnd += m
				continue
			}
		}
		c.refuse(err)
		return false
	}
}

// secured goes on with a connection that has TLS now.
func (c *conn) secured() {
	if c.tls.http2 {
		c.begun = true
		c.beginHTTP2(nil)
		return
	}
	c.rest()
	if c.state == idle && c.HasNews() {
		c.Ready()
	}
}

// isHTTP2 tells whether the client speaks HTTP/2 without having asked, by what has come first (RFC 9113 3.3). It
// waits when that is too little to tell. VPC Lattice knows HTTP/2 with TLS alone.
func (c *conn) isHTTP2() bool {
	x := c.x
	if c.l.s.Strict || c.tls != nil {
		return false
	}
	for {
		is, undecided := http2.IsPreface(x.in[:x.inEnd])
		if !undecided {
			return is
		}
		c.SetReadDeadline(c.w.loop.Now() + headTimeout)
		n, err := c.Read(x.in[x.inEnd:])
		if err != nil {
			return false
		}
		x.inEnd += n
	}
}

// refuse answers a head that is bad, or that did not come in time, and closes.
func (c *conn) refuse(err error) {
	x := c.x
	status, reason := 0, failClientProtocol
	var bad *http1.Error
	switch {
	case errors.As(err, &bad):
		status = bad.Status
	case reactor.IsTimeout(err):
		status = 408
	default: // the client is gone
		status, reason = 400, failClientClosed
	}
	x.refused(status, reason)
	c.linger()
	c.free()
	c.end()
}

// begin begins an exchange.
func (c *conn) begin() *exchange {
	c.x = c.w.exchange(c, c.l, c.tenant, c.remote)
	c.x.conn, c.x.tls = c, c.tls
	return c.x
}

// free gives the exchange back.
func (c *conn) free() {
	c.x.free()
	c.x = nil
}

// write writes to the client.
func (c *conn) write(b []byte, within time.Duration) error {
	c.SetWriteDeadline(c.w.loop.Now() + c.w.patience(within))
	n, err := c.Write(b)
	c.x.rec.BytesSent += int64(n)
	return err
}

// write2 writes two pieces to the client.
func (c *conn) write2(a, b []byte, within time.Duration) error {
	c.SetWriteDeadline(c.w.loop.Now() + c.w.patience(within))
	n, err := c.Write2(a, b)
	c.x.rec.BytesSent += int64(n)
	return err
}

// read reads from the client.
func (c *conn) read(b []byte, within time.Duration) (int, error) {
	c.SetReadDeadline(c.w.loop.Now() + c.w.patience(within))
	return c.Read(b)
}

// linger closes the sending side and reads on for a moment, so that the client gets the answer instead of a
// reset for bytes that nobody reads (RFC 9112 9.6).
func (c *conn) linger() {
	if c.x == nil || !c.x.unread || c.CloseWrite() != nil {
		return
	}
	c.readOn(c.Read)
}

// readOn reads what comes for a moment, and drops it.
func (c *conn) readOn(read func([]byte) (int, error)) {
	loop := c.w.loop
	b := loop.Buffer()
	defer loop.Release(b)
	c.SetReadDeadline(loop.Now() + lingerTimeout)
	for left := maxLinger; left > 0; {
		n, err := read(b)
		if err != nil {
			return
		}
		left -= n
	}
}

// maxLinger bounds what is read while lingering.
const maxLinger = 1 << 20

// outlive ends a connection that is older than it may be.
func (c *conn) outlive() {
	c.outlived = true
	if c.x != nil {
		c.x.outlived = true
	}
	if c.http2 != nil {
		c.http2.retire()
	}
	c.interrupt(errOutlived)
}

// tooOld tells whether a connection may take no further request: a request that begins now could be cut.
func (c *conn) tooOld() bool {
	return c.l.s.Strict && c.w.loop.Now()-c.born > strictLifetime-headTimeout
}
