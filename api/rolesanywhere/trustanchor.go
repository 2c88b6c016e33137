package rolesanywhere

import (
	"cmp"
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// defaultConfigurer is who has set notifications that nobody has set.
const defaultConfigurer = "rolesanywhere.amazonaws.com"

// anchor is a trust anchor as answers have it.
func (h *handler) anchor(n *trellis.TrustAnchor) *TrustAnchorDetail {
	return &TrustAnchorDetail{
		TrustAnchorId: &n.ID, TrustAnchorArn: new(n.ARN(h.region)), Name: &n.Name, Enabled: &n.Enabled, CreatedAt: &n.CreatedAt, UpdatedAt: &n.UpdatedAt,
		AliasName: api.Some(n.Alias), AliasArn: api.Some(identity.AnywhereAliasARN(n, n.Account, h.region)), CrlDpRevocationEnabled: new(false),
		Source:               &Source{SourceType: &n.SourceType, SourceData: &SourceData{X509CertificateData: &n.CertificatePEM}},
		NotificationSettings: notifications(n),
	}
}

// notifications are a trust anchor's own settings, and the default ones of events that have none.
func notifications(n *trellis.TrustAnchor) []NotificationSettingDetail {
	var out []NotificationSettingDetail
	add := func(s trellis.ExpiryNotification, by string) {
		out = append(out, NotificationSettingDetail{Event: s.Event, Channel: &s.Channel, Enabled: s.Enabled, Threshold: new(int32(s.Threshold)), ConfiguredBy: &by})
	}
	for _, s := range n.Notifications {
		add(s, n.Account)
	}
	for _, s := range identity.DefaultNotifications() {
		if !slices.ContainsFunc(n.Notifications, func(o trellis.ExpiryNotification) bool { return o.Event == s.Event }) {
			add(s, defaultConfigurer)
		}
	}
	slices.SortFunc(out, func(a, b NotificationSettingDetail) int { return cmp.Compare(a.Event, b.Event) })
	return out
}

// settings are notifications of a request.
func settings(in []NotificationSetting) []trellis.ExpiryNotification {
	return api.Each(in, func(s NotificationSetting) trellis.ExpiryNotification {
		return trellis.ExpiryNotification{Event: s.Event, Channel: api.Or(s.Channel, "ALL"), Enabled: s.Enabled, Threshold: int(api.Value(s.Threshold))}
	})
}

// source is where the certificates of a request come from.
func source(in *Source) identity.AnchorSource {
	s := identity.AnchorSource{Type: api.Value(in.SourceType)}
	if in.SourceData != nil {
		s.Bundle, s.PCA = api.Value(in.SourceData.X509CertificateData), api.Value(in.SourceData.AcmPcaArn)
	}
	return s
}

// noDistributionPoints refuses to ask distribution points about revoked certificates.
func noDistributionPoints(enabled *bool) error {
	if api.Value(enabled) {
		return trellis.NewError(400, "ValidationException", "CRL distribution points are not asked by Trellis: import the certificate revocation lists.")
	}
	return nil
}

// createTrustAnchor serves CreateTrustAnchor.
func (h *handler) createTrustAnchor(ctx context.Context, c *api.Call, in *CreateTrustAnchorInput) (*CreateTrustAnchorOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := noDistributionPoints(in.CrlDpRevocationEnabled); err != nil {
		return nil, err
	}
	n, rev, err := h.identity.CreateTrustAnchor(ctx, c.Caller, trellis.TrustAnchor{Meta: trellis.Meta{Tags: tags}, Name: in.Name, Alias: api.Value(in.AliasName),
		Enabled: api.Value(in.Enabled), Notifications: settings(in.NotificationSettings)}, source(in.Source))
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateTrustAnchorOutput{TrustAnchor: h.anchor(n)}, rev, nil)
}

// getTrustAnchor serves GetTrustAnchor.
func (h *handler) getTrustAnchor(ctx context.Context, c *api.Call, in *GetTrustAnchorInput) (*GetTrustAnchorOutput, error) {
	n, err := h.identity.GetTrustAnchor(ctx, c.Caller, in.TrustAnchorId)
	if err != nil {
		return nil, err
	}
	return &GetTrustAnchorOutput{TrustAnchor: h.anchor(n)}, nil
}

// listTrustAnchors serves ListTrustAnchors.
func (h *handler) listTrustAnchors(ctx context.Context, c *api.Call, in *ListTrustAnchorsInput) (*ListTrustAnchorsOutput, error) {
	all, err := h.identity.ListTrustAnchors(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(c, all, func(n *trellis.TrustAnchor) string { return n.ID }, in.NextToken, in.PageSize)
	if err != nil {
		return nil, err
	}
	return &ListTrustAnchorsOutput{TrustAnchors: api.Each(page, func(n *trellis.TrustAnchor) TrustAnchorDetail { return *h.anchor(n) }), NextToken: next}, nil
}

// updateTrustAnchor serves UpdateTrustAnchor.
func (h *handler) updateTrustAnchor(ctx context.Context, c *api.Call, in *UpdateTrustAnchorInput) (*UpdateTrustAnchorOutput, error) {
	if err := noDistributionPoints(in.CrlDpRevocationEnabled); err != nil {
		return nil, err
	}
	var from *identity.AnchorSource
	if in.Source != nil {
		from = new(source(in.Source))
	}
	n, before, rev, err := h.identity.UpdateTrustAnchor(ctx, c.Caller, in.TrustAnchorId, in.Name, in.AliasName, from)
	if err != nil {
		return nil, err
	}
	out := h.anchor(n)
	out.PreviousAliasName = api.Some(before)
	return api.Done(c, &UpdateTrustAnchorOutput{TrustAnchor: out}, rev, nil)
}

// enableTrustAnchor serves EnableTrustAnchor.
func (h *handler) enableTrustAnchor(ctx context.Context, c *api.Call, in *EnableTrustAnchorInput) (*EnableTrustAnchorOutput, error) {
	n, rev, err := h.identity.EnableTrustAnchor(ctx, c.Caller, "rolesanywhere:EnableTrustAnchor", in.TrustAnchorId, true)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &EnableTrustAnchorOutput{TrustAnchor: h.anchor(n)}, rev, nil)
}

// disableTrustAnchor serves DisableTrustAnchor.
func (h *handler) disableTrustAnchor(ctx context.Context, c *api.Call, in *DisableTrustAnchorInput) (*DisableTrustAnchorOutput, error) {
	n, rev, err := h.identity.EnableTrustAnchor(ctx, c.Caller, "rolesanywhere:DisableTrustAnchor", in.TrustAnchorId, false)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DisableTrustAnchorOutput{TrustAnchor: h.anchor(n)}, rev, nil)
}

// deleteTrustAnchor serves DeleteTrustAnchor.
func (h *handler) deleteTrustAnchor(ctx context.Context, c *api.Call, in *DeleteTrustAnchorInput) (*DeleteTrustAnchorOutput, error) {
	n, rev, err := h.identity.DeleteTrustAnchor(ctx, c.Caller, in.TrustAnchorId)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DeleteTrustAnchorOutput{TrustAnchor: h.anchor(n)}, rev, nil)
}

// putNotificationSettings serves PutNotificationSettings.
func (h *handler) putNotificationSettings(ctx context.Context, c *api.Call, in *PutNotificationSettingsInput) (*PutNotificationSettingsOutput, error) {
	n, rev, err := h.identity.PutNotifications(ctx, c.Caller, in.TrustAnchorId, settings(in.NotificationSettings))
	if err != nil {
		return nil, err
	}
	return api.Done(c, &PutNotificationSettingsOutput{TrustAnchor: h.anchor(n)}, rev, nil)
}

// resetNotificationSettings serves ResetNotificationSettings.
func (h *handler) resetNotificationSettings(ctx context.Context, c *api.Call, in *ResetNotificationSettingsInput) (*ResetNotificationSettingsOutput, error) {
	events := api.Each(in.NotificationSettingKeys, func(k NotificationSettingKey) string { return k.Event })
	n, rev, err := h.identity.ResetNotifications(ctx, c.Caller, in.TrustAnchorId, events)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ResetNotificationSettingsOutput{TrustAnchor: h.anchor(n)}, rev, nil)
}
