package kms

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/key"
)

// principal is who has a grant, or may retire it: one of the two, or neither.
func principal(arn, service *string) trellis.GrantPrincipal {
	return trellis.GrantPrincipal{ARN: api.Value(arn), Service: api.Value(service)}
}

// createGrant serves CreateGrant.
func (h *handler) createGrant(ctx context.Context, c *api.Call, in *CreateGrantInput) (*CreateGrantOutput, error) {
	g := key.NewGrant{KeyID: in.KeyId, Name: api.Value(in.Name), Grantee: principal(in.GranteePrincipal, in.GranteeServicePrincipal),
		Retirer: principal(in.RetiringPrincipal, in.RetiringServicePrincipal), Terms: trellis.GrantTerms{Operations: in.Operations},
		Tokens: in.GrantTokens, DryRun: api.Value(in.DryRun)}
	if t := in.Constraints; t != nil {
		g.Terms.ContextEquals, g.Terms.ContextSubset, g.Terms.SourceARN = t.EncryptionContextEquals, t.EncryptionContextSubset, api.Value(t.SourceArn)
	}
	made, token, rev, err := h.keys.CreateGrant(ctx, c.Caller, g)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateGrantOutput{GrantId: &made.ID, GrantToken: &token}, rev, nil)
}

// listGrants serves ListGrants.
func (h *handler) listGrants(ctx context.Context, c *api.Call, in *ListGrantsInput) (*ListGrantsOutput, error) {
	all, err := h.keys.Grants(ctx, c.Caller, in.KeyId, api.Value(in.GrantId), principal(in.GranteePrincipal, in.GranteeServicePrincipal))
	if err != nil {
		return nil, err
	}
	all, next, more, err := page(c, all, (*trellis.Grant).Key, in.Limit, in.Marker, 50)
	return &ListGrantsOutput{Grants: api.Each(all, h.grant), NextMarker: next, Truncated: more}, err
}

// listRetirableGrants serves ListRetirableGrants.
func (h *handler) listRetirableGrants(ctx context.Context, c *api.Call, in *ListRetirableGrantsInput) (*ListRetirableGrantsOutput, error) {
	all, err := h.keys.RetirableGrants(ctx, c.Caller, principal(in.RetiringPrincipal, in.RetiringServicePrincipal))
	if err != nil {
		return nil, err
	}
	all, next, more, err := page(c, all, (*trellis.Grant).Key, in.Limit, in.Marker, 50)
	return &ListRetirableGrantsOutput{Grants: api.Each(all, h.grant), NextMarker: next, Truncated: more}, err
}

// grant is a grant as lists have it.
func (h *handler) grant(g *trellis.Grant) GrantListEntry {
	of := trellis.Key{Meta: trellis.Meta{Account: g.Account, ID: g.KeyID}}
	e := GrantListEntry{CreationDate: &g.CreatedAt, GrantId: &g.ID, GranteePrincipal: api.Some(g.Grantee.ARN), GranteeServicePrincipal: api.Some(g.Grantee.Service),
		IssuingAccount: new(trellis.IAMARN(g.Issuer, "root")), KeyId: new(of.ARN(h.keys.Region)), Name: api.Some(g.Name), Operations: g.Terms.Operations,
		RetiringPrincipal: api.Some(g.Retirer.ARN), RetiringServicePrincipal: api.Some(g.Retirer.Service)}
	if t := g.Terms; len(t.ContextEquals)+len(t.ContextSubset) > 0 || t.SourceARN != "" {
		e.Constraints = &GrantConstraints{EncryptionContextEquals: t.ContextEquals, EncryptionContextSubset: t.ContextSubset, SourceArn: api.Some(t.SourceARN)}
	}
	return e
}

// revokeGrant serves RevokeGrant.
func (h *handler) revokeGrant(ctx context.Context, c *api.Call, in *RevokeGrantInput) (*RevokeGrantOutput, error) {
	rev, err := h.keys.RevokeGrant(ctx, c.Caller, in.KeyId, in.GrantId, api.Value(in.DryRun))
	return api.Done(c, &RevokeGrantOutput{}, rev, err)
}

// retireGrant serves RetireGrant.
func (h *handler) retireGrant(ctx context.Context, c *api.Call, in *RetireGrantInput) (*RetireGrantOutput, error) {
	rev, err := h.keys.RetireGrant(ctx, c.Caller, api.Value(in.GrantToken), api.Value(in.KeyId), api.Value(in.GrantId), api.Value(in.DryRun))
	return api.Done(c, &RetireGrantOutput{}, rev, err)
}
