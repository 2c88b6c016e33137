package vpc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// atOnce bounds what shall happen at once, on a machine that does much else: a runtime may take seconds to start.
const atOnce = 2 * time.Minute

// Addresses of a sandbox: a target's, a client's, the node's slot and the node's source, for both families.
var (
	targetOf = map[string]string{tcp4: "10.20.0.10", tcp6: "2001:db8::a"}
	slotOf   = map[string]string{tcp4: "169.254.171.32", tcp6: "fd00:ec2:80::a9fe:ab20"}
	sourceOf = map[string]string{tcp4: source4.String(), tcp6: source6.String()}
)

// sandbox is a network namespace of a test's own that has a VPC's node and an instance at once, all addresses on its loopback.
type sandbox struct {
	t  testing.TB
	ns *namespace
}

// newSandbox makes one that ends with the test.
func newSandbox(t testing.TB) *sandbox {
	t.Helper()
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
		if err := netlink.LinkSetUp(lo); err != nil {
			return err
		}
		for _, of := range []map[string]string{targetOf, slotOf, sourceOf} {
			for _, text := range of {
				a := netip.MustParseAddr(text)
				if err := netlink.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(single(a)), Flags: unix.IFA_F_NODAD}); err != nil {
					return err
				}
				// The kernel makes the way to an IPv6 address a moment later.
				for deadline := time.Now().Add(atOnce); ; runtime.Gosched() {
					_, err := netlink.RouteGet(a.AsSlice())
					if err == nil {
						break
					}
					if time.Now().After(deadline) {
						return fmt.Errorf("way to %s: %w", a, err)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.ns.close)
	return s
}

// newAccelerator makes an Accelerator that ends with the test.
func newAccelerator(t testing.TB) *Accelerator {
	t.Helper()
	a, err := NewAccelerator(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// admit admits the sandbox as both the node's and the instance's namespace of a VPC.
func (s *sandbox) admit(a *Accelerator, vpcID string, legs Legs) {
	s.t.Helper()
	if err := a.Admit(s.ns.file, vpcID, legs); err != nil {
		s.t.Fatal(err)
	}
	if err := a.Admit(s.ns.file, vpcID, legs, netip.MustParseAddr(targetOf[tcp4]), netip.MustParseAddr(targetOf[tcp6])); err != nil {
		s.t.Fatal(err)
	}
}

// listen listens until the test ends.
func (s *sandbox) listen(address string, port int) *net.TCPListener {
	s.t.Helper()
	var ln *net.TCPListener
	err := s.ns.within(func() (err error) {
		ln, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(address), Port: port})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ln.Close() })
	return ln
}

// connect connects an address and port, 0 for any, with a listener, and returns both ends, which end with the test.
func (s *sandbox) connect(from string, port int, ln *net.TCPListener) (active, passive *net.TCPConn) {
	s.t.Helper()
	err := s.ns.within(func() (err error) {
		// On a busy machine the kernel takes a moment to find its way to an IPv6 address.
		for deadline := time.Now().Add(atOnce); ; runtime.Gosched() {
			active, err = net.DialTCP("tcp", &net.TCPAddr{IP: net.ParseIP(from), Port: port}, ln.Addr().(*net.TCPAddr))
			if !errors.Is(err, unix.ENETUNREACH) || time.Now().After(deadline) {
				return err
			}
		}
	})
	if err == nil {
		passive, err = ln.AcceptTCP()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range []*net.TCPConn{active, passive} {
		c.SetDeadline(time.Now().Add(atOnce))
		s.t.Cleanup(func() { c.Close() })
	}
	return active, passive
}

// teach has a server's manners learned: its first connections are ordinary.
func (s *sandbox) teach(ln *net.TCPListener) {
	s.t.Helper()
	source := sourceOf[tcp4]
	if ln.Addr().(*net.TCPAddr).IP.To4() == nil {
		source = sourceOf[tcp6]
	}
	node, target := s.connect(source, 0, ln)
	swap(s.t, node, target)
	node.Close()
	target.Close()
}

// target returns both ends of a connection from the node to a target whose manners are known.
func (s *sandbox) target(network string) (node, target *net.TCPConn) {
	s.t.Helper()
	ln := s.listen(targetOf[network], 0)
	s.teach(ln)
	node, target = s.connect(sourceOf[network], 0, ln)
	swap(s.t, node, target)
	return node, target
}

// client returns both ends of a connection from a client to the node.
func (s *sandbox) client(network string) (node, client *net.TCPConn) {
	s.t.Helper()
	client, node = s.connect(targetOf[network], 0, s.listen(slotOf[network], 0))
	swap(s.t, client, node)
	return node, client
}

// swap sends a byte there and one back.
func swap(t testing.TB, a, b net.Conn) {
	t.Helper()
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		if _, err := way[0].Write([]byte{'s'}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way[1], make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// patient is a connection of the node that sends again what was refused because the reader's queue was full, as [reactor.Conn] does.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (sent int, err error) {
	for {
		n, err := p.Conn.Write(b[sent:])
		sent += n
		if !errors.Is(err, unix.EINVAL) {
			return sent, err
		}
		runtime.Gosched()
	}
}

// byTCP is how many bytes a socket has sent by TCP, each counted once. What goes past it is not in there.
func byTCP(t testing.TB, c *net.TCPConn) uint64 {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	if control := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); control != nil || err != nil {
		t.Fatal(control, err)
	}
	return info.Bytes_sent - info.Bytes_retrans
}

// past tells whether what one end says now goes past TCP to the other.
func past(t testing.TB, from, to *net.TCPConn) bool {
	t.Helper()
	before := byTCP(t, from)
	swap(t, from, to)
	return byTCP(t, from) == before
}

// stats reads the counters.
func stats(t testing.TB, a *Accelerator) AccelerationStats {
	t.Helper()
	s, err := a.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// empty waits until no ends are in the maps: sockets end a moment after they were closed.
func empty(t testing.TB, a *Accelerator) {
	t.Helper()
	for deadline := time.Now().Add(atOnce); ; runtime.Gosched() {
		s := stats(t, a)
		if s.Ends == 0 && s.Joined == s.Left {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("ends are left: %+v", s)
		}
	}
}
