package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis/api"
)

// createServiceAssociation serves CreateServiceNetworkServiceAssociation.
func (h *handler) createServiceAssociation(ctx context.Context, c *api.Call, in *CreateServiceNetworkServiceAssociationInput) (*CreateServiceNetworkServiceAssociationOutput, error) {
	a, rev, err := h.plane.CreateServiceAssociation(ctx, c.Caller, api.Or(in.ClientToken, ""), in.ServiceIdentifier, in.ServiceNetworkIdentifier, in.Tags)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateServiceNetworkServiceAssociationOutput{
		Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy),
		CustomDomainName: text(a.Service.CustomDomainName), DnsEntry: h.dnsEntry(a.Service),
	}, nil
}

// getServiceAssociation serves GetServiceNetworkServiceAssociation.
func (h *handler) getServiceAssociation(ctx context.Context, c *api.Call, in *GetServiceNetworkServiceAssociationInput) (*GetServiceNetworkServiceAssociationOutput, error) {
	a, err := h.plane.GetServiceAssociation(ctx, c.Caller, in.ServiceNetworkServiceAssociationIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetServiceNetworkServiceAssociationOutput{
		Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy), CreatedAt: at(a.CreatedAt),
		ServiceArn: new(a.Service.ARN(h.region)), ServiceId: &a.Service.ID, ServiceName: &a.Service.Name,
		ServiceNetworkArn: new(a.Network.ARN(h.region)), ServiceNetworkId: &a.Network.ID, ServiceNetworkName: &a.Network.Name,
		CustomDomainName: text(a.Service.CustomDomainName), DnsEntry: h.dnsEntry(a.Service),
		FailureCode: text(a.FailureCode), FailureMessage: text(a.FailureMessage),
	}, nil
}

// deleteServiceAssociation serves DeleteServiceNetworkServiceAssociation.
func (h *handler) deleteServiceAssociation(ctx context.Context, c *api.Call, in *DeleteServiceNetworkServiceAssociationInput) (*DeleteServiceNetworkServiceAssociationOutput, error) {
	a, rev, err := h.plane.DeleteServiceAssociation(ctx, c.Caller, in.ServiceNetworkServiceAssociationIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteServiceNetworkServiceAssociationOutput{Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status)}, nil
}

// listServiceAssociations serves ListServiceNetworkServiceAssociations.
func (h *handler) listServiceAssociations(ctx context.Context, c *api.Call, in *ListServiceNetworkServiceAssociationsInput) (*ListServiceNetworkServiceAssociationsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListServiceAssociations(ctx, c.Caller, api.Or(in.ServiceNetworkIdentifier, ""), api.Or(in.ServiceIdentifier, ""), pg)
	if err != nil {
		return nil, err
	}
	out := &ListServiceNetworkServiceAssociationsOutput{NextToken: c.NextToken(next)}
	for _, a := range list {
		out.Items = append(out.Items, ServiceNetworkServiceAssociationSummary{
			Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy), CreatedAt: at(a.CreatedAt),
			ServiceArn: new(a.Service.ARN(h.region)), ServiceId: &a.Service.ID, ServiceName: &a.Service.Name,
			ServiceNetworkArn: new(a.Network.ARN(h.region)), ServiceNetworkId: &a.Network.ID, ServiceNetworkName: &a.Network.Name,
			CustomDomainName: text(a.Service.CustomDomainName), DnsEntry: h.dnsEntry(a.Service),
		})
	}
	return out, nil
}
