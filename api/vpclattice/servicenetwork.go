package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// createServiceNetwork serves CreateServiceNetwork.
func (h *handler) createServiceNetwork(ctx context.Context, c *api.Call, in *CreateServiceNetworkInput) (*CreateServiceNetworkOutput, error) {
	n, rev, err := h.plane.CreateServiceNetwork(ctx, c.Caller, api.Or(in.ClientToken, ""), trellis.ServiceNetwork{
		Meta:           trellis.Meta{Tags: in.Tags},
		Name:           in.Name,
		AuthType:       trellis.AuthType(api.Or(in.AuthType, "")),
		SharingEnabled: in.SharingConfig == nil || api.Or(in.SharingConfig.Enabled, true),
	})
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateServiceNetworkOutput{Arn: new(n.ARN(h.region)), Id: &n.ID, Name: &n.Name, AuthType: text(n.AuthType),
		SharingConfig: &SharingConfig{Enabled: &n.SharingEnabled}}, nil
}

// getServiceNetwork serves GetServiceNetwork.
func (h *handler) getServiceNetwork(ctx context.Context, c *api.Call, in *GetServiceNetworkInput) (*GetServiceNetworkOutput, error) {
	n, err := h.plane.GetServiceNetwork(ctx, c.Caller, in.ServiceNetworkIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetServiceNetworkOutput{
		Arn: new(n.ARN(h.region)), Id: &n.ID, Name: &n.Name, AuthType: text(n.AuthType), SharingConfig: &SharingConfig{Enabled: &n.SharingEnabled},
		NumberOfAssociatedServices: new(int64(n.Services)), NumberOfAssociatedVPCs: new(int64(n.VPCs)),
		CreatedAt: at(n.CreatedAt), LastUpdatedAt: at(n.UpdatedAt),
	}, nil
}

// updateServiceNetwork serves UpdateServiceNetwork.
func (h *handler) updateServiceNetwork(ctx context.Context, c *api.Call, in *UpdateServiceNetworkInput) (*UpdateServiceNetworkOutput, error) {
	n, rev, err := h.plane.UpdateServiceNetwork(ctx, c.Caller, in.ServiceNetworkIdentifier, trellis.AuthType(in.AuthType))
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateServiceNetworkOutput{Arn: new(n.ARN(h.region)), Id: &n.ID, Name: &n.Name, AuthType: text(n.AuthType)}, nil
}

// deleteServiceNetwork serves DeleteServiceNetwork.
func (h *handler) deleteServiceNetwork(ctx context.Context, c *api.Call, in *DeleteServiceNetworkInput) (*DeleteServiceNetworkOutput, error) {
	rev, err := h.plane.DeleteServiceNetwork(ctx, c.Caller, in.ServiceNetworkIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteServiceNetworkOutput{}, nil
}

// listServiceNetworks serves ListServiceNetworks.
func (h *handler) listServiceNetworks(ctx context.Context, c *api.Call, in *ListServiceNetworksInput) (*ListServiceNetworksOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListServiceNetworks(ctx, c.Caller, pg)
	if err != nil {
		return nil, err
	}
	out := &ListServiceNetworksOutput{NextToken: c.NextToken(next)}
	for _, n := range list {
		out.Items = append(out.Items, ServiceNetworkSummary{
			Arn: new(n.ARN(h.region)), Id: &n.ID, Name: &n.Name, NumberOfAssociatedServices: new(int64(n.Services)),
			NumberOfAssociatedVPCs: new(int64(n.VPCs)), NumberOfAssociatedResourceConfigurations: new(int64(n.Resources)),
			CreatedAt: at(n.CreatedAt), LastUpdatedAt: at(n.UpdatedAt),
		})
	}
	return out, nil
}
