//go:build !race

package dataplane

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/accesslog"
)

// raw opens a client's connection that takes no memory of Go's.
func raw(t *testing.T, addr string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(addr)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// inUse is the memory of Go's that is in use, in bytes.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // what finalizers held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestMemoryOfConnections (not under the race detector, which takes memory itself) checks what 3,000 connections take
// that have made a request each and do nothing, and 300 whose bodies have stopped; and that all is given back.
func TestMemoryOfConnections(t *testing.T) {
	// A target that the kernel answers for: it takes bytes and sends none.
	mute, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(mute)
	if err := unix.Bind(mute, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(mute, 4096); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(mute)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(name.(*unix.SockaddrInet4).Port)))
	w.serve(Options{DrainTimeout: time.Second})
	const idlers, stalled = 3000, 300
	var fds []int
	closeAll := func() {
		for _, fd := range fds {
			unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			unix.Close(fd)
		}
		fds = nil
	}
	defer closeAll()
	settle := func(conns, inFlight int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); yield() {
			all, busy := 0, 0
			w.workers(func(x *worker) { all, busy = all+int(x.count.Load()), busy+x.inFlight })
			if all == conns && busy == inFlight {
				return
			}
		}
		t.Fatalf("there never were %d connections and %d requests in flight", conns, inFlight)
	}
	ask := func(fd int, text string) {
		t.Helper()
		if _, err := unix.Write(fd, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	one := "GET /fixed404 HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
	answer := make([]byte, 4096)
	idleOne := func() {
		fd := raw(t, w.addr)
		fds = append(fds, fd)
		ask(fd, one)
		if _, err := unix.Read(fd, answer); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		idleOne()
	}
	w.mu.Lock()
	w.records = make([]accesslog.Record, 0, 2*(idlers+stalled))
	w.mu.Unlock()
	settle(10, 0)
	before := inUse()
	for range idlers {
		idleOne()
	}
	settle(10+idlers, 0)
	if each := (inUse() - before) / idlers; each > 1200 {
		t.Errorf("%d bytes for an idle connection", each)
	}
	before = inUse()
	for range stalled {
		fd := raw(t, w.addr)
		fds = append(fds, fd)
		ask(fd, "POST / HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 1000000\r\n\r\nsome")
	}
	settle(10+idlers+stalled, stalled)
	each := (inUse() - before) / stalled
	if each > 2*exchangeCost || each < exchangeCost/4 {
		t.Errorf("%d bytes for a request whose body has stopped, counted as %d", each, exchangeCost)
	}
	closeAll()
	settle(0, 0)
}
