package targetgroup

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

func TestPickGoesRoundWithoutAllocating(t *testing.T) {
	m := New(Options{Dial: newHosts().dial})
	st := stateWith(trellis.TargetGroup{}, member("10.0.0.1"), member("10.0.0.2"), member("10.0.0.3"))
	m.Apply(st)
	g := m.Group(testGroup)
	counts := map[string]int{}
	for range 300 {
		counts[g.Pick().ID]++
	}
	for id, n := range counts {
		if n != 100 {
			t.Errorf("%s was picked %d times of 300", id, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.Group(testGroup).Pick() }); n != 0 {
		t.Errorf("Pick allocates %v times", n)
	}
	before := g.Pick().ID
	m.Apply(st)
	if after := m.Group(testGroup).Pick().ID; after == before {
		t.Error("the round began anew with Apply")
	}
	if m.Group("tg-0ffffffffffffffff") != nil {
		t.Error("an unknown id has a group")
	}
}

func TestMatcher(t *testing.T) {
	for text, cases := range map[string]struct{ yes, no []int }{
		"":            {[]int{200}, []int{201, 404}},
		"200":         {[]int{200}, []int{199, 201}},
		"200,202":     {[]int{200, 202}, []int{201}},
		"200-299,404": {[]int{200, 250, 299, 404}, []int{199, 300, 403}},
	} {
		m, err := parseMatcher(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for _, c := range cases.yes {
			if !m.matches(c) {
				t.Errorf("%q does not match %d", text, c)
			}
		}
		for _, c := range cases.no {
			if m.matches(c) {
				t.Errorf("%q matches %d", text, c)
			}
		}
	}
	for _, text := range []string{"x", "200-", "-200", "300-200", "200,", "20", "99999999999999999999"} {
		if _, err := parseMatcher(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestPermittedAddresses(t *testing.T) {
	wide := &trellis.VPC{Meta: trellis.Meta{ID: testVPC}, CIDR: netip.MustParsePrefix("0.0.0.0/0"), IPv6CIDR: netip.MustParsePrefix("::/0")}
	for _, a := range []string{"127.0.0.1", "169.254.169.254", "169.254.171.33", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "ff02::1", "::",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254"} {
		if permitted(wide, netip.MustParseAddr(a)) == nil {
			t.Errorf("%s may be connected to", a)
		}
	}
	small := &trellis.VPC{CIDR: netip.MustParsePrefix("10.0.0.0/16")}
	if err := permitted(small, netip.MustParseAddr("10.0.3.4")); err != nil {
		t.Error(err)
	}
	if permitted(small, netip.MustParseAddr("10.1.0.1")) == nil || permitted(nil, netip.MustParseAddr("10.0.0.1")) == nil || permitted(small, netip.Addr{}) == nil {
		t.Error("an address outside of the VPC may be connected to")
	}
	if err := permitted(&trellis.VPC{CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback}, netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Error(err)
	}
}

// loopback runs a listener and a Manager whose one target it is.
func loopback(t *testing.T) (net.Listener, *Target) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	at := netip.MustParseAddrPort(ln.Addr().String())
	m := New(Options{Dial: func(ctx context.Context, _ string, to netip.AddrPort) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", to.String())
	}})
	st := stateWith(trellis.TargetGroup{}, trellis.Target{ID: "127.0.0.1", Port: int(at.Port())})
	st.Put(&trellis.VPC{Meta: trellis.Meta{Account: testAccount, ID: testVPC}, CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
	m.Apply(st)
	t.Cleanup(m.closeAll)
	return ln, m.Group(testGroup).Pick()
}

// pair opens a connection to the target and returns both of its ends.
func pair(t *testing.T, ln net.Listener, target *Target) (*Conn, net.Conn) {
	t.Helper()
	c, _, err := target.Get(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return c, far
}

// putLongAgo gives a connection back as if it had been two seconds ago.
func putLongAgo(target *Target, c *Conn) {
	target.Put(c)
	target.mu.Lock()
	c.since = c.since.Add(-2 * time.Second)
	target.mu.Unlock()
}

func TestOnlyQuietConnectionsAreReused(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, c *Conn, far net.Conn){
		"closed by the target": func(t *testing.T, c *Conn, far net.Conn) {
			far.Close()
		},
		"unread bytes": func(t *testing.T, c *Conn, far net.Conn) {
			if _, err := far.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ln, target := loopback(t)
			c, far := pair(t, ln, target)
			if !c.quiet() {
				t.Fatal("a fresh connection is not quiet")
			}
			putLongAgo(target, c)
			if again, reused, err := target.Get(context.Background()); err != nil || !reused || again != c {
				t.Fatalf("a quiet connection was not reused: %v", err)
			}
			spoil(t, c, far)
			waitUntil(t, func() bool { return !c.quiet() })
			putLongAgo(target, c)
			again, reused, err := target.Get(context.Background())
			if err != nil || reused {
				t.Fatalf("reused %v, %v", reused, err)
			}
			again.Close()
			if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the spoilt connection is still open: %v", err)
			}
		})
	}
}

// waitUntil polls for a condition that the kernel brings about.
func waitUntil(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !cond(); {
		if time.Now().After(end) {
			t.Fatal("the condition did not come about")
		}
	}
}

func TestPoolIsBounded(t *testing.T) {
	h := newHosts()
	h.answer("10.0.0.1", 200)
	m := New(Options{Dial: h.dial})
	m.Apply(stateWith(trellis.TargetGroup{}, member("10.0.0.1")))
	target := m.Group(testGroup).Pick()
	var all []*Conn
	for range maxIdle + 10 {
		c, _, err := target.Get(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for _, c := range all {
		target.Put(c)
	}
	if open, idle := target.Connections(); open != maxIdle || idle != maxIdle {
		t.Errorf("%d open, %d waiting", open, idle)
	}
	m.closeAll()
	if open, _ := target.Connections(); open != 0 {
		t.Errorf("%d still open", open)
	}
	h.open.Wait()
}

func BenchmarkGetPut(b *testing.B) {
	t := &Target{live: map[*Conn]struct{}{}}
	near, far := net.Pipe()
	defer far.Close()
	go io.Copy(io.Discard, far)
	t.Put(newConn(t, near))
	b.ReportAllocs()
	for b.Loop() {
		c, _, err := t.Get(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		t.Put(c)
	}
	t.closeAll()
}
