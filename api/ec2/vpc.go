package ec2

import (
	"context"
	"net/netip"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// vpc is a VPC as the wire has it.
func vpc(v *trellis.VPC) Vpc {
	out := Vpc{
		CidrBlock: api.Some(v.CIDR.String()), DhcpOptionsId: api.Some(controlplane.DHCPOptionsOf(v)), InstanceTenancy: api.Some("default"), IsDefault: &v.IsDefault,
		OwnerId: &v.Account, State: api.Some("available"), Tags: tags(v.Tags), VpcId: &v.ID,
		CidrBlockAssociationSet: []VpcCidrBlockAssociation{*vpcBlock(v, v.CIDR, "associated")},
	}
	for _, b := range v.MoreCIDRs {
		out.CidrBlockAssociationSet = append(out.CidrBlockAssociationSet, *vpcBlock(v, b, "associated"))
	}
	if v.IPv6CIDR.IsValid() {
		out.Ipv6CidrBlockAssociationSet = []VpcIpv6CidrBlockAssociation{*vpcBlock6(v, v.IPv6CIDR, "associated")}
	}
	return out
}

// vpcBlock is the association of an IPv4 block with a VPC.
func vpcBlock(v *trellis.VPC, b netip.Prefix, state string) *VpcCidrBlockAssociation {
	return &VpcCidrBlockAssociation{AssociationId: api.Some(controlplane.CIDRAssociationID(v.ID, b)), CidrBlock: api.Some(b.String()),
		CidrBlockState: &VpcCidrBlockState{State: &state}}
}

// vpcBlock6 is the association of an IPv6 block with a VPC.
func vpcBlock6(v *trellis.VPC, b netip.Prefix, state string) *VpcIpv6CidrBlockAssociation {
	return &VpcIpv6CidrBlockAssociation{AssociationId: api.Some(controlplane.CIDRAssociationID(v.ID, b)), Ipv6CidrBlock: api.Some(b.String()),
		Ipv6CidrBlockState: &VpcCidrBlockState{State: &state}, Ipv6Pool: api.Some("Amazon"), IpSource: api.Some("amazon"), Ipv6AddressAttribute: api.Some("public")}
}

// createVpc is CreateVpc.
func (h *handler) createVpc(ctx context.Context, c *api.Call, in *CreateVpcInput) (*CreateVpcOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "vpc")
	if err != nil {
		return nil, err
	}
	v, rev, err := h.plane.CreateVPC(ctx, caller(c, in.DryRun), controlplane.NewVPC{CIDR: api.Value(in.CidrBlock),
		AmazonProvidedIPv6: api.Value(in.AmazonProvidedIpv6CidrBlock), IPv6CIDR: api.Value(in.Ipv6CidrBlock), Tags: t})
	if err != nil {
		return nil, err
	}
	w := vpc(v)
	w.State = api.Some("pending") // as AWS answers; the next DescribeVpcs says available
	return api.Done(c, &CreateVpcOutput{Vpc: &w}, rev, nil)
}

// describeVpcs is DescribeVpcs.
func (h *handler) describeVpcs(ctx context.Context, c *api.Call, in *DescribeVpcsInput) (*DescribeVpcsOutput, error) {
	all, err := h.plane.VPCs(ctx, caller(c, in.DryRun), query(in.VpcIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(v *trellis.VPC) string { return v.ID }, in.MaxResults, in.NextToken)
	return &DescribeVpcsOutput{NextToken: next, Vpcs: api.Each(all, vpc)}, err
}

// deleteVpc is DeleteVpc.
func (h *handler) deleteVpc(ctx context.Context, c *api.Call, in *DeleteVpcInput) (*DeleteVpcOutput, error) {
	rev, err := h.plane.DeleteVPC(ctx, caller(c, in.DryRun), in.VpcId)
	return api.Done(c, &DeleteVpcOutput{}, rev, err)
}

// describeVpcAttribute is DescribeVpcAttribute.
func (h *handler) describeVpcAttribute(ctx context.Context, c *api.Call, in *DescribeVpcAttributeInput) (*DescribeVpcAttributeOutput, error) {
	v, err := h.plane.VPC(ctx, caller(c, in.DryRun), "DescribeVpcAttribute", in.VpcId)
	if err != nil {
		return nil, err
	}
	out := &DescribeVpcAttributeOutput{VpcId: &v.ID}
	switch in.Attribute {
	case "enableDnsSupport":
		out.EnableDnsSupport = &AttributeBooleanValue{Value: &v.EnableDNSSupport}
	case "enableDnsHostnames":
		out.EnableDnsHostnames = &AttributeBooleanValue{Value: &v.EnableDNSHostnames}
	default:
		out.EnableNetworkAddressUsageMetrics = &AttributeBooleanValue{Value: new(bool)}
	}
	return out, nil
}

// modifyVpcAttribute is ModifyVpcAttribute.
func (h *handler) modifyVpcAttribute(ctx context.Context, c *api.Call, in *ModifyVpcAttributeInput) (*ModifyVpcAttributeOutput, error) {
	var support, hostnames *bool
	if in.EnableDnsSupport != nil {
		support = in.EnableDnsSupport.Value
	}
	if in.EnableDnsHostnames != nil {
		hostnames = in.EnableDnsHostnames.Value
	}
	rev, err := h.plane.ModifyVPC(ctx, caller(c, nil), in.VpcId, support, hostnames)
	return api.Done(c, &ModifyVpcAttributeOutput{}, rev, err)
}

// associateVpcCidrBlock is AssociateVpcCidrBlock.
func (h *handler) associateVpcCidrBlock(ctx context.Context, c *api.Call, in *AssociateVpcCidrBlockInput) (*AssociateVpcCidrBlockOutput, error) {
	v, b, rev, err := h.plane.AssociateVPCCIDR(ctx, caller(c, nil), in.VpcId, controlplane.NewVPC{CIDR: api.Value(in.CidrBlock),
		AmazonProvidedIPv6: api.Value(in.AmazonProvidedIpv6CidrBlock), IPv6CIDR: api.Value(in.Ipv6CidrBlock)})
	if err != nil {
		return nil, err
	}
	out := &AssociateVpcCidrBlockOutput{VpcId: &v.ID}
	if b.Addr().Is4() {
		out.CidrBlockAssociation = vpcBlock(v, b, "associating")
	} else {
		out.Ipv6CidrBlockAssociation = vpcBlock6(v, b, "associating")
	}
	return api.Done(c, out, rev, nil)
}

// disassociateVpcCidrBlock is DisassociateVpcCidrBlock.
func (h *handler) disassociateVpcCidrBlock(ctx context.Context, c *api.Call, in *DisassociateVpcCidrBlockInput) (*DisassociateVpcCidrBlockOutput, error) {
	v, b, rev, err := h.plane.DisassociateVPCCIDR(ctx, caller(c, nil), in.AssociationId)
	if err != nil {
		return nil, err
	}
	out := &DisassociateVpcCidrBlockOutput{VpcId: &v.ID}
	if b.Addr().Is4() {
		out.CidrBlockAssociation = vpcBlock(v, b, "disassociating")
	} else {
		out.Ipv6CidrBlockAssociation = vpcBlock6(v, b, "disassociating")
	}
	return api.Done(c, out, rev, nil)
}
