package iam

import (
	"context"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wirePolicy is a managed policy as answers have it.
func wirePolicy(p *trellis.ManagedPolicy, uses int) Policy {
	return Policy{
		Arn: new(p.ARN()), AttachmentCount: new(int32(uses)), CreateDate: &p.CreatedAt, DefaultVersionId: &p.VersionID,
		Description: api.Some(p.Description), IsAttachable: new(true), Path: &p.Path,
		PermissionsBoundaryUsageCount: new(int32(0)), PolicyId: &p.ID, PolicyName: &p.Name, UpdateDate: &p.UpdatedAt,
	}
}

// wireVersion is the one version of a managed policy. Lists have it without its text.
func wireVersion(p *trellis.ManagedPolicy) PolicyVersion {
	return PolicyVersion{CreateDate: &p.UpdatedAt, IsDefaultVersion: new(true), VersionId: &p.VersionID}
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
	out := wirePolicy(made, 0)
	out.Tags = toTags(made.Tags)
	return &CreatePolicyOutput{Policy: &out}, nil
}

// getPolicy serves GetPolicy.
func (h *handlers) getPolicy(ctx context.Context, call *api.Call, in *GetPolicyInput) (*GetPolicyOutput, error) {
	p, uses, err := h.identity.GetPolicy(ctx, call.Caller, "iam:GetPolicy", in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := wirePolicy(p, len(uses))
	out.Tags = toTags(p.Tags)
	return &GetPolicyOutput{Policy: &out}, nil
}

// getPolicyVersion serves GetPolicyVersion.
func (h *handlers) getPolicyVersion(ctx context.Context, call *api.Call, in *GetPolicyVersionInput) (*GetPolicyVersionOutput, error) {
	p, _, err := h.identity.GetPolicy(ctx, call.Caller, "iam:GetPolicyVersion", in.PolicyArn)
	if err != nil {
		return nil, err
	}
	if in.VersionId != p.VersionID {
		return nil, trellis.NewError(404, "NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", in.PolicyArn, in.VersionId)
	}
	v := wireVersion(p)
	v.Document = new(document(p.Text))
	return &GetPolicyVersionOutput{PolicyVersion: &v}, nil
}

// listPolicyVersions serves ListPolicyVersions: a policy has one version.
func (h *handlers) listPolicyVersions(ctx context.Context, call *api.Call, in *ListPolicyVersionsInput) (*ListPolicyVersionsOutput, error) {
	p, _, err := h.identity.GetPolicy(ctx, call.Caller, "iam:ListPolicyVersions", in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &ListPolicyVersionsOutput{IsTruncated: new(false), Versions: []PolicyVersion{wireVersion(p)}}, nil
}

// listPolicies serves ListPolicies.
func (h *handlers) listPolicies(ctx context.Context, call *api.Call, in *ListPoliciesInput) (*ListPoliciesOutput, error) {
	scope := api.Value(in.Scope)
	found, err := h.identity.ListPolicies(ctx, call.Caller, scope != "AWS", scope != "Local", api.Value(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	key := func(p identity.PolicyUse) string { return p.Policy.Key() }
	attached := in.OnlyAttached != nil && *in.OnlyAttached
	wanted := found[:0]
	for _, p := range found {
		if len(p.Uses) > 0 || !attached {
			wanted = append(wanted, p)
		}
	}
	list, end, err := page(call, wanted, key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &ListPoliciesOutput{IsTruncated: end.truncated, Marker: end.marker, Policies: []Policy{}}
	for _, p := range list {
		out.Policies = append(out.Policies, wirePolicy(p.Policy, len(p.Uses)))
	}
	return out, nil
}

// listEntitiesForPolicy serves ListEntitiesForPolicy.
func (h *handlers) listEntitiesForPolicy(ctx context.Context, call *api.Call, in *ListEntitiesForPolicyInput) (*ListEntitiesForPolicyOutput, error) {
	_, uses, err := h.identity.GetPolicy(ctx, call.Caller, "iam:ListEntitiesForPolicy", in.PolicyArn)
	if err != nil {
		return nil, err
	}
	uses, end, err := page(call, uses, same, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &ListEntitiesForPolicyOutput{
		IsTruncated: end.truncated, Marker: end.marker,
		PolicyGroups: []PolicyGroup{}, PolicyRoles: []PolicyRole{}, PolicyUsers: []PolicyUser{},
	}
	filter := api.Value(in.EntityFilter)
	for _, use := range uses {
		switch kind, name, _ := strings.Cut(use, "/"); {
		case kind == "user" && (filter == "" || filter == "User"):
			out.PolicyUsers = append(out.PolicyUsers, PolicyUser{UserName: &name})
		case kind == "role" && (filter == "" || filter == "Role"):
			out.PolicyRoles = append(out.PolicyRoles, PolicyRole{RoleName: &name})
		}
	}
	return out, nil
}

// deletePolicy serves DeletePolicy.
func (h *handlers) deletePolicy(ctx context.Context, call *api.Call, in *DeletePolicyInput) (*DeletePolicyOutput, error) {
	rev, err := h.identity.DeletePolicy(ctx, call.Caller, in.PolicyArn)
	return api.Done(call, new(DeletePolicyOutput), rev, err)
}
