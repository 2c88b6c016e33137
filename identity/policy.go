package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// managedPolicy finds a managed policy of an account or of AWS by its ARN.
func managedPolicy(tx *store.Tx, account, arn string, missing *trellis.Error) (*trellis.ManagedPolicy, error) {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return nil, trellis.NewError(400, "ValidationError", "ARN %s is not valid.", arn)
	}
	if a.Account != account && a.Account != awsAccount {
		return nil, missing
	}
	p, err := get[*trellis.ManagedPolicy](tx, a.Account+"/"+trellis.LastPart(a.Resource), missing)
	if err == nil && p.ARN() != arn {
		return nil, missing
	}
	return p, err
}

// lookUpPolicy is lookUp for a managed policy, which requests name by its ARN.
func lookUpPolicy(tx *store.Tx, c *authpolicy.Caller, action, arn string, keys map[string][]string) (*trellis.ManagedPolicy, error) {
	missing := noPolicy(arn)
	p, err := managedPolicy(tx, c.Principal.Account, arn, missing)
	if err == error(missing) {
		if err := c.Authorize(action, arn, keys); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return p, authorizeOn(c, action, arn, p.Tags, "", keys)
}

// changePolicy changes a managed policy of the caller's account. Those of AWS are nobody's to change.
func (i *Identity) changePolicy(ctx context.Context, c *authpolicy.Caller, action, arn string, keys map[string][]string, change func(*store.Tx, *trellis.ManagedPolicy) error) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		p, err := lookUpPolicy(tx, c, action, arn, keys)
		if err != nil {
			return err
		}
		if p.Account == awsAccount {
			return trellis.Denied("User: %s is not authorized to perform: %s on resource: policy %s", c.Principal.ARN, action, arn)
		}
		return change(tx, p)
	})
}

// CreatePolicy makes a managed policy of the caller's account out of its name, path, description, text and
// tags.
func (i *Identity) CreatePolicy(ctx context.Context, c *authpolicy.Caller, p trellis.ManagedPolicy) (*trellis.ManagedPolicy, trellis.Revision, error) {
	path, err := policyNaming.check(p.Name, p.Path, p.Tags)
	if err != nil {
		return nil, 0, err
	}
	if err := checkManaged(p.Text); err != nil {
		return nil, 0, err
	}
	n := &trellis.ManagedPolicy{Meta: i.meta(c, "ANPA", p.Tags), Name: p.Name, Path: path, Description: p.Description,
		Text: p.Text, VersionID: "v1"}
	return create(ctx, i, c, "iam:CreatePolicy", policyNaming, n.Name, n, authpolicy.TagKeys(nil, p.Tags, nil), nil)
}

// checkManaged refuses the text of a managed policy that does not compile or is too long.
func checkManaged(text string) error {
	if _, err := authpolicy.Parse(text, authpolicy.Identity); err != nil {
		return malformedPolicy(err)
	}
	if sizeOf(text) > maxManaged {
		return limitExceeded("Cannot exceed quota for PolicySize: %d", maxManaged)
	}
	return nil
}

// PolicyUse is a managed policy with who of the account has it attached, or as permissions boundary.
type PolicyUse struct {
	Policy *trellis.ManagedPolicy
	Uses   []string // "user/NAME", "group/NAME" and "role/NAME"
	Bounds []string // "user/NAME" and "role/NAME"
}

// GetPolicy returns a managed policy of the caller's account or of AWS, and who has it. action is iam:GetPolicy, or
// another reading action of IAM about the policy.
func (i *Identity) GetPolicy(ctx context.Context, c *authpolicy.Caller, action, arn string) (u *PolicyUse, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		p, err := lookUpPolicy(tx, c, action, arn, nil)
		if err != nil {
			return err
		}
		u, err = useOf(tx, c.Principal.Account, p)
		return err
	})
	return u, err
}

// Holder is who has a managed policy.
type Holder struct {
	Kind              Bearer
	Name, ID, Path    string
	Attached, Bounded bool // has it attached, or as permissions boundary
}

// PolicyHolders returns who of the caller's account has a managed policy.
func (i *Identity) PolicyHolders(ctx context.Context, c *authpolicy.Caller, arn string) (holders []Holder, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		holders = nil
		p, err := lookUpPolicy(tx, c, "iam:ListEntitiesForPolicy", arn, nil)
		if err != nil {
			return err
		}
		u, err := useOf(tx, c.Principal.Account, p)
		if err != nil {
			return err
		}
		for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(u.Uses, u.Bounds)))) {
			h, err := holder(tx, c.Principal.Account, name)
			if err != nil {
				return err
			}
			h.Attached, h.Bounded = slices.Contains(u.Uses, name), slices.Contains(u.Bounds, name)
			holders = append(holders, h)
		}
		return nil
	})
	return holders, err
}

// holder reads what is shown of a user, group or role by its kind and name, for example "user/NAME".
func holder(tx *store.Tx, account, member string) (h Holder, err error) {
	kind, name, _ := strings.Cut(member, "/")
	h = Holder{Kind: Bearer(kind), Name: name}
	switch h.Kind {
	case UserBearer:
		u, err := store.Get[*trellis.User](tx, account+"/"+name)
		if err != nil {
			return h, err
		}
		h.ID, h.Path = u.ID, u.Path
	case GroupBearer:
		g, err := store.Get[*trellis.Group](tx, account+"/"+name)
		if err != nil {
			return h, err
		}
		h.ID, h.Path = g.ID, g.Path
	case RoleBearer:
		r, err := store.Get[*trellis.Role](tx, account+"/"+name)
		if err != nil {
			return h, err
		}
		h.ID, h.Path = r.ID, r.Path
	}
	return h, nil
}

// useOf finds who of an account has a managed policy.
func useOf(tx *store.Tx, account string, p *trellis.ManagedPolicy) (*PolicyUse, error) {
	u := &PolicyUse{Policy: p}
	for set, names := range map[string]*[]string{policyUse(p.ARN()): &u.Uses, boundaryUse(p.ARN()): &u.Bounds} {
		members, err := tx.Marked(set)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			if kind, rest, _ := strings.Cut(m, "/"); strings.HasPrefix(rest, account+"/") {
				*names = append(*names, kind+"/"+rest[len(account)+1:])
			}
		}
	}
	return u, nil
}

// ListPolicies returns the managed policies of the caller's account (local), of AWS, or both, whose path
// begins with a prefix.
func (i *Identity) ListPolicies(ctx context.Context, c *authpolicy.Caller, local, aws bool, pathPrefix string) (found []*PolicyUse, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, "iam:ListPolicies", trellis.IAMARN(account, "policy/*"), func(tx *store.Tx) error {
		found, err = policiesOf(tx, account, local, aws)
		return err
	})
	wanted := found[:0]
	for _, p := range found {
		if strings.HasPrefix(p.Policy.Path, pathPrefix) {
			wanted = append(wanted, p)
		}
	}
	return wanted, err
}

// policiesOf reads the managed policies of an account, of AWS, or both, with who of the account has them.
func policiesOf(tx *store.Tx, account string, local, aws bool) (found []*PolicyUse, err error) {
	for _, owner := range []struct {
		account string
		wanted  bool
	}{{account, local}, {awsAccount, aws}} {
		if !owner.wanted {
			continue
		}
		policies, err := store.List[*trellis.ManagedPolicy](tx, owner.account+"/")
		if err != nil {
			return nil, err
		}
		for _, p := range policies {
			u, err := useOf(tx, account, p)
			if err != nil {
				return nil, err
			}
			found = append(found, u)
		}
	}
	return found, nil
}

// DeletePolicy removes a managed policy that nobody has and that has no other version than the default one.
func (i *Identity) DeletePolicy(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	return i.changePolicy(ctx, c, "iam:DeletePolicy", arn, nil, func(tx *store.Tx, p *trellis.ManagedPolicy) error {
		for _, set := range []string{policyUse(arn), boundaryUse(arn)} {
			members, err := tx.Marked(set)
			if err != nil {
				return err
			}
			if len(members) > 0 {
				return deleteConflict("Cannot delete a policy attached to entities.")
			}
		}
		if len(p.Versions) > 1 {
			return deleteConflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		tx.Delete(p)
		policyNaming.release(tx, &p.Meta, p.Name)
		return nil
	})
}

// TagPolicy adds tags to a managed policy, or replaces their values.
func (i *Identity) TagPolicy(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	return i.changePolicy(ctx, c, "iam:TagPolicy", arn, authpolicy.TagKeys(nil, tags, nil), func(tx *store.Tx, p *trellis.ManagedPolicy) error {
		if err := addTags(&p.Tags, tags); err != nil {
			return err
		}
		tx.Put(p)
		return nil
	})
}

// UntagPolicy removes tags from a managed policy.
func (i *Identity) UntagPolicy(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
	return i.changePolicy(ctx, c, "iam:UntagPolicy", arn, untagKeys(keys), func(tx *store.Tx, p *trellis.ManagedPolicy) error {
		removeTags(p.Tags, keys)
		tx.Put(p)
		return nil
	})
}
