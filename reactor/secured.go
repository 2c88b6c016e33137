package reactor

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// Secured is TLS on a Conn, for fibers: at most one reads and one writes at a time.
//
// crypto/tls holds locks while it reads and while it writes. A fiber that waits with such a lock could make another
// one block the whole loop. So what TLS writes is only noted and goes out when no lock is held; while reading, which
// one fiber does at a time, waiting is harmless. TLS gets one record at a time, so that it never holds one back that
// nobody knows of.
type Secured struct {
	tls  *tls.Conn
	wire wire
	more bool // the last read filled its buffer: there may be plain text that was decrypted already
}

// SecureClient begins TLS with a server.
func SecureClient(c *Conn, config *tls.Config) *Secured {
	s := &Secured{wire: wire{c: c}}
	s.tls = tls.Client(&s.wire, config)
	return s
}

// SecureServer begins TLS with a client, of which some bytes have been read already.
func SecureServer(c *Conn, config *tls.Config, read []byte) *Secured {
	s := &Secured{wire: wire{c: c, recording: true}}
	s.tls = tls.Server(&s.wire, config)
	s.wire.take(read)
	return s
}

// OwnerOf returns the owner of the Conn below a connection that crypto/tls names (tls.ClientHelloInfo.Conn), nil when it
// is none of ours.
func OwnerOf(c net.Conn) Owner {
	if w, ok := c.(*wire); ok {
		return w.c.owner
	}
	return nil
}

// Handshake makes the connection secure. Who calls sets the Conn's deadlines.
func (s *Secured) Handshake() error {
	s.wire.patient = true
	err := s.tls.Handshake()
	s.wire.recording, s.wire.recorded = false, nil
	if err != nil {
		return err
	}
	return s.wire.flush()
}

// Refuse sends what TLS has to say of a handshake that failed.
func (s *Secured) Refuse() error { return s.wire.flush() }

// Recorded is what the client has sent until now, valid within a callback of a server's configuration during the
// handshake: who passes a connection on has to pass that on.
func (s *Secured) Recorded() []byte { return s.wire.recorded }

// Forget ends TLS without a word: what it wanted to say is dropped, and what has come as well. The Conn may go on
// as a plain one.
func (s *Secured) Forget() {
	s.wire.release()
	s.wire.dropOut()
}

// State is what the handshake agreed on.
func (s *Secured) State() tls.ConnectionState { return s.tls.ConnectionState() }

// Holds tells whether plain text may be there without news of the socket. s may be nil, for plain TCP.
func (s *Secured) Holds() bool { return s != nil && (s.more || len(s.wire.in) > 0) }

// Read reads plain text, waiting for it.
func (s *Secured) Read(b []byte) (int, error) {
	s.wire.patient = true
	return s.read(b)
}

// TryRead reads plain text that has come, without waiting. It returns 0 and no error when nothing has.
func (s *Secured) TryRead(b []byte) (int, error) {
	s.wire.patient = false
	n, err := s.read(b)
	if errors.Is(err, errNotYet) {
		err = nil
	}
	return n, err
}

// read reads plain text.
func (s *Secured) read(b []byte) (int, error) {
	n, err := s.tls.Read(b)
	s.more = n == len(b) && n > 0
	if n > 0 && err != nil && !errors.Is(err, io.EOF) {
		err = nil // it comes again
	}
	return n, err
}

// maxPlain is how much plain text is encrypted at once: with what TLS adds it fits a buffer of the loop.
const maxPlain = BufferSize - BufferSize/16

// Write2 sends two pieces of plain text, at once if they are not too long for that.
func (s *Secured) Write2(a, b []byte) (sent int, err error) {
	if len(a)+len(b) <= maxPlain && len(a) > 0 {
		if _, err := s.tls.Write(a); err != nil {
			return 0, err
		}
		n, err := s.Write(b)
		return len(a) + n, err
	}
	if sent, err = s.Write(a); err != nil {
		return sent, err
	}
	n, err := s.Write(b)
	return sent + n, err
}

// Write sends plain text.
func (s *Secured) Write(b []byte) (sent int, err error) {
	for len(b) > 0 {
		n, err := s.tls.Write(b[:min(len(b), maxPlain)])
		if err != nil {
			return sent, err
		}
		if err := s.wire.flush(); err != nil {
			return sent, err
		}
		sent, b = sent+n, b[n:]
	}
	return sent, nil
}

// CloseWrite tells the other side that nothing more is sent.
func (s *Secured) CloseWrite() error {
	return errors.Join(s.tls.CloseWrite(), s.wire.flush())
}

// Close gives back what is held, and says goodbye if that takes no waiting. The Conn is closed by its owner afterwards.
func (s *Secured) Close() {
	w := &s.wire
	if !w.sending && w.c.writable && s.tls.CloseWrite() == nil && len(w.out) > 0 {
		send(w.c.fd, w.out) // who does not take it learns of the end from TCP
	}
	w.release()
	w.dropOut()
}

// wire is the encrypted side: a net.Conn for crypto/tls.
type wire struct {
	c       *Conn
	buffer  []byte // of the loop, while in is not empty
	in      []byte // what has come and TLS has not taken
	out     []byte // encrypted, to be sent, in a buffer of the loop
	sending bool   // a fiber sends it
	patient bool   // reading waits

	header [5]byte // of the record that TLS takes (RFC 8446 5.1), as far as taken
	taken  int     // of the header
	left   int     // of the record behind the header

	recording bool
	recorded  []byte
}

// errNotYet says that nothing has come. TLS may be asked again afterwards.
var errNotYet net.Error = notYet{}

// notYet is the type of errNotYet.
type notYet struct{}

// Error is error's.
func (notYet) Error() string { return "nothing has come yet" }

// Timeout is net.Error's.
func (notYet) Timeout() bool { return true }

// Temporary is net.Error's: crypto/tls goes on after such an error.
func (notYet) Temporary() bool { return true }

// Read is net.Conn's. It gives no more than the rest of one record.
func (w *wire) Read(b []byte) (int, error) {
	if len(w.in) == 0 {
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
	n := w.within(b)
	copy(b, w.in[:n])
	w.in = w.in[n:]
	if len(w.in) == 0 {
		w.release()
	}
	return n, nil
}

// within is how many of the bytes that have come fit into b and belong to one record.
func (w *wire) within(b []byte) int {
	n := 0
	for w.taken < len(w.header) && n < min(len(b), len(w.in)) {
		w.header[w.taken] = w.in[n]
		n++
		if w.taken++; w.taken == len(w.header) {
			w.left = int(w.header[3])<<8 | int(w.header[4])
		}
	}
	if w.taken == len(w.header) {
		more := min(w.left, len(b)-n, len(w.in)-n)
		w.left, n = w.left-more, n+more
		if w.left == 0 {
			w.taken = 0
		}
	}
	return n
}

// fill reads from the socket. No buffer is held while nothing comes.
func (w *wire) fill() error {
	if err := w.flush(); err != nil {
		return err
	}
	for {
		if w.patient {
			if err := w.c.WaitRead(); err != nil {
				return err
			}
		}
		b := w.c.l.Buffer()
		n, err := w.c.TryRead(b)
		if n > 0 {
			w.buffer, w.in = b, b[:n]
			w.record(w.in)
			return nil
		}
		w.c.l.Release(b)
		if err != nil {
			return err
		}
		if !w.patient {
			return errNotYet
		}
	}
}

// take takes bytes that were read elsewhere.
func (w *wire) take(read []byte) {
	if len(read) == 0 {
		return
	}
	w.buffer = w.c.l.Buffer()
	w.in = w.buffer[:copy(w.buffer, read)]
	w.record(w.in)
}

// record keeps what has come while that is wanted.
func (w *wire) record(b []byte) {
	if w.recording {
		w.recorded = append(w.recorded, b...)
	}
}

// release gives the buffer of what has come back.
func (w *wire) release() {
	if w.buffer != nil {
		w.c.l.Release(w.buffer)
		w.buffer, w.in = nil, nil
	}
}

// flush sends what is noted, unless another fiber does already.
func (w *wire) flush() error {
	if w.sending {
		return nil
	}
	w.sending = true
	defer func() { w.sending = false }()
	for len(w.out) > 0 {
		b := w.out
		w.out = nil
		_, err := w.c.Write(b)
		w.c.l.Release(b[:0])
		if err != nil {
			return err
		}
	}
	return nil
}

// dropOut gives the buffer of what is noted back.
func (w *wire) dropOut() {
	if w.out != nil && !w.sending {
		w.c.l.Release(w.out[:0])
		w.out = nil
	}
}

// Write is net.Conn's.
func (w *wire) Write(b []byte) (int, error) {
	if w.out == nil {
		w.out = w.c.l.Buffer()[:0]
	}
	w.out = append(w.out, b...)
	return len(b), nil
}

// Close is net.Conn's. The connection is closed by its owner.
func (w *wire) Close() error { return nil }

// LocalAddr is net.Conn's; TLS does not ask.
func (w *wire) LocalAddr() net.Addr { return nil }

// RemoteAddr is net.Conn's; TLS does not ask.
func (w *wire) RemoteAddr() net.Addr { return nil }

// SetDeadline is net.Conn's; the loop's deadlines are used instead.
func (w *wire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is net.Conn's.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is net.Conn's.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
