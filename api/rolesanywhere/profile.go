package rolesanywhere

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// profile is a profile as answers have it.
func (h *handler) profile(n *trellis.AnywhereProfile) *ProfileDetail {
	return &ProfileDetail{
		ProfileId: &n.ID, ProfileArn: new(n.ARN(h.region)), Name: &n.Name, Enabled: &n.Enabled, CreatedAt: &n.CreatedAt, UpdatedAt: &n.UpdatedAt,
		AliasName: api.Some(n.Alias), AliasArn: api.Some(identity.AnywhereAliasARN(n, n.Account, h.region)), CreatedBy: api.Some(n.CreatedBy),
		RoleArns: append([]string{}, n.RoleARNs...), ManagedPolicyArns: append([]string{}, n.ManagedPolicyARNs...), SessionPolicy: api.Some(n.SessionPolicy),
		DurationSeconds: new(int32(n.DurationSeconds)), AcceptRoleSessionName: &n.AcceptRoleSessionName, RequireInstanceProperties: &n.RequireInstanceProps,
		AttributeMappings: api.Each(n.AttributeMappings, mapping),
	}
}

// mapping is what becomes session tags of a field as answers have it.
func mapping(r trellis.X509Rule) AttributeMapping {
	return AttributeMapping{CertificateField: &r.Field, MappingRules: api.Each(r.Specifiers, func(s string) MappingRule { return MappingRule{Specifier: s} })}
}

// createProfile serves CreateProfile.
func (h *handler) createProfile(ctx context.Context, c *api.Call, in *CreateProfileInput) (*CreateProfileOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	n, rev, err := h.identity.CreateAnywhereProfile(ctx, c.Caller, trellis.AnywhereProfile{Meta: trellis.Meta{Tags: tags}, Name: in.Name,
		Alias: api.Value(in.AliasName), Enabled: api.Value(in.Enabled), RoleARNs: in.RoleArns, SessionPolicy: api.Value(in.SessionPolicy),
		ManagedPolicyARNs: in.ManagedPolicyArns, DurationSeconds: int(api.Value(in.DurationSeconds)),
		AcceptRoleSessionName: api.Value(in.AcceptRoleSessionName), RequireInstanceProps: api.Value(in.RequireInstanceProperties)})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateProfileOutput{Profile: h.profile(n)}, rev, nil)
}

// getProfile serves GetProfile.
func (h *handler) getProfile(ctx context.Context, c *api.Call, in *GetProfileInput) (*GetProfileOutput, error) {
	n, err := h.identity.GetAnywhereProfile(ctx, c.Caller, in.ProfileId)
	if err != nil {
		return nil, err
	}
	return &GetProfileOutput{Profile: h.profile(n)}, nil
}

// listProfiles serves ListProfiles.
func (h *handler) listProfiles(ctx context.Context, c *api.Call, in *ListProfilesInput) (*ListProfilesOutput, error) {
	all, err := h.identity.ListAnywhereProfiles(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(c, all, func(n *trellis.AnywhereProfile) string { return n.ID }, in.NextToken, in.PageSize)
	if err != nil {
		return nil, err
	}
	return &ListProfilesOutput{Profiles: api.Each(page, func(n *trellis.AnywhereProfile) ProfileDetail { return *h.profile(n) }), NextToken: next}, nil
}

// updateProfile serves UpdateProfile.
func (h *handler) updateProfile(ctx context.Context, c *api.Call, in *UpdateProfileInput) (*UpdateProfileOutput, error) {
	n, before, rev, err := h.identity.UpdateAnywhereProfile(ctx, c.Caller, in.ProfileId, identity.ProfileChange{Name: in.Name, Alias: in.AliasName,
		SessionPolicy: in.SessionPolicy, DurationSeconds: api.Int(in.DurationSeconds), AcceptRoleSessionName: in.AcceptRoleSessionName,
		RoleARNs: in.RoleArns, ManagedPolicyARNs: in.ManagedPolicyArns})
	if err != nil {
		return nil, err
	}
	out := h.profile(n)
	out.PreviousAliasName = api.Some(before)
	return api.Done(c, &UpdateProfileOutput{Profile: out}, rev, nil)
}

// enableProfile serves EnableProfile.
func (h *handler) enableProfile(ctx context.Context, c *api.Call, in *EnableProfileInput) (*EnableProfileOutput, error) {
	n, rev, err := h.identity.EnableAnywhereProfile(ctx, c.Caller, "rolesanywhere:EnableProfile", in.ProfileId, true)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &EnableProfileOutput{Profile: h.profile(n)}, rev, nil)
}

// disableProfile serves DisableProfile.
func (h *handler) disableProfile(ctx context.Context, c *api.Call, in *DisableProfileInput) (*DisableProfileOutput, error) {
	n, rev, err := h.identity.EnableAnywhereProfile(ctx, c.Caller, "rolesanywhere:DisableProfile", in.ProfileId, false)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DisableProfileOutput{Profile: h.profile(n)}, rev, nil)
}

// deleteProfile serves DeleteProfile.
func (h *handler) deleteProfile(ctx context.Context, c *api.Call, in *DeleteProfileInput) (*DeleteProfileOutput, error) {
	n, rev, err := h.identity.DeleteAnywhereProfile(ctx, c.Caller, in.ProfileId)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DeleteProfileOutput{Profile: h.profile(n)}, rev, nil)
}

// putAttributeMapping serves PutAttributeMapping.
func (h *handler) putAttributeMapping(ctx context.Context, c *api.Call, in *PutAttributeMappingInput) (*PutAttributeMappingOutput, error) {
	rule := trellis.X509Rule{Field: in.CertificateField, Specifiers: api.Each(in.MappingRules, func(r MappingRule) string { return r.Specifier })}
	n, rev, err := h.identity.PutAttributeMapping(ctx, c.Caller, in.ProfileId, rule)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &PutAttributeMappingOutput{Profile: h.profile(n)}, rev, nil)
}

// deleteAttributeMapping serves DeleteAttributeMapping.
func (h *handler) deleteAttributeMapping(ctx context.Context, c *api.Call, in *DeleteAttributeMappingInput) (*DeleteAttributeMappingOutput, error) {
	n, rev, err := h.identity.DeleteAttributeMapping(ctx, c.Caller, in.ProfileId, trellis.X509Rule{Field: in.CertificateField, Specifiers: in.Specifiers})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DeleteAttributeMappingOutput{Profile: h.profile(n)}, rev, nil)
}
