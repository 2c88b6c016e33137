package targetgroup

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/http2"
	"github.com/trellis-project/trellis/reactor"
	"github.com/trellis-project/trellis/streams"
)

// Stream is a request on a connection of HTTP/2 to a target, which carries others too.
type Stream struct {
	*streams.Stream
	// Target is whom it leads to.
	Target *Target
}

// maxStreams is how many requests a connection to a target carries at a time, if the target allows as many. Its window has
// room for all of them: those whose clients read slowly take none of the others'.
const maxStreams = 128

// errNotHTTP2 says that a target agreed on something else.
var errNotHTTP2 = errors.New("the target does not speak HTTP/2")

// patience is how long a target may take nothing of what is sent on a connection of HTTP/2.
const patience = 60 * time.Second

// Multiplexed tells whether requests go to the targets as streams of HTTP/2.
func (g *Group) Multiplexed() bool {
	return g.ProtocolVersion == "HTTP2" || g.ProtocolVersion == "GRPC"
}

// Open begins a request to a target: on a connection that is there, or on a new one, for which the calling fiber waits.
// The caller writes the fields and sends the block at once, and releases the stream in the end. reused tells that the
// connection was there. upgrade is the protocol that an extended CONNECT asks for, or "": the error is http2.ErrConnect when
// the target doesn't take that.
func (p *Pool) Open(t *Target, h *http1.Head, scheme, upgrade string) (s *Stream, b *http2.Block, reused bool, err error) {
	until := p.loop.Now() + dialTimeout
	for {
		r := p.reserve(t)
		for _, c := range r.sessions {
			if c.settling {
				continue
			}
			x, b, err := c.session.Open(h, scheme, upgrade)
			if err == nil {
				c.SetReadDeadline(0)
				return &Stream{x, t}, b, reused, nil
			}
			if errors.Is(err, http2.ErrConnect) {
				return nil, nil, reused, fmt.Errorf("target %s: %w", t.ID(), err)
			}
		}
		if !r.dialing {
			c, err := p.dialSession(t)
			if err != nil {
				return nil, nil, false, err
			}
			if upgrade != "" {
				continue // when the target has said whether it takes that
			}
			x, b, err := c.session.Open(h, scheme, "")
			if err != nil {
				return nil, nil, false, fmt.Errorf("target %s: %w", t.ID(), err)
			}
			return &Stream{x, t}, b, false, nil
		}
		// Others wait for the same: one connection will do for many.
		dialed := new(reactor.Signal)
		r.waiters = append(r.waiters, dialed)
		if err := p.loop.Await(dialed, max(until-p.loop.Now(), 0)); err != nil {
			return nil, nil, false, fmt.Errorf("connect to target %s: %w", t.ID(), err)
		}
		reused = true
	}
}

// dialSession opens a connection of HTTP/2. Until the target has said how many requests it takes at a time, whoever has opened
// it has one there and others wait.
func (p *Pool) dialSession(t *Target) (*Conn, error) {
	p.reserve(t).dialing = true
	c, err := p.dial(t, "h2")
	if err == nil && c.secure != nil && c.secure.State().NegotiatedProtocol != "h2" {
		c.Close()
		err = fmt.Errorf("target %s: %w", t.ID(), errNotHTTP2)
	}
	if err != nil {
		p.dialed(t)
		return nil, err
	}
	r := p.reserve(t)
	r.sessions = append(r.sessions, c)
	c.settling = true
	c.session = streams.NewClient(streams.Options{Loop: p.loop, Transport: c, Changed: c.changed, Patience: func() time.Duration { return patience },
		HTTP2: http2.Options{MaxStreams: maxStreams, StreamWindow: reactor.BufferSize, ConnWindow: maxStreams * reactor.BufferSize, Pool: &p.http2},
		Pool:  &p.streams})
	return c, nil
}

// dialed lets those go on who wait for a connection: there is one for all, or there will be none.
func (p *Pool) dialed(t *Target) {
	r := p.by[t]
	if r == nil {
		return
	}
	r.dialing = false
	if len(r.live) == 0 {
		delete(p.by, t)
	}
	waiters := r.waiters
	r.waiters = nil
	for _, w := range waiters {
		w.Set()
	}
}

// changed is told when something has happened to a connection of HTTP/2. One that takes no more requests is left, and
// closed when its last one has ended.
func (c *Conn) changed() {
	s := c.session
	if s == nil {
		return
	}
	if c.settling && (s.HTTP2.Settled() || s.HTTP2.Closing() || s.Err() != nil) {
		c.settling = false
		c.pool.dialed(c.Target)
	}
	if !c.IsOpen() {
		return
	}
	if s.Err() != nil || s.HTTP2.Closing() || c.Target.closed.Load() {
		c.leaveSessions()
		if s.Streams() == 0 && !s.Sending() {
			c.Close()
		}
		return
	}
	if s.Streams() == 0 {
		c.SetReadDeadline(c.pool.loop.Now() + idleTimeout)
	}
}

// leaveSessions takes the connection out of those that get requests.
func (c *Conn) leaveSessions() {
	if r := c.pool.by[c.Target]; r != nil {
		r.sessions = slices.DeleteFunc(r.sessions, func(x *Conn) bool { return x == c })
	}
}

// reading is a connection of HTTP/2 as the task of the fiber that reads it.
type reading Conn

// Run reads what has come.
func (r *reading) Run() {
	c := (*Conn)(r)
	for c.session.Read() && c.hasNews() {
	}
	c.reading = false
	c.changed()
}

// hasNews tells whether there may be something to read.
func (c *Conn) hasNews() bool { return c.IsOpen() && (c.secure.Holds() || c.HasNews()) }

// read begins to read a connection of HTTP/2, unless somebody does.
func (c *Conn) read() {
	if !c.reading {
		c.reading = true
		c.pool.loop.Go((*reading)(c))
	}
}

// TryRead reads what the target has sent, without waiting.
func (c *Conn) TryRead(b []byte) (int, error) {
	if c.secure != nil {
		return c.secure.TryRead(b)
	}
	return c.Conn.TryRead(b)
}

// failSession ends what a connection of HTTP/2 carries, when it is closed.
func (c *Conn) failSession() {
	if c.session != nil {
		c.leaveSessions()
		c.session.Close(net.ErrClosed)
	}
}
