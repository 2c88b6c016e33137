package ram

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// permission is one version, the default one for 0, of a managed permission as the wire has it.
func permission(s controlplane.SharePermission, version int) ResourceSharePermissionSummary {
	v := s.Version(version)
	if v == nil {
		v = &controlplane.PermissionVersion{Number: version}
	}
	out := ResourceSharePermissionSummary{Arn: &s.ARN, DefaultVersion: new(v.Number == s.DefaultVersion), FeatureSet: new("STANDARD"), IsResourceTypeDefault: &s.Default, Name: &s.Name,
		PermissionType: new("AWS_MANAGED"), ResourceType: &s.ResourceType, Status: new("ATTACHABLE"), Version: new(strconv.Itoa(v.Number))}
	if s.Customer != nil {
		out.PermissionType, out.CreationTime, out.LastUpdatedTime, out.Tags = new("CUSTOMER_MANAGED"), &v.CreatedAt, &s.Customer.UpdatedAt, tagList(s.Customer.Tags)
	}
	return out
}

// permissionDetail is permission with its text.
func permissionDetail(s controlplane.SharePermission, version int) *ResourceSharePermissionDetail {
	p := permission(s, version)
	out := &ResourceSharePermissionDetail{Arn: p.Arn, CreationTime: p.CreationTime, DefaultVersion: p.DefaultVersion, FeatureSet: p.FeatureSet, IsResourceTypeDefault: p.IsResourceTypeDefault,
		LastUpdatedTime: p.LastUpdatedTime, Name: p.Name, PermissionType: p.PermissionType, ResourceType: p.ResourceType, Status: p.Status, Tags: p.Tags, Version: p.Version}
	if v := s.Version(version); v != nil {
		out.Permission = new(v.Text())
	}
	return out
}

// noParameters refuses parameters of templates: no permission here has any.
func noParameters(n int) error {
	if n > 0 {
		return trellis.NewError(400, "InvalidParameterException", "The permissions for VPC Lattice resources have no parameters.")
	}
	return nil
}

// createPermission is CreatePermission.
func (h *handler) createPermission(ctx context.Context, c *api.Call, in *CreatePermissionInput) (*CreatePermissionOutput, error) {
	if err := noParameters(len(in.PermissionTemplateParameters)); err != nil {
		return nil, err
	}
	s, rev, err := h.plane.CreateSharePermission(ctx, c.Caller, controlplane.NewSharePermission{Name: in.Name, ResourceType: in.ResourceType, Template: in.PolicyTemplate,
		ClientToken: api.Value(in.ClientToken), Tags: tagMap(in.Tags)})
	return api.Done(c, &CreatePermissionOutput{ClientToken: in.ClientToken, Permission: new(permission(s, 0))}, rev, err)
}

// createPermissionVersion is CreatePermissionVersion.
func (h *handler) createPermissionVersion(ctx context.Context, c *api.Call, in *CreatePermissionVersionInput) (*CreatePermissionVersionOutput, error) {
	if err := noParameters(len(in.PermissionTemplateParameters)); err != nil {
		return nil, err
	}
	s, rev, err := h.plane.CreatePermissionVersion(ctx, c.Caller, in.PermissionArn, in.PolicyTemplate)
	return api.Done(c, &CreatePermissionVersionOutput{ClientToken: in.ClientToken, Permission: permissionDetail(s, 0)}, rev, err)
}

// setDefaultPermissionVersion is SetDefaultPermissionVersion.
func (h *handler) setDefaultPermissionVersion(ctx context.Context, c *api.Call, in *SetDefaultPermissionVersionInput) (*SetDefaultPermissionVersionOutput, error) {
	rev, err := h.plane.SetDefaultPermissionVersion(ctx, c.Caller, in.PermissionArn, int(in.PermissionVersion))
	return api.Done(c, &SetDefaultPermissionVersionOutput{ClientToken: in.ClientToken, ReturnValue: new(true)}, rev, err)
}

// deletePermission is DeletePermission.
func (h *handler) deletePermission(ctx context.Context, c *api.Call, in *DeletePermissionInput) (*DeletePermissionOutput, error) {
	rev, err := h.plane.DeleteSharePermission(ctx, c.Caller, in.PermissionArn)
	return api.Done(c, &DeletePermissionOutput{ClientToken: in.ClientToken, PermissionStatus: new("DELETED"), ReturnValue: new(true)}, rev, err)
}

// deletePermissionVersion is DeletePermissionVersion.
func (h *handler) deletePermissionVersion(ctx context.Context, c *api.Call, in *DeletePermissionVersionInput) (*DeletePermissionVersionOutput, error) {
	rev, err := h.plane.DeletePermissionVersion(ctx, c.Caller, in.PermissionArn, int(in.PermissionVersion))
	return api.Done(c, &DeletePermissionVersionOutput{ClientToken: in.ClientToken, PermissionStatus: new("DELETED"), ReturnValue: new(true)}, rev, err)
}

// getPermission is GetPermission.
func (h *handler) getPermission(ctx context.Context, c *api.Call, in *GetPermissionInput) (*GetPermissionOutput, error) {
	if err := noParameters(len(in.PermissionTemplateParameters)); err != nil {
		return nil, err
	}
	s, err := h.plane.SharePermission(ctx, c.Caller, "GetPermission", in.PermissionArn)
	if err != nil {
		return nil, err
	}
	version := int(api.Value(in.PermissionVersion))
	if s.Version(version) == nil {
		return nil, trellis.NewError(400, "InvalidParameterException", "The permission %s has no version %d.", in.PermissionArn, version)
	}
	return &GetPermissionOutput{Permission: permissionDetail(s, version)}, nil
}

// listPermissions is ListPermissions: AWS's and the account's own, each in its default version.
func (h *handler) listPermissions(ctx context.Context, c *api.Call, in *ListPermissionsInput) (*ListPermissionsOutput, error) {
	all, err := h.plane.SharePermissions(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s controlplane.SharePermission) bool {
		return in.ResourceType != nil && !strings.EqualFold(*in.ResourceType, s.ResourceType) ||
			api.Value(in.PermissionType) == "CUSTOMER_MANAGED" && s.Customer == nil || api.Value(in.PermissionType) == "AWS_MANAGED" && s.Customer != nil
	})
	all, next, err := page(c, all, func(s controlplane.SharePermission) string { return s.ARN }, in.MaxResults, in.NextToken)
	return &ListPermissionsOutput{NextToken: next, Permissions: api.Each(all, func(s controlplane.SharePermission) ResourceSharePermissionSummary { return permission(s, 0) })}, err
}

// listPermissionVersions is ListPermissionVersions.
func (h *handler) listPermissionVersions(ctx context.Context, c *api.Call, in *ListPermissionVersionsInput) (*ListPermissionVersionsOutput, error) {
	s, err := h.plane.SharePermission(ctx, c.Caller, "ListPermissionVersions", in.PermissionArn)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, s.Versions, func(v controlplane.PermissionVersion) string { return number(v.Number) }, in.MaxResults, in.NextToken)
	return &ListPermissionVersionsOutput{NextToken: next, Permissions: api.Each(all, func(v controlplane.PermissionVersion) ResourceSharePermissionSummary { return permission(s, v.Number) })}, err
}

// number is a version as text that sorts as the number does.
func number(n int) string { return string(rune('0'+len(strconv.Itoa(n)))) + strconv.Itoa(n) }

// listSharePermissions is ListResourceSharePermissions.
func (h *handler) listSharePermissions(ctx context.Context, c *api.Call, in *ListResourceSharePermissionsInput) (*ListResourceSharePermissionsOutput, error) {
	all, err := h.plane.PermissionsOfShare(ctx, c.Caller, in.ResourceShareArn)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(a controlplane.AssociatedPermission) string { return a.ARN }, in.MaxResults, in.NextToken)
	return &ListResourceSharePermissionsOutput{NextToken: next, Permissions: api.Each(all, func(a controlplane.AssociatedPermission) ResourceSharePermissionSummary {
		out := permission(a.SharePermission, a.Version)
		out.Status = new("ASSOCIATED")
		return out
	})}, err
}

// listPermissionAssociations is ListPermissionAssociations.
func (h *handler) listPermissionAssociations(ctx context.Context, c *api.Call, in *ListPermissionAssociationsInput) (*ListPermissionAssociationsOutput, error) {
	if in.PermissionVersion != nil && in.PermissionArn == nil {
		return nil, trellis.NewError(400, "InvalidParameterException", "A version filters only with the ARN of its permission.")
	}
	all, err := h.plane.PermissionAssociations(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(a controlplane.AssociatedPermission) bool {
		return in.PermissionArn != nil && *in.PermissionArn != a.ARN || in.PermissionVersion != nil && int(*in.PermissionVersion) != a.Version ||
			api.Or(in.AssociationStatus, "ASSOCIATED") != "ASSOCIATED" || in.ResourceType != nil && !strings.EqualFold(*in.ResourceType, a.ResourceType) ||
			api.Or(in.FeatureSet, "STANDARD") != "STANDARD" || in.DefaultVersion != nil && *in.DefaultVersion != (a.Version == a.DefaultVersion) ||
			api.Or(in.ResourceOwner, "SELF") != "SELF" || in.ResourceShareArn != nil && *in.ResourceShareArn != a.Share.ARN(h.region)
	})
	all, next, err := page(c, all, func(a controlplane.AssociatedPermission) string { return a.Share.ID + " " + a.ARN }, in.MaxResults, in.NextToken)
	return &ListPermissionAssociationsOutput{NextToken: next, Permissions: api.Each(all, func(a controlplane.AssociatedPermission) AssociatedPermission {
		return AssociatedPermission{Arn: &a.ARN, DefaultVersion: new(a.Version == a.DefaultVersion), FeatureSet: new("STANDARD"), LastUpdatedTime: &a.Share.UpdatedAt,
			PermissionVersion: new(strconv.Itoa(a.Version)), ResourceShareArn: new(a.Share.ARN(h.region)), ResourceType: &a.ResourceType, Status: new("ASSOCIATED")}
	})}, err
}

// associatePermission is AssociateResourceSharePermission.
func (h *handler) associatePermission(ctx context.Context, c *api.Call, in *AssociateResourceSharePermissionInput) (*AssociateResourceSharePermissionOutput, error) {
	if err := noParameters(len(in.PermissionTemplateParameters)); err != nil {
		return nil, err
	}
	rev, err := h.plane.AssociateSharePermission(ctx, c.Caller, in.ResourceShareArn, in.PermissionArn, int(api.Value(in.PermissionVersion)), api.Value(in.Replace))
	return api.Done(c, &AssociateResourceSharePermissionOutput{ClientToken: in.ClientToken, ReturnValue: new(true)}, rev, err)
}

// disassociatePermission is DisassociateResourceSharePermission.
func (h *handler) disassociatePermission(ctx context.Context, c *api.Call, in *DisassociateResourceSharePermissionInput) (*DisassociateResourceSharePermissionOutput, error) {
	rev, err := h.plane.DisassociateSharePermission(ctx, c.Caller, in.ResourceShareArn, in.PermissionArn)
	return api.Done(c, &DisassociateResourceSharePermissionOutput{ClientToken: in.ClientToken, ReturnValue: new(true)}, rev, err)
}

// replacement is a replacement of permissions as the wire has it.
func replacement(r *trellis.PermissionReplacement) ReplacePermissionAssociationsWork {
	out := ReplacePermissionAssociationsWork{CreationTime: &r.CreatedAt, FromPermissionArn: &r.From, Id: &r.ID, LastUpdatedTime: &r.UpdatedAt, Status: new("COMPLETED"),
		ToPermissionArn: &r.To, ToPermissionVersion: new(strconv.Itoa(r.ToVersion))}
	if r.FromVersion != 0 {
		out.FromPermissionVersion = new(strconv.Itoa(r.FromVersion))
	}
	return out
}

// replacePermissions is ReplacePermissionAssociations. It is done when it answers; AWS's answer says IN_PROGRESS, and so does this.
func (h *handler) replacePermissions(ctx context.Context, c *api.Call, in *ReplacePermissionAssociationsInput) (*ReplacePermissionAssociationsOutput, error) {
	if err := noParameters(len(in.PermissionTemplateParameters)); err != nil {
		return nil, err
	}
	r, rev, err := h.plane.ReplacePermissions(ctx, c.Caller, in.FromPermissionArn, int(api.Value(in.FromPermissionVersion)), in.ToPermissionArn)
	if err != nil {
		return nil, err
	}
	work := replacement(r)
	work.Status = new("IN_PROGRESS")
	return api.Done(c, &ReplacePermissionAssociationsOutput{ClientToken: in.ClientToken, ReplacePermissionAssociationsWork: &work}, rev, nil)
}

// listReplacements is ListReplacePermissionAssociationsWork.
func (h *handler) listReplacements(ctx context.Context, c *api.Call, in *ListReplacePermissionAssociationsWorkInput) (*ListReplacePermissionAssociationsWorkOutput, error) {
	all, err := h.plane.PermissionReplacements(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r *trellis.PermissionReplacement) bool {
		return !matches(in.WorkIds, r.ID) || api.Or(in.Status, "COMPLETED") != "COMPLETED"
	})
	all, next, err := page(c, all, func(r *trellis.PermissionReplacement) string { return r.ID }, in.MaxResults, in.NextToken)
	return &ListReplacePermissionAssociationsWorkOutput{NextToken: next, ReplacePermissionAssociationsWorks: api.Each(all, replacement)}, err
}

// promotePermission is PromotePermissionCreatedFromPolicy, and promoteShare PromoteResourceShareCreatedFromPolicy: nothing here is created
// from a policy, since a policy that PutResourcePolicy brings stays one.
func (h *handler) promotePermission(ctx context.Context, c *api.Call, in *PromotePermissionCreatedFromPolicyInput) (*PromotePermissionCreatedFromPolicyOutput, error) {
	if _, err := h.plane.SharePermission(ctx, c.Caller, "PromotePermissionCreatedFromPolicy", in.PermissionArn); err != nil {
		return nil, err
	}
	return nil, trellis.NewError(400, "InvalidParameterException", "The permission %s was not created from a policy.", in.PermissionArn)
}

// promoteShare is PromoteResourceShareCreatedFromPolicy.
func (h *handler) promoteShare(ctx context.Context, c *api.Call, in *PromoteResourceShareCreatedFromPolicyInput) (*PromoteResourceShareCreatedFromPolicyOutput, error) {
	if _, err := h.plane.Share(ctx, c.Caller, "PromoteResourceShareCreatedFromPolicy", in.ResourceShareArn); err != nil {
		return nil, err
	}
	return nil, trellis.NewError(400, "InvalidParameterException", "The resource share %s was not created from a policy.", in.ResourceShareArn)
}
