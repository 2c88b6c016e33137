package http2

import "github.com/trellis-project/trellis/http1"

// Stream is one request with its answer.
type Stream struct {
	Owner any // of who holds the stream

	conn       *Conn
	id         uint32
	prev, next *Stream // in a queue
	queue      *queue

	head     http1.Head
	arena    []byte        // strings of head and trailers
	trailers []http1.Field // that came
	upgrade  string        // the protocol that an extended CONNECT asks for

	window   int   // how much more the peer may send
	consumed int   // what it will be told that it may send again
	unread   int   // data that the owner has not consumed
	left     int64 // data that is to come, by content-length, or -1
	sendable int64 // how much more the peer takes

	remoteEnded bool // the peer has ended its message
	localEnded  bool // we have ended ours
	closed      bool // both, or reset
	dropping    bool // what comes is dropped: the head was refused
	bad         bool // the head was malformed: the stream ends with a reset
	headed      bool // the final head has come (client), or was sent (server)
	toHead      bool // the request was a HEAD
	sentHead    bool // of a client: the head of the request was written
	wants       bool // the owner waits for the stream's own window
	held        bool // the owner has not released it
	interims    int
}

// ID returns the stream's number.
func (s *Stream) ID() uint32 { return s.id }

// Conn returns the stream's connection.
func (s *Stream) Conn() *Conn { return s.conn }

// Upgrade returns the protocol that an extended CONNECT asks for (RFC 8441), or "".
func (s *Stream) Upgrade() string { return s.upgrade }

// Ended tells that the peer has ended its message.
func (s *Stream) Ended() bool { return s.remoteEnded }

// Closed tells that nothing more can come or be written.
func (s *Stream) Closed() bool { return s.closed }

// recycle empties the stream and keeps its memory. It is closed until it is somebody's again, for an owner that forgets that
// it has released it.
func (s *Stream) recycle() {
	h, arena, trailers := s.head, s.arena[:0], s.trailers[:0]
	if cap(arena) > keptArena {
		arena = nil
	}
	h.Reset()
	*s = Stream{head: h, arena: arena, trailers: trailers, closed: true}
}

// newStream opens a stream.
func (c *Conn) newStream(id uint32) *Stream {
	s := c.pool.stream()
	s.conn, s.id, s.held, s.closed = c, id, true, false
	s.window, s.sendable, s.left = c.options.StreamWindow, int64(c.peer.InitialWindow), -1
	c.streams.put(s)
	c.held++
	return s
}

// close takes a stream out of those that are open. reset tells that we ended it by a reset, after which the peer's
// frames may still be on their way.
func (c *Conn) close(s *Stream, reset bool) {
	if s.closed {
		return
	}
	s.closed = true
	s.leave()
	c.streams.remove(s)
	c.recent.add(s.id, reset)
}

// finish closes a stream that has ended on both sides.
func (c *Conn) finish(s *Stream) {
	if s.closed || !s.localEnded || !s.remoteEnded {
		return
	}
	c.close(s, false)
	if !s.dropping {
		c.useful(calmPerStream, resetsPerStream)
	}
}

// Reset ends the stream early, if it hasn't ended. A server that has answered in full and wants no more of the request
// says NoError (RFC 9113 8.1). The handler is not told.
func (s *Stream) Reset(code Code) {
	if s.closed {
		return
	}
	c := s.conn
	c.close(s, true)
	c.control(resetFrame, s.id, uint32(code))
}

// Release says that the owner needs neither the stream nor the strings of its head and trailers any more. What has not
// ended is reset, and what was not consumed counts as consumed. The stream is somebody else's afterwards.
func (s *Stream) Release() {
	if !s.held {
		return
	}
	c := s.conn
	switch {
	case s.bad:
		s.Reset(ProtocolError)
	case c.server && s.localEnded:
		s.Reset(NoError)
	default:
		s.Reset(Cancel)
	}
	c.credit(s.unread)
	c.held--
	s.held = false
	c.pool.putStream(s)
}

// Consumed says that n bytes of data have found their place, so that the peer may send as many again.
func (s *Stream) Consumed(n int) {
	if n = min(n, s.unread); n <= 0 {
		return
	}
	s.unread -= n
	s.conn.credit(n)
	s.credit(n)
}

// credit gives the stream's window back, in halves, so that updates are few.
func (s *Stream) credit(n int) {
	if s.remoteEnded || s.closed {
		return
	}
	if s.consumed += n; s.consumed >= s.conn.options.StreamWindow/2 {
		s.window += s.consumed
		s.conn.control(windowFrame, s.id, uint32(s.consumed))
		s.consumed = 0
	}
}

// credit gives the connection's window back.
func (c *Conn) credit(n int) {
	if c.consumed += n; c.consumed >= c.options.ConnWindow/2 {
		c.window += c.consumed
		c.control(windowFrame, 0, uint32(c.consumed))
		c.consumed = 0
	}
}

// fault ends a stream that broke a rule, and tells its owner. A client that makes us reset streams is charged for them
// like one that resets them itself.
func (c *Conn) fault(s *Stream, why *Error) *Error {
	s.Reset(why.Code)
	c.handler.Reset(s, why.Code)
	if c.server {
		return c.chargeReset()
	}
	return nil
}

// queue is a row of streams that wait to write.
type queue struct{ first, last *Stream }

// join puts a stream at the end of a queue, unless it is in one.
func (q *queue) join(s *Stream) {
	if s.queue != nil {
		return
	}
	s.queue, s.prev, s.next = q, q.last, nil
	if q.last == nil {
		q.first = s
	} else {
		q.last.next = s
	}
	q.last = s
}

// leave takes a stream out of the queue that it is in.
func (s *Stream) leave() {
	q := s.queue
	if q == nil {
		return
	}
	if s.prev == nil {
		q.first = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		q.last = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.queue, s.prev, s.next = nil, nil, nil
}
