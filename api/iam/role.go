package iam

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// wireRole is a role as lists have it: without tags.
func wireRole(r *trellis.Role) Role {
	return Role{
		Arn: r.ARN(), AssumeRolePolicyDocument: new(document(r.TrustPolicy)), CreateDate: r.CreatedAt,
		Description: api.Some(r.Description), MaxSessionDuration: new(int32(r.MaxSessionSeconds)),
		Path: r.Path, RoleId: r.ID, RoleName: r.Name,
	}
}

// createRole serves CreateRole.
func (h *handlers) createRole(ctx context.Context, call *api.Call, in *CreateRoleInput) (*CreateRoleOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if in.PermissionsBoundary != nil {
		return nil, noBoundary()
	}
	r := trellis.Role{Name: in.RoleName, Path: api.Value(in.Path), Description: api.Value(in.Description), TrustPolicy: in.AssumeRolePolicyDocument}
	r.Tags = tags
	if in.MaxSessionDuration != nil {
		r.MaxSessionSeconds = int(*in.MaxSessionDuration)
	}
	made, rev, err := h.identity.CreateRole(ctx, call.Caller, r)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	out := wireRole(made)
	out.Tags = toTags(made.Tags)
	return &CreateRoleOutput{Role: &out}, nil
}

// getRole serves GetRole.
func (h *handlers) getRole(ctx context.Context, call *api.Call, in *GetRoleInput) (*GetRoleOutput, error) {
	r, err := h.identity.GetRole(ctx, call.Caller, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := wireRole(r)
	out.Tags = toTags(r.Tags)
	out.RoleLastUsed = &RoleLastUsed{}
	return &GetRoleOutput{Role: &out}, nil
}

// listRoles serves ListRoles.
func (h *handlers) listRoles(ctx context.Context, call *api.Call, in *ListRolesInput) (*ListRolesOutput, error) {
	roles, err := h.identity.ListRoles(ctx, call.Caller, api.Value(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	roles, p, err := page(call, roles, (*trellis.Role).Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &ListRolesOutput{IsTruncated: p.truncated, Marker: p.marker, Roles: []Role{}}
	for _, r := range roles {
		out.Roles = append(out.Roles, wireRole(r))
	}
	return out, nil
}

// listInstanceProfilesForRole serves ListInstanceProfilesForRole: an instance names its role directly, so
// there are no profiles.
func (h *handlers) listInstanceProfilesForRole(ctx context.Context, call *api.Call, in *ListInstanceProfilesForRoleInput) (*ListInstanceProfilesForRoleOutput, error) {
	if _, err := h.identity.RoleFor(ctx, call.Caller, "iam:ListInstanceProfilesForRole", in.RoleName); err != nil {
		return nil, err
	}
	return &ListInstanceProfilesForRoleOutput{InstanceProfiles: []InstanceProfile{}, IsTruncated: new(false)}, nil
}

// updateRole serves UpdateRole.
func (h *handlers) updateRole(ctx context.Context, call *api.Call, in *UpdateRoleInput) (*UpdateRoleOutput, error) {
	var longest *int
	if in.MaxSessionDuration != nil {
		longest = new(int(*in.MaxSessionDuration))
	}
	rev, err := h.identity.UpdateRole(ctx, call.Caller, in.RoleName, in.Description, longest)
	return api.Done(call, new(UpdateRoleOutput), rev, err)
}

// updateAssumeRolePolicy serves UpdateAssumeRolePolicy.
func (h *handlers) updateAssumeRolePolicy(ctx context.Context, call *api.Call, in *UpdateAssumeRolePolicyInput) (*UpdateAssumeRolePolicyOutput, error) {
	rev, err := h.identity.UpdateAssumeRolePolicy(ctx, call.Caller, in.RoleName, in.PolicyDocument)
	return api.Done(call, new(UpdateAssumeRolePolicyOutput), rev, err)
}

// deleteRole serves DeleteRole.
func (h *handlers) deleteRole(ctx context.Context, call *api.Call, in *DeleteRoleInput) (*DeleteRoleOutput, error) {
	rev, err := h.identity.DeleteRole(ctx, call.Caller, in.RoleName)
	return api.Done(call, new(DeleteRoleOutput), rev, err)
}

// tagRole serves TagRole.
func (h *handlers) tagRole(ctx context.Context, call *api.Call, in *TagRoleInput) (*TagRoleOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.TagRole(ctx, call.Caller, in.RoleName, tags)
	return api.Done(call, new(TagRoleOutput), rev, err)
}

// untagRole serves UntagRole.
func (h *handlers) untagRole(ctx context.Context, call *api.Call, in *UntagRoleInput) (*UntagRoleOutput, error) {
	rev, err := h.identity.UntagRole(ctx, call.Caller, in.RoleName, in.TagKeys)
	return api.Done(call, new(UntagRoleOutput), rev, err)
}

// listRoleTags serves ListRoleTags.
func (h *handlers) listRoleTags(ctx context.Context, call *api.Call, in *ListRoleTagsInput) (*ListRoleTagsOutput, error) {
	tags, err := h.identity.ListRoleTags(ctx, call.Caller, in.RoleName)
	if err != nil {
		return nil, err
	}
	list, p, err := page(call, toTags(tags), func(t Tag) string { return t.Key }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListRoleTagsOutput{IsTruncated: p.truncated, Marker: p.marker, Tags: list}, nil
}
