package hostedzone

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// maxAuthorized is how many VPCs of other accounts may be authorized for a zone at a time (Route 53 developer guide,
// limits).
const maxAuthorized = 1000

// vpcKeys is the condition key of a VPC, route53:VPCs (Service Authorization Reference, Amazon Route 53).
func vpcKeys(v *trellis.ZoneVPC) map[string][]string {
	if v == nil {
		return nil
	}
	return map[string][]string{"route53:vpcs": {"VPCId=" + v.VPC.ID + ",VPCRegion=" + v.Region}}
}

// ownVPC refuses a VPC that is not one of the caller's account.
func (z *Zones) ownVPC(tx *store.Tx, c *authpolicy.Caller, v trellis.ZoneVPC) error {
	if v.VPC.ID == "" || v.Region == "" {
		return trellis.NewError(400, "InvalidVPCId", "VPCId and VPCRegion must both be given.")
	}
	missing := trellis.NewError(400, "InvalidVPCId", "The VPC: %s in region %s provided is not authorized to make the association.", v.VPC.ID, v.Region)
	if v.Region != z.Region {
		return missing
	}
	_, err := companion.Get[*trellis.VPC](tx, c.Principal.Account+"/"+v.VPC.ID, missing)
	return err
}

// associate makes a private zone answer in a VPC.
func associate(tx *store.Tx, n *trellis.HostedZone, v trellis.ZoneVPC) error {
	conflict := trellis.NewError(400, "ConflictingDomainExists", "The VPC %s in region %s has already been associated with another private hosted zone with the same domain name %s.", v.VPC.ID, v.Region, n.Name)
	if err := companion.Claim(tx, vpcClaim(v.VPC.ID, n.Name), n.Key(), conflict); err != nil {
		return err
	}
	tx.Mark(vpcSet(v.VPC.ID), n.Key())
	n.VPCs = append(n.VPCs, v)
	return nil
}

// dissociate undoes associate.
func dissociate(tx *store.Tx, n *trellis.HostedZone, vpc trellis.Ref) {
	tx.Release(vpcClaim(vpc.ID, n.Name))
	tx.Unmark(vpcSet(vpc.ID), n.Key())
	n.VPCs = slices.DeleteFunc(slices.Clone(n.VPCs), func(o trellis.ZoneVPC) bool { return o.VPC == vpc })
}

// findAny reads a zone of whatever account: what is done to it must be allowed by more than that it is known.
func findAny(tx *store.Tx, id string) (*trellis.HostedZone, error) {
	owners, err := tx.Marked(ownerSet(id))
	if err != nil {
		return nil, err
	}
	if len(owners) == 0 {
		return nil, noZone(id)
	}
	return companion.Get[*trellis.HostedZone](tx, owners[0]+"/"+id, noZone(id))
}

// sameVPC finds a VPC by its id.
func sameVPC(id string) func(trellis.ZoneVPC) bool {
	return func(v trellis.ZoneVPC) bool { return v.VPC.ID == id }
}

// Associate makes a private zone answer in a VPC of the caller's account. A zone of another account must have authorized
// the VPC.
func (z *Zones) Associate(ctx context.Context, c *authpolicy.Caller, id string, v trellis.ZoneVPC, comment string) (Change, trellis.Revision, error) {
	id = ID(id)
	rev, err := z.Commit(ctx, c, "route53:AssociateVPCWithHostedZone", trellis.HostedZoneARN(id), vpcKeys(&v), func(tx *store.Tx) error {
		n, err := findAny(tx, id)
		if err != nil {
			return err
		}
		if n.Account != c.Principal.Account && !slices.ContainsFunc(n.Authorized, func(a trellis.ZoneVPC) bool { return a.VPC.ID == v.VPC.ID && a.Region == v.Region }) {
			return trellis.NewError(401, "NotAuthorizedException", "The VPC: %s has not authorized to associate with your hosted zone.", v.VPC.ID)
		}
		if !n.Private {
			return trellis.NewError(400, "PublicZoneVPCAssociation", "You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support associating a VPC with a public hosted zone.")
		}
		if err := z.ownVPC(tx, c, v); err != nil {
			return err
		}
		v.VPC.Account = c.Principal.Account
		if slices.ContainsFunc(n.VPCs, sameVPC(v.VPC.ID)) {
			return trellis.NewError(400, "ConflictingDomainExists", "The VPC %s in region %s has already been associated with the hosted zone %s with the same domain name.", v.VPC.ID, v.Region, n.ID)
		}
		if err := associate(tx, n, v); err != nil {
			return err
		}
		n.UpdatedAt = z.Time()
		tx.Put(n)
		return nil
	})
	return z.newChange(comment), rev, err
}

// Dissociate ends that a private zone answers in a VPC. The owner of either may do so, but the last VPC of a zone stays.
func (z *Zones) Dissociate(ctx context.Context, c *authpolicy.Caller, id string, v trellis.ZoneVPC, comment string) (Change, trellis.Revision, error) {
	id = ID(id)
	rev, err := z.Commit(ctx, c, "route53:DisassociateVPCFromHostedZone", trellis.HostedZoneARN(id), vpcKeys(&v), func(tx *store.Tx) error {
		n, err := findAny(tx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(n.VPCs, sameVPC(v.VPC.ID))
		switch {
		case n.Account != c.Principal.Account && (i < 0 || n.VPCs[i].VPC.Account != c.Principal.Account):
			return noZone(id)
		case i < 0:
			return trellis.NewError(404, "VPCAssociationNotFound", "The VPC: %s in region %s is not associated with the hosted zone.", v.VPC.ID, v.Region)
		case len(n.VPCs) == 1:
			return trellis.NewError(400, "LastVPCAssociation", "Cannot remove last VPC association for the private zone.")
		}
		dissociate(tx, n, n.VPCs[i].VPC)
		n.UpdatedAt = z.Time()
		tx.Put(n)
		return nil
	})
	return z.newChange(comment), rev, err
}

// Authorize lets the owner of a VPC associate it with a private zone of the caller's.
func (z *Zones) Authorize(ctx context.Context, c *authpolicy.Caller, id string, v trellis.ZoneVPC) (trellis.Revision, error) {
	return z.authorized(ctx, c, "route53:CreateVPCAssociationAuthorization", id, v, func(n *trellis.HostedZone) error {
		if slices.ContainsFunc(n.Authorized, sameVPC(v.VPC.ID)) {
			return nil
		}
		if len(n.Authorized) >= maxAuthorized {
			return trellis.NewError(400, "TooManyVPCAssociationAuthorizations", "The hosted zone has the maximum number of authorizations, %d.", maxAuthorized)
		}
		n.Authorized = append(n.Authorized, v)
		return nil
	})
}

// Unauthorize takes an authorization back. An association that was made by it stays.
func (z *Zones) Unauthorize(ctx context.Context, c *authpolicy.Caller, id string, v trellis.ZoneVPC) (trellis.Revision, error) {
	return z.authorized(ctx, c, "route53:DeleteVPCAssociationAuthorization", id, v, func(n *trellis.HostedZone) error {
		i := slices.IndexFunc(n.Authorized, sameVPC(v.VPC.ID))
		if i < 0 {
			return trellis.NewError(404, "VPCAssociationAuthorizationNotFound", "The VPC %s is not authorized to be associated with the hosted zone.", v.VPC.ID)
		}
		n.Authorized = slices.Delete(slices.Clone(n.Authorized), i, i+1)
		return nil
	})
}

// authorized changes the authorizations of a private zone of the caller's.
func (z *Zones) authorized(ctx context.Context, c *authpolicy.Caller, action, id string, v trellis.ZoneVPC, change func(*trellis.HostedZone) error) (trellis.Revision, error) {
	if !strings.HasPrefix(v.VPC.ID, "vpc-") || v.Region == "" {
		return 0, trellis.NewError(400, "InvalidVPCId", "The VPC ID %s is not valid.", v.VPC.ID)
	}
	id = ID(id)
	return z.Commit(ctx, c, action, trellis.HostedZoneARN(id), vpcKeys(&v), func(tx *store.Tx) error {
		n, err := get(tx, c, id)
		if err != nil {
			return err
		}
		if !n.Private {
			return invalidInput("The hosted zone %s is public: no VPC is associated with it.", id)
		}
		if err := change(n); err != nil {
			return err
		}
		n.UpdatedAt = z.Time()
		tx.Put(n)
		return nil
	})
}

// Authorizations returns the VPCs that are authorized for a zone.
func (z *Zones) Authorizations(ctx context.Context, c *authpolicy.Caller, id string) (list []trellis.ZoneVPC, err error) {
	id = ID(id)
	err = z.Read(ctx, c, "route53:ListVPCAssociationAuthorizations", trellis.HostedZoneARN(id), nil, func(tx *store.Tx) error {
		n, err := get(tx, c, id)
		if err != nil {
			return err
		}
		list = n.Authorized
		return nil
	})
	return list, err
}

// ListByVPC returns the private zones, of whatever account, that answer in a VPC of the caller's.
func (z *Zones) ListByVPC(ctx context.Context, c *authpolicy.Caller, v trellis.ZoneVPC) (list []*trellis.HostedZone, err error) {
	err = z.Read(ctx, c, "route53:ListHostedZonesByVPC", "*", vpcKeys(&v), func(tx *store.Tx) error {
		list = nil
		if err := z.ownVPC(tx, c, v); err != nil {
			return err
		}
		keys, err := tx.Marked(vpcSet(v.VPC.ID))
		if err != nil {
			return err
		}
		for _, key := range keys {
			n, err := store.Get[*trellis.HostedZone](tx, key)
			if err != nil {
				return err
			}
			list = append(list, n)
		}
		return nil
	})
	return list, err
}
