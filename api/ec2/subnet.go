package ec2

import (
	"context"
	"net/netip"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// subnet is a subnet as the wire has it.
func (h *handler) subnet(s controlplane.DescribedSubnet) Subnet {
	out := Subnet{
		AssignIpv6AddressOnCreation: new(bool), AvailabilityZone: &s.AvailabilityZone, AvailableIpAddressCount: new(int32(s.AvailableAddresses)),
		CidrBlock: api.Some(s.CIDR.String()), DefaultForAz: new(bool), EnableDns64: new(bool), Ipv6Native: new(bool), MapCustomerOwnedIpOnLaunch: new(bool),
		MapPublicIpOnLaunch: &s.MapPublicIP, OwnerId: &s.Account, State: api.Some("available"), SubnetArn: api.Some(s.ARN(h.region)), SubnetId: &s.ID,
		Tags: tags(s.Tags), VpcId: &s.VPCID,
		PrivateDnsNameOptionsOnLaunch: &PrivateDnsNameOptionsOnLaunch{HostnameType: api.Some("ip-name"), EnableResourceNameDnsARecord: new(bool), EnableResourceNameDnsAAAARecord: new(bool)},
	}
	for _, z := range trellis.Zones(h.region) {
		if z.Name == s.AvailabilityZone {
			out.AvailabilityZoneId = &z.ID
		}
	}
	if s.IPv6CIDR.IsValid() {
		out.Ipv6CidrBlockAssociationSet = []SubnetIpv6CidrBlockAssociation{*subnetBlock6(s.ID, s.IPv6CIDR, "associated")}
	}
	return out
}

// subnetBlock6 is the association of an IPv6 block with a subnet.
func subnetBlock6(id string, b netip.Prefix, state string) *SubnetIpv6CidrBlockAssociation {
	return &SubnetIpv6CidrBlockAssociation{AssociationId: api.Some(controlplane.CIDRAssociationID(id, b)), Ipv6CidrBlock: api.Some(b.String()),
		Ipv6CidrBlockState: &SubnetCidrBlockState{State: &state}}
}

// createSubnet is CreateSubnet.
func (h *handler) createSubnet(ctx context.Context, c *api.Call, in *CreateSubnetInput) (*CreateSubnetOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "subnet")
	if err != nil {
		return nil, err
	}
	s, rev, err := h.plane.CreateSubnet(ctx, caller(c, in.DryRun), controlplane.NewSubnet{VPCID: in.VpcId, CIDR: api.Value(in.CidrBlock), IPv6CIDR: api.Value(in.Ipv6CidrBlock),
		AvailabilityZone: api.Value(in.AvailabilityZone), AvailabilityZoneID: api.Value(in.AvailabilityZoneId), Tags: t})
	if err != nil {
		return nil, err
	}
	w := h.subnet(controlplane.DescribedSubnet{Subnet: s, AvailableAddresses: controlplane.UsableAddresses(s.CIDR)})
	return api.Done(c, &CreateSubnetOutput{Subnet: &w}, rev, nil)
}

// describeSubnets is DescribeSubnets.
func (h *handler) describeSubnets(ctx context.Context, c *api.Call, in *DescribeSubnetsInput) (*DescribeSubnetsOutput, error) {
	all, err := h.plane.Subnets(ctx, caller(c, in.DryRun), query(in.SubnetIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(s controlplane.DescribedSubnet) string { return s.ID }, in.MaxResults, in.NextToken)
	return &DescribeSubnetsOutput{NextToken: next, Subnets: api.Each(all, h.subnet)}, err
}

// deleteSubnet is DeleteSubnet.
func (h *handler) deleteSubnet(ctx context.Context, c *api.Call, in *DeleteSubnetInput) (*DeleteSubnetOutput, error) {
	rev, err := h.plane.DeleteSubnet(ctx, caller(c, in.DryRun), in.SubnetId)
	return api.Done(c, &DeleteSubnetOutput{}, rev, err)
}

// modifySubnetAttribute is ModifySubnetAttribute. The attributes that have no meaning here are taken and dropped.
func (h *handler) modifySubnetAttribute(ctx context.Context, c *api.Call, in *ModifySubnetAttributeInput) (*ModifySubnetAttributeOutput, error) {
	var public *bool
	if in.MapPublicIpOnLaunch != nil {
		public = in.MapPublicIpOnLaunch.Value
	}
	rev, err := h.plane.ModifySubnet(ctx, caller(c, nil), in.SubnetId, public)
	return api.Done(c, &ModifySubnetAttributeOutput{}, rev, err)
}

// associateSubnetCidrBlock is AssociateSubnetCidrBlock.
func (h *handler) associateSubnetCidrBlock(ctx context.Context, c *api.Call, in *AssociateSubnetCidrBlockInput) (*AssociateSubnetCidrBlockOutput, error) {
	s, rev, err := h.plane.AssociateSubnetCIDR(ctx, caller(c, nil), in.SubnetId, api.Value(in.Ipv6CidrBlock))
	if err != nil {
		return nil, err
	}
	return api.Done(c, &AssociateSubnetCidrBlockOutput{Ipv6CidrBlockAssociation: subnetBlock6(s.ID, s.IPv6CIDR, "associating"), SubnetId: &s.ID}, rev, nil)
}

// disassociateSubnetCidrBlock is DisassociateSubnetCidrBlock.
func (h *handler) disassociateSubnetCidrBlock(ctx context.Context, c *api.Call, in *DisassociateSubnetCidrBlockInput) (*DisassociateSubnetCidrBlockOutput, error) {
	s, had, rev, err := h.plane.DisassociateSubnetCIDR(ctx, caller(c, nil), in.AssociationId)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DisassociateSubnetCidrBlockOutput{Ipv6CidrBlockAssociation: subnetBlock6(s.ID, had, "disassociating"), SubnetId: &s.ID}, rev, nil)
}
