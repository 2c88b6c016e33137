package identity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/store"
)

// sourceBundle is the one type of trust anchors that is served: its certificates are given.
const sourceBundle = "CERTIFICATE_BUNDLE"

// DefaultNotifications are the settings of a trust anchor that has none of its own (IAM Roles Anywhere user guide,
// customize-notification-settings).
func DefaultNotifications() []trellis.ExpiryNotification {
	return []trellis.ExpiryNotification{
		{Event: "CA_CERTIFICATE_EXPIRY", Channel: "ALL", Enabled: true, Threshold: 45},
		{Event: "END_ENTITY_CERTIFICATE_EXPIRY", Channel: "ALL", Enabled: true, Threshold: 45},
	}
}

// AnchorSource is where the certificates of a trust anchor come from.
type AnchorSource struct {
	Type   string
	Bundle string // PEM
	PCA    string // ARN of a private authority
}

// check refuses what is no bundle of authorities.
func (s *AnchorSource) check(now time.Time) error {
	switch {
	case s.Type == "AWS_ACM_PCA" || s.PCA != "":
		return anywhereInvalid("The source type AWS_ACM_PCA is not served by Trellis: there is no AWS Private CA. Give the certificates of the authority as a %s.", sourceBundle)
	case s.Type != sourceBundle:
		return anywhereInvalid("The source type must be %s.", sourceBundle)
	}
	_, err := certificate.ParseBundle([]byte(s.Bundle), now)
	return err
}

// CreateTrustAnchor makes a trust anchor of the caller's account out of its name, alias, tags, notifications and whether it
// is enabled.
func (i *Identity) CreateTrustAnchor(ctx context.Context, c *authpolicy.Caller, a trellis.TrustAnchor, source AnchorSource) (*trellis.TrustAnchor, trellis.Revision, error) {
	if err := source.check(i.o.Now()); err != nil {
		return nil, 0, err
	}
	n := &trellis.TrustAnchor{Meta: i.anywhereMeta(c, a.Tags), Name: a.Name, Alias: a.Alias, Enabled: a.Enabled, SourceType: sourceBundle, CertificatePEM: source.Bundle}
	if err := notify(n, a.Notifications); err != nil {
		return nil, 0, err
	}
	rev, err := anywhereMake(ctx, i, c, "rolesanywhere:CreateTrustAnchor", n, maxAnchors, func(*store.Tx) error { return nil })
	if err != nil {
		return nil, 0, err
	}
	return n, rev, nil
}

// anywhereMeta is the Meta of a new noun of IAM Roles Anywhere.
func (i *Identity) anywhereMeta(c *authpolicy.Caller, tags map[string]string) trellis.Meta {
	m := i.meta(c, "", tags)
	m.ID = trellis.NewUUID()
	return m
}

// GetTrustAnchor returns a trust anchor of the caller's account by its id, ARN or alias ARN, as all operations take it.
func (i *Identity) GetTrustAnchor(ctx context.Context, c *authpolicy.Caller, name string) (*trellis.TrustAnchor, error) {
	return anywhereGet[*trellis.TrustAnchor](ctx, i, c, "rolesanywhere:GetTrustAnchor", name)
}

// ListTrustAnchors returns the trust anchors of the caller's account.
func (i *Identity) ListTrustAnchors(ctx context.Context, c *authpolicy.Caller) ([]*trellis.TrustAnchor, error) {
	return anywhereList[*trellis.TrustAnchor](ctx, i, c, "rolesanywhere:ListTrustAnchors")
}

// UpdateTrustAnchor changes a trust anchor's name, alias and certificates; nil leaves one as it was. It returns the alias
// that it had before, if that has changed.
func (i *Identity) UpdateTrustAnchor(ctx context.Context, c *authpolicy.Caller, name string, newName, alias *string, source *AnchorSource) (n *trellis.TrustAnchor, before string, rev trellis.Revision, err error) {
	if source != nil {
		if err := source.check(i.o.Now()); err != nil {
			return nil, "", 0, err
		}
	}
	n, rev, err = anywhereChange(ctx, i, c, "rolesanywhere:UpdateTrustAnchor", name, nil, func(tx *store.Tx, n *trellis.TrustAnchor) error {
		if newName != nil {
			n.Name = *newName
		}
		if source != nil {
			n.CertificatePEM = source.Bundle
		}
		before, err = realias(tx, n, &n.Alias, alias)
		return err
	})
	return n, before, rev, err
}

// realias changes an alias; nil leaves it, and the empty one removes it. It returns the one before if that has changed.
func realias[T trellis.Noun](tx *store.Tx, n T, have, want *string) (before string, err error) {
	if want == nil || *want == *have {
		return "", nil
	}
	if err := anywhereAlias(tx, n, *want); err != nil {
		return "", err
	}
	before, *have = *have, *want
	return before, nil
}

// EnableTrustAnchor sets whether a trust anchor counts.
func (i *Identity) EnableTrustAnchor(ctx context.Context, c *authpolicy.Caller, action, name string, enabled bool) (*trellis.TrustAnchor, trellis.Revision, error) {
	return anywhereChange(ctx, i, c, action, name, nil, func(_ *store.Tx, n *trellis.TrustAnchor) error {
		n.Enabled = enabled
		return nil
	})
}

// DeleteTrustAnchor removes a trust anchor with its lists of revoked certificates.
func (i *Identity) DeleteTrustAnchor(ctx context.Context, c *authpolicy.Caller, name string) (*trellis.TrustAnchor, trellis.Revision, error) {
	return anywhereDelete(ctx, i, c, "rolesanywhere:DeleteTrustAnchor", name, func(tx *store.Tx, n *trellis.TrustAnchor) error {
		lists, err := listsOf(tx, n)
		for _, l := range lists {
			tx.Delete(l)
		}
		return err
	})
}

// PutNotifications sets when to tell of certificates of a trust anchor that end soon.
func (i *Identity) PutNotifications(ctx context.Context, c *authpolicy.Caller, name string, settings []trellis.ExpiryNotification) (*trellis.TrustAnchor, trellis.Revision, error) {
	return anywhereChange(ctx, i, c, "rolesanywhere:PutNotificationSettings", name, nil, func(_ *store.Tx, n *trellis.TrustAnchor) error {
		return notify(n, settings)
	})
}

// notify sets notifications of a trust anchor. The threshold is 45 days unless another is given.
func notify(n *trellis.TrustAnchor, settings []trellis.ExpiryNotification) error {
	seen := map[string]bool{}
	for _, s := range settings {
		if s.Threshold == 0 {
			s.Threshold = 45
		}
		if seen[s.Event] {
			return anywhereInvalid("The event %s is set twice.", s.Event)
		}
		seen[s.Event] = true
		n.Notifications = append(slices.DeleteFunc(n.Notifications, func(o trellis.ExpiryNotification) bool { return o.Event == s.Event }), s)
	}
	return nil
}

// ResetNotifications gives events of a trust anchor their default settings.
func (i *Identity) ResetNotifications(ctx context.Context, c *authpolicy.Caller, name string, events []string) (*trellis.TrustAnchor, trellis.Revision, error) {
	return anywhereChange(ctx, i, c, "rolesanywhere:ResetNotificationSettings", name, nil, func(_ *store.Tx, n *trellis.TrustAnchor) error {
		n.Notifications = slices.DeleteFunc(n.Notifications, func(o trellis.ExpiryNotification) bool { return slices.Contains(events, o.Event) })
		return nil
	})
}

// openAnchor compiles a trust anchor with the lists that hold for it.
func openAnchor(n *trellis.TrustAnchor, lists []*certificate.Revoked) (*certificate.Anchor, error) {
	bundle, err := certificate.ParseBundle([]byte(n.CertificatePEM), time.Time{})
	if err != nil {
		return nil, fmt.Errorf("open trust anchor %s: %w", n.ID, err)
	}
	return certificate.NewAnchor(bundle, lists), nil
}
