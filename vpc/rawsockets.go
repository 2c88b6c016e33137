package vpc

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// rawSocket makes a TCP socket inside a VPC and prepares it. The socket does not block, and Go's scheduler does not
// know of it: it is for event loops.
func (m *Manager) rawSocket(vpcID, doing string, of netip.Addr, prepare func(fd int) error) (int, error) {
	v, home, err := m.find(vpcID)
	if err != nil {
		return -1, err
	}
	visit, err := v.ns.enter(home)
	if err != nil {
		return -1, err
	}
	family := unix.AF_INET
	if of.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	leave := visit.leave() // a socket belongs to the namespace in which it is made
	if err == nil && leave == nil {
		err = prepare(fd)
	}
	if err = errors.Join(err, leave); err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return -1, fmt.Errorf("%s in %s: %w", doing, vpcID, err)
	}
	return fd, nil
}

// setAll sets socket options that are on or off to on.
func setAll(fd int, options ...[2]int) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o[0], o[1], 1); err != nil {
			return fmt.Errorf("set socket option %d of %d: %w", o[1], o[0], err)
		}
	}
	return nil
}

// sockaddr is an address as the kernel has it.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// ListenSocket is Listen for event loops: a listening socket that the caller owns. What it accepts sends without
// delay. Another one may listen at the same address, so that one can begin before the one before it has ended.
func (m *Manager) ListenSocket(vpcID string, at netip.AddrPort) (int, error) {
	return m.listenSocket(vpcID, at)
}

// listenSocket is ListenSocket with further socket options.
func (m *Manager) listenSocket(vpcID string, at netip.AddrPort, more ...[2]int) (int, error) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	return m.rawSocket(vpcID, "listen", at.Addr(), func(fd int) error {
		options := append([][2]int{{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.SOL_SOCKET, unix.SO_REUSEPORT}, {unix.IPPROTO_TCP, unix.TCP_NODELAY}}, more...)
		if at.Addr().Is4() {
			options = append(options, [2]int{unix.SOL_IP, unix.IP_FREEBIND})
		} else {
			options = append(options, [2]int{unix.SOL_IPV6, unix.IPV6_FREEBIND}, [2]int{unix.SOL_IPV6, unix.IPV6_V6ONLY})
		}
		if err := setAll(fd, options...); err != nil {
			return err
		}
		if err := unix.Bind(fd, sockaddr(at)); err != nil {
			return fmt.Errorf("bind to %s: %w", at, err)
		}
		return unix.Listen(fd, backlog)
	})
}

// Socket makes a socket for a connection to a target inside a VPC, bound to VPC Lattice's own address there, so that the
// target's security groups can tell it by the managed prefix list. The caller owns it, and connects it.
func (m *Manager) Socket(vpcID string, to netip.AddrPort) (int, error) {
	return m.socketFrom(vpcID, choose(to.Addr().Unmap(), source4, source6))
}

// socketFrom makes a socket for a connection inside a VPC, bound to an address of the node there.
func (m *Manager) socketFrom(vpcID string, source netip.Addr) (int, error) {
	return m.rawSocket(vpcID, "connect", source, func(fd int) error {
		// The source port is chosen at connect, so that one port serves many targets.
		options := [][2]int{{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT}}
		if source.Is6() {
			options = append(options, [2]int{unix.SOL_IPV6, unix.IPV6_FREEBIND}) // an IPv6 local block is not enough to bind to
		}
		if err := setAll(fd, options...); err != nil {
			return err
		}
		if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(source, 0))); err != nil {
			return fmt.Errorf("bind to %s: %w", source, err)
		}
		return nil
	})
}
