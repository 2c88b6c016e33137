package ec2

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// routeTable is a route table as the wire has it.
func routeTable(d controlplane.DescribedRouteTable) RouteTable {
	out := RouteTable{OwnerId: &d.Account, RouteTableId: &d.ID, VpcId: &d.VPCID, Tags: tags(d.Tags), Associations: []RouteTableAssociation{}, PropagatingVgws: []PropagatingVgw{}}
	add := func(id string, a trellis.RouteTableAssociation) {
		out.Associations = append(out.Associations, RouteTableAssociation{AssociationState: associated(), GatewayId: api.Some(a.GatewayID), Main: new(id == d.MainAssociation),
			RouteTableAssociationId: &id, RouteTableId: &d.ID, SubnetId: api.Some(a.SubnetID)})
	}
	if d.MainAssociation != "" {
		add(d.MainAssociation, trellis.RouteTableAssociation{})
	}
	for _, a := range d.Associations {
		add(a.ID, a)
	}
	out.Routes = api.Each(d.AllRoutes, func(r controlplane.DescribedRoute) Route {
		w := Route{DestinationPrefixListId: api.Some(r.PrefixListID), InstanceId: api.Some(r.Instance), NetworkInterfaceId: api.Some(r.Network), Origin: &r.Origin, State: &r.State}
		if r.Instance != "" {
			w.InstanceOwnerId = &d.Account
		}
		if r.Instance+r.Network == "" {
			w.GatewayId = &r.Target
		}
		switch {
		case !r.Destination.IsValid():
		case r.Destination.Addr().Is4():
			w.DestinationCidrBlock = api.Some(r.Destination.String())
		default:
			w.DestinationIpv6CidrBlock = api.Some(r.Destination.String())
		}
		return w
	})
	return out
}

// associated is the state of every association: it takes no time.
func associated() *RouteTableAssociationState {
	return &RouteTableAssociationState{State: api.Some("associated")}
}

// createRouteTable is CreateRouteTable.
func (h *handler) createRouteTable(ctx context.Context, c *api.Call, in *CreateRouteTableInput) (*CreateRouteTableOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "route-table")
	if err != nil {
		return nil, err
	}
	d, rev, err := h.plane.CreateRouteTable(ctx, caller(c, in.DryRun), in.VpcId, api.Value(in.ClientToken), t)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateRouteTableOutput{ClientToken: in.ClientToken, RouteTable: new(routeTable(d))}, rev, nil)
}

// describeRouteTables is DescribeRouteTables.
func (h *handler) describeRouteTables(ctx context.Context, c *api.Call, in *DescribeRouteTablesInput) (*DescribeRouteTablesOutput, error) {
	all, err := h.plane.RouteTables(ctx, caller(c, in.DryRun), query(in.RouteTableIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(d controlplane.DescribedRouteTable) string { return d.ID }, in.MaxResults, in.NextToken)
	return &DescribeRouteTablesOutput{NextToken: next, RouteTables: api.Each(all, routeTable)}, err
}

// deleteRouteTable is DeleteRouteTable.
func (h *handler) deleteRouteTable(ctx context.Context, c *api.Call, in *DeleteRouteTableInput) (*DeleteRouteTableOutput, error) {
	rev, err := h.plane.DeleteRouteTable(ctx, caller(c, in.DryRun), in.RouteTableId)
	return api.Done(c, &DeleteRouteTableOutput{}, rev, err)
}

// associateRouteTable is AssociateRouteTable.
func (h *handler) associateRouteTable(ctx context.Context, c *api.Call, in *AssociateRouteTableInput) (*AssociateRouteTableOutput, error) {
	id, rev, err := h.plane.AssociateRouteTable(ctx, caller(c, in.DryRun), in.RouteTableId, api.Value(in.SubnetId), api.Value(in.GatewayId))
	return api.Done(c, &AssociateRouteTableOutput{AssociationId: &id, AssociationState: associated()}, rev, err)
}

// disassociateRouteTable is DisassociateRouteTable.
func (h *handler) disassociateRouteTable(ctx context.Context, c *api.Call, in *DisassociateRouteTableInput) (*DisassociateRouteTableOutput, error) {
	rev, err := h.plane.DisassociateRouteTable(ctx, caller(c, in.DryRun), in.AssociationId)
	return api.Done(c, &DisassociateRouteTableOutput{}, rev, err)
}

// replaceRouteTableAssociation is ReplaceRouteTableAssociation.
func (h *handler) replaceRouteTableAssociation(ctx context.Context, c *api.Call, in *ReplaceRouteTableAssociationInput) (*ReplaceRouteTableAssociationOutput, error) {
	id, rev, err := h.plane.ReplaceRouteTableAssociation(ctx, caller(c, in.DryRun), in.AssociationId, in.RouteTableId)
	return api.Done(c, &ReplaceRouteTableAssociationOutput{AssociationState: associated(), NewAssociationId: &id}, rev, err)
}

// targets are the targets that a request names.
func targets(ids ...*string) []string {
	var out []string
	for _, id := range ids {
		if id != nil {
			out = append(out, *id)
		}
	}
	return slices.Compact(out)
}

// createRoute is CreateRoute.
func (h *handler) createRoute(ctx context.Context, c *api.Call, in *CreateRouteInput) (*CreateRouteOutput, error) {
	rev, err := h.plane.CreateRoute(ctx, caller(c, in.DryRun), controlplane.RouteRequest{Table: in.RouteTableId, CIDR: api.Value(in.DestinationCidrBlock), IPv6CIDR: api.Value(in.DestinationIpv6CidrBlock),
		PrefixListID: api.Value(in.DestinationPrefixListId), Targets: targets(in.CarrierGatewayId, in.CoreNetworkArn, in.EgressOnlyInternetGatewayId, in.GatewayId, in.InstanceId, in.LocalGatewayId,
			in.NatGatewayId, in.NetworkInterfaceId, in.OdbNetworkArn, in.TransitGatewayId, in.VpcEndpointId, in.VpcPeeringConnectionId)})
	return api.Done(c, &CreateRouteOutput{Return: new(true)}, rev, err)
}

// replaceRoute is ReplaceRoute.
func (h *handler) replaceRoute(ctx context.Context, c *api.Call, in *ReplaceRouteInput) (*ReplaceRouteOutput, error) {
	if api.Value(in.LocalTarget) {
		return nil, trellis.NewError(400, "InvalidParameterValue", "The local routes have their target, and no other route can have it.")
	}
	rev, err := h.plane.ReplaceRoute(ctx, caller(c, in.DryRun), controlplane.RouteRequest{Table: in.RouteTableId, CIDR: api.Value(in.DestinationCidrBlock), IPv6CIDR: api.Value(in.DestinationIpv6CidrBlock),
		PrefixListID: api.Value(in.DestinationPrefixListId), Targets: targets(in.CarrierGatewayId, in.CoreNetworkArn, in.EgressOnlyInternetGatewayId, in.GatewayId, in.InstanceId, in.LocalGatewayId,
			in.NatGatewayId, in.NetworkInterfaceId, in.OdbNetworkArn, in.TransitGatewayId, in.VpcEndpointId, in.VpcPeeringConnectionId)})
	return api.Done(c, &ReplaceRouteOutput{}, rev, err)
}

// deleteRoute is DeleteRoute.
func (h *handler) deleteRoute(ctx context.Context, c *api.Call, in *DeleteRouteInput) (*DeleteRouteOutput, error) {
	rev, err := h.plane.DeleteRoute(ctx, caller(c, in.DryRun), controlplane.RouteRequest{Table: in.RouteTableId, CIDR: api.Value(in.DestinationCidrBlock), IPv6CIDR: api.Value(in.DestinationIpv6CidrBlock),
		PrefixListID: api.Value(in.DestinationPrefixListId)})
	return api.Done(c, &DeleteRouteOutput{}, rev, err)
}
