package controlplane

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// Shares lists resource shares for GetResourceShares, ListResources and ListPrincipals, whichever action
// says: the account's own, or those of others that reach it. Deleted ones are listed for a while.
func (p *Plane) Shares(ctx context.Context, c *authpolicy.Caller, action string, others bool) (out []*trellis.ResourceShare, err error) {
	if err := authorize(c, "ram:"+action, nil, "*"); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		out = nil
		if !others {
			out, err = store.List[*trellis.ResourceShare](tx, account(c)+"/")
			return err
		}
		m, err := memberOf(tx, account(c))
		if err != nil {
			return err
		}
		out, err = sharesReaching(tx, m)
		return err
	})
	return out, err
}

// Share is one share of the caller's account, for ListResourceSharePermissions.
func (p *Plane) Share(ctx context.Context, c *authpolicy.Caller, action, arn string) (s *trellis.ResourceShare, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		s, err = p.ownShare(tx, c, shareRequest{action: action, arn: arn})
		return err
	})
	return s, err
}

// ShareAssociations lists the resources or the principals, by typ, of the account's own shares.
func (p *Plane) ShareAssociations(ctx context.Context, c *authpolicy.Caller, typ string) ([]ShareAssociation, error) {
	shares, err := p.Shares(ctx, c, "GetResourceShareAssociations", false)
	var out []ShareAssociation
	for _, s := range shares {
		for _, a := range p.shareAssociationsOf(s) {
			if a.Type == typ {
				out = append(out, a)
			}
		}
	}
	return out, err
}
