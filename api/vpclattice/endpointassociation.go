package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// listEndpointAssociations serves ListServiceNetworkVpcEndpointAssociations.
func (h *handler) listEndpointAssociations(ctx context.Context, c *api.Call, in *ListServiceNetworkVpcEndpointAssociationsInput) (*ListServiceNetworkVpcEndpointAssociationsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListEndpointAssociations(ctx, c.Caller, in.ServiceNetworkIdentifier, pg)
	if err != nil {
		return nil, err
	}
	out := &ListServiceNetworkVpcEndpointAssociationsOutput{NextToken: c.NextToken(next)}
	for _, e := range list {
		network := trellis.ServiceNetwork{Meta: trellis.Meta{Account: e.ServiceNetwork.Account, ID: e.ServiceNetwork.ID}}
		out.Items = append(out.Items, ServiceNetworkEndpointAssociation{Id: &e.AssociationID, VpcEndpointId: &e.ID, VpcEndpointOwnerId: &e.Account, VpcId: &e.VPCID,
			State: &e.State, ServiceNetworkArn: new(network.ARN(h.region)), CreatedAt: at(e.CreatedAt)})
	}
	return out, nil
}

// listResourceEndpointAssociations serves ListResourceEndpointAssociations.
func (h *handler) listResourceEndpointAssociations(ctx context.Context, c *api.Call, in *ListResourceEndpointAssociationsInput) (*ListResourceEndpointAssociationsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, m, next, err := h.plane.ListResourceEndpointAssociations(ctx, c.Caller, in.ResourceConfigurationIdentifier, controlplane.EndpointAssociationFilter{
		Association: api.Or(in.ResourceEndpointAssociationIdentifier, ""), EndpointID: api.Or(in.VpcEndpointId, ""), Owner: api.Or(in.VpcEndpointOwner, "")}, pg)
	if err != nil {
		return nil, err
	}
	out := &ListResourceEndpointAssociationsOutput{NextToken: c.NextToken(next)}
	for _, a := range list {
		out.Items = append(out.Items, ResourceEndpointAssociationSummary{Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, CreatedAt: at(a.CreatedAt), CreatedBy: &a.Account,
			ResourceConfigurationArn: new(m.ARN(h.region)), ResourceConfigurationId: &m.ID, ResourceConfigurationName: &m.Name,
			VpcEndpointId: &a.EndpointID, VpcEndpointOwner: &a.Account})
	}
	return out, nil
}

// deleteResourceEndpointAssociation serves DeleteResourceEndpointAssociation.
func (h *handler) deleteResourceEndpointAssociation(ctx context.Context, c *api.Call, in *DeleteResourceEndpointAssociationInput) (*DeleteResourceEndpointAssociationOutput, error) {
	a, rev, err := h.plane.DeleteResourceEndpointAssociation(ctx, c.Caller, in.ResourceEndpointAssociationIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	m := trellis.ResourceConfiguration{Meta: trellis.Meta{Account: a.Configuration.Account, ID: a.Configuration.ID}}
	return &DeleteResourceEndpointAssociationOutput{Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, ResourceConfigurationArn: new(m.ARN(h.region)),
		ResourceConfigurationId: &m.ID, VpcEndpointId: &a.EndpointID}, nil
}
