package identity

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// WebIdentity is what somebody without credentials asks of Identity.AssumeRoleWithWebIdentity.
type WebIdentity struct {
	RoleARN         string
	SessionName     string
	Token           string // a JWT of an OIDC provider of the role's account
	DurationSeconds int    // 0: an hour
	Policy          string // session policy
	PolicyARNs      []string
	Context         map[string][]string // condition keys of the call by lower-case name, for example aws:sourceip
}

// WebIdentityCredentials are those of a session with what the token said.
type WebIdentityCredentials struct {
	*Credentials
	Subject  string
	Audience string
	Provider string // ARN
}

// AssumeRoleWithWebIdentity makes a session of a role for whom an OIDC provider of the role's account vouches. The
// token must be the provider's, for one of its audiences, and the role's trust policy decides about its claims
// (STS API reference, AssumeRoleWithWebIdentity).
func (i *Identity) AssumeRoleWithWebIdentity(ctx context.Context, in WebIdentity) (*WebIdentityCredentials, error) {
	if !isRoleARN(in.RoleARN) {
		return nil, stsInvalid("%s is invalid", in.RoleARN)
	}
	unchecked, err := parseToken(in.Token)
	if err != nil {
		return nil, err
	}
	provider, err := i.providerOf(ctx, in.RoleARN, unchecked.Issuer)
	if err != nil {
		return nil, err
	}
	token, err := i.verifyToken(ctx, in.Token, provider)
	if err != nil {
		return nil, err
	}
	q, err := in.request(provider, token)
	if err != nil {
		return nil, err
	}
	caller := &authpolicy.Caller{Context: in.Context,
		Principal: trellis.Principal{Type: trellis.PrincipalWebIdentity, FederatedProvider: provider.ARN(), UserID: token.Subject}}
	c, err := i.session(ctx, q, in.RoleARN, caller, func(action string) *trellis.Error {
		return trellis.NewError(403, "AccessDenied", "Not authorized to perform %s", action)
	})
	if err != nil {
		return nil, err
	}
	return &WebIdentityCredentials{Credentials: c, Subject: token.Subject, Audience: token.audience, Provider: provider.ARN()}, nil
}

// request is the session that is asked for: what the token's issuer says of tags and source identity goes in.
func (in *WebIdentity) request(p *trellis.OIDCProvider, t *webToken) (*sessionRequest, error) {
	claims := t.conditionKeys(p.ID)
	q := &sessionRequest{action: "sts:AssumeRoleWithWebIdentity", name: in.SessionName, seconds: in.DurationSeconds,
		tags: t.tags, transitive: t.transitive, policy: in.Policy, policyARNs: in.PolicyARNs, sourceIdentity: t.sourceIdentity,
		provider: p.ARN(), keys: claims, context: map[string][]string{}}
	// What later requests of the session are asked about (IAM user guide, condition-keys-wif).
	for _, name := range []string{"aud", "sub", "amr"} {
		if key := claimKey(p.ID, name); claims[key] != nil {
			q.context[key] = claims[key]
		}
	}
	return q, q.check()
}

// providerOf finds the provider of an issuer in a role's account.
func (i *Identity) providerOf(ctx context.Context, roleARN, issuer string) (p *trellis.OIDCProvider, err error) {
	a, _ := trellis.ParseARN(roleARN)
	none := trellis.NewError(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for %s", printable(issuer))
	_, id, ok := strings.Cut(issuer, "://")
	if !ok {
		return nil, none
	}
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		p, err = store.Get[*trellis.OIDCProvider](tx, a.Account+"/"+id)
		return err
	})
	switch {
	case errors.Is(err, trellis.ErrNotExist), err == nil && p.URL != issuer:
		return nil, none
	case err != nil:
		return nil, err
	}
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || i.o.Strict) || u.Host == "" || u.User != nil {
		return nil, none
	}
	return p, nil
}

// verifyToken holds a token against its provider: signature, issuer, audience and times.
func (i *Identity) verifyToken(ctx context.Context, raw string, p *trellis.OIDCProvider) (*webToken, error) {
	keys := &tokenKeys{issuers: i.issuers, provider: p}
	t, err := checkToken(ctx, raw, p, keys, i.o.Now)
	if keys.failure != nil {
		i.o.Log.Info("keys of an issuer are not to be had", "issuer", p.URL, "account", p.Account, "error", keys.failure)
	}
	return t, err
}

// audienceOf returns the first audience of a token that a provider takes tokens for.
func audienceOf(audiences []string, p *trellis.OIDCProvider) (string, bool) {
	for _, a := range audiences {
		if slices.Contains(p.ClientIDs, a) {
			return a, true
		}
	}
	return "", false
}

// printable shortens what a client sent to what an error repeats.
func printable(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "?")
}
