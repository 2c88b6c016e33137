package daemon

import (
	"errors"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// pipes is a listener that always has a connection to give.
type pipes struct{ net.Listener }

// Accept gives a connection.
func (pipes) Accept() (net.Conn, error) { c, _ := net.Pipe(); return c, nil }

// Close does nothing.
func (pipes) Close() error { return nil }

// TestLimited takes as many connections as there may be, and a further one when one has ended.
func TestLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(pipes{}, 2)
		first, _ := l.Accept()
		l.Accept()
		came := make(chan error)
		accept := func() { _, err := l.Accept(); came <- err }
		go accept()
		synctest.Wait()
		select {
		case <-came:
			t.Error("a third connection of two")
		default:
		}
		first.Close()
		first.Close() // makes room once
		if err := <-came; err != nil {
			t.Error(err)
		}
		go accept()
		synctest.Wait()
		l.Close()
		if err := <-came; !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestLimitHops limits how far the packets of a connection of a network go.
func TestLimitHops(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newLimited(ln, 1)
	defer l.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := httptest.NewRequest("PUT", tokenPath, nil)
	r = r.WithContext(withConnection(r.Context(), c))
	raw, err := c.(*connection).Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, hops := range []int{1, 64, 2} {
		if err := limitHops(r, hops); err != nil {
			t.Fatal(err)
		}
		var now int
		if err := raw.Control(func(fd uintptr) { now, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL) }); err != nil {
			t.Fatal(err)
		}
		if err != nil || now != hops {
			t.Errorf("packets go %d hops, want %d: %v", now, hops, err)
		}
	}
	if limitHops(r, 300) == nil {
		t.Error("300 hops are more than a packet has")
	}
}
