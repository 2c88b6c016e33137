package sts

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// getSessionToken serves GetSessionToken.
func (h *handlers) getSessionToken(ctx context.Context, call *api.Call, in *GetSessionTokenInput) (*GetSessionTokenOutput, error) {
	c, err := h.identity.SessionToken(ctx, call.Caller, int(api.Value(in.DurationSeconds)), api.Value(in.SerialNumber), api.Value(in.TokenCode))
	if err != nil {
		return nil, err
	}
	return &GetSessionTokenOutput{Credentials: credentials(c)}, nil
}

// getFederationToken serves GetFederationToken.
func (h *handlers) getFederationToken(ctx context.Context, call *api.Call, in *GetFederationTokenInput) (*GetFederationTokenOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	c, err := h.identity.FederationToken(ctx, call.Caller, identity.FederationToken{Name: in.Name, DurationSeconds: int(api.Value(in.DurationSeconds)),
		Tags: tags, Policy: api.Value(in.Policy), PolicyARNs: arnsOf(in.PolicyArns)})
	if err != nil {
		return nil, err
	}
	return &GetFederationTokenOutput{Credentials: credentials(c.Credentials), PackedPolicySize: packedSize(c.Credentials),
		FederatedUser: &FederatedUser{Arn: c.ARN, FederatedUserId: c.ID}}, nil
}
