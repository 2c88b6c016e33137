package dataplane

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// What the second account of these tests is called.
const (
	otherAccount = "555566667777"
	otherVPC     = "vpc-0eeeeeeeeeeeeeeee"
)

// addOther lets the VPC of a second account into the network.
func (w *world) addOther() {
	m := trellis.Meta{Account: otherAccount, ID: otherVPC}
	w.st.Put(&trellis.VPC{Meta: m, CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
	w.st.Put(&trellis.VPCAssociation{Meta: trellis.Meta{Account: otherAccount, ID: "snva-0fffffffffffffff1"}, VPC: trellis.Ref{Account: otherAccount, ID: otherVPC},
		ServiceNetwork: trellis.Ref{Account: account, ID: netID}, Status: trellis.StatusActive, Slot: slot})
}

// serveBoth is serve for both accounts. It returns where the second one's clients connect to.
func (w *world) serveBoth(o Options) string {
	w.addOther()
	w.serve(o)
	first := w.addr
	socket := w.listen()
	second := w.addr
	w.addr = first
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.server.Serve(ctx, socket, otherVPC, slot, port) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	return second
}

// connect opens a client's connection.
func connect(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(c) })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// leave closes a client's connection for good: an end alone could be that of its sending side.
func leave(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// ask makes a request and returns the status of the answer.
func ask(t *testing.T, c net.Conn, path string) int {
	t.Helper()
	io.WriteString(c, strings.Replace(get, " / ", " "+path+" ", 1))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// TestMemoryCap checks that requests are refused while those in flight take all the memory that they may, first
// those of the account that has most of it, and that service goes on when they have ended.
func TestMemoryCap(t *testing.T) {
	w := newWorld(t, behave(t, silent))
	other := w.serveBoth(Options{Workers: 1, MaxMemory: 40 * exchangeCost})
	var all []net.Conn
	for range 34 { // alone, it leaves the last eighth for others
		c := connect(t, w.addr)
		io.WriteString(c, get)
		all = append(all, c)
	}
	inFlight := func(n int) {
		w.await(func(c *conn) bool { return answering(c) && c.w.inFlight == n })
	}
	inFlight(34)
	if got := ask(t, connect(t, other), "/fixed500"); got != 500 {
		t.Errorf("the first request of another account: %d", got)
	}
	if got := ask(t, connect(t, w.addr), "/fixed404"); got != 503 {
		t.Errorf("one more request of an account that has more than its share: %d", got)
	}
	for range 5 {
		c := connect(t, other)
		io.WriteString(c, get)
		all = append(all, c)
	}
	if got := ask(t, connect(t, other), "/fixed500"); got != 503 {
		t.Errorf("with all memory in use: %d", got)
	}
	if n := w.server.Stats().Refused; n < 2 {
		t.Errorf("%d refused", n)
	}
	for _, c := range all {
		leave(c)
	}
	for end := time.Now().Add(5 * time.Second); ; yield() {
		if got := ask(t, connect(t, w.addr), "/fixed404"); got == 404 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no service after the memory was given back")
		}
	}
	w.workers(func(x *worker) {
		if x.inFlight != 0 || x.heldBytes != 0 || x.loop.BuffersOut() != 0 {
			t.Errorf("%d in flight, %d held, %d bytes of buffers", x.inFlight, x.heldBytes, x.loop.BuffersOut())
		}
	})
}

// TestTurns lets one account have 300 requests ready before another one has its first, and checks that this is
// served with the first, not after them.
func TestTurns(t *testing.T) {
	w := newWorld(t)
	other := w.serveBoth(Options{Workers: 1})
	var flood []net.Conn
	for range 300 {
		flood = append(flood, connect(t, w.addr))
	}
	one := connect(t, other)
	w.await(func(c *conn) bool { return resting(c) && c.l.vpcID == otherVPC && c.w.loop.Conns() == 301 })
	w.workers(func(*worker) { // the worker does nothing else meanwhile
		for _, c := range flood {
			io.WriteString(c, strings.Replace(get, " / ", " /fixed404 ", 1))
		}
		io.WriteString(one, strings.Replace(get, " / ", " /fixed404 ", 1))
	})
	w.record(300)
	for i := range 301 {
		if r := w.record(i); r.SourceVPCID == otherVPC {
			if i > 2 {
				t.Errorf("the request of the other account was served after %d of the flood", i)
			}
			return
		}
	}
	t.Error("the request of the other account was not served")
}

// TestRoomByAccount checks that an account that takes all connections leaves some to others.
func TestRoomByAccount(t *testing.T) {
	w := newWorld(t, behave(t, silent))
	other := w.serveBoth(Options{MaxConnections: 32})
	for range 60 {
		c := connect(t, w.addr) // the kernel takes what the server does not
		io.WriteString(c, get)
	}
	for range 3 {
		if got := ask(t, connect(t, other), "/fixed404"); got != 404 {
			t.Errorf("the other account: %d", got)
		}
	}
}

// TestNoDescriptors takes all descriptors away, checks that open connections are served, and that new ones are taken
// when there are descriptors again.
func TestNoDescriptors(t *testing.T) {
	w := newWorld(t, okTarget(t, "ok").addr())
	w.serve(Options{Workers: 1})
	open := connect(t, w.addr)
	if got := ask(t, open, "/fixed404"); got != 404 {
		t.Fatal(got)
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	restore := func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) }
	defer restore()
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(client)
	var last int // the next free descriptor: none may be above
	if last, err = unix.Dup(0); err != nil {
		t.Fatal(err)
	}
	unix.Close(last)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(last), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(w.addr)
	if err := unix.Connect(client, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := ask(t, open, "/fixed404"); got != 404 {
			t.Fatalf("without descriptors: %d", got)
		}
	}
	if got := ask(t, open, "/"); got != 503 {
		t.Errorf("to a target, without descriptors: %d", got)
	}
	if n := w.server.Stats().Accepted; n != 1 {
		t.Errorf("%d connections were taken", n)
	}
	restore()
	f := net.Conn(nil)
	if f, err = fileConn(client); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.SetDeadline(time.Now().Add(10 * time.Second))
	if got := ask(t, f, "/"); got != 200 {
		t.Errorf("the connection that had to wait: %d", got)
	}
	if got := ask(t, connect(t, w.addr), "/"); got != 200 {
		t.Errorf("a new connection: %d", got)
	}
}

// fileConn is a socket as a net.Conn.
func fileConn(fd int) (net.Conn, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(dup), "client")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	return c, nil
}
