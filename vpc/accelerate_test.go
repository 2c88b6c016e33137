package vpc

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sandbox is a namespace of a test's own with all addresses on its loopback.
type sandbox struct {
	t  testing.TB
	ns *namespace
}

func newSandbox(t testing.TB, addrs ...string) *sandbox {
	s := &sandbox{t: t}
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		f, err := os.Open(threadNamespace())
		if err != nil {
			return err
		}
		s.ns = &namespace{name: "sandbox", file: f}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if err := netlink.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(single(netip.MustParseAddr(a))), Flags: unix.IFA_F_NODAD}); err != nil {
				return err
			}
		}
		return netlink.LinkSetUp(lo)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.ns.close)
	return s
}

func (s *sandbox) listen(at string) net.Listener {
	var ln net.Listener
	if err := s.ns.within(func() (err error) { ln, err = net.Listen("tcp", at); return err }); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ln.Close() })
	return ln
}

func (s *sandbox) dial(from, to string) net.Conn {
	var c net.Conn
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	if from == "" {
		d.LocalAddr = nil
	}
	if err := s.ns.within(func() (err error) { c, err = d.Dial("tcp", to); return err }); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

func TestAccel0(t *testing.T) {
	a, err := NewAccelerator(nil)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer a.Close()
	s := newSandbox(t, "10.20.0.10", "169.254.171.1", "169.254.171.32")
	if err := a.Admit(s.ns.file, "vpc-1", TargetLeg|ClientLeg); err != nil {
		t.Fatal(err)
	}
	if err := a.Admit(s.ns.file, "vpc-1", TargetLeg|ClientLeg, netip.MustParseAddr("10.20.0.10"), netip.MustParseAddr("169.254.171.32")); err != nil {
		t.Fatal(err)
	}
	ln := s.listen("10.20.0.10:80")
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) }()
		}
	}()
	for range 3 {
		c := s.dial("169.254.171.1", "10.20.0.10:80")
		for i := range 5 {
			buf := make([]byte, 1+rand.IntN(20))
			c.Write(buf)
			if _, err := io.ReadFull(c, buf); err != nil {
				t.Fatal(i, err)
			}
		}
		st, _ := a.Stats()
		t.Logf("%+v", st)
		c.Close()
	}
	c := s.dial("169.254.171.1", "10.20.0.10:80")
	h1, h2 := sha256.New(), sha256.New()
	const n = 64 << 20
	go func() {
		b := make([]byte, 64<<10)
		r := rand.NewChaCha8([32]byte{})
		for sent := 0; sent < n; {
			k := min(1+rand.IntN(len(b)), n-sent)
			r.Read(b[:k])
			h1.Write(b[:k])
			w, err := c.Write(b[:k])
			if err != nil || w != k {
				t.Error(w, err)
			}
			sent += k
		}
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.Copy(h2, c)
	t.Log(got, err, string(h1.Sum(nil)) == string(h2.Sum(nil)))
	st, _ := a.Stats()
	t.Logf("%+v", st)
	c.Close()
}
