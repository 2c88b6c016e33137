package controlplane

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// EndpointAssociationFilter narrows a list of resource endpoint associations, as far as a part is not empty.
type EndpointAssociationFilter struct {
	Association string // identifier
	EndpointID  string
	Owner       string // account
}

// ListResourceEndpointAssociations lists the endpoints of a resource configuration, by id: all of one of the caller's,
// the caller's own of one that is shared with it.
func (p *Plane) ListResourceEndpointAssociations(ctx context.Context, c *authpolicy.Caller, configuration string, f EndpointAssociationFilter, pg Page) (list []*trellis.ResourceEndpointAssociation, m *trellis.ResourceConfiguration, next string, err error) {
	const action = "vpc-lattice:ListResourceEndpointAssociations"
	k := p.identifierKeys(c, nil, configurationKind, configuration)
	if f.EndpointID != "" {
		k["vpc-lattice:vpcendpointid"] = []string{f.EndpointID}
	}
	if err := authorize(c, action, k, "*"); err != nil {
		return nil, nil, "", err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		ref, err := p.ref(c, configuration, configurationKind)
		if err != nil {
			return err
		}
		s := p.seeSide(tx, c, configuration, configurationKind, configurationEndpoints)
		if list, err = listAssociations[*trellis.ResourceEndpointAssociation](tx, c, []side{s}); err != nil {
			return err
		}
		if m, err = get[*trellis.ResourceConfiguration](tx, ref, configurationKind.typ); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(a *trellis.ResourceEndpointAssociation) bool {
			return a.Account != account(c) && ref.Account != account(c) ||
				f.Association != "" && trellis.LastPart(f.Association) != a.ID ||
				f.EndpointID != "" && f.EndpointID != a.EndpointID || f.Owner != "" && f.Owner != a.Account
		})
		list, next = paginate(list, func(a *trellis.ResourceEndpointAssociation) string { return a.ID }, pg)
		return nil
	})
	return list, m, next, err
}

// DeleteResourceEndpointAssociation parts a resource configuration from an endpoint, which is rejected then. The owner
// of either may do it.
func (p *Plane) DeleteResourceEndpointAssociation(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.ResourceEndpointAssociation, trellis.Revision, error) {
	const action = "vpc-lattice:DeleteResourceEndpointAssociation"
	var a *trellis.ResourceEndpointAssociation
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		a, err = findAssociation[*trellis.ResourceEndpointAssociation](p, tx, c, identifier, endpointAssociationKind, action, nil)
		if err == nil {
			err = mayDissociate(p, c, a, action, a.Configuration)
		}
		if err != nil {
			return err
		}
		e, err := store.Get[*trellis.VPCEndpoint](tx, a.Account+"/"+a.EndpointID)
		if err != nil {
			return err
		}
		dropEndpointAssociation(tx, e)
		if e.State != trellis.EndpointDeleting {
			e.State, e.UpdatedAt = trellis.EndpointRejected, p.now()
			tx.Put(e)
		}
		return nil
	})
	return a, rev, err
}

// ListEndpointAssociations lists the VPC endpoints of a service network of the caller's, or one that is shared with it,
// by id. When the share has ended it lists the caller's own.
func (p *Plane) ListEndpointAssociations(ctx context.Context, c *authpolicy.Caller, network string, pg Page) (list []*trellis.VPCEndpoint, next string, err error) {
	if err := authorize(c, "vpc-lattice:ListServiceNetworkVpcEndpointAssociations", nil, "*"); err != nil {
		return nil, "", err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		s := p.seeSide(tx, c, network, networkKind, networkEndpoints)
		var unseen *trellis.Error
		if s.err != nil && !errors.As(s.err, &unseen) {
			return s.err
		}
		marked, err := tx.Marked(s.set)
		if err != nil {
			return err
		}
		list = nil
		for _, key := range marked {
			if unseen != nil && !strings.HasPrefix(key, account(c)+"/") {
				continue
			}
			e, err := store.Get[*trellis.VPCEndpoint](tx, key)
			if err != nil {
				return err
			}
			e.State = p.shownState(e)
			list = append(list, e)
		}
		if unseen != nil && len(list) == 0 {
			return s.err
		}
		slices.SortFunc(list, func(a, b *trellis.VPCEndpoint) int { return strings.Compare(a.ID, b.ID) })
		list, next = paginate(list, func(e *trellis.VPCEndpoint) string { return e.ID }, pg)
		return nil
	})
	return list, next, err
}
