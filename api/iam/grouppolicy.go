package iam

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// putGroupPolicy serves PutGroupPolicy.
func (h *handlers) putGroupPolicy(ctx context.Context, call *api.Call, in *PutGroupPolicyInput) (*PutGroupPolicyOutput, error) {
	rev, err := h.identity.PutInlinePolicy(ctx, call.Caller, identity.GroupBearer, in.GroupName, in.PolicyName, in.PolicyDocument)
	return api.Done(call, new(PutGroupPolicyOutput), rev, err)
}

// getGroupPolicy serves GetGroupPolicy.
func (h *handlers) getGroupPolicy(ctx context.Context, call *api.Call, in *GetGroupPolicyInput) (*GetGroupPolicyOutput, error) {
	text, err := h.identity.GetInlinePolicy(ctx, call.Caller, identity.GroupBearer, in.GroupName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &GetGroupPolicyOutput{PolicyDocument: document(text), PolicyName: in.PolicyName, GroupName: in.GroupName}, nil
}

// listGroupPolicies serves ListGroupPolicies.
func (h *handlers) listGroupPolicies(ctx context.Context, call *api.Call, in *ListGroupPoliciesInput) (*ListGroupPoliciesOutput, error) {
	names, err := h.identity.ListInlinePolicies(ctx, call.Caller, identity.GroupBearer, in.GroupName)
	if err != nil {
		return nil, err
	}
	names, p, err := page(call, names, same, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListGroupPoliciesOutput{IsTruncated: p.truncated, Marker: p.marker, PolicyNames: names}, nil
}

// deleteGroupPolicy serves DeleteGroupPolicy.
func (h *handlers) deleteGroupPolicy(ctx context.Context, call *api.Call, in *DeleteGroupPolicyInput) (*DeleteGroupPolicyOutput, error) {
	rev, err := h.identity.DeleteInlinePolicy(ctx, call.Caller, identity.GroupBearer, in.GroupName, in.PolicyName)
	return api.Done(call, new(DeleteGroupPolicyOutput), rev, err)
}

// attachGroupPolicy serves AttachGroupPolicy.
func (h *handlers) attachGroupPolicy(ctx context.Context, call *api.Call, in *AttachGroupPolicyInput) (*AttachGroupPolicyOutput, error) {
	rev, err := h.identity.AttachPolicy(ctx, call.Caller, identity.GroupBearer, in.GroupName, in.PolicyArn)
	return api.Done(call, new(AttachGroupPolicyOutput), rev, err)
}

// detachGroupPolicy serves DetachGroupPolicy.
func (h *handlers) detachGroupPolicy(ctx context.Context, call *api.Call, in *DetachGroupPolicyInput) (*DetachGroupPolicyOutput, error) {
	rev, err := h.identity.DetachPolicy(ctx, call.Caller, identity.GroupBearer, in.GroupName, in.PolicyArn)
	return api.Done(call, new(DetachGroupPolicyOutput), rev, err)
}

// listAttachedGroupPolicies serves ListAttachedGroupPolicies.
func (h *handlers) listAttachedGroupPolicies(ctx context.Context, call *api.Call, in *ListAttachedGroupPoliciesInput) (*ListAttachedGroupPoliciesOutput, error) {
	arns, err := h.identity.ListAttachedPolicies(ctx, call.Caller, identity.GroupBearer, in.GroupName)
	if err != nil {
		return nil, err
	}
	arns, p, err := page(call, arns, same, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListAttachedGroupPoliciesOutput{IsTruncated: p.truncated, Marker: p.marker, AttachedPolicies: attachedPolicies(arns, api.Value(in.PathPrefix))}, nil
}
