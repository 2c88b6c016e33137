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

// organizationPrincipal takes the ARN of an organization or organizational unit apart:
// arn:aws:organizations::ACCOUNT:organization/o-… or …:ou/o-…/ou-….
func organizationPrincipal(principal string) (org, unit string, ok bool) {
	a, err := trellis.ParseARN(principal)
	if err != nil || a.Service != "organizations" {
		return "", "", false
	}
	parts := strings.Split(a.Resource, "/")
	switch {
	case len(parts) == 2 && parts[0] == "organization":
		return parts[1], "", true
	case len(parts) == 3 && parts[0] == "ou":
		return parts[1], parts[2], true
	}
	return "", "", false
}

// reaches tells whether a principal of a share is the account, or holds it. An organization is reached only by shares of
// its own members, while it trusts RAM. An account that leaves the organization loses what was shared within it, unless the
// share says otherwise (AWS RAM user guide, sharing within an organization).
func reaches(s *trellis.ResourceShare, sp trellis.SharePrincipal, owner, m membership) bool {
	if sp.Principal == m.account {
		return sp.Accepted && (sp.External || s.RetainOnLeave || m.org != "" && m.org == owner.org)
	}
	org, unit, ok := organizationPrincipal(sp.Principal)
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

// SharedWith tells whether a share or a resource policy of its owner lets a caller do an action, for example
// "vpc-lattice:GetServiceNetwork", with the resource of an ARN. k are the condition keys of the operation. Nothing is shared with the owner, and when
// the store fails nothing is shared with anybody.
func (p *Plane) SharedWith(tx *store.Tx, c *authpolicy.Caller, arn, action string, k keys) bool {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Account == account(c) {
		return false
	}
	shares, err := store.List[*trellis.ResourceShare](tx, a.Account+"/")
	if err != nil {
		return false
	}
	policy, err := store.Get[*trellis.ResourcePolicy](tx, a.Account+"/"+trellis.LastPart(arn))
	if err != nil && !errors.Is(err, trellis.ErrNotExist) {
		return false
	}
	shares = slices.DeleteFunc(shares, func(s *trellis.ResourceShare) bool { return !slices.Contains(s.Resources, arn) })
	if len(shares) == 0 && policy == nil {
		return false
	}
	m, err := memberOf(tx, account(c))
	if err != nil {
		return false
	}
	for _, s := range shares {
		if ok, err := shareReaches(tx, s, m); err != nil || !ok {
			continue
		}
		if opened, err := p.openedBy(tx, s, ShareResourceType(arn)); err == nil && opened != nil && opened.permits(p, c, arn, action, k) {
			return true
		}
	}
	return policy != nil && p.allows(policy, m, arn, action, k)
}

// SharedResources lists the ARNs that shares and resource policies of others let an account see, of one type such as
// ShareServiceNetwork, or of every type when it is empty. They are sorted, and each is there once.
func (p *Plane) SharedResources(tx *store.Tx, account, resourceType string) ([]string, error) {
	m, err := memberOf(tx, account)
	if err != nil {
		return nil, err
	}
	shares, err := store.List[*trellis.ResourceShare](tx, "")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range shares {
		ok, err := shareReaches(tx, s, m)
		if err != nil {
			return nil, err
		}
		for _, arn := range s.Resources {
			if ok && (resourceType == "" || ShareResourceType(arn) == resourceType) {
				out = append(out, arn)
			}
		}
	}
	policies, err := store.List[*trellis.ResourcePolicy](tx, "")
	if err != nil {
		return nil, err
	}
	for _, policy := range policies {
		g := guarded{Ref: policy.Resource}
		if arn := g.arn(p.Region); (resourceType == "" || ShareResourceType(arn) == resourceType) && p.allows(policy, m, arn, g.kind().describe, nil) {
			out = append(out, arn)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
