package controlplane

import (
	"context"
	"errors"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Network is a service network with how much is associated with it.
type Network struct {
	*trellis.ServiceNetwork
	VPCs, Services int
	Resources      int // resource configurations; a group counts once
	Endpoints      int
}

// CreateServiceNetwork makes a service network. n gives name, auth type, sharing and tags.
func (p *Plane) CreateServiceNetwork(ctx context.Context, c *authpolicy.Caller, token string, n trellis.ServiceNetwork) (*trellis.ServiceNetwork, trellis.Revision, error) {
	if n.AuthType == "" {
		n.AuthType = trellis.AuthNone
	}
	err := authorize(c, "vpc-lattice:CreateServiceNetwork", authpolicy.TagKeys(keys{"vpc-lattice:authtype": {string(n.AuthType)}}, n.Tags, nil),
		trellis.LatticeARN(p.Region, account(c), "servicenetwork/*"))
	if err != nil {
		return nil, 0, err
	}
	if err := errors.Join(validName("name", n.Name, "", 3, 63), validAuthType(n.AuthType)); err != nil {
		return nil, 0, firstError(err)
	}
	if err := p.validTags(n.Tags); err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.ServiceNetwork](ctx, p, account(c)+"/")
	if err != nil {
		return nil, 0, err
	}
	var made *trellis.ServiceNetwork
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		made, err = store.Once(tx, account(c)+"/CreateServiceNetwork", token, n, func() (*trellis.ServiceNetwork, error) {
			if err := roomFor[*trellis.ServiceNetwork](p, tx, account(c), quota.ServiceNetworks, account(c)+"/", have, "SERVICE_NETWORK"); err != nil {
				return nil, err
			}
			m := n
			m.Meta = p.meta(c, "sn", n.Tags)
			if err := claim(tx, "servicenetworkname/"+m.Account+"/"+m.Name, m.Key(), "SERVICE_NETWORK", "A service network with the name %s already exists.", m.Name); err != nil {
				return nil, err
			}
			tx.Put(&m)
			return &m, nil
		})
		return err
	})
	return made, rev, err
}

// GetServiceNetwork returns a service network of the caller's or one that is shared with it.
func (p *Plane) GetServiceNetwork(ctx context.Context, c *authpolicy.Caller, identifier string) (*Network, error) {
	var n *Network
	err := p.read(ctx, func(tx *store.Tx) error {
		sn, err := resolve[*trellis.ServiceNetwork](p, tx, c, identifier, networkKind, "vpc-lattice:GetServiceNetwork", nil)
		if err != nil {
			return err
		}
		n, err = withCounts(tx, sn)
		return err
	})
	return n, err
}

// withCounts counts what is associated with a network.
func withCounts(tx *store.Tx, sn *trellis.ServiceNetwork) (*Network, error) {
	vpcs, err := tx.Marked(networkVPCs(sn.Key()))
	if err != nil {
		return nil, err
	}
	services, err := tx.Marked(networkServices(sn.Key()))
	if err != nil {
		return nil, err
	}
	resources, err := tx.Marked(networkConfigurations(sn.Key()))
	if err != nil {
		return nil, err
	}
	endpoints, err := tx.Marked(networkEndpoints(sn.Key()))
	return &Network{sn, len(vpcs), len(services), len(resources), len(endpoints)}, err
}

// UpdateServiceNetwork changes the auth type: all that can change.
func (p *Plane) UpdateServiceNetwork(ctx context.Context, c *authpolicy.Caller, identifier string, auth trellis.AuthType) (*trellis.ServiceNetwork, trellis.Revision, error) {
	var n *trellis.ServiceNetwork
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		n, err = own[*trellis.ServiceNetwork](p, tx, c, identifier, networkKind, "vpc-lattice:UpdateServiceNetwork", keys{"vpc-lattice:authtype": {string(auth)}})
		if err != nil {
			return err
		}
		if err := validAuthType(auth); err != nil {
			return err
		}
		n.AuthType, n.UpdatedAt = auth, p.now()
		tx.Put(n)
		return nil
	})
	return n, rev, err
}

// DeleteServiceNetwork removes a network that nothing is associated with, and with it its auth policy, its
// access log subscriptions and its place in shares.
func (p *Plane) DeleteServiceNetwork(ctx context.Context, c *authpolicy.Caller, identifier string) (trellis.Revision, error) {
	return p.commit(ctx, func(tx *store.Tx) error {
		sn, err := own[*trellis.ServiceNetwork](p, tx, c, identifier, networkKind, "vpc-lattice:DeleteServiceNetwork", nil)
		if err != nil {
			return err
		}
		n, err := withCounts(tx, sn)
		if err != nil {
			return err
		}
		if n.VPCs+n.Services+n.Resources+n.Endpoints > 0 {
			return trellis.Conflict("SERVICE_NETWORK", n.ID, "Service network %s has %d service associations, %d VPC associations, %d resource associations and %d VPC endpoints. Delete them first.",
				n.ID, n.Services, n.VPCs, n.Resources, n.Endpoints)
		}
		if err := p.dropGuards(tx, n.Ref()); err != nil {
			return err
		}
		tx.Release("servicenetworkname/" + n.Account + "/" + n.Name)
		tx.Delete(sn)
		return nil
	})
}

// dropGuards removes the policies and the access log subscriptions of a service, network or resource configuration, and takes it from
// the shares of its owner.
func (p *Plane) dropGuards(tx *store.Tx, resource trellis.Ref) error {
	tx.Delete(&trellis.AuthPolicy{Resource: resource})
	tx.Delete(&trellis.ResourcePolicy{Resource: resource})
	marked, err := tx.Marked(subscriptions(resource.Key()))
	if err != nil {
		return err
	}
	for _, key := range marked {
		s, err := store.Get[*trellis.AccessLogSubscription](tx, key)
		if err != nil {
			return err
		}
		p.dropSubscription(tx, s)
	}
	return p.unshare(tx, resource.Account, guarded{Ref: resource}.arn(p.Region))
}

// ListServiceNetworks lists the caller's networks and those shared with it, by id.
func (p *Plane) ListServiceNetworks(ctx context.Context, c *authpolicy.Caller, pg Page) ([]*Network, string, error) {
	if err := authorize(c, "vpc-lattice:ListServiceNetworks", nil, "*"); err != nil {
		return nil, "", err
	}
	var list []*Network
	var next string
	err := p.read(ctx, func(tx *store.Tx) error {
		all, after, err := visiblePage[*trellis.ServiceNetwork](p, tx, c, networkKind, pg)
		if err != nil {
			return err
		}
		next = after
		list = list[:0]
		for _, sn := range all {
			n, err := withCounts(tx, sn)
			if err != nil {
				return err
			}
			list = append(list, n)
		}
		return nil
	})
	return list, next, err
}
