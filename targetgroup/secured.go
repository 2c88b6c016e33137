package targetgroup

import (
	"crypto/tls"
	"net"
	"time"
)

// secured is TLS on a connection of a loop.
//
// crypto/tls holds locks while it reads and while it writes. A fiber that waits with such a lock could make another
// one block the whole loop. So what TLS writes is only noted (wire.out) and goes out when no lock is held; while
// reading, which one fiber does at a time, waiting is harmless.
type secured struct {
	tls  *tls.Conn
	wire wire
	more bool // the last read filled its buffer: there may be plain text that was read already
}

// wire is the encrypted side: a net.Conn for crypto/tls.
type wire struct {
	c       *Conn
	out     []byte // encrypted, to be sent
	sending bool   // a fiber sends it
}

// handshake begins TLS with the target. Its certificate is not verified, as VPC Lattice does.
func (c *Conn) handshake(until time.Duration) error {
	s := &secured{wire: wire{c: c}}
	s.tls = tls.Client(&s.wire, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	c.SetReadDeadline(until)
	c.SetWriteDeadline(until)
	if err := s.tls.Handshake(); err != nil {
		return err
	}
	if err := s.wire.flush(); err != nil {
		return err
	}
	c.SetReadDeadline(0)
	c.SetWriteDeadline(0)
	c.secure = s
	return nil
}

// holds tells whether plain text may be there without news of the socket.
func (s *secured) holds() bool { return s != nil && s.more }

// read reads plain text.
func (s *secured) read(b []byte) (int, error) {
	n, err := s.tls.Read(b)
	s.more = n == len(b)
	return n, err
}

// write sends plain text.
func (s *secured) write(b []byte) (int, error) {
	n, err := s.tls.Write(b)
	if err != nil {
		return n, err
	}
	if err := s.wire.flush(); err != nil {
		return 0, err
	}
	return n, nil
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
		if _, err := w.c.Conn.Write(b); err != nil {
			return err
		}
		if w.out == nil {
			w.out = b[:0] // the memory is used again
		}
	}
	return nil
}

// Read is net.Conn's.
func (w *wire) Read(b []byte) (int, error) {
	if err := w.flush(); err != nil {
		return 0, err
	}
	return w.c.Conn.Read(b)
}

// Write is net.Conn's.
func (w *wire) Write(b []byte) (int, error) {
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
