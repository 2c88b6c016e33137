package rolesanywhere

import (
	"context"
	"encoding/pem"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// crl is a list of revoked certificates as answers have it: in PEM.
func (h *handler) crl(n *trellis.RevocationList) *CrlDetail {
	anchor := &trellis.TrustAnchor{Meta: trellis.Meta{Account: n.Account, ID: n.TrustAnchorID}}
	return &CrlDetail{
		CrlId: &n.ID, CrlArn: new(n.ARN(h.region)), Name: &n.Name, Enabled: &n.Enabled, CreatedAt: &n.CreatedAt, UpdatedAt: &n.UpdatedAt,
		AliasName: api.Some(n.Alias), AliasArn: api.Some(identity.AnywhereAliasARN(n, n.Account, h.region)), TrustAnchorArn: new(anchor.ARN(h.region)),
		CrlData: pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: n.RevocationList}),
	}
}

// importCrl serves ImportCrl.
func (h *handler) importCrl(ctx context.Context, c *api.Call, in *ImportCrlInput) (*ImportCrlOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	n, rev, err := h.identity.ImportCrl(ctx, c.Caller, trellis.RevocationList{Meta: trellis.Meta{Tags: tags}, Name: in.Name, Alias: api.Value(in.AliasName),
		Enabled: api.Value(in.Enabled)}, in.TrustAnchorArn, in.CrlData)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ImportCrlOutput{Crl: h.crl(n)}, rev, nil)
}

// getCrl serves GetCrl.
func (h *handler) getCrl(ctx context.Context, c *api.Call, in *GetCrlInput) (*GetCrlOutput, error) {
	n, err := h.identity.GetCrl(ctx, c.Caller, in.CrlId)
	if err != nil {
		return nil, err
	}
	return &GetCrlOutput{Crl: h.crl(n)}, nil
}

// listCrls serves ListCrls.
func (h *handler) listCrls(ctx context.Context, c *api.Call, in *ListCrlsInput) (*ListCrlsOutput, error) {
	all, err := h.identity.ListCrls(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(c, all, func(n *trellis.RevocationList) string { return n.ID }, in.NextToken, in.PageSize)
	if err != nil {
		return nil, err
	}
	return &ListCrlsOutput{Crls: api.Each(page, func(n *trellis.RevocationList) CrlDetail { return *h.crl(n) }), NextToken: next}, nil
}

// updateCrl serves UpdateCrl.
func (h *handler) updateCrl(ctx context.Context, c *api.Call, in *UpdateCrlInput) (*UpdateCrlOutput, error) {
	n, before, rev, err := h.identity.UpdateCrl(ctx, c.Caller, in.CrlId, in.Name, in.AliasName, in.CrlData)
	if err != nil {
		return nil, err
	}
	out := h.crl(n)
	out.PreviousAliasName = api.Some(before)
	return api.Done(c, &UpdateCrlOutput{Crl: out}, rev, nil)
}

// enableCrl serves EnableCrl.
func (h *handler) enableCrl(ctx context.Context, c *api.Call, in *EnableCrlInput) (*EnableCrlOutput, error) {
	n, rev, err := h.identity.EnableCrl(ctx, c.Caller, "rolesanywhere:EnableCrl", in.CrlId, true)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &EnableCrlOutput{Crl: h.crl(n)}, rev, nil)
}

// disableCrl serves DisableCrl.
func (h *handler) disableCrl(ctx context.Context, c *api.Call, in *DisableCrlInput) (*DisableCrlOutput, error) {
	n, rev, err := h.identity.EnableCrl(ctx, c.Caller, "rolesanywhere:DisableCrl", in.CrlId, false)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DisableCrlOutput{Crl: h.crl(n)}, rev, nil)
}

// deleteCrl serves DeleteCrl.
func (h *handler) deleteCrl(ctx context.Context, c *api.Call, in *DeleteCrlInput) (*DeleteCrlOutput, error) {
	n, rev, err := h.identity.DeleteCrl(ctx, c.Caller, in.CrlId)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DeleteCrlOutput{Crl: h.crl(n)}, rev, nil)
}
