package vpc

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/trellis-project/trellis"
)

// accelerated is a lab with a VPC of one instance and an association at slot 40.
type accelerated struct {
	*lab
	v *trellis.VPC
	s *trellis.Subnet
	g *trellis.SecurityGroup
	i *trellis.Instance
}

// newAccelerated makes one.
func newAccelerated(t *testing.T, legs Legs) *accelerated {
	l := &accelerated{lab: newLabWith(t, Options{RunDir: t.TempDir(), Accelerate: legs})}
	l.v, l.s = l.vpc("10.20.0.0/16")
	l.g = l.group(l.v, everything(false), everything(true), trellis.SecurityGroupRule{Egress: true, Protocol: "-1", CIDR: everywhere6},
		trellis.SecurityGroupRule{Protocol: "-1", CIDR: everywhere6})
	l.i = l.instance(l.s, "10.20.0.10", l.g)
	l.associate(l.v, 40)
	l.apply()
	return l
}

// target connects the node with the instance twice and tells whether the second connection is joined.
func (l *accelerated) target(address netip.Addr) (joined bool) {
	l.t.Helper()
	ln, err := ListenInside(l.i.ID, netip.AddrPortFrom(address, 0))
	if err != nil {
		l.t.Fatal(err)
	}
	defer ln.Close()
	for range 2 {
		c, err := l.m.Dial(l.t.Context(), l.v.ID, ln.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			l.t.Fatal(err)
		}
		defer c.Close()
		target, err := ln.Accept()
		if err != nil {
			l.t.Fatal(err)
		}
		defer target.Close()
		swap(l.t, c, target)
		joined = past(l.t, c.(*net.TCPConn), target.(*net.TCPConn))
	}
	return joined
}

// client connects the instance with the node and tells whether the connection is joined.
func (l *accelerated) client(slot netip.Addr) (joined bool) {
	l.t.Helper()
	ln, err := l.m.Listen(l.v.ID, netip.AddrPortFrom(slot, 0))
	if err != nil {
		l.t.Fatal(err)
	}
	defer ln.Close()
	var c net.Conn
	l.inside(l.i, func() (err error) { c, err = net.Dial("tcp", ln.Addr().String()); return err })
	defer c.Close()
	node, err := ln.Accept()
	if err != nil {
		l.t.Fatal(err)
	}
	defer node.Close()
	swap(l.t, c, node)
	return past(l.t, c.(*net.TCPConn), node.(*net.TCPConn))
}

func TestManagerAccelerates(t *testing.T) {
	l := newAccelerated(t, TargetLeg|ClientLeg)
	slot4, slot6 := trellis.SlotAddrs(40)
	for what, joined := range map[string]bool{"target": l.target(l.i.PrivateIP), "target, IPv6": l.target(l.i.IPv6),
		"client": l.client(slot4), "client, IPv6": l.client(slot6)} {
		if !joined {
			t.Errorf("%s: not joined", what)
		}
	}
	got, err := l.m.Acceleration()
	if err != nil || got.Joined != (LegCounts{2, 2}) {
		t.Errorf("%+v, %v", got, err)
	}

	tagged := *l.i
	tagged.Tags = map[string]string{AccelerateTag: "false"}
	l.st.Put(&tagged)
	l.apply()
	if l.target(l.i.PrivateIP) || l.client(slot4) {
		t.Error("an instance that is excepted by its tag is joined")
	}
	l.st.Put(l.i)
	l.apply()
	if !l.target(l.i.PrivateIP) || !l.client(slot4) {
		t.Error("an instance whose tag was removed is not joined")
	}

	l.st.Delete(trellis.KindInstance, l.i.Key())
	l.i = l.instance(l.s, "10.20.0.10", l.g)
	l.apply()
	if !l.target(l.i.PrivateIP) || !l.client(slot4) {
		t.Error("the next instance at the address is not joined")
	}
	empty(t, l.m.acceleration.Load().a)
}

func TestManagerAcceleratesOneLeg(t *testing.T) {
	l := newAccelerated(t, TargetLeg)
	slot, _ := trellis.SlotAddrs(40)
	if !l.target(l.i.PrivateIP) || l.client(slot) {
		t.Error("not the target leg alone is joined")
	}
}

func TestManagerWithoutAcceleration(t *testing.T) {
	l := newAccelerated(t, 0)
	slot, _ := trellis.SlotAddrs(40)
	if l.target(l.i.PrivateIP) || l.client(slot) {
		t.Error("joined")
	}
	if _, err := l.m.Acceleration(); !errors.Is(err, ErrNotAccelerated) {
		t.Errorf("got %v", err)
	}
}

// TestOneNamespaceForAll has the client at the slot's own address, as a client on the node's loopback has it.
func TestOneNamespaceForAll(t *testing.T) {
	a, s := newAccelerator(t), newSandbox(t)
	s.admit(a, "vpc-1", TargetLeg|ClientLeg)
	if err := a.Admit(s.ns.file, "vpc-1", TargetLeg|ClientLeg, netip.MustParseAddr(slotOf[tcp4])); err != nil {
		t.Fatal(err)
	}
	client, node := s.connect(slotOf[tcp4], 0, s.listen(slotOf[tcp4], 0))
	swap(t, client, node)
	if !past(t, client, node) || !past(t, node, client) {
		t.Error("not joined")
	}
}
