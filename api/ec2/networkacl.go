package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// networkACL is a network ACL as the wire has it.
func networkACL(d controlplane.DescribedNetworkACL) NetworkAcl {
	return NetworkAcl{IsDefault: &d.Default, NetworkAclId: &d.ID, OwnerId: &d.Account, VpcId: &d.VPCID, Tags: tags(d.Tags), Entries: api.Each(d.AllEntries, networkACLEntry),
		Associations: api.Each(d.AllAssociations, func(a trellis.NetworkACLAssociation) NetworkAclAssociation {
			return NetworkAclAssociation{NetworkAclAssociationId: &a.ID, NetworkAclId: &d.ID, SubnetId: &a.SubnetID}
		})}
}

// networkACLEntry is an entry of a network ACL as the wire has it.
func networkACLEntry(e trellis.NetworkACLEntry) NetworkAclEntry {
	out := NetworkAclEntry{Egress: &e.Egress, Protocol: &e.Protocol, RuleAction: api.Some(controlplane.EntryAction(e)), RuleNumber: new(int32(e.Number))}
	if e.CIDR.Addr().Is4() {
		out.CidrBlock = api.Some(e.CIDR.String())
	} else {
		out.Ipv6CidrBlock = api.Some(e.CIDR.String())
	}
	from, to := int32(e.FromPort), int32(e.ToPort)
	switch {
	case controlplane.HasPorts(e):
		out.PortRange = &PortRange{From: &from, To: &to}
	case controlplane.HasICMP(e):
		out.IcmpTypeCode = &IcmpTypeCode{Type: &from, Code: &to}
	}
	return out
}

// newEntry is the entry that a request describes.
func newEntry(number int32, egress bool, protocol, action string, cidr, v6 *string, ports *PortRange, icmp *IcmpTypeCode) controlplane.NewNetworkACLEntry {
	e := controlplane.NewNetworkACLEntry{Number: int(number), Egress: egress, Deny: action == "deny", Protocol: protocol, CIDR: api.Value(cidr), IPv6CIDR: api.Value(v6)}
	if ports != nil {
		e.From, e.To = ports.From, ports.To
	}
	if icmp != nil {
		e.Type, e.Code = icmp.Type, icmp.Code
	}
	return e
}

// createNetworkAcl is CreateNetworkAcl.
func (h *handler) createNetworkAcl(ctx context.Context, c *api.Call, in *CreateNetworkAclInput) (*CreateNetworkAclOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "network-acl")
	if err != nil {
		return nil, err
	}
	d, rev, err := h.plane.CreateNetworkACL(ctx, caller(c, in.DryRun), in.VpcId, api.Value(in.ClientToken), t)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateNetworkAclOutput{ClientToken: in.ClientToken, NetworkAcl: new(networkACL(d))}, rev, nil)
}

// describeNetworkAcls is DescribeNetworkAcls.
func (h *handler) describeNetworkAcls(ctx context.Context, c *api.Call, in *DescribeNetworkAclsInput) (*DescribeNetworkAclsOutput, error) {
	all, err := h.plane.NetworkACLs(ctx, caller(c, in.DryRun), query(in.NetworkAclIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(d controlplane.DescribedNetworkACL) string { return d.ID }, in.MaxResults, in.NextToken)
	return &DescribeNetworkAclsOutput{NextToken: next, NetworkAcls: api.Each(all, networkACL)}, err
}

// deleteNetworkAcl is DeleteNetworkAcl.
func (h *handler) deleteNetworkAcl(ctx context.Context, c *api.Call, in *DeleteNetworkAclInput) (*DeleteNetworkAclOutput, error) {
	rev, err := h.plane.DeleteNetworkACL(ctx, caller(c, in.DryRun), in.NetworkAclId)
	return api.Done(c, &DeleteNetworkAclOutput{}, rev, err)
}

// createNetworkAclEntry is CreateNetworkAclEntry.
func (h *handler) createNetworkAclEntry(ctx context.Context, c *api.Call, in *CreateNetworkAclEntryInput) (*CreateNetworkAclEntryOutput, error) {
	rev, err := h.plane.CreateNetworkACLEntry(ctx, caller(c, in.DryRun), in.NetworkAclId,
		newEntry(in.RuleNumber, in.Egress, in.Protocol, in.RuleAction, in.CidrBlock, in.Ipv6CidrBlock, in.PortRange, in.IcmpTypeCode))
	return api.Done(c, &CreateNetworkAclEntryOutput{}, rev, err)
}

// replaceNetworkAclEntry is ReplaceNetworkAclEntry.
func (h *handler) replaceNetworkAclEntry(ctx context.Context, c *api.Call, in *ReplaceNetworkAclEntryInput) (*ReplaceNetworkAclEntryOutput, error) {
	rev, err := h.plane.ReplaceNetworkACLEntry(ctx, caller(c, in.DryRun), in.NetworkAclId,
		newEntry(in.RuleNumber, in.Egress, in.Protocol, in.RuleAction, in.CidrBlock, in.Ipv6CidrBlock, in.PortRange, in.IcmpTypeCode))
	return api.Done(c, &ReplaceNetworkAclEntryOutput{}, rev, err)
}

// deleteNetworkAclEntry is DeleteNetworkAclEntry.
func (h *handler) deleteNetworkAclEntry(ctx context.Context, c *api.Call, in *DeleteNetworkAclEntryInput) (*DeleteNetworkAclEntryOutput, error) {
	rev, err := h.plane.DeleteNetworkACLEntry(ctx, caller(c, in.DryRun), in.NetworkAclId, in.Egress, int(in.RuleNumber))
	return api.Done(c, &DeleteNetworkAclEntryOutput{}, rev, err)
}

// replaceNetworkAclAssociation is ReplaceNetworkAclAssociation.
func (h *handler) replaceNetworkAclAssociation(ctx context.Context, c *api.Call, in *ReplaceNetworkAclAssociationInput) (*ReplaceNetworkAclAssociationOutput, error) {
	id, rev, err := h.plane.ReplaceNetworkACLAssociation(ctx, caller(c, in.DryRun), in.AssociationId, in.NetworkAclId)
	return api.Done(c, &ReplaceNetworkAclAssociationOutput{NewAssociationId: &id}, rev, err)
}
