package vpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// backlog is how many connections of a listener may wait to be accepted.
const backlog = 4096

// network names for package net.
const (
	tcp4, tcp6 = "tcp4", "tcp6"
	udp4, udp6 = "udp4", "udp6"
)

// inside opens a socket inside a VPC. doing is for its error.
func inside[S io.Closer](m *Manager, vpcID, doing string, open func() (S, error)) (socket S, err error) {
	var none S
	v, home, err := m.find(vpcID)
	if err != nil {
		return none, err
	}
	visit, err := v.ns.enter(home)
	if err != nil {
		return none, err
	}
	socket, err = open()
	if leave := visit.leave(); leave != nil {
		if err == nil {
			socket.Close()
		}
		return none, leave
	}
	if err != nil {
		return none, fmt.Errorf("%s in %s: %w", doing, vpcID, err)
	}
	return socket, nil
}

// Listen listens for TCP connections inside a VPC. The address need not be one of the VPC's namespace yet.
func (m *Manager) Listen(vpcID string, at netip.AddrPort) (net.Listener, error) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	lc := net.ListenConfig{KeepAlive: -1, Control: freebind}
	lc.SetMultipathTCP(false)
	l, err := inside(m, vpcID, "listen", func() (net.Listener, error) {
		return lc.Listen(context.Background(), choose(at.Addr(), tcp4, tcp6), at.String())
	})
	if err != nil {
		return nil, err
	}
	if err := widen(l.(*net.TCPListener)); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen in %s: %w", vpcID, err)
	}
	return l, nil
}

// ListenPacket receives UDP packets inside a VPC. Answers leave from the address.
func (m *Manager) ListenPacket(vpcID string, at netip.AddrPort) (net.PacketConn, error) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	lc := net.ListenConfig{Control: freebind}
	return inside(m, vpcID, "receive", func() (net.PacketConn, error) {
		return lc.ListenPacket(context.Background(), choose(at.Addr(), udp4, udp6), at.String())
	})
}

// choose is v4 or v6 as the address is.
func choose[T any](a netip.Addr, v4, v6 T) T {
	if a.Is4() {
		return v4
	}
	return v6
}

// freebind lets a socket take an address that is not there yet.
func freebind(network, _ string, c syscall.RawConn) error {
	var err error
	control := c.Control(func(fd uintptr) {
		if network == tcp4 || network == udp4 {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
		}
	})
	return errors.Join(control, err)
}

// widen gives a listener its backlog: net takes that of the host, which may be smaller.
func widen(l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	control := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), backlog) })
	return errors.Join(control, err)
}

// errAgain says that package net wanted a second socket for one connection, which would be outside of the VPC.
var errAgain = errors.New("no second socket")

// Dial connects to a target inside a VPC, from VPC Lattice's own address there, so that the target's security groups can
// tell it by the managed prefix list. It returns when connected, or when ctx is done.
//
// The socket belongs to the namespace in which it is made. So the thread is inside only until package net has made it,
// and waits for the connection like for any other.
func (m *Manager) Dial(ctx context.Context, vpcID string, to netip.AddrPort) (net.Conn, error) {
	v, home, err := m.find(vpcID)
	if err != nil {
		return nil, err
	}
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	source, network := source4, tcp4
	if to.Addr().Is6() {
		source, network = source6, tcp6
	}
	visit, err := v.ns.enter(home)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{KeepAlive: -1, Control: func(_, address string, c syscall.RawConn) error {
		if visit.left {
			return errAgain
		}
		if err := visit.leave(); err != nil {
			return err
		}
		// The source port is chosen at connect, so that one port serves many targets.
		var err error
		control := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		})
		if control == nil && err == nil && network == tcp6 {
			return freebind(network, address, c) // an IPv6 local block is not enough to bind to
		}
		return errors.Join(control, err)
	}}
	conn, err := d.DialTCP(ctx, network, netip.AddrPortFrom(source, 0), to)
	if leave := visit.leave(); leave != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, leave
	}
	if err != nil {
		return nil, fmt.Errorf("connect in %s: %w", vpcID, err)
	}
	return conn, nil
}
