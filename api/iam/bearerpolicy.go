package iam

import (
	"context"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// putRolePolicy serves PutRolePolicy.
func (h *handlers) putRolePolicy(ctx context.Context, call *api.Call, in *PutRolePolicyInput) (*PutRolePolicyOutput, error) {
	rev, err := h.identity.PutInlinePolicy(ctx, call.Caller, identity.RoleBearer, in.RoleName, in.PolicyName, in.PolicyDocument)
	return api.Done(call, new(PutRolePolicyOutput), rev, err)
}

// getRolePolicy serves GetRolePolicy.
func (h *handlers) getRolePolicy(ctx context.Context, call *api.Call, in *GetRolePolicyInput) (*GetRolePolicyOutput, error) {
	text, err := h.identity.GetInlinePolicy(ctx, call.Caller, identity.RoleBearer, in.RoleName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &GetRolePolicyOutput{PolicyDocument: document(text), PolicyName: in.PolicyName, RoleName: in.RoleName}, nil
}

// listRolePolicies serves ListRolePolicies.
func (h *handlers) listRolePolicies(ctx context.Context, call *api.Call, in *ListRolePoliciesInput) (*ListRolePoliciesOutput, error) {
	names, err := h.identity.ListInlinePolicies(ctx, call.Caller, identity.RoleBearer, in.RoleName)
	if err != nil {
		return nil, err
	}
	names, p, err := page(call, names, same, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListRolePoliciesOutput{IsTruncated: p.truncated, Marker: p.marker, PolicyNames: names}, nil
}

// deleteRolePolicy serves DeleteRolePolicy.
func (h *handlers) deleteRolePolicy(ctx context.Context, call *api.Call, in *DeleteRolePolicyInput) (*DeleteRolePolicyOutput, error) {
	rev, err := h.identity.DeleteInlinePolicy(ctx, call.Caller, identity.RoleBearer, in.RoleName, in.PolicyName)
	return api.Done(call, new(DeleteRolePolicyOutput), rev, err)
}

// attachRolePolicy serves AttachRolePolicy.
func (h *handlers) attachRolePolicy(ctx context.Context, call *api.Call, in *AttachRolePolicyInput) (*AttachRolePolicyOutput, error) {
	rev, err := h.identity.AttachPolicy(ctx, call.Caller, identity.RoleBearer, in.RoleName, in.PolicyArn)
	return api.Done(call, new(AttachRolePolicyOutput), rev, err)
}

// detachRolePolicy serves DetachRolePolicy.
func (h *handlers) detachRolePolicy(ctx context.Context, call *api.Call, in *DetachRolePolicyInput) (*DetachRolePolicyOutput, error) {
	rev, err := h.identity.DetachPolicy(ctx, call.Caller, identity.RoleBearer, in.RoleName, in.PolicyArn)
	return api.Done(call, new(DetachRolePolicyOutput), rev, err)
}

// listAttachedRolePolicies serves ListAttachedRolePolicies.
func (h *handlers) listAttachedRolePolicies(ctx context.Context, call *api.Call, in *ListAttachedRolePoliciesInput) (*ListAttachedRolePoliciesOutput, error) {
	arns, err := h.identity.ListAttachedPolicies(ctx, call.Caller, identity.RoleBearer, in.RoleName)
	if err != nil {
		return nil, err
	}
	arns, p, err := page(call, arns, same, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListAttachedRolePoliciesOutput{IsTruncated: p.truncated, Marker: p.marker, AttachedPolicies: attachedPolicies(arns, api.Value(in.PathPrefix))}, nil
}

// putUserPolicy serves PutUserPolicy.
func (h *handlers) putUserPolicy(ctx context.Context, call *api.Call, in *PutUserPolicyInput) (*PutUserPolicyOutput, error) {
	rev, err := h.identity.PutInlinePolicy(ctx, call.Caller, identity.UserBearer, in.UserName, in.PolicyName, in.PolicyDocument)
	return api.Done(call, new(PutUserPolicyOutput), rev, err)
}

// getUserPolicy serves GetUserPolicy.
func (h *handlers) getUserPolicy(ctx context.Context, call *api.Call, in *GetUserPolicyInput) (*GetUserPolicyOutput, error) {
	text, err := h.identity.GetInlinePolicy(ctx, call.Caller, identity.UserBearer, in.UserName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &GetUserPolicyOutput{PolicyDocument: document(text), PolicyName: in.PolicyName, UserName: in.UserName}, nil
}

// listUserPolicies serves ListUserPolicies.
func (h *handlers) listUserPolicies(ctx context.Context, call *api.Call, in *ListUserPoliciesInput) (*ListUserPoliciesOutput, error) {
	names, err := h.identity.ListInlinePolicies(ctx, call.Caller, identity.UserBearer, in.UserName)
	if err != nil {
		return nil, err
	}
	names, p, err := page(call, names, same, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListUserPoliciesOutput{IsTruncated: p.truncated, Marker: p.marker, PolicyNames: names}, nil
}

// deleteUserPolicy serves DeleteUserPolicy.
func (h *handlers) deleteUserPolicy(ctx context.Context, call *api.Call, in *DeleteUserPolicyInput) (*DeleteUserPolicyOutput, error) {
	rev, err := h.identity.DeleteInlinePolicy(ctx, call.Caller, identity.UserBearer, in.UserName, in.PolicyName)
	return api.Done(call, new(DeleteUserPolicyOutput), rev, err)
}

// attachUserPolicy serves AttachUserPolicy.
func (h *handlers) attachUserPolicy(ctx context.Context, call *api.Call, in *AttachUserPolicyInput) (*AttachUserPolicyOutput, error) {
	rev, err := h.identity.AttachPolicy(ctx, call.Caller, identity.UserBearer, in.UserName, in.PolicyArn)
	return api.Done(call, new(AttachUserPolicyOutput), rev, err)
}

// detachUserPolicy serves DetachUserPolicy.
func (h *handlers) detachUserPolicy(ctx context.Context, call *api.Call, in *DetachUserPolicyInput) (*DetachUserPolicyOutput, error) {
	rev, err := h.identity.DetachPolicy(ctx, call.Caller, identity.UserBearer, in.UserName, in.PolicyArn)
	return api.Done(call, new(DetachUserPolicyOutput), rev, err)
}

// listAttachedUserPolicies serves ListAttachedUserPolicies.
func (h *handlers) listAttachedUserPolicies(ctx context.Context, call *api.Call, in *ListAttachedUserPoliciesInput) (*ListAttachedUserPoliciesOutput, error) {
	arns, err := h.identity.ListAttachedPolicies(ctx, call.Caller, identity.UserBearer, in.UserName)
	if err != nil {
		return nil, err
	}
	arns, p, err := page(call, arns, same, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListAttachedUserPoliciesOutput{IsTruncated: p.truncated, Marker: p.marker, AttachedPolicies: attachedPolicies(arns, api.Value(in.PathPrefix))}, nil
}

// attachedPolicies are the policies of some ARNs whose path begins with a prefix.
func attachedPolicies(arns []string, pathPrefix string) []AttachedPolicy {
	list := make([]AttachedPolicy, 0, len(arns))
	for _, arn := range arns {
		name := trellis.LastPart(arn)
		_, path, _ := strings.Cut(strings.TrimSuffix(arn, name), ":policy")
		if strings.HasPrefix(path, pathPrefix) {
			list = append(list, AttachedPolicy{PolicyArn: &arn, PolicyName: &name})
		}
	}
	return list
}
