package controlplane_test

import (
	"slices"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
)

// table describes one route table of the lab.
func (l *lab) table(t testing.TB, id string) controlplane.DescribedRouteTable {
	t.Helper()
	all := must[[]controlplane.DescribedRouteTable](t)(l.p.RouteTables(t.Context(), l.c, controlplane.Query{IDs: []string{id}}))
	if len(all) != 1 {
		t.Fatalf("route tables: %+v", all)
	}
	return all[0]
}

// main is the main route table of the lab's VPC, found as clients find it.
func (l *lab) main(t testing.TB) controlplane.DescribedRouteTable {
	t.Helper()
	all := must[[]controlplane.DescribedRouteTable](t)(l.p.RouteTables(t.Context(), l.c, controlplane.Query{Filters: []controlplane.Filter{
		{Name: "vpc-id", Values: []string{l.vpc.ID}}, {Name: "association.main", Values: []string{"true"}}}}))
	if len(all) != 1 {
		t.Fatalf("main route tables: %+v", all)
	}
	return all[0]
}

// TestRouteTables follows tables through their associations: what is explicit, what is main, and what keeps what.
func TestRouteTables(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	born := l.main(t)
	if len(born.AllRoutes) != 2 || born.AllRoutes[0].Target != "local" {
		t.Errorf("routes of a new VPC: %+v", born.AllRoutes)
	}
	made, _, err := l.p.CreateRouteTable(ctx, l.c, l.vpc.ID, "t", map[string]string{"Name": "public"})
	wantCode(t, err, "")
	again, _, err := l.p.CreateRouteTable(ctx, l.c, l.vpc.ID, "t", map[string]string{"Name": "public"})
	if err != nil || again.ID != made.ID || made.MainAssociation != "" {
		t.Errorf("%+v, %v", again, err)
	}
	_, _, err = l.p.CreateRouteTable(ctx, l.c, l.vpc.ID, "t", nil)
	wantCode(t, err, "IdempotentParameterMismatch")
	_, _, err = l.p.CreateRouteTable(ctx, l.c, l.vpc.ID, "", map[string]string{controlplane.IDTag: born.ID})
	wantCode(t, err, "InvalidParameterValue")
	_, _, err = l.p.CreateRouteTable(ctx, l.c, "vpc-00000000000000000", "", nil)
	wantCode(t, err, "InvalidVpcID.NotFound")
	_, err = l.p.DeleteVPC(ctx, l.c, l.vpc.ID)
	wantCode(t, err, "DependencyViolation")

	association, _, err := l.p.AssociateRouteTable(ctx, l.c, made.ID, l.subnet.ID, "")
	wantCode(t, err, "")
	same, _, err := l.p.AssociateRouteTable(ctx, l.c, made.ID, l.subnet.ID, "")
	if err != nil || same != association {
		t.Errorf("%s, %v", same, err)
	}
	_, _, err = l.p.AssociateRouteTable(ctx, l.c, born.ID, l.subnet.ID, "")
	wantCode(t, err, "Resource.AlreadyAssociated")
	_, err = l.p.DeleteRouteTable(ctx, l.c, made.ID)
	wantCode(t, err, "DependencyViolation")
	moved, _, err := l.p.ReplaceRouteTableAssociation(ctx, l.c, association, born.ID)
	if err != nil || len(l.table(t, made.ID).Associations) != 0 || len(l.table(t, born.ID).Associations) != 1 {
		t.Errorf("moved %s: %v", moved, err)
	}
	_, err = l.p.DisassociateRouteTable(ctx, l.c, association)
	wantCode(t, err, "InvalidAssociationID.NotFound")
	_, err = l.p.DisassociateRouteTable(ctx, l.c, born.MainAssociation)
	wantCode(t, err, "InvalidParameterValue")

	// Another table becomes the main one, and the first goes like any other; then the VPC's own comes back.
	id, _, err := l.p.ReplaceRouteTableAssociation(ctx, l.c, born.MainAssociation, made.ID)
	wantCode(t, err, "")
	if main := l.main(t); main.ID != made.ID || main.MainAssociation != id {
		t.Errorf("main: %+v, want %s", main, id)
	}
	if was := l.table(t, born.ID); was.MainAssociation != "" || len(was.Associations) != 1 {
		t.Errorf("the first: %+v", was)
	}
	_, err = l.p.DeleteRouteTable(ctx, l.c, made.ID)
	wantCode(t, err, "DependencyViolation")
	_, _, err = l.p.ReplaceRouteTableAssociation(ctx, l.c, id, born.ID)
	wantCode(t, err, "")
	if main := l.main(t); main.ID != born.ID {
		t.Errorf("main: %+v", main)
	}
	id, _, err = l.p.ReplaceRouteTableAssociation(ctx, l.c, l.main(t).MainAssociation, made.ID)
	wantCode(t, err, "")
	_, err = l.p.DeleteSubnet(ctx, l.c, l.subnet.ID) // takes its association along
	wantCode(t, err, "")
	_, err = l.p.DeleteRouteTable(ctx, l.c, born.ID)
	wantCode(t, err, "")
	_, err = l.p.RouteTables(ctx, l.c, controlplane.Query{IDs: []string{born.ID}})
	wantCode(t, err, "InvalidRouteTableID.NotFound")
	_, err = l.p.CreateTags(ctx, l.c, []string{made.ID}, map[string]string{"team": "net"})
	wantCode(t, err, "")
	tags := must[[]controlplane.ResourceTag](t)(l.p.Tags(ctx, l.c, []controlplane.Filter{{Name: "resource-type", Values: []string{"route-table"}}}))
	if len(tags) != 2 || tags[1].Value != "net" {
		t.Errorf("tags: %+v", tags)
	}
	_, err = l.p.DeleteVPC(ctx, l.c, l.vpc.ID) // with its main table
	wantCode(t, err, "")
	if all := must[[]controlplane.DescribedRouteTable](t)(l.p.RouteTables(ctx, l.c, controlplane.Query{})); len(all) != 0 {
		t.Errorf("tables are left: %+v", all)
	}
	stranger := controlplane.EC2Call{Caller: admin(t)}
	_, err = l.p.DisassociateRouteTable(ctx, stranger, id)
	wantCode(t, err, "InvalidAssociationID.NotFound")
}

// TestRoutes makes, replaces and deletes routes of the main table, by what may be and what may not.
func TestRoutes(t *testing.T) {
	l, ctx := newLab(t), t.Context()
	main := l.main(t)
	gateway, _, err := l.p.CreateInternetGateway(ctx, l.c, map[string]string{"Name": "out"})
	wantCode(t, err, "")
	_, err = l.p.AttachInternetGateway(ctx, l.c, gateway.ID, l.vpc.ID)
	wantCode(t, err, "")
	instances, err := l.run(t, controlplane.NewInstances{})
	wantCode(t, err, "")
	other, _, err := l.p.CreateInternetGateway(ctx, l.c, nil)
	wantCode(t, err, "")
	_, err = l.p.AttachInternetGateway(ctx, l.c, other.ID, l.vpc.ID)
	wantCode(t, err, "InvalidParameterValue")
	_, err = l.p.AttachInternetGateway(ctx, l.c, gateway.ID, l.vpc.ID)
	wantCode(t, err, "Resource.AlreadyAssociated")

	to := func(cidr string, targets ...string) controlplane.RouteRequest {
		return controlplane.RouteRequest{Table: main.ID, CIDR: cidr, Targets: targets}
	}
	for _, x := range []struct {
		what string
		in   controlplane.RouteRequest
		want string
	}{
		{"everything", to("0.0.0.0/0", gateway.ID), ""},
		{"everything again", to("0.0.0.0/0", gateway.ID), ""},
		{"everything elsewhere", to("0.0.0.0/0", instances[0].ID), "RouteAlreadyExists"},
		{"an instance", to("192.168.1.7/24", instances[0].ID), ""},
		{"an interface", to("192.168.2.0/24", instances[0].InterfaceID), ""},
		{"IPv6", controlplane.RouteRequest{Table: main.ID, IPv6CIDR: "::/0", Targets: []string{gateway.ID}}, ""},
		{"IPv6 as IPv4", to("::/0", gateway.ID), "InvalidParameterValue"},
		{"no block", to("here", gateway.ID), "InvalidParameterValue"},
		{"nowhere", to("", gateway.ID), "MissingParameter"},
		{"two destinations", controlplane.RouteRequest{Table: main.ID, CIDR: "0.0.0.0/0", IPv6CIDR: "::/0", Targets: []string{gateway.ID}}, "InvalidParameterCombination"},
		{"no target", to("192.168.3.0/24"), "MissingParameter"},
		{"two targets", to("192.168.3.0/24", gateway.ID, instances[0].ID), "InvalidParameterCombination"},
		{"the VPC's own block", to("10.0.0.0/16", gateway.ID), "RouteAlreadyExists"},
		{"a part of it", to("10.0.1.0/24", gateway.ID), "InvalidParameterValue"},
		{"VPC Lattice", to("169.254.171.0/24", gateway.ID), "InvalidParameterValue"},
		{"a gateway of no VPC", to("192.168.3.0/24", other.ID), "InvalidParameterValue"},
		{"no gateway", to("192.168.3.0/24", "igw-00000000000000000"), "InvalidGatewayID.NotFound"},
		{"no instance", to("192.168.3.0/24", "i-00000000000000000"), "InvalidInstanceID.NotFound"},
		{"a NAT gateway", to("192.168.3.0/24", "nat-00000000000000000"), "NatGatewayNotFound"},
		{"a word", to("192.168.3.0/24", "local"), "InvalidParameterValue"},
		{"no table", controlplane.RouteRequest{Table: "rtb-00000000000000000", CIDR: "0.0.0.0/0", Targets: []string{gateway.ID}}, "InvalidRouteTableID.NotFound"},
	} {
		_, err := l.p.CreateRoute(ctx, l.c, x.in)
		if got := code(t, err); got != x.want {
			t.Errorf("%s: got %v, want %q", x.what, err, x.want)
		}
	}
	dry := l.c
	dry.DryRun = true
	_, err = l.p.CreateRoute(ctx, dry, to("192.168.9.0/24", gateway.ID))
	wantCode(t, err, "DryRunOperation")

	_, err = l.p.ReplaceRoute(ctx, l.c, to("0.0.0.0/0", instances[0].ID))
	wantCode(t, err, "")
	_, err = l.p.ReplaceRoute(ctx, l.c, to("172.16.0.0/12", gateway.ID))
	wantCode(t, err, "InvalidRoute.NotFound")
	_, err = l.p.DetachInternetGateway(ctx, l.c, gateway.ID, l.vpc.ID)
	wantCode(t, err, "")
	_, err = l.p.DetachInternetGateway(ctx, l.c, gateway.ID, l.vpc.ID)
	wantCode(t, err, "Gateway.NotAttached")
	states := map[string]string{}
	for _, r := range l.table(t, main.ID).AllRoutes {
		states[r.Destination.String()] = r.State + " " + r.Origin
	}
	if states["::/0"] != "blackhole CreateRoute" || states["0.0.0.0/0"] != "active CreateRoute" || states["192.168.1.0/24"] != "active CreateRoute" || states["10.0.0.0/16"] != "active CreateRouteTable" {
		t.Errorf("states: %v", states)
	}
	for destination, want := range map[string]string{"0.0.0.0/0": "", "172.16.0.0/12": "InvalidRoute.NotFound", "10.0.0.0/16": "InvalidParameterValue"} {
		_, err := l.p.DeleteRoute(ctx, l.c, to(destination))
		wantCode(t, err, want)
	}
	for _, g := range []*trellis.InternetGateway{gateway, other} {
		_, err = l.p.DeleteInternetGateway(ctx, l.c, g.ID)
		wantCode(t, err, "")
	}
	if all := must[[]*trellis.InternetGateway](t)(l.p.InternetGateways(ctx, l.c, controlplane.Query{})); len(all) != 0 {
		t.Errorf("gateways are left: %+v", all)
	}
}

// TestInternetGatewayHolds refuses to delete what an attached gateway joins.
func TestInternetGatewayHolds(t *testing.T) {
	p, c, ctx := running(t, controlplane.Options{}), controlplane.EC2Call{Caller: admin(t)}, t.Context()
	v, _, err := p.CreateVPC(ctx, c, controlplane.NewVPC{CIDR: "10.0.0.0/16"})
	wantCode(t, err, "")
	g, _, err := p.CreateInternetGateway(ctx, c, nil)
	wantCode(t, err, "")
	_, err = p.AttachInternetGateway(ctx, c, g.ID, v.ID)
	wantCode(t, err, "")
	_, err = p.DeleteVPC(ctx, c, v.ID)
	wantCode(t, err, "DependencyViolation")
	_, err = p.DeleteInternetGateway(ctx, c, g.ID)
	wantCode(t, err, "DependencyViolation")
	found := must[[]*trellis.InternetGateway](t)(p.InternetGateways(ctx, c, controlplane.Query{Filters: []controlplane.Filter{{Name: "attachment.vpc-id", Values: []string{v.ID}}}}))
	if !slices.ContainsFunc(found, func(have *trellis.InternetGateway) bool { return have.ID == g.ID }) {
		t.Errorf("%+v", found)
	}
	_, err = p.AttachInternetGateway(ctx, controlplane.EC2Call{Caller: admin(t)}, g.ID, v.ID)
	wantCode(t, err, "InvalidInternetGatewayID.NotFound")
}
