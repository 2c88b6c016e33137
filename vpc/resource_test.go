package vpc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
)

// gateway adds a resource gateway at an address of a subnet.
func (l *lab) gateway(s *trellis.Subnet, at, at6 string, groups ...*trellis.SecurityGroup) *trellis.ResourceGateway {
	g := &trellis.ResourceGateway{Meta: meta("rgw"), VPCID: s.VPCID, Status: trellis.StatusActive, IPAddressType: trellis.DualStackAddresses,
		Interfaces: []trellis.NetworkInterface{{SubnetID: s.ID, IPv4: netip.MustParseAddr(at), IPv6: netip.MustParseAddr(at6)}}}
	for _, group := range groups {
		g.SecurityGroupIDs = append(g.SecurityGroupIDs, group.ID)
	}
	l.st.Put(g)
	return g
}

// resource adds a resource configuration, and its association with a network.
func (l *lab) resource(network trellis.Ref, at string, from, to int) *trellis.ResourceAssociation {
	c := &trellis.ResourceConfiguration{Meta: meta("rcfg"), Status: trellis.StatusActive, Ports: []trellis.PortRange{{From: from, To: to}}}
	a := &trellis.ResourceAssociation{Meta: meta("snra"), Configuration: c.Ref(), ServiceNetwork: network, Status: trellis.StatusActive, Address: netip.MustParseAddr(at)}
	l.st.Put(c)
	l.st.Put(a)
	return a
}

// takeResources accepts connections to resources of a VPC, and writes to each where it goes to.
func (l *lab) takeResources(v *trellis.VPC) {
	l.t.Helper()
	for _, at := range ResourcePlaces {
		socket, err := l.m.ListenTransparent(v.ID, at)
		if err != nil {
			l.t.Fatal(err)
		}
		if why, err := l.m.Unfit(v.ID, at, socket); why != nil || err != nil {
			l.t.Errorf("the socket at %s: %v, %v", at, why, err)
		}
		f := os.NewFile(uintptr(socket), "resources")
		ln, err := net.FileListener(f)
		f.Close()
		if err != nil {
			l.t.Fatal(err)
		}
		l.opened = append(l.opened, ln)
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				fmt.Fprintln(c, c.LocalAddr())
				c.Close()
			}
		}()
	}
}

func TestResourcesAreReached(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	network := trellis.Ref{Account: account, ID: "sn-1"}
	client := l.instance(s, "10.20.0.10", l.group(v, everything(true), trellis.SecurityGroupRule{Egress: true, Protocol: "-1", CIDR: everywhere6}))
	other := l.instance(s, "10.20.0.11", l.group(v, tcpFrom("10.20.0.0/24", 1)))
	a := l.associate(v, 40, l.group(v, tcpFrom("10.20.0.10/32", 5432), tcpFrom("10.20.0.10/32", 5434),
		trellis.SecurityGroupRule{Protocol: "tcp", FromPort: 1, ToPort: 6000, CIDR: everywhere6}))
	a.ServiceNetwork = network
	db := l.resource(network, "129.224.7.9", 5432, 5433)
	l.resource(trellis.Ref{Account: account, ID: "sn-2"}, "129.224.7.10", 1, 65535)
	l.apply()
	l.takeResources(v)
	l.call("a port of the resource", client, "129.224.7.9:5432", "129.224.7.9:5432")
	l.call("the same again", client, "129.224.7.9:5432", "129.224.7.9:5432")
	l.call("by IPv6", client, "[fd00:ec2:80::81e0:709]:5433", "[fd00:ec2:80::81e0:709]:5433")
	l.call("a port that the group does not allow", client, "129.224.7.9:5433", timedOut)
	l.call("a port that the resource has not", client, "129.224.7.9:5434", timedOut)
	l.call("a client that the group does not allow", other, "129.224.7.9:5432", timedOut)
	l.call("a resource of another network", client, "129.224.7.10:5432", timedOut)
	l.call("an address without a resource", client, "129.224.7.11:5432", timedOut)
	l.call("where connections to resources are taken", client, ResourcePlaces[0].String(), timedOut)

	l.st.Delete(db.Kind(), db.Key())
	l.apply()
	l.call("a resource that has left", client, "129.224.7.9:5432", timedOut)
}

// TestManyResources has as many as a network may, each with a port of its own.
func TestManyResources(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	network := trellis.Ref{Account: account, ID: "sn-1"}
	client := l.instance(s, "10.20.0.10", l.group(v, everything(true)))
	l.associate(v, 40).ServiceNetwork = network
	for i := range 1000 {
		l.resource(network, trellis.ResourceAddr(i).String(), 5000+i, 5000+i)
	}
	l.apply()
	l.takeResources(v)
	for _, i := range []int{0, 500, 999} {
		l.call("a resource", client, fmt.Sprintf("%s:%d", trellis.ResourceAddr(i), 5000+i), fmt.Sprintf("%s:%d", trellis.ResourceAddr(i), 5000+i))
	}
	l.call("a port of another", client, fmt.Sprintf("%s:%d", trellis.ResourceAddr(500), 5501), timedOut)
}

func TestEndpointsAreReached(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	callers := l.group(v, everything(true))
	client := l.instance(s, "10.20.0.10", callers)
	other := l.instance(s, "10.20.0.11", l.group(v, everything(true)))
	guard := l.group(v, trellis.SecurityGroupRule{Protocol: "tcp", FromPort: 80, ToPort: 6000, GroupID: callers.ID})
	e := &trellis.VPCEndpoint{Meta: meta("vpce"), Type: trellis.ServiceNetworkEndpoint, VPCID: v.ID, State: trellis.EndpointAvailable, SecurityGroupIDs: []string{guard.ID},
		Interfaces: []trellis.NetworkInterface{{SubnetID: s.ID, IPv4: netip.MustParseAddr("10.20.0.20")}}}
	db := l.resource(trellis.Ref{Account: account, ID: "sn-1"}, "129.224.7.9", 5432, 5432)
	led := &trellis.EndpointAddress{Account: account, EndpointID: e.ID, Configuration: db.Configuration, Association: db.Ref(),
		Addresses: []trellis.SubnetAddress{{SubnetID: s.ID, Address: netip.MustParseAddr("10.20.0.21")}}}
	l.st.Put(e)
	l.st.Put(led)
	l.apply()
	l.takeResources(v)
	l.listen(v, "10.20.0.20:80")
	l.call("a service", client, "10.20.0.20:80", "10.20.0.10")
	l.call("a service, by another client", other, "10.20.0.20:80", timedOut)
	l.call("a resource", client, "10.20.0.21:5432", "10.20.0.21:5432")
	l.call("a resource, by another client", other, "10.20.0.21:5432", timedOut)
	l.call("another port", client, "10.20.0.21:5433", timedOut)
	l.call("the resource's port at the services' address", client, "10.20.0.20:5432", refused)
	l.dial("the endpoint as a target", v, "10.20.0.20:80", timedOut)
	if n := l.tracked(v); n != 0 {
		t.Errorf("%d connections are tracked", n)
	}
	l.st.Delete(e.Kind(), e.Key())
	l.apply()
	l.call("after the endpoint", client, "10.20.0.20:80", timedOut)
}

// through connects from a resource gateway, and compares what it was greeted with.
func (l *lab) through(what string, g *trellis.ResourceGateway, to, want string) {
	l.t.Helper()
	at := netip.MustParseAddrPort(to)
	fd, err := l.m.GatewaySocket(g.VPCID, choose(at.Addr(), g.Interfaces[0].IPv4, g.Interfaces[0].IPv6), at)
	if err != nil {
		l.t.Fatal(err)
	}
	if err = unix.Connect(fd, sockaddr(at)); err == unix.EINPROGRESS {
		err = connected(fd, wait(want))
	}
	f := os.NewFile(uintptr(fd), "gateway")
	defer f.Close()
	var c net.Conn
	if err == nil {
		c, err = net.FileConn(f)
	}
	expect(l.t, what, l.outcome(c, err), want)
}

func TestGatewaysHaveSecurityGroups(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	v, s := l.vpc("10.20.0.0/16")
	out := l.group(v, trellis.SecurityGroupRule{Egress: true, Protocol: "tcp", FromPort: 5432, ToPort: 5432, CIDR: v.CIDR},
		trellis.SecurityGroupRule{Egress: true, Protocol: "tcp", FromPort: 5432, ToPort: 5432, CIDR: everywhere6})
	g := l.gateway(s, "10.20.0.50", "2001:db8:0:100::50", out)
	db := l.instance(s, "10.20.0.10", l.group(v, trellis.SecurityGroupRule{Protocol: "tcp", FromPort: 1, ToPort: 65535, GroupID: out.ID}))
	open := l.instance(s, "10.20.0.11", l.group(v, tcpFrom("169.254.171.0/24", 5432)))
	l.apply()
	for _, at := range []string{":5432", ":5433"} {
		l.serve(db, at)
		l.serve(open, at)
	}
	l.through("a resource that names the gateway's group", g, "10.20.0.10:5432", "10.20.0.50")
	l.through("by IPv6", g, "[2001:db8:0:100::10]:5432", "2001:db8:0:100::50")
	l.through("a port that the gateway's group does not let out", g, "10.20.0.10:5433", timedOut)
	l.through("a resource that names VPC Lattice's addresses", g, "10.20.0.11:5432", timedOut)
	l.dial("the node as itself", v, "10.20.0.11:5432", "169.254.171.1")
	l.call("the gateway from an instance", db, "10.20.0.50:5432", timedOut)
	for _, to := range []string{"[2001:db8:0:100::10]:1", "127.0.0.1:1", "0.0.0.0:1", "169.254.169.254:80", "129.224.0.1:1", "224.0.0.1:1"} {
		if _, err := l.m.GatewaySocket(v.ID, g.Interfaces[0].IPv4, netip.MustParseAddrPort(to)); err == nil {
			t.Errorf("a socket for %s was made", to)
		}
	}
}

// connected waits until a connection that has been begun is there, or has failed. A signal to the process ends no wait.
func connected(fd int, within time.Duration) error {
	for end := time.Now().Add(within); ; {
		left := time.Until(end)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			if failed, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || failed != 0 {
				return errors.Join(err, unix.Errno(failed))
			}
			return nil
		}
	}
}
