package http2

import (
	"encoding/binary"

	"github.com/trellis-project/trellis/http1"
)

// data deals with DATA (RFC 9113 6.1).
func (c *Conn) data(f *frame) *Error {
	if f.id == 0 {
		return ErrStreamID
	}
	n := len(f.payload)
	if !f.unpad() {
		return ErrPadding
	}
	if c.window -= n; c.window < 0 {
		return ErrWindow
	}
	s := c.streams.get(f.id)
	switch {
	case s == nil && c.idle(f.id):
		return ErrIdle
	case s == nil:
		c.credit(n)
		if c.recent.how(f.id) == resetByUs {
			return c.strayData(n)
		}
		c.control(resetFrame, f.id, uint32(StreamClosed))
		return c.idleFrame(settingsCost)
	case s.remoteEnded:
		c.credit(n)
		return c.fault(s, errHalfClosed)
	}
	s.window -= n
	rest := n - len(f.payload) // padding is nothing that the owner consumes
	end := f.has(endStreamFlag)
	switch {
	case s.window < 0:
		c.credit(n)
		return c.fault(s, errStreamWindow)
	case !c.server && !s.headed:
		c.credit(n)
		return c.fault(s, errDataFirst)
	case s.left >= 0 && !s.dropping && (int64(len(f.payload)) > s.left || end && int64(len(f.payload)) < s.left):
		c.credit(n)
		return c.fault(s, errLengthDiffers)
	}
	if end {
		s.remoteEnded = true
	}
	if s.dropping { // its window stays, so that little more can come
		c.credit(n)
		c.finish(s)
		return c.strayData(n)
	}
	if rest > 0 {
		c.credit(rest)
		s.credit(rest)
	}
	if s.left >= 0 {
		s.left -= int64(len(f.payload))
	}
	if len(f.payload) == 0 && !end {
		return c.idleFrame(1)
	}
	s.unread += len(f.payload)
	c.useful(len(f.payload)/smallUpdate, 0)
	if end {
		c.finish(s)
	}
	c.handler.Data(s, f.payload, end)
	return nil
}

// strayData charges for data that nobody wants: in full for what is empty, and little for what may have been on its way.
func (c *Conn) strayData(n int) *Error {
	if c.strays++; n == 0 || c.strays%straysCost == 0 {
		return c.idleFrame(1)
	}
	return nil
}

// idle tells whether a stream was never opened.
func (c *Conn) idle(id uint32) bool {
	if c.server {
		return id&1 == 0 || id > c.last
	}
	return id&1 == 0 || id >= c.next
}

// headers deals with HEADERS (RFC 9113 6.2).
func (c *Conn) headers(f *frame) *Error {
	if f.id&1 == 0 { // also of a server: nothing was promised
		return ErrStreamID
	}
	if !f.unpad() {
		return ErrPadding
	}
	c.blockBad = false
	if f.has(priorityFlag) {
		if len(f.payload) < 5 {
			return ErrFrameLength
		}
		c.blockBad = binary.BigEndian.Uint32(f.payload)&maxID == f.id
		f.payload = f.payload[5:]
	}
	end := f.has(endStreamFlag)
	if f.has(endHeadersFlag) {
		return c.headerBlock(f.id, f.payload, end)
	}
	c.blockID, c.blockEnd, c.blockN = f.id, end, 1
	c.block = append(c.block[:0], f.payload...)
	return nil
}

// continuation deals with CONTINUATION (RFC 9113 6.10).
func (c *Conn) continuation(f *frame) *Error {
	if c.blockID == 0 {
		return ErrContinuation
	}
	c.blockN++
	if c.blockN > blockFrames || len(c.block)+len(f.payload) > blockBytes {
		return ErrBlock
	}
	c.block = append(c.block, f.payload...)
	if !f.has(endHeadersFlag) {
		return nil
	}
	block := c.block
	c.blockID, c.block = 0, nil
	return c.headerBlock(f.id, block, c.blockEnd)
}

// headerBlock deals with a whole header block.
func (c *Conn) headerBlock(id uint32, block []byte, end bool) *Error {
	s := c.streams.get(id)
	var drop *Error // why the stream can't be had
	first := false
	switch {
	case s != nil:
		if s.remoteEnded {
			drop = errHalfClosed
		}
	case c.server && id > c.last:
		c.last, first = id, true
		if c.going.refuses(id) || c.streams.count >= c.options.MaxStreams || c.held >= 2*c.options.MaxStreams {
			drop = errRefused
		}
	case c.idle(id):
		return ErrIdle
	default:
		switch c.recent.how(id) {
		case ended:
			return ErrClosedStream
		case forgotten:
			return ErrStreamID // one that was skipped, or one that is long gone
		}
	}
	if drop == nil && (first || s != nil) && c.blockBad {
		drop = errStreamDepends
	}

	if s == nil && first && drop == nil {
		s = c.newStream(id)
	}
	var arena []byte
	if s != nil {
		arena = s.arena
		if !s.headed && !c.server {
			arena = arena[:0] // the strings of an interim answer go
		}
	} else {
		arena = c.pool.scratch[:0]
	}
	l := c.pool.take(arena)
	if !c.dec.decode(block, l) {
		if first && s != nil { // nobody was told of it
			c.close(s, true)
			s.Release()
		}
		return ErrCompression
	}
	switch {
	case s == nil:
		if cap(l.arena) <= keptArena {
			c.pool.scratch = l.arena
		}
		if drop != nil {
			c.recent.add(id, true)
			c.control(resetFrame, id, uint32(drop.Code))
		}
		return c.idleFrame(1)
	case drop != nil:
		return c.fault(s, drop)
	case s.dropping:
		s.remoteEnded = s.remoteEnded || end
		c.finish(s)
		return c.idleFrame(1)
	case first:
		return c.request(s, l, end)
	case c.server || s.headed:
		return c.trailers(s, l, end)
	}
	return c.answer(s, l, end)
}

// request deals with the head of a request.
func (c *Conn) request(s *Stream, l *list, end bool) *Error {
	s.remoteEnded = end
	var err error
	s.upgrade, err = adoptRequest(&s.head, l, end, c.options.Connect)
	s.arena = l.arena
	if err != nil {
		bad := !wellFormed(err)
		s.dropping, s.bad = true, bad
		c.handler.Refused(s, err.(*http1.Error))
		if bad {
			return c.chargeReset()
		}
		return nil
	}
	s.expect()
	c.handler.Head(s, &s.head, end)
	return nil
}

// answer deals with the head of an answer.
func (c *Conn) answer(s *Stream, l *list, end bool) *Error {
	s.remoteEnded = end
	err := adoptResponse(&s.head, l, s.toHead, end)
	s.arena = l.arena
	if err != nil {
		s.dropping = true
		s.Reset(ProtocolError)
		c.handler.Refused(s, err.(*http1.Error))
		return nil
	}
	if s.head.Status >= 200 {
		s.headed = true
		s.expect()
		c.finish(s)
	} else if s.interims++; s.interims > interims {
		return c.fault(s, errInterims)
	}
	c.handler.Head(s, &s.head, end)
	return nil
}

// expect notes how much data must come.
func (s *Stream) expect() {
	switch s.head.Framing {
	case http1.NoBody:
		s.left = 0
	case http1.ByLength:
		s.left = s.head.Length
	}
}

// trailers deals with trailers (RFC 9113 8.1).
func (c *Conn) trailers(s *Stream, l *list, end bool) *Error {
	s.arena = l.arena
	if !end {
		return c.fault(s, errTrailersGoOn)
	}
	var err *Error
	if s.trailers, err = adoptTrailers(s.trailers[:0], l); err == nil && s.left > 0 {
		err = errLengthDiffers
	}
	if err != nil {
		return c.fault(s, err)
	}
	s.remoteEnded = true
	c.finish(s)
	c.handler.Trailers(s, s.trailers)
	return nil
}

// priority deals with PRIORITY, which says nothing any more (RFC 9113 5.3.2).
func (c *Conn) priority(f *frame) *Error {
	if f.id == 0 {
		return ErrStreamID
	}
	var why *Error
	switch {
	case len(f.payload) != 5:
		why = errStreamPriority
	case binary.BigEndian.Uint32(f.payload)&maxID == f.id:
		why = errStreamDepends
	default:
		return c.idleFrame(1)
	}
	if s := c.streams.get(f.id); s != nil {
		return c.fault(s, why)
	}
	if why == errStreamPriority {
		return ErrFrameLength
	}
	return ErrDependency
}

// reset deals with RST_STREAM (RFC 9113 6.4).
func (c *Conn) reset(f *frame) *Error {
	switch {
	case f.id == 0:
		return ErrStreamID
	case len(f.payload) != 4:
		return ErrFrameLength
	case c.idle(f.id):
		return ErrIdle
	}
	s := c.streams.get(f.id)
	if s == nil {
		return c.idleFrame(1)
	}
	early := !s.headed
	c.close(s, false)
	c.handler.Reset(s, Code(binary.BigEndian.Uint32(f.payload)))
	if c.server && early {
		return c.chargeReset()
	}
	return nil
}

// ping deals with PING (RFC 9113 6.7).
func (c *Conn) ping(f *frame) *Error {
	switch {
	case f.id != 0:
		return ErrStreamID
	case len(f.payload) != 8:
		return ErrFrameLength
	case f.has(ackFlag):
		c.handler.Pong([8]byte(f.payload))
		return c.idleFrame(1)
	}
	if c.room() {
		c.out = append(appendFrame(c.out, 8, pingFrame, ackFlag, 0), f.payload...)
	}
	return c.idleFrame(1)
}

// windowUpdate deals with WINDOW_UPDATE (RFC 9113 6.9).
func (c *Conn) windowUpdate(f *frame) *Error {
	if len(f.payload) != 4 {
		return ErrFrameLength
	}
	n := binary.BigEndian.Uint32(f.payload) & maxID
	if n < smallUpdate {
		if err := c.idleFrame(1); err != nil {
			return err
		}
	}
	if f.id == 0 {
		if n == 0 {
			return ErrIncrement
		}
		if c.sendable += int64(n); c.sendable > maxID {
			return ErrOverflow
		}
		c.wake()
		return nil
	}
	if c.idle(f.id) {
		return ErrIdle
	}
	s := c.streams.get(f.id)
	switch {
	case s == nil:
		return c.idleFrame(1)
	case n == 0:
		return c.fault(s, errStreamWindowUp)
	}
	if s.sendable += int64(n); s.sendable > maxID {
		return c.fault(s, errStreamOverflow)
	}
	c.opened(s)
	c.wake()
	return nil
}

// opened queues a stream that waited for its window.
func (c *Conn) opened(s *Stream) {
	if s.wants && s.sendable > 0 {
		s.wants = false
		c.bodies.join(s)
	}
}
