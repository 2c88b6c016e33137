package controlplane_test

import (
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
)

// TestDHCPOptions makes DHCP options, by what may be and what may not, and follows them through the VPCs that have them.
func TestDHCPOptions(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	option := func(key string, values ...string) trellis.DHCPOption {
		return trellis.DHCPOption{Key: key, Values: values}
	}
	for _, x := range []struct {
		what string
		in   []trellis.DHCPOption
		code string
	}{
		{"nothing", nil, "MissingParameter"},
		{"an option without a value", []trellis.DHCPOption{option("domain-name")}, "MissingParameter"},
		{"an option twice", []trellis.DHCPOption{option("domain-name", "a"), option("domain-name", "b")}, "InvalidParameterValue"},
		{"another option", []trellis.DHCPOption{option("router", "10.0.0.1")}, "InvalidParameterValue"},
		{"two domains", []trellis.DHCPOption{option("domain-name", "a", "b")}, "InvalidParameterValue"},
		{"a domain of two lines", []trellis.DHCPOption{option("domain-name", "a\nnameserver 192.0.2.1")}, "InvalidParameterValue"},
		{"no domain", []trellis.DHCPOption{option("domain-name", " ")}, "InvalidParameterValue"},
		{"a long domain", []trellis.DHCPOption{option("domain-name", strings.Repeat("a", 256))}, "InvalidParameterValue"},
		{"a name as a server", []trellis.DHCPOption{option("domain-name-servers", "ns.example.com")}, "InvalidParameterValue"},
		{"Amazon's time", []trellis.DHCPOption{option("ntp-servers", "AmazonProvidedDNS")}, "InvalidParameterValue"},
		{"five servers", []trellis.DHCPOption{option("ntp-servers", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")}, "InvalidParameterValue"},
		{"no type of node", []trellis.DHCPOption{option("netbios-node-type", "3")}, "InvalidParameterValue"},
		{"a short lease", []trellis.DHCPOption{option("ipv6-address-preferred-lease-time", "139")}, "InvalidParameterValue"},
		{"all of them", []trellis.DHCPOption{option("domain-name", "a.example b.example"), option("domain-name-servers", "AmazonProvidedDNS", "10.0.0.53", "2001:db8::53"), option("ntp-servers", "10.0.0.9"),
			option("netbios-name-servers", "10.0.0.8"), option("netbios-node-type", "2"), option("ipv6-address-preferred-lease-time", "140")}, ""},
	} {
		if _, _, err := l.p.CreateDHCPOptions(ctx, l.c, x.in, nil); code(t, err) != x.code {
			t.Errorf("%s: got %v, want %q", x.what, err, x.code)
		}
	}
	made, _, err := l.p.CreateDHCPOptions(ctx, l.c, []trellis.DHCPOption{option("domain-name", "example.com")}, map[string]string{"Name": "own"})
	wantCode(t, err, "")
	found := func(filter, value string) []*trellis.DHCPOptions {
		t.Helper()
		return must[[]*trellis.DHCPOptions](t)(l.p.DHCPOptions(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: filter, Values: []string{value}}}}))
	}
	of := func() string {
		t.Helper()
		return controlplane.DHCPOptionsOf(must[[]*trellis.VPC](t)(l.p.VPCs(ctx, l.c, controlplane.Query{IDs: []string{l.vpc.ID}}))[0])
	}
	born := found("value", "eu-west-1.compute.internal")
	if len(born) != 1 || born[0].ID != of() || len(found("key", "domain-name")) != 3 || len(found("tag:Name", "own")) != 1 || len(found("dhcp-options-id", made.ID)) != 1 {
		t.Errorf("%+v", born)
	}
	_, _, err = l.p.CreateDHCPOptions(ctx, l.c, []trellis.DHCPOption{option("domain-name", "example.com")}, map[string]string{controlplane.IDTag: born[0].ID})
	wantCode(t, err, "InvalidParameterValue")
	for _, x := range []struct{ id, vpc, code, after string }{
		{made.ID, l.vpc.ID, "", made.ID},
		{"dopt-0123456789abcdef0", l.vpc.ID, "InvalidDhcpOptionID.NotFound", made.ID},
		{"dopt-", l.vpc.ID, "InvalidDhcpOptionsId.Malformed", made.ID},
		{made.ID, "vpc-0123456789abcdef0", "InvalidVpcID.NotFound", made.ID},
		{"default", l.vpc.ID, "", "default"},
		{born[0].ID, l.vpc.ID, "", born[0].ID},
		{made.ID, l.vpc.ID, "", made.ID},
	} {
		_, err := l.p.AssociateDHCPOptions(ctx, l.c, x.id, x.vpc)
		if code(t, err) != x.code || of() != x.after {
			t.Errorf("%+v: %v, %s", x, err, of())
		}
	}
	if got := must[[]*trellis.VPC](t)(l.p.VPCs(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "dhcp-options-id", Values: []string{made.ID}}}})); len(got) != 1 {
		t.Errorf("VPCs with the options: %+v", got)
	}
	_, err = l.p.DeleteDHCPOptions(ctx, l.c, made.ID)
	wantCode(t, err, "DependencyViolation")
	_, err = l.p.AssociateDHCPOptions(ctx, l.c, "default", l.vpc.ID)
	wantCode(t, err, "")
	_, err = l.p.DeleteDHCPOptions(ctx, l.c, born[0].ID)
	wantCode(t, err, "DependencyViolation")
	_, err = l.p.DeleteDHCPOptions(ctx, l.c, made.ID)
	wantCode(t, err, "")
	_, err = l.p.DeleteDHCPOptions(ctx, l.c, made.ID)
	wantCode(t, err, "InvalidDhcpOptionID.NotFound")
	_, err = l.p.CreateTags(ctx, l.c, []string{born[0].ID}, map[string]string{"Name": "born"})
	wantCode(t, err, "")
	if got := found("tag:Name", "born"); len(got) != 1 || len(got[0].Options) != 2 {
		t.Errorf("tagged: %+v", got)
	}
	stranger := controlplane.EC2Call{Caller: admin(t)}
	_, err = l.p.DeleteDHCPOptions(ctx, stranger, born[0].ID)
	wantCode(t, err, "InvalidDhcpOptionID.NotFound")
}
