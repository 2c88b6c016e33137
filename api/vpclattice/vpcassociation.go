package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// createVPCAssociation serves CreateServiceNetworkVpcAssociation.
func (h *handler) createVPCAssociation(ctx context.Context, c *api.Call, in *CreateServiceNetworkVpcAssociationInput) (*CreateServiceNetworkVpcAssociationOutput, error) {
	noun := trellis.VPCAssociation{Meta: trellis.Meta{Tags: in.Tags}, SecurityGroupIDs: in.SecurityGroupIds, PrivateDNSEnabled: in.PrivateDnsEnabled}
	if in.DnsOptions != nil {
		noun.DNSPreference, noun.DNSDomains = api.Or(in.DnsOptions.PrivateDnsPreference, ""), in.DnsOptions.PrivateDnsSpecifiedDomains
	}
	a, rev, err := h.plane.CreateVPCAssociation(ctx, c.Caller, api.Or(in.ClientToken, ""), in.ServiceNetworkIdentifier, in.VpcIdentifier, noun)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &CreateServiceNetworkVpcAssociationOutput{
		Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy),
		SecurityGroupIds: a.SecurityGroupIDs, PrivateDnsEnabled: a.PrivateDNSEnabled, DnsOptions: dnsOptions(a.VPCAssociation),
	}, nil
}

// getVPCAssociation serves GetServiceNetworkVpcAssociation.
func (h *handler) getVPCAssociation(ctx context.Context, c *api.Call, in *GetServiceNetworkVpcAssociationInput) (*GetServiceNetworkVpcAssociationOutput, error) {
	a, err := h.plane.GetVPCAssociation(ctx, c.Caller, in.ServiceNetworkVpcAssociationIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetServiceNetworkVpcAssociationOutput{
		Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy), VpcId: &a.VPC.ID,
		ServiceNetworkArn: new(a.Network.ARN(h.region)), ServiceNetworkId: &a.Network.ID, ServiceNetworkName: &a.Network.Name,
		SecurityGroupIds: a.SecurityGroupIDs, PrivateDnsEnabled: a.PrivateDNSEnabled, DnsOptions: dnsOptions(a.VPCAssociation),
		FailureCode: text(a.FailureCode), FailureMessage: text(a.FailureMessage), CreatedAt: at(a.CreatedAt), LastUpdatedAt: at(a.UpdatedAt),
	}, nil
}

// updateVPCAssociation serves UpdateServiceNetworkVpcAssociation.
func (h *handler) updateVPCAssociation(ctx context.Context, c *api.Call, in *UpdateServiceNetworkVpcAssociationInput) (*UpdateServiceNetworkVpcAssociationOutput, error) {
	ch := controlplane.VPCAssociationChange{SecurityGroupIDs: in.SecurityGroupIds, PrivateDNSEnabled: in.PrivateDnsEnabled}
	if in.DnsOptions != nil {
		ch.DNSPreference, ch.DNSDomains = in.DnsOptions.PrivateDnsPreference, in.DnsOptions.PrivateDnsSpecifiedDomains
	}
	a, rev, err := h.plane.UpdateVPCAssociation(ctx, c.Caller, in.ServiceNetworkVpcAssociationIdentifier, ch)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UpdateServiceNetworkVpcAssociationOutput{
		Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy),
		SecurityGroupIds: a.SecurityGroupIDs, PrivateDnsEnabled: a.PrivateDNSEnabled, DnsOptions: dnsOptions(a),
	}, nil
}

// deleteVPCAssociation serves DeleteServiceNetworkVpcAssociation.
func (h *handler) deleteVPCAssociation(ctx context.Context, c *api.Call, in *DeleteServiceNetworkVpcAssociationInput) (*DeleteServiceNetworkVpcAssociationOutput, error) {
	a, rev, err := h.plane.DeleteVPCAssociation(ctx, c.Caller, in.ServiceNetworkVpcAssociationIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteServiceNetworkVpcAssociationOutput{Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status)}, nil
}

// listVPCAssociations serves ListServiceNetworkVpcAssociations.
func (h *handler) listVPCAssociations(ctx context.Context, c *api.Call, in *ListServiceNetworkVpcAssociationsInput) (*ListServiceNetworkVpcAssociationsOutput, error) {
	pg, err := page(c, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, next, err := h.plane.ListVPCAssociations(ctx, c.Caller, api.Or(in.ServiceNetworkIdentifier, ""), api.Or(in.VpcIdentifier, ""), pg)
	if err != nil {
		return nil, err
	}
	out := &ListServiceNetworkVpcAssociationsOutput{NextToken: c.NextToken(next)}
	for _, a := range list {
		out.Items = append(out.Items, ServiceNetworkVpcAssociationSummary{
			Arn: new(a.ARN(h.region, c.Account)), Id: &a.ID, Status: text(a.Status), CreatedBy: text(a.CreatedBy), VpcId: &a.VPC.ID,
			ServiceNetworkArn: new(a.Network.ARN(h.region)), ServiceNetworkId: &a.Network.ID, ServiceNetworkName: &a.Network.Name,
			PrivateDnsEnabled: a.PrivateDNSEnabled, DnsOptions: dnsOptions(a.VPCAssociation), CreatedAt: at(a.CreatedAt), LastUpdatedAt: at(a.UpdatedAt),
		})
	}
	return out, nil
}

// dnsOptions writes the DNS options of an association, absent when it has none.
func dnsOptions(a *trellis.VPCAssociation) *DnsOptions {
	if a.DNSPreference == "" && len(a.DNSDomains) == 0 {
		return nil
	}
	return &DnsOptions{PrivateDnsPreference: text(a.DNSPreference), PrivateDnsSpecifiedDomains: a.DNSDomains}
}
