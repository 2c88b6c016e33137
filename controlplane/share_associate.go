package controlplane

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// ShareAssociation is one resource or principal of a share, as GetResourceShareAssociations shows it.
type ShareAssociation struct {
	Share   *trellis.ResourceShare
	Entity  string // ARN or account
	Type    string // RESOURCE or PRINCIPAL
	Status  string // ASSOCIATED, ASSOCIATING while an invitation waits, FAILED when it was rejected or expired, DISASSOCIATED
	Message string // why it failed
	// Principal is what the share keeps of it, for principals.
	Principal trellis.SharePrincipal
}

// addToShare adds resources and principals to a share. What it has already stays as it is.
func (p *Plane) addToShare(tx *store.Tx, s *trellis.ResourceShare, resources, principals []string) error {
	for _, arn := range resources {
		if err := p.shareable(tx, s, arn); err != nil {
			return err
		}
		if !slices.Contains(s.Resources, arn) {
			s.Resources = append(s.Resources, arn)
		}
	}
	owner, err := memberOf(tx, s.Account)
	if err != nil {
		return err
	}
	for _, principal := range principals {
		i := slices.IndexFunc(s.Principals, func(sp trellis.SharePrincipal) bool { return sp.Principal == principal })
		if i >= 0 && !s.Principals[i].Rejected && !s.Principals[i].Expired(p.now()) {
			continue
		}
		sp, err := p.newSharePrincipal(tx, s, owner, principal)
		if err != nil {
			return err
		}
		if i >= 0 {
			s.Principals[i] = sp // invited once more
		} else {
			s.Principals = append(s.Principals, sp)
		}
	}
	if len(s.Resources) > maxShares || len(s.Principals) > maxShares {
		return ramError("ResourceShareLimitExceededException", "A resource share can have at most %d resources and %d principals.", maxShares, maxShares)
	}
	return nil
}

// shareable checks that a resource exists, is the share owner's, and is of a kind that can be shared.
func (p *Plane) shareable(tx *store.Tx, s *trellis.ResourceShare, arn string) error {
	a, err := trellis.ParseARN(arn)
	if err != nil {
		return malformedARN(arn)
	}
	typ := ShareResourceType(arn)
	switch {
	case typ == "" || a.Partition != "aws":
		return ramError("InvalidParameterException", "You cannot share the resource %s: its type is not shareable.", arn)
	case a.Region != p.Region:
		return ramError("InvalidParameterException", "The resource %s is not in the region %s.", arn, p.Region)
	case a.Account != s.Account:
		return ramError("OperationNotPermittedException", "The resource you are attempting to share can only be shared by its owner: %s", arn)
	}
	key := s.Account + "/" + trellis.LastPart(arn)
	switch typ {
	case ShareServiceNetwork:
		n, err := store.Get[*trellis.ServiceNetwork](tx, key)
		if err == nil && !n.SharingEnabled {
			return ramError("OperationNotPermittedException", "The service network %s was created with sharing disabled.", arn)
		}
		return unknownResource(err, arn)
	case ShareService:
		_, err := store.Get[*trellis.Service](tx, key)
		return unknownResource(err, arn)
	case ShareResourceConfiguration:
		m, err := store.Get[*trellis.ResourceConfiguration](tx, key)
		if err == nil && m.Type == trellis.ChildConfiguration {
			return ramError("OperationNotPermittedException", "The resource configuration %s is shared by its group.", arn)
		}
		return unknownResource(err, arn)
	}
	return unknownResource(trellis.ErrNotExist, arn)
}

// unknownResource turns an absent noun into RAM's error.
func unknownResource(err error, arn string) error {
	if errors.Is(err, trellis.ErrNotExist) {
		return ramError("UnknownResourceException", "Resource %s could not be found.", arn)
	}
	return err
}

// newSharePrincipal checks a principal and decides whether it has the share at once.
func (p *Plane) newSharePrincipal(tx *store.Tx, s *trellis.ResourceShare, owner membership, principal string) (trellis.SharePrincipal, error) {
	sp := trellis.SharePrincipal{Principal: principal, AddedAt: p.now()}
	enabled, err := sharingEnabled(tx, owner.org)
	if err != nil {
		return sp, err
	}
	if trellis.IsAccountID(principal) {
		if principal == s.Account {
			return sp, ramError("InvalidParameterException", "You cannot share a resource with the account that owns it: %s", principal)
		}
		m, err := memberOf(tx, principal)
		if err != nil {
			return sp, err
		}
		inside := m.org != "" && m.org == owner.org
		sp.Accepted, sp.External = inside && enabled, !inside
		if !sp.Accepted && !s.AllowExternalPrincipals {
			return sp, ramError("OperationNotPermittedException", "The resource share does not allow external principals, and %s is not reached by sharing with AWS Organizations.", principal)
		}
		return sp, nil
	}
	org, unit, ok := trellis.OrganizationPrincipal(principal)
	if !ok {
		if strings.HasPrefix(principal, "arn:") {
			return sp, ramError("InvalidParameterException", "VPC Lattice resources cannot be shared with the principal %s.", principal)
		}
		return sp, ramError("InvalidParameterException", "The principal %s is neither an account nor an ARN of an organization or organizational unit.", principal)
	}
	if owner.org == "" || org != owner.org {
		return sp, ramError("UnknownResourceException", "Organization %s could not be found.", org)
	}
	if !enabled {
		return sp, ramError("OperationNotPermittedException", "Sharing with AWS Organizations is not enabled. Enable it with EnableSharingWithAwsOrganization in the management account.")
	}
	if unit != "" {
		if _, err := store.Get[*trellis.OrganizationalUnit](tx, org+"/"+unit); errors.Is(err, trellis.ErrNotExist) {
			return sp, ramError("UnknownResourceException", "OrganizationalUnit %s in organization %s could not be found.", unit, org)
		} else if err != nil {
			return sp, err
		}
	}
	sp.Accepted = true
	return sp, nil
}

// AssociateShare adds resources and principals to a share.
func (p *Plane) AssociateShare(ctx context.Context, c *authpolicy.Caller, arn string, resources, principals []string) ([]ShareAssociation, trellis.Revision, error) {
	if len(resources)+len(principals) == 0 {
		return nil, 0, ramError("InvalidParameterException", "You must specify a resource or a principal.")
	}
	r := shareRequest{action: "AssociateResourceShare", arn: arn, resources: resources, principals: principals}
	s, rev, err := p.changeShare(ctx, c, r, func(tx *store.Tx, s *trellis.ResourceShare) error {
		if err := p.addToShare(tx, s, resources, principals); err != nil {
			return err
		}
		return p.choosePermissions(tx, s, nil)
	})
	if err != nil {
		return nil, 0, err
	}
	return slices.DeleteFunc(p.shareAssociationsOf(s), func(a ShareAssociation) bool {
		return !slices.Contains(resources, a.Entity) && !slices.Contains(principals, a.Entity)
	}), rev, nil
}

// DisassociateShare takes resources and principals from a share. Those that it does not have are an error.
func (p *Plane) DisassociateShare(ctx context.Context, c *authpolicy.Caller, arn string, resources, principals []string) ([]ShareAssociation, trellis.Revision, error) {
	if len(resources)+len(principals) == 0 {
		return nil, 0, ramError("InvalidParameterException", "You must specify a resource or a principal.")
	}
	var out []ShareAssociation
	r := shareRequest{action: "DisassociateResourceShare", arn: arn, resources: resources, principals: principals}
	s, rev, err := p.changeShare(ctx, c, r, func(_ *store.Tx, s *trellis.ResourceShare) error {
		out = slices.DeleteFunc(p.shareAssociationsOf(s), func(a ShareAssociation) bool {
			return !slices.Contains(resources, a.Entity) && !slices.Contains(principals, a.Entity)
		})
		for _, entity := range slices.Concat(resources, principals) {
			if !slices.ContainsFunc(out, func(a ShareAssociation) bool { return a.Entity == entity }) {
				return ramError("UnknownResourceException", "%s is not associated with the resource share.", entity)
			}
		}
		s.Resources = slices.DeleteFunc(s.Resources, func(r string) bool { return slices.Contains(resources, r) })
		s.Principals = slices.DeleteFunc(s.Principals, func(sp trellis.SharePrincipal) bool { return slices.Contains(principals, sp.Principal) })
		return nil
	})
	for i := range out {
		out[i].Share, out[i].Status = s, "DISASSOCIATED"
	}
	return out, rev, err
}

// unshare takes a resource that is going away from all shares of its owner.
func (p *Plane) unshare(tx *store.Tx, owner, arn string) error {
	shares, err := store.List[*trellis.ResourceShare](tx, owner+"/")
	if err != nil {
		return err
	}
	for _, s := range shares {
		if i := slices.Index(s.Resources, arn); i >= 0 {
			s.Resources, s.UpdatedAt = slices.Delete(s.Resources, i, i+1), p.now()
			tx.Put(s)
		}
	}
	return nil
}

// shareAssociationsOf lists the resources, then the principals, of a share.
func (p *Plane) shareAssociationsOf(s *trellis.ResourceShare) []ShareAssociation {
	deleted := s.Status != ShareActive
	var out []ShareAssociation
	for _, arn := range s.Resources {
		out = append(out, ShareAssociation{Share: s, Entity: arn, Type: "RESOURCE", Status: "ASSOCIATED"})
	}
	for _, sp := range s.Principals {
		a := ShareAssociation{Share: s, Entity: sp.Principal, Type: "PRINCIPAL", Status: "ASSOCIATED", Principal: sp}
		switch {
		case sp.Rejected:
			a.Status, a.Message = "FAILED", "The invitation was rejected."
		case sp.Expired(p.now()):
			a.Status, a.Message = "FAILED", "The invitation expired."
		case !sp.Accepted:
			a.Status = "ASSOCIATING"
		}
		out = append(out, a)
	}
	for i := range out {
		if deleted {
			out[i].Status = "DISASSOCIATED"
		}
	}
	return out
}

// ShareInvitation is an account outside the organization that has been asked to join a share.
type ShareInvitation struct {
	Share    *trellis.ResourceShare
	Receiver trellis.SharePrincipal
}

// ARN is the invitation's ARN: its id follows from share and receiver, and from when it was sent.
func (i ShareInvitation) ARN(region string) string {
	id := DerivedID("", i.Share.ID+i.Receiver.Principal+i.Receiver.AddedAt.String()) + DerivedID("", i.Share.ID+" invitation")
	return trellis.ARN{Partition: "aws", Service: "ram", Region: region, Account: i.Share.Account,
		Resource: "resource-share-invitation/" + trellis.FormatUUID(id)}.String()
}

// Status is PENDING, ACCEPTED, REJECTED or EXPIRED at a time.
func (i ShareInvitation) Status(now time.Time) string {
	switch {
	case i.Receiver.Expired(now):
		return "EXPIRED"
	case i.Receiver.Rejected:
		return "REJECTED"
	case i.Receiver.Accepted:
		return "ACCEPTED"
	}
	return "PENDING"
}

// invitations lists the invitations to an account.
func invitations(tx *store.Tx, account string) ([]ShareInvitation, error) {
	shares, err := store.Find[*trellis.ResourceShare](tx, account)
	var out []ShareInvitation
	for _, s := range shares {
		for _, sp := range s.Principals {
			if sp.Principal == account && s.Status == ShareActive && (sp.External || !sp.Accepted) {
				out = append(out, ShareInvitation{s, sp})
			}
		}
	}
	return out, err
}

// Invitations is GetResourceShareInvitations: what others have sent to the caller's account.
func (p *Plane) Invitations(ctx context.Context, c *authpolicy.Caller) (out []ShareInvitation, err error) {
	if err := authorize(c, "ram:GetResourceShareInvitations", nil, "*"); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		out, err = invitations(tx, account(c))
		return err
	})
	return out, err
}

// invitation finds an invitation to the caller's account, and checks the caller's policies for action.
func (p *Plane) invitation(tx *store.Tx, c *authpolicy.Caller, action, arn string) (out ShareInvitation, err error) {
	if a, err := trellis.ParseARN(arn); err != nil || a.Service != "ram" || !strings.HasPrefix(a.Resource, "resource-share-invitation/") {
		return out, malformedARN(arn)
	}
	all, err := invitations(tx, account(c))
	if err != nil {
		return out, err
	}
	i := slices.IndexFunc(all, func(i ShareInvitation) bool { return i.ARN(p.Region) == arn })
	var k keys
	if i >= 0 {
		out = all[i]
		k = keys{"ram:resourcesharename": {out.Share.Name}, "ram:shareowneraccountid": {out.Share.Account}}
	}
	if err := authorize(c, action, k, arn); err != nil {
		return out, err
	}
	if i < 0 {
		return out, ramError("ResourceShareInvitationArnNotFoundException", "Invitation %s could not be found.", arn)
	}
	return out, nil
}

// PendingResources lists the resources of a share that the caller's account is invited to, for ListPendingInvitationResources.
func (p *Plane) PendingResources(ctx context.Context, c *authpolicy.Caller, arn string) (s *trellis.ResourceShare, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		i, err := p.invitation(tx, c, "ram:ListPendingInvitationResources", arn)
		if err != nil {
			return err
		}
		s = i.Share
		switch i.Status(p.now()) {
		case "EXPIRED":
			return ramError("ResourceShareInvitationExpiredException", "Invitation %s has expired.", arn)
		case "REJECTED":
			return ramError("ResourceShareInvitationAlreadyRejectedException", "Invitation %s was already rejected.", arn)
		case "ACCEPTED":
			return ramError("InvalidParameterException", "Invitation %s was already accepted.", arn)
		}
		return nil
	})
	return s, err
}

// AnswerInvitation accepts or rejects an invitation to the caller's account.
func (p *Plane) AnswerInvitation(ctx context.Context, c *authpolicy.Caller, arn string, accept bool) (out ShareInvitation, rev trellis.Revision, err error) {
	action := "ram:RejectResourceShareInvitation"
	if accept {
		action = "ram:AcceptResourceShareInvitation"
	}
	rev, err = p.ramCommit(ctx, func(tx *store.Tx) (err error) {
		if out, err = p.invitation(tx, c, action, arn); err != nil {
			return err
		}
		switch out.Status(p.now()) {
		case "EXPIRED":
			return ramError("ResourceShareInvitationExpiredException", "Invitation %s has expired.", arn)
		case "ACCEPTED":
			return ramError("ResourceShareInvitationAlreadyAcceptedException", "Invitation %s was already accepted.", arn)
		case "REJECTED":
			return ramError("ResourceShareInvitationAlreadyRejectedException", "Invitation %s was already rejected.", arn)
		}
		n := slices.IndexFunc(out.Share.Principals, func(sp trellis.SharePrincipal) bool { return sp.Principal == account(c) })
		out.Share.Principals[n].Accepted, out.Share.Principals[n].Rejected = accept, !accept
		out.Receiver, out.Share.UpdatedAt = out.Share.Principals[n], p.now()
		tx.Put(out.Share)
		return nil
	})
	return out, rev, err
}
