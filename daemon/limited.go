package daemon

import (
	"context"
	"net"
	"net/http"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// limited is a listener with so many connections at once: further ones wait in the kernel.
type limited struct {
	net.Listener
	taken  chan struct{} // holds an element for each connection
	once   sync.Once
	closed chan struct{}
}

// newLimited limits a listener.
func newLimited(ln net.Listener, n int) *limited {
	return &limited{Listener: ln, taken: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits until there is room for a connection, and for one.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.taken <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.taken
		return nil, err
	}
	return &connection{Conn: c, release: sync.OnceFunc(func() { <-l.taken })}, nil
}

// Close closes the listener, and ends an Accept that waits for room.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// connection is a connection of a limited listener.
type connection struct {
	net.Conn
	release func()
}

// Close makes room for another connection.
func (c *connection) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}

// connectionKey is under which a request's context has its connection.
type connectionKey struct{}

// withConnection is http.Server's ConnContext: handlers find the connection in their request's context.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// limitHops lets the packets that answer on a request's connection go so many hops and no further, from now on: what is sent again
// goes no further than what was sent first, whatever is asked meanwhile. A client that is further away never sees the answer.
func limitHops(r *http.Request, hops int) error {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	if c == nil {
		return nil
	}
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil // not of a network
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok && a.IP.To4() == nil {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, hops) }); err != nil {
		return err
	}
	return failed
}
