package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// The operations of this file describe kinds of resources that no account has here. Clients ask for them in
// passing, and an empty answer is the true one. Filters are not looked at: they could only make it emptier.

// none answers an empty list, or that the first id does not exist.
func (h *handler) none(c *api.Call, dryRun *bool, action string, ids []string, code string) error {
	if err := h.plane.AllowEC2(caller(c, dryRun), action); err != nil {
		return err
	}
	if len(ids) > 0 {
		return trellis.NewError(400, code, "The resource '%s' does not exist.", ids[0])
	}
	return nil
}

// describeNatGateways is DescribeNatGateways.
func (h *handler) describeNatGateways(_ context.Context, c *api.Call, in *DescribeNatGatewaysInput) (*DescribeNatGatewaysOutput, error) {
	return &DescribeNatGatewaysOutput{}, h.none(c, in.DryRun, "DescribeNatGateways", in.NatGatewayIds, "NatGatewayNotFound")
}

// describeAddresses is DescribeAddresses: nothing has a public address.
func (h *handler) describeAddresses(_ context.Context, c *api.Call, in *DescribeAddressesInput) (*DescribeAddressesOutput, error) {
	if err := h.none(c, in.DryRun, "DescribeAddresses", in.AllocationIds, "InvalidAllocationID.NotFound"); err != nil {
		return nil, err
	}
	return &DescribeAddressesOutput{}, h.none(c, in.DryRun, "DescribeAddresses", in.PublicIps, "InvalidAddress.NotFound")
}

// describeEgressOnlyInternetGateways is DescribeEgressOnlyInternetGateways. Ids that don't exist are no error on AWS either.
func (h *handler) describeEgressOnlyInternetGateways(_ context.Context, c *api.Call, in *DescribeEgressOnlyInternetGatewaysInput) (*DescribeEgressOnlyInternetGatewaysOutput, error) {
	return &DescribeEgressOnlyInternetGatewaysOutput{}, h.none(c, in.DryRun, "DescribeEgressOnlyInternetGateways", nil, "")
}

// describeVpnGateways is DescribeVpnGateways.
func (h *handler) describeVpnGateways(_ context.Context, c *api.Call, in *DescribeVpnGatewaysInput) (*DescribeVpnGatewaysOutput, error) {
	return &DescribeVpnGatewaysOutput{}, h.none(c, in.DryRun, "DescribeVpnGateways", in.VpnGatewayIds, "InvalidVpnGatewayID.NotFound")
}

// describeTransitGateways is DescribeTransitGateways.
func (h *handler) describeTransitGateways(_ context.Context, c *api.Call, in *DescribeTransitGatewaysInput) (*DescribeTransitGatewaysOutput, error) {
	return &DescribeTransitGatewaysOutput{}, h.none(c, in.DryRun, "DescribeTransitGateways", in.TransitGatewayIds, "InvalidTransitGatewayID.NotFound")
}

// describeVpcPeeringConnections is DescribeVpcPeeringConnections.
func (h *handler) describeVpcPeeringConnections(_ context.Context, c *api.Call, in *DescribeVpcPeeringConnectionsInput) (*DescribeVpcPeeringConnectionsOutput, error) {
	return &DescribeVpcPeeringConnectionsOutput{}, h.none(c, in.DryRun, "DescribeVpcPeeringConnections", in.VpcPeeringConnectionIds, "InvalidVpcPeeringConnectionID.NotFound")
}

// describeSecurityGroupReferences is DescribeSecurityGroupReferences: without peering connections, no VPC refers to a group of another.
func (h *handler) describeSecurityGroupReferences(ctx context.Context, c *api.Call, in *DescribeSecurityGroupReferencesInput) (*DescribeSecurityGroupReferencesOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeSecurityGroupReferences"); err != nil {
		return nil, err
	}
	return &DescribeSecurityGroupReferencesOutput{}, h.plane.SecurityGroupsExist(ctx, caller(c, nil), in.GroupId)
}
