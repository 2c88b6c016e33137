package sts

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// assumeRoleWithWebIdentity serves AssumeRoleWithWebIdentity, which nobody signs.
func (h *handlers) assumeRoleWithWebIdentity(ctx context.Context, call *api.Call, in *AssumeRoleWithWebIdentityInput) (*AssumeRoleWithWebIdentityOutput, error) {
	if in.ProviderId != nil {
		return nil, trellis.NewError(400, "InvalidIdentityToken", "Trellis takes tokens of OpenID Connect providers alone, which have no ProviderId.")
	}
	c, err := h.identity.AssumeRoleWithWebIdentity(ctx, identity.WebIdentity{
		RoleARN: in.RoleArn, SessionName: in.RoleSessionName, Token: in.WebIdentityToken, DurationSeconds: int(api.Value(in.DurationSeconds)),
		Policy: api.Value(in.Policy), PolicyARNs: arnsOf(in.PolicyArns), Context: call.Caller.Context,
	})
	if err != nil {
		return nil, err
	}
	return &AssumeRoleWithWebIdentityOutput{
		AssumedRoleUser: &AssumedRoleUser{Arn: c.AssumedRoleARN, AssumedRoleId: c.AssumedRoleID},
		Credentials:     credentials(c.Credentials), PackedPolicySize: packedSize(c.Credentials), SourceIdentity: api.Some(c.SourceIdentity),
		SubjectFromWebIdentityToken: &c.Subject, Audience: &c.Audience, Provider: &c.Provider,
	}, nil
}
