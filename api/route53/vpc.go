package route53

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/hostedzone"
)

// associateVPC serves AssociateVPCWithHostedZone.
func (h *handler) associateVPC(ctx context.Context, c *api.Call, in *AssociateVPCWithHostedZoneInput) (*AssociateVPCWithHostedZoneOutput, error) {
	change, rev, err := h.zones.Associate(ctx, c.Caller, in.HostedZoneId, fromVPC(in.VPC), api.Value(in.Comment))
	return api.Done(c, &AssociateVPCWithHostedZoneOutput{ChangeInfo: changeInfo(change)}, rev, err)
}

// disassociateVPC serves DisassociateVPCFromHostedZone.
func (h *handler) disassociateVPC(ctx context.Context, c *api.Call, in *DisassociateVPCFromHostedZoneInput) (*DisassociateVPCFromHostedZoneOutput, error) {
	change, rev, err := h.zones.Dissociate(ctx, c.Caller, in.HostedZoneId, fromVPC(in.VPC), api.Value(in.Comment))
	return api.Done(c, &DisassociateVPCFromHostedZoneOutput{ChangeInfo: changeInfo(change)}, rev, err)
}

// createVPCAssociationAuthorization serves CreateVPCAssociationAuthorization.
func (h *handler) createVPCAssociationAuthorization(ctx context.Context, c *api.Call, in *CreateVPCAssociationAuthorizationInput) (*CreateVPCAssociationAuthorizationOutput, error) {
	rev, err := h.zones.Authorize(ctx, c.Caller, in.HostedZoneId, fromVPC(in.VPC))
	return api.Done(c, &CreateVPCAssociationAuthorizationOutput{HostedZoneId: hostedzone.ID(in.HostedZoneId), VPC: in.VPC}, rev, err)
}

// deleteVPCAssociationAuthorization serves DeleteVPCAssociationAuthorization.
func (h *handler) deleteVPCAssociationAuthorization(ctx context.Context, c *api.Call, in *DeleteVPCAssociationAuthorizationInput) (*DeleteVPCAssociationAuthorizationOutput, error) {
	rev, err := h.zones.Unauthorize(ctx, c.Caller, in.HostedZoneId, fromVPC(in.VPC))
	return api.Done(c, new(DeleteVPCAssociationAuthorizationOutput), rev, err)
}

// listVPCAssociationAuthorizations serves ListVPCAssociationAuthorizations.
func (h *handler) listVPCAssociationAuthorizations(ctx context.Context, c *api.Call, in *ListVPCAssociationAuthorizationsInput) (*ListVPCAssociationAuthorizationsOutput, error) {
	size, err := pageSize(in.MaxResults, 50)
	if err != nil {
		return nil, err
	}
	all, err := h.zones.Authorizations(ctx, c.Caller, in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	page, next, err := api.Cut(c, all, func(v trellis.ZoneVPC) string { return v.VPC.ID }, in.NextToken, size)
	if err != nil {
		return nil, trellis.NewError(400, "InvalidPaginationToken", "The value that you specified for NextToken is not valid.")
	}
	return &ListVPCAssociationAuthorizationsOutput{HostedZoneId: hostedzone.ID(in.HostedZoneId), VPCs: api.Each(page, vpc), NextToken: next}, nil
}
