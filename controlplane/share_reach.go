package controlplane

import (
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// membership is where an account stands in its organization.
type membership struct {
	account string
	sharing bool     // RAM may share within the organization
	org     string   // o-…, "" outside of an organization
	units   []string // ids of the organizational units above it, the nearest first
	root    string   // r-…
}

// maxUnitDepth bounds the walk from an account to the root (AWS Organizations quotas: five levels).
const maxUnitDepth = 16

// memberOf reads where an account stands. An account that does not exist stands nowhere.
func memberOf(tx *store.Tx, id string) (membership, error) {
	m := membership{account: id}
	a, err := store.Get[*trellis.Account](tx, id)
	if errors.Is(err, trellis.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	m.org = a.OrgID
	for m.root = a.ParentID; strings.HasPrefix(m.root, "ou-") && len(m.units) < maxUnitDepth; {
		m.units = append(m.units, m.root)
		u, err := store.Get[*trellis.OrganizationalUnit](tx, a.OrgID+"/"+m.root)
		if errors.Is(err, trellis.ErrNotExist) {
			break
		}
		if err != nil {
			return m, err
		}
		m.root = u.ParentID
	}
	return m, nil
}

// path is the value of aws:PrincipalOrgPaths, o-…/r-…/ou-…/; empty outside of an organization.
func (m membership) path() string {
	if m.org == "" {
		return ""
	}
	path := m.org + "/" + m.root + "/"
	for _, unit := range slices.Backward(m.units) {
		path += unit + "/"
	}
	return path
}

// terms are what the shares are found by that may reach the account.
func (m membership) terms() []string {
	terms := []string{m.account}
	if m.org != "" {
		terms = append(terms, trellis.OrganizationTerm(m.org, ""))
		for _, unit := range m.units {
			terms = append(terms, trellis.OrganizationTerm(m.org, unit))
		}
	}
	return terms
}

// reaches tells whether a principal of a share is the account, or holds it. An organization is reached only by shares of
// its own members, while it trusts RAM. An account that leaves the organization loses what was shared within it, unless the
// share says otherwise (AWS RAM user guide, sharing within an organization).
func reaches(s *trellis.ResourceShare, sp trellis.SharePrincipal, owner, m membership) bool {
	if sp.Principal == m.account {
		return sp.Accepted && (sp.External || s.RetainOnLeave || m.org != "" && m.org == owner.org)
	}
	org, unit, ok := trellis.OrganizationPrincipal(sp.Principal)
	if !ok || m.org != org || owner.org != org || !owner.sharing {
		return false
	}
	return unit == "" || slices.Contains(m.units, unit)
}

// sharingEnabled tells whether RAM may share within an organization without invitations.
func sharingEnabled(tx *store.Tx, org string) (bool, error) {
	if org == "" {
		return false, nil
	}
	o, err := store.Get[*trellis.Organization](tx, org)
	if errors.Is(err, trellis.ErrNotExist) {
		return false, nil
	}
	return err == nil && o.SharingEnabled, err
}

// shareReaches tells whether an active share of another account reaches an account.
func shareReaches(tx *store.Tx, s *trellis.ResourceShare, m membership) (bool, error) {
	if s.Status != ShareActive || s.Account == m.account {
		return false, nil
	}
	owner, err := memberOf(tx, s.Account)
	if err != nil {
		return false, err
	}
	if owner.sharing, err = sharingEnabled(tx, owner.org); err != nil {
		return false, err
	}
	return slices.ContainsFunc(s.Principals, func(sp trellis.SharePrincipal) bool { return reaches(s, sp, owner, m) }), nil
}

// sharesReaching are the shares of others that reach an account, sorted by id.
func sharesReaching(tx *store.Tx, m membership) ([]*trellis.ResourceShare, error) {
	var out []*trellis.ResourceShare
	for _, term := range m.terms() {
		found, err := store.Find[*trellis.ResourceShare](tx, term)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			ok, err := shareReaches(tx, s, m)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, s)
			}
		}
	}
	slices.SortFunc(out, func(a, b *trellis.ResourceShare) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b *trellis.ResourceShare) bool { return a.Key() == b.Key() }), nil
}

// reach is what shares and resource policies of others open to an account, at the revision of a transaction.
type reach struct {
	p        *Plane
	tx       *store.Tx
	m        membership
	shares   map[string][]*trellis.ResourceShare // by the ARN of what they share
	policies map[string]*trellis.ResourcePolicy  // by the ARN of what they stand at
}

// reachOf reads what reaches an account, and no share that does not name it, its organization or a unit above it.
func (p *Plane) reachOf(tx *store.Tx, account string) (*reach, error) {
	m, err := memberOf(tx, account)
	if err != nil {
		return nil, err
	}
	r := &reach{p, tx, m, map[string][]*trellis.ResourceShare{}, map[string]*trellis.ResourcePolicy{}}
	shares, err := sharesReaching(tx, m)
	if err != nil {
		return nil, err
	}
	for _, s := range shares {
		for _, arn := range s.Resources {
			r.shares[arn] = append(r.shares[arn], s)
		}
	}
	for _, term := range []string{account, trellis.AnyAccount} {
		policies, err := store.Find[*trellis.ResourcePolicy](tx, term)
		if err != nil {
			return nil, err
		}
		for _, policy := range policies {
			r.policies[(guarded{Ref: policy.Resource}).arn(p.Region)] = policy
		}
	}
	return r, nil
}

// opens tells whether the caller, who is of the account, may do an action with the resource of an ARN. k are the condition keys
// of the operation.
func (r *reach) opens(c *authpolicy.Caller, arn, action string, k keys) bool {
	for _, s := range r.shares[arn] {
		if opened, err := r.p.openedBy(r.tx, s, ShareResourceType(arn)); err == nil && opened != nil && opened.permits(r.p, c, arn, action, k) {
			return true
		}
	}
	policy := r.policies[arn]
	return policy != nil && r.p.allows(policy, r.m, arn, action, k)
}

// resources lists the ARNs that the account may see, of one type such as ShareServiceNetwork, or of every type when it is
// empty. They are sorted.
func (r *reach) resources(resourceType string) []string {
	var out []string
	for arn := range r.shares {
		if resourceType == "" || ShareResourceType(arn) == resourceType {
			out = append(out, arn)
		}
	}
	for arn, policy := range r.policies {
		describe := (guarded{Ref: policy.Resource}).kind().describe
		if (resourceType == "" || ShareResourceType(arn) == resourceType) && r.p.allows(policy, r.m, arn, describe, nil) {
			out = append(out, arn)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SharedWith tells whether a share or a resource policy of its owner lets a caller do an action, for example
// "vpc-lattice:GetServiceNetwork", with the resource of an ARN. k are the condition keys of the operation. Nothing is shared with the owner, and when
// the store fails nothing is shared with anybody.
func (p *Plane) SharedWith(tx *store.Tx, c *authpolicy.Caller, arn, action string, k keys) bool {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Account == account(c) {
		return false
	}
	r, err := p.reachOf(tx, account(c))
	return err == nil && r.opens(c, arn, action, k)
}

// SharedResources lists the ARNs that shares and resource policies of others let an account see, of one type such as
// ShareServiceNetwork, or of every type when it is empty. They are sorted, and each is there once.
func (p *Plane) SharedResources(tx *store.Tx, account, resourceType string) ([]string, error) {
	r, err := p.reachOf(tx, account)
	if err != nil {
		return nil, err
	}
	return r.resources(resourceType), nil
}
