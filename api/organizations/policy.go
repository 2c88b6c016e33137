package organizations

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireSummary is a policy without its text.
func wireSummary(p *trellis.OrganizationPolicy, o *trellis.Organization) PolicySummary {
	return PolicySummary{
		Arn: new(identity.ControlPolicyARN(o, p)), AwsManaged: &p.AWSManaged, Description: &p.Description, Id: &p.ID, Name: &p.Name, Type: &p.Type,
	}
}

// wirePolicy is a policy as answers about it alone have it.
func wirePolicy(p *trellis.OrganizationPolicy, o *trellis.Organization) *Policy {
	return &Policy{Content: &p.Text, PolicySummary: new(wireSummary(p, o))}
}

// createPolicy serves CreatePolicy.
func (h *handlers) createPolicy(ctx context.Context, call *api.Call, in *CreatePolicyInput) (*CreatePolicyOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p, o, rev, err := h.identity.CreateControlPolicy(ctx, call.Caller, trellis.OrganizationPolicy{
		Type: in.Type, Name: in.Name, Description: in.Description, Text: in.Content, Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreatePolicyOutput{Policy: wirePolicy(p, o)}, nil
}

// describePolicy serves DescribePolicy.
func (h *handlers) describePolicy(ctx context.Context, call *api.Call, in *DescribePolicyInput) (*DescribePolicyOutput, error) {
	p, o, err := h.identity.DescribeControlPolicy(ctx, call.Caller, in.PolicyId)
	if err != nil {
		return nil, err
	}
	return &DescribePolicyOutput{Policy: wirePolicy(p, o)}, nil
}

// updatePolicy serves UpdatePolicy.
func (h *handlers) updatePolicy(ctx context.Context, call *api.Call, in *UpdatePolicyInput) (*UpdatePolicyOutput, error) {
	p, o, rev, err := h.identity.UpdateControlPolicy(ctx, call.Caller, in.PolicyId, in.Name, in.Description, in.Content)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &UpdatePolicyOutput{Policy: wirePolicy(p, o)}, nil
}

// deletePolicy serves DeletePolicy.
func (h *handlers) deletePolicy(ctx context.Context, call *api.Call, in *DeletePolicyInput) (*DeletePolicyOutput, error) {
	rev, err := h.identity.DeleteControlPolicy(ctx, call.Caller, in.PolicyId)
	return api.Done(call, new(DeletePolicyOutput), rev, err)
}

// policies is one page of the policies of a type, of a target or of all.
func (h *handlers) policies(ctx context.Context, call *api.Call, policyType, target string, token *string, maxResults *int32) ([]PolicySummary, *string, error) {
	found, o, err := h.identity.ListControlPolicies(ctx, call.Caller, policyType, target)
	if err != nil {
		return nil, nil, err
	}
	found, next, err := page(call, found, (*trellis.OrganizationPolicy).Key, token, maxResults)
	if err != nil {
		return nil, nil, err
	}
	return api.Each(found, func(p *trellis.OrganizationPolicy) PolicySummary { return wireSummary(p, o) }), next, nil
}

// listPolicies serves ListPolicies.
func (h *handlers) listPolicies(ctx context.Context, call *api.Call, in *ListPoliciesInput) (*ListPoliciesOutput, error) {
	list, next, err := h.policies(ctx, call, in.Filter, "", in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &ListPoliciesOutput{NextToken: next, Policies: list}, nil
}

// listPoliciesForTarget serves ListPoliciesForTarget.
func (h *handlers) listPoliciesForTarget(ctx context.Context, call *api.Call, in *ListPoliciesForTargetInput) (*ListPoliciesForTargetOutput, error) {
	list, next, err := h.policies(ctx, call, in.Filter, in.TargetId, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &ListPoliciesForTargetOutput{NextToken: next, Policies: list}, nil
}

// listTargetsForPolicy serves ListTargetsForPolicy.
func (h *handlers) listTargetsForPolicy(ctx context.Context, call *api.Call, in *ListTargetsForPolicyInput) (*ListTargetsForPolicyOutput, error) {
	targets, err := h.identity.ControlTargets(ctx, call.Caller, in.PolicyId)
	if err != nil {
		return nil, err
	}
	targets, next, err := page(call, targets, func(t identity.ControlTarget) string { return t.ID }, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &ListTargetsForPolicyOutput{NextToken: next, Targets: api.Each(targets, func(t identity.ControlTarget) PolicyTargetSummary {
		return PolicyTargetSummary{Arn: &t.ARN, Name: &t.Name, TargetId: &t.ID, Type: &t.Type}
	})}, nil
}

// attachPolicy serves AttachPolicy.
func (h *handlers) attachPolicy(ctx context.Context, call *api.Call, in *AttachPolicyInput) (*AttachPolicyOutput, error) {
	rev, err := h.identity.AttachControlPolicy(ctx, call.Caller, in.PolicyId, in.TargetId)
	return api.Done(call, new(AttachPolicyOutput), rev, err)
}

// detachPolicy serves DetachPolicy.
func (h *handlers) detachPolicy(ctx context.Context, call *api.Call, in *DetachPolicyInput) (*DetachPolicyOutput, error) {
	rev, err := h.identity.DetachControlPolicy(ctx, call.Caller, in.PolicyId, in.TargetId)
	return api.Done(call, new(DetachPolicyOutput), rev, err)
}

// enablePolicyType serves EnablePolicyType.
func (h *handlers) enablePolicyType(ctx context.Context, call *api.Call, in *EnablePolicyTypeInput) (*EnablePolicyTypeOutput, error) {
	o, rev, err := h.identity.SetPolicyType(ctx, call.Caller, in.RootId, in.PolicyType, true)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &EnablePolicyTypeOutput{Root: new(wireRoot(o))}, nil
}

// disablePolicyType serves DisablePolicyType.
func (h *handlers) disablePolicyType(ctx context.Context, call *api.Call, in *DisablePolicyTypeInput) (*DisablePolicyTypeOutput, error) {
	o, rev, err := h.identity.SetPolicyType(ctx, call.Caller, in.RootId, in.PolicyType, false)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &DisablePolicyTypeOutput{Root: new(wireRoot(o))}, nil
}

// describeEffectivePolicy serves DescribeEffectivePolicy: there is none of the types that it is about.
func (h *handlers) describeEffectivePolicy(ctx context.Context, call *api.Call, _ *DescribeEffectivePolicyInput) (*DescribeEffectivePolicyOutput, error) {
	return nil, h.identity.EffectivePolicy(ctx, call.Caller)
}
