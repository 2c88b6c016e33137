package controlplane

import (
	"context"
	"fmt"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// VPCAssociation is a VPC association with its network.
type VPCAssociation struct {
	*trellis.VPCAssociation
	Network *trellis.ServiceNetwork
}

// CreateVPCAssociation lets the clients of a VPC of the caller's call what is in a service network. a gives
// security groups, private DNS and tags.
func (p *Plane) CreateVPCAssociation(ctx context.Context, c *authpolicy.Caller, token, network, vpc string, a trellis.VPCAssociation) (*VPCAssociation, trellis.Revision, error) {
	const action = "vpc-lattice:CreateServiceNetworkVpcAssociation"
	if err := p.validTags(a.Tags); err != nil {
		return nil, 0, err
	}
	view := &VPCAssociation{}
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		nref, err := p.ref(c, network, networkKind)
		if err != nil {
			return err
		}
		k := authpolicy.TagKeys(keys{
			"vpc-lattice:vpcid":             {vpc},
			"vpc-lattice:servicenetworkarn": {trellis.LatticeARN(p.Region, nref.Account, "servicenetwork/"+nref.ID)},
			"vpc-lattice:securitygroupids":  a.SecurityGroupIDs,
		}, a.Tags, nil)
		if a.DNSPreference != "" {
			k["vpc-lattice:privatednspreference"] = []string{a.DNSPreference}
		}
		if len(a.DNSDomains) > 0 {
			k["vpc-lattice:privatednsspecifieddomains"] = a.DNSDomains
		}
		err = authorize(c, action, k, trellis.LatticeARN(p.Region, account(c), "servicenetworkvpcassociation/*"))
		if err != nil {
			return err
		}
		if view.Network, err = resolve[*trellis.ServiceNetwork](p, tx, c, network, networkKind, action, k); err != nil {
			return err
		}
		v, err := get[*trellis.VPC](tx, trellis.Ref{Account: account(c), ID: vpc}, "VPC")
		if err != nil {
			return err
		}
		params := []any{nref, v.ID, a}
		view.VPCAssociation, err = store.Once(tx, account(c)+"/CreateServiceNetworkVpcAssociation", token, params, func() (*trellis.VPCAssociation, error) {
			m := a
			m.Meta, m.CreatedBy, m.VPC, m.ServiceNetwork = p.meta(c, "snva", a.Tags), account(c), v.Ref(), nref
			m.Status = trellis.StatusCreateInProgress
			return &m, p.makeVPCAssociation(tx, v, view.Network, &m)
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	view.Status = p.shown(view, view.Status)
	return view, rev, nil
}

// makeVPCAssociation puts a new association and gives it its slot.
func (p *Plane) makeVPCAssociation(tx *store.Tx, v *trellis.VPC, n *trellis.ServiceNetwork, a *trellis.VPCAssociation) error {
	const typ = "SERVICE_NETWORK_VPC_ASSOCIATION"
	others, err := markedAssociations[*trellis.VPCAssociation](tx, vpcNetworks(v.Key()))
	if err != nil {
		return err
	}
	if len(others) > 0 && p.Quotas.Default(quota.NetworksPerVPC) == 1 {
		return trellis.Conflict(typ, others[0].ID, "VPC has already been associated to a service network.")
	}
	err = claim(tx, "vpcassociation/"+n.Key()+"/"+v.Key(), a.Key(), typ, "VPC has already been associated to a service network.")
	if err != nil {
		return err
	}
	if err := p.room(tx, v.Account, quota.NetworksPerVPC, len(others), typ); err != nil {
		return err
	}
	have, err := tx.Marked(networkVPCs(n.Key()))
	if err != nil {
		return err
	}
	if err := p.room(tx, n.Account, quota.VPCAssociationsPerNetwork, len(have), typ); err != nil {
		return err
	}
	if err := p.checkSecurityGroups(tx, v, a.SecurityGroupIDs); err != nil {
		return err
	}
	for a.Slot = trellis.FirstSlot; a.Slot <= trellis.LastSlot; a.Slot++ {
		if !slices.ContainsFunc(others, func(o *trellis.VPCAssociation) bool { return o.Slot == a.Slot }) {
			break
		}
	}
	if err := tx.Claim(slotClaim(a), a.Key()); err != nil {
		return err
	}
	tx.Mark(networkVPCs(n.Key()), a.Key())
	tx.Mark(vpcNetworks(v.Key()), a.Key())
	for _, g := range a.SecurityGroupIDs {
		tx.Mark(securityGroupUse(v.Account+"/"+g), a.Key())
	}
	markForeign(tx, &a.Meta, a.VPC, a.ServiceNetwork)
	tx.Put(a)
	return nil
}

// slotClaim is the claim of an association's slot in its VPC.
func slotClaim(a *trellis.VPCAssociation) string {
	return fmt.Sprintf("vpcslot/%s/%d", a.VPC.Key(), a.Slot)
}

// checkSecurityGroups checks that security groups are of a VPC.
func (p *Plane) checkSecurityGroups(tx *store.Tx, v *trellis.VPC, ids []string) error {
	if most := p.Quotas.Default(quota.SecurityGroupsPerAssociation); len(ids) > most {
		return field("securityGroupIds", fmt.Sprintf("securityGroupIds must hold at most %d security groups.", most))
	}
	for i, id := range ids {
		g, err := get[*trellis.SecurityGroup](tx, trellis.Ref{Account: v.Account, ID: id}, "SECURITY_GROUP")
		switch {
		case err != nil:
			return err
		case g.VPCID != v.ID:
			return field("securityGroupIds", "Security group "+id+" is not in VPC "+v.ID+".")
		case slices.Contains(ids[:i], id):
			return field("securityGroupIds", "Security group "+id+" is named twice.")
		}
	}
	return nil
}

// viewVPCAssociation adds the network of an association, and the status to show.
func (p *Plane) viewVPCAssociation(tx *store.Tx, a *trellis.VPCAssociation) (*VPCAssociation, error) {
	n, err := store.Get[*trellis.ServiceNetwork](tx, a.ServiceNetwork.Key())
	a.Status = p.shown(a, a.Status)
	return &VPCAssociation{a, n}, err
}

// GetVPCAssociation returns an association that the caller takes part in, or one of a network that is shared with
// it.
func (p *Plane) GetVPCAssociation(ctx context.Context, c *authpolicy.Caller, identifier string) (*VPCAssociation, error) {
	return getAssociation(ctx, p, c, identifier, vpcAssociationKind, "vpc-lattice:GetServiceNetworkVpcAssociation", p.viewVPCAssociation)
}

// VPCAssociationChange is what UpdateVPCAssociation can change; nil leaves as it is.
type VPCAssociationChange struct {
	SecurityGroupIDs  []string // replaces all; never empty
	PrivateDNSEnabled *bool
	DNSPreference     *string
	DNSDomains        []string
}

// UpdateVPCAssociation changes an association. Only the account that made it may.
func (p *Plane) UpdateVPCAssociation(ctx context.Context, c *authpolicy.Caller, identifier string, ch VPCAssociationChange) (*trellis.VPCAssociation, trellis.Revision, error) {
	const action = "vpc-lattice:UpdateServiceNetworkVpcAssociation"
	var a *trellis.VPCAssociation
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		var k keys
		if len(ch.SecurityGroupIDs) > 0 {
			k = keys{"vpc-lattice:securitygroupids": ch.SecurityGroupIDs}
		}
		if a, err = findAssociation[*trellis.VPCAssociation](p, tx, c, identifier, vpcAssociationKind, action, k); err != nil {
			return err
		}
		if a.CreatedBy != account(c) {
			return trellis.Denied("User: %s is not authorized to perform: %s on resource: %s because only the account that created an association can update it",
				c.Principal.ARN, action, a.ARN(p.Region, account(c)))
		}
		if a.Status != trellis.StatusActive && a.Status != trellis.StatusUpdateFailed {
			return badStatus("SERVICE_NETWORK_VPC_ASSOCIATION", a.ID, a.Status)
		}
		if ch.SecurityGroupIDs != nil {
			if err := p.replaceSecurityGroups(tx, a, ch.SecurityGroupIDs); err != nil {
				return err
			}
		}
		if ch.PrivateDNSEnabled != nil {
			a.PrivateDNSEnabled = ch.PrivateDNSEnabled
		}
		if ch.DNSPreference != nil {
			a.DNSPreference = *ch.DNSPreference
		}
		if ch.DNSDomains != nil {
			a.DNSDomains = ch.DNSDomains
		}
		a.Status, a.UpdatedAt = trellis.StatusUpdateInProgress, p.now()
		tx.Put(a)
		return nil
	})
	return a, rev, err
}

// replaceSecurityGroups gives an association other security groups.
func (p *Plane) replaceSecurityGroups(tx *store.Tx, a *trellis.VPCAssociation, ids []string) error {
	if len(ids) == 0 {
		return field("securityGroupIds", "securityGroupIds must hold at least one security group. Delete the association and create it again to have none.")
	}
	v, err := store.Get[*trellis.VPC](tx, a.VPC.Key())
	if err != nil {
		return err
	}
	if err := p.checkSecurityGroups(tx, v, ids); err != nil {
		return err
	}
	for _, g := range a.SecurityGroupIDs {
		tx.Unmark(securityGroupUse(v.Account+"/"+g), a.Key())
	}
	for _, g := range ids {
		tx.Mark(securityGroupUse(v.Account+"/"+g), a.Key())
	}
	a.SecurityGroupIDs = ids
	return nil
}

// DeleteVPCAssociation begins to part a VPC from a network. The owner of either side may do it.
func (p *Plane) DeleteVPCAssociation(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.VPCAssociation, trellis.Revision, error) {
	const action = "vpc-lattice:DeleteServiceNetworkVpcAssociation"
	var a *trellis.VPCAssociation
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		a, err = findAssociation[*trellis.VPCAssociation](p, tx, c, identifier, vpcAssociationKind, action, nil)
		if err == nil {
			err = mayDissociate(p, c, a, action, a.VPC, a.ServiceNetwork)
		}
		if err != nil || a.Status == trellis.StatusDeleteInProgress {
			return err
		}
		if a.Status == trellis.StatusCreateInProgress || a.Status == trellis.StatusUpdateInProgress {
			return badStatus("SERVICE_NETWORK_VPC_ASSOCIATION", a.ID, a.Status)
		}
		a.Status, a.UpdatedAt = trellis.StatusDeleteInProgress, p.now()
		tx.Put(a)
		return nil
	})
	return a, rev, err
}

// ListVPCAssociations lists the associations of a network, of a VPC of the caller's, or of both together, by id.
func (p *Plane) ListVPCAssociations(ctx context.Context, c *authpolicy.Caller, network, vpc string, pg Page) ([]*VPCAssociation, string, error) {
	const action = "vpc-lattice:ListServiceNetworkVpcAssociations"
	if network == "" && vpc == "" {
		return nil, "", trellis.InvalidOther("Either serviceNetworkIdentifier or vpcIdentifier must be given.")
	}
	k := p.identifierKeys(c, nil, networkKind, network)
	if vpc != "" {
		k["vpc-lattice:vpcid"] = []string{vpc}
	}
	if err := authorize(c, action, k, "*"); err != nil {
		return nil, "", err
	}
	return pageAssociations(ctx, p, c, pg, func(tx *store.Tx) []side {
		sides := p.seeSides(tx, c, filter{network, networkKind, networkVPCs})
		if vpc != "" {
			sides = append(sides, side{set: vpcNetworks(account(c) + "/" + vpc), open: true})
		}
		return sides
	}, nil, p.viewVPCAssociation)
}

// nextVPCAssociation moves an association on.
func (p *Plane) nextVPCAssociation(a *trellis.VPCAssociation) *settling {
	key, seen := a.Key(), a.Status
	switch a.Status {
	case trellis.StatusCreateInProgress, trellis.StatusUpdateInProgress:
		return &settling{shown: a.Status, step: func(tx *store.Tx) (bool, error) {
			return activate(tx, key, seen, func(a *trellis.VPCAssociation) *trellis.Status { return &a.Status })
		}}
	case trellis.StatusDeleteInProgress:
		return &settling{step: func(tx *store.Tx) (bool, error) {
			a, err := store.Get[*trellis.VPCAssociation](tx, key)
			if err != nil || a.Status != trellis.StatusDeleteInProgress {
				return false, err
			}
			for _, g := range a.SecurityGroupIDs {
				tx.Unmark(securityGroupUse(a.VPC.Account+"/"+g), key)
			}
			tx.Release(slotClaim(a))
			tx.Release("vpcassociation/" + a.ServiceNetwork.Key() + "/" + a.VPC.Key())
			tx.Unmark(networkVPCs(a.ServiceNetwork.Key()), key)
			tx.Unmark(vpcNetworks(a.VPC.Key()), key)
			unmarkForeign(tx, &a.Meta, a.VPC, a.ServiceNetwork)
			tx.Delete(a)
			return false, nil
		}}
	}
	return nil
}
