//go:build !race

package dataplane

import (
	"bytes"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// TestAllocations (not under the race detector, which empties pools at random) checks that a proxied request allocates next to nothing, target and client included.
func TestAllocations(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf, answer := make([]byte, 4096), []byte(defaultAnswer)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					c.Write(answer)
				}
			}()
		}
	}()
	w := newWorld(t, ln.Addr().(*net.TCPAddr).AddrPort())
	w.enforce(netID, allowAll)
	w.enforce(svcID, allowCheckout)
	v := &voucher{}
	v.vouch("i-1", "checkout")
	w.serve(Options{Decisions: 256, Vouching: v.now.Load})
	caller, key, err := w.callers(keyID, "")
	if err != nil {
		t.Fatal(err)
	}
	caller.Principal.Tags = nil
	w.server.Callers = func(string, string) (*authpolicy.Caller, *sigv4.Key, error) { return caller, key, nil }
	w.server.Log = func(int, *accesslog.Record) {}
	c := w.dial()
	defer c.Close()
	buf := make([]byte, 4096)
	for name, in := range map[string][]byte{"signed": request("GET", "/a", sigv4.UnsignedPayload, "", time.Now()), "vouched for": request("GET", "/a", "-", "", time.Now())} {
		once := func() {
			c.Write(in)
			if n, err := c.Read(buf); err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200")) {
				t.Fatalf("%s: %q %v", name, buf[:n], err)
			}
		}
		for range 50 {
			once()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const n = 500
		for range n {
			once()
		}
		runtime.ReadMemStats(&after)
		if got := float64(after.Mallocs-before.Mallocs) / n; got > 0.5 {
			t.Errorf("%s: %.2f allocations a request", name, got)
		}
	}
}
