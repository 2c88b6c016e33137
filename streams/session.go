package streams

import (
	"errors"
	"io"
	"time"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/http2"
	"github.com/trellis-project/trellis/reactor"
)

// Transport is the connection below a session, with TLS or without.
type Transport interface {
	TryRead(b []byte) (int, error)
	Write(b []byte) (int, error)
	SetWriteDeadline(at time.Duration)
}

// Options are what a session needs.
type Options struct {
	Loop      *reactor.Loop
	Transport Transport
	HTTP2     http2.Options
	Pool      *Pool // of the event loop; without one, nothing is used again
	// Request is told of a request, of a server. Whoever gets the stream releases it.
	Request func(s *Stream)
	// Refused is told of a request that is not served, and why. Whoever gets the stream may answer, and releases it.
	Refused func(s *Stream, why *http1.Error)
	// Changed is told after something has happened to the session as a whole: a stream was released, the peer goes away or
	// has said what it allows, it failed.
	Changed func()
	// Patience is how long the peer may take nothing of what is to be sent.
	Patience func() time.Duration
}

// Session is a connection of HTTP/2.
type Session struct {
	HTTP2 *http2.Conn
	o     Options
	rest  []byte // the beginning of a frame
	held  int    // streams that are not released
	err   error  // why the session is over

	flushing bool
}

// NewServer makes the server's side of a connection.
func NewServer(o Options) *Session {
	s := &Session{o: o}
	s.HTTP2 = http2.NewServer(o.HTTP2, s)
	s.Flush()
	return s
}

// NewClient makes the client's side of a connection.
func NewClient(o Options) *Session {
	s := &Session{o: o}
	s.HTTP2 = http2.NewClient(o.HTTP2, s)
	s.Flush()
	return s
}

// Err is why the session is over, nil while it is not.
func (s *Session) Err() error { return s.err }

// Streams is how many streams are held by somebody.
func (s *Session) Streams() int { return s.held }

// Partial tells that the beginning of a frame has come and its end has not.
func (s *Session) Partial() bool { return len(s.rest) > 0 }

// errFailed says that the other side broke the protocol.
var errFailed = errors.New("the connection failed")

// Read reads what has come, one buffer of it. It returns false when nothing had. It is called by a fiber; it does not wait.
func (s *Session) Read() bool {
	if s.err != nil {
		return false
	}
	s.HTTP2.Tick(s.o.Loop.Now())
	b := s.o.Loop.Buffer()
	defer s.o.Loop.Release(b)
	n := copy(b, s.rest)
	m, err := s.o.Transport.TryRead(b[n:])
	if m > 0 {
		var used int
		if used, err = s.HTTP2.Receive(b[:n+m]); err == nil {
			s.keep(b[used : n+m])
		} else {
			err = errFailed
		}
		s.Flush()
	}
	if err != nil {
		s.Fail(err)
		return false
	}
	return m > 0
}

// Take takes bytes that were read elsewhere, before the first Read.
func (s *Session) Take(read []byte) {
	used, err := s.HTTP2.Receive(read)
	s.keep(read[used:])
	s.Flush()
	if err != nil {
		s.Fail(errFailed)
	}
}

// keep keeps the beginning of a frame.
func (s *Session) keep(p []byte) {
	if len(p) == 0 {
		s.rest = nil
		return
	}
	s.rest = append(s.rest[:0], p...)
}

// Fail ends the session: all waits of its streams end with an error. What is pending, a reason for the peer above all, is
// still sent if that takes no waiting.
func (s *Session) Fail(err error) {
	if s.err != nil {
		return
	}
	s.err, s.rest = err, nil
	if errors.Is(err, io.EOF) || !errors.Is(err, errFailed) {
		s.HTTP2.Abort(http2.Cancel)
	} else {
		s.HTTP2.Abort(http2.ProtocolError)
	}
	s.o.Changed()
}

// Close is Fail when the connection below has been closed: nothing more is sent.
func (s *Session) Close(err error) {
	s.Fail(err)
	if !s.flushing {
		s.HTTP2.Sent(len(s.HTTP2.Pending()))
	}
}

// Flush makes sure that what is pending will be sent, soon.
func (s *Session) Flush() {
	if s.flushing || len(s.HTTP2.Pending()) == 0 {
		return
	}
	s.flushing = true
	s.o.Loop.Go((*flusher)(s))
}

// flusher is a session as the task of the fiber that sends.
type flusher Session

// Run sends what is pending, until nothing is. What is on its way is a copy, so that streams write meanwhile.
func (f *flusher) Run() {
	s := (*Session)(f)
	b := s.o.Loop.Buffer()
	defer s.o.Loop.Release(b)
	for {
		n := copy(b, s.HTTP2.Pending())
		if n == 0 {
			break
		}
		s.HTTP2.Sent(n)
		s.o.Transport.SetWriteDeadline(s.o.Loop.Now() + s.o.Patience())
		if _, err := s.o.Transport.Write(b[:n]); err != nil {
			s.HTTP2.Sent(len(s.HTTP2.Pending()))
			s.flushing = false
			s.Fail(err)
			return
		}
	}
	s.flushing = false
	s.o.Changed()
}

// Sending tells that something is on its way to the socket.
func (s *Session) Sending() bool { return s.flushing }

// Head is http2.Handler's.
func (s *Session) Head(h *http2.Stream, head *http1.Head, end bool) {
	st, ok := h.Owner.(*Stream)
	if !ok {
		st = s.adopt(h)
		st.Head, st.ended = head, end
		s.o.Request(st)
		return
	}
	st.Head, st.ended = head, end
	st.headed.Set()
	if end {
		st.came.Set()
	}
}

// adopt makes the Stream of a stream.
func (s *Session) adopt(h *http2.Stream) *Stream {
	st := s.newStream()
	st.HTTP2, st.session = h, s
	h.Owner = st
	s.held++
	return st
}

// newStream returns a stream that is nobody's.
func (s *Session) newStream() *Stream {
	if s.o.Pool == nil {
		return new(Stream)
	}
	return s.o.Pool.stream()
}

// Refused is http2.Handler's.
func (s *Session) Refused(h *http2.Stream, why *http1.Error) {
	if st, ok := h.Owner.(*Stream); ok {
		st.end(why)
		return
	}
	s.o.Refused(s.adopt(h), why)
}

// Data is http2.Handler's.
func (s *Session) Data(h *http2.Stream, p []byte, end bool) {
	if st, ok := h.Owner.(*Stream); ok {
		st.data(p, end)
		return
	}
	h.Consumed(len(p))
}

// Trailers is http2.Handler's.
func (s *Session) Trailers(h *http2.Stream, fields []http1.Field) {
	if st, ok := h.Owner.(*Stream); ok {
		st.trailers, st.ended = fields, true
		st.came.Set()
	}
}

// Reset is http2.Handler's.
func (s *Session) Reset(h *http2.Stream, code http2.Code) {
	if st, ok := h.Owner.(*Stream); ok {
		st.end(&Ended{code, s.err != nil})
	}
}

// Writable is http2.Handler's.
func (s *Session) Writable(h *http2.Stream) {
	if st, ok := h.Owner.(*Stream); ok {
		st.room.Set()
	}
}

// Settings is http2.Handler's.
func (s *Session) Settings() { s.o.Changed() }

// Goaway is http2.Handler's.
func (s *Session) Goaway(uint32, http2.Code) { s.o.Changed() }

// Pong is http2.Handler's.
func (s *Session) Pong([8]byte) {}
