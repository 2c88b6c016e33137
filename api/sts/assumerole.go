package sts

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// assumeRole serves AssumeRole.
func (h *handlers) assumeRole(ctx context.Context, call *api.Call, in *AssumeRoleInput) (*AssumeRoleOutput, error) {
	if len(in.ProvidedContexts) > 0 {
		return nil, trellis.NewError(400, "ValidationError", "Trellis knows no providers of contexts.")
	}
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	c, err := h.identity.AssumeRole(ctx, call.Caller, identity.AssumeRole{
		RoleARN: in.RoleArn, SessionName: in.RoleSessionName, ExternalID: api.Value(in.ExternalId),
		DurationSeconds: int(api.Value(in.DurationSeconds)), Tags: tags, TransitiveTags: in.TransitiveTagKeys,
		Policy: api.Value(in.Policy), PolicyARNs: arnsOf(in.PolicyArns), SourceIdentity: api.Value(in.SourceIdentity),
		MFASerial: api.Value(in.SerialNumber), MFACode: api.Value(in.TokenCode),
	})
	if err != nil {
		return nil, err
	}
	return &AssumeRoleOutput{
		AssumedRoleUser: &AssumedRoleUser{Arn: c.AssumedRoleARN, AssumedRoleId: c.AssumedRoleID},
		Credentials:     credentials(c), PackedPolicySize: packedSize(c), SourceIdentity: api.Some(c.SourceIdentity),
	}, nil
}

// credentials are those of a session as the wire has them.
func credentials(c *identity.Credentials) *Credentials {
	return &Credentials{AccessKeyId: c.AccessKeyID, Expiration: c.Expiration,
		SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken}
}

// packedSize is how much of what policies and tags may take a session takes, in percent; absent without any.
func packedSize(c *identity.Credentials) *int32 { return api.Some(int32(c.PackedSize)) }

// arnsOf are the ARNs of session policies.
func arnsOf(list []PolicyDescriptorType) (arns []string) {
	for _, p := range list {
		if p.Arn != nil {
			arns = append(arns, *p.Arn)
		}
	}
	return arns
}

// tagsOf are session tags by key. A key that comes twice is refused here; what else is wrong is told by identity.
func tagsOf(list []Tag) (map[string]string, error) {
	tags := make(map[string]string, len(list))
	for _, t := range list {
		if _, twice := tags[t.Key]; twice {
			return nil, trellis.NewError(400, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		tags[t.Key] = t.Value
	}
	return tags, nil
}
