package controlplane

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// ServiceAssociation is a service association with the names of its two sides.
type ServiceAssociation struct {
	*trellis.ServiceAssociation
	Service *trellis.Service
	Network *trellis.ServiceNetwork
}

// CreateServiceAssociation puts a service into a service network. The caller owns at least one of them, and
// its policies allow it on both and on the association.
func (p *Plane) CreateServiceAssociation(ctx context.Context, c *authpolicy.Caller, token, service, network string, tags map[string]string) (*ServiceAssociation, trellis.Revision, error) {
	const action = "vpc-lattice:CreateServiceNetworkServiceAssociation"
	if err := p.validTags(tags); err != nil {
		return nil, 0, err
	}
	view := &ServiceAssociation{}
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		sref, err := p.ref(c, service, serviceKind)
		if err != nil {
			return err
		}
		nref, err := p.ref(c, network, networkKind)
		if err != nil {
			return err
		}
		k := authpolicy.TagKeys(keys{
			"vpc-lattice:servicearn":        {trellis.LatticeARN(p.Region, sref.Account, "service/"+sref.ID)},
			"vpc-lattice:servicenetworkarn": {trellis.LatticeARN(p.Region, nref.Account, "servicenetwork/"+nref.ID)},
		}, tags, nil)
		if err := authorize(c, action, k, trellis.LatticeARN(p.Region, account(c), "servicenetworkserviceassociation/*")); err != nil {
			return err
		}
		if view.Service, err = resolve[*trellis.Service](p, tx, c, service, serviceKind, action, k); err != nil {
			return err
		}
		if view.Network, err = resolve[*trellis.ServiceNetwork](p, tx, c, network, networkKind, action, k); err != nil {
			return err
		}
		if sref.Account != account(c) && nref.Account != account(c) {
			return trellis.InvalidOther("A service and a service network that are both shared with you cannot be associated.")
		}
		params := []any{sref, nref, tags}
		view.ServiceAssociation, err = store.Once(tx, account(c)+"/CreateServiceNetworkServiceAssociation", token, params, func() (*trellis.ServiceAssociation, error) {
			a := &trellis.ServiceAssociation{Meta: p.meta(c, "snsa", tags), CreatedBy: account(c), Service: sref, ServiceNetwork: nref, Status: trellis.StatusCreateInProgress}
			return a, p.makeServiceAssociation(tx, view.Service, view.Network, a)
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	view.Status = p.shown(view, view.Status)
	return view, rev, nil
}

// makeServiceAssociation puts a new association.
func (p *Plane) makeServiceAssociation(tx *store.Tx, s *trellis.Service, n *trellis.ServiceNetwork, a *trellis.ServiceAssociation) error {
	if err := p.ready("SERVICE", s.ID, s.Status); err != nil {
		return err
	}
	err := claim(tx, "serviceassociation/"+n.Key()+"/"+s.Key(), a.Key(), "SERVICE_NETWORK_SERVICE_ASSOCIATION",
		"Service %s is already associated with service network %s.", s.ID, n.ID)
	if err != nil {
		return err
	}
	if s.CustomDomainName != "" {
		err := claim(tx, networkDomain(a, s), a.Key(), "SERVICE_NETWORK_SERVICE_ASSOCIATION",
			"Another service in service network %s has the custom domain name %s.", n.ID, s.CustomDomainName)
		if err != nil {
			return err
		}
	}
	have, err := tx.Marked(networkServices(n.Key()))
	if err != nil {
		return err
	}
	if err := p.room(tx, n.Account, quota.ServiceAssociationsPerNetwork, len(have), "SERVICE_NETWORK_SERVICE_ASSOCIATION"); err != nil {
		return err
	}
	tx.Mark(networkServices(n.Key()), a.Key())
	tx.Mark(serviceNetworks(s.Key()), a.Key())
	markForeign(tx, &a.Meta, a.Service, a.ServiceNetwork)
	tx.Put(a)
	return nil
}

// networkDomain is the claim of a custom domain name within a service network.
func networkDomain(a *trellis.ServiceAssociation, s *trellis.Service) string {
	return "customdomain/" + a.ServiceNetwork.Key() + "/" + s.CustomDomainName
}

// viewServiceAssociation adds the two sides of an association, and the status to show.
func (p *Plane) viewServiceAssociation(tx *store.Tx, a *trellis.ServiceAssociation) (v *ServiceAssociation, err error) {
	v = &ServiceAssociation{ServiceAssociation: a}
	if v.Service, err = store.Get[*trellis.Service](tx, a.Service.Key()); err != nil {
		return nil, err
	}
	v.Network, err = store.Get[*trellis.ServiceNetwork](tx, a.ServiceNetwork.Key())
	a.Status = p.shown(a, a.Status)
	return v, err
}

// GetServiceAssociation returns an association that the caller takes part in, or one of a network that is shared
// with it.
func (p *Plane) GetServiceAssociation(ctx context.Context, c *authpolicy.Caller, identifier string) (*ServiceAssociation, error) {
	return getAssociation(ctx, p, c, identifier, serviceAssociationKind, "vpc-lattice:GetServiceNetworkServiceAssociation", p.viewServiceAssociation)
}

// DeleteServiceAssociation begins to take a service out of a network. The owner of either side may do it, and
// who made it.
func (p *Plane) DeleteServiceAssociation(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.ServiceAssociation, trellis.Revision, error) {
	const action = "vpc-lattice:DeleteServiceNetworkServiceAssociation"
	var a *trellis.ServiceAssociation
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		a, err = findAssociation[*trellis.ServiceAssociation](p, tx, c, identifier, serviceAssociationKind, action, nil)
		if err == nil {
			err = mayDissociate(p, c, a, action, a.Service, a.ServiceNetwork)
		}
		if err != nil || a.Status == trellis.StatusDeleteInProgress {
			return err
		}
		if a.Status == trellis.StatusCreateInProgress {
			return badStatus("SERVICE_NETWORK_SERVICE_ASSOCIATION", a.ID, a.Status)
		}
		a.Status, a.UpdatedAt = trellis.StatusDeleteInProgress, p.now()
		tx.Put(a)
		return nil
	})
	return a, rev, err
}

// ListServiceAssociations lists the associations of a network, of a service, or of both together, by id. Of a
// network that is shared with the caller it lists all; of a service of another account, those that the
// caller takes part in.
func (p *Plane) ListServiceAssociations(ctx context.Context, c *authpolicy.Caller, network, service string, pg Page) ([]*ServiceAssociation, string, error) {
	const action = "vpc-lattice:ListServiceNetworkServiceAssociations"
	if network == "" && service == "" {
		return nil, "", trellis.InvalidOther("Either serviceNetworkIdentifier or serviceIdentifier must be given.")
	}
	if err := authorize(c, action, p.identifierKeys(c, p.identifierKeys(c, nil, networkKind, network), serviceKind, service), "*"); err != nil {
		return nil, "", err
	}
	return pageAssociations(ctx, p, c, pg, func(tx *store.Tx) []side {
		return p.seeSides(tx, c, filter{network, networkKind, networkServices}, filter{service, serviceKind, serviceNetworks})
	}, nil, p.viewServiceAssociation)
}

// nextServiceAssociation moves an association on.
func (p *Plane) nextServiceAssociation(a *trellis.ServiceAssociation) *settling {
	key := a.Key()
	switch a.Status {
	case trellis.StatusCreateInProgress:
		return &settling{shown: a.Status, step: func(tx *store.Tx) (bool, error) {
			return activate(tx, key, trellis.StatusCreateInProgress, func(a *trellis.ServiceAssociation) *trellis.Status { return &a.Status })
		}}
	case trellis.StatusDeleteInProgress:
		return &settling{step: func(tx *store.Tx) (bool, error) {
			a, err := store.Get[*trellis.ServiceAssociation](tx, key)
			if err != nil || a.Status != trellis.StatusDeleteInProgress {
				return false, err
			}
			s, err := store.Get[*trellis.Service](tx, a.Service.Key())
			if err != nil {
				return false, err
			}
			if s.CustomDomainName != "" {
				tx.Release(networkDomain(a, s))
			}
			tx.Release("serviceassociation/" + a.ServiceNetwork.Key() + "/" + a.Service.Key())
			tx.Unmark(networkServices(a.ServiceNetwork.Key()), key)
			tx.Unmark(serviceNetworks(a.Service.Key()), key)
			unmarkForeign(tx, &a.Meta, a.Service, a.ServiceNetwork)
			tx.Delete(a)
			return false, nil
		}}
	}
	return nil
}
