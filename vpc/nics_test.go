package vpc

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// nicOf adds a network interface, attached to an instance unless that is nil.
func (l *lab) nicOf(s *trellis.Subnet, i *trellis.Instance, index int, groups []string, addresses ...string) *trellis.ElasticNetworkInterface {
	n := &trellis.ElasticNetworkInterface{Meta: meta("eni"), VPCID: s.VPCID, SubnetID: s.ID, MAC: "06:01:00:00:00:" + []string{"00", "01", "02"}[index], SecurityGroupIDs: groups}
	for _, a := range addresses {
		if at := netip.MustParseAddr(a); at.Is4() {
			n.IPv4 = append(n.IPv4, at)
		} else {
			n.IPv6 = append(n.IPv6, at)
		}
	}
	if i != nil {
		n.Attachment = &trellis.InterfaceAttachment{InstanceID: i.ID, DeviceIndex: index}
	}
	l.st.Put(n)
	return n
}

// held opens a connection to a server that answers what it is sent, and says whether it still does so later.
func (l *lab) held(server, client *trellis.Instance, at string) (alive func() bool) {
	l.t.Helper()
	var ln net.Listener
	var c net.Conn
	l.inside(server, func() (err error) { ln, err = net.Listen("tcp", at); return err })
	l.inside(client, func() (err error) { c, err = net.DialTimeout("tcp", at, certainty); return err })
	s, err := ln.Accept()
	if err != nil {
		l.t.Fatal(err)
	}
	l.opened = append(l.opened, ln, c, s)
	return func() bool {
		s.SetDeadline(time.Now().Add(certainty))
		_, wrote := c.Write([]byte("x"))
		_, read := s.Read(make([]byte, 1))
		return wrote == nil && read == nil
	}
}

// TestFurtherInterfaces gives a running instance a second interface: traffic comes and goes by it, its own security groups hold
// there, and when it goes the first interface's connections stay.
func TestFurtherInterfaces(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	other := &trellis.Subnet{Meta: meta("subnet"), VPCID: v.ID, CIDR: netip.MustParsePrefix("10.20.1.0/24")}
	l.st.Put(other)
	all := l.group(v, everything(true), everything(false), trellis.SecurityGroupRule{Egress: true, Protocol: "-1", CIDR: everywhere6}, trellis.SecurityGroupRule{Protocol: "-1", CIDR: everywhere6})
	admin := l.group(v, everything(true), tcpFrom("10.20.0.11/32", 22), trellis.SecurityGroupRule{Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: netip.MustParsePrefix("2001:db8:0:100::11/128")})
	server, client, stranger := l.instance(s, "10.20.0.10", all), l.instance(s, "10.20.0.11", all), l.instance(s, "10.20.0.12", all)
	l.apply()
	alive := l.held(server, client, "10.20.0.10:80")
	second := l.nicOf(other, server, 1, []string{admin.ID}, "10.20.1.20", "10.20.1.21", "2001:db8:0:100::20")
	l.apply()
	for _, at := range []string{"10.20.1.20:22", "10.20.1.21:22", "[2001:db8:0:100::20]:22", "0.0.0.0:8080"} {
		l.serve(server, at)
	}
	l.call("by the second interface", client, "10.20.1.20:22", "10.20.0.11")
	l.call("by its second address", client, "10.20.1.21:22", "10.20.0.11")
	l.call("by IPv6", client, "[2001:db8:0:100::20]:22", "2001:db8:0:100::11")
	l.call("not of its groups", stranger, "10.20.1.20:22", timedOut)
	l.call("another port", client, "10.20.1.20:8080", timedOut)
	l.call("by the first interface", stranger, "10.20.0.10:8080", "10.20.0.12")
	l.dial("as a target", v, "10.20.1.20:22", timedOut)
	l.serve(client, "10.20.0.11:8080")
	l.inside(server, func() error {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 20, 1, 21)}, Timeout: certainty}
		c, err := from.Dial("tcp", "10.20.0.11:8080")
		expect(t, "from the second interface", l.outcome(c, err), "10.20.1.21")
		return nil
	})
	l.call("from the first one, as before", server, "10.20.0.11:8080", "10.20.0.10")
	if key, ok := l.m.InstanceAt(v.ID, l.addr("10.20.1.21")); !ok || key != server.Key() {
		t.Errorf("10.20.1.21 is %s's", key)
	}

	// Who restarts finds all as it was; what is detached is gone, and may go to another.
	l.m.mu.Lock()
	before := l.m.applied[v.ID].hosts[server.ID]
	l.m.mu.Unlock()
	if err := joinAgain(v.ID, server.ID, before); err != nil {
		t.Fatal(err)
	}
	l.call("after all was made again", client, "10.20.1.20:22", "10.20.0.11")
	moved := *second
	moved.Attachment = nil
	l.st.Put(&moved)
	l.apply()
	l.call("detached", client, "10.20.1.20:22", timedOut)
	if _, ok := l.m.InstanceAt(v.ID, l.addr("10.20.1.21")); ok {
		t.Error("an address without an instance")
	}
	again := moved
	again.Attachment = &trellis.InterfaceAttachment{InstanceID: stranger.ID, DeviceIndex: 2}
	l.st.Put(&again)
	l.apply()
	l.serve(stranger, "10.20.1.20:22")
	l.call("at another instance", client, "10.20.1.20:22", "10.20.0.11")
	l.inside(stranger, func() error {
		_, err := net.InterfaceByName("eth2")
		return err
	})
	if !alive() {
		t.Error("a connection over the first interface has ended")
	}
}

// joinAgain joins an instance once more, as the next process does.
func joinAgain(vpcID, instanceID string, h host) error {
	v, err := openNamespace(vpcID)
	if err != nil {
		return err
	}
	defer v.close()
	i, err := openNamespace(instanceID)
	if err != nil {
		return err
	}
	defer i.close()
	return joinHost(v, i, nil, h)
}

// TestSecondaryAddresses gives and takes addresses of an instance's first interface, and moves one to another instance, while a
// connection is open.
func TestSecondaryAddresses(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	all := l.group(v, everything(true), everything(false))
	server, client, heir := l.instance(s, "10.20.0.10", all), l.instance(s, "10.20.0.11", all), l.instance(s, "10.20.0.12", all)
	l.apply()
	alive := l.held(server, client, "10.20.0.10:80")
	first := server.FirstInterface()
	first.ID, first.IPv4 = "eni-1", []netip.Addr{server.PrivateIP, l.addr("10.20.0.30"), l.addr("10.20.0.31")}
	l.st.Put(first)
	l.apply()
	l.serve(server, "0.0.0.0:8080")
	l.serve(client, "10.20.0.11:8080")
	l.call("a secondary address", client, "10.20.0.30:8080", "10.20.0.11")
	l.call("the other", client, "10.20.0.31:8080", "10.20.0.11")
	l.call("the primary one is where it comes from", server, "10.20.0.11:8080", "10.20.0.10")

	fewer, more := *first, heir.FirstInterface()
	fewer.IPv4 = []netip.Addr{server.PrivateIP, l.addr("10.20.0.31")}
	more.ID, more.IPv4 = "eni-2", []netip.Addr{heir.PrivateIP, l.addr("10.20.0.30")}
	l.st.Put(&fewer)
	l.st.Put(more)
	l.apply()
	l.serve(heir, "10.20.0.30:9090")
	l.call("at its heir", client, "10.20.0.30:9090", "10.20.0.11")
	l.call("what stays", client, "10.20.0.31:8080", "10.20.0.11")
	l.inside(server, func() error {
		addrs, err := net.InterfaceAddrs()
		for _, a := range addrs {
			if strings.HasPrefix(a.String(), "10.20.0.30/") {
				t.Error("the address is still there")
			}
		}
		return err
	})
	if !alive() {
		t.Error("a connection over the primary address has ended")
	}
}
