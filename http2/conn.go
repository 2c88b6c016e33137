package http2

import (
	"encoding/binary"
	"math"

	"github.com/trellis-project/trellis/http1"
)

// preface is what a client sends first (RFC 9113 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// IsPreface tells whether the first bytes of a connection are those of a client of HTTP/2; undecided, that more are needed
// to tell.
func IsPreface(p []byte) (is, undecided bool) {
	n := min(len(p), len(preface))
	if string(p[:n]) != preface[:n] {
		return false, false
	}
	return n == len(preface), n < len(preface)
}

// Limits of what a peer may make a connection hold.
const (
	// defaultStreams are enough for a client to keep a link busy (RFC 9113 6.5.2 advises no fewer than 100) and few
	// enough that one connection's requests fit a loop's turn.
	defaultStreams = 128
	// defaultStreamWindow is what a stream may send before any of it is consumed: a fast client's body for one round
	// trip inside of a data centre.
	defaultStreamWindow = 64 << 10
	// defaultConnWindow bounds what all streams of a connection together can make their owner hold.
	defaultConnWindow = 1 << 20
	// defaultPending is how much waits to be sent before writers are told to wait: as much as one read of the other
	// side brings.
	defaultPending = 64 << 10
	// spareControl is how much more than that may wait: one head, which was begun when there was room, and answers to
	// PING, SETTINGS and the like, and updates.
	spareControl = http1.MaxHead + 64<<10
	// blockFrames and blockBytes bound a header block: more than the largest list that is served, so that one that is
	// too large can be answered, and no more frames than a peer with small ones needs for it (CONTINUATION flood).
	blockFrames = 64
	blockBytes  = 128 << 10
	// interims are how many answers before the final one are let pass.
	interims = 32
	// startWindow is what every window begins with (RFC 9113 6.9.2).
	startWindow = 65535
)

// Options are what a connection may be told; the zero value gives the defaults.
type Options struct {
	MaxStreams   int   // that the peer may open at a time, or, of a client, that it opens however many the peer allows
	StreamWindow int   // bytes that a stream may get before they are consumed; 65535 at least
	ConnWindow   int   // bytes that all streams together may; 65535 at least
	MaxPending   int   // bytes that wait to be sent before writers must wait
	Connect      bool  // extended CONNECT is served (RFC 8441)
	Pool         *Pool // of the event loop; a connection without has one of its own
}

// Settings are what the peer has said of itself (RFC 9113 6.5.2, RFC 8441 3).
type Settings struct {
	MaxStreams    uint32
	InitialWindow uint32
	MaxFrame      uint32
	MaxHeaderList uint32 // advice: what is larger may be refused
	Connect       bool   // extended CONNECT is served
}

// Handler is told what comes on a connection, by Receive and Sent. It may call whatever a Conn and its streams have but
// these two. The bytes that it gets are valid during the call only; a head and trailers until the stream is released, or
// until a further head comes.
//
// A stream that was told of by Head or Refused, or that Open gave, is held until it is released.
type Handler interface {
	// Head tells of the head of a request, or of an answer, interim answers too. end tells that nothing follows.
	Head(s *Stream, h *http1.Head, end bool)
	// Refused tells of a head that is not served, for a reason of this package or of http1. A server may answer the stream,
	// and must release it; what else comes on it is dropped. When the head is malformed the stream is reset, after the
	// answer if there is one. A client's stream has been reset.
	Refused(s *Stream, why *http1.Error)
	// Data tells of a part of a body. What becomes of it, Stream.Consumed must be told.
	Data(s *Stream, p []byte, end bool)
	// Trailers tells of the trailers, with which the message ends. There may be none that can be passed on.
	Trailers(s *Stream, fields []http1.Field)
	// Reset tells that a stream has ended early: the peer reset it, or it broke a rule, or the connection ends (Abort).
	// With RefusedStream a client's request was not processed and may be sent again. An answer that had come whole
	// (Stream.Ended) stays good (RFC 9113 8.1): with NoError the server only wants no more of the request.
	Reset(s *Stream, code Code)
	// Writable tells a stream, for which something couldn't be written, that it is worth trying again.
	Writable(s *Stream)
	// Settings tells that the peer's settings have come or changed.
	Settings()
	// Goaway tells that the peer takes no new streams (of a client: serves none above last).
	Goaway(last uint32, code Code)
	// Pong tells of the answer to a Ping.
	Pong(data [8]byte)
}

// Conn is one connection of HTTP/2.
type Conn struct {
	handler Handler
	pool    *Pool
	server  bool
	options Options
	peer    Settings
	budget
	err *Error

	greeting int  // bytes of the client's preface that have come
	settled  bool // the peer's first SETTINGS has come
	dec      decoder
	block    []byte // a header block whose end has not come, with the frame's flags
	blockID  uint32 // its stream, or 0
	blockEnd bool   // its END_STREAM
	blockBad bool   // it depends on itself
	blockN   int    // its frames

	streams  streams
	held     int    // streams that the owner has not released
	last     uint32 // of a server: the highest stream that a client has opened
	next     uint32 // of a client: the next stream to open
	recent   recent
	going    goingAway
	window   int // how much more the peer may send
	consumed int // what it will be told that it may send again

	out      []byte
	sent     int // of out
	enc      encoder
	written  Block
	lower    []byte // a name in lower case
	digits   []byte // a number as the value of a field
	sendable int64  // how much more the peer takes
	heads    queue  // streams whose head could not be written
	bodies   queue  // streams whose data could not be written, but for their own window
	waking   bool
}

// NewServer makes the server's side of a connection.
func NewServer(o Options, h Handler) *Conn {
	c := newConn(o, h, true)
	c.settings()
	return c
}

// NewClient makes the client's side of a connection. Streams may be opened at once.
func NewClient(o Options, h Handler) *Conn {
	c := newConn(o, h, false)
	c.greeting, c.next = len(preface), 1
	c.grow()
	c.out = append(c.out, preface...)
	c.settings()
	return c
}

// newConn makes what both sides have.
func newConn(o Options, h Handler, server bool) *Conn {
	c := &Conn{handler: h, server: server, options: o, pool: o.Pool}
	if c.pool == nil {
		c.pool = new(Pool)
	}
	defaults := func(n *int, value, least int) {
		if *n == 0 {
			*n = value
		}
		*n = min(max(*n, least), maxID)
	}
	defaults(&c.options.MaxStreams, defaultStreams, 1)
	defaults(&c.options.StreamWindow, defaultStreamWindow, startWindow)
	defaults(&c.options.ConnWindow, defaultConnWindow, startWindow)
	defaults(&c.options.MaxPending, defaultPending, maxFrame)
	c.peer = Settings{MaxStreams: math.MaxUint32, InitialWindow: startWindow, MaxFrame: maxFrame, MaxHeaderList: math.MaxUint32}
	c.budget = budget{calm: calmMax, resets: resetsMax}
	c.dec.table.max, c.enc.table.max = tableSize, tableSize
	c.window, c.sendable = c.options.ConnWindow, startWindow
	return c
}

// settings writes the first SETTINGS, and the update that makes the connection's window as large as it shall be.
func (c *Conn) settings() {
	c.grow()
	at := len(c.out)
	b := appendFrame(c.out, 0, settingsFrame, 0, 0)
	if c.server {
		b = appendSetting(b, settingMaxStreams, uint32(c.options.MaxStreams))
		if c.options.Connect {
			b = appendSetting(b, settingConnect, 1)
		}
	} else {
		b = appendSetting(b, settingPush, 0)
	}
	b = appendSetting(b, settingWindow, uint32(c.options.StreamWindow))
	b = appendSetting(b, settingHeaderList, http1.MaxHead)
	b[at+2] = byte(len(b) - at - frameHead)
	if more := c.options.ConnWindow - startWindow; more > 0 {
		b = appendNumber(b, windowFrame, 0, uint32(more))
	}
	c.out = b
}

// Settled tells that the peer's settings have come. Until then nobody knows how many streams it takes.
func (c *Conn) Settled() bool { return c.settled }

// Peer returns the peer's settings, those of RFC 9113 6.5.2 until they have come.
func (c *Conn) Peer() Settings { return c.peer }

// Err returns why the connection failed, or nil.
func (c *Conn) Err() error {
	if c.err == nil {
		return nil
	}
	return c.err
}

// Streams returns how many streams are open, and how many the owner holds.
func (c *Conn) Streams() (open, held int) { return c.streams.count, c.held }

// Receive takes bytes that came and tells the handler of the frames that are whole. It returns how many bytes it took;
// the rest is the beginning of a frame and shall be handed in again with what follows: p must have room for 16393
// bytes. An error is always an *Error and ends the connection: GOAWAY is pending, and once it is sent the owner closes the
// connection and calls Abort.
func (c *Conn) Receive(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.greeting < len(preface) {
		n = min(len(preface)-c.greeting, len(p))
		if string(p[:n]) != preface[c.greeting:c.greeting+n] {
			return n, c.fail(ErrPreface)
		}
		if c.greeting += n; c.greeting < len(preface) {
			return n, nil
		}
	}
	for len(p)-n >= frameHead {
		head := p[n : n+frameHead]
		size := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		f := frame{kind: head[3], flags: head[4], id: binary.BigEndian.Uint32(head[5:]) & maxID}
		if size > maxFrame {
			return n, c.fail(ErrFrameSize)
		}
		if len(p)-n < frameHead+size {
			break
		}
		f.payload = p[n+frameHead : n+frameHead+size : n+frameHead+size]
		n += frameHead + size
		if err := c.frame(&f); err != nil {
			return n, c.fail(err)
		}
		if c.err != nil { // something that was written failed the connection
			return n, c.err
		}
	}
	return n, nil
}

// fail ends the connection with a GOAWAY that says why.
func (c *Conn) fail(why *Error) error {
	if c.err == nil {
		last := c.last
		if c.going.final {
			last = min(last, c.going.last) // it can't go up (RFC 9113 6.8)
		}
		c.grow()
		c.out = appendGoaway(c.out, last, why.Code)
		c.err = why
	}
	return c.err
}

// Abort tells the handler of every stream that is open that it has ended, when the connection has: it failed, or the
// other side closed it.
func (c *Conn) Abort(code Code) {
	if c.err == nil {
		c.err = ErrClosed
	}
	c.streams.each(func(s *Stream) {
		c.close(s, false)
		c.handler.Reset(s, code)
	})
}

// frame deals with one frame.
func (c *Conn) frame(f *frame) *Error {
	if !c.settled && (f.kind != settingsFrame || f.has(ackFlag)) {
		return ErrPreface
	}
	if c.blockID != 0 && (f.kind != continuationFrame || f.id != c.blockID) {
		return ErrContinuation
	}
	switch f.kind {
	case dataFrame:
		return c.data(f)
	case headersFrame:
		return c.headers(f)
	case priorityFrame:
		return c.priority(f)
	case resetFrame:
		return c.reset(f)
	case settingsFrame:
		return c.setting(f)
	case pushFrame:
		return ErrPush
	case pingFrame:
		return c.ping(f)
	case goawayFrame:
		return c.goaway(f)
	case windowFrame:
		return c.windowUpdate(f)
	case continuationFrame:
		return c.continuation(f)
	}
	return c.idleFrame(1) // RFC 9113 5.5: of a kind that is not known
}
