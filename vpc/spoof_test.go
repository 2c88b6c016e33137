package vpc

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// TestStolenAddress connects to a service network from addresses of a neighbour, of the node and of nobody, which the sender
// has given itself, even where the answers would find their way to it: the network vouches for who has an address
// (Manager.InstanceAt), so nobody else may open a connection from there.
func TestStolenAddress(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	g := l.group(v, everything(true), trellis.SecurityGroupRule{Egress: true, Protocol: "-1", CIDR: everywhere6})
	liar, neighbour := l.instance(s, "10.20.0.11", g), l.instance(s, "10.20.0.12", g)
	l.associate(v, 40)
	l.apply()
	l.withoutReversePath(v.ID, liar)
	l.listen(v, "169.254.171.40:80")
	l.listen(v, "[fd00:ec2:80::a9fe:ab28]:80")
	for _, c := range []struct{ from, to, want string }{
		{"10.20.0.11", "169.254.171.40:80", "10.20.0.11"},
		{"10.20.0.12", "169.254.171.40:80", timedOut},
		{"10.20.0.99", "169.254.171.40:80", timedOut},
		{"192.0.2.1", "169.254.171.40:80", timedOut},
		{"2001:db8:0:100::11", "[fd00:ec2:80::a9fe:ab28]:80", "2001:db8:0:100::11"},
		{"2001:db8:0:100::12", "[fd00:ec2:80::a9fe:ab28]:80", timedOut},
		{"2001:db8:0:100::99", "[fd00:ec2:80::a9fe:ab28]:80", timedOut},
	} {
		if c.want == timedOut {
			l.steal(v, liar, netip.MustParseAddr(c.from))
		}
		l.inside(liar, func() error {
			d := net.Dialer{Timeout: wait(c.want), LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}}
			conn, err := d.Dial("tcp", c.to)
			expect(t, "from "+c.from, l.outcome(conn, err), c.want)
			return nil
		})
	}
	for address, want := range map[string]string{"10.20.0.11": liar.Key(), "2001:db8:0:100::12": neighbour.Key(), "10.20.0.99": ""} {
		got, _ := l.m.InstanceAt(v.ID, netip.MustParseAddr(address))
		expect(t, "who has "+address, got, want)
	}
}

// steal gives an instance an address, and leads the VPC's packets for it to the instance: more than an instance can do.
func (l *lab) steal(v *trellis.VPC, i *trellis.Instance, a netip.Addr) {
	l.t.Helper()
	l.inside(i, func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		for _, link := range links {
			if link.Attrs().Name != "lo" {
				err = errors.Join(err, netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(single(a)), Flags: unix.IFA_F_NODAD}))
			}
		}
		return err
	})
	ns, err := openNamespace(v.ID)
	if err != nil {
		l.t.Fatal(err)
	}
	defer ns.close()
	err = ns.within(func() error {
		link, err := netlink.LinkByName(interfaceName(i.ID))
		if err != nil {
			return err
		}
		mac, err := net.ParseMAC(i.MAC)
		if err != nil {
			return err
		}
		return errors.Join(
			netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(single(a)), Scope: netlink.SCOPE_LINK}),
			netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac}))
	})
	if err != nil {
		l.t.Fatal(err)
	}
}
