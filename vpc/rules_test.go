package vpc

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-project/trellis"
)

// update rewrites testdata/rules.nft.
var update = flag.Bool("update", false, "rewrite testdata")

// sampleState has every kind of security group rule, in a VPC of fixed ids.
func sampleState() *trellis.State {
	own := func(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }
	prefix := netip.MustParsePrefix
	st := trellis.NewState()
	v := &trellis.VPC{Meta: own("vpc-01"), CIDR: prefix("10.20.0.0/16"), EnableDNSSupport: true}
	put := func(nouns ...trellis.Noun) {
		for _, n := range nouns {
			st.Put(n)
		}
	}
	put(v,
		&trellis.VPC{Meta: own("vpc-02"), CIDR: prefix("10.20.0.0/16"), Attachment: "device"},
		&trellis.Subnet{Meta: own("subnet-01"), VPCID: "vpc-01", CIDR: prefix("10.20.1.0/24")},
		&trellis.Subnet{Meta: own("subnet-02"), VPCID: "vpc-01", CIDR: prefix("10.20.2.0/24"), IPv6CIDR: prefix("2001:db8::/64")},
		&trellis.PrefixList{Meta: own("pl-01"), Entries: []trellis.PrefixListEntry{{CIDR: trellis.LatticeBlock4}, {CIDR: prefix("198.51.100.0/25")}}},
		&trellis.PrefixList{Meta: own("pl-02"), Entries: []trellis.PrefixListEntry{{CIDR: trellis.LatticeBlock6}}},
		&trellis.SecurityGroup{Meta: own("sg-web"), VPCID: "vpc-01", Rules: []trellis.SecurityGroupRule{
			{Protocol: "tcp", FromPort: 80, ToPort: 80, GroupID: "sg-clients"},
			{Protocol: "tcp", FromPort: 8000, ToPort: 8100, PrefixListID: "pl-01"},
			{Protocol: "6", FromPort: 443, ToPort: 443, PrefixListID: "pl-02"},
			{Protocol: "icmp", FromPort: 8, ToPort: -1, CIDR: v.CIDR},
			{Protocol: "icmp", FromPort: 3, ToPort: 4, CIDR: v.CIDR},
			{Protocol: "icmpv6", FromPort: -1, ToPort: -1, CIDR: everywhere6},
			{Protocol: "udp", FromPort: 0, ToPort: 65535, CIDR: prefix("10.20.1.7/32")},
			{Protocol: "132", FromPort: -1, ToPort: -1, CIDR: prefix("10.20.128.0/17")},
			{Protocol: "-1", FromPort: -1, ToPort: -1, GroupID: "sg-gone"},
			{Protocol: "tcp", FromPort: 90, ToPort: 80, CIDR: everywhere4},
			{Protocol: "nonsense", CIDR: everywhere4},
			{Protocol: "tcp", FromPort: 22, ToPort: 22, PrefixListID: "pl-gone"},
		}},
		&trellis.SecurityGroup{Meta: own("sg-clients"), VPCID: "vpc-01", Rules: []trellis.SecurityGroupRule{
			{Egress: true, Protocol: "-1", FromPort: -1, ToPort: -1, CIDR: everywhere4},
			{Egress: true, Protocol: "tcp", FromPort: 80, ToPort: 80, GroupID: "sg-web"},
		}},
		&trellis.SecurityGroup{Meta: own("sg-unused"), VPCID: "vpc-01"},
		&trellis.Instance{Meta: own("i-01"), VPCID: "vpc-01", SubnetID: "subnet-01", PrivateIP: netip.MustParseAddr("10.20.1.4"),
			MAC: "06:00:00:00:00:01", State: "running", SecurityGroupIDs: []string{"sg-clients"}},
		&trellis.Instance{Meta: own("i-02"), VPCID: "vpc-01", SubnetID: "subnet-02", PrivateIP: netip.MustParseAddr("10.20.2.4"),
			IPv6: netip.MustParseAddr("2001:db8::4"), MAC: "06:00:00:00:00:02", State: "pending", SecurityGroupIDs: []string{"sg-web", "sg-clients"}},
		&trellis.Instance{Meta: own("i-03"), VPCID: "vpc-01", SubnetID: "subnet-01", PrivateIP: netip.MustParseAddr("10.20.1.5"),
			MAC: "06:00:00:00:00:03", State: "running", SecurityGroupIDs: []string{"sg-clients"}},
		&trellis.Instance{Meta: own("i-04"), VPCID: "vpc-01", SubnetID: "subnet-01", State: "terminated"},
		&trellis.VPCAssociation{Meta: own("snva-01"), VPC: v.Ref(), Slot: 40, Status: trellis.StatusActive, SecurityGroupIDs: []string{"sg-web", "sg-gone"},
			ServiceNetwork: trellis.Ref{Account: account, ID: "sn-01"}},
		&trellis.ResourceGateway{Meta: own("rgw-01"), VPCID: "vpc-01", Status: trellis.StatusActive, SecurityGroupIDs: []string{"sg-clients"},
			Interfaces: []trellis.NetworkInterface{{IPv4: netip.MustParseAddr("10.20.1.50"), IPv6: netip.MustParseAddr("2001:db8::50")}}},
		&trellis.ResourceConfiguration{Meta: own("rcfg-01"), Status: trellis.StatusActive, Ports: []trellis.PortRange{{From: 5432, To: 5432}, {From: 6000, To: 6009}}},
		&trellis.ResourceConfiguration{Meta: own("rcfg-02"), Status: trellis.StatusCreateInProgress, Ports: []trellis.PortRange{{From: 1, To: 1}}},
		&trellis.ResourceAssociation{Meta: own("snra-01"), Status: trellis.StatusActive, Address: netip.MustParseAddr("129.224.1.2"),
			Configuration: trellis.Ref{Account: account, ID: "rcfg-01"}, ServiceNetwork: trellis.Ref{Account: account, ID: "sn-01"}},
		&trellis.ResourceAssociation{Meta: own("snra-02"), Status: trellis.StatusActive, Address: netip.MustParseAddr("129.224.1.3"),
			Configuration: trellis.Ref{Account: account, ID: "rcfg-02"}, ServiceNetwork: trellis.Ref{Account: account, ID: "sn-01"}},
		&trellis.ResourceAssociation{Meta: own("snra-03"), Status: trellis.StatusActive, Address: netip.MustParseAddr("129.224.1.4"),
			Configuration: trellis.Ref{Account: account, ID: "rcfg-01"}, ServiceNetwork: trellis.Ref{Account: account, ID: "sn-02"}},
		&trellis.VPCEndpoint{Meta: own("vpce-01"), Type: trellis.ServiceNetworkEndpoint, VPCID: "vpc-01", State: trellis.EndpointAvailable,
			SecurityGroupIDs: []string{"sg-web"}, Interfaces: []trellis.NetworkInterface{{IPv4: netip.MustParseAddr("10.20.1.60")}}},
		&trellis.EndpointAddress{Account: account, EndpointID: "vpce-01", Configuration: trellis.Ref{Account: account, ID: "rcfg-01"},
			Addresses: []trellis.SubnetAddress{{Address: netip.MustParseAddr("10.20.1.61")}}},
		&trellis.VPCEndpoint{Meta: own("vpce-02"), Type: trellis.ResourceEndpoint, VPCID: "vpc-01", State: trellis.EndpointRejected,
			Interfaces: []trellis.NetworkInterface{{IPv4: netip.MustParseAddr("10.20.1.62")}}},
		&trellis.VPCAssociation{Meta: own("snva-02"), VPC: v.Ref(), Slot: 41, Status: trellis.StatusUpdateInProgress},
		&trellis.VPCAssociation{Meta: own("snva-03"), VPC: v.Ref(), Slot: 42, Status: trellis.StatusDeleteInProgress},
		&trellis.VPCAssociation{Meta: own("snva-04"), VPC: trellis.Ref{Account: account, ID: "vpc-gone"}, Slot: 43, Status: trellis.StatusActive},
	)
	return st
}

func TestRulesOfASampleVPC(t *testing.T) {
	networks, err := plan(sampleState(), "eu-west-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(networks) != 1 {
		t.Fatalf("%d networks, want only the lab VPC", len(networks))
	}
	const path = "testdata/rules.nft"
	got := networks["vpc-01"].text
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	for range 20 { // maps come in any order
		again, err := plan(sampleState(), "eu-west-1", 0)
		if err != nil || again["vpc-01"].text != got {
			t.Fatalf("the same nouns give other rules: %v", err)
		}
	}
	scratch(t, func(ns *namespace) error { return networks["vpc-01"].rules.load(ns) })
}

// scratch runs fn with a namespace that ends with it.
func scratch(t *testing.T, fn func(ns *namespace) error) {
	t.Helper()
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		f, err := os.Open(threadNamespace())
		if err != nil {
			return err
		}
		ns := &namespace{name: "scratch", file: f}
		defer ns.close()
		return fn(ns)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRulesOfManyInstances loads what a large VPC has: batches and sets of that size have limits of their own.
func TestRulesOfManyInstances(t *testing.T) {
	st := trellis.NewState()
	own := func(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }
	st.Put(&trellis.VPC{Meta: own("vpc-01"), CIDR: netip.MustParsePrefix("10.20.0.0/16")})
	st.Put(&trellis.Subnet{Meta: own("subnet-01"), VPCID: "vpc-01", CIDR: netip.MustParsePrefix("10.20.0.0/16")})
	at := netip.MustParseAddr("10.20.0.4")
	for n := range 3000 {
		g := fmt.Sprintf("sg-%d", n%300)
		st.Put(&trellis.Instance{Meta: own(fmt.Sprintf("i-%d", n)), VPCID: "vpc-01", SubnetID: "subnet-01", PrivateIP: at,
			MAC: "06:00:00:00:00:01", State: "running", SecurityGroupIDs: []string{g, "sg-0"}})
		at = at.Next()
		rules := slices.Repeat([]trellis.SecurityGroupRule{{Protocol: "tcp", FromPort: n, ToPort: n, GroupID: g}}, 5)
		st.Put(&trellis.SecurityGroup{Meta: own(g), VPCID: "vpc-01", Rules: rules})
	}
	networks, err := plan(st, "eu-west-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	scratch(t, func(ns *namespace) error { return networks["vpc-01"].rules.load(ns) })
}

func TestLoadTellsOfABrokenRule(t *testing.T) {
	broken := &ruleset{chains: []chain{{name: "one", rules: []rule{rule{}.jump("missing")}}}}
	scratch(t, func(ns *namespace) error {
		if err := broken.load(ns); err == nil || !strings.Contains(err.Error(), "load the rules of scratch") {
			t.Errorf("got %v", err)
		}
		return sampleRules().load(ns)
	})
}
