// Package sts serves AWS's Security Token Service on the wire. What its operations mean is package identity's
// matter.
package sts

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// handlers serve the operations; each translates between the wire and identity.
type handlers struct{ identity *identity.Identity }

// New returns STS with its table of operations.
func New(i *identity.Identity) api.Service {
	h := &handlers{i}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AssumeRole", h.assumeRole),
		api.Op("GetCallerIdentity", h.getCallerIdentity),
	}}
}

// getCallerIdentity serves GetCallerIdentity, which no policy can deny.
func (h *handlers) getCallerIdentity(_ context.Context, call *api.Call, _ *GetCallerIdentityInput) (*GetCallerIdentityOutput, error) {
	p := call.Caller.Principal
	return &GetCallerIdentityOutput{Account: &p.Account, Arn: &p.ARN, UserId: &p.UserID}, nil
}

// assumeRole serves AssumeRole.
func (h *handlers) assumeRole(ctx context.Context, call *api.Call, in *AssumeRoleInput) (*AssumeRoleOutput, error) {
	if in.SerialNumber != nil || in.TokenCode != nil || len(in.ProvidedContexts) > 0 || in.SourceIdentity != nil {
		return nil, trellis.NewError(400, "ValidationError", "Trellis has neither MFA devices, provided contexts nor source identities.")
	}
	if len(in.TransitiveTagKeys) > 0 {
		return nil, trellis.NewError(400, "ValidationError", "Trellis has no transitive session tags.")
	}
	ask := identity.AssumeRole{RoleARN: in.RoleArn, SessionName: in.RoleSessionName, SourceIP: call.SourceIP, Tags: map[string]string{}}
	if in.ExternalId != nil {
		ask.ExternalID = *in.ExternalId
	}
	if in.DurationSeconds != nil {
		ask.DurationSeconds = int(*in.DurationSeconds)
	}
	if in.Policy != nil {
		ask.Policy = *in.Policy
	}
	for _, p := range in.PolicyArns {
		if p.Arn != nil {
			ask.PolicyARNs = append(ask.PolicyARNs, *p.Arn)
		}
	}
	for _, t := range in.Tags {
		if _, twice := ask.Tags[t.Key]; twice {
			return nil, trellis.NewError(400, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		ask.Tags[t.Key] = t.Value
	}
	c, err := h.identity.AssumeRole(ctx, call.Caller, ask)
	if err != nil {
		return nil, err
	}
	out := &AssumeRoleOutput{
		AssumedRoleUser: &AssumedRoleUser{Arn: c.AssumedRoleARN, AssumedRoleId: c.AssumedRoleID},
		Credentials: &Credentials{
			AccessKeyId: c.AccessKeyID, Expiration: c.Expiration,
			SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken,
		},
	}
	if c.PackedSize > 0 {
		out.PackedPolicySize = new(int32(c.PackedSize))
	}
	return out, nil
}
