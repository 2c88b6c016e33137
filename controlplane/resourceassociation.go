package controlplane

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// ResourceAssociation is a resource association with its two sides.
type ResourceAssociation struct {
	*trellis.ResourceAssociation
	Configuration *ResourceConfiguration
	Network       *trellis.ServiceNetwork
}

// PrivateDomainName is the name that clients in VPCs use beside the generated one, empty when there is none.
func (a *ResourceAssociation) PrivateDomainName() string {
	if !a.PrivateDNSEnabled {
		return ""
	}
	return a.Configuration.CustomDomainName + a.Configuration.GroupDomain // one of them at most
}

// CreateResourceAssociation puts a resource configuration into a service network. The caller owns at least one of them,
// and its policies allow it on both and on the association.
func (p *Plane) CreateResourceAssociation(ctx context.Context, c *authpolicy.Caller, token, configuration, network string, privateDNS bool, tags map[string]string) (*ResourceAssociation, trellis.Revision, error) {
	const action = "vpc-lattice:CreateServiceNetworkResourceAssociation"
	if err := p.validTags(tags); err != nil {
		return nil, 0, err
	}
	networkRef, err := p.ref(c, network, networkKind)
	if err != nil {
		return nil, 0, err
	}
	have, err := countMarked(ctx, p, networkConfigurations(networkRef.Key()))
	if err != nil {
		return nil, 0, err
	}
	var view *ResourceAssociation
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		cref, err := p.ref(c, configuration, configurationKind)
		if err != nil {
			return err
		}
		nref, err := p.ref(c, network, networkKind)
		if err != nil {
			return err
		}
		k := authpolicy.TagKeys(keys{
			"vpc-lattice:resourceconfigurationarn": {trellis.LatticeARN(p.Region, cref.Account, "resourceconfiguration/"+cref.ID)},
			"vpc-lattice:servicenetworkarn":        {trellis.LatticeARN(p.Region, nref.Account, "servicenetwork/"+nref.ID)},
		}, tags, nil)
		if err := authorize(c, action, k, trellis.LatticeARN(p.Region, account(c), "servicenetworkresourceassociation/*")); err != nil {
			return err
		}
		m, err := resolve[*trellis.ResourceConfiguration](p, tx, c, configuration, configurationKind, action, k)
		if err != nil {
			return err
		}
		n, err := resolve[*trellis.ServiceNetwork](p, tx, c, network, networkKind, action, k)
		if err != nil {
			return err
		}
		if cref.Account != account(c) && nref.Account != account(c) {
			return trellis.InvalidOther("A resource configuration and a service network that are both shared with you cannot be associated.")
		}
		params := []any{cref, nref, privateDNS, tags}
		made, err := store.Once(tx, account(c)+"/CreateServiceNetworkResourceAssociation", token, params, func() (*trellis.ResourceAssociation, error) {
			a := &trellis.ResourceAssociation{Meta: p.meta(c, "snra", tags), CreatedBy: account(c), Configuration: cref, ServiceNetwork: nref,
				PrivateDNSEnabled: privateDNS, Status: trellis.StatusCreateInProgress}
			return a, p.makeResourceAssociation(tx, m, n, a, have)
		})
		if err == nil {
			view, err = p.viewResourceAssociation(tx, made)
		}
		return err
	})
	return view, rev, err
}

// makeResourceAssociation puts a new association that a client has asked for. The network had have others before: to count
// them here would make creations in one network wait for each other.
func (p *Plane) makeResourceAssociation(tx *store.Tx, m *trellis.ResourceConfiguration, n *trellis.ServiceNetwork, a *trellis.ResourceAssociation, have int) error {
	if err := p.ready(configurationKind.typ, m.ID, m.Status); err != nil {
		return err
	}
	if m.Type == trellis.ChildConfiguration {
		return trellis.InvalidOther("Resource configuration %s is a child: associate its group %s.", m.ID, m.GroupID)
	}
	if n.SharingEnabled && !m.AllowShareable {
		return trellis.InvalidOther("Resource configuration %s does not allow association with service network %s, which can be shared. Set allowAssociationToShareableServiceNetwork first.", m.ID, n.ID)
	}
	have, err := quota.CountMarked(tx, p.Quotas, quota.ResourcesPerNetwork, networkConfigurations(n.Key()), have)
	if err != nil {
		return err
	}
	if err := p.room(tx, n.Account, quota.ResourcesPerNetwork, have, resourceAssociationKind.typ); err != nil {
		return err
	}
	tx.Mark(networkConfigurations(n.Key()), a.Key())
	return putResourceAssociation(tx, m, a)
}

// putResourceAssociation puts a new association with what it holds. That of a group gets no address.
func putResourceAssociation(tx *store.Tx, m *trellis.ResourceConfiguration, a *trellis.ResourceAssociation) error {
	err := claim(tx, resourceAssociationClaim(a), a.Key(), resourceAssociationKind.typ,
		"Resource configuration %s is already associated with service network %s.", a.Configuration.ID, a.ServiceNetwork.ID)
	if err != nil {
		return err
	}
	if m.Type != trellis.GroupConfiguration {
		if err := takeResourceAddr(tx, a); err != nil {
			return err
		}
	}
	tx.Mark(networkResources(a.ServiceNetwork.Key()), a.Key())
	tx.Mark(configurationNetworks(a.Configuration.Key()), a.Key())
	markForeign(tx, &a.Meta, a.Configuration, a.ServiceNetwork)
	tx.Put(a)
	return nil
}

// resourceAssociationClaim is the claim of the one association of a configuration with a network.
func resourceAssociationClaim(a *trellis.ResourceAssociation) string {
	return "resourceassociation/" + a.ServiceNetwork.Key() + "/" + a.Configuration.Key()
}

// addrTries is how many addresses are tried before all are taken for taken: with nine of ten of them taken, three
// associations in 100,000 are refused wrongly.
const addrTries = 100

// takeResourceAddr gives an association an address that no other one has.
func takeResourceAddr(tx *store.Tx, a *trellis.ResourceAssociation) error {
	for range addrTries {
		addr := trellis.ResourceAddr(rand.IntN(trellis.ResourceAddrs))
		err := tx.Claim(resourceAddrClaim(addr.String()), a.Key())
		var taken *store.TakenError
		if errors.As(err, &taken) {
			continue
		}
		a.Address = addr
		return err
	}
	e := quota.Exceeded(quota.ResourcesPerNetwork, 0, resourceAssociationKind.typ)
	e.Message = fmt.Sprintf("No address is left for the resource in %s.", trellis.LatticePublicBlock)
	return e
}

// resourceAddrClaim is the claim of an address.
func resourceAddrClaim(addr string) string { return "resourceaddress/" + addr }

// associateChild makes the association of a child with the network of its group's association. in tells that the child
// is in the network to stay, made that something was written.
func (p *Plane) associateChild(tx *store.Tx, parent *trellis.ResourceAssociation, child *trellis.ResourceConfiguration) (in, made bool, err error) {
	if parent.Status == trellis.StatusDeleteInProgress || child.Status == trellis.StatusDeleteInProgress {
		return true, false, nil
	}
	marked, err := tx.Marked(configurationNetworks(child.Key()))
	if err != nil {
		return false, false, err
	}
	for _, key := range marked {
		a, err := store.Get[*trellis.ResourceAssociation](tx, key)
		if err != nil {
			return false, false, err
		}
		if a.ServiceNetwork == parent.ServiceNetwork {
			return a.Status != trellis.StatusCreateInProgress, false, nil
		}
	}
	now := p.now()
	a := &trellis.ResourceAssociation{Meta: trellis.Meta{Account: parent.Account, ID: trellis.NewID("snra"), CreatedAt: now, UpdatedAt: now},
		CreatedBy: parent.CreatedBy, Configuration: child.Ref(), ServiceNetwork: parent.ServiceNetwork, ParentID: parent.ID,
		PrivateDNSEnabled: parent.PrivateDNSEnabled, Status: trellis.StatusCreateInProgress}
	tx.Mark(associationChildren(parent.Key()), a.Key())
	return false, true, putResourceAssociation(tx, child, a)
}

// dropResourceAssociation removes an association with what it holds, and its addresses at endpoints some at a time;
// again is true while there are more.
func dropResourceAssociation(tx *store.Tx, a *trellis.ResourceAssociation) (again bool, err error) {
	endpoints, err := tx.Marked(networkEndpoints(a.ServiceNetwork.Key()))
	if err != nil {
		return false, err
	}
	n := 0
	for _, key := range endpoints {
		led, err := store.Get[*trellis.EndpointAddress](tx, key+"/"+a.Configuration.ID)
		if errors.Is(err, trellis.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		tx.Delete(led)
		if n++; n == cascadeBatch {
			return true, nil
		}
	}
	if a.Address.IsValid() {
		tx.Release(resourceAddrClaim(a.Address.String()))
	}
	tx.Release(resourceAssociationClaim(a))
	tx.Unmark(networkResources(a.ServiceNetwork.Key()), a.Key())
	tx.Unmark(configurationNetworks(a.Configuration.Key()), a.Key())
	if a.ParentID == "" {
		tx.Unmark(networkConfigurations(a.ServiceNetwork.Key()), a.Key())
	} else {
		tx.Unmark(associationChildren(a.Account+"/"+a.ParentID), a.Key())
	}
	unmarkForeign(tx, &a.Meta, a.Configuration, a.ServiceNetwork)
	tx.Delete(a)
	return false, nil
}

// viewResourceAssociation adds the two sides of an association, and the status to show.
func (p *Plane) viewResourceAssociation(tx *store.Tx, a *trellis.ResourceAssociation) (*ResourceAssociation, error) {
	m, err := store.Get[*trellis.ResourceConfiguration](tx, a.Configuration.Key())
	if err != nil {
		return nil, err
	}
	v := &ResourceAssociation{ResourceAssociation: a}
	if v.Configuration, err = p.viewConfiguration(tx, m); err != nil {
		return nil, err
	}
	v.Network, err = store.Get[*trellis.ServiceNetwork](tx, a.ServiceNetwork.Key())
	a.Status = p.shown(a, a.Status)
	return v, err
}

// GetResourceAssociation returns an association that the caller takes part in, or one of a network that is shared with
// it.
func (p *Plane) GetResourceAssociation(ctx context.Context, c *authpolicy.Caller, identifier string) (*ResourceAssociation, error) {
	return getAssociation(ctx, p, c, identifier, resourceAssociationKind, "vpc-lattice:GetServiceNetworkResourceAssociation", p.viewResourceAssociation)
}

// DeleteResourceAssociation begins to take a resource configuration out of a network. The owner of either side may do
// it, and who made it. A child leaves with its group.
func (p *Plane) DeleteResourceAssociation(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.ResourceAssociation, trellis.Revision, error) {
	const action = "vpc-lattice:DeleteServiceNetworkResourceAssociation"
	var a *trellis.ResourceAssociation
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		a, err = findAssociation[*trellis.ResourceAssociation](p, tx, c, identifier, resourceAssociationKind, action, nil)
		if err == nil {
			err = mayDissociate(p, c, a, action, a.Configuration, a.ServiceNetwork)
		}
		if err != nil || a.Status == trellis.StatusDeleteInProgress {
			return err
		}
		if a.ParentID != "" {
			return trellis.InvalidOther("Association %s is of a child resource configuration: delete that of its group, %s.", a.ID, a.ParentID)
		}
		if a.Status == trellis.StatusCreateInProgress {
			return badStatus(resourceAssociationKind.typ, a.ID, a.Status)
		}
		a.Status, a.UpdatedAt = trellis.StatusDeleteInProgress, p.now()
		tx.Put(a)
		return nil
	})
	return a, rev, err
}

// ListResourceAssociations lists the associations of a network, of a configuration, or of both together, by id, with
// those of children if they are asked for. Of a network that is shared with the caller it lists all; of a configuration
// of another account, those that the caller takes part in.
func (p *Plane) ListResourceAssociations(ctx context.Context, c *authpolicy.Caller, network, configuration string, withChildren bool, pg Page) ([]*ResourceAssociation, string, error) {
	const action = "vpc-lattice:ListServiceNetworkResourceAssociations"
	if network == "" && configuration == "" {
		return nil, "", trellis.InvalidOther("Either serviceNetworkIdentifier or resourceConfigurationIdentifier must be given.")
	}
	if err := authorize(c, action, nil, "*"); err != nil {
		return nil, "", err
	}
	return pageAssociations(ctx, p, c, pg, func(tx *store.Tx) []side {
		return p.seeSides(tx, c, filter{network, networkKind, networkResources}, filter{configuration, configurationKind, configurationNetworks})
	}, func(tx *store.Tx, items []*trellis.ResourceAssociation) ([]*trellis.ResourceAssociation, error) {
		return chooseChildren(tx, items, configuration != "", withChildren)
	}, p.viewResourceAssociation)
}

// chooseChildren leaves out the associations of children, or adds those of a configuration's, which its own set lacks.
// Those of a child that was itself asked for stay.
func chooseChildren(tx *store.Tx, items []*trellis.ResourceAssociation, ofConfiguration, withChildren bool) ([]*trellis.ResourceAssociation, error) {
	switch {
	case !ofConfiguration && !withChildren:
		return slices.DeleteFunc(items, func(a *trellis.ResourceAssociation) bool { return a.ParentID != "" }), nil
	case !ofConfiguration || !withChildren:
		return items, nil
	}
	for _, a := range slices.Clone(items) {
		below, err := markedAssociations[*trellis.ResourceAssociation](tx, associationChildren(a.Key()))
		if err != nil {
			return nil, err
		}
		items = append(items, below...)
	}
	slices.SortFunc(items, func(a, b *trellis.ResourceAssociation) int { return strings.Compare(a.ID, b.ID) })
	return items, nil
}

// nextResourceAssociation moves an association on.
func (p *Plane) nextResourceAssociation(a *trellis.ResourceAssociation) *settling {
	key := a.Key()
	switch a.Status {
	case trellis.StatusCreateInProgress:
		return &settling{shown: a.Status, step: func(tx *store.Tx) (bool, error) {
			a, err := store.Get[*trellis.ResourceAssociation](tx, key)
			if err != nil || a.Status != trellis.StatusCreateInProgress {
				return false, err
			}
			return p.enterNetwork(tx, a)
		}}
	case trellis.StatusDeleteInProgress:
		return &settling{step: func(tx *store.Tx) (bool, error) {
			a, err := store.Get[*trellis.ResourceAssociation](tx, key)
			if err != nil || a.Status != trellis.StatusDeleteInProgress {
				return false, err
			}
			children, err := markedAssociations[*trellis.ResourceAssociation](tx, associationChildren(key))
			if err != nil {
				return false, err
			}
			if len(children) > 0 {
				_, err := dropResourceAssociation(tx, children[0])
				return true, err
			}
			return dropResourceAssociation(tx, a)
		}}
	}
	return nil
}

// enterNetwork makes what a new association needs, some at a time, and then lets it carry traffic: of a group the
// associations of its children, of a resource its addresses at the endpoints of the network.
func (p *Plane) enterNetwork(tx *store.Tx, a *trellis.ResourceAssociation) (again bool, err error) {
	if !a.Address.IsValid() {
		all, err := children(tx, a.Configuration.Key())
		if err != nil {
			return false, err
		}
		for _, child := range all {
			in, made, err := p.associateChild(tx, a, child)
			again = again || !in
			if made || err != nil {
				return true, err
			}
		}
		if again {
			return true, nil
		}
	}
	a.Status, a.FailureReason = trellis.StatusActive, ""
	if a.Address.IsValid() {
		if again, err := p.enterEndpoints(tx, a); again || err != nil {
			return again, err
		}
	}
	tx.Put(a)
	return false, nil
}

// enterEndpoints gives a resource its addresses at the endpoints of its network. At endpoints whose subnets are full it
// has none: the association is PARTIAL then.
func (p *Plane) enterEndpoints(tx *store.Tx, a *trellis.ResourceAssociation) (again bool, err error) {
	endpoints, err := tx.Marked(networkEndpoints(a.ServiceNetwork.Key()))
	if err != nil {
		return false, err
	}
	for _, key := range endpoints {
		e, err := store.Get[*trellis.VPCEndpoint](tx, key)
		if err != nil {
			return false, err
		}
		made, err := p.leadTo(tx, e, a.Configuration, a.Ref())
		if isFull(err) {
			a.Status, a.FailureReason = trellis.StatusPartial, "VPC endpoint "+e.ID+" does not lead to the resource: its subnets have no free address."
			continue
		}
		if made || err != nil {
			return true, err
		}
	}
	return false, nil
}
