package controlplane_test

import (
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
)

// permission is a Permission of tcp from a CIDR.
func permission(from, to int, cidr string) controlplane.Permission {
	return controlplane.Permission{Protocol: "tcp", FromPort: &from, ToPort: &to, CIDR: cidr}
}

func TestNewSecurityGroups(t *testing.T) {
	l := newLab(t)
	for _, x := range []struct {
		name, description, vpc, want string
	}{
		{"clients", "may call", l.vpc.ID, ""},
		{"clients", "once more", l.vpc.ID, "InvalidGroup.Duplicate"},
		{"Clients", "other case", l.vpc.ID, ""},
		{"default", "x", l.vpc.ID, "InvalidParameterValue"},
		{"sg-x", "x", l.vpc.ID, "InvalidParameterValue"},
		{"é", "x", l.vpc.ID, "InvalidParameterValue"},
		{"a", "", l.vpc.ID, "MissingParameter"},
		{"", "x", l.vpc.ID, "MissingParameter"},
		{"a", "x", "", "VPCIdNotSpecified"},
		{"a", "x", "vpc-0123456789abcdef0", "InvalidVpcID.NotFound"},
	} {
		g, _, err := l.p.CreateSecurityGroup(t.Context(), l.c, controlplane.NewSecurityGroup{VPCID: x.vpc, Name: x.name, Description: x.description})
		if got := code(t, err); got != x.want {
			t.Errorf("%+v: got %v, want %q", x, err, x.want)
		}
		if err == nil && (len(g.Rules) != 2 || !g.Rules[0].Egress || g.Rules[1].CIDR.String() != "::/0") {
			t.Errorf("rules of a new group in a VPC with IPv6: %+v", g.Rules)
		}
	}
	groups := must[[]*trellis.SecurityGroup](t)(l.p.SecurityGroups(t.Context(), l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "group-name", Values: []string{"default"}}, {Name: "vpc-id", Values: []string{l.vpc.ID}}}}, nil))
	if len(groups) != 1 || groups[0].Rules[0].GroupID != groups[0].ID || groups[0].Rules[0].Egress {
		t.Fatalf("default group: %+v", groups)
	}
	_, err := l.p.DeleteSecurityGroup(t.Context(), l.c, groups[0].ID)
	wantCode(t, err, "CannotDelete")
}

func TestSecurityGroupRules(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	g, _, err := l.p.CreateSecurityGroup(ctx, l.c, controlplane.NewSecurityGroup{VPCID: l.vpc.ID, Name: "app", Description: "app"})
	wantCode(t, err, "")
	clients, _, err := l.p.CreateSecurityGroup(ctx, l.c, controlplane.NewSecurityGroup{VPCID: l.vpc.ID, Name: "clients", Description: "clients"})
	wantCode(t, err, "")
	if err := l.p.Bootstrap(ctx); err != nil {
		t.Fatal(err)
	}
	lists := must[[]*trellis.PrefixList](t)(l.p.PrefixLists(ctx, l.c, "DescribeManagedPrefixLists", controlplane.Query{}))
	port := 8080
	for _, x := range []struct {
		in   controlplane.Permission
		want string
	}{
		{permission(80, 80, "10.0.0.1/8"), ""},
		{permission(80, 80, "10.0.0.0/8"), "InvalidPermission.Duplicate"},
		{controlplane.Permission{Protocol: "6", FromPort: &port, ToPort: &port, PrefixListID: lists[0].ID}, ""},
		{controlplane.Permission{Protocol: "tcp", FromPort: &port, ToPort: &port, GroupName: "clients"}, ""},
		{controlplane.Permission{Protocol: "tcp", FromPort: &port, ToPort: &port, GroupID: clients.ID}, "InvalidPermission.Duplicate"},
		{controlplane.Permission{Protocol: "-1", CIDR: "fd00::/8"}, ""},
		{controlplane.Permission{Protocol: "icmp", CIDR: "0.0.0.0/0"}, ""},
		{controlplane.Permission{Protocol: "50", CIDR: "0.0.0.0/0"}, ""},
		{permission(80, 79, "10.0.0.0/8"), "InvalidParameterValue"},
		{permission(0, 65536, "10.0.0.0/8"), "InvalidParameterValue"},
		{permission(80, 80, "10.0.0.0"), "InvalidParameterValue"},
		{permission(80, 80, ""), "MissingParameter"},
		{controlplane.Permission{Protocol: "tcp", CIDR: "10.0.0.0/8"}, "InvalidParameterValue"},
		{controlplane.Permission{Protocol: "sctp", CIDR: "10.0.0.0/8"}, "InvalidParameterValue"},
		{controlplane.Permission{Protocol: "tcp", FromPort: &port, ToPort: &port, GroupID: "sg-0123456789abcdef0"}, "InvalidGroup.NotFound"},
		{controlplane.Permission{Protocol: "tcp", FromPort: &port, ToPort: &port, PrefixListID: "pl-0123456789abcdef0"}, "InvalidPrefixListID.NotFound"},
	} {
		_, _, err := l.p.AuthorizeSecurityGroup(ctx, l.c, g.ID, false, []controlplane.Permission{x.in}, nil)
		if got := code(t, err); got != x.want {
			t.Errorf("%+v: got %v, want %q", x.in, err, x.want)
		}
	}
	_, err = l.p.DeleteSecurityGroup(ctx, l.c, clients.ID)
	wantCode(t, err, "DependencyViolation") // a rule names it

	rules := must[[]controlplane.GroupRule](t)(l.p.SecurityGroupRules(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "group-id", Values: []string{g.ID}}}}))
	if len(rules) != 8 {
		t.Errorf("%d rules, want 2 outbound and 6 inbound", len(rules))
	}
	var byGroup string
	for _, r := range rules {
		if r.GroupID == clients.ID {
			byGroup = r.ID
		}
	}
	_, _, err = l.p.RevokeSecurityGroup(ctx, l.c, g.ID, true, nil, []string{byGroup})
	wantCode(t, err, "InvalidPermission.NotFound")
	_, err = l.p.ModifySecurityGroupRules(ctx, l.c, g.ID, []controlplane.GroupRuleChange{{ID: byGroup, Permission: permission(80, 80, "10.0.0.0/8")}})
	wantCode(t, err, "InvalidPermission.Duplicate")
	_, err = l.p.ModifySecurityGroupRules(ctx, l.c, g.ID, []controlplane.GroupRuleChange{{ID: byGroup, Permission: permission(81, 81, "10.0.0.0/8")}})
	wantCode(t, err, "")
	_, err = l.p.DeleteSecurityGroup(ctx, l.c, clients.ID)
	wantCode(t, err, "")
	out, _, err := l.p.RevokeSecurityGroup(ctx, l.c, g.ID, false, []controlplane.Permission{permission(80, 80, "10.0.0.0/8")}, []string{byGroup})
	if err != nil || len(out) != 2 {
		t.Error(out, err)
	}
	// Terraform takes both default rules away after it has made a group, and needs the second answer.
	everywhere, everywhere6 := controlplane.Permission{Protocol: "-1", CIDR: "0.0.0.0/0"}, controlplane.Permission{Protocol: "-1", CIDR: "::/0"}
	for _, want := range []string{"", "InvalidPermission.NotFound"} {
		_, _, err = l.p.RevokeSecurityGroup(ctx, l.c, g.ID, true, []controlplane.Permission{everywhere}, nil)
		wantCode(t, err, want)
	}
	_, _, err = l.p.RevokeSecurityGroup(ctx, l.c, g.ID, true, []controlplane.Permission{everywhere6}, nil)
	wantCode(t, err, "")
	_, _, err = l.p.RevokeSecurityGroup(ctx, l.c, g.ID, true, nil, []string{"sgr-0123456789abcdef0"})
	wantCode(t, err, "InvalidSecurityGroupRuleId.NotFound")
}
