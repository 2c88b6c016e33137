package http2

// Pending returns the bytes that wait to be sent. They are good until the next call of anything but Pending.
func (c *Conn) Pending() []byte { return c.out[c.sent:] }

// Sent says that the first n bytes of Pending have been sent, and tells streams that had to wait that they may write.
func (c *Conn) Sent(n int) {
	c.sent += n
	switch left := len(c.out) - c.sent; {
	case left == 0:
		if c.out != nil {
			c.pool.putBuffer(c.out)
		}
		c.out, c.sent = nil, 0
	case c.sent > left:
		c.out = c.out[:copy(c.out, c.out[c.sent:])]
		c.sent = 0
	}
	c.wake()
}

// grow makes sure that there is a buffer to write to.
func (c *Conn) grow() {
	if c.out == nil {
		c.out = c.pool.buffer()
	}
}

// room tells whether a frame of the connection's own may be written: an answer to PING or SETTINGS, an update, a reset.
// Who makes us write them and doesn't read them is cut off.
func (c *Conn) room() bool {
	if c.err != nil {
		return false
	}
	if len(c.Pending()) > c.options.MaxPending+spareControl {
		_ = c.fail(ErrUnread) // what was being done goes on; Receive returns the error
		return false
	}
	c.grow()
	return true
}

// control writes RST_STREAM or WINDOW_UPDATE.
func (c *Conn) control(kind uint8, id, n uint32) {
	if c.room() {
		c.out = appendNumber(c.out, kind, id, n)
	}
}

// Ping asks the peer for a sign of life. Handler.Pong gets the same data.
func (c *Conn) Ping(data [8]byte) {
	if c.room() {
		c.out = append(appendFrame(c.out, 8, pingFrame, 0, 0), data[:]...)
	}
}

// leastWrite is how much room there must be for writers to be told: many small frames cost more than a short wait.
const leastWrite = 2 << 10

// spare returns how many bytes may be written before MaxPending of them wait.
func (c *Conn) spare() int {
	if n := c.options.MaxPending - len(c.Pending()); n >= leastWrite {
		return n
	}
	return 0
}

// wake tells streams that wait to write, in the order in which they began to, as long as there is room. One that can't
// write all that it has goes to the end of its queue.
func (c *Conn) wake() {
	if c.waking || c.err != nil {
		return
	}
	c.waking = true
	for c.heads.first != nil && c.spare() > 0 {
		s := c.heads.first
		s.leave()
		c.handler.Writable(s)
	}
	for c.bodies.first != nil && c.sendable > 0 && c.spare() > 0 {
		s := c.bodies.first
		s.leave()
		c.handler.Writable(s)
	}
	c.waking = false
}

// Room returns how many bytes of data can be written now.
func (s *Stream) Room() int {
	c := s.conn
	if s.closed || s.localEnded || c.err != nil {
		return 0
	}
	return int(max(0, min(s.sendable, c.sendable, int64(c.spare()))))
}

// WriteData writes as much of p as the windows, and the bytes that already wait, allow. When n is less than p has, the
// stream is told by Handler.Writable when to go on with the rest. end ends the message after all of p.
func (s *Stream) WriteData(p []byte, end bool) (n int, err error) {
	c := s.conn
	if s.closed || s.localEnded || c.err != nil {
		return 0, ErrClosed
	}
	for n < len(p) {
		size := min(len(p)-n, int(min(c.peer.MaxFrame, maxWritten)))
		switch spare := c.spare(); {
		case s.sendable <= 0:
			s.wants = true
			return n, nil
		case c.sendable <= 0 || spare == 0 || n >= turn && c.bodies.first != nil:
			c.bodies.join(s)
			return n, nil
		default:
			size = int(min(int64(size), s.sendable, c.sendable, int64(spare)))
		}
		var flags uint8
		if end && n+size == len(p) {
			flags = endStreamFlag
		}
		c.grow()
		c.out = append(appendFrame(c.out, size, dataFrame, flags, s.id), p[n:n+size]...)
		n += size
		s.sendable -= int64(size)
		c.sendable -= int64(size)
		if size >= smallUpdate || n == len(p) {
			c.useful(calmPerData, 0) // but not for what a tiny window has cut off
		}
	}
	if !end {
		return n, nil
	}
	if len(p) == 0 {
		c.grow()
		c.out = appendFrame(c.out, 0, dataFrame, endStreamFlag, s.id)
	}
	s.ended()
	return n, nil
}

// Streams take turns: while others wait, one writes no more than a turn at a time, and no frame is larger than what waits
// at most, whatever larger ones the peer takes.
const (
	turn       = 16 << 10
	maxWritten = 64 << 10
)

// ended deals with the end of what we write on a stream.
func (s *Stream) ended() {
	c := s.conn
	s.localEnded = true
	switch {
	case s.bad:
		c.close(s, true)
		c.control(resetFrame, s.id, uint32(ProtocolError))
	case s.dropping && !s.remoteEnded:
		s.Reset(NoError)
	default:
		c.finish(s)
	}
}
