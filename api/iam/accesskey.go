package iam

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// createAccessKey serves CreateAccessKey.
func (h *handlers) createAccessKey(ctx context.Context, call *api.Call, in *CreateAccessKeyInput) (*CreateAccessKeyOutput, error) {
	user, err := identity.UserName(call.Caller, api.Value(in.UserName))
	if err != nil {
		return nil, err
	}
	k, rev, err := h.identity.CreateAccessKey(ctx, call.Caller, user)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateAccessKeyOutput{AccessKey: &AccessKey{
		AccessKeyId: k.ID, CreateDate: &k.CreatedAt, SecretAccessKey: k.Secret.Reveal(), Status: k.Status, UserName: k.UserName,
	}}, nil
}

// listAccessKeys serves ListAccessKeys.
func (h *handlers) listAccessKeys(ctx context.Context, call *api.Call, in *ListAccessKeysInput) (*ListAccessKeysOutput, error) {
	user, err := identity.UserName(call.Caller, api.Value(in.UserName))
	if err != nil {
		return nil, err
	}
	keys, err := h.identity.ListAccessKeys(ctx, call.Caller, user)
	if err != nil {
		return nil, err
	}
	keys, p, err := page(call, keys, (*trellis.AccessKey).Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &ListAccessKeysOutput{IsTruncated: p.truncated, Marker: p.marker, AccessKeyMetadata: []AccessKeyMetadata{}}
	for _, k := range keys {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, AccessKeyMetadata{
			AccessKeyId: &k.ID, CreateDate: &k.CreatedAt, Status: &k.Status, UserName: &k.UserName,
		})
	}
	return out, nil
}

// updateAccessKey serves UpdateAccessKey.
func (h *handlers) updateAccessKey(ctx context.Context, call *api.Call, in *UpdateAccessKeyInput) (*UpdateAccessKeyOutput, error) {
	user, err := identity.UserName(call.Caller, api.Value(in.UserName))
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.UpdateAccessKey(ctx, call.Caller, user, in.AccessKeyId, in.Status)
	return api.Done(call, new(UpdateAccessKeyOutput), rev, err)
}

// deleteAccessKey serves DeleteAccessKey.
func (h *handlers) deleteAccessKey(ctx context.Context, call *api.Call, in *DeleteAccessKeyInput) (*DeleteAccessKeyOutput, error) {
	user, err := identity.UserName(call.Caller, api.Value(in.UserName))
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.DeleteAccessKey(ctx, call.Caller, user, in.AccessKeyId)
	return api.Done(call, new(DeleteAccessKeyOutput), rev, err)
}
