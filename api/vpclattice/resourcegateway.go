package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// createResourceGateway serves CreateResourceGateway.
func (h *handler) createResourceGateway(ctx context.Context, c *api.Call, in *CreateResourceGatewayInput) (*CreateResourceGatewayOutput, error) {
	g, rev, err := h.plane.CreateResourceGateway(ctx, c.Caller, api.Or(in.ClientToken, ""), controlplane.NewResourceGateway{
		Name: in.Name, VPCID: api.Or(in.VpcIdentifier, ""), SubnetIDs: in.SubnetIds, SecurityGroupIDs: in.SecurityGroupIds,
		IPAddressType: trellis.IPAddressType(api.Or(in.IpAddressType, "")), IPv4AddressesPerENI: int(api.Or(in.Ipv4AddressesPerEni, 0)),
		DNSResolution: trellis.DNSResolution(api.Or(in.ResourceConfigDnsResolution, "")), Tags: in.Tags,
	})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateResourceGatewayOutput{
		Arn: new(g.ARN(h.region)), Id: &g.ID, Name: &g.Name, Status: text(g.Status), VpcIdentifier: &g.VPCID, SubnetIds: trellis.Subnets(g.Interfaces),
		SecurityGroupIds: g.SecurityGroupIDs, IpAddressType: text(g.IPAddressType), Ipv4AddressesPerEni: number(g.IPv4AddressesPerENI),
		ResourceConfigDnsResolution: text(g.DNSResolution),
	}, nil
}

// getResourceGateway serves GetResourceGateway.
func (h *handler) getResourceGateway(ctx context.Context, c *api.Call, in *GetResourceGatewayInput) (*GetResourceGatewayOutput, error) {
	g, err := h.plane.GetResourceGateway(ctx, c.Caller, in.ResourceGatewayIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetResourceGatewayOutput{
		Arn: new(g.ARN(h.region)), Id: &g.ID, Name: &g.Name, Status: text(g.Status), VpcId: &g.VPCID, SubnetIds: trellis.Subnets(g.Interfaces),
		SecurityGroupIds: g.SecurityGroupIDs, IpAddressType: text(g.IPAddressType), Ipv4AddressesPerEni: number(g.IPv4AddressesPerENI),
		ResourceConfigDnsResolution: text(g.DNSResolution), ServiceManaged: new(bool), CreatedAt: at(g.CreatedAt), LastUpdatedAt: at(g.UpdatedAt),
	}, nil
}

// updateResourceGateway serves UpdateResourceGateway.
func (h *handler) updateResourceGateway(ctx context.Context, c *api.Call, in *UpdateResourceGatewayInput) (*UpdateResourceGatewayOutput, error) {
	g, rev, err := h.plane.UpdateResourceGateway(ctx, c.Caller, in.ResourceGatewayIdentifier, controlplane.ResourceGatewayChange{
		SecurityGroupIDs: in.SecurityGroupIds, DNSResolution: trellis.DNSResolution(api.Or(in.ResourceConfigDnsResolution, ""))})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateResourceGatewayOutput{
		Arn: new(g.ARN(h.region)), Id: &g.ID, Name: &g.Name, Status: text(g.Status), VpcId: &g.VPCID, SubnetIds: trellis.Subnets(g.Interfaces),
		SecurityGroupIds: g.SecurityGroupIDs, IpAddressType: text(g.IPAddressType), ResourceConfigDnsResolution: text(g.DNSResolution),
	}, nil
}

// deleteResourceGateway serves DeleteResourceGateway.
func (h *handler) deleteResourceGateway(ctx context.Context, c *api.Call, in *DeleteResourceGatewayInput) (*DeleteResourceGatewayOutput, error) {
	g, rev, err := h.plane.DeleteResourceGateway(ctx, c.Caller, in.ResourceGatewayIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteResourceGatewayOutput{Arn: new(g.ARN(h.region)), Id: &g.ID, Name: &g.Name, Status: text(g.Status)}, nil
}

// listResourceGateways serves ListResourceGateways.
func (h *handler) listResourceGateways(ctx context.Context, c *api.Call, in *ListResourceGatewaysInput) (*ListResourceGatewaysOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListResourceGateways(ctx, c.Caller, pg)
	if err != nil {
		return nil, err
	}
	out := &ListResourceGatewaysOutput{NextToken: c.NextToken(next)}
	for _, g := range list {
		out.Items = append(out.Items, ResourceGatewaySummary{
			Arn: new(g.ARN(h.region)), Id: &g.ID, Name: &g.Name, Status: text(g.Status), VpcIdentifier: &g.VPCID, SubnetIds: trellis.Subnets(g.Interfaces),
			SecurityGroupIds: g.SecurityGroupIDs, IpAddressType: text(g.IPAddressType), Ipv4AddressesPerEni: number(g.IPv4AddressesPerENI),
			ResourceConfigDnsResolution: text(g.DNSResolution), CreatedAt: at(g.CreatedAt), LastUpdatedAt: at(g.UpdatedAt),
		})
	}
	return out, nil
}
