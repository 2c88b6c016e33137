package reactor

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// acceptsAtOnce bounds the connections that are taken at an event: epoll tells again of those that wait, which
	// costs less than to ask in vain whether some do.
	acceptsAtOnce = 1
	// Bounds of the pause after an accept that failed, for example for want of descriptors.
	minPause, maxPause = 5 * time.Millisecond, time.Second
)

// Listener takes connections of a listening socket on one loop. Several loops may share a socket: the kernel wakes
// one of them.
type Listener struct {
	l      *Loop
	fd     int
	age    uint32
	open   bool
	paused bool
	pause  time.Duration
	// Take is given each connection: a non-blocking socket that it owns, and where it comes from. It returns false
	// when the next ones shall wait, until Resume.
	take func(fd int, from netip.AddrPort) bool
	// failed is told of an accept that failed, once until one succeeds.
	failed func(error)
	from   unix.RawSockaddrAny
}

// Listen takes the connections of a listening, non-blocking socket. The socket stays the caller's, who closes it
// after the Listener of every loop that shares it.
func (l *Loop) Listen(fd int, take func(fd int, from netip.AddrPort) bool, failed func(error)) (*Listener, error) {
	n := &Listener{l: l, fd: fd, open: true, take: take, failed: failed}
	return n, n.register()
}

// register makes epoll tell of the socket, by levels: what is not taken now is told of again.
func (n *Listener) register() (err error) {
	n.age, err = n.l.watch(n.fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE, watched{listen: n})
	return err
}

// unregister makes epoll tell no more.
func (n *Listener) unregister() {
	if n.l.watched[n.fd].listen == n {
		n.l.watched[n.fd] = watched{}
		unix.EpollCtl(n.l.poll, unix.EPOLL_CTL_DEL, n.fd, nil)
	}
}

// accept takes acceptsAtOnce connections, or as many as there are.
func (n *Listener) accept() {
	for range acceptsAtOnce {
		if !n.open || n.paused {
			return
		}
		size := uint32(unsafe.Sizeof(n.from))
		fd, _, err := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(n.fd), uintptr(unsafe.Pointer(&n.from)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch err {
		case 0:
			n.pause = 0
			if !n.take(int(fd), addrPort(&n.from)) {
				n.Pause()
			}
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			return
		default:
			if n.pause == 0 && n.failed != nil {
				n.failed(err)
			}
			n.pause = min(max(2*n.pause, minPause), maxPause)
			n.Pause()
			n.l.After(n.pause, n.Resume)
			return
		}
	}
}

// Pause leaves further connections to wait in the kernel.
func (n *Listener) Pause() {
	if n.open && !n.paused {
		n.paused = true
		n.unregister()
	}
}

// Resume undoes Pause.
func (n *Listener) Resume() {
	if n.open && n.paused {
		n.paused = false
		if n.register() != nil { // the kernel has no memory
			n.paused = true
			n.l.After(maxPause, n.Resume)
		}
	}
}

// AcceptAll takes what the kernel has accepted already. It is for the moment before a socket is closed.
func (n *Listener) AcceptAll() {
	for before := -1; n.open && !n.paused && before != n.l.conns; {
		before = n.l.conns
		n.accept()
	}
}

// Close ends taking connections.
func (n *Listener) Close() {
	if n.open {
		n.unregister()
		n.open = false
	}
}

// addrPort is a socket address as net/netip has it, without a zone.
func addrPort(a *unix.RawSockaddrAny) netip.AddrPort {
	port := func(p *uint16) uint16 { return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:]) }
	switch a.Addr.Family {
	case unix.AF_INET:
		s := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), port(&s.Port))
	case unix.AF_INET6:
		s := (*unix.RawSockaddrInet6)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), port(&s.Port))
	}
	return netip.AddrPort{}
}
