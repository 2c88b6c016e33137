package estate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

// idTag is the tag that chooses the id of what is created, which AWS has no member for (docs/modes.md).
const idTag = "trellis:id"

// ec2Kinds are the kinds of EC2 that VPC Lattice names.
func ec2Kinds() []*kind {
	all := []*kind{
		{name: "Vpc", prefix: "vpc", resource: "vpc", nameTag: true, create: "CreateVpc", remove: "DeleteVpc", id: "VpcId",
			members: []member{{name: "CidrBlock", required: true, fixed: true}, {name: "InstanceTenancy", fixed: true, def: "default"},
				{name: "CidrBlocks", later: true, set: true, def: nothing}},
			read: readEC2("DescribeVpcs", "Vpcs", "VpcId", withCIDRs, "CidrBlock", "InstanceTenancy")},
		{name: "PrefixList", prefix: "pl", resource: "prefix-list", nameMember: "PrefixListName", create: "CreateManagedPrefixList", remove: "DeleteManagedPrefixList", id: "PrefixListId",
			members: []member{{name: "AddressFamily", required: true, fixed: true}, {name: "MaxEntries", required: true, fixed: true}, {name: "Entries", set: true, fixed: true, def: nothing}},
			read:    readEC2("DescribeManagedPrefixLists", "PrefixLists", "PrefixListId", withEntries, "AddressFamily", "MaxEntries")},
		{name: "Subnet", prefix: "subnet", resource: "subnet", nameTag: true, create: "CreateSubnet", remove: "DeleteSubnet", id: "SubnetId",
			members: []member{{name: "VpcId", required: true, fixed: true}, {name: "CidrBlock", fixed: true}, {name: "Ipv6CidrBlock", fixed: true}, {name: "AvailabilityZone", fixed: true}},
			refs:    map[string]reference{"VpcId": toVPC},
			read:    readEC2("DescribeSubnets", "Subnets", "SubnetId", withIPv6, "VpcId", "CidrBlock", "AvailabilityZone")},
		{name: "SecurityGroup", prefix: "sg", resource: "security-group", given: "default", nameMember: "GroupName", scope: "VpcId", create: "CreateSecurityGroup", remove: "DeleteSecurityGroup", id: "GroupId",
			members: []member{{name: "VpcId", required: true, fixed: true}, {name: "Description", fixed: true, required: true},
				{name: "IpPermissions", later: true, late: true, def: nothing, norm: ruleByRule, check: "AuthorizeSecurityGroupIngress"},
				{name: "IpPermissionsEgress", later: true, late: true, def: anywhere, norm: ruleByRule}},
			refs:   map[string]reference{"VpcId": toVPC, "GroupId": toSecurity, "PrefixListId": {kinds: []string{"PrefixList"}}},
			make:   makeSecurityGroup,
			change: changeSecurityGroup,
			read:   readEC2("DescribeSecurityGroups", "SecurityGroups", "GroupId", withRules, "VpcId", "Description", "IpPermissions", "IpPermissionsEgress")},
		{name: "Instance", prefix: "i", resource: "instance", nameTag: true, create: "RunInstances", remove: "TerminateInstances", id: "InstanceIds",
			members: []member{{name: "SubnetId", required: true, fixed: true}, {name: "PrivateIpAddress", fixed: true}, {name: "SecurityGroupIds", set: true},
				{name: "IamInstanceProfile", fixed: true, def: nothing}, {name: "ImageId", required: true, fixed: true}, {name: "InstanceType", fixed: true}},
			refs: map[string]reference{"SubnetId": toSubnet, "SecurityGroupIds": toSecurity, "Name": {kinds: []string{"InstanceProfile", "Role"}}},
			make: makeInstance, change: changeInstance, unmake: unmakeInstance, read: readInstances},
		{name: "InternetGateway", prefix: "igw", resource: "internet-gateway", nameTag: true, create: "CreateInternetGateway", remove: "DeleteInternetGateway", id: "InternetGatewayId",
			members: []member{{name: "VpcId", later: true, def: nothing}}, refs: map[string]reference{"VpcId": toVPC},
			change: changeGateway, unmake: unmakeGateway,
			read: readEC2("DescribeInternetGateways", "InternetGateways", "InternetGatewayId", withAttachment)},
		{name: "RouteTable", prefix: "rtb", resource: "route-table", nameTag: true, given: "main", scope: "VpcId", create: "CreateRouteTable", remove: "DeleteRouteTable", id: "RouteTableId",
			members: []member{{name: "VpcId", required: true, fixed: true}, {name: "Main", later: true}, {name: "Routes", later: true, set: true, def: nothing, each: "CreateRoute"},
				{name: "SubnetIds", later: true, set: true, def: nothing}, {name: "GatewayIds", later: true, set: true, def: nothing}},
			refs: map[string]reference{"VpcId": toVPC, "SubnetIds": toSubnet, "GatewayIds": toGateway, "GatewayId": toGateway, "InstanceId": {kinds: []string{"Instance"}},
				"DestinationPrefixListId": {kinds: []string{"PrefixList"}}},
			make: makeRouteTable, change: changeRouteTable, unmake: unmakeRouteTable,
			read: readEC2("DescribeRouteTables", "RouteTables", "RouteTableId", withRoutes, "VpcId")},
		{name: "VpcEndpoint", prefix: "vpce", roaming: true, resource: "vpc-endpoint", nameTag: true, create: "CreateVpcEndpoint", remove: "DeleteVpcEndpoints", id: "VpcEndpointId",
			members: []member{{name: "VpcEndpointType", required: true, fixed: true}, {name: "VpcId", required: true, fixed: true}, {name: "ServiceNetworkArn", fixed: true},
				{name: "ResourceConfigurationArn", fixed: true}, {name: "ServiceName", fixed: true}, {name: "SubnetIds", set: true}, {name: "SecurityGroupIds", set: true},
				{name: "IpAddressType", fixed: true, def: "ipv4"}, {name: "PrivateDnsEnabled"}, {name: "DnsOptions", part: true}},
			refs: map[string]reference{"VpcId": toVPC, "SubnetIds": toSubnet, "SecurityGroupIds": toSecurity, "ServiceNetworkArn": {kinds: []string{"ServiceNetwork"}, arn: true},
				"ResourceConfigurationArn": {kinds: []string{"ResourceConfiguration"}, arn: true}},
			make: makeEndpoint, change: changeEndpoint, unmake: unmakeEndpoint,
			read: readEC2("DescribeVpcEndpoints", "VpcEndpoints", "VpcEndpointId", withInterfaces, "VpcEndpointType", "VpcId", "ServiceNetworkArn", "ResourceConfigurationArn", "ServiceName",
				"IpAddressType", "PrivateDnsEnabled")},
	}
	for _, k := range all {
		k.service = "ec2"
		if k.make == nil {
			k.make = makeEC2
		}
		if k.change == nil {
			k.change = changeEC2
		}
		if k.unmake == nil {
			k.unmake = unmakeEC2
		}
	}
	return all
}

// anywhere is what EC2 lets out of a new security group.
var anywhere = []any{map[string]any{"IpProtocol": "-1", "IpRanges": []any{map[string]any{"CidrIp": "0.0.0.0/0"}}}}

// readEC2 returns a reader of a kind that one operation describes. more reads and mends the rest.
func readEC2(operation, items, id string, more func(context.Context, *session, map[string]any, *thing) error, members ...string) func(context.Context, *session) ([]*thing, error) {
	return func(ctx context.Context, s *session) ([]*thing, error) {
		found, err := s.items(ctx, "ec2", operation, nil, items)
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(slices.Clone(found), func(m map[string]any) bool { return m["OwnerId"] != s.account && m["OwnerId"] != "AWS" })
		return each(ctx, found, func(ctx context.Context, m map[string]any) (*thing, error) {
			t := &thing{account: s.account, id: text(m[id]), tags: tagsOf(m["Tags"]), members: take(m, members...), own: cmp.Or(text(m["GroupName"]), text(m["PrefixListName"]))}
			if more != nil {
				return t, more(ctx, s, m, t)
			}
			return t, nil
		})
	}
}

// withCIDRs takes the CIDRs of a VPC after its first.
func withCIDRs(_ context.Context, _ *session, m map[string]any, t *thing) error {
	var more []any
	for _, a := range list(m["CidrBlockAssociationSet"]) {
		a := structure(a)
		if a["CidrBlock"] != m["CidrBlock"] && text(structure(a["CidrBlockState"])["State"]) == "associated" {
			more = append(more, a["CidrBlock"])
		}
	}
	if more != nil {
		t.members["CidrBlocks"] = more
	}
	t.builtin = m["IsDefault"] == true
	return nil
}

// withIPv6 takes the IPv6 CIDR of a subnet.
func withIPv6(_ context.Context, _ *session, m map[string]any, t *thing) error {
	for _, a := range list(m["Ipv6CidrBlockAssociationSet"]) {
		t.members["Ipv6CidrBlock"] = structure(a)["Ipv6CidrBlock"]
	}
	return nil
}

// withEntries reads the CIDRs of a prefix list.
func withEntries(ctx context.Context, s *session, m map[string]any, t *thing) error {
	if t.builtin = m["OwnerId"] == "AWS"; t.builtin {
		return nil
	}
	entries, err := s.items(ctx, "ec2", "GetManagedPrefixListEntries", map[string]any{"PrefixListId": t.id}, "Entries")
	var all []any
	for _, e := range entries {
		all = append(all, take(e, "Cidr", "Description"))
	}
	if all != nil {
		t.members["Entries"] = all
	}
	return err
}

// withRules leaves what answers add out of a group's rules. A VPC's default group is AWS's own.
func withRules(_ context.Context, s *session, m map[string]any, t *thing) error {
	t.builtin = m["GroupName"] == "default"
	for _, name := range []string{"IpPermissions", "IpPermissionsEgress"} {
		for _, p := range list(t.members[name]) {
			p := structure(p)
			for _, pair := range list(p["UserIdGroupPairs"]) {
				if pair := structure(pair); pair["UserId"] == s.account {
					delete(pair, "UserId")
				}
				delete(structure(pair), "GroupName")
				delete(structure(pair), "VpcId")
			}
			maps.DeleteFunc(p, func(_ string, v any) bool { l, ok := v.([]any); return ok && len(l) == 0 })
		}
	}
	return nil
}

// ruleByRule splits permissions into rules with one source each, since the same rules can be said in many ways.
func ruleByRule(v any) any {
	var all []any
	for _, p := range list(v) {
		p := structure(p)
		for _, sources := range []string{"IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"} {
			for _, source := range list(p[sources]) {
				rule := map[string]any{"IpProtocol": p["IpProtocol"], sources: []any{source}}
				for _, port := range []string{"FromPort", "ToPort"} {
					if n, ok := p[port]; ok && text(p["IpProtocol"]) != "-1" {
						rule[port] = n
					}
				}
				all = append(all, rule)
			}
		}
	}
	slices.SortFunc(all, func(a, b any) int { return cmp.Compare(key(a), key(b)) })
	return all
}

// readInstances reads instances that are not terminated.
func readInstances(ctx context.Context, s *session) ([]*thing, error) {
	found, err := s.items(ctx, "ec2", "DescribeInstances", nil, "Reservations")
	if err != nil {
		return nil, err
	}
	standard, err := s.items(ctx, "ec2", "DescribeSecurityGroups", nil, "SecurityGroups")
	if err != nil {
		return nil, err
	}
	var things []*thing
	for _, r := range found {
		for _, i := range list(r["Instances"]) {
			m := structure(i)
			if state := text(structure(m["State"])["Name"]); state == "terminated" || state == "shutting-down" {
				continue
			}
			t := &thing{id: text(m["InstanceId"]), tags: tagsOf(m["Tags"]), members: take(m, "SubnetId", "PrivateIpAddress", "ImageId", "InstanceType")}
			if arn := structure(m["IamInstanceProfile"])["Arn"]; arn != nil {
				t.members["IamInstanceProfile"] = map[string]any{"Name": arn}
			}
			var groups []any
			for _, g := range list(m["SecurityGroups"]) {
				groups = append(groups, structure(g)["GroupId"])
			}
			if len(groups) == 1 && slices.ContainsFunc(standard, func(g map[string]any) bool { return g["GroupId"] == groups[0] && g["GroupName"] == "default" }) {
				groups = nil // what an instance has that asks for none
			}
			if groups != nil {
				t.members["SecurityGroupIds"] = groups
			}
			things = append(things, t)
		}
	}
	return things, nil
}

// makeEC2 creates a VPC, prefix list or subnet.
func makeEC2(ctx context.Context, s *session, t *thing, in map[string]any) error {
	out, err := s.call(ctx, "ec2", t.kind.create, in)
	if err != nil {
		return err
	}
	t.id = text(structure(out[t.kind.name])[t.kind.id])
	t.arn = ec2ARN(s, t)
	return nil
}

// ec2ARN is the ARN of a thing of EC2.
func ec2ARN(s *session, t *thing) string {
	return fmt.Sprintf("arn:aws:ec2:%s:%s:%s/%s", s.region, s.account, t.kind.resource, t.id)
}

// changeEC2 sets what can be changed: the further CIDRs of a VPC.
func changeEC2(ctx context.Context, s *session, t, old *thing, changed []string) error {
	for _, name := range changed {
		if name != "CidrBlocks" {
			continue
		}
		var have []any
		if old != nil {
			have = list(old.members[name])
		}
		for _, c := range lacking(list(t.members[name]), have) {
			if err := s.do(ctx, "ec2", "AssociateVpcCidrBlock", map[string]any{"VpcId": t.id, "CidrBlock": c}); err != nil {
				return err
			}
		}
		for _, c := range lacking(have, list(t.members[name])) {
			out, err := s.call(ctx, "ec2", "DescribeVpcs", map[string]any{"VpcIds": []any{t.id}})
			if err != nil {
				return err
			}
			for _, v := range list(out["Vpcs"]) {
				for _, a := range list(structure(v)["CidrBlockAssociationSet"]) {
					if a := structure(a); a["CidrBlock"] == c {
						if err := s.do(ctx, "ec2", "DisassociateVpcCidrBlock", map[string]any{"AssociationId": a["AssociationId"]}); err != nil {
							return err
						}
					}
				}
			}
		}
	}
	return nil
}

// unmakeEC2 deletes a thing. EC2 lets go of addresses some moments after what had them is gone, so that a dependency
// is waited for.
func unmakeEC2(ctx context.Context, s *session, t *thing) error {
	return await(ctx, func() (bool, error) {
		err := s.do(ctx, "ec2", t.kind.remove, map[string]any{t.kind.id: t.id})
		if refused(err, "DependencyViolation") {
			return false, stillError{err}
		}
		return true, unlessGone(err)
	})
}

// makeSecurityGroup creates a group; the default group is there with its VPC.
func makeSecurityGroup(ctx context.Context, s *session, t *thing, in map[string]any) error {
	if t.own == t.kind.given {
		out, err := s.call(ctx, "ec2", "DescribeSecurityGroups", map[string]any{"Filters": []any{
			map[string]any{"Name": "vpc-id", "Values": []any{in["VpcId"]}}, map[string]any{"Name": "group-name", "Values": []any{"default"}}}})
		if err != nil {
			return err
		}
		for _, g := range list(out["SecurityGroups"]) {
			t.id = text(structure(g)["GroupId"])
		}
	} else {
		out, err := s.call(ctx, "ec2", "CreateSecurityGroup", in)
		if err != nil {
			return err
		}
		t.id = text(out["GroupId"])
	}
	t.arn = ec2ARN(s, t)
	return nil
}

// changeSecurityGroup lets in and out what differs. What a new group has is asked for.
func changeSecurityGroup(ctx context.Context, s *session, t, _ *thing, changed []string) error {
	out, err := s.call(ctx, "ec2", "DescribeSecurityGroups", map[string]any{"GroupIds": []any{t.id}})
	if err != nil {
		return err
	}
	for _, g := range list(out["SecurityGroups"]) {
		g := structure(g)
		now := &thing{members: g}
		if err := withRules(ctx, s, g, now); err != nil {
			return err
		}
		for _, name := range changed {
			direction := "Ingress"
			want := t.members[name]
			if name == "IpPermissionsEgress" {
				direction = "Egress"
				if want == nil {
					want = anywhere
				}
			}
			have, wanted := list(ruleByRule(now.members[name])), list(ruleByRule(s.sent(t, want, name)))
			for i, rules := range [][]any{lacking(wanted, have), lacking(have, wanted)} {
				operation := []string{"Authorize", "Revoke"}[i]
				if len(rules) == 0 {
					continue
				}
				if err := s.do(ctx, "ec2", operation+"SecurityGroup"+direction, map[string]any{"GroupId": t.id, "IpPermissions": rules}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// makeInstance runs an instance and waits until it runs.
func makeInstance(ctx context.Context, s *session, t *thing, in map[string]any) error {
	in["MinCount"], in["MaxCount"] = 1, 1
	if arn := text(structure(in["IamInstanceProfile"])["Name"]); len(arn) > 4 && arn[:4] == "arn:" {
		in["IamInstanceProfile"] = map[string]any{"Arn": arn}
	}
	out, err := s.call(ctx, "ec2", "RunInstances", in)
	if err != nil {
		return err
	}
	for _, i := range list(out["Instances"]) {
		t.id = text(structure(i)["InstanceId"])
	}
	t.arn = ec2ARN(s, t)
	return awaitInstance(ctx, s, t, "running")
}

// changeInstance sets the security groups of an instance.
func changeInstance(ctx context.Context, s *session, t, _ *thing, changed []string) error {
	if slices.Contains(changed, "SecurityGroupIds") {
		return s.do(ctx, "ec2", "ModifyInstanceAttribute", map[string]any{"InstanceId": t.id, "Groups": s.sent(t, t.members["SecurityGroupIds"], "SecurityGroupIds")})
	}
	return nil
}

// unmakeInstance terminates an instance and waits for its end.
func unmakeInstance(ctx context.Context, s *session, t *thing) error {
	if err := s.do(ctx, "ec2", "TerminateInstances", map[string]any{"InstanceIds": []any{t.id}}); err != nil {
		return unlessGone(err)
	}
	return awaitInstance(ctx, s, t, "terminated")
}

// awaitInstance waits for a state.
func awaitInstance(ctx context.Context, s *session, t *thing, wanted string) error {
	return await(ctx, func() (bool, error) {
		out, err := s.call(ctx, "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{t.id}})
		if err != nil {
			return wanted == "terminated" && gone(err), unlessGone(err)
		}
		state, why := "terminated", "" // one that is not listed any more
		for _, r := range list(out["Reservations"]) {
			for _, i := range list(structure(r)["Instances"]) {
				m := structure(i)
				state = text(structure(m["State"])["Name"])
				why = text(structure(m["StateReason"])["Message"])
			}
		}
		if wanted == "running" && (state == "terminated" || state == "shutting-down") {
			return false, failedError{state, why}
		}
		return state == wanted, nil
	})
}
