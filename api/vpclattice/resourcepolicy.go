package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis/api"
)

// putResourcePolicy serves PutResourcePolicy.
func (h *handler) putResourcePolicy(ctx context.Context, c *api.Call, in *PutResourcePolicyInput) (*PutResourcePolicyOutput, error) {
	rev, err := h.plane.PutResourcePolicy(ctx, c.Caller, in.ResourceArn, in.Policy)
	return api.Done(c, &PutResourcePolicyOutput{}, rev, err)
}

// getResourcePolicy serves GetResourcePolicy.
func (h *handler) getResourcePolicy(ctx context.Context, c *api.Call, in *GetResourcePolicyInput) (*GetResourcePolicyOutput, error) {
	found, err := h.plane.GetResourcePolicy(ctx, c.Caller, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &GetResourcePolicyOutput{Policy: compact(found)}, nil
}

// deleteResourcePolicy serves DeleteResourcePolicy.
func (h *handler) deleteResourcePolicy(ctx context.Context, c *api.Call, in *DeleteResourcePolicyInput) (*DeleteResourcePolicyOutput, error) {
	rev, err := h.plane.DeleteResourcePolicy(ctx, c.Caller, in.ResourceArn)
	return api.Done(c, &DeleteResourcePolicyOutput{}, rev, err)
}
