package identity

import (
	"context"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/store"
)

// listsOf returns the lists of revoked certificates of a trust anchor.
func listsOf(tx *store.Tx, n *trellis.TrustAnchor) ([]*trellis.RevocationList, error) {
	all, err := store.List[*trellis.RevocationList](tx, n.Account+"/")
	return slices.DeleteFunc(all, func(l *trellis.RevocationList) bool { return l.TrustAnchorID != n.ID }), err
}

// ImportCrl makes a list of revoked certificates of a trust anchor out of its name, alias, tags and whether it is enabled.
// data is PEM or DER.
func (i *Identity) ImportCrl(ctx context.Context, c *authpolicy.Caller, l trellis.RevocationList, anchor string, data []byte) (*trellis.RevocationList, trellis.Revision, error) {
	revoked, err := certificate.ParseCRL(data)
	if err != nil {
		return nil, 0, err
	}
	n := &trellis.RevocationList{Meta: i.anywhereMeta(c, l.Tags), Name: l.Name, Alias: l.Alias, Enabled: l.Enabled, RevocationList: revoked.DER()}
	rev, err := anywhereMake(ctx, i, c, "rolesanywhere:ImportCrl", n, maxAnchors*maxListsOfAnchor, func(tx *store.Tx) error {
		a, err := anywhereFind[*trellis.TrustAnchor](tx, n.Account, i.o.Region, anchor)
		if err != nil {
			return anywhereInvalid("The trust anchor %s does not exist.", anchor) // ImportCrl knows no ResourceNotFoundException
		}
		n.TrustAnchorID = a.ID
		lists, err := listsOf(tx, a)
		if err != nil {
			return err
		}
		if len(lists) >= maxListsOfAnchor {
			return anywhereInvalid("A trust anchor has at most %d certificate revocation lists.", maxListsOfAnchor)
		}
		return checkListIssuer(a, revoked)
	})
	if err != nil {
		return nil, 0, err
	}
	return n, rev, nil
}

// checkListIssuer refuses a list that pretends to be a trust anchor's.
func checkListIssuer(a *trellis.TrustAnchor, revoked *certificate.Revoked) error {
	bundle, err := certificate.ParseBundle([]byte(a.CertificatePEM), time.Time{})
	if err != nil {
		return err
	}
	return revoked.CheckIssuer(bundle)
}

// GetCrl returns a list of revoked certificates of the caller's account.
func (i *Identity) GetCrl(ctx context.Context, c *authpolicy.Caller, name string) (*trellis.RevocationList, error) {
	return anywhereGet[*trellis.RevocationList](ctx, i, c, "rolesanywhere:GetCrl", name)
}

// ListCrls returns the lists of revoked certificates of the caller's account.
func (i *Identity) ListCrls(ctx context.Context, c *authpolicy.Caller) ([]*trellis.RevocationList, error) {
	return anywhereList[*trellis.RevocationList](ctx, i, c, "rolesanywhere:ListCrls")
}

// UpdateCrl changes a list's name, alias and what it revokes; nil leaves one as it was. It returns the alias that it had
// before, if that has changed.
func (i *Identity) UpdateCrl(ctx context.Context, c *authpolicy.Caller, name string, newName, alias *string, data []byte) (n *trellis.RevocationList, before string, rev trellis.Revision, err error) {
	var revoked *certificate.Revoked
	if data != nil {
		if revoked, err = certificate.ParseCRL(data); err != nil {
			return nil, "", 0, err
		}
	}
	n, rev, err = anywhereChange(ctx, i, c, "rolesanywhere:UpdateCrl", name, nil, func(tx *store.Tx, n *trellis.RevocationList) error {
		if newName != nil {
			n.Name = *newName
		}
		if revoked != nil {
			a, err := anywhereFind[*trellis.TrustAnchor](tx, n.Account, i.o.Region, n.TrustAnchorID)
			if err != nil {
				return err
			}
			if err := checkListIssuer(a, revoked); err != nil {
				return err
			}
			n.RevocationList = revoked.DER()
		}
		before, err = realias(tx, n, &n.Alias, alias)
		return err
	})
	return n, before, rev, err
}

// EnableCrl sets whether a list counts.
func (i *Identity) EnableCrl(ctx context.Context, c *authpolicy.Caller, action, name string, enabled bool) (*trellis.RevocationList, trellis.Revision, error) {
	return anywhereChange(ctx, i, c, action, name, nil, func(_ *store.Tx, n *trellis.RevocationList) error {
		n.Enabled = enabled
		return nil
	})
}

// DeleteCrl removes a list of revoked certificates.
func (i *Identity) DeleteCrl(ctx context.Context, c *authpolicy.Caller, name string) (*trellis.RevocationList, trellis.Revision, error) {
	return anywhereDelete[*trellis.RevocationList](ctx, i, c, "rolesanywhere:DeleteCrl", name, nil)
}
