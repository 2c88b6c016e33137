package http2

import "encoding/binary"

// goingAway is where a connection stands that takes no new streams (RFC 9113 6.8).
type goingAway struct {
	announced bool   // we have said that we will go
	final     bool   // and which was the last stream
	last      uint32 // that stream
	told      bool   // the peer goes
	theirs    uint32 // the last stream that it serves
}

// refuses tells whether a server that goes takes a stream no more.
func (g *goingAway) refuses(id uint32) bool { return g.final && id > g.last }

// Shutdown says that the connection will take no new streams: a client sends no more requests once it has read this,
// and those that are on their way are served.
func (c *Conn) Shutdown() {
	if c.going.announced || c.err != nil {
		return
	}
	c.going.announced = true
	c.grow()
	if !c.server {
		c.out = appendGoaway(c.out, 0, NoError)
		return
	}
	c.out = appendGoaway(c.out, maxID, NoError)
}

// ShutdownNow names the last stream that a server serves, after a round trip or what else the owner holds for time enough
// (RFC 9113 6.8). Further ones are refused; their client may send them elsewhere.
func (c *Conn) ShutdownNow() {
	c.Shutdown()
	if !c.server || c.going.final || c.err != nil {
		return
	}
	c.going.final, c.going.last = true, c.last
	c.grow()
	c.out = appendGoaway(c.out, c.last, NoError)
}

// Drained tells that nothing is left to be done on a connection that goes, but to send what is pending. A client that says it
// goes may have frames on their way still, a PING for one, that would meet a closed connection with a reset: its server waits
// for it to close.
func (c *Conn) Drained() bool {
	return (c.going.final || !c.server && (c.going.told || c.going.announced)) && c.streams.count == 0
}

// Closing tells that the connection takes no new streams, since one side said so or it failed.
func (c *Conn) Closing() bool {
	return c.err != nil || c.going.announced || c.going.told || c.next > maxID
}

// goaway deals with GOAWAY. A client's streams that the server won't serve end with RefusedStream.
func (c *Conn) goaway(f *frame) *Error {
	switch {
	case f.id != 0:
		return ErrStreamID
	case len(f.payload) < 8:
		return ErrFrameLength
	}
	last := binary.BigEndian.Uint32(f.payload) & maxID
	code := Code(binary.BigEndian.Uint32(f.payload[4:]))
	if c.going.told && last > c.going.theirs {
		return ErrGoaway
	}
	c.going.told, c.going.theirs = true, last
	if !c.server {
		c.streams.each(func(s *Stream) {
			if s.id > last {
				c.close(s, true)
				c.handler.Reset(s, RefusedStream)
			}
		})
	}
	c.handler.Goaway(last, code)
	return c.idleFrame(1)
}

// canOpen tells whether a client may open a stream now, and if not, why.
func (c *Conn) canOpen() *Error {
	switch {
	case c.err != nil:
		return ErrClosed
	case c.going.told || c.going.announced:
		return ErrDraining
	case c.next > maxID:
		return ErrExhausted
	case uint32(c.streams.count) >= c.peer.MaxStreams || c.streams.count >= c.options.MaxStreams:
		return ErrBusy
	case len(c.Pending()) >= c.options.MaxPending:
		return ErrBusy
	}
	return nil
}

// Room returns how many more streams a client may open now.
func (c *Conn) Room() int {
	if c.canOpen() != nil {
		return 0
	}
	return int(min(uint32(c.options.MaxStreams), c.peer.MaxStreams)) - c.streams.count
}

// appendGoaway writes a GOAWAY.
func appendGoaway(dst []byte, last uint32, code Code) []byte {
	dst = binary.BigEndian.AppendUint32(appendFrame(dst, 8, goawayFrame, 0, 0), last)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}
