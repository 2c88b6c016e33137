package reactor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Owner is told of a Conn for which no fiber waits. It is called by the loop itself, not by a fiber.
type Owner interface {
	// Ready tells that something has come, or that the other side has closed.
	Ready()
	// Expired tells that the read deadline has passed.
	Expired()
}

// Conn is a connected socket of one loop. It must not be copied once it is open. The zero value is closed.
type Conn struct {
	l     *Loop
	owner Owner
	fd    int32
	age   uint32

	open     bool
	readable bool // the kernel may have something to read: nothing else is known
	writable bool
	hungUp   bool // the other side sends no more: reading goes on to the end without further news
	gone     bool // the connection is over in both directions

	reader, writer    *fiber
	readDue, writeDue time.Duration // 0: no deadline
	interrupted       error         // what every wait ends with from now on
}

// Open makes a connected socket part of the loop. The Conn owns it from now on, also if there is an error.
func (c *Conn) Open(l *Loop, fd int, owner Owner) error {
	*c = Conn{l: l, owner: owner, fd: int32(fd), open: true, writable: true}
	return c.register()
}

// register makes epoll tell of the socket.
func (c *Conn) register() error {
	age, err := c.l.watch(int(c.fd), unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET, watched{conn: c})
	if err != nil {
		c.open = false
		unix.Close(int(c.fd))
		return err
	}
	c.age = age
	c.l.conns++
	return nil
}

// Connect makes a socket part of the loop and connects it, on a fiber. The Conn owns the socket, also if there is an
// error; it is closed then.
func (c *Conn) Connect(l *Loop, fd int, owner Owner, to netip.AddrPort, within time.Duration) error {
	*c = Conn{l: l, owner: owner, fd: int32(fd), open: true}
	err := connect(fd, to)
	if err != nil && err != unix.EINPROGRESS {
		c.open = false
		unix.Close(fd)
		return fmt.Errorf("connect: %w", err)
	}
	if regErr := c.register(); regErr != nil {
		return regErr
	}
	if err == nil {
		c.writable = true
		return nil
	}
	c.writeDue = l.time + within
	if err := c.waitWrite(); err != nil {
		c.Close()
		return fmt.Errorf("connect: %w", err)
	}
	c.writeDue = 0
	if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || n != 0 {
		c.Close()
		if err == nil {
			err = unix.Errno(n)
		}
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// connect begins to connect a socket.
func connect(fd int, to netip.AddrPort) error {
	if to.Addr().Is4() {
		return unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	}
	return unix.Connect(fd, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
}

// Loop is the loop that the connection belongs to.
func (c *Conn) Loop() *Loop { return c.l }

// Local is the connection's own address, where the other side has found it. It is not valid when the kernel does not know.
func (c *Conn) Local() netip.AddrPort {
	switch a, _ := unix.Getsockname(int(c.fd)); a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// IsOpen tells whether the connection has not been closed on this side.
func (c *Conn) IsOpen() bool { return c.open }

// HasNews tells whether there may be something to read, or an end to see, without waiting.
func (c *Conn) HasNews() bool { return c.readable }

// Gone tells that the connection is known to be over in both directions, as after a reset.
func (c *Conn) Gone() bool { return c.gone }

// Quiet tells that there is nothing to read and that the other side has not closed, as far as the loop knows.
func (c *Conn) Quiet() bool {
	if !c.open || c.hungUp || c.interrupted != nil {
		return false
	}
	return !c.readable || c.Silent()
}

// Silent is Quiet for sure: the kernel is asked.
func (c *Conn) Silent() bool {
	if !c.open || c.hungUp || c.interrupted != nil {
		return false
	}
	var b [1]byte
	_, _, err := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd), uintptr(unsafe.Pointer(&b)), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
	if err != unix.EAGAIN {
		return false
	}
	c.readable = false
	return true
}

// SetReadDeadline sets when waiting to read, or the owner's wait, ends: a time of Loop.Now, 0 for never. A wait that
// is under way takes it over.
func (c *Conn) SetReadDeadline(at time.Duration) { c.readDue = at }

// SetWriteDeadline sets when waiting to write ends.
func (c *Conn) SetWriteDeadline(at time.Duration) { c.writeDue = at }

// Interrupt makes every wait end with an error, those under way and those to come; nil takes that back. Nothing else
// changes.
func (c *Conn) Interrupt(err error) {
	c.interrupted = err
	if f := c.reader; f != nil {
		c.reader = nil
		c.l.wake(f, err)
	}
	if f := c.writer; f != nil {
		c.writer = nil
		c.l.wake(f, err)
	}
}

// news takes an event of the kernel.
func (c *Conn) news(events uint32) {
	var reader, writer *fiber
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.readable = true
		c.gone = c.gone || events&(unix.EPOLLHUP|unix.EPOLLERR) != 0
		c.hungUp = c.hungUp || c.gone || events&unix.EPOLLRDHUP != 0
		reader, c.reader = c.reader, nil
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.writable = true
		writer, c.writer = c.writer, nil
	}
	if reader != nil {
		c.l.wake(reader, nil)
	} else if c.readable {
		c.owner.Ready()
	}
	if writer != nil {
		c.l.wake(writer, nil)
	}
}

// look ends the waits whose deadline has passed.
func (c *Conn) look(now time.Duration) {
	if c.readDue != 0 && c.readDue <= now {
		if f := c.reader; f != nil {
			c.reader = nil
			c.l.wake(f, ErrTimeout)
		} else {
			c.owner.Expired()
		}
	}
	if c.writeDue != 0 && c.writeDue <= now && c.open {
		if f := c.writer; f != nil {
			c.writer = nil
			c.l.wake(f, ErrTimeout)
		}
	}
}

// WaitRead waits until there may be something to read: a buffer is needed only afterwards.
func (c *Conn) WaitRead() error {
	for !c.readable {
		if err := c.waitRead(); err != nil {
			return err
		}
	}
	return c.state()
}

// waitRead waits for news of what can be read.
func (c *Conn) waitRead() error {
	if err := c.state(); err != nil {
		return err
	}
	c.reader = c.l.current
	return c.l.suspend()
}

// waitWrite waits for news of room to write.
func (c *Conn) waitWrite() error {
	if err := c.state(); err != nil {
		return err
	}
	c.writer = c.l.current
	return c.l.suspend()
}

// state is why the connection cannot be used, nil when it can.
func (c *Conn) state() error {
	if !c.open {
		return net.ErrClosed
	}
	return c.interrupted
}

// Read reads what has come, waiting until something has. At the end it returns io.EOF.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		n, err := c.TryRead(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		if err := c.waitRead(); err != nil {
			return 0, err
		}
	}
}

// TryRead reads what has come, without waiting. It returns 0 and no error when nothing has.
func (c *Conn) TryRead(p []byte) (int, error) {
	if err := c.state(); err != nil || !c.readable {
		return 0, err
	}
	for {
		n, err := read(c.fd, p)
		switch {
		case n > 0:
			// Emptied, if the buffer was not filled: the kernel tells of what comes next.
			c.readable = n == len(p) || c.hungUp || c.l.joined
			return n, nil
		case err == 0:
			return 0, io.EOF
		case err == unix.EAGAIN:
			c.readable = false
			return 0, nil
		case err != unix.EINTR:
			return 0, os.NewSyscallError("read", err)
		}
	}
}

// Write writes all of p, waiting for room as often as needed.
func (c *Conn) Write(p []byte) (int, error) {
	sent, refused := 0, 0
	for sent < len(p) {
		if err := c.state(); err != nil {
			return sent, err
		}
		if c.writable {
			n, err := send(c.fd, p[sent:])
			switch {
			case err == 0:
				sent += n
				refused = 0
				continue
			case err == unix.EINTR:
				continue
			case err == unix.EINVAL && c.l.joined:
				if err := c.pause(refused); err != nil {
					return sent, err
				}
				refused++
				continue
			case err != unix.EAGAIN:
				return sent, os.NewSyscallError("write", err)
			}
			c.writable = false
		}
		if err := c.waitWrite(); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// fullPause is how long a write waits when the reader's queue past TCP is full: nobody tells when it is not any more. Each try costs
// a copy of what is to be sent, so a reader that does not read is looked after less and less often, down to once in 32 pauses.
const fullPause = time.Millisecond

// pause waits until a write that was refused, and so many times before, is worth another try.
func (c *Conn) pause(before int) error {
	if c.writeDue != 0 && c.writeDue <= c.l.time {
		return ErrTimeout
	}
	c.writer = c.l.current
	cancel := c.l.After(fullPause<<min(before, 5), func() {
		if f := c.writer; f != nil {
			c.writer = nil
			c.l.wake(f, nil)
		}
	})
	err := c.l.suspend()
	cancel()
	if err == nil {
		err = c.state()
	}
	return err
}

// Write2 writes all of a and then all of b, if there is room with one system call.
func (c *Conn) Write2(a, b []byte) (int, error) {
	if len(a) == 0 || len(b) == 0 || !c.writable || c.state() != nil {
		n, err := c.Write(a)
		if err != nil {
			return n, err
		}
		m, err := c.Write(b)
		return n + m, err
	}
	n, err := send2(c.fd, a, b)
	if err != 0 {
		n = 0 // Write meets the same error, or waits
	}
	if n < len(a) {
		m, err := c.Write(a[n:])
		if err != nil {
			return n + m, err
		}
		n = len(a)
	}
	m, werr := c.Write(b[n-len(a):])
	return n + m, werr
}

// CloseWrite tells the other side that nothing more is sent.
func (c *Conn) CloseWrite() error {
	if !c.open {
		return net.ErrClosed
	}
	return os.NewSyscallError("shutdown", unix.Shutdown(int(c.fd), unix.SHUT_WR))
}

// Close closes the connection. Waits under way end with net.ErrClosed. It may be called more than once.
func (c *Conn) Close() error {
	if !c.open {
		return nil
	}
	c.open = false
	c.l.watched[c.fd] = watched{}
	c.l.conns--
	err := unix.Close(int(c.fd))
	c.Interrupt(net.ErrClosed)
	return os.NewSyscallError("close", err)
}

// Abort closes the connection so that the other side sees it fail: by a reset.
func (c *Conn) Abort() {
	if c.open {
		// Without the option the other side sees an end instead, which is all that can be done then.
		_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		c.Close()
	}
}

// IsTimeout tells whether an error is that of a wait that lasted too long.
func IsTimeout(err error) bool { return errors.Is(err, ErrTimeout) }

// read is read(2) on a non-blocking descriptor. It never waits, so Go's scheduler need not know of it.
func read(fd int32, p []byte) (int, unix.Errno) {
	if len(p) == 0 {
		return -1, unix.EAGAIN
	}
	n, _, err := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if err != 0 {
		return -1, err
	}
	return int(n), 0
}

// send is send(2) on a non-blocking descriptor, without SIGPIPE. p is not empty.
func send(fd int32, p []byte) (int, unix.Errno) {
	n, _, err := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), err
}

// send2 is send of two pieces, neither of which is empty.
func send2(fd int32, a, b []byte) (int, unix.Errno) {
	pieces := [2]unix.Iovec{{Base: &a[0], Len: uint64(len(a))}, {Base: &b[0], Len: uint64(len(b))}}
	m := unix.Msghdr{Iov: &pieces[0], Iovlen: 2}
	n, _, err := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m)), unix.MSG_NOSIGNAL)
	return int(n), err
}
