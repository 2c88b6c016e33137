package kms

import (
	"context"
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// createAlias serves CreateAlias.
func (h *handler) createAlias(ctx context.Context, c *api.Call, in *CreateAliasInput) (*CreateAliasOutput, error) {
	rev, err := h.keys.PutAlias(ctx, c.Caller, in.AliasName, in.TargetKeyId, false)
	return api.Done(c, &CreateAliasOutput{}, rev, err)
}

// updateAlias serves UpdateAlias.
func (h *handler) updateAlias(ctx context.Context, c *api.Call, in *UpdateAliasInput) (*UpdateAliasOutput, error) {
	rev, err := h.keys.PutAlias(ctx, c.Caller, in.AliasName, in.TargetKeyId, true)
	return api.Done(c, &UpdateAliasOutput{}, rev, err)
}

// deleteAlias serves DeleteAlias.
func (h *handler) deleteAlias(ctx context.Context, c *api.Call, in *DeleteAliasInput) (*DeleteAliasOutput, error) {
	rev, err := h.keys.DeleteAlias(ctx, c.Caller, in.AliasName)
	return api.Done(c, &DeleteAliasOutput{}, rev, err)
}

// listAliases serves ListAliases.
func (h *handler) listAliases(ctx context.Context, c *api.Call, in *ListAliasesInput) (*ListAliasesOutput, error) {
	all, err := h.keys.Aliases(ctx, c.Caller, api.Value(in.KeyId))
	if err != nil {
		return nil, err
	}
	all, next, more, err := page(c, all, func(a *trellis.KeyAlias) string { return a.ID }, in.Limit, in.Marker, 50)
	return &ListAliasesOutput{NextMarker: next, Truncated: more, Aliases: api.Each(all, func(a *trellis.KeyAlias) AliasListEntry {
		return AliasListEntry{AliasArn: new(a.ARN(h.keys.Region)), AliasName: &a.ID, CreationDate: &a.CreatedAt, LastUpdatedDate: &a.UpdatedAt, TargetKeyId: &a.KeyID}
	})}, err
}

// putKeyPolicy serves PutKeyPolicy.
func (h *handler) putKeyPolicy(ctx context.Context, c *api.Call, in *PutKeyPolicyInput) (*PutKeyPolicyOutput, error) {
	rev, err := h.keys.PutPolicy(ctx, c.Caller, in.KeyId, api.Value(in.PolicyName), in.Policy, api.Value(in.BypassPolicyLockoutSafetyCheck))
	return api.Done(c, &PutKeyPolicyOutput{}, rev, err)
}

// getKeyPolicy serves GetKeyPolicy.
func (h *handler) getKeyPolicy(ctx context.Context, c *api.Call, in *GetKeyPolicyInput) (*GetKeyPolicyOutput, error) {
	text, err := h.keys.Policy(ctx, c.Caller, in.KeyId, api.Value(in.PolicyName))
	return &GetKeyPolicyOutput{Policy: &text, PolicyName: new("default")}, err
}

// listKeyPolicies serves ListKeyPolicies.
func (h *handler) listKeyPolicies(ctx context.Context, c *api.Call, in *ListKeyPoliciesInput) (*ListKeyPoliciesOutput, error) {
	names, err := h.keys.Policies(ctx, c.Caller, in.KeyId)
	if err != nil {
		return nil, err
	}
	names, next, more, err := page(c, names, func(n string) string { return n }, in.Limit, in.Marker, 100)
	return &ListKeyPoliciesOutput{NextMarker: next, PolicyNames: names, Truncated: more}, err
}

// fromTags makes a map of a request's tags. A key that comes twice is refused.
func fromTags(tags []Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range tags {
		if _, twice := m[t.TagKey]; twice {
			return nil, trellis.NewError(400, "TagException", "Duplicate tag keys")
		}
		m[t.TagKey] = t.TagValue
	}
	return m, nil
}

// tagResource serves TagResource.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.keys.Tag(ctx, c.Caller, in.KeyId, tags)
	return api.Done(c, &TagResourceOutput{}, rev, err)
}

// untagResource serves UntagResource.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.keys.Untag(ctx, c.Caller, in.KeyId, in.TagKeys)
	return api.Done(c, &UntagResourceOutput{}, rev, err)
}

// listResourceTags serves ListResourceTags.
func (h *handler) listResourceTags(ctx context.Context, c *api.Call, in *ListResourceTagsInput) (*ListResourceTagsOutput, error) {
	k, err := h.keys.Look(ctx, c.Caller, "kms:ListResourceTags", in.KeyId, false)
	if err != nil {
		return nil, err
	}
	names, next, more, err := page(c, slices.Collect(maps.Keys(k.Tags)), func(n string) string { return n }, in.Limit, in.Marker, 50)
	return &ListResourceTagsOutput{NextMarker: next, Truncated: more, Tags: api.Each(names, func(n string) Tag { return Tag{TagKey: n, TagValue: k.Tags[n]} })}, err
}
