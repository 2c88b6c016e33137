package vpc

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-project/trellis"
)

// acl puts a network ACL of subnets, or with none the default one of the VPC, with all of its entries.
func (l *lab) acl(a *trellis.NetworkACL, entries ...trellis.NetworkACLEntry) *trellis.NetworkACL {
	a = &trellis.NetworkACL{Meta: a.Meta, VPCID: a.VPCID, Default: a.Default, Associations: a.Associations, Entries: entries}
	l.st.Put(a)
	return a
}

// aclOf makes a network ACL of subnets that lets nothing pass.
func (l *lab) aclOf(subnets ...*trellis.Subnet) *trellis.NetworkACL {
	a := &trellis.NetworkACL{Meta: meta("acl"), VPCID: subnets[0].VPCID}
	for _, s := range subnets {
		a.Associations = append(a.Associations, trellis.NetworkACLAssociation{ID: trellis.NewID("aclassoc"), SubnetID: s.ID})
	}
	return l.acl(a)
}

// in and out are entries that let TCP pass: from or to a block, to ports.
func in(number int, block string, from, to int) trellis.NetworkACLEntry {
	return trellis.NetworkACLEntry{Number: number, Protocol: "6", CIDR: netip.MustParsePrefix(block), FromPort: from, ToPort: to}
}

// out is in for what leaves.
func out(number int, block string, from, to int) trellis.NetworkACLEntry {
	e := in(number, block, from, to)
	e.Egress = true
	return e
}

// deny makes an entry one that drops.
func deny(e trellis.NetworkACLEntry) trellis.NetworkACLEntry {
	e.Deny = true
	return e
}

// all are the entries by which everything passes.
func all() []trellis.NetworkACLEntry {
	return append(trellis.AllowEverything(false, true), trellis.AllowEverything(true, true)...)
}

// everywhere are security group rules that hold nothing.
func everywhere() []trellis.SecurityGroupRule {
	rules := []trellis.SecurityGroupRule{everything(true), everything(false)}
	for _, r := range slices.Clone(rules) {
		r.CIDR = everywhere6
		rules = append(rules, r)
	}
	return rules
}

func TestNetworkACLsBetweenSubnets(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, a := l.vpc("10.20.0.0/16")
	b := l.subnet(v, 1)
	g := l.group(v, everywhere()...)
	client, server, neighbour := l.instance(a, "10.20.0.10", g), l.instance(b, "10.20.1.10", g), l.instance(b, "10.20.1.11", g)
	l.apply()
	l.serve(server, ":80")
	l.serve(server, ":81")
	v4, v6 := "10.20.1.10:80", "["+server.IPv6.String()+"]:80"
	try := func(what string, want4, want6 string) {
		t.Helper()
		l.apply()
		l.call(what, client, v4, want4)
		l.call(what+", IPv6", client, v6, want6)
		l.call(what+", inside the subnet", neighbour, v4, "10.20.1.11")
		l.call(what+", inside the subnet, IPv6", neighbour, v6, neighbour.IPv6.String())
	}
	try("without any", "10.20.0.10", client.IPv6.String())
	of := l.aclOf(b)
	try("one without entries", timedOut, timedOut)
	l.acl(of, all()...)
	try("everything", "10.20.0.10", client.IPv6.String())
	l.acl(of, in(100, "10.20.0.0/24", 80, 80))
	try("answers are not let out", timedOut, timedOut)
	l.acl(of, in(100, "10.20.0.0/24", 80, 80), out(100, "10.20.0.0/24", 1024, 65535))
	try("answers to ephemeral ports are let out", "10.20.0.10", timedOut)
	l.call("another port", client, "10.20.1.10:81", timedOut)
	l.acl(of, in(100, "2001:db8:0:100::/64", 80, 80), out(100, "::/0", 1024, 65535))
	try("IPv6 alone", timedOut, client.IPv6.String())
	l.acl(of, slices.Concat(all(), []trellis.NetworkACLEntry{deny(in(99, "10.20.0.10/32", 80, 80)), deny(in(102, "2001:db8:0:100::/64", 80, 80))})...)
	try("the lowest number decides", timedOut, client.IPv6.String())
	l.acl(of, slices.Concat(all(), []trellis.NetworkACLEntry{deny(out(99, "10.20.0.10/32", 1024, 65535))})...)
	try("answers are dropped", timedOut, client.IPv6.String())
	l.acl(of, trellis.AllowEverything(true, true)...)
	try("nothing is let in", timedOut, timedOut)

	of.VPCID = "vpc-another"
	l.st.Put(of)
	try("that of another VPC", "10.20.0.10", client.IPv6.String())
	l.st.Delete(of.Kind(), of.Key())
	rest := l.acl(&trellis.NetworkACL{Meta: meta("acl"), VPCID: v.ID, Default: true}, all()...)
	try("the default one, as it was born", "10.20.0.10", client.IPv6.String())
	l.acl(rest, trellis.AllowEverything(false, true)...)
	try("the default one lets nothing out", timedOut, timedOut)
	l.acl(l.aclOf(b), all()...)
	try("the default one holds the client's subnet alone", timedOut, timedOut)
	l.acl(l.aclOf(a), all()...)
	try("the default one has no subnet", "10.20.0.10", client.IPv6.String())
}

// TestNetworkACLsAndTheNode is about what instances say to the node's own addresses and it to them: VPC Lattice is in no subnet,
// endpoints and gateways are, and the resolver, the metadata and their like are held by nobody.
func TestNetworkACLsAndTheNode(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, a := l.vpc("10.20.0.0/16")
	b := l.subnet(v, 1)
	g := l.group(v, everywhere()...)
	client, target := l.instance(a, "10.20.0.10", g), l.instance(b, "10.20.1.10", g)
	network := trellis.Ref{Account: account, ID: "sn-1"}
	l.associate(v, 40).ServiceNetwork = network
	db := l.resource(network, "129.224.7.9", 5432, 5432)
	e := &trellis.VPCEndpoint{Meta: meta("vpce"), Type: trellis.ServiceNetworkEndpoint, VPCID: v.ID, State: trellis.EndpointAvailable, SecurityGroupIDs: []string{g.ID},
		Interfaces: []trellis.NetworkInterface{{SubnetID: b.ID, IPv4: l.addr("10.20.1.20"), IPv6: l.addr("2001:db8:0:101::20")}}}
	l.st.Put(e)
	l.st.Put(&trellis.EndpointAddress{Account: account, EndpointID: e.ID, Configuration: db.Configuration, Association: db.Ref(),
		Addresses: []trellis.SubnetAddress{{SubnetID: b.ID, Address: l.addr("10.20.1.21")}}})
	gateway := l.gateway(a, "10.20.0.30", "2001:db8:0:100::30", g)
	l.apply()
	slot4, slot6 := trellis.SlotAddrs(40)
	places := map[string]string{"slot": netip.AddrPortFrom(slot4, 80).String(), "slot, IPv6": netip.AddrPortFrom(slot6, 80).String(), "resource": "129.224.7.9:5432",
		"endpoint": "10.20.1.20:80", "endpoint, IPv6": "[2001:db8:0:101::20]:80", "resource of the endpoint": "10.20.1.21:5432"}
	l.takeResources(v)
	for place, at := range places {
		if place != "resource" && place != "resource of the endpoint" {
			l.listen(v, at)
		}
	}
	l.listen(v, "169.254.169.254:80")
	l.listen(v, "169.254.170.23:80")
	l.listen(v, "[fd00:ec2::254]:80")
	l.echo(v, "10.20.0.2:53")
	l.echo(v, "169.254.169.253:53")
	l.serve(target, ":8080")
	try := func(what string, reached ...string) {
		t.Helper()
		l.apply()
		outcome := func(place, want string) string {
			if slices.Contains(reached, place) {
				return want
			}
			return timedOut
		}
		for place, at := range places {
			want := "10.20.0.10"
			switch place {
			case "resource", "resource of the endpoint":
				want = at
			case "slot, IPv6", "endpoint, IPv6":
				want = client.IPv6.String()
			}
			l.call(what+": "+place, client, at, outcome(place, want))
		}
		l.dial(what+": target", v, "10.20.1.10:8080", outcome("target", source4.String()))
		l.dial(what+": target, IPv6", v, "["+target.IPv6.String()+"]:8080", outcome("target, IPv6", source6.String()))
		l.through(what+": through the gateway", gateway, "10.20.1.10:8080", outcome("gateway", "10.20.0.30"))
		l.call(what+": metadata", client, "169.254.169.254:80", "10.20.0.10")
		l.call(what+": Pod Identity's agent", client, "169.254.170.23:80", "10.20.0.10")
		l.call(what+": metadata, IPv6", client, "[fd00:ec2::254]:80", client.IPv6.String())
		for _, at := range []string{"10.20.0.2:53", "169.254.169.253:53"} {
			if !l.asks(client, at, certainty) {
				t.Errorf("%s: the resolver at %s does not answer", what, at)
			}
		}
	}
	everyPlace := []string{"slot", "slot, IPv6", "resource", "endpoint", "endpoint, IPv6", "resource of the endpoint", "target", "target, IPv6", "gateway"}
	try("without any", everyPlace...)
	one, two := l.aclOf(a), l.aclOf(b)
	try("nothing passes")
	l.acl(one, all()...)
	try("the client's lets everything pass", "slot", "slot, IPv6", "resource")
	l.acl(two, in(1, "10.20.0.0/24", 80, 80), out(1, "10.20.0.0/24", 1024, 65535), in(2, "169.254.171.0/24", 8080, 8080), out(2, "169.254.171.0/24", 1024, 65535))
	try("some of it", "slot", "slot, IPv6", "resource", "endpoint", "target")
	l.acl(two, all()...)
	l.acl(one, out(1, "169.254.171.0/24", 80, 80), in(1, "169.254.171.0/24", 1024, 65535))
	try("the client's lets VPC Lattice pass", "slot", "target", "target, IPv6")
	l.acl(one, out(1, "10.20.1.0/24", 0, 65535), in(1, "10.20.1.10/32", 1024, 65535))
	try("the gateway's subnet lets its target pass", "gateway", "target", "target, IPv6")
	l.acl(one, all()...)
	try("both let everything pass", everyPlace...)
}

// TestNetworkACLBitesOpenConnections changes a network ACL under a connection: that it was let pass before counts for nothing,
// also where the security groups still know it.
func TestNetworkACLBitesOpenConnections(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, a := l.vpc("10.20.0.0/16")
	b := l.subnet(v, 1)
	g := l.group(v, everywhere()...)
	client, server := l.instance(a, "10.20.0.10", g), l.instance(b, "10.20.1.10", g)
	l.apply()
	for _, at := range []netip.Addr{server.PrivateIP, server.IPv6} {
		ln, err := ListenInside(server.ID, netip.AddrPortFrom(at, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		var near, far net.Conn
		l.inside(client, func() (err error) { near, err = net.DialTimeout("tcp", ln.Addr().String(), certainty); return err })
		defer near.Close()
		if far, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		for _, way := range []struct {
			what     string
			from, to net.Conn
			entries  []trellis.NetworkACLEntry // that hold it
		}{
			{"what enters", near, far, trellis.AllowEverything(true, true)},
			{"what leaves", far, near, trellis.AllowEverything(false, true)},
		} {
			hears := func(what string, want bool) {
				t.Helper()
				wait := certainty
				if !want {
					wait = patience
				}
				way.to.SetReadDeadline(time.Now().Add(wait))
				_, err := way.to.Read(make([]byte, 1))
				if (err == nil) != want || !want && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s, %s, %s: %v", at, way.what, what, err)
				}
			}
			say := func() {
				if _, err := way.from.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			say()
			hears("before", true)
			of := l.acl(l.aclOf(b), way.entries...)
			l.apply()
			say()
			hears("with the network ACL", false)
			l.st.Delete(of.Kind(), of.Key())
			l.apply()
			hears("after it", true) // TCP says it again
		}
	}
}

func TestNetworkACLsAndICMP(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, a := l.vpc("10.20.0.0/16")
	b := l.subnet(v, 1)
	g := l.group(v, everywhere()...)
	client, other := l.instance(a, "10.20.0.10", g), l.instance(b, "10.20.1.10", g)
	of := l.aclOf(b)
	echo := trellis.NetworkACLEntry{Number: 1, Protocol: "1", CIDR: v.CIDR, FromPort: 8, ToPort: -1}
	answer := trellis.NetworkACLEntry{Number: 1, Egress: true, Protocol: "1", CIDR: v.CIDR, FromPort: 0, ToPort: 0}
	for _, x := range []struct {
		what    string
		entries []trellis.NetworkACLEntry
		want    bool
	}{
		{"nothing", nil, false},
		{"echo requests alone", []trellis.NetworkACLEntry{echo}, false},
		{"echo requests and answers", []trellis.NetworkACLEntry{echo, answer}, true},
		{"the other way round", []trellis.NetworkACLEntry{deny(echo), answer}, false},
	} {
		l.acl(of, x.entries...)
		l.apply()
		if got := l.ping(client, other.PrivateIP.String()); got != x.want {
			t.Errorf("%s: answered %v", x.what, got)
		}
	}
}

// TestRulesOfNetworkACLs compares rulesets: there is no rule where everything passes, and testdata/networkacl.nft has those of
// one that holds.
func TestRulesOfNetworkACLs(t *testing.T) {
	st := sampleState()
	rules := func() ruleset {
		networks, err := plan(st, "eu-west-1", 0)
		if err != nil {
			t.Fatal(err)
		}
		return networks["vpc-01"].rules
	}
	without := rules()
	put := func(entries ...trellis.NetworkACLEntry) (more ruleset) {
		st.Put(&trellis.NetworkACL{Meta: trellis.Meta{Account: account, ID: "acl-02"}, VPCID: "vpc-01", Entries: entries,
			Associations: []trellis.NetworkACLAssociation{{ID: "aclassoc-02", SubnetID: "subnet-02"}}})
		more = rules()
		if kept := (ruleset{more.sets[:len(without.sets)], more.chains[:len(without.chains)]}); kept.String() != without.String() {
			t.Errorf("the other rules are changed:\n%s", kept.String())
		}
		return ruleset{more.sets[len(without.sets):], more.chains[len(without.chains):]}
	}
	for what, x := range map[string]struct {
		more ruleset
		held bool
	}{
		"everything":            {put(all()...), false},
		"and more of it":        {put(append(all(), in(1, "10.0.0.0/8", 80, 80), out(1, "::/0", 80, 80))...), false},
		"nothing after it":      {put(append(all(), deny(in(200, "0.0.0.0/0", 0, 65535)))...), false},
		"something before it":   {put(append(all(), deny(in(99, "10.1.2.0/24", 80, 80)))...), true},
		"IPv4 alone":            {put(append(trellis.AllowEverything(false, false), trellis.AllowEverything(true, false)...)...), true},
		"nothing":               {put(), true},
		"all TCP":               {put(in(1, "0.0.0.0/0", 0, 65535), out(1, "0.0.0.0/0", 0, 65535)), true},
		"half of the addresses": {put(append(all()[1:], trellis.NetworkACLEntry{Number: 1, Protocol: "-1", CIDR: netip.MustParsePrefix("0.0.0.0/1")})...), true},
	} {
		if held := len(x.more.sets)+len(x.more.chains) > 0; held != x.held {
			t.Errorf("%s: held %v", what, held)
		}
	}
	st.Put(&trellis.NetworkACL{Meta: trellis.Meta{Account: account, ID: "acl-01"}, VPCID: "vpc-01", Default: true, Entries: trellis.AllowEverything(true, false)})
	held := put(deny(in(10, "10.20.1.0/24", 22, 22)), in(9, "10.20.1.4/32", 22, 22), out(7, "::/0", 1024, 65535),
		trellis.NetworkACLEntry{Number: 32766, Protocol: "58", CIDR: everywhere6, FromPort: 128, ToPort: -1},
		trellis.NetworkACLEntry{Number: 1, Egress: true, Deny: true, Protocol: "50", CIDR: everywhere4, FromPort: -1, ToPort: -1})
	const path = "testdata/networkacl.nft"
	if *update {
		if err := os.WriteFile(path, []byte(held.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), held.String()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	scratch(t, func(ns *namespace) error { r := rules(); return r.load(ns) })
}

// TestNetworkACLPartsJoinedConnections has the node's connections with an instance go past TCP, and by it when the subnet comes to have a
// network ACL that holds anything: so it bites at once.
func TestNetworkACLPartsJoinedConnections(t *testing.T) {
	l := newAccelerated(t, TargetLeg|ClientLeg)
	slot4, slot6 := trellis.SlotAddrs(40)
	type pair struct{ node, instance *net.TCPConn }
	var pairs []pair
	for _, at := range []netip.Addr{l.i.PrivateIP, l.i.IPv6} {
		ln, err := ListenInside(l.i.ID, netip.AddrPortFrom(at, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		for range 2 { // the first one shows the server's manners
			pairs = append(pairs, pair{})
			p := &pairs[len(pairs)-1]
			c, err := l.m.Dial(t.Context(), l.v.ID, ln.Addr().(*net.TCPAddr).AddrPort())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			target, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			p.node, p.instance = c.(*net.TCPConn), target.(*net.TCPConn)
			swap(t, c, target)
		}
		pairs = append(pairs[:len(pairs)-2], pairs[len(pairs)-1])
	}
	for _, at := range []netip.Addr{slot4, slot6} {
		ln, err := l.m.Listen(l.v.ID, netip.AddrPortFrom(at, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		var c net.Conn
		l.inside(l.i, func() (err error) { c, err = net.Dial("tcp", ln.Addr().String()); return err })
		defer c.Close()
		node, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer node.Close()
		swap(t, c, node)
		pairs = append(pairs, pair{node.(*net.TCPConn), c.(*net.TCPConn)})
	}
	for i, p := range pairs {
		if !past(t, p.node, p.instance) || !past(t, p.instance, p.node) {
			t.Errorf("connection %d is not joined", i)
		}
	}
	// What was put past TCP before, and is still to be read, comes before what goes by TCP after.
	for _, p := range pairs {
		p.node.Write([]byte("a"))
		p.instance.Write([]byte("a"))
	}
	of := l.acl(l.aclOf(l.s), in(1, "169.254.171.0/24", 0, 65535), out(1, "169.254.171.0/24", 0, 65535), in(2, "fd00:ec2:80::/64", 0, 65535), out(2, "fd00:ec2:80::/64", 0, 65535))
	l.apply()
	for i, p := range pairs {
		for _, way := range [][2]*net.TCPConn{{p.node, p.instance}, {p.instance, p.node}} {
			before := byTCP(t, way[0])
			said := make(chan error)
			go func() { // the node waits until what is there has been read
				_, err := (patient{way[0]}).Write([]byte("b"))
				said <- err
			}()
			text := make([]byte, 2)
			if _, err := io.ReadFull(way[1], text); err != nil || string(text) != "ab" {
				t.Errorf("connection %d: %q, %v", i, text, err)
			}
			if err := <-said; err != nil {
				t.Error(err)
			}
			if byTCP(t, way[0]) == before {
				t.Errorf("connection %d: said past TCP", i)
			}
		}
	}
	if l.target(l.i.PrivateIP) || l.client(slot4) {
		t.Error("a new connection of a subnet with a network ACL is joined")
	}
	l.acl(of)
	l.apply()
	for i, p := range pairs {
		for _, way := range [][2]*net.TCPConn{{p.node, p.instance}, {p.instance, p.node}} {
			if _, err := way[0].Write([]byte("c")); err != nil {
				t.Fatal(err)
			}
			way[1].SetReadDeadline(time.Now().Add(patience))
			if _, err := way[1].Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("connection %d: came past the network ACL, %v", i, err)
			}
		}
	}
	l.st.Delete(of.Kind(), of.Key())
	l.apply()
	if !l.target(l.i.PrivateIP) || !l.client(slot4) {
		t.Error("not joined without the network ACL")
	}
	for _, p := range pairs {
		p.node.Close()
		p.instance.Close()
	}
	empty(t, l.m.acceleration.Load().a)
}

// aclModel is what network ACLs of subnets let pass, said as EC2's user guide does.
type aclModel map[string]*trellis.NetworkACL // by subnet id

// crosses tells whether a UDP packet may go from one instance to another.
func (m aclModel) crosses(from, to *trellis.Instance, port int) bool {
	return from.SubnetID == to.SubnetID || m.lets(from.SubnetID, to.PrivateIP, port, true) && m.lets(to.SubnetID, from.PrivateIP, port, false)
}

// lets tells whether a subnet's network ACL lets a packet of a peer in, or one to it out.
func (m aclModel) lets(subnet string, peer netip.Addr, port int, egress bool) bool {
	a := m[subnet]
	if a == nil {
		return true
	}
	lowest := trellis.NetworkACLEntry{Number: 32767, Deny: true}
	for _, e := range a.Entries {
		fits := e.Egress == egress && e.CIDR.Contains(peer) && (e.Protocol == "-1" || e.Protocol == "17" && e.FromPort <= port && port <= e.ToPort)
		if fits && e.Number < lowest.Number {
			lowest = e
		}
	}
	return !lowest.Deny
}

// TestNetworkACLsAreAsTheModelSays gives subnets random network ACLs, sends a packet from each instance to each, and compares what
// arrives with what the model lets pass.
func TestNetworkACLsAreAsTheModelSays(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	l := newLab(t)
	v, first := l.vpc("10.20.0.0/16")
	g := l.group(v, everywhere()...)
	subnets := []*trellis.Subnet{first, l.subnet(v, 1), l.subnet(v, 2)}
	m := &sgModel{groups: map[string]*trellis.SecurityGroup{g.ID: g}, acls: aclModel{}}
	for n, s := range subnets {
		for i := range 2 {
			m.instances = append(m.instances, l.instance(s, fmt.Sprintf("10.20.%d.%d", n, 10+i), g))
		}
	}
	l.apply()
	ears := m.ears(l)
	acl := &trellis.NetworkACL{Meta: meta("acl"), VPCID: v.ID}
	rest := &trellis.NetworkACL{Meta: meta("acl"), VPCID: v.ID, Default: true}
	for round := range 15 {
		acl.Associations = nil
		of := map[string]*trellis.NetworkACL{}
		for _, s := range subnets {
			if of[s.ID] = rest; r.IntN(2) == 0 {
				of[s.ID] = acl
				acl.Associations = append(acl.Associations, trellis.NetworkACLAssociation{ID: "aclassoc-" + s.ID, SubnetID: s.ID})
			}
		}
		acl, rest = l.acl(acl, randomEntries(r)...), l.acl(rest, randomEntries(r)...)
		for id, was := range of {
			m.acls[id] = rest
			if !was.Default {
				m.acls[id] = acl
			}
		}
		l.apply()
		want := map[string]bool{}
		for _, from := range m.instances {
			l.inside(from, func() error { return m.sendToAll(from, want, round) })
		}
		if got := heard(ears, want); got != "" {
			for _, s := range subnets {
				t.Logf("%s: %+v", s.CIDR, m.acls[s.ID].Entries)
			}
			t.Fatalf("seed %d, round %d:\n%s", seed, round, got)
		}
	}
}

// randomEntries are entries of both directions, not in the order of their numbers, that fit some or all of what instances send.
func randomEntries(r *rand.Rand) []trellis.NetworkACLEntry {
	var entries []trellis.NetworkACLEntry
	for n, number := range r.Perm(12) {
		e := trellis.NetworkACLEntry{Number: 1 + number, Egress: n%2 == 0, Deny: r.IntN(3) == 0, Protocol: []string{"-1", "17", "17", "6"}[r.IntN(4)]}
		e.CIDR = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 20, byte(r.IntN(3)), byte(10 + r.IntN(2))}), []int{0, 16, 24, 31, 32}[r.IntN(5)]).Masked()
		e.FromPort = modelPorts[r.IntN(3)]
		e.ToPort = e.FromPort + r.IntN(2)
		entries = append(entries, e)
	}
	return entries
}
