package iam

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// wireRole is a role as lists have it: without tags and permissions boundary.
func wireRole(r *trellis.Role) Role {
	return Role{
		Arn: r.ARN(), AssumeRolePolicyDocument: new(document(r.TrustPolicy)), CreateDate: r.CreatedAt,
		Description: api.Some(r.Description), MaxSessionDuration: new(int32(r.MaxSessionSeconds)),
		Path: r.Path, RoleId: r.ID, RoleName: r.Name,
	}
}

// fullRole is a role as answers about it alone have it.
func fullRole(r *trellis.Role) *Role {
	out := wireRole(r)
	out.PermissionsBoundary, out.Tags = wireBoundary(r.Boundary), toTags(r.Tags)
	return &out
}

// createRole serves CreateRole.
func (h *handlers) createRole(ctx context.Context, call *api.Call, in *CreateRoleInput) (*CreateRoleOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	r := trellis.Role{Name: in.RoleName, Path: api.Value(in.Path), Description: api.Value(in.Description), TrustPolicy: in.AssumeRolePolicyDocument,
		Boundary: api.Value(in.PermissionsBoundary)}
	r.Tags = tags
	if in.MaxSessionDuration != nil {
		r.MaxSessionSeconds = int(*in.MaxSessionDuration)
	}
	made, rev, err := h.identity.CreateRole(ctx, call.Caller, r)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateRoleOutput{Role: fullRole(made)}, nil
}

// getRole serves GetRole.
func (h *handlers) getRole(ctx context.Context, call *api.Call, in *GetRoleInput) (*GetRoleOutput, error) {
	r, err := h.identity.GetRole(ctx, call.Caller, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := fullRole(r)
	out.RoleLastUsed = &RoleLastUsed{}
	return &GetRoleOutput{Role: out}, nil
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

// updateRole serves UpdateRole.
func (h *handlers) updateRole(ctx context.Context, call *api.Call, in *UpdateRoleInput) (*UpdateRoleOutput, error) {
	var longest *int
	if in.MaxSessionDuration != nil {
		longest = new(int(*in.MaxSessionDuration))
	}
	_, rev, err := h.identity.UpdateRole(ctx, call.Caller, "iam:UpdateRole", in.RoleName, in.Description, longest)
	return api.Done(call, new(UpdateRoleOutput), rev, err)
}

// updateRoleDescription serves UpdateRoleDescription.
func (h *handlers) updateRoleDescription(ctx context.Context, call *api.Call, in *UpdateRoleDescriptionInput) (*UpdateRoleDescriptionOutput, error) {
	r, rev, err := h.identity.UpdateRole(ctx, call.Caller, "iam:UpdateRoleDescription", in.RoleName, &in.Description, nil)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &UpdateRoleDescriptionOutput{Role: fullRole(r)}, nil
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
	list, p, err := pageTags(call, tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListRoleTagsOutput{IsTruncated: p.truncated, Marker: p.marker, Tags: list}, nil
}
