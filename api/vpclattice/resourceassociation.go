package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// createResourceAssociation serves CreateServiceNetworkResourceAssociation.
func (h *handler) createResourceAssociation(ctx context.Context, c *api.Call, in *CreateServiceNetworkResourceAssociationInput) (*CreateServiceNetworkResourceAssociationOutput, error) {
	a, rev, err := h.plane.CreateResourceAssociation(ctx, c.Caller, api.Or(in.ClientToken, ""), in.ResourceConfigurationIdentifier,
		in.ServiceNetworkIdentifier, api.Or(in.PrivateDnsEnabled, false), in.Tags)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateServiceNetworkResourceAssociationOutput{Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status),
		CreatedBy: text(a.CreatedBy), PrivateDnsEnabled: &a.PrivateDNSEnabled}, nil
}

// getResourceAssociation serves GetServiceNetworkResourceAssociation.
func (h *handler) getResourceAssociation(ctx context.Context, c *api.Call, in *GetServiceNetworkResourceAssociationInput) (*GetServiceNetworkResourceAssociationOutput, error) {
	a, err := h.plane.GetResourceAssociation(ctx, c.Caller, in.ServiceNetworkResourceAssociationIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetServiceNetworkResourceAssociationOutput{
		Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy), CreatedAt: at(a.CreatedAt), LastUpdatedAt: at(a.UpdatedAt),
		ResourceConfigurationArn: new(a.Configuration.ARN(h.region)), ResourceConfigurationId: &a.Configuration.ID, ResourceConfigurationName: &a.Configuration.Name,
		ServiceNetworkArn: new(a.Network.ARN(h.region)), ServiceNetworkId: &a.Network.ID, ServiceNetworkName: &a.Network.Name,
		PrivateDnsEnabled: &a.PrivateDNSEnabled, DnsEntry: h.resourceName(a), PrivateDnsEntry: privateName(a), IsManagedAssociation: new(bool),
		DomainVerificationStatus: verificationStatus(a.Configuration), FailureReason: text(a.FailureReason),
	}, nil
}

// resourceName is the generated domain name of a resource and its hosted zone, absent for a group.
func (h *handler) resourceName(a *controlplane.ResourceAssociation) *DnsEntry {
	name := a.DomainName(h.region)
	if name == "" {
		return nil
	}
	return &DnsEntry{DomainName: &name, HostedZoneId: new(controlplane.HostedZoneID(h.region))}
}

// privateName is the domain name of the resource's owner that clients use, absent when there is none.
func privateName(a *controlplane.ResourceAssociation) *DnsEntry {
	name := a.PrivateDomainName()
	if name == "" {
		return nil
	}
	return &DnsEntry{DomainName: &name}
}

// deleteResourceAssociation serves DeleteServiceNetworkResourceAssociation.
func (h *handler) deleteResourceAssociation(ctx context.Context, c *api.Call, in *DeleteServiceNetworkResourceAssociationInput) (*DeleteServiceNetworkResourceAssociationOutput, error) {
	a, rev, err := h.plane.DeleteResourceAssociation(ctx, c.Caller, in.ServiceNetworkResourceAssociationIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteServiceNetworkResourceAssociationOutput{Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status)}, nil
}

// listResourceAssociations serves ListServiceNetworkResourceAssociations.
func (h *handler) listResourceAssociations(ctx context.Context, c *api.Call, in *ListServiceNetworkResourceAssociationsInput) (*ListServiceNetworkResourceAssociationsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListResourceAssociations(ctx, c.Caller, api.Or(in.ServiceNetworkIdentifier, ""), api.Or(in.ResourceConfigurationIdentifier, ""),
		api.Or(in.IncludeChildren, false), pg)
	if err != nil {
		return nil, err
	}
	out := &ListServiceNetworkResourceAssociationsOutput{NextToken: c.NextToken(next)}
	for _, a := range list {
		out.Items = append(out.Items, ServiceNetworkResourceAssociationSummary{
			Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy), CreatedAt: at(a.CreatedAt),
			ResourceConfigurationArn: new(a.Configuration.ARN(h.region)), ResourceConfigurationId: &a.Configuration.ID, ResourceConfigurationName: &a.Configuration.Name,
			ServiceNetworkArn: new(a.Network.ARN(h.region)), ServiceNetworkId: &a.Network.ID, ServiceNetworkName: &a.Network.Name,
			PrivateDnsEnabled: &a.PrivateDNSEnabled, DnsEntry: h.resourceName(a), PrivateDnsEntry: privateName(a), IsManagedAssociation: new(bool),
		})
	}
	return out, nil
}
