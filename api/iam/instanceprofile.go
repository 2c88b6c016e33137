package iam

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireProfile is an instance profile as lists have it: without tags.
func wireProfile(p identity.Profile) InstanceProfile {
	out := InstanceProfile{Arn: p.ARN(), CreateDate: p.CreatedAt, InstanceProfileId: p.ID, InstanceProfileName: p.Name, Path: p.Path, Roles: []Role{}}
	if p.Role != nil {
		out.Roles = append(out.Roles, wireRole(p.Role))
	}
	return out
}

// taggedProfile is an instance profile with its tags.
func taggedProfile(p identity.Profile) *InstanceProfile {
	out := wireProfile(p)
	out.Tags = toTags(p.Tags)
	return &out
}

// createInstanceProfile serves CreateInstanceProfile.
func (h *handlers) createInstanceProfile(ctx context.Context, call *api.Call, in *CreateInstanceProfileInput) (*CreateInstanceProfileOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p, rev, err := h.identity.CreateInstanceProfile(ctx, call.Caller, in.InstanceProfileName, api.Value(in.Path), tags)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateInstanceProfileOutput{InstanceProfile: taggedProfile(p)}, nil
}

// getInstanceProfile serves GetInstanceProfile.
func (h *handlers) getInstanceProfile(ctx context.Context, call *api.Call, in *GetInstanceProfileInput) (*GetInstanceProfileOutput, error) {
	p, err := h.identity.GetInstanceProfile(ctx, call.Caller, "iam:GetInstanceProfile", in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	return &GetInstanceProfileOutput{InstanceProfile: taggedProfile(p)}, nil
}

// profileKey is the key of an instance profile in pages.
func profileKey(p identity.Profile) string { return p.Key() }

// listInstanceProfiles serves ListInstanceProfiles.
func (h *handlers) listInstanceProfiles(ctx context.Context, call *api.Call, in *ListInstanceProfilesInput) (*ListInstanceProfilesOutput, error) {
	all, err := h.identity.ListInstanceProfiles(ctx, call.Caller, api.Value(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	all, p, err := page(call, all, profileKey, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListInstanceProfilesOutput{InstanceProfiles: api.Each(all, wireProfile), IsTruncated: p.truncated, Marker: p.marker}, nil
}

// listInstanceProfilesForRole serves ListInstanceProfilesForRole.
func (h *handlers) listInstanceProfilesForRole(ctx context.Context, call *api.Call, in *ListInstanceProfilesForRoleInput) (*ListInstanceProfilesForRoleOutput, error) {
	all, err := h.identity.ProfilesOfRole(ctx, call.Caller, in.RoleName)
	if err != nil {
		return nil, err
	}
	all, p, err := page(call, all, profileKey, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListInstanceProfilesForRoleOutput{InstanceProfiles: api.Each(all, wireProfile), IsTruncated: p.truncated, Marker: p.marker}, nil
}

// deleteInstanceProfile serves DeleteInstanceProfile.
func (h *handlers) deleteInstanceProfile(ctx context.Context, call *api.Call, in *DeleteInstanceProfileInput) (*DeleteInstanceProfileOutput, error) {
	rev, err := h.identity.DeleteInstanceProfile(ctx, call.Caller, in.InstanceProfileName)
	return api.Done(call, new(DeleteInstanceProfileOutput), rev, err)
}

// addRoleToInstanceProfile serves AddRoleToInstanceProfile.
func (h *handlers) addRoleToInstanceProfile(ctx context.Context, call *api.Call, in *AddRoleToInstanceProfileInput) (*AddRoleToInstanceProfileOutput, error) {
	rev, err := h.identity.AddRoleToInstanceProfile(ctx, call.Caller, in.InstanceProfileName, in.RoleName)
	return api.Done(call, new(AddRoleToInstanceProfileOutput), rev, err)
}

// removeRoleFromInstanceProfile serves RemoveRoleFromInstanceProfile.
func (h *handlers) removeRoleFromInstanceProfile(ctx context.Context, call *api.Call, in *RemoveRoleFromInstanceProfileInput) (*RemoveRoleFromInstanceProfileOutput, error) {
	rev, err := h.identity.RemoveRoleFromInstanceProfile(ctx, call.Caller, in.InstanceProfileName, in.RoleName)
	return api.Done(call, new(RemoveRoleFromInstanceProfileOutput), rev, err)
}

// tagInstanceProfile serves TagInstanceProfile.
func (h *handlers) tagInstanceProfile(ctx context.Context, call *api.Call, in *TagInstanceProfileInput) (*TagInstanceProfileOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.TagInstanceProfile(ctx, call.Caller, in.InstanceProfileName, tags)
	return api.Done(call, new(TagInstanceProfileOutput), rev, err)
}

// untagInstanceProfile serves UntagInstanceProfile.
func (h *handlers) untagInstanceProfile(ctx context.Context, call *api.Call, in *UntagInstanceProfileInput) (*UntagInstanceProfileOutput, error) {
	rev, err := h.identity.UntagInstanceProfile(ctx, call.Caller, in.InstanceProfileName, in.TagKeys)
	return api.Done(call, new(UntagInstanceProfileOutput), rev, err)
}

// listInstanceProfileTags serves ListInstanceProfileTags.
func (h *handlers) listInstanceProfileTags(ctx context.Context, call *api.Call, in *ListInstanceProfileTagsInput) (*ListInstanceProfileTagsOutput, error) {
	found, err := h.identity.GetInstanceProfile(ctx, call.Caller, "iam:ListInstanceProfileTags", in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	list, p, err := pageTags(call, found.Tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListInstanceProfileTagsOutput{IsTruncated: p.truncated, Marker: p.marker, Tags: list}, nil
}
