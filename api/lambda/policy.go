package lambda

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/function"
)

// addPermission serves AddPermission.
func (h *handler) addPermission(ctx context.Context, c *api.Call, in *AddPermissionInput) (*AddPermissionOutput, error) {
	text, rev, err := h.functions.AddPermission(ctx, c.Caller, in.FunctionName, api.Value(in.Qualifier), function.Permission{StatementID: in.StatementId, Action: in.Action,
		Principal: in.Principal, SourceARN: api.Value(in.SourceArn), SourceAccount: api.Value(in.SourceAccount), Organization: api.Value(in.PrincipalOrgID),
		URLAuthType: api.Value(in.FunctionUrlAuthType), EventToken: api.Value(in.EventSourceToken), Revision: api.Value(in.RevisionId), ByURL: in.InvokedViaFunctionUrl})
	return api.Done(c, &AddPermissionOutput{Statement: &text}, rev, err)
}

// getPolicy serves GetPolicy.
func (h *handler) getPolicy(ctx context.Context, c *api.Call, in *GetPolicyInput) (*GetPolicyOutput, error) {
	p, err := h.functions.Policy(ctx, c.Caller, in.FunctionName, api.Value(in.Qualifier))
	if err != nil {
		return nil, err
	}
	return &GetPolicyOutput{Policy: new(function.Document(p)), RevisionId: &p.RevisionID}, nil
}

// removePermission serves RemovePermission.
func (h *handler) removePermission(ctx context.Context, c *api.Call, in *RemovePermissionInput) (*RemovePermissionOutput, error) {
	rev, err := h.functions.RemovePermission(ctx, c.Caller, in.FunctionName, api.Value(in.Qualifier), in.StatementId, api.Value(in.RevisionId))
	return api.Done(c, &RemovePermissionOutput{}, rev, err)
}

// tagResource serves TagResource.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	rev, err := h.functions.Tag(ctx, c.Caller, in.Resource, in.Tags)
	return api.Done(c, &TagResourceOutput{}, rev, err)
}

// untagResource serves UntagResource.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.functions.Untag(ctx, c.Caller, in.Resource, in.TagKeys)
	return api.Done(c, &UntagResourceOutput{}, rev, err)
}

// listTags serves ListTags.
func (h *handler) listTags(ctx context.Context, c *api.Call, in *ListTagsInput) (*ListTagsOutput, error) {
	tags, err := h.functions.Tags(ctx, c.Caller, in.Resource)
	if tags == nil {
		tags = map[string]string{}
	}
	return &ListTagsOutput{Tags: tags}, err
}

// putFunctionConcurrency serves PutFunctionConcurrency.
func (h *handler) putFunctionConcurrency(ctx context.Context, c *api.Call, in *PutFunctionConcurrencyInput) (*PutFunctionConcurrencyOutput, error) {
	rev, err := h.functions.Reserve(ctx, c.Caller, in.FunctionName, new(int(in.ReservedConcurrentExecutions)))
	return api.Done(c, &PutFunctionConcurrencyOutput{ReservedConcurrentExecutions: &in.ReservedConcurrentExecutions}, rev, err)
}

// getFunctionConcurrency serves GetFunctionConcurrency.
func (h *handler) getFunctionConcurrency(ctx context.Context, c *api.Call, in *GetFunctionConcurrencyInput) (*GetFunctionConcurrencyOutput, error) {
	v, err := h.functions.Function(ctx, c.Caller, "GetFunctionConcurrency", in.FunctionName, "")
	if err != nil || v.Reserved == nil {
		return &GetFunctionConcurrencyOutput{}, err
	}
	return &GetFunctionConcurrencyOutput{ReservedConcurrentExecutions: new(int32(*v.Reserved))}, nil
}

// deleteFunctionConcurrency serves DeleteFunctionConcurrency.
func (h *handler) deleteFunctionConcurrency(ctx context.Context, c *api.Call, in *DeleteFunctionConcurrencyInput) (*DeleteFunctionConcurrencyOutput, error) {
	rev, err := h.functions.Reserve(ctx, c.Caller, in.FunctionName, nil)
	return api.Done(c, &DeleteFunctionConcurrencyOutput{}, rev, err)
}

// getAccountSettings serves GetAccountSettings. The sizes of one function are AWS's.
func (h *handler) getAccountSettings(ctx context.Context, c *api.Call, _ *GetAccountSettingsInput) (*GetAccountSettingsOutput, error) {
	u, err := h.functions.Account(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	return &GetAccountSettingsOutput{
		AccountLimit: &AccountLimit{CodeSizeUnzipped: new(int64(262144000)), CodeSizeZipped: new(int64(52428800)), ConcurrentExecutions: new(int32(u.Concurrency)),
			TotalCodeSize: &u.CodeLimit, UnreservedConcurrentExecutions: new(int32(u.Unreserved))},
		AccountUsage: &AccountUsage{FunctionCount: new(int64(u.Functions)), TotalCodeSize: &u.Code}}, nil
}
