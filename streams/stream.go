package streams

import (
	"errors"
	"io"
	"time"

	"github.com/trellis-project/trellis/http1"
	"github.com/trellis-project/trellis/http2"
	"github.com/trellis-project/trellis/reactor"
)

// Ended is why a stream ended early: the other side reset it, or its connection has ended.
type Ended struct {
	Code http2.Code
	Lost bool // with the connection: the other side has not said so
}

// Error is error's.
func (e *Ended) Error() string { return "the stream was reset: " + e.Code.String() }

// Stream is one request and its answer. One fiber at a time reads, and one writes.
type Stream struct {
	HTTP2 *http2.Stream
	// Head is the last head that has come, valid until the stream is released or another head comes.
	Head *http1.Head
	// Gone, if it is set, is called once when the stream ends early.
	Gone func()

	session   *Session
	buffer    []byte // while data waits to be read: of the loop, or few
	few       [fewBytes]byte
	from, to  int  // of it, the data
	ended     bool // nothing comes behind it
	trailers  []http1.Field
	err       error // why the stream ended early
	interrupt error // what every wait ends with

	readDue, writeDue  time.Duration
	headed, came, room reactor.Signal
	released           bool
}

// fewBytes is how much data needs no buffer of the loop: most answers and messages of an API. A stream for each of
// thousands of requests would hold such a buffer until its fiber's turn has come, and they don't stay in a cache.
const fewBytes = 512

// data takes data that has come. The window of a stream is no larger than a buffer of the loop, so there is room.
func (st *Stream) data(p []byte, end bool) {
	st.ended = st.ended || end
	if len(p) > 0 {
		if st.buffer == nil {
			st.buffer, st.from, st.to = st.few[:], 0, 0
		}
		if st.to+len(p) > len(st.buffer) {
			st.makeRoom(len(p))
		}
		st.to += copy(st.buffer[st.to:], p)
	}
	st.came.Set()
}

// makeRoom moves the data that waits to the front, or into a buffer of the loop.
func (st *Stream) makeRoom(n int) {
	from := st.buffer[st.from:st.to]
	if len(st.buffer) == fewBytes && len(from)+n > fewBytes {
		st.buffer = st.session.o.Loop.Buffer()
	}
	st.from, st.to = 0, copy(st.buffer, from)
}

// dropBuffer gives the buffer back.
func (st *Stream) dropBuffer() {
	if len(st.buffer) > fewBytes {
		st.session.o.Loop.Release(st.buffer)
	}
	st.buffer, st.from, st.to = nil, 0, 0
}

// end ends the stream early.
func (st *Stream) end(why error) {
	if st.err != nil {
		return
	}
	st.err = why
	if st.Gone != nil { // first: whoever is woken may give the stream back
		st.Gone()
	}
	st.wake()
}

// wake ends all waits, so that they look what has become of the stream.
func (st *Stream) wake() {
	st.headed.Set()
	st.came.Set()
	st.room.Set()
}

// Err is why the stream ended early, nil when it did not.
func (st *Stream) Err() error { return st.err }

// Interrupt makes every wait end with an error, those under way and those to come; nil takes that back.
func (st *Stream) Interrupt(err error) {
	st.interrupt = err
	if err != nil {
		st.wake()
	}
}

// SetReadDeadline sets when waiting to read ends: a time of the loop, 0 for never. A wait that is under way takes over
// what is later.
func (st *Stream) SetReadDeadline(at time.Duration) { st.readDue = at }

// SetWriteDeadline sets when waiting to write ends.
func (st *Stream) SetWriteDeadline(at time.Duration) { st.writeDue = at }

// forever is how long a wait without a deadline lasts at a time.
const forever = time.Hour

// await waits for a signal until a deadline, which may be put off meanwhile.
func (st *Stream) await(signal *reactor.Signal, due *time.Duration) error {
	loop := st.session.o.Loop
	for {
		if st.interrupt != nil {
			return st.interrupt
		}
		if signal.IsSet() {
			*signal = reactor.Signal{}
			return nil
		}
		left := forever
		if *due != 0 {
			if left = *due - loop.Now(); left <= 0 {
				return reactor.ErrTimeout
			}
		}
		_ = loop.Await(signal, left) // what happened is looked at above
	}
}

// WaitHead waits for the next head of an answer. ended tells that nothing follows it.
func (st *Stream) WaitHead() (head *http1.Head, ended bool, err error) {
	for st.Head == nil {
		if st.err != nil {
			return nil, false, st.err
		}
		if err := st.await(&st.headed, &st.readDue); err != nil {
			return nil, false, err
		}
	}
	head, st.Head = st.Head, nil
	return head, st.ended && st.from == st.to && st.trailers == nil, nil
}

// Ended tells that everything has come and was read, but for trailers.
func (st *Stream) Ended() bool { return st.ended && st.from == st.to }

// Waiting is the data that has come and was not read.
func (st *Stream) Waiting() []byte {
	if st.buffer == nil {
		return nil
	}
	return st.buffer[st.from:st.to]
}

// WaitRead waits until there is data to read, or its end: a buffer is needed only afterwards.
func (st *Stream) WaitRead() error {
	for st.from == st.to && !st.ended {
		if st.err != nil {
			return st.err
		}
		if err := st.await(&st.came, &st.readDue); err != nil {
			return err
		}
	}
	return st.interrupt
}

// Read reads data, waiting for it. At the end of the data it returns io.EOF; Trailers may follow.
func (st *Stream) Read(p []byte) (int, error) {
	if err := st.WaitRead(); err != nil {
		return 0, err
	}
	if st.from == st.to {
		return 0, io.EOF
	}
	n := copy(p, st.buffer[st.from:st.to])
	st.from += n
	if st.from == st.to {
		st.dropBuffer()
	}
	st.HTTP2.Consumed(n)
	st.session.Flush()
	return n, nil
}

// Trailers are the trailers that have come behind the data.
func (st *Stream) Trailers() []http1.Field { return st.trailers }

// Write writes data, waiting until the other side takes it.
func (st *Stream) Write(p []byte) (sent int, err error) { return st.WriteData(p, false) }

// WriteData writes data; end ends the message with it.
func (st *Stream) WriteData(p []byte, end bool) (sent int, err error) {
	for {
		if st.interrupt != nil {
			return sent, st.interrupt
		}
		if st.err != nil {
			return sent, st.err
		}
		n, err := st.HTTP2.WriteData(p, end)
		sent, p = sent+n, p[n:]
		st.session.Flush()
		if err != nil || len(p) == 0 {
			return sent, err
		}
		if err := st.await(&st.room, &st.writeDue); err != nil {
			return sent, err
		}
	}
}

// CloseWrite ends the message.
func (st *Stream) CloseWrite() error {
	_, err := st.WriteData(nil, true)
	return err
}

// Answer begins a head; see http2.Stream.Answer. It waits until there is room.
func (st *Stream) Answer(status int) (*http2.Block, error) {
	return st.block(func() (*http2.Block, error) { return st.HTTP2.Answer(status) })
}

// Trailing begins the trailers; see http2.Stream.Trailers. It waits until there is room.
func (st *Stream) Trailing() (*http2.Block, error) { return st.block(st.HTTP2.Trailers) }

// WriteTrailers writes the trailers, which end the message.
func (st *Stream) WriteTrailers(fields []http1.Field) error {
	b, err := st.Trailing()
	if err != nil {
		return err
	}
	for _, f := range fields {
		b.Field(f.Name, f.Value)
	}
	b.Send(true)
	st.session.Flush()
	return nil
}

// block begins a header block.
func (st *Stream) block(begin func() (*http2.Block, error)) (*http2.Block, error) {
	for {
		if st.interrupt != nil {
			return nil, st.interrupt
		}
		if st.err != nil {
			return nil, st.err
		}
		b, err := begin()
		if err == nil {
			return b, nil
		}
		if err != http2.ErrBlocked {
			return nil, err
		}
		if err := st.await(&st.room, &st.writeDue); err != nil {
			return nil, err
		}
	}
}

// Flush makes sure that what was written will be sent.
func (st *Stream) Flush() { st.session.Flush() }

// Reset ends the stream early.
func (st *Stream) Reset(code http2.Code) {
	st.HTTP2.Reset(code)
	st.session.Flush()
}

// errReleased ends the waits of a stream that another fiber has released.
var errReleased = errors.New("the stream was released")

// Release gives the stream back. What has not ended is reset. A fiber that still uses it gets an error.
func (st *Stream) Release() {
	if st.released {
		return
	}
	st.released = true
	s := st.session
	st.dropBuffer()
	st.Head, st.ended, st.trailers, st.Gone = nil, false, nil, nil
	st.HTTP2.Owner = nil
	st.HTTP2.Release()
	if st.err == nil {
		st.err = errReleased
	}
	st.wake()
	s.held--
	s.Flush()
	s.o.Changed()
}

// Close is Release, as connections are called.
func (st *Stream) Close() error {
	st.Release()
	return nil
}

// Open opens a stream of a client, whose head is written by the block.
func (s *Session) Open(h *http1.Head, scheme, upgrade string) (*Stream, *http2.Block, error) {
	if s.err != nil {
		return nil, nil, s.err
	}
	x, b, err := s.HTTP2.Open(h, scheme, upgrade)
	if err != nil {
		return nil, nil, err
	}
	return s.adopt(x), b, nil
}
