package iam

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// createOpenIDConnectProvider serves CreateOpenIDConnectProvider.
func (h *handlers) createOpenIDConnectProvider(ctx context.Context, call *api.Call, in *CreateOpenIDConnectProviderInput) (*CreateOpenIDConnectProviderOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p := trellis.OIDCProvider{URL: in.Url, ClientIDs: in.ClientIDList, Thumbprints: in.ThumbprintList}
	p.Tags = tags
	made, rev, err := h.identity.CreateOIDCProvider(ctx, call.Caller, p)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: new(made.ARN()), Tags: toTags(made.Tags)}, nil
}

// getOpenIDConnectProvider serves GetOpenIDConnectProvider. AWS's answer has the URL without its scheme.
func (h *handlers) getOpenIDConnectProvider(ctx context.Context, call *api.Call, in *GetOpenIDConnectProviderInput) (*GetOpenIDConnectProviderOutput, error) {
	p, err := h.identity.GetOIDCProvider(ctx, call.Caller, "iam:GetOpenIDConnectProvider", in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &GetOpenIDConnectProviderOutput{ClientIDList: p.ClientIDs, CreateDate: &p.CreatedAt, Tags: toTags(p.Tags), ThumbprintList: p.Thumbprints, Url: &p.ID}, nil
}

// listOpenIDConnectProviders serves ListOpenIDConnectProviders.
func (h *handlers) listOpenIDConnectProviders(ctx context.Context, call *api.Call, _ *ListOpenIDConnectProvidersInput) (*ListOpenIDConnectProvidersOutput, error) {
	found, err := h.identity.ListOIDCProviders(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	return &ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: api.Each(found, func(p *trellis.OIDCProvider) OpenIDConnectProviderListEntry {
		return OpenIDConnectProviderListEntry{Arn: new(p.ARN())}
	})}, nil
}

// deleteOpenIDConnectProvider serves DeleteOpenIDConnectProvider.
func (h *handlers) deleteOpenIDConnectProvider(ctx context.Context, call *api.Call, in *DeleteOpenIDConnectProviderInput) (*DeleteOpenIDConnectProviderOutput, error) {
	rev, err := h.identity.DeleteOIDCProvider(ctx, call.Caller, in.OpenIDConnectProviderArn)
	return api.Done(call, new(DeleteOpenIDConnectProviderOutput), rev, err)
}

// addClientIDToOpenIDConnectProvider serves AddClientIDToOpenIDConnectProvider.
func (h *handlers) addClientIDToOpenIDConnectProvider(ctx context.Context, call *api.Call, in *AddClientIDToOpenIDConnectProviderInput) (*AddClientIDToOpenIDConnectProviderOutput, error) {
	rev, err := h.identity.AddClientID(ctx, call.Caller, in.OpenIDConnectProviderArn, in.ClientID)
	return api.Done(call, new(AddClientIDToOpenIDConnectProviderOutput), rev, err)
}

// removeClientIDFromOpenIDConnectProvider serves RemoveClientIDFromOpenIDConnectProvider.
func (h *handlers) removeClientIDFromOpenIDConnectProvider(ctx context.Context, call *api.Call, in *RemoveClientIDFromOpenIDConnectProviderInput) (*RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	rev, err := h.identity.RemoveClientID(ctx, call.Caller, in.OpenIDConnectProviderArn, in.ClientID)
	return api.Done(call, new(RemoveClientIDFromOpenIDConnectProviderOutput), rev, err)
}

// updateOpenIDConnectProviderThumbprint serves UpdateOpenIDConnectProviderThumbprint.
func (h *handlers) updateOpenIDConnectProviderThumbprint(ctx context.Context, call *api.Call, in *UpdateOpenIDConnectProviderThumbprintInput) (*UpdateOpenIDConnectProviderThumbprintOutput, error) {
	rev, err := h.identity.UpdateThumbprints(ctx, call.Caller, in.OpenIDConnectProviderArn, in.ThumbprintList)
	return api.Done(call, new(UpdateOpenIDConnectProviderThumbprintOutput), rev, err)
}

// tagOpenIDConnectProvider serves TagOpenIDConnectProvider.
func (h *handlers) tagOpenIDConnectProvider(ctx context.Context, call *api.Call, in *TagOpenIDConnectProviderInput) (*TagOpenIDConnectProviderOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.TagOIDCProvider(ctx, call.Caller, in.OpenIDConnectProviderArn, tags)
	return api.Done(call, new(TagOpenIDConnectProviderOutput), rev, err)
}

// untagOpenIDConnectProvider serves UntagOpenIDConnectProvider.
func (h *handlers) untagOpenIDConnectProvider(ctx context.Context, call *api.Call, in *UntagOpenIDConnectProviderInput) (*UntagOpenIDConnectProviderOutput, error) {
	rev, err := h.identity.UntagOIDCProvider(ctx, call.Caller, in.OpenIDConnectProviderArn, in.TagKeys)
	return api.Done(call, new(UntagOpenIDConnectProviderOutput), rev, err)
}

// listOpenIDConnectProviderTags serves ListOpenIDConnectProviderTags.
func (h *handlers) listOpenIDConnectProviderTags(ctx context.Context, call *api.Call, in *ListOpenIDConnectProviderTagsInput) (*ListOpenIDConnectProviderTagsOutput, error) {
	found, err := h.identity.GetOIDCProvider(ctx, call.Caller, "iam:ListOpenIDConnectProviderTags", in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	list, p, err := pageTags(call, found.Tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListOpenIDConnectProviderTagsOutput{IsTruncated: p.truncated, Marker: p.marker, Tags: list}, nil
}
