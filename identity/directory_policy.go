package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// policyText is what a compiled policy is found by. The same text may stand in policies of several kinds.
type policyText struct {
	kind authpolicy.PolicyKind
	text string
}

// compiled is a policy that was compiled, or why it could not be.
type compiled struct {
	policy *authpolicy.Policy
	err    error
}

// control are the policies of an organization that hold for an account: a layer for each level, from the root to the
// account itself. Both are nil where none hold.
type control struct {
	service, resource []authpolicy.Policies
	broken            error // of the service control policies
}

// compilePolicies compiles what bounds anybody, so that Caller never parses for a user, and for a session only its own
// session policies. What prev has compiled of the same text is taken over.
func (d *Directory) compilePolicies(prev *Directory) {
	for _, u := range d.nouns.users {
		d.compileBearer(prev, u.Inline, u.Attached, u.Boundary)
	}
	for _, g := range d.nouns.groups {
		d.compileBearer(prev, g.Inline, g.Attached, "")
	}
	for _, r := range d.nouns.roles {
		d.compileBearer(prev, r.Inline, r.Attached, r.Boundary)
	}
	for _, p := range d.nouns.control {
		d.compile(prev, policyText{controlKind(p.Type), p.Text})
	}
	levels := map[string]*control{}
	for id := range d.nouns.accounts {
		d.controls[id] = d.controlOf(id, levels)
	}
}

// compileBearer compiles the policies of a user, group or role.
func (d *Directory) compileBearer(prev *Directory, inline []trellis.PolicyDoc, attached []string, boundary string) {
	for _, p := range inline {
		d.compile(prev, policyText{authpolicy.Identity, p.Text})
	}
	for _, arn := range append([]string{boundary}, attached...) {
		if text, ok := d.managed[arn]; ok {
			d.compile(prev, policyText{authpolicy.Identity, text})
		}
	}
}

// compile compiles one policy, unless that has happened.
func (d *Directory) compile(prev *Directory, t policyText) {
	if _, ok := d.compiled[t]; ok {
		return
	}
	c, ok := prev.compiled[t]
	if !ok {
		c.policy, c.err = authpolicy.Parse(t.text, t.kind)
	}
	d.compiled[t] = c
}

// gathering collects policies as one layer. A policy that can't be compiled, or is gone, breaks what it was to bound: it
// may have held a deny.
type gathering struct {
	d      *Directory
	layer  authpolicy.Policies
	broken error
}

// add adds one policy under its name.
func (g *gathering) add(name string, t policyText) {
	c := g.d.compiled[t]
	if c.err == nil && c.policy == nil {
		c.err = trellis.ErrNotExist
	}
	if c.err != nil {
		g.broken = errors.Join(g.broken, fmt.Errorf("%s: %w", name, c.err))
		return
	}
	g.layer = append(g.layer, authpolicy.Named{Name: name, Policy: c.policy})
}

// managed adds a managed policy. Whose it is stands in front of its name.
func (g *gathering) managed(whose, arn string) {
	text, ok := g.d.managed[arn]
	if !ok {
		g.broken = errors.Join(g.broken, fmt.Errorf("managed policy %s: %w", arn, trellis.ErrNotExist))
		return
	}
	g.add(whose+arn, policyText{authpolicy.Identity, text})
}

// all adds inline and attached policies.
func (g *gathering) all(whose string, inline []trellis.PolicyDoc, attached []string) {
	for _, p := range inline {
		g.add(whose+"inline policy "+p.Name, policyText{authpolicy.Identity, p.Text})
	}
	for _, arn := range attached {
		g.managed(whose, arn)
	}
}

// boundUser gives a caller the policies that bound a user: its own and those of its groups, its boundary, and those
// of the organization.
func (d *Directory) boundUser(c *authpolicy.Caller, u *trellis.User) {
	g := &gathering{d: d}
	g.all("", u.Inline, u.Attached)
	for _, name := range u.Groups {
		group, ok := d.nouns.groups[u.Account+"/"+name]
		if !ok {
			g.broken = errors.Join(g.broken, fmt.Errorf("group %s: %w", name, trellis.ErrNotExist))
			continue
		}
		g.all("group "+name+": ", group.Inline, group.Attached)
	}
	d.bound(c, g, u.Boundary)
	if of := d.controls[u.Account]; of != nil {
		c.Organization, c.Broken = of.service, errors.Join(c.Broken, of.broken)
	}
}

// boundRole gives a caller the policies that bound a role. Those of the organization don't bind a service-linked role
// (Organizations user guide, orgs_manage_policies_scps).
func (d *Directory) boundRole(c *authpolicy.Caller, r *trellis.Role) {
	g := &gathering{d: d}
	g.all("", r.Inline, r.Attached)
	d.bound(c, g, r.Boundary)
	if of := d.controls[r.Account]; of != nil && !strings.HasPrefix(r.Path, serviceLinkedPath) {
		c.Organization, c.Broken = of.service, errors.Join(c.Broken, of.broken)
	}
}

// bound gives a caller the identity layer and the permissions boundary, whose ARN is empty for none.
func (d *Directory) bound(c *authpolicy.Caller, own *gathering, boundary string) {
	c.Identity, c.Broken = own.layer, own.broken
	if boundary == "" {
		return
	}
	g := &gathering{d: d}
	if g.managed("", boundary); g.broken != nil {
		c.Broken = errors.Join(c.Broken, fmt.Errorf("permissions boundary: %w", g.broken))
		return
	}
	c.Boundary = &g.layer[0]
}

// controlOf returns what the organization holds an account to. The management account is held to nothing, and policies
// of a type that is not enabled hold nobody. levels remembers what was made for a root, unit or account.
func (d *Directory) controlOf(account string, levels map[string]*control) *control {
	a := d.nouns.accounts[account]
	o := d.nouns.orgs[a.OrgID]
	if o == nil || o.ManagementAccountID == account || len(o.PolicyTypes) == 0 {
		return nil
	}
	of := &control{}
	chain := []string{account}
	for parent := a.ParentID; parent != ""; parent = d.parentOf(parent) {
		if chain = append(chain, parent); len(chain) > maxUnitDepth+2 {
			break
		}
	}
	slices.Reverse(chain)
	if chain[0] != o.RootID {
		of.broken = fmt.Errorf("account %s is not below the root of its organization", account)
	}
	for _, target := range chain {
		level := levels[target]
		if level == nil {
			level = d.controlAt(o, target)
			levels[target] = level
		}
		of.broken = errors.Join(of.broken, level.broken)
		if level.service != nil {
			of.service = append(of.service, level.service...)
		}
		if level.resource != nil {
			of.resource = append(of.resource, level.resource...)
		}
	}
	return of
}

// parentOf is what an organizational unit is directly below, or "".
func (d *Directory) parentOf(unit string) string {
	if u, ok := d.nouns.units[unit]; ok {
		return u.ParentID
	}
	return ""
}

// controlAt is the one level of a root, unit or account. A resource control policy that doesn't compile leaves its level
// without policies, so that nothing is allowed there.
func (d *Directory) controlAt(o *trellis.Organization, target string) *control {
	level := &control{}
	for _, policyType := range o.PolicyTypes {
		g := &gathering{d: d, layer: authpolicy.Policies{}}
		for _, p := range d.attachedTo[target] {
			if p.OrgID == o.ID && p.Type == policyType {
				g.add(p.Name+" ("+p.ID+") at "+target, policyText{controlKind(p.Type), p.Text})
			}
		}
		switch {
		case policyType == ServiceControlPolicy:
			level.service, level.broken = []authpolicy.Policies{g.layer}, g.broken
		case g.broken != nil:
			level.resource = []authpolicy.Policies{{}}
		default:
			level.resource = []authpolicy.Policies{g.layer}
		}
	}
	return level
}

// controlKind is the kind of the policies of an organization by their type.
func controlKind(policyType string) authpolicy.PolicyKind {
	if policyType == ResourceControlPolicy {
		return authpolicy.ResourceControl
	}
	return authpolicy.ServiceControl
}

// ResourceControl returns the resource control policies that hold for what an account owns, as authpolicy.Request takes
// them.
func (d *Directory) ResourceControl(account string) []authpolicy.Policies {
	if of := d.controls[account]; of != nil {
		return of.resource
	}
	return nil
}
