package vpc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

func TestResolverIsReachedWithoutSecurityGroups(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	i := l.instance(s, "10.20.0.10")
	l.apply()
	resolvers := []string{"169.254.169.253:53", "10.20.0.2:53", "[fd00:ec2::253]:53"}
	for _, at := range resolvers {
		l.echo(v, at)
		if !l.asks(i, at, certainty) {
			t.Errorf("%s does not answer", at)
		}
	}
	for _, at := range []string{"169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.170.10:4780", "10.20.0.2:53"} {
		l.listen(v, at)
	}
	l.call("metadata", i, "169.254.169.254:80", "10.20.0.10")
	l.call("metadata by IPv6", i, "[fd00:ec2::254]:80", i.IPv6.String())
	l.call("the API", i, "169.254.170.10:4780", "10.20.0.10")
	l.call("resolver by TCP", i, "10.20.0.2:53", "10.20.0.10")

	without := *v
	without.EnableDNSSupport = false
	l.st.Put(&without)
	l.apply()
	for _, at := range resolvers {
		if l.asks(i, at, patience) {
			t.Errorf("%s answers in a VPC without DNS support", at)
		}
	}
}

// echo answers each UDP packet with itself.
func (l *lab) echo(v *trellis.VPC, at string) {
	l.t.Helper()
	p, err := l.m.ListenPacket(v.ID, netip.MustParseAddrPort(at))
	if err != nil {
		l.t.Fatalf("receive: %v", err)
	}
	l.opened = append(l.opened, p)
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo(b[:n], from)
		}
	}()
}

// asks tells whether a UDP packet is answered from the address it was sent to.
func (l *lab) asks(i *trellis.Instance, at string, patience time.Duration) (answered bool) {
	l.t.Helper()
	l.inside(i, func() error {
		c, err := net.Dial("udp", at)
		if err != nil {
			return err
		}
		defer c.Close()
		// Asked again as a resolver's clients do: a packet may be lost.
		for deadline := time.Now().Add(patience); !answered && time.Now().Before(deadline); {
			c.SetDeadline(time.Now().Add(min(patience, time.Until(deadline), time.Second)))
			if _, err := c.Write([]byte("x")); err != nil {
				return err
			}
			_, err = c.Read(make([]byte, 1))
			answered = err == nil
		}
		return nil
	})
	return answered
}

func TestDialHonoursItsContext(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, _ := l.vpc("10.20.0.0/16")
	l.apply()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.m.Dial(ctx, v.ID, netip.MustParseAddrPort("10.20.0.10:80")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := l.m.Dial(ctx, v.ID, netip.MustParseAddrPort("10.20.0.10:80")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled meanwhile: got %v", err)
	}
	if _, err := l.m.Dial(t.Context(), "vpc-0", netip.MustParseAddrPort("10.20.0.10:80")); err == nil {
		t.Error("a VPC that is not there was dialled")
	}
}

// TestSocketsLeaveNoThreadInside dials and listens from many goroutines while VPCs come and go, then looks where the
// threads of this process are.
func TestSocketsLeaveNoThreadInside(t *testing.T) {
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	i := l.instance(s, "10.20.0.10", l.group(v, everything(false)))
	l.apply()
	l.serve(i, "10.20.0.10:8080")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 40 {
				c, err := l.m.Dial(t.Context(), v.ID, netip.MustParseAddrPort("10.20.0.10:8080"))
				if err != nil {
					t.Error(err)
					return
				}
				c.Close()
				ln, err := l.m.Listen(v.ID, netip.MustParseAddrPort("169.254.171.40:0"))
				if err != nil {
					t.Error(err)
					return
				}
				ln.Close()
			}
		})
	}
	for range 3 {
		other, _ := l.vpc("10.20.0.0/16")
		l.apply()
		l.st.Delete(trellis.KindVPC, other.Key())
		l.apply()
		l.gone(other.ID)
	}
	wg.Wait()
	l.close()
	if _, err := l.m.Dial(t.Context(), v.ID, netip.MustParseAddrPort("10.20.0.10:8080")); err == nil {
		t.Error("dial after the end works")
	}
	if err := l.m.Apply(t.Context(), l.st); !errors.Is(err, errEnded) {
		t.Errorf("apply after the end: got %v", err)
	}
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if at, err := os.Readlink(thread); err == nil && at != home {
			t.Errorf("%s is in %s", thread, at)
		}
	}
	if len(threads) > 100 {
		t.Errorf("%d threads", len(threads))
	}
}

func BenchmarkDial(b *testing.B) {
	l := benchLab(b)
	to := netip.MustParseAddrPort("10.20.0.10:8080")
	b.ReportAllocs()
	for b.Loop() {
		c, err := l.m.Dial(b.Context(), l.vpcID, to)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// BenchmarkVisit is what a socket inside of a namespace costs more than one outside.
func BenchmarkVisit(b *testing.B) {
	l := benchLab(b)
	v, home, err := l.m.find(l.vpcID)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		visit, err := v.ns.enter(home)
		if err != nil {
			b.Fatal(err)
		}
		if err := visit.leave(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDialLoopback is what package net takes outside of namespaces, to hold BenchmarkDial against.
func BenchmarkDialLoopback(b *testing.B) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go accept(ln)
	to := ln.Addr().(*net.TCPAddr).AddrPort()
	d := net.Dialer{KeepAlive: -1}
	b.ReportAllocs()
	for b.Loop() {
		c, err := d.DialTCP(b.Context(), "tcp4", netip.AddrPort{}, to)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

func BenchmarkApplyUnchanged(b *testing.B) {
	l := benchLab(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.m.Apply(b.Context(), l.st); err != nil {
			b.Fatal(err)
		}
	}
}

// bench is what benchmarks use: one VPC with a server at 10.20.0.10:8080.
type bench struct {
	m     *Manager
	st    *trellis.State
	vpcID string
}

// benchLab makes a bench that is gone after the benchmark.
func benchLab(b *testing.B) bench {
	id := []string{trellis.NewID("vpc"), trellis.NewID("subnet"), trellis.NewID("i")}
	l := bench{New(Options{RunDir: b.TempDir()}), trellis.NewState(), id[0]}
	for _, n := range killedNouns(id[0], id[1], id[2]) {
		l.st.Put(n)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.m.Run(ctx) }()
	if err := l.m.Apply(ctx, l.st); err != nil {
		b.Fatal(err)
	}
	ns, err := openNamespace(id[2])
	if err != nil {
		b.Fatal(err)
	}
	var ln net.Listener
	if err := ns.within(func() (err error) { ln, err = net.Listen("tcp", "10.20.0.10:8080"); return err }); err != nil {
		b.Fatal(err)
	}
	ns.close()
	go accept(ln)
	b.Cleanup(func() {
		ln.Close()
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return l
}

// accept accepts connections and closes them.
func accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}
