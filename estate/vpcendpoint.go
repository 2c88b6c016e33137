package estate

import (
	"context"
)

// withInterfaces takes where a VPC endpoint is, and what names it has.
func withInterfaces(_ context.Context, _ *session, m map[string]any, t *thing) error {
	if state := text(m["State"]); state == "deleting" || state == "deleted" || m["RequesterManaged"] == true {
		return errLeftOut
	}
	var groups []any
	for _, g := range list(m["Groups"]) {
		groups = append(groups, structure(g)["GroupId"])
	}
	if groups != nil {
		t.members["SecurityGroupIds"] = groups
	}
	if subnets := list(m["SubnetIds"]); len(subnets) > 0 {
		t.members["SubnetIds"] = subnets
	}
	if options := take(structure(m["DnsOptions"]), "DnsRecordIpType", "PrivateDnsOnlyForInboundResolverEndpoint", "PrivateDnsPreference", "PrivateDnsSpecifiedDomains"); len(options) > 0 {
		t.members["DnsOptions"] = options
	}
	return nil
}

// makeEndpoint creates a VPC endpoint and waits until it is there.
func makeEndpoint(ctx context.Context, s *session, t *thing, in map[string]any) error {
	if err := makeEC2(ctx, s, t, in); err != nil {
		return err
	}
	return awaitEndpoint(ctx, s, t)
}

// awaitEndpoint waits until a VPC endpoint carries traffic.
func awaitEndpoint(ctx context.Context, s *session, t *thing) error {
	return await(ctx, func() (bool, error) {
		out, err := s.call(ctx, "ec2", "DescribeVpcEndpoints", map[string]any{"VpcEndpointIds": []any{t.id}})
		switch state := text(at(out, "VpcEndpoints.State")); state {
		case "failed", "rejected", "expired", "deleted":
			return false, failedError{state, text(at(out, "VpcEndpoints.LastError.Message"))}
		default:
			return state != "pending" && state != "", err
		}
	})
}

// changeEndpoint moves a VPC endpoint into other subnets and security groups, and changes how it is named.
func changeEndpoint(ctx context.Context, s *session, t, old *thing, changed []string) error {
	in := map[string]any{"VpcEndpointId": t.id}
	for _, name := range changed {
		want, have := s.sent(t, t.members[name], name), s.sent(t, old.members[name], name)
		switch name {
		case "SubnetIds", "SecurityGroupIds":
			in["Add"+name], in["Remove"+name] = lacking(list(want), list(have)), lacking(list(have), list(want))
		default:
			in[name] = want
		}
	}
	if err := s.do(ctx, "ec2", "ModifyVpcEndpoint", in); err != nil {
		return err
	}
	return awaitEndpoint(ctx, s, t)
}

// unmakeEndpoint deletes a VPC endpoint and waits for its end.
func unmakeEndpoint(ctx context.Context, s *session, t *thing) error {
	out, err := s.call(ctx, "ec2", "DeleteVpcEndpoints", map[string]any{"VpcEndpointIds": []any{t.id}})
	if err != nil {
		return unlessGone(err)
	}
	for _, u := range list(out["Unsuccessful"]) {
		if code := text(at(u, "Error.Code")); code != "InvalidVpcEndpointId.NotFound" {
			return failedError{code, text(at(u, "Error.Message"))}
		}
	}
	return await(ctx, func() (bool, error) {
		_, err := s.call(ctx, "ec2", "DescribeVpcEndpoints", map[string]any{"VpcEndpointIds": []any{t.id}})
		return gone(err), unlessGone(err)
	})
}
