package vpc

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

func TestAssociationGroups(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	clients := l.group(v, everything(true))
	others := l.group(v, everything(true))
	byAddress := l.instance(s, "10.20.0.10", others)
	byGroup := l.instance(s, "10.20.0.11", clients)
	neither := l.instance(s, "10.20.0.12", others)
	guard := l.group(v, tcpFrom("10.20.0.10/32", 80),
		trellis.SecurityGroupRule{Protocol: "tcp", FromPort: 80, ToPort: 90, GroupID: clients.ID})
	l.associate(v, 40, guard)
	l.associate(v, 41)
	l.associate(v, 42, l.group(v))
	l.apply()
	for _, at := range []string{"169.254.171.40:80", "169.254.171.40:90", "169.254.171.41:80", "169.254.171.42:80"} {
		l.listen(v, at)
	}
	l.call("client that a CIDR names", byAddress, "169.254.171.40:80", "10.20.0.10")
	l.call("the same to another port", byAddress, "169.254.171.40:90", timedOut)
	l.call("client that a group names", byGroup, "169.254.171.40:90", "10.20.0.11")
	l.call("client that nothing names", neither, "169.254.171.40:80", timedOut)
	l.call("association without groups", neither, "169.254.171.41:80", "10.20.0.12")
	l.call("group without rules", neither, "169.254.171.42:80", timedOut)

	byGroup = &trellis.Instance{Meta: byGroup.Meta, VPCID: byGroup.VPCID, SubnetID: byGroup.SubnetID, PrivateIP: byGroup.PrivateIP,
		IPv6: byGroup.IPv6, MAC: byGroup.MAC, State: byGroup.State, SecurityGroupIDs: []string{others.ID}}
	l.st.Put(byGroup)
	l.apply()
	l.call("client that left the group", byGroup, "169.254.171.40:80", timedOut)
}

func TestInstanceGroups(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	web := l.group(v, tcpFrom("10.20.0.0/24", 8080))
	caller := l.group(v, trellis.SecurityGroupRule{Egress: true, Protocol: "tcp", FromPort: 8080, ToPort: 8081, GroupID: web.ID})
	server := l.instance(s, "10.20.0.10", web)
	client := l.instance(s, "10.20.0.11", caller)
	l.associate(v, 40)
	l.apply()
	l.serve(server, "10.20.0.10:8080")
	l.serve(server, "10.20.0.10:8081")
	l.serve(client, "10.20.0.11:8080")
	l.listen(v, "169.254.171.40:8080")
	l.call("port that both allow", client, "10.20.0.10:8080", "10.20.0.11")
	l.call("port that only the sender allows", client, "10.20.0.10:8081", timedOut)
	l.call("sender without outbound rules", server, "10.20.0.11:8080", timedOut)
	l.call("outbound rules without VPC Lattice", client, "169.254.171.40:8080", timedOut)
	l.call("address without an instance", client, "10.20.0.99:8080", timedOut)
	l.call("gateway", client, "10.20.0.1:22", timedOut)
	l.call("address outside of the VPC", client, "192.0.2.1:80", timedOut)
	l.dial("target that only allows its subnet", v, "10.20.0.10:8080", timedOut)
}

func TestEstablishedConnectionOutlivesItsRule(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	g := l.group(v, everything(true), everything(false))
	server, client := l.instance(s, "10.20.0.10", g), l.instance(s, "10.20.0.11", g)
	l.apply()
	var ln net.Listener
	var out, in net.Conn
	l.inside(server, func() (err error) { ln, err = net.Listen("tcp", "10.20.0.10:8080"); return err })
	defer ln.Close()
	l.inside(client, func() (err error) { out, err = net.DialTimeout("tcp", "10.20.0.10:8080", patience); return err })
	defer out.Close()
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	l.st.Put(&trellis.SecurityGroup{Meta: g.Meta, VPCID: v.ID})
	l.apply()
	in.SetDeadline(time.Now().Add(time.Second))
	if _, err := out.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Read(make([]byte, 1)); err != nil {
		t.Errorf("read on the tracked connection: %v", err)
	}
	l.call("a new one", client, "10.20.0.10:8080", timedOut)
}

// tracked is how many connections conntrack knows in a VPC's namespace.
func (l *lab) tracked(v *trellis.VPC) (n int) {
	l.t.Helper()
	ns, err := openNamespace(v.ID)
	if err != nil {
		l.t.Fatal(err)
	}
	defer ns.close()
	err = ns.within(func() error {
		b, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
		if err == nil {
			n, err = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

func TestOnlyTrafficBetweenInstancesIsTracked(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	g := l.group(v, everything(true), everything(false))
	client, server := l.instance(s, "10.20.0.10", g), l.instance(s, "10.20.0.11", g)
	l.associate(v, 40)
	l.apply()
	l.serve(server, "10.20.0.11:8080")
	l.listen(v, "169.254.171.40:80")
	l.echo(v, "10.20.0.2:53")
	l.call("service", client, "169.254.171.40:80", "10.20.0.10")
	l.dial("target", v, "10.20.0.11:8080", "169.254.171.1")
	l.call("nowhere", client, "169.254.171.254:80", timedOut)
	if !l.asks(client, "10.20.0.2:53", certainty) {
		t.Error("the resolver does not answer")
	}
	if n := l.tracked(v); n != 0 {
		t.Errorf("%d connections of the node are tracked", n)
	}
	l.call("neighbour", client, "10.20.0.11:8080", "10.20.0.10")
	if n := l.tracked(v); n != 1 {
		t.Errorf("%d connections between instances are tracked, want 1", n)
	}
}

func TestTargetGroupsSourceIsThePrefixList(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	lists := []*trellis.PrefixList{
		{Meta: trellis.Meta{Account: "AWS", ID: trellis.NewID("pl")}, Name: "com.amazonaws.eu-west-1.vpc-lattice", Entries: []trellis.PrefixListEntry{{CIDR: trellis.LatticeBlock4}}},
		{Meta: trellis.Meta{Account: "AWS", ID: trellis.NewID("pl")}, Name: "com.amazonaws.eu-west-1.ipv6.vpc-lattice", Entries: []trellis.PrefixListEntry{{CIDR: trellis.LatticeBlock6}}},
	}
	var rules []trellis.SecurityGroupRule
	for _, p := range lists {
		l.st.Put(p)
		rules = append(rules, trellis.SecurityGroupRule{Protocol: "tcp", FromPort: 8080, ToPort: 8080, PrefixListID: p.ID})
	}
	target := l.instance(s, "10.20.0.10", l.group(v, rules...))
	client := l.instance(s, "10.20.0.11", l.group(v, everything(true)))
	l.apply()
	l.serve(target, ":8080")
	l.serve(target, ":8081")
	l.dial("dial", v, "10.20.0.10:8080", "169.254.171.1")
	l.dial("dial by IPv6", v, "[2001:db8:0:100::10]:8080", "fd00:ec2:80::a9fe:ab01")
	l.dial("another port", v, "10.20.0.10:8081", timedOut)
	l.call("an instance to the target", client, "10.20.0.10:8080", timedOut)
	l.dial("IPv6 address without an instance", v, "[2001:db8:0:100::99]:8080", timedOut)
	l.dial("the resolver's address as a target", v, "10.20.0.2:53", timedOut)
}

func TestSpoofedSourceIsDropped(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	g := l.group(v, everything(true), everything(false))
	server, liar := l.instance(s, "10.20.0.10", g), l.instance(s, "10.20.0.11", g)
	l.instance(s, "10.20.0.12", g)
	l.apply()
	l.withoutReversePath(s.VPCID, liar)
	var p net.PacketConn
	l.inside(server, func() (err error) { p, err = net.ListenPacket("udp4", "10.20.0.10:5000"); return err })
	defer p.Close()
	for _, source := range []string{"10.20.0.12", "169.254.171.1", "192.0.2.1", "10.20.0.11"} {
		l.inside(liar, func() error { return sendFrom(source, "10.20.0.10:5000") })
	}
	p.SetDeadline(time.Now().Add(2 * time.Second))
	_, from, err := p.ReadFrom(make([]byte, 100))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "the only packet's source", from.(*net.UDPAddr).IP.String(), "10.20.0.11")
}

// withoutReversePath switches the second guard against spoofing off, which would hide that the first one fails.
func (l *lab) withoutReversePath(vpcID string, i *trellis.Instance) {
	l.t.Helper()
	ns, err := openNamespace(vpcID)
	if err != nil {
		l.t.Fatal(err)
	}
	defer ns.close()
	err = ns.within(func() error {
		return writeSysctls([]sysctl{{"ipv4/conf/all/rp_filter", "0"}, {"ipv4/conf/" + interfaceName(i.ID) + "/rp_filter", "0"}})
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// sendFrom sends a UDP packet from an address that the sender need not have.
func sendFrom(source, to string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	dest := netip.MustParseAddrPort(to)
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(source).As4()}),
		unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Addr: dest.Addr().As4(), Port: int(dest.Port())}))
}

func TestPingsToVPCLatticeAreNotAnswered(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	client := l.instance(s, "10.20.0.10", l.group(v, everything(true)))
	neighbour := l.instance(s, "10.20.0.11", l.group(v, trellis.SecurityGroupRule{Protocol: "icmp", FromPort: 8, ToPort: -1, CIDR: v.CIDR}))
	l.associate(v, 40)
	l.apply()
	for to, want := range map[string]bool{neighbour.PrivateIP.String(): true, "169.254.171.40": false, "169.254.171.1": false, "169.254.171.99": false} {
		if got := l.ping(client, to); got != want {
			t.Errorf("ping %s: answered %v, want %v", to, got, want)
		}
	}
}

// ping sends an ICMP echo request and tells whether anything answers.
func (l *lab) ping(from *trellis.Instance, to string) (answered bool) {
	l.inside(from, func() error {
		c, err := net.Dial("ip4:icmp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write([]byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}); err != nil {
			return err
		}
		c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = c.Read(make([]byte, 100))
		answered = err == nil
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		return err
	})
	return answered
}
