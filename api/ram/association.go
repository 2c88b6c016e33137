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
		LastUpdatedTime: &a.Share.UpdatedAt, ResourceShareArn: new(a.Share.ARN(h.region)), ResourceShareName: &a.Share.Name, Status: &a.Status}
}

// associateResourceShare is AssociateResourceShare.
func (h *handler) associateResourceShare(ctx context.Context, c *api.Call, in *AssociateResourceShareInput) (*AssociateResourceShareOutput, error) {
	all, rev, err := h.plane.AssociateShare(ctx, c.Caller, in.ResourceShareArn, in.ResourceArns, in.Principals)
	return api.Done(c, &AssociateResourceShareOutput{ClientToken: in.ClientToken, ResourceShareAssociations: api.Each(all, h.association)}, rev, err)
}

// disassociateResourceShare is DisassociateResourceShare.
func (h *handler) disassociateResourceShare(ctx context.Context, c *api.Call, in *DisassociateResourceShareInput) (*DisassociateResourceShareOutput, error) {
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
		ResourceShareInvitationArn: new(i.ARN(h.region)), ResourceShareName: &i.Share.Name, SenderAccountId: &i.Share.Account, Status: new(i.Status())}
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

// permission is a managed permission as the wire has it.
func permission(s controlplane.SharePermission) ResourceSharePermissionSummary {
	return ResourceSharePermissionSummary{Arn: new(s.ARN()), DefaultVersion: new(true), FeatureSet: new("STANDARD"), IsResourceTypeDefault: &s.Default, Name: &s.Name,
		PermissionType: new("AWS_MANAGED"), ResourceType: &s.ResourceType, Status: new("ATTACHABLE"), Version: new("1")}
}

// listPermissions is ListPermissions: the managed ones, since customers can make none here.
func (h *handler) listPermissions(_ context.Context, c *api.Call, in *ListPermissionsInput) (*ListPermissionsOutput, error) {
	if err := c.Authorize("ram:ListPermissions", "*", nil); err != nil {
		return nil, err
	}
	all := controlplane.SharePermissions(api.Value(in.ResourceType))
	if api.Value(in.PermissionType) == "CUSTOMER_MANAGED" {
		all = nil
	}
	all, next, err := page(c, all, func(s controlplane.SharePermission) string { return s.Name }, in.MaxResults, in.NextToken)
	return &ListPermissionsOutput{NextToken: next, Permissions: api.Each(all, permission)}, err
}

// listSharePermissions is ListResourceSharePermissions.
func (h *handler) listSharePermissions(ctx context.Context, c *api.Call, in *ListResourceSharePermissionsInput) (*ListResourceSharePermissionsOutput, error) {
	s, err := h.plane.Share(ctx, c.Caller, "ListResourceSharePermissions", in.ResourceShareArn)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(controlplane.SharePermissions(""), func(p controlplane.SharePermission) bool { return !slices.Contains(s.Permissions, p.ARN()) })
	all, next, err := page(c, all, func(s controlplane.SharePermission) string { return s.Name }, in.MaxResults, in.NextToken)
	return &ListResourceSharePermissionsOutput{NextToken: next, Permissions: api.Each(all, func(p controlplane.SharePermission) ResourceSharePermissionSummary {
		out := permission(p)
		out.Status = new("ASSOCIATED")
		return out
	})}, err
}

// listResources is ListResources: what the account shares, or what is shared with it.
func (h *handler) listResources(ctx context.Context, c *api.Call, in *ListResourcesInput) (*ListResourcesOutput, error) {
	shares, err := h.plane.Shares(ctx, c.Caller, "ListResources", in.ResourceOwner == "OTHER-ACCOUNTS")
	if err != nil {
		return nil, err
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
			all = append(all, Resource{Arn: &arn, CreationTime: &s.CreatedAt, LastUpdatedTime: &s.UpdatedAt, ResourceRegionScope: new("REGIONAL"),
				ResourceShareArn: new(s.ARN(h.region)), Status: new("AVAILABLE"), Type: &typ})
		}
	}
	all, next, err := page(c, all, func(r Resource) string { return *r.Arn + " " + *r.ResourceShareArn }, in.MaxResults, in.NextToken)
	return &ListResourcesOutput{NextToken: next, Resources: api.Each(all, func(r Resource) Resource { return r })}, err
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
