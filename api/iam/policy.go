package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wirePolicy is a managed policy as lists have it: without tags.
func wirePolicy(u *identity.PolicyUse) Policy {
	p := u.Policy
	return Policy{
		Arn: new(p.ARN()), AttachmentCount: new(int32(len(u.Uses))), CreateDate: &p.CreatedAt, DefaultVersionId: &p.VersionID,
		Description: api.Some(p.Description), IsAttachable: new(true), Path: &p.Path,
		PermissionsBoundaryUsageCount: new(int32(len(u.Bounds))), PolicyId: &p.ID, PolicyName: &p.Name, UpdateDate: &p.UpdatedAt,
	}
}

// wireVersion is a version of a managed policy as lists have it: without its text.
func wireVersion(p *trellis.ManagedPolicy, v trellis.PolicyVersion) PolicyVersion {
	return PolicyVersion{CreateDate: &v.CreatedAt, IsDefaultVersion: new(v.ID == p.VersionID), VersionId: &v.ID}
}

// createPolicy serves CreatePolicy.
func (h *handlers) createPolicy(ctx context.Context, call *api.Call, in *CreatePolicyInput) (*CreatePolicyOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p := trellis.ManagedPolicy{Name: in.PolicyName, Path: api.Value(in.Path), Description: api.Value(in.Description), Text: in.PolicyDocument}
	p.Tags = tags
	made, rev, err := h.identity.CreatePolicy(ctx, call.Caller, p)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	out := wirePolicy(&identity.PolicyUse{Policy: made})
	out.Tags = toTags(made.Tags)
	return &CreatePolicyOutput{Policy: &out}, nil
}

// getPolicy serves GetPolicy.
func (h *handlers) getPolicy(ctx context.Context, call *api.Call, in *GetPolicyInput) (*GetPolicyOutput, error) {
	u, err := h.identity.GetPolicy(ctx, call.Caller, "iam:GetPolicy", in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := wirePolicy(u)
	out.Tags = toTags(u.Policy.Tags)
	return &GetPolicyOutput{Policy: &out}, nil
}

// getPolicyVersion serves GetPolicyVersion.
func (h *handlers) getPolicyVersion(ctx context.Context, call *api.Call, in *GetPolicyVersionInput) (*GetPolicyVersionOutput, error) {
	u, err := h.identity.GetPolicy(ctx, call.Caller, "iam:GetPolicyVersion", in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v, err := identity.PolicyVersion(u.Policy, in.VersionId)
	if err != nil {
		return nil, err
	}
	out := wireVersion(u.Policy, v)
	out.Document = new(document(v.Text))
	return &GetPolicyVersionOutput{PolicyVersion: &out}, nil
}

// listPolicyVersions serves ListPolicyVersions: the newest first, as AWS has them.
func (h *handlers) listPolicyVersions(ctx context.Context, call *api.Call, in *ListPolicyVersionsInput) (*ListPolicyVersionsOutput, error) {
	u, err := h.identity.GetPolicy(ctx, call.Caller, "iam:ListPolicyVersions", in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := []PolicyVersion{}
	for _, v := range slices.Backward(identity.PolicyVersions(u.Policy)) {
		out = append(out, wireVersion(u.Policy, v))
	}
	return &ListPolicyVersionsOutput{IsTruncated: new(false), Versions: out}, nil // five at most, a page
}

// createPolicyVersion serves CreatePolicyVersion.
func (h *handlers) createPolicyVersion(ctx context.Context, call *api.Call, in *CreatePolicyVersionInput) (*CreatePolicyVersionOutput, error) {
	asDefault := api.Value(in.SetAsDefault)
	v, rev, err := h.identity.CreatePolicyVersion(ctx, call.Caller, in.PolicyArn, in.PolicyDocument, asDefault)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreatePolicyVersionOutput{PolicyVersion: &PolicyVersion{CreateDate: &v.CreatedAt, IsDefaultVersion: &asDefault, VersionId: &v.ID}}, nil
}

// setDefaultPolicyVersion serves SetDefaultPolicyVersion.
func (h *handlers) setDefaultPolicyVersion(ctx context.Context, call *api.Call, in *SetDefaultPolicyVersionInput) (*SetDefaultPolicyVersionOutput, error) {
	rev, err := h.identity.SetDefaultPolicyVersion(ctx, call.Caller, in.PolicyArn, in.VersionId)
	return api.Done(call, new(SetDefaultPolicyVersionOutput), rev, err)
}

// deletePolicyVersion serves DeletePolicyVersion.
func (h *handlers) deletePolicyVersion(ctx context.Context, call *api.Call, in *DeletePolicyVersionInput) (*DeletePolicyVersionOutput, error) {
	rev, err := h.identity.DeletePolicyVersion(ctx, call.Caller, in.PolicyArn, in.VersionId)
	return api.Done(call, new(DeletePolicyVersionOutput), rev, err)
}

// usage names the two ways to have a managed policy, as filters have them.
const usageBoundary, usagePolicy = "PermissionsBoundary", "PermissionsPolicy"

// used are those who have a managed policy in the way that a filter wants; an empty one wants both.
func used(u *identity.PolicyUse, filter string) (names []string) {
	if filter != usageBoundary {
		names = append(names, u.Uses...)
	}
	if filter != usagePolicy {
		names = append(names, u.Bounds...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// listPolicies serves ListPolicies.
func (h *handlers) listPolicies(ctx context.Context, call *api.Call, in *ListPoliciesInput) (*ListPoliciesOutput, error) {
	scope, usage := api.Value(in.Scope), api.Value(in.PolicyUsageFilter)
	found, err := h.identity.ListPolicies(ctx, call.Caller, scope != "AWS", scope != "Local", api.Value(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	key := func(p *identity.PolicyUse) string { return p.Policy.Key() }
	wanted := found[:0]
	for _, p := range found {
		if !api.Value(in.OnlyAttached) && usage == "" || len(used(p, usage)) > 0 {
			wanted = append(wanted, p)
		}
	}
	list, end, err := page(call, wanted, key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListPoliciesOutput{IsTruncated: end.truncated, Marker: end.marker, Policies: api.Each(list, wirePolicy)}, nil
}

// listEntitiesForPolicy serves ListEntitiesForPolicy.
func (h *handlers) listEntitiesForPolicy(ctx context.Context, call *api.Call, in *ListEntitiesForPolicyInput) (*ListEntitiesForPolicyOutput, error) {
	holders, err := h.identity.PolicyHolders(ctx, call.Caller, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	filter, usage := strings.ToLower(api.Value(in.EntityFilter)), api.Value(in.PolicyUsageFilter)
	holders = slices.DeleteFunc(holders, func(e identity.Holder) bool {
		return filter != "" && string(e.Kind) != filter || !strings.HasPrefix(e.Path, api.Value(in.PathPrefix)) ||
			usage == usagePolicy && !e.Attached || usage == usageBoundary && !e.Bounded
	})
	holders, end, err := page(call, holders, func(e identity.Holder) string { return string(e.Kind) + "/" + e.Name }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &ListEntitiesForPolicyOutput{
		IsTruncated: end.truncated, Marker: end.marker,
		PolicyGroups: []PolicyGroup{}, PolicyRoles: []PolicyRole{}, PolicyUsers: []PolicyUser{},
	}
	for _, e := range holders {
		switch e.Kind {
		case identity.UserBearer:
			out.PolicyUsers = append(out.PolicyUsers, PolicyUser{UserId: &e.ID, UserName: &e.Name})
		case identity.GroupBearer:
			out.PolicyGroups = append(out.PolicyGroups, PolicyGroup{GroupId: &e.ID, GroupName: &e.Name})
		case identity.RoleBearer:
			out.PolicyRoles = append(out.PolicyRoles, PolicyRole{RoleId: &e.ID, RoleName: &e.Name})
		}
	}
	return out, nil
}

// deletePolicy serves DeletePolicy.
func (h *handlers) deletePolicy(ctx context.Context, call *api.Call, in *DeletePolicyInput) (*DeletePolicyOutput, error) {
	rev, err := h.identity.DeletePolicy(ctx, call.Caller, in.PolicyArn)
	return api.Done(call, new(DeletePolicyOutput), rev, err)
}

// tagPolicy serves TagPolicy.
func (h *handlers) tagPolicy(ctx context.Context, call *api.Call, in *TagPolicyInput) (*TagPolicyOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.TagPolicy(ctx, call.Caller, in.PolicyArn, tags)
	return api.Done(call, new(TagPolicyOutput), rev, err)
}

// untagPolicy serves UntagPolicy.
func (h *handlers) untagPolicy(ctx context.Context, call *api.Call, in *UntagPolicyInput) (*UntagPolicyOutput, error) {
	rev, err := h.identity.UntagPolicy(ctx, call.Caller, in.PolicyArn, in.TagKeys)
	return api.Done(call, new(UntagPolicyOutput), rev, err)
}

// listPolicyTags serves ListPolicyTags.
func (h *handlers) listPolicyTags(ctx context.Context, call *api.Call, in *ListPolicyTagsInput) (*ListPolicyTagsOutput, error) {
	u, err := h.identity.GetPolicy(ctx, call.Caller, "iam:ListPolicyTags", in.PolicyArn)
	if err != nil {
		return nil, err
	}
	list, p, err := pageTags(call, u.Policy.Tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListPolicyTagsOutput{IsTruncated: p.truncated, Marker: p.marker, Tags: list}, nil
}
