package http2

import (
	"strconv"
	"strings"

	"github.com/trellis-project/trellis/http1"
)

// Block is a header block that is being written, from Answer, Trailers or Open to Send. Nothing else may be done with
// the connection meanwhile.
type Block struct {
	conn   *Conn
	stream *Stream
	start  int // of its frame in conn.out
	final  bool
}

// begin starts a block of a stream.
func (c *Conn) begin(s *Stream) *Block {
	c.grow()
	c.written = Block{conn: c, stream: s, start: len(c.out), final: true}
	c.out = c.enc.begin(appendFrame(c.out, 0, headersFrame, endHeadersFlag, s.id))
	return &c.written
}

// Answer starts the head of an answer, an interim one below 200. The error is ErrClosed, or ErrBlocked when too much waits
// to be sent.
func (s *Stream) Answer(status int) (*Block, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	c := s.conn
	b := c.begin(s)
	b.final = status >= 200
	c.out = c.enc.status(c.out, status)
	return b, nil
}

// Trailers starts the trailers of a message. Send ends the stream.
func (s *Stream) Trailers() (*Block, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	return s.conn.begin(s), nil
}

// writable is why a block can't be begun now, nil when it can. A stream that must wait is told when it need not any more.
func (s *Stream) writable() error {
	c := s.conn
	switch {
	case s.closed || s.localEnded || c.err != nil:
		return ErrClosed
	case c.spare() == 0:
		c.heads.join(s)
		return ErrBlocked
	}
	return nil
}

// Open starts a request on a stream of its own, with h's method, host, path and query: of h's fields, none is written
// yet. upgrade is the protocol that an extended CONNECT asks for, whatever h's method is (RFC 8441), or "". The error is ErrBusy when a stream
// must end, or something must be sent, first; ErrDraining, ErrExhausted or ErrClosed when the connection will take no more;
// ErrConnect when the server doesn't take extended CONNECT.
func (c *Conn) Open(h *http1.Head, scheme, upgrade string) (*Stream, *Block, error) {
	if err := c.canOpen(); err != nil {
		return nil, nil, err
	}
	if upgrade != "" && !c.peer.Connect {
		return nil, nil, ErrConnect
	}
	s := c.newStream(c.next)
	c.next += 2
	s.toHead = h.Method == "HEAD"
	b := c.begin(s)
	out := c.out
	if upgrade == "" {
		out = c.enc.field(out, ":method", h.Method, false)
	} else {
		out = c.enc.field(c.enc.field(out, ":method", "CONNECT", false), ":protocol", upgrade, false)
	}
	out = c.enc.field(out, ":scheme", scheme, false)
	if h.Host != "" {
		out = c.enc.field(out, ":authority", h.Host, false)
	}
	c.out = appendPath(out, h)
	return s, b, nil
}

// appendPath writes :path. Paths seldom repeat, and tell much: they go into no table but "/", which is in all.
func appendPath(dst []byte, h *http1.Head) []byte {
	const index, slash = 4, 0x80 | 4
	if h.Path == "/" && !h.HasQuery {
		return append(dst, slash)
	}
	n := len(h.Path)
	if h.HasQuery {
		n += 1 + len(h.RawQuery)
	}
	dst = append(appendInteger(append(dst, index), 0, 7, n), h.Path...)
	if h.HasQuery {
		dst = append(append(dst, '?'), h.RawQuery...)
	}
	return dst
}

// Field writes a field. The value must be a valid one; the name is written in lower case.
func (b *Block) Field(name, value string) {
	b.field(name, value, false)
}

// Bytes is Field for a value that stands in a buffer.
func (b *Block) Bytes(name string, value []byte) {
	b.field(name, view(value), false)
}

// Number is Field for a number.
func (b *Block) Number(name string, n int64) {
	b.conn.digits = strconv.AppendInt(b.conn.digits[:0], n, 10)
	b.field(name, view(b.conn.digits), false)
}

// Secret is Field for what no hop may keep in a table: credentials (RFC 7541 7.1.3).
func (b *Block) Secret(name, value string) {
	b.field(name, value, true)
}

// field writes a field.
func (b *Block) field(name, value string, secret bool) {
	c := b.conn
	if hasUpper(name) {
		c.lower = appendLower(c.lower[:0], name)
		name = view(c.lower)
	}
	c.out = c.enc.field(c.out, name, value, secret)
}

// Fields writes those fields of a head that may go to the next hop, but for those of the kinds in drop, as
// http1.AppendFields does. Host is left out, since Open has written it. TE goes on when it asks for trailers, as gRPC's
// clients must have it (RFC 9113 8.2.2).
func (b *Block) Fields(h *http1.Head, drop http1.Mask) {
	if h.Method != "" {
		drop |= 1 << http1.Host
	}
	for i := range h.Fields {
		f := &h.Fields[i]
		if !h.Passes(i, drop) {
			if h.Kinds[i] == http1.HopByHop && len(f.Name) == len("te") && strings.EqualFold(f.Value, "trailers") {
				b.field("te", "trailers", false)
			}
			continue
		}
		if n := h.HopsLeft(i); n >= 0 {
			b.Number(f.Name, n)
			continue
		}
		b.field(f.Name, f.Value, h.Secret[i/64]&(1<<(i%64)) != 0 || credential(h.Kinds[i], f.Name))
	}
}

// credential tells whether a field says who somebody is: it goes into no table.
func credential(k http1.Kind, name string) bool {
	switch len(name) {
	case len("cookie"):
		return strings.EqualFold(name, "cookie")
	case len("set-cookie"):
		return strings.EqualFold(name, "set-cookie")
	case len("x-amz-security-token"):
		return strings.EqualFold(name, "x-amz-security-token")
	}
	return k == http1.Authorization
}

// Length writes content-length, if the head has one, as http1.AppendFraming does.
func (b *Block) Length(h *http1.Head) {
	if h.Declared {
		b.Number("content-length", h.Length)
	}
}

// Send ends the block; end ends the message with it. Trailers always do.
func (b *Block) Send(end bool) {
	c, s := b.conn, b.stream
	if c.server && s.headed || !c.server && s.sentHead {
		end = true
	}
	if c.server {
		s.headed = s.headed || b.final
	} else {
		s.sentHead = true
	}
	length, flags := len(c.out)-b.start-frameHead, uint8(endHeadersFlag)
	if length > maxFrame {
		b.split(length)
		length, flags = maxFrame, 0
	}
	if end {
		flags |= endStreamFlag
	}
	appendFrame(c.out[b.start:b.start], length, headersFrame, flags, s.id)
	if end {
		s.ended()
	}
	b.stream = nil
}

// split cuts a block that is larger than a frame into one that begins it, and others that continue it.
func (b *Block) split(length int) {
	c := b.conn
	more := (length - 1) / maxFrame // frames after the first
	c.out = append(c.out, make([]byte, more*frameHead)...)
	for i := more; i > 0; i-- {
		from := b.start + frameHead + i*maxFrame
		to := from + i*frameHead
		size := min(maxFrame, length-i*maxFrame)
		copy(c.out[to:to+size], c.out[from:from+size])
		var flags uint8
		if i == more {
			flags = endHeadersFlag
		}
		at := to - frameHead
		appendFrame(c.out[at:at], size, continuationFrame, flags, b.stream.id)
	}
}

// appendLower writes a name in lower case.
func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}
