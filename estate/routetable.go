package estate

import (
	"context"
	"strings"
)

// withAttachment takes the VPC of an internet gateway.
func withAttachment(_ context.Context, _ *session, m map[string]any, t *thing) error {
	if vpc := at(m, "Attachments.VpcId"); vpc != nil {
		t.members["VpcId"] = vpc
	}
	return nil
}

// changeGateway attaches an internet gateway to its VPC, after it has left another.
func changeGateway(ctx context.Context, s *session, t, old *thing, _ []string) error {
	if old != nil {
		if err := leaveVPC(ctx, s, old); err != nil {
			return err
		}
	}
	vpc := s.sent(t, t.members["VpcId"], "VpcId")
	if vpc == nil {
		return nil
	}
	return s.do(ctx, "ec2", "AttachInternetGateway", map[string]any{"InternetGatewayId": t.id, "VpcId": vpc})
}

// leaveVPC parts an internet gateway from the VPC that it is attached to.
func leaveVPC(ctx context.Context, s *session, t *thing) error {
	vpc := s.sent(t, t.members["VpcId"], "VpcId")
	if vpc == nil {
		return nil
	}
	return unlessGone(s.do(ctx, "ec2", "DetachInternetGateway", map[string]any{"InternetGatewayId": t.id, "VpcId": vpc}))
}

// unmakeGateway deletes an internet gateway after it has left its VPC.
func unmakeGateway(ctx context.Context, s *session, t *thing) error {
	if err := leaveVPC(ctx, s, t); err != nil {
		return err
	}
	return unmakeEC2(ctx, s, t)
}

// targets are the members of routes that say where they lead to.
var targets = []string{"GatewayId", "InstanceId", "NetworkInterfaceId", "NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "EgressOnlyInternetGatewayId",
	"LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn"}

// withRoutes takes the routes and associations of a route table that somebody has made. A table that has none counts as AWS's own: it
// is the main one of a VPC, or was.
func withRoutes(_ context.Context, _ *session, m map[string]any, t *thing) error {
	var routes, subnets, gateways []any
	for _, r := range list(m["Routes"]) {
		r := structure(r)
		if gateway := text(r["GatewayId"]); r["Origin"] != "CreateRoute" || gateway == "local" || gateway == "VpcLattice" || strings.HasPrefix(gateway, "vpce-") {
			continue
		}
		route := take(r, append([]string{"DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"}, targets...)...)
		if route["InstanceId"] != nil {
			delete(route, "NetworkInterfaceId") // the instance's
		}
		routes = append(routes, route)
	}
	main := false
	for _, a := range list(m["Associations"]) {
		a := structure(a)
		switch {
		case a["Main"] == true:
			main = true
		case a["SubnetId"] != nil:
			subnets = append(subnets, a["SubnetId"])
		case a["GatewayId"] != nil:
			gateways = append(gateways, a["GatewayId"])
		}
	}
	for name, all := range map[string][]any{"Routes": routes, "SubnetIds": subnets, "GatewayIds": gateways} {
		if all != nil {
			t.members[name] = all
		}
	}
	t.builtin = len(routes)+len(subnets)+len(gateways)+len(t.tags) == 0
	if main {
		t.members["Main"], t.own = true, "main"
	}
	return nil
}

// makeRouteTable creates a route table. What is to be the main one of its VPC is that which came with it.
func makeRouteTable(ctx context.Context, s *session, t *thing, in map[string]any) error {
	if t.own != t.kind.given && t.members["Main"] != true {
		return makeEC2(ctx, s, t, in)
	}
	out, err := s.call(ctx, "ec2", "DescribeRouteTables", map[string]any{"Filters": []any{
		map[string]any{"Name": "vpc-id", "Values": []any{in["VpcId"]}}, map[string]any{"Name": "association.main", "Values": []any{"true"}}}})
	if err != nil {
		return err
	}
	t.id = text(at(out, "RouteTables.RouteTableId"))
	t.arn = ec2ARN(s, t)
	tags := t.wantedTags(nil)
	delete(tags, idTag) // it has an id
	tags[estateTag] = t.madeBy
	return retag(ctx, s, t, tags, nil)
}

// describeTable asks for a route table as it is.
func describeTable(ctx context.Context, s *session, t *thing) (map[string]any, error) {
	out, err := s.call(ctx, "ec2", "DescribeRouteTables", map[string]any{"RouteTableIds": []any{t.id}})
	return part(out, "RouteTables"), err
}

// changeRouteTable makes the routes and associations of a table those that it shall have.
func changeRouteTable(ctx context.Context, s *session, t, old *thing, changed []string) error {
	for _, name := range changed {
		want, have := list(s.sent(t, t.members[name], name)), []any(nil)
		if old != nil {
			have = list(s.sent(t, old.members[name], name))
		}
		var err error
		switch name {
		case "Main":
			err = makeMain(ctx, s, t)
		case "Routes":
			err = changeRoutes(ctx, s, t, want, have)
		case "SubnetIds":
			err = changeTableOf(ctx, s, t, "SubnetId", lacking(want, have), lacking(have, want))
		case "GatewayIds":
			err = changeTableOf(ctx, s, t, "GatewayId", lacking(want, have), lacking(have, want))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeMain makes a table the main one of its VPC.
func makeMain(ctx context.Context, s *session, t *thing) error {
	if t.members["Main"] != true {
		return nil // another one becomes it
	}
	out, err := s.call(ctx, "ec2", "DescribeRouteTables", map[string]any{"Filters": []any{
		map[string]any{"Name": "vpc-id", "Values": []any{s.sent(t, t.members["VpcId"], "VpcId")}}, map[string]any{"Name": "association.main", "Values": []any{"true"}}}})
	if err != nil {
		return err
	}
	table := part(out, "RouteTables")
	for _, a := range list(table["Associations"]) {
		if a := structure(a); a["Main"] == true && table["RouteTableId"] != t.id {
			return s.do(ctx, "ec2", "ReplaceRouteTableAssociation", map[string]any{"AssociationId": a["RouteTableAssociationId"], "RouteTableId": t.id})
		}
	}
	return nil
}

// changeRoutes adds, replaces and deletes routes.
func changeRoutes(ctx context.Context, s *session, t *thing, want, have []any) error {
	to := func(r any) string {
		return key(take(structure(r), "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"))
	}
	destinations := map[string]bool{}
	for _, r := range have {
		destinations[to(r)] = true
	}
	for _, r := range lacking(want, have) {
		operation := "CreateRoute"
		if destinations[to(r)] {
			operation = "ReplaceRoute"
		}
		in := map[string]any{"RouteTableId": t.id}
		for k, v := range structure(r) {
			in[k] = v
		}
		if err := s.do(ctx, "ec2", operation, in); err != nil {
			return err
		}
		destinations[to(r)] = false
	}
	for _, r := range lacking(have, want) {
		if !destinations[to(r)] {
			continue // replaced
		}
		in := map[string]any{"RouteTableId": t.id}
		for k, v := range structure(r) {
			if strings.HasPrefix(k, "Destination") {
				in[k] = v
			}
		}
		if err := s.do(ctx, "ec2", "DeleteRoute", in); err != nil {
			return err
		}
	}
	return nil
}

// changeTableOf gives subnets or gateways a table, whichever they have, and takes it from others.
func changeTableOf(ctx context.Context, s *session, t *thing, member string, add, drop []any) error {
	s.alone.Lock()
	defer s.alone.Unlock()
	out, err := s.call(ctx, "ec2", "DescribeRouteTables", nil)
	if err != nil {
		return err
	}
	associations := map[any]any{}
	for _, table := range list(out["RouteTables"]) {
		for _, a := range list(structure(table)["Associations"]) {
			if a := structure(a); a[member] != nil {
				associations[a[member]] = a["RouteTableAssociationId"]
			}
		}
	}
	for _, of := range add {
		operation, in := "AssociateRouteTable", map[string]any{"RouteTableId": t.id, member: of}
		if id := associations[of]; id != nil {
			operation, in = "ReplaceRouteTableAssociation", map[string]any{"RouteTableId": t.id, "AssociationId": id}
		}
		if err := s.do(ctx, "ec2", operation, in); err != nil {
			return err
		}
	}
	for _, of := range drop {
		if id := associations[of]; id != nil {
			if err := unlessGone(s.do(ctx, "ec2", "DisassociateRouteTable", map[string]any{"AssociationId": id})); err != nil {
				return err
			}
		}
	}
	return nil
}

// unmakeRouteTable deletes a route table after its associations. The main one goes with its VPC: it loses what it was given.
func unmakeRouteTable(ctx context.Context, s *session, t *thing) error {
	now, err := describeTable(ctx, s, t)
	if err != nil {
		return unlessGone(err)
	}
	is := &thing{kind: t.kind, account: t.account, id: t.id, tags: tagsOf(now["Tags"]), members: map[string]any{}}
	if err := withRoutes(ctx, s, now, is); err != nil {
		return err
	}
	for _, member := range []string{"SubnetId", "GatewayId"} {
		if err := changeTableOf(ctx, s, t, member, nil, list(is.members[member+"s"])); err != nil {
			return err
		}
	}
	if is.members["Main"] != true {
		return unmakeEC2(ctx, s, t)
	}
	if err := changeRoutes(ctx, s, t, nil, list(is.members["Routes"])); err != nil {
		return err
	}
	var drop []string
	for name := range is.tags {
		drop = append(drop, name)
	}
	return retag(ctx, s, t, nil, drop)
}
