package targetgroup

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trellis-project/trellis"
	"golang.org/x/sys/unix"
)

// Conn is a connection to a target. One request at a time owns it.
type Conn struct {
	net.Conn
	// Target is whom it leads to.
	Target *Target

	since  time.Time       // when it was put into the pool
	raw    syscall.RawConn // nil when the connection offers none (in memory)
	look   func(fd uintptr)
	silent bool // look's answer
	closed atomic.Bool
}

// newConn wraps a connection. The closure that looks at the socket is made once, so that looking again does
// not allocate.
func newConn(t *Target, nc net.Conn) *Conn {
	c := &Conn{Conn: nc, Target: t}
	if sc, ok := nc.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn() // without it the connection is just not looked at
	}
	c.look = func(fd uintptr) {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		c.silent = errors.Is(err, unix.EAGAIN)
	}
	return c
}

// quiet tells whether the connection is open and has nothing unread, without waiting. Unread bytes between two
// answers are not an answer to anything: such a connection is never used again.
func (c *Conn) quiet() bool {
	if c.raw == nil {
		return true
	}
	c.silent = false
	return c.raw.Control(c.look) == nil && c.silent
}

// Close closes the connection. It may be called more than once.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.Target.forget(c)
	return c.Conn.Close()
}

// permitted tells why an address may not be connected to as a target of a VPC, nil when it may. It is asked at
// every connect, whatever was checked at registration: an instance's address comes from elsewhere.
func permitted(vpc *trellis.VPC, a netip.Addr) error {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return errors.New("the target has no address")
	case vpc == nil:
		return errors.New("the target group's VPC is not known")
	case a.IsLoopback() && vpc.Attachment != trellis.AttachmentLoopback, a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified():
		return fmt.Errorf("address %s is not one that a target may have", a)
	case !vpc.Contains(a):
		return fmt.Errorf("address %s is outside of %s", a, vpc.ID)
	}
	return nil
}
