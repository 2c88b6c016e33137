package vpc

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Unfit tells why a socket that another process has made is not one that listens, or receives packets, at an address
// inside of a VPC as it is now; nil when it is one. A VPC that was removed and made again has another namespace, in which
// the sockets of the one before get nothing. The error says that it can't be told.
func (m *Manager) Unfit(vpcID string, at netip.AddrPort, socket int) (why, err error) {
	v, _, err := m.find(vpcID)
	if err != nil {
		return nil, err
	}
	ns, err := unix.IoctlRetInt(socket, unix.SIOCGSKNS)
	if err != nil {
		return fmt.Errorf("ask for a socket's namespace: %w", err), nil
	}
	defer unix.Close(ns)
	same, err := v.ns.is(ns)
	if err != nil {
		return nil, err
	}
	if !same {
		return fmt.Errorf("the socket is not in %s", vpcID), nil
	}
	kind, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("ask for a socket's type: %w", err), nil
	}
	if listens, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); kind == unix.SOCK_STREAM && (err != nil || listens == 0) {
		return fmt.Errorf("the socket for %s does not listen", at), nil
	}
	name, err := unix.Getsockname(socket)
	if err != nil {
		return fmt.Errorf("ask for a socket's address: %w", err), nil
	}
	if got := addrPort(name); got != netip.AddrPortFrom(at.Addr().Unmap(), at.Port()) {
		return fmt.Errorf("the socket is at %s, not at %s", got, at), nil
	}
	return nil, nil
}

// addrPort is the inverse of sockaddr; the zero value for addresses that are not of IP.
func addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}
