package vpclattice

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/trellis-project/trellis/api"
)

// putAuthPolicy serves PutAuthPolicy.
func (h *handler) putAuthPolicy(ctx context.Context, c *api.Call, in *PutAuthPolicyInput) (*PutAuthPolicyOutput, error) {
	a, rev, err := h.plane.PutAuthPolicy(ctx, c.Caller, in.ResourceIdentifier, in.Policy)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &PutAuthPolicyOutput{Policy: compact(a.Text), State: text(a.State)}, nil
}

// getAuthPolicy serves GetAuthPolicy. A resource without an auth policy answers with nothing in it.
func (h *handler) getAuthPolicy(ctx context.Context, c *api.Call, in *GetAuthPolicyInput) (*GetAuthPolicyOutput, error) {
	a, err := h.plane.GetAuthPolicy(ctx, c.Caller, in.ResourceIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetAuthPolicyOutput{Policy: compact(a.Text), State: text(a.State), CreatedAt: at(a.CreatedAt), LastUpdatedAt: at(a.UpdatedAt)}, nil
}

// deleteAuthPolicy serves DeleteAuthPolicy.
func (h *handler) deleteAuthPolicy(ctx context.Context, c *api.Call, in *DeleteAuthPolicyInput) (*DeleteAuthPolicyOutput, error) {
	rev, err := h.plane.DeleteAuthPolicy(ctx, c.Caller, in.ResourceIdentifier)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &DeleteAuthPolicyOutput{}, nil
}

// compact is a policy's text without the white space around its values, as AWS gives it back; the order of
// everything in it stays.
func compact(policy string) *string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(policy)); err != nil {
		return text(policy)
	}
	return new(b.String())
}
