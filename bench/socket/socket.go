// Package socket is TCP sockets without Go's network poller: the load and the target of a comparison share one core
// and must cost as little of it as can be. One thread polls, reads and writes; no call gives the thread to the
// scheduler, so a program that uses it does nothing else.
package socket

import (
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Own gives the calling goroutine its thread for good, has its waits end when they should and not up to 50 µs later
// (prctl(2), PR_SET_TIMERSLACK), and stops the garbage collector: what uses this package allocates at its start only.
func Own() error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	return nil
}

// Poll waits for many sockets (epoll, level-triggered).
type Poll struct {
	fd     int
	events [512]unix.EpollEvent
}

// NewPoll makes a Poll without sockets.
func NewPoll() (*Poll, error) {
	fd, err := unix.EpollCreate1(0)
	if err != nil {
		return nil, fmt.Errorf("epoll_create: %w", err)
	}
	return &Poll{fd: fd}, nil
}

// Add begins to wait for a socket to be readable. Wait reports it by its descriptor.
func (p *Poll) Add(fd int) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// AwaitRoom waits for a socket to be writable instead, or for it to be readable again.
func (p *Poll) AwaitRoom(fd int, room bool) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if room {
		e.Events = unix.EPOLLOUT
	}
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &e)
}

// Wait returns what is ready within some nanoseconds (negative: whenever it is), until the next call.
func (p *Poll) Wait(within int64) ([]unix.EpollEvent, error) {
	var spec *unix.Timespec
	if within >= 0 {
		t := unix.NsecToTimespec(within)
		spec = &t
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)),
		uintptr(unsafe.Pointer(spec)), 0, 0)
	if errno == unix.EINTR {
		return nil, nil
	}
	if errno != 0 {
		return nil, fmt.Errorf("epoll_pwait2: %w", errno)
	}
	return p.events[:n], nil
}

// Read reads once. 0 is the end.
func Read(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
	return int(n), errno
}

// Discard reads once, and has the kernel throw away what came instead of copying it (tcp(7), MSG_TRUNC). 0 is the end.
func Discard(fd, most int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(most), unix.MSG_TRUNC, 0, 0)
	return int(n), errno
}

// Write writes once, maybe not all.
func Write(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// Listen returns a socket that listens and doesn't block.
func Listen(addr string) (int, error) {
	at, err := address(addr)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, at); err != nil {
		return 0, fmt.Errorf("bind %s: %w", addr, err)
	}
	return fd, unix.Listen(fd, 16384)
}

// Accept returns the next connection of a listening socket, which doesn't block; not ok means that there is none.
func Accept(listener int) (fd int, ok bool) {
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return 0, false
	}
	unix.SetsockoptInt(int(n), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return int(n), true
}

// Connect returns a connection. It waits until there is one; after that the socket doesn't block.
func Connect(addr string) (int, error) {
	to, err := address(addr)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, to); err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("connect %s: %w", addr, err)
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return fd, unix.SetNonblock(fd, true)
}

// address parses ADDRESS:PORT.
func address(addr string) (*unix.SockaddrInet4, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}, nil
}
