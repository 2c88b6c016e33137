package main

import (
	"bytes"
	"log"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/bench/socket"
	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/http2"
)

// session is a connection of HTTP/2 by prior knowledge: small answers, and answers of gRPC.
type session struct {
	t       *target
	fd      int
	conn    *http2.Conn
	rest    []byte // the beginning of a frame
	blocked bool   // the socket has no room for what is pending
}

// reply is what is still to be sent on a stream.
type reply struct {
	grpc     bool
	begun    bool // the head is sent
	messages int  // of gRPC
	sent     int  // of the message that is sent
}

// What is answered: a small body, and messages of gRPC (a byte for compression, four for the length).
var (
	small   = []byte(`{"order":12345,"ok":true}` + "\n")
	message = append([]byte{0, 0, 0, 0, 100}, bytes.Repeat([]byte("m"), 100)...)
)

// begin makes a connection one of HTTP/2. first was read of it.
func (t *target) begin(fd int, c *conn, first []byte) bool {
	s := &session{t: t, fd: fd}
	s.conn = http2.NewServer(http2.Options{MaxStreams: 1000, Pool: &t.pool}, s)
	c.http2 = s
	return s.take(first)
}

// serve reads and answers what there is. It returns false when the connection is over.
func (s *session) serve() bool {
	if s.blocked {
		return s.flush()
	}
	n := copy(s.t.scratch, s.rest)
	m, errno := socket.Read(s.fd, s.t.scratch[n:])
	if errno != 0 {
		return errno == unix.EAGAIN
	}
	return m > 0 && s.take(s.t.scratch[:n+m])
}

// take takes what was read.
func (s *session) take(b []byte) bool {
	n, err := s.conn.Receive(b)
	s.rest = append(s.rest[:0], b[n:]...)
	if err != nil {
		log.Printf("a connection of HTTP/2: %v", err)
	}
	return s.flush() && err == nil
}

// flush sends what is pending.
func (s *session) flush() bool {
	for len(s.conn.Pending()) > 0 {
		n, errno := socket.Write(s.fd, s.conn.Pending())
		if errno == unix.EAGAIN {
			if s.blocked {
				return true
			}
			s.blocked = true
			return s.t.poll.AwaitRoom(s.fd, true) == nil
		}
		if errno != 0 {
			return false
		}
		s.conn.Sent(n)
	}
	if s.blocked {
		s.blocked = false
		return s.t.poll.AwaitRoom(s.fd, false) == nil
	}
	return true
}

// Head is http2.Handler's. A path that ends in /stream/N asks for N messages of gRPC.
func (s *session) Head(x *http2.Stream, h *http1.Head, end bool) {
	r := s.t.reply()
	x.Owner = r
	for i := range h.Fields {
		if h.Fields[i].Name == "content-type" && h.Fields[i].Value == "application/grpc" {
			r.grpc, r.messages = true, 1
		}
	}
	if i := bytes.LastIndex([]byte(h.Path), []byte("/stream/")); i >= 0 {
		r.messages, _ = strconv.Atoi(h.Path[i+len("/stream/"):])
	}
	if end {
		s.Writable(x)
	}
}

// Writable is http2.Handler's: more of the answer can be sent.
func (s *session) Writable(x *http2.Stream) {
	if r, ok := x.Owner.(*reply); ok && s.answer(x, r) {
		s.end(x)
	}
}

// answer sends as much of the answer as there is room for. It returns true when that is all.
func (s *session) answer(x *http2.Stream, r *reply) bool {
	if !r.begun {
		b, err := x.Answer(200)
		if err != nil {
			return err != http2.ErrBlocked
		}
		if r.grpc {
			b.Field("content-type", "application/grpc")
		} else {
			b.Field("content-type", "application/json")
			b.Number("content-length", int64(len(small)))
		}
		b.Send(false)
		r.begun = true
	}
	if !r.grpc {
		n, err := x.WriteData(small[r.sent:], true)
		r.sent += n
		return err != nil || r.sent == len(small)
	}
	for ; r.messages > 0; r.messages, r.sent = r.messages-1, 0 {
		n, err := x.WriteData(message[r.sent:], false)
		if err != nil {
			return true
		}
		if r.sent += n; r.sent < len(message) {
			return false // goes on when there is room
		}
	}
	b, err := x.Trailers()
	if err != nil {
		return err != http2.ErrBlocked
	}
	b.Number("grpc-status", 0)
	b.Send(true)
	return true
}

// end gives a stream back.
func (s *session) end(x *http2.Stream) {
	if r, ok := x.Owner.(*reply); ok {
		s.t.replies = append(s.t.replies, r)
	}
	x.Owner = nil
	x.Release()
}

// Data is http2.Handler's.
func (s *session) Data(x *http2.Stream, p []byte, end bool) {
	x.Consumed(len(p))
	if end {
		s.Writable(x)
	}
}

// Trailers is http2.Handler's.
func (s *session) Trailers(x *http2.Stream, _ []http1.Field) {
	s.Writable(x)
}

// Refused is http2.Handler's.
func (s *session) Refused(x *http2.Stream, _ *http1.Error) { x.Release() }

// Reset is http2.Handler's.
func (s *session) Reset(x *http2.Stream, _ http2.Code) { s.end(x) }

// Settings is http2.Handler's.
func (s *session) Settings() {}

// Goaway is http2.Handler's.
func (s *session) Goaway(uint32, http2.Code) {}

// Pong is http2.Handler's.
func (s *session) Pong([8]byte) {}

// reply returns one that is nobody's.
func (t *target) reply() *reply {
	last := len(t.replies) - 1
	if last < 0 {
		return new(reply)
	}
	r := t.replies[last]
	t.replies = t.replies[:last]
	*r = reply{}
	return r
}
