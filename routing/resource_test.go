package routing

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// resourceDomain ends the generated names of resources.
const resourceDomain = ".4232ccc.vpc-lattice-rsc.eu-west-1.on.aws"

// data is world with two resources that sn-one has, the older of which has a verified domain, with an endpoint for sn-one in
// vpc-b, at which orders is at 10.0.0.10 and the resource at 10.0.0.11, and with one of type Resource, at 10.0.0.12.
func data() *trellis.State {
	st := world()
	one, configuration := trellis.Ref{Account: acct, ID: "sn-one"}, trellis.Ref{Account: acct, ID: "rcfg-db"}
	later := meta(acct, "snra-other")
	later.CreatedAt = time.Unix(1, 0)
	at := func(s string) []trellis.SubnetAddress {
		return []trellis.SubnetAddress{{SubnetID: "subnet-1", Address: netip.MustParseAddr(s)}}
	}
	point := func(s string) []trellis.NetworkInterface {
		return []trellis.NetworkInterface{{SubnetID: "subnet-1", IPv4: netip.MustParseAddr(s)}}
	}
	for _, n := range []trellis.Noun{
		&trellis.ResourceGateway{Meta: meta(acct, "rgw-1"), Status: trellis.StatusActive, VPCID: "vpc-data", DNSResolution: trellis.ResolvePublic},
		&trellis.DomainVerification{Meta: meta(acct, "dv-1"), DomainName: "internal", Status: trellis.VerificationVerified},
		&trellis.ResourceConfiguration{Meta: meta(acct, "rcfg-db"), Type: trellis.SingleConfiguration, Status: trellis.StatusActive, GatewayID: "rgw-1",
			Ports: []trellis.PortRange{{From: 5432, To: 5433}}, CustomDomainName: "Db.internal", DomainVerificationID: "dv-1", Address: netip.MustParseAddr("10.9.0.5")},
		&trellis.ResourceConfiguration{Meta: meta(acct, "rcfg-other"), Type: trellis.SingleConfiguration, Status: trellis.StatusActive, GatewayID: "rgw-1",
			CustomDomainName: "db.internal", DomainVerificationID: "dv-1", DomainName: "db.internal"},
		&trellis.ResourceAssociation{Meta: meta(acct, "snra-db"), Configuration: configuration, ServiceNetwork: one, Status: trellis.StatusActive,
			Address: netip.MustParseAddr("129.224.1.2"), PrivateDNSEnabled: true},
		&trellis.ResourceAssociation{Meta: later, Configuration: trellis.Ref{Account: acct, ID: "rcfg-other"}, ServiceNetwork: one, Status: trellis.StatusActive,
			Address: netip.MustParseAddr("129.224.1.3"), PrivateDNSEnabled: true},
		&trellis.VPCEndpoint{Meta: meta(other, "vpce-net"), Type: trellis.ServiceNetworkEndpoint, ServiceNetwork: one, VPCID: "vpc-b",
			State: trellis.EndpointAvailable, Interfaces: point("10.0.0.10"), DNSPreference: "SPECIFIED_DOMAINS_ONLY", DNSDomains: []string{"*.internal"}},
		&trellis.EndpointAddress{Account: other, EndpointID: "vpce-net", Configuration: configuration,
			Association: trellis.Ref{Account: acct, ID: "snra-db"}, Addresses: at("10.0.0.11")},
		&trellis.VPCEndpoint{Meta: meta(other, "vpce-db"), Type: trellis.ResourceEndpoint, Configuration: configuration, VPCID: "vpc-b",
			State: trellis.EndpointAvailable, Interfaces: point("10.0.0.12")},
		&trellis.EndpointAddress{Account: other, EndpointID: "vpce-db", Configuration: configuration, Addresses: at("10.0.0.12")},
	} {
		st.Put(n)
	}
	return st
}

// found says what is at an address inside a VPC.
func found(t *Table, vpc, at string) string {
	r, ok := t.Resource(vpc, netip.MustParseAddr(at))
	if !ok {
		return ""
	}
	return strings.Join([]string{trellis.LastPart(r.ARN), r.Gateway.VPCID, trellis.LastPart(r.NetworkARN), r.AssociationID, r.EndpointID}, " ")
}

func TestResource(t *testing.T) {
	table := build(data(), nil)
	const db = "rcfg-db vpc-data "
	for _, c := range []struct{ vpc, at, want string }{
		{"vpc-a", "129.224.1.2", db + "sn-one snra-db "},
		{"vpc-a", "::ffff:129.224.1.2", db + "sn-one snra-db "},
		{"vpc-a", "fd00:ec2:80::81e0:102", db + "sn-one snra-db "},
		{"vpc-a", "129.224.1.3", "rcfg-other vpc-data sn-one snra-other "},
		{"vpc-a", "129.224.1.4", ""},
		{"vpc-a", "fd00:ec2:80::a9fe:ab20", ""},
		{"vpc-b", "129.224.1.2", ""}, // an endpoint has its own addresses
		{"vpc-none", "129.224.1.2", ""},
		{"vpc-b", "10.0.0.10", ""},
		{"vpc-b", "10.0.0.11", db + "sn-one snra-db vpce-net"},
		{"vpc-b", "10.0.0.12", db + "  vpce-db"},
		{"vpc-a", "10.0.0.12", ""},
	} {
		if got := found(table, c.vpc, c.at); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.at, c.vpc, got, c.want)
		}
	}
	if !table.TakesResources("vpc-a") || !table.TakesResources("vpc-b") || table.TakesResources("vpc-none") || build(world(), nil).TakesResources("vpc-a") {
		t.Error("TakesResources is wrong")
	}
	for _, key := range []string{"rgw-1", "rcfg-db", "snra-db"} {
		st := data()
		for _, k := range []trellis.Kind{trellis.KindResourceGateway, trellis.KindResourceConfiguration, trellis.KindResourceAssociation} {
			st.Delete(k, acct+"/"+key)
		}
		if got := found(build(st, nil), "vpc-b", "10.0.0.11"); got != "" {
			t.Errorf("without %s: %q", key, got)
		}
	}
}

func TestEndpointServices(t *testing.T) {
	table := build(data(), nil)
	n := table.VPC("vpc-b").Endpoint("vpce-net")
	if n == nil || n.ID != "sn-one" || table.VPC("vpc-b").Endpoint("vpce-db") != nil || table.VPC("vpc-a").Endpoint("vpce-net") != nil {
		t.Fatalf("the endpoint's network is %+v", n)
	}
	if got := table.EndpointPorts("vpc-b", "vpce-net"); len(got) != 3 {
		t.Errorf("ports %v", got)
	}
	const domain = ".7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
	for host, want := range map[string]string{ordersName: "svc-orders", "vpce-net-snsa-1" + domain + ":80": "svc-orders", "VPCE-net-snsa-2" + domain + ".": "svc-stock",
		"vpce-net-snsa-3" + domain: "", "vpce-db-snsa-1" + domain: "", "vpce-net-snsa-1.example.com": ""} {
		got := ""
		if s := table.Service(n, host); s != nil {
			got = s.ID
		}
		if got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	if s := table.Service(table.VPC("vpc-a").Network(32), "vpce-net-snsa-1"+domain); s != nil {
		t.Error("an association knows the names of an endpoint")
	}
}

func TestResourceNames(t *testing.T) {
	st := data()
	table := build(st, nil)
	resolves := func(vpc, name, want string) {
		t.Helper()
		got := "-"
		if v4, _, ok := table.Resolve(vpc, name); ok {
			got = v4.String()
		}
		if got != want {
			t.Errorf("%s in %s: %s, want %s", name, vpc, got, want)
		}
	}
	resolves("vpc-a", "snra-db.rcfg-db"+resourceDomain, "129.224.1.2")
	resolves("vpc-a", "SNRA-db.rcfg-db"+resourceDomain+".", "129.224.1.2")
	resolves("vpc-b", "snra-db.rcfg-db"+resourceDomain, "169.254.171.254")
	resolves("vpc-a", "snra-db.rcfg-other"+resourceDomain, "-")
	resolves("vpc-b", "vpce-net-snra-db.rcfg-db"+resourceDomain, "10.0.0.11")
	resolves("vpc-a", "vpce-net-snra-db.rcfg-db"+resourceDomain, "169.254.171.254")
	resolves("vpc-b", "vpce-net.rcfg-db"+resourceDomain, "-")
	resolves("vpc-b", "vpce-db.rcfg-db"+resourceDomain, "10.0.0.12")
	resolves("vpc-b", "vpce-net-snsa-1.7d67968.vpc-lattice-svcs.eu-west-1.on.aws", "10.0.0.10")
	resolves("vpc-b", "orders.internal", "10.0.0.10")
	resolves("vpc-b", ordersName, "169.254.171.254")
	resolves("vpc-a", "db.INTERNAL", "129.224.1.2") // the older association has it
	resolves("vpc-b", "db.internal", "10.0.0.11")
	resolves("vpc-none", "db.internal", "-")

	st.Delete(trellis.KindResourceAssociation, acct+"/snra-db")
	table = build(st, table)
	resolves("vpc-a", "db.internal", "129.224.1.3")
	resolves("vpc-b", "db.internal", "-") // the endpoint of the resource alone is not for private names
	st.Put(&trellis.VPCAssociation{Meta: meta(acct, "snva-1"), VPC: trellis.Ref{Account: acct, ID: "vpc-a"}, ServiceNetwork: trellis.Ref{Account: acct, ID: "sn-one"},
		Status: trellis.StatusActive, Slot: 32, DNSPreference: "SPECIFIED_DOMAINS_ONLY", DNSDomains: []string{"example.com"}})
	table = build(st, table)
	resolves("vpc-a", "db.internal", "-")
	st.Put(attach("snva-1", "vpc-a", "sn-one", 32))
	st.Put(&trellis.ResourceGateway{Meta: meta(acct, "rgw-1"), Status: trellis.StatusActive, VPCID: "vpc-a", DNSResolution: trellis.ResolveInVPC})
	table = build(st, table)
	resolves("vpc-a", "db.internal", "-") // it would hide the resource from the gateway
	st.Put(&trellis.ResourceGateway{Meta: meta(acct, "rgw-1"), Status: trellis.StatusActive, VPCID: "vpc-a", DNSResolution: trellis.ResolvePublic})
	st.Delete(trellis.KindDomainVerification, acct+"/dv-1")
	table = build(st, table)
	resolves("vpc-a", "db.internal", "-")
}
