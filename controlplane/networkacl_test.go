package controlplane_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
)

// acls describes network ACLs of the lab by a filter.
func (l *lab) acls(t testing.TB, filter string, values ...string) []controlplane.DescribedNetworkACL {
	t.Helper()
	return must[[]controlplane.DescribedNetworkACL](t)(l.p.NetworkACLs(t.Context(), l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: filter, Values: values}}}))
}

// rest is the default network ACL of the lab's VPC, found as clients find it.
func (l *lab) rest(t testing.TB) controlplane.DescribedNetworkACL {
	t.Helper()
	all := l.acls(t, "default", "true")
	if len(all) != 1 || all[0].VPCID != l.vpc.ID {
		t.Fatalf("default network ACLs: %+v", all)
	}
	return all[0]
}

// entries are the entries of a direction, as a reader of nft would say them.
func entries(d controlplane.DescribedNetworkACL, egress bool) string {
	var out []string
	for _, e := range d.AllEntries {
		if e.Egress == egress {
			out = append(out, fmt.Sprintf("%d %s %s %s %d-%d", e.Number, controlplane.EntryAction(e), e.Protocol, e.CIDR, e.FromPort, e.ToPort))
		}
	}
	return strings.Join(out, ", ")
}

// another makes another VPC.
func (l *lab) another(t testing.TB, cidr string) *trellis.VPC {
	t.Helper()
	v, _, err := l.p.CreateVPC(t.Context(), l.c, controlplane.NewVPC{CIDR: cidr})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// everything are the entries of either direction of the default network ACL of a new VPC with IPv6.
const everything = "100 allow -1 0.0.0.0/0 -1--1, 101 allow -1 ::/0 -1--1, 32767 deny -1 0.0.0.0/0 -1--1, 32768 deny -1 ::/0 -1--1"

// n is a pointer to a number of the wire.
func n(v int32) *int32 { return &v }

// TestNetworkACLs follows network ACLs through their associations: what subnets have, what is default, and what keeps what.
func TestNetworkACLs(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	rest := l.rest(t)
	if len(rest.AllAssociations) != 1 || rest.AllAssociations[0].SubnetID != l.subnet.ID || rest.ID != controlplane.DerivedID("acl", l.vpc.ID) ||
		rest.AllAssociations[0].ID != controlplane.DerivedID("aclassoc", l.subnet.ID) {
		t.Errorf("a new VPC's: %+v", rest)
	}
	made, _, err := l.p.CreateNetworkACL(ctx, l.c, l.vpc.ID, "t", map[string]string{"Name": "web"})
	wantCode(t, err, "")
	again, _, err := l.p.CreateNetworkACL(ctx, l.c, l.vpc.ID, "t", map[string]string{"Name": "web"})
	if err != nil || again.ID != made.ID || made.Default || entries(made, true) != entries(made, false) || len(made.AllAssociations) != 0 {
		t.Errorf("%+v, %v", again, err)
	}
	_, _, err = l.p.CreateNetworkACL(ctx, l.c, l.vpc.ID, "t", nil)
	wantCode(t, err, "IdempotentParameterMismatch")
	_, _, err = l.p.CreateNetworkACL(ctx, l.c, l.vpc.ID, "", map[string]string{controlplane.IDTag: rest.ID})
	wantCode(t, err, "InvalidParameterValue")
	_, _, err = l.p.CreateNetworkACL(ctx, l.c, "vpc-00000000000000000", "", nil)
	wantCode(t, err, "InvalidVpcID.NotFound")
	_, err = l.p.DeleteVPC(ctx, l.c, l.vpc.ID)
	wantCode(t, err, "DependencyViolation")
	_, err = l.p.DeleteNetworkACL(ctx, l.c, rest.ID)
	wantCode(t, err, "InvalidParameterValue")

	association, _, err := l.p.ReplaceNetworkACLAssociation(ctx, l.c, rest.AllAssociations[0].ID, made.ID)
	wantCode(t, err, "")
	_, _, err = l.p.ReplaceNetworkACLAssociation(ctx, l.c, rest.AllAssociations[0].ID, made.ID)
	wantCode(t, err, "InvalidAssociationID.NotFound")
	if all := l.acls(t, "association.subnet-id", l.subnet.ID); len(all) != 1 || all[0].ID != made.ID || all[0].AllAssociations[0].ID != association {
		t.Errorf("the subnet has %+v", all)
	}
	_, err = l.p.DeleteNetworkACL(ctx, l.c, made.ID)
	wantCode(t, err, "DependencyViolation")
	other := l.another(t, "10.1.0.0/16")
	_, _, err = l.p.ReplaceNetworkACLAssociation(ctx, l.c, association, controlplane.DerivedID("acl", other.ID))
	wantCode(t, err, "InvalidParameterValue")
	same, _, err := l.p.ReplaceNetworkACLAssociation(ctx, l.c, association, made.ID)
	if err != nil || same == association {
		t.Errorf("%s, %v", same, err)
	}
	back, _, err := l.p.ReplaceNetworkACLAssociation(ctx, l.c, same, rest.ID)
	wantCode(t, err, "")
	if all := l.acls(t, "association.association-id", back); len(all) != 1 || all[0].ID != rest.ID || len(all[0].AllAssociations) != 1 {
		t.Errorf("back: %+v", all)
	}
	_, err = l.p.DeleteNetworkACL(ctx, l.c, made.ID)
	wantCode(t, err, "")
	_, err = l.p.DeleteNetworkACL(ctx, l.c, made.ID)
	wantCode(t, err, "InvalidNetworkAclID.NotFound")
	_, err = l.p.DeleteNetworkACL(ctx, l.c, "acl-x")
	wantCode(t, err, "InvalidNetworkAclId.Malformed")

	_, err = l.p.CreateTags(ctx, l.c, []string{rest.ID}, map[string]string{"team": "net"})
	wantCode(t, err, "")
	if tags := must[[]controlplane.ResourceTag](t)(l.p.Tags(ctx, l.c, []controlplane.Filter{{Name: "resource-type", Values: []string{"network-acl"}}})); len(tags) != 1 || tags[0].ResourceID != rest.ID {
		t.Errorf("tags: %+v", tags)
	}
	stranger := controlplane.EC2Call{Caller: admin(t)}
	_, _, err = l.p.ReplaceNetworkACLAssociation(ctx, stranger, back, rest.ID)
	wantCode(t, err, "InvalidNetworkAclID.NotFound")
	_, err = l.p.DeleteSubnet(ctx, l.c, l.subnet.ID)
	wantCode(t, err, "")
	if rest = l.acls(t, "vpc-id", l.vpc.ID)[0]; len(rest.AllAssociations) != 0 {
		t.Errorf("associations without a subnet: %+v", rest.AllAssociations)
	}
	_, err = l.p.DeleteVPC(ctx, l.c, l.vpc.ID) // with its default network ACL
	wantCode(t, err, "")
	if all := l.acls(t, "vpc-id", l.vpc.ID); len(all) != 0 {
		t.Errorf("network ACLs are left: %+v", all)
	}
}

// TestNetworkACLEntries makes, replaces and deletes entries of the default network ACL, by what may be and what may not.
func TestNetworkACLEntries(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	rest := l.rest(t)
	if entries(rest, true) != everything || entries(rest, false) != everything {
		t.Errorf("a new VPC's: %s; %s", entries(rest, true), entries(rest, false))
	}
	type entry = controlplane.NewNetworkACLEntry
	for _, x := range []struct {
		what string
		in   entry
		want string
	}{
		{"HTTP", entry{Number: 90, Protocol: "6", CIDR: "10.0.1.7/24", From: n(80), To: n(80)}, ""},
		{"the same number, out", entry{Number: 90, Egress: true, Deny: true, Protocol: "17", IPv6CIDR: "2001:db8::1/32", From: n(0), To: n(65535)}, ""},
		{"the same number", entry{Number: 90, Protocol: "-1", CIDR: "0.0.0.0/0"}, "NetworkAclEntryAlreadyExists"},
		{"the final number", entry{Number: 32767, Protocol: "-1", CIDR: "0.0.0.0/0"}, "InvalidParameterValue"},
		{"no number", entry{Protocol: "-1", CIDR: "0.0.0.0/0"}, "InvalidParameterValue"},
		{"a negative number", entry{Number: -1, Protocol: "-1", CIDR: "0.0.0.0/0"}, "InvalidParameterValue"},
		{"all protocols, with ports", entry{Number: 91, Protocol: "-1", CIDR: "0.0.0.0/0", From: n(1), To: n(2)}, ""},
		{"ICMP", entry{Number: 92, Protocol: "1", CIDR: "0.0.0.0/0", Type: n(8), Code: n(-1)}, ""},
		{"ICMP without a type", entry{Number: 93, Protocol: "1", CIDR: "0.0.0.0/0"}, "MissingParameter"},
		{"a code of all types of ICMP", entry{Number: 93, Protocol: "1", CIDR: "0.0.0.0/0", Type: n(-1), Code: n(3)}, "InvalidParameterValue"},
		{"no type of ICMP", entry{Number: 93, Protocol: "1", CIDR: "0.0.0.0/0", Type: n(256), Code: n(-1)}, "InvalidParameterValue"},
		{"ICMPv6", entry{Number: 94, Protocol: "58", IPv6CIDR: "::/0", Type: n(128), Code: n(0)}, ""},
		{"ICMPv6 without a type", entry{Number: 95, Protocol: "58", IPv6CIDR: "::/0"}, "MissingParameter"},
		{"ICMPv6 by IPv4", entry{Number: 95, Protocol: "58", CIDR: "0.0.0.0/0"}, ""},
		{"another protocol", entry{Number: 96, Protocol: "050", CIDR: "0.0.0.0/0", From: n(1), To: n(2)}, ""},
		{"a name of a protocol", entry{Number: 97, Protocol: "tcp", CIDR: "0.0.0.0/0", From: n(1), To: n(2)}, "InvalidParameterValue"},
		{"no protocol", entry{Number: 97, Protocol: "256", CIDR: "0.0.0.0/0"}, "InvalidParameterValue"},
		{"TCP without ports", entry{Number: 97, Protocol: "6", CIDR: "0.0.0.0/0", From: n(1)}, "InvalidParameterValue"},
		{"ports the wrong way round", entry{Number: 97, Protocol: "6", CIDR: "0.0.0.0/0", From: n(2), To: n(1)}, "InvalidParameterValue"},
		{"no port", entry{Number: 97, Protocol: "6", CIDR: "0.0.0.0/0", From: n(1), To: n(65536)}, "InvalidParameterValue"},
		{"no block", entry{Number: 97, Protocol: "-1"}, "MissingParameter"},
		{"two blocks", entry{Number: 97, Protocol: "-1", CIDR: "0.0.0.0/0", IPv6CIDR: "::/0"}, "InvalidParameterCombination"},
		{"IPv6 as IPv4", entry{Number: 97, Protocol: "-1", CIDR: "::/0"}, "InvalidParameterValue"},
		{"IPv4 as IPv6", entry{Number: 97, Protocol: "-1", IPv6CIDR: "::ffff:10.0.0.0/104"}, "InvalidParameterValue"},
		{"nonsense", entry{Number: 97, Protocol: "-1", CIDR: "here"}, "InvalidParameterValue"},
	} {
		if _, err := l.p.CreateNetworkACLEntry(ctx, l.c, rest.ID, x.in); code(t, err) != x.want {
			t.Errorf("%s: got %v, want %q", x.what, err, x.want)
		}
	}
	dry := l.c
	dry.DryRun = true
	_, err := l.p.DeleteNetworkACLEntry(ctx, dry, rest.ID, false, 100)
	wantCode(t, err, "DryRunOperation")
	_, err = l.p.DeleteNetworkACLEntry(ctx, l.c, rest.ID, false, 100)
	wantCode(t, err, "")
	_, err = l.p.DeleteNetworkACLEntry(ctx, l.c, rest.ID, false, 100)
	wantCode(t, err, "InvalidNetworkAclEntry.NotFound")
	_, err = l.p.DeleteNetworkACLEntry(ctx, l.c, rest.ID, false, 32767)
	wantCode(t, err, "InvalidParameterValue")
	_, err = l.p.ReplaceNetworkACLEntry(ctx, l.c, rest.ID, entry{Number: 90, Deny: true, Protocol: "6", CIDR: "0.0.0.0/0", From: n(22), To: n(22)})
	wantCode(t, err, "")
	_, err = l.p.ReplaceNetworkACLEntry(ctx, l.c, rest.ID, entry{Number: 89, Protocol: "-1", CIDR: "0.0.0.0/0"})
	wantCode(t, err, "InvalidNetworkAclEntry.NotFound")
	rest = l.rest(t)
	if got, want := entries(rest, false), "90 deny 6 0.0.0.0/0 22-22, 91 allow -1 0.0.0.0/0 -1--1, 92 allow 1 0.0.0.0/0 8--1, 94 allow 58 ::/0 128-0, 95 allow 58 0.0.0.0/0 -1--1, "+
		"96 allow 50 0.0.0.0/0 -1--1, 101 allow -1 ::/0 -1--1, 32767 deny -1 0.0.0.0/0 -1--1, 32768 deny -1 ::/0 -1--1"; got != want {
		t.Errorf("in:\n%s, want\n%s", got, want)
	}
	if got, want := entries(rest, true), "90 deny 17 2001:db8::/32 0-65535, "+everything; got != want {
		t.Errorf("out:\n%s, want\n%s", got, want)
	}
	for filter, value := range map[string]string{"entry.cidr": "0.0.0.0/0", "entry.ipv6-cidr": "2001:db8::/32", "entry.egress": "true", "entry.protocol": "udp", "entry.rule-action": "deny",
		"entry.rule-number": "96", "entry.icmp.type": "8", "entry.icmp.code": "-1", "entry.port-range.from": "22", "entry.port-range.to": "65535", "owner-id": l.c.Caller.Principal.Account,
		"network-acl-id": rest.ID, "association.network-acl-id": rest.ID} {
		if len(l.acls(t, filter, value)) != 1 || len(l.acls(t, filter, "none")) != 0 {
			t.Errorf("the filter %s does not filter", filter)
		}
	}
}

// TestNetworkACLsAndIPv6 gives a VPC IPv6 before and after somebody has changed its default network ACL.
func TestNetworkACLsAndIPv6(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	of := func(change func(id string)) controlplane.DescribedNetworkACL {
		v := l.another(t, "10.2.0.0/16")
		change(controlplane.DerivedID("acl", v.ID))
		if _, _, _, err := l.p.AssociateVPCCIDR(ctx, l.c, v.ID, controlplane.NewVPC{AmazonProvidedIPv6: true}); err != nil {
			t.Fatal(err)
		}
		return l.acls(t, "vpc-id", v.ID)[0]
	}
	if d := of(func(string) {}); entries(d, true) != everything || entries(d, false) != everything {
		t.Errorf("unchanged: %s; %s", entries(d, true), entries(d, false))
	}
	d := of(func(id string) {
		_, err := l.p.CreateTags(ctx, l.c, []string{id}, map[string]string{"a": "b"})
		wantCode(t, err, "")
	})
	if entries(d, true) != everything || entries(d, false) != everything {
		t.Errorf("tagged: %s; %s", entries(d, true), entries(d, false))
	}
	d = of(func(id string) {
		_, err := l.p.DeleteNetworkACLEntry(ctx, l.c, id, true, 100)
		wantCode(t, err, "")
	})
	if entries(d, true) != "32767 deny -1 0.0.0.0/0 -1--1, 32768 deny -1 ::/0 -1--1" || entries(d, false) != everything {
		t.Errorf("changed: %s; %s", entries(d, true), entries(d, false))
	}
}

// TestNetworkACLQuotas fills a network ACL of strict mode: 19 entries of each family and direction, and the final one.
func TestNetworkACLQuotas(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	l.p.Quotas.Strict = true
	made, _, err := l.p.CreateNetworkACL(ctx, l.c, l.vpc.ID, "", nil)
	wantCode(t, err, "")
	fill := func(e controlplane.NewNetworkACLEntry, number int) {
		for i := range 20 {
			e.Number = number + i
			want := ""
			if i == 19 {
				want = "NetworkAclEntryLimitExceeded"
			}
			_, err := l.p.CreateNetworkACLEntry(ctx, l.c, made.ID, e)
			wantCode(t, err, want)
		}
	}
	fill(controlplane.NewNetworkACLEntry{Protocol: "-1", CIDR: "0.0.0.0/0"}, 1)
	fill(controlplane.NewNetworkACLEntry{Protocol: "-1", IPv6CIDR: "::/0"}, 101)
	fill(controlplane.NewNetworkACLEntry{Protocol: "-1", CIDR: "0.0.0.0/0", Egress: true}, 1)
	_, err = l.p.ReplaceNetworkACLEntry(ctx, l.c, made.ID, controlplane.NewNetworkACLEntry{Number: 1, Protocol: "-1", CIDR: "10.0.0.0/8"})
	wantCode(t, err, "")
	_, err = l.p.ReplaceNetworkACLEntry(ctx, l.c, made.ID, controlplane.NewNetworkACLEntry{Number: 1, Protocol: "-1", IPv6CIDR: "::/0"})
	wantCode(t, err, "NetworkAclEntryLimitExceeded")
	if got := l.acls(t, "network-acl-id", made.ID)[0]; len(got.Entries) != 57 || !slices.ContainsFunc(got.Entries, func(e trellis.NetworkACLEntry) bool { return e.CIDR == netip.MustParsePrefix("10.0.0.0/8") }) {
		t.Errorf("%+v", got.Entries)
	}
}
