package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// permissions reads IpPermissions, and the short form of one permission in parameters of their own.
func permissions(in []IpPermission, short IpPermission) []controlplane.Permission {
	if short.IpProtocol != nil {
		in = append(in, short)
	}
	var out []controlplane.Permission
	for _, p := range in {
		base := controlplane.Permission{Protocol: api.Value(p.IpProtocol), FromPort: api.Int(p.FromPort), ToPort: api.Int(p.ToPort)}
		n := len(out)
		for _, r := range p.IpRanges {
			x := base
			x.CIDR, x.Description = api.Value(r.CidrIp), api.Value(r.Description)
			out = append(out, x)
		}
		for _, r := range p.Ipv6Ranges {
			x := base
			x.CIDR, x.Description = api.Value(r.CidrIpv6), api.Value(r.Description)
			out = append(out, x)
		}
		for _, r := range p.PrefixListIds {
			x := base
			x.PrefixListID, x.Description = api.Value(r.PrefixListId), api.Value(r.Description)
			out = append(out, x)
		}
		for _, r := range p.UserIdGroupPairs {
			x := base
			x.GroupID, x.GroupName, x.GroupAccount, x.Description = api.Value(r.GroupId), api.Value(r.GroupName), api.Value(r.UserId), api.Value(r.Description)
			out = append(out, x)
		}
		if len(out) == n {
			out = append(out, base) // without a source: refused with the reason
		}
	}
	return out
}

// shortForm is the permission of the parameters beside IpPermissions.
func shortForm(protocol *string, from, to *int32, cidr, groupName, groupOwner *string) IpPermission {
	p := IpPermission{IpProtocol: protocol, FromPort: from, ToPort: to}
	if protocol == nil && groupName != nil {
		all := "-1"
		p.IpProtocol = &all
	}
	if cidr != nil {
		p.IpRanges = []IpRange{{CidrIp: cidr}}
	}
	if groupName != nil {
		p.UserIdGroupPairs = []UserIdGroupPair{{GroupName: groupName, UserId: groupOwner}}
	}
	return p
}

// ports are the ports of a rule on the wire, absent for a rule of all protocols.
func ports(r trellis.SecurityGroupRule) (from, to *int32) {
	if r.Protocol == "-1" {
		return nil, nil
	}
	return new(int32(r.FromPort)), new(int32(r.ToPort))
}

// ipPermissions groups the rules of one direction by protocol and ports, as DescribeSecurityGroups does.
func ipPermissions(g *trellis.SecurityGroup, egress bool) []IpPermission {
	type key struct {
		protocol string
		from, to int
	}
	index := map[key]int{}
	out := []IpPermission{} // an empty list is there on the wire, as on AWS
	for _, r := range g.Rules {
		if r.Egress != egress {
			continue
		}
		k := key{r.Protocol, r.FromPort, r.ToPort}
		i, ok := index[k]
		if !ok {
			i = len(out)
			index[k] = i
			from, to := ports(r)
			out = append(out, IpPermission{IpProtocol: api.Some(r.Protocol), FromPort: from, ToPort: to})
		}
		p := &out[i]
		switch {
		case r.GroupID != "":
			p.UserIdGroupPairs = append(p.UserIdGroupPairs, UserIdGroupPair{GroupId: api.Some(r.GroupID), UserId: &g.Account, Description: api.Some(r.Description)})
		case r.PrefixListID != "":
			p.PrefixListIds = append(p.PrefixListIds, PrefixListId{PrefixListId: api.Some(r.PrefixListID), Description: api.Some(r.Description)})
		case r.CIDR.Addr().Is4():
			p.IpRanges = append(p.IpRanges, IpRange{CidrIp: api.Some(r.CIDR.String()), Description: api.Some(r.Description)})
		default:
			p.Ipv6Ranges = append(p.Ipv6Ranges, Ipv6Range{CidrIpv6: api.Some(r.CIDR.String()), Description: api.Some(r.Description)})
		}
	}
	return out
}

// cidrs are the CIDR of a rule as the wire has it: one of the two, or none.
func cidrs(r trellis.SecurityGroupRule) (v4, v6 *string) {
	switch {
	case !r.CIDR.IsValid():
	case r.CIDR.Addr().Is4():
		v4 = api.Some(r.CIDR.String())
	default:
		v6 = api.Some(r.CIDR.String())
	}
	return v4, v6
}

// groupRule is a rule as DescribeSecurityGroupRules has it.
func (h *handler) groupRule(r trellis.SecurityGroupRule, account, groupID string) SecurityGroupRule {
	out := SecurityGroupRule{Description: api.Some(r.Description), FromPort: new(int32(r.FromPort)), ToPort: new(int32(r.ToPort)), GroupId: &groupID, GroupOwnerId: &account,
		IpProtocol: api.Some(r.Protocol), IsEgress: &r.Egress, PrefixListId: api.Some(r.PrefixListID), SecurityGroupRuleId: &r.ID, Tags: tags(r.Tags),
		SecurityGroupRuleArn: api.Some(trellis.EC2ARN(h.region, account, "security-group-rule/"+r.ID))}
	out.CidrIpv4, out.CidrIpv6 = cidrs(r)
	if r.GroupID != "" {
		out.ReferencedGroupInfo = &ReferencedSecurityGroup{GroupId: api.Some(r.GroupID), UserId: &account}
	}
	return out
}

// securityGroup is a security group as the wire has it.
func (h *handler) securityGroup(g *trellis.SecurityGroup) SecurityGroup {
	return SecurityGroup{Description: &g.Description, GroupId: &g.ID, GroupName: &g.Name, IpPermissions: ipPermissions(g, false), IpPermissionsEgress: ipPermissions(g, true),
		OwnerId: &g.Account, SecurityGroupArn: api.Some(g.ARN(h.region)), Tags: tags(g.Tags), VpcId: &g.VPCID}
}

// createSecurityGroup is CreateSecurityGroup.
func (h *handler) createSecurityGroup(ctx context.Context, c *api.Call, in *CreateSecurityGroupInput) (*CreateSecurityGroupOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "security-group")
	if err != nil {
		return nil, err
	}
	g, rev, err := h.plane.CreateSecurityGroup(ctx, caller(c, in.DryRun), controlplane.NewSecurityGroup{VPCID: api.Value(in.VpcId), Name: in.GroupName, Description: in.Description, Tags: t})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateSecurityGroupOutput{GroupId: &g.ID, SecurityGroupArn: api.Some(g.ARN(h.region)), Tags: tags(g.Tags)}, rev, nil)
}

// describeSecurityGroups is DescribeSecurityGroups.
func (h *handler) describeSecurityGroups(ctx context.Context, c *api.Call, in *DescribeSecurityGroupsInput) (*DescribeSecurityGroupsOutput, error) {
	all, err := h.plane.SecurityGroups(ctx, caller(c, in.DryRun), query(in.GroupIds, in.Filters), in.GroupNames)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(g *trellis.SecurityGroup) string { return g.ID }, in.MaxResults, in.NextToken)
	return &DescribeSecurityGroupsOutput{NextToken: next, SecurityGroups: api.Each(all, h.securityGroup)}, err
}

// groupID is the group that an operation names by id. Names are for EC2-Classic and default VPCs, which
// Trellis does not have.
func groupID(id, name *string) (string, error) {
	if id == nil && name != nil {
		return "", trellis.NewError(400, "InvalidGroup.NotFound", "The security group '%s' does not exist in default VPC", *name)
	}
	if id == nil {
		return "", trellis.NewError(400, "MissingParameter", "The request must contain the parameter groupId")
	}
	return *id, nil
}

// deleteSecurityGroup is DeleteSecurityGroup.
func (h *handler) deleteSecurityGroup(ctx context.Context, c *api.Call, in *DeleteSecurityGroupInput) (*DeleteSecurityGroupOutput, error) {
	id, err := groupID(in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	rev, err := h.plane.DeleteSecurityGroup(ctx, caller(c, in.DryRun), id)
	return api.Done(c, &DeleteSecurityGroupOutput{GroupId: &id, Return: new(true)}, rev, err)
}

// authorize adds rules in one direction and answers them.
func (h *handler) authorize(ctx context.Context, c *api.Call, dryRun *bool, id string, egress bool, p []controlplane.Permission, specs []TagSpecification) ([]SecurityGroupRule, error) {
	t, err := tagSpecs(specs, "security-group-rule")
	if err != nil {
		return nil, err
	}
	rules, rev, err := h.plane.AuthorizeSecurityGroup(ctx, caller(c, dryRun), id, egress, p, t)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return api.Each(rules, func(r trellis.SecurityGroupRule) SecurityGroupRule { return h.groupRule(r, c.Account, id) }), nil
}

// authorizeSecurityGroupIngress is AuthorizeSecurityGroupIngress.
func (h *handler) authorizeSecurityGroupIngress(ctx context.Context, c *api.Call, in *AuthorizeSecurityGroupIngressInput) (*AuthorizeSecurityGroupIngressOutput, error) {
	id, err := groupID(in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	p := permissions(in.IpPermissions, shortForm(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId))
	rules, err := h.authorize(ctx, c, in.DryRun, id, false, p, in.TagSpecifications)
	return &AuthorizeSecurityGroupIngressOutput{Return: new(true), SecurityGroupRules: rules}, err
}

// authorizeSecurityGroupEgress is AuthorizeSecurityGroupEgress.
func (h *handler) authorizeSecurityGroupEgress(ctx context.Context, c *api.Call, in *AuthorizeSecurityGroupEgressInput) (*AuthorizeSecurityGroupEgressOutput, error) {
	p := permissions(in.IpPermissions, shortForm(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId))
	rules, err := h.authorize(ctx, c, in.DryRun, in.GroupId, true, p, in.TagSpecifications)
	return &AuthorizeSecurityGroupEgressOutput{Return: new(true), SecurityGroupRules: rules}, err
}

// revoke removes rules in one direction and answers them.
func (h *handler) revoke(ctx context.Context, c *api.Call, dryRun *bool, id string, egress bool, p []controlplane.Permission, ruleIDs []string) ([]RevokedSecurityGroupRule, error) {
	rules, rev, err := h.plane.RevokeSecurityGroup(ctx, caller(c, dryRun), id, egress, p, ruleIDs)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return api.Each(rules, func(r trellis.SecurityGroupRule) RevokedSecurityGroupRule {
		v4, v6 := cidrs(r)
		return RevokedSecurityGroupRule{CidrIpv4: v4, CidrIpv6: v6, Description: api.Some(r.Description), FromPort: new(int32(r.FromPort)), ToPort: new(int32(r.ToPort)), GroupId: &id,
			IpProtocol: api.Some(r.Protocol), IsEgress: &r.Egress, PrefixListId: api.Some(r.PrefixListID), ReferencedGroupId: api.Some(r.GroupID), SecurityGroupRuleId: &r.ID}
	}), nil
}

// revokeSecurityGroupIngress is RevokeSecurityGroupIngress.
func (h *handler) revokeSecurityGroupIngress(ctx context.Context, c *api.Call, in *RevokeSecurityGroupIngressInput) (*RevokeSecurityGroupIngressOutput, error) {
	id, err := groupID(in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	p := permissions(in.IpPermissions, shortForm(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId))
	rules, err := h.revoke(ctx, c, in.DryRun, id, false, p, in.SecurityGroupRuleIds)
	return &RevokeSecurityGroupIngressOutput{Return: new(true), RevokedSecurityGroupRules: rules}, err
}

// revokeSecurityGroupEgress is RevokeSecurityGroupEgress.
func (h *handler) revokeSecurityGroupEgress(ctx context.Context, c *api.Call, in *RevokeSecurityGroupEgressInput) (*RevokeSecurityGroupEgressOutput, error) {
	p := permissions(in.IpPermissions, shortForm(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId))
	rules, err := h.revoke(ctx, c, in.DryRun, in.GroupId, true, p, in.SecurityGroupRuleIds)
	return &RevokeSecurityGroupEgressOutput{Return: new(true), RevokedSecurityGroupRules: rules}, err
}

// describeSecurityGroupRules is DescribeSecurityGroupRules.
func (h *handler) describeSecurityGroupRules(ctx context.Context, c *api.Call, in *DescribeSecurityGroupRulesInput) (*DescribeSecurityGroupRulesOutput, error) {
	all, err := h.plane.SecurityGroupRules(ctx, caller(c, in.DryRun), query(in.SecurityGroupRuleIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(r controlplane.GroupRule) string { return r.ID }, in.MaxResults, in.NextToken)
	return &DescribeSecurityGroupRulesOutput{NextToken: next, SecurityGroupRules: api.Each(all, func(r controlplane.GroupRule) SecurityGroupRule {
		return h.groupRule(r.SecurityGroupRule, r.Group.Account, r.Group.ID)
	})}, err
}

// modifySecurityGroupRules is ModifySecurityGroupRules.
func (h *handler) modifySecurityGroupRules(ctx context.Context, c *api.Call, in *ModifySecurityGroupRulesInput) (*ModifySecurityGroupRulesOutput, error) {
	var changes []controlplane.GroupRuleChange
	for _, u := range in.SecurityGroupRules {
		r := api.Value(u.SecurityGroupRule)
		x := controlplane.GroupRuleChange{ID: u.SecurityGroupRuleId, Permission: controlplane.Permission{Protocol: api.Value(r.IpProtocol), FromPort: api.Int(r.FromPort), ToPort: api.Int(r.ToPort),
			CIDR: api.Value(r.CidrIpv4), GroupID: api.Value(r.ReferencedGroupId), PrefixListID: api.Value(r.PrefixListId), Description: api.Value(r.Description)}}
		if r.CidrIpv6 != nil {
			x.CIDR = *r.CidrIpv6
		}
		changes = append(changes, x)
	}
	rev, err := h.plane.ModifySecurityGroupRules(ctx, caller(c, in.DryRun), in.GroupId, changes)
	return api.Done(c, &ModifySecurityGroupRulesOutput{Return: new(true)}, rev, err)
}

// describeRules changes descriptions of rules in one direction.
func (h *handler) describeRules(ctx context.Context, c *api.Call, dryRun *bool, id, name *string, egress bool, p []IpPermission, byID []SecurityGroupRuleDescription) error {
	group, err := groupID(id, name)
	if err != nil {
		return err
	}
	descriptions := map[string]string{}
	for _, d := range byID {
		descriptions[api.Value(d.SecurityGroupRuleId)] = api.Value(d.Description)
	}
	rev, err := h.plane.DescribeRules(ctx, caller(c, dryRun), group, egress, permissions(p, IpPermission{}), descriptions)
	if err == nil {
		c.Committed(rev)
	}
	return err
}

// updateRuleDescriptionsIngress is UpdateSecurityGroupRuleDescriptionsIngress.
func (h *handler) updateRuleDescriptionsIngress(ctx context.Context, c *api.Call, in *UpdateSecurityGroupRuleDescriptionsIngressInput) (*UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	return &UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: new(true)}, h.describeRules(ctx, c, in.DryRun, in.GroupId, in.GroupName, false, in.IpPermissions, in.SecurityGroupRuleDescriptions)
}

// updateRuleDescriptionsEgress is UpdateSecurityGroupRuleDescriptionsEgress.
func (h *handler) updateRuleDescriptionsEgress(ctx context.Context, c *api.Call, in *UpdateSecurityGroupRuleDescriptionsEgressInput) (*UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	return &UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: new(true)}, h.describeRules(ctx, c, in.DryRun, in.GroupId, in.GroupName, true, in.IpPermissions, in.SecurityGroupRuleDescriptions)
}
