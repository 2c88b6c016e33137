package ram

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// association is a resource or principal of a share as the wire has it.
func (h *handler) association(a controlplane.ShareAssociation) ResourceShareAssociation {
	created := a.Share.CreatedAt
	if !a.Principal.AddedAt.IsZero() {
		created = a.Principal.AddedAt
	}
	return ResourceShareAssociation{AssociatedEntity: &a.Entity, AssociationType: &a.Type, CreationTime: &created, External: &a.Principal.External,
		LastUpdatedTime: &a.Share.UpdatedAt, ResourceShareArn: new(a.Share.ARN(h.region)), ResourceShareName: &a.Share.Name, Status: &a.Status, StatusMessage: api.Some(a.Message)}
}

// associateResourceShare is AssociateResourceShare.
func (h *handler) associateResourceShare(ctx context.Context, c *api.Call, in *AssociateResourceShareInput) (*AssociateResourceShareOutput, error) {
	if err := noSources(in.Sources); err != nil {
		return nil, err
	}
	all, rev, err := h.plane.AssociateShare(ctx, c.Caller, in.ResourceShareArn, in.ResourceArns, in.Principals)
	return api.Done(c, &AssociateResourceShareOutput{ClientToken: in.ClientToken, ResourceShareAssociations: api.Each(all, h.association)}, rev, err)
}

// disassociateResourceShare is DisassociateResourceShare.
func (h *handler) disassociateResourceShare(ctx context.Context, c *api.Call, in *DisassociateResourceShareInput) (*DisassociateResourceShareOutput, error) {
	if err := noSources(in.Sources); err != nil {
		return nil, err
	}
	all, rev, err := h.plane.DisassociateShare(ctx, c.Caller, in.ResourceShareArn, in.ResourceArns, in.Principals)
	return api.Done(c, &DisassociateResourceShareOutput{ClientToken: in.ClientToken, ResourceShareAssociations: api.Each(all, h.association)}, rev, err)
}

// getAssociations is GetResourceShareAssociations.
func (h *handler) getAssociations(ctx context.Context, c *api.Call, in *GetResourceShareAssociationsInput) (*GetResourceShareAssociationsOutput, error) {
	if in.AssociationType == "PRINCIPAL" && in.ResourceArn != nil || in.AssociationType == "RESOURCE" && in.Principal != nil {
		return nil, trellis.NewError(400, "InvalidParameterException", "A resource and a principal filter only associations of their own type.")
	}
	all, err := h.plane.ShareAssociations(ctx, c.Caller, in.AssociationType)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(a controlplane.ShareAssociation) bool {
		return !matches(in.ResourceShareArns, a.Share.ARN(h.region)) || in.AssociationStatus != nil && *in.AssociationStatus != a.Status ||
			in.ResourceArn != nil && *in.ResourceArn != a.Entity || in.Principal != nil && *in.Principal != a.Entity
	})
	all, next, err := page(c, all, func(a controlplane.ShareAssociation) string { return a.Share.ID + " " + a.Entity }, in.MaxResults, in.NextToken)
	return &GetResourceShareAssociationsOutput{NextToken: next, ResourceShareAssociations: api.Each(all, h.association)}, err
}

// invitation is an invitation as the wire has it.
func (h *handler) invitation(i controlplane.ShareInvitation) ResourceShareInvitation {
	return ResourceShareInvitation{InvitationTimestamp: &i.Receiver.AddedAt, ReceiverAccountId: &i.Receiver.Principal, ResourceShareArn: new(i.Share.ARN(h.region)),
		ResourceShareInvitationArn: new(i.ARN(h.region)), ResourceShareName: &i.Share.Name, SenderAccountId: &i.Share.Account, Status: new(i.Status(h.plane.Now()))}
}

// getInvitations is GetResourceShareInvitations.
func (h *handler) getInvitations(ctx context.Context, c *api.Call, in *GetResourceShareInvitationsInput) (*GetResourceShareInvitationsOutput, error) {
	all, err := h.plane.Invitations(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(i controlplane.ShareInvitation) bool {
		return !matches(in.ResourceShareArns, i.Share.ARN(h.region)) || !matches(in.ResourceShareInvitationArns, i.ARN(h.region))
	})
	all, next, err := page(c, all, func(i controlplane.ShareInvitation) string { return i.ARN(h.region) }, in.MaxResults, in.NextToken)
	return &GetResourceShareInvitationsOutput{NextToken: next, ResourceShareInvitations: api.Each(all, h.invitation)}, err
}

// acceptInvitation is AcceptResourceShareInvitation.
func (h *handler) acceptInvitation(ctx context.Context, c *api.Call, in *AcceptResourceShareInvitationInput) (*AcceptResourceShareInvitationOutput, error) {
	i, rev, err := h.plane.AnswerInvitation(ctx, c.Caller, in.ResourceShareInvitationArn, true)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &AcceptResourceShareInvitationOutput{ClientToken: in.ClientToken, ResourceShareInvitation: new(h.invitation(i))}, rev, nil)
}

// rejectInvitation is RejectResourceShareInvitation.
func (h *handler) rejectInvitation(ctx context.Context, c *api.Call, in *RejectResourceShareInvitationInput) (*RejectResourceShareInvitationOutput, error) {
	i, rev, err := h.plane.AnswerInvitation(ctx, c.Caller, in.ResourceShareInvitationArn, false)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &RejectResourceShareInvitationOutput{ClientToken: in.ClientToken, ResourceShareInvitation: new(h.invitation(i))}, rev, nil)
}

// listResources is ListResources: what the account shares, or what is shared with it.
func (h *handler) listResources(ctx context.Context, c *api.Call, in *ListResourcesInput) (*ListResourcesOutput, error) {
	shares, err := h.plane.Shares(ctx, c.Caller, "ListResources", in.ResourceOwner == "OTHER-ACCOUNTS")
	if err != nil {
		return nil, err
	}
	if t := api.Value(in.ResourceType); in.ResourceType != nil && !strings.Contains(t, ":") {
		return nil, trellis.NewError(400, "InvalidResourceTypeException", "The resource type %s is not valid.", t)
	}
	var all []Resource
	for _, s := range shares {
		if s.Status != controlplane.ShareActive || !matches(in.ResourceShareArns, s.ARN(h.region)) || in.Principal != nil && !sharedTo(s, *in.Principal) {
			continue
		}
		for _, arn := range s.Resources {
			typ := controlplane.ShareResourceType(arn)
			if !matches(in.ResourceArns, arn) || in.ResourceType != nil && !strings.EqualFold(*in.ResourceType, typ) || api.Value(in.ResourceRegionScope) == "GLOBAL" {
				continue
			}
			all = append(all, h.resource(s, arn, "AVAILABLE"))
		}
	}
	all, next, err := page(c, all, func(r Resource) string { return *r.Arn + " " + *r.ResourceShareArn }, in.MaxResults, in.NextToken)
	return &ListResourcesOutput{NextToken: next, Resources: api.Each(all, func(r Resource) Resource { return r })}, err
}

// resource is a resource of a share as the wire has it.
func (h *handler) resource(s *trellis.ResourceShare, arn, status string) Resource {
	return Resource{Arn: &arn, CreationTime: &s.CreatedAt, LastUpdatedTime: &s.UpdatedAt, ResourceRegionScope: new("REGIONAL"),
		ResourceShareArn: new(s.ARN(h.region)), Status: &status, Type: new(controlplane.ShareResourceType(arn))}
}

// listPendingInvitationResources is ListPendingInvitationResources.
func (h *handler) listPendingInvitationResources(ctx context.Context, c *api.Call, in *ListPendingInvitationResourcesInput) (*ListPendingInvitationResourcesOutput, error) {
	s, err := h.plane.PendingResources(ctx, c.Caller, in.ResourceShareInvitationArn)
	if err != nil {
		return nil, err
	}
	arns := s.Resources
	if api.Value(in.ResourceRegionScope) == "GLOBAL" {
		arns = nil
	}
	arns, next, err := page(c, arns, func(arn string) string { return arn }, in.MaxResults, in.NextToken)
	return &ListPendingInvitationResourcesOutput{NextToken: next, Resources: api.Each(arns, func(arn string) Resource { return h.resource(s, arn, "PENDING") })}, err
}

// listResourceTypes is ListResourceTypes.
func (h *handler) listResourceTypes(_ context.Context, c *api.Call, in *ListResourceTypesInput) (*ListResourceTypesOutput, error) {
	if err := c.Authorize("ram:ListResourceTypes", "*", nil); err != nil {
		return nil, err
	}
	all := controlplane.ShareResourceTypes()
	if api.Value(in.ResourceRegionScope) == "GLOBAL" {
		all = nil
	}
	all, next, err := page(c, all, func(t string) string { return t }, in.MaxResults, in.NextToken)
	return &ListResourceTypesOutput{NextToken: next, ResourceTypes: api.Each(all, func(t string) ServiceNameAndResourceType {
		return ServiceNameAndResourceType{ResourceRegionScope: new("REGIONAL"), ResourceType: &t, ServiceName: new("vpc-lattice")}
	})}, err
}

// listSourceAssociations is ListSourceAssociations: sources are for service principals, with whom nothing here is shared.
func (h *handler) listSourceAssociations(ctx context.Context, c *api.Call, in *ListSourceAssociationsInput) (*ListSourceAssociationsOutput, error) {
	all, err := h.plane.Shares(ctx, c.Caller, "ListSourceAssociations", false)
	if err != nil {
		return nil, err
	}
	return &ListSourceAssociationsOutput{SourceAssociations: []AssociatedSource{}}, h.known(all, in.ResourceShareArns)
}

// getResourcePolicies is GetResourcePolicies.
func (h *handler) getResourcePolicies(ctx context.Context, c *api.Call, in *GetResourcePoliciesInput) (*GetResourcePoliciesOutput, error) {
	all, err := h.plane.SharePolicies(ctx, c.Caller, in.ResourceArns, api.Value(in.Principal))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(text string) string { return controlplane.DerivedID("", text) }, in.MaxResults, in.NextToken)
	return &GetResourcePoliciesOutput{NextToken: next, Policies: all}, err
}

// sharedTo tells whether a share names a principal, or belongs to it when others' shares are listed.
func sharedTo(s *trellis.ResourceShare, principal string) bool {
	return s.Account == principal || slices.ContainsFunc(s.Principals, func(sp trellis.SharePrincipal) bool { return sp.Principal == principal })
}

// listPrincipals is ListPrincipals: with whom the account shares, or who shares with it.
func (h *handler) listPrincipals(ctx context.Context, c *api.Call, in *ListPrincipalsInput) (*ListPrincipalsOutput, error) {
	others := in.ResourceOwner == "OTHER-ACCOUNTS"
	shares, err := h.plane.Shares(ctx, c.Caller, "ListPrincipals", others)
	if err != nil {
		return nil, err
	}
	var all []Principal
	for _, s := range shares {
		if s.Status != controlplane.ShareActive || !matches(in.ResourceShareArns, s.ARN(h.region)) || in.ResourceArn != nil && !slices.Contains(s.Resources, *in.ResourceArn) {
			continue
		}
		if in.ResourceType != nil && !slices.ContainsFunc(s.Resources, func(arn string) bool { return strings.EqualFold(controlplane.ShareResourceType(arn), *in.ResourceType) }) {
			continue
		}
		principals := s.Principals
		if others {
			principals = []trellis.SharePrincipal{{Principal: s.Account, AddedAt: s.CreatedAt, Accepted: true}}
		}
		for _, sp := range principals {
			if sp.Accepted && matches(in.Principals, sp.Principal) {
				all = append(all, Principal{CreationTime: &sp.AddedAt, External: &sp.External, Id: &sp.Principal, LastUpdatedTime: &s.UpdatedAt, ResourceShareArn: new(s.ARN(h.region))})
			}
		}
	}
	all, next, err := page(c, all, func(p Principal) string { return *p.Id + " " + *p.ResourceShareArn }, in.MaxResults, in.NextToken)
	return &ListPrincipalsOutput{NextToken: next, Principals: api.Each(all, func(p Principal) Principal { return p })}, err
}
