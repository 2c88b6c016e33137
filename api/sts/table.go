// Package sts serves AWS's Security Token Service on the wire. What its operations mean is package identity's
// matter.
package sts

import (
	"context"

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
		api.Unserved("AssumeRoleWithSAML").Unsigned(),
		api.Op("AssumeRoleWithWebIdentity", h.assumeRoleWithWebIdentity).Unsigned().Partly("tokens of OIDC providers; well-known ones without a provider are refused"),
		api.Unserved("AssumeRoot"),
		api.Op("DecodeAuthorizationMessage", h.decodeAuthorizationMessage),
		api.Op("GetAccessKeyInfo", h.getAccessKeyInfo),
		api.Op("GetCallerIdentity", h.getCallerIdentity),
		api.Unserved("GetDelegatedAccessToken"),
		api.Op("GetFederationToken", h.getFederationToken),
		api.Op("GetSessionToken", h.getSessionToken),
		api.Unserved("GetWebIdentityToken"),
	}}
}

// getCallerIdentity serves GetCallerIdentity, which no policy can deny.
func (h *handlers) getCallerIdentity(_ context.Context, call *api.Call, _ *GetCallerIdentityInput) (*GetCallerIdentityOutput, error) {
	p := call.Caller.Principal
	return &GetCallerIdentityOutput{Account: &p.Account, Arn: &p.ARN, UserId: &p.UserID}, nil
}

// getAccessKeyInfo serves GetAccessKeyInfo.
func (h *handlers) getAccessKeyInfo(ctx context.Context, call *api.Call, in *GetAccessKeyInfoInput) (*GetAccessKeyInfoOutput, error) {
	account, err := h.identity.AccessKeyAccount(ctx, call.Caller, in.AccessKeyId)
	return &GetAccessKeyInfoOutput{Account: &account}, err
}

// decodeAuthorizationMessage serves DecodeAuthorizationMessage.
func (h *handlers) decodeAuthorizationMessage(_ context.Context, call *api.Call, in *DecodeAuthorizationMessageInput) (*DecodeAuthorizationMessageOutput, error) {
	text, err := h.identity.OpenDenial(call.Caller, in.EncodedMessage)
	return &DecodeAuthorizationMessageOutput{DecodedMessage: &text}, err
}
