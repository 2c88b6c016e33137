package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// Bearer is the kind of what has policies.
type Bearer string

// The kinds of bearers.
const (
	UserBearer Bearer = "user"
	RoleBearer Bearer = "role"
)

// bearing is a user or role with its policies, ready to be changed and put.
type bearing struct {
	kind     Bearer
	name     string
	account  string
	inline   *[]trellis.PolicyDoc
	attached *[]string
	noun     trellis.Noun
	meta     *trellis.Meta
}

// action is the IAM action about this kind of bearer: iam:Put{}Policy is iam:PutRolePolicy for a role.
func (b Bearer) action(form string) string {
	return "iam:" + strings.Replace(form, "{}", strings.ToUpper(string(b[:1]))+string(b[1:]), 1)
}

// arn is the ARN that authorizes a request about the bearer.
func (b Bearer) arn(account, name string) string { return trellis.IAMARN(account, string(b)+"/"+name) }

// load reads a bearer.
func (b Bearer) load(tx *store.Tx, account, name string) (*bearing, error) {
	if b == UserBearer {
		u, err := get[*trellis.User](tx, account+"/"+name, noUser(name))
		if err != nil {
			return nil, err
		}
		return &bearing{b, name, account, &u.Inline, &u.Attached, u, &u.Meta}, nil
	}
	r, err := get[*trellis.Role](tx, account+"/"+name, noRole(name))
	if err != nil {
		return nil, err
	}
	return &bearing{b, name, account, &r.Inline, &r.Attached, r, &r.Meta}, nil
}

// member is how the set of a managed policy's bearers names this one.
func (b *bearing) member() string { return string(b.kind) + "/" + b.account + "/" + b.name }

// policyUse is the set of who has a managed policy attached.
func policyUse(arn string) string { return "policyuse/" + arn }

// changeBearer changes the policies of a user or role.
func (i *Identity) changeBearer(ctx context.Context, c *authpolicy.Caller, kind Bearer, action, name string, keys map[string][]string, change func(*store.Tx, *bearing) error) (trellis.Revision, error) {
	account := c.Principal.Account
	return i.commit(ctx, c, kind.action(action), kind.arn(account, name), keys, func(tx *store.Tx) error {
		b, err := kind.load(tx, account, name)
		if err != nil {
			return err
		}
		if err := change(tx, b); err != nil {
			return err
		}
		b.meta.UpdatedAt = i.now()
		tx.Put(b.noun)
		return nil
	})
}

// readBearer reads the policies of a user or role.
func (i *Identity) readBearer(ctx context.Context, c *authpolicy.Caller, kind Bearer, action, name string) (b *bearing, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, kind.action(action), kind.arn(account, name), func(tx *store.Tx) error {
		b, err = kind.load(tx, account, name)
		return err
	})
	return b, err
}

// PutInlinePolicy adds or replaces an inline policy of a user or role.
func (i *Identity) PutInlinePolicy(ctx context.Context, c *authpolicy.Caller, kind Bearer, name, policyName, text string) (trellis.Revision, error) {
	if err := checkName("policyName", policyName, maxPolicyName); err != nil {
		return 0, err
	}
	if _, err := authpolicy.Parse(text, authpolicy.Identity); err != nil {
		return 0, malformedPolicy(err)
	}
	return i.changeBearer(ctx, c, kind, "Put{}Policy", name, nil, func(_ *store.Tx, b *bearing) error {
		doc := trellis.PolicyDoc{Name: policyName, Text: text}
		at, found := slices.BinarySearchFunc(*b.inline, policyName, comparePolicyName)
		if found {
			(*b.inline)[at] = doc
		} else {
			*b.inline = slices.Insert(*b.inline, at, doc)
		}
		longest, size := maxInlineOfUser, 0
		if kind == RoleBearer {
			longest = maxInlineOfRole
		}
		for _, p := range *b.inline {
			size += sizeOf(p.Text)
		}
		if size > longest {
			return limitExceeded("Maximum policy size of %d bytes exceeded for %s %s", longest, kind, name)
		}
		return nil
	})
}

// comparePolicyName orders inline policies by name.
func comparePolicyName(p trellis.PolicyDoc, name string) int { return strings.Compare(p.Name, name) }

// noInline is the error for an inline policy that does not exist.
func noInline(kind Bearer, policyName string) error {
	return noSuchEntity("The %s policy with name %s cannot be found.", kind, policyName)
}

// GetInlinePolicy returns the text of an inline policy of a user or role.
func (i *Identity) GetInlinePolicy(ctx context.Context, c *authpolicy.Caller, kind Bearer, name, policyName string) (string, error) {
	b, err := i.readBearer(ctx, c, kind, "Get{}Policy", name)
	if err != nil {
		return "", err
	}
	at, found := slices.BinarySearchFunc(*b.inline, policyName, comparePolicyName)
	if !found {
		return "", noInline(kind, policyName)
	}
	return (*b.inline)[at].Text, nil
}

// ListInlinePolicies returns the names of a user's or role's inline policies.
func (i *Identity) ListInlinePolicies(ctx context.Context, c *authpolicy.Caller, kind Bearer, name string) ([]string, error) {
	b, err := i.readBearer(ctx, c, kind, "List{}Policies", name)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(*b.inline))
	for _, p := range *b.inline {
		names = append(names, p.Name)
	}
	return names, nil
}

// DeleteInlinePolicy removes an inline policy of a user or role.
func (i *Identity) DeleteInlinePolicy(ctx context.Context, c *authpolicy.Caller, kind Bearer, name, policyName string) (trellis.Revision, error) {
	return i.changeBearer(ctx, c, kind, "Delete{}Policy", name, nil, func(_ *store.Tx, b *bearing) error {
		at, found := slices.BinarySearchFunc(*b.inline, policyName, comparePolicyName)
		if !found {
			return noInline(kind, policyName)
		}
		*b.inline = slices.Delete(*b.inline, at, at+1)
		return nil
	})
}

// AttachPolicy attaches a managed policy of the account, or one of AWS's, to a user or role. Attaching it
// again changes nothing.
func (i *Identity) AttachPolicy(ctx context.Context, c *authpolicy.Caller, kind Bearer, name, arn string) (trellis.Revision, error) {
	return i.changeBearer(ctx, c, kind, "Attach{}Policy", name, map[string][]string{"iam:policyarn": {arn}}, func(tx *store.Tx, b *bearing) error {
		if _, err := managedPolicy(tx, b.account, arn, noSuchEntity("Policy %s does not exist or is not attachable.", arn)); err != nil {
			return err
		}
		if slices.Contains(*b.attached, arn) {
			return nil
		}
		if len(*b.attached) >= maxAttached {
			if kind == RoleBearer {
				return limitExceeded("Cannot exceed quota for PoliciesPerRole: %d", maxAttached)
			}
			return limitExceeded("Cannot exceed quota for PoliciesPerUser: %d", maxAttached)
		}
		*b.attached = append(*b.attached, arn)
		tx.Mark(policyUse(arn), b.member())
		return nil
	})
}

// DetachPolicy takes a managed policy from a user or role.
func (i *Identity) DetachPolicy(ctx context.Context, c *authpolicy.Caller, kind Bearer, name, arn string) (trellis.Revision, error) {
	return i.changeBearer(ctx, c, kind, "Detach{}Policy", name, map[string][]string{"iam:policyarn": {arn}}, func(tx *store.Tx, b *bearing) error {
		at := slices.Index(*b.attached, arn)
		if at < 0 {
			return noSuchEntity("Policy %s was not found.", arn)
		}
		*b.attached = slices.Delete(*b.attached, at, at+1)
		tx.Unmark(policyUse(arn), b.member())
		return nil
	})
}

// ListAttachedPolicies returns the ARNs of the managed policies that a user or role has.
func (i *Identity) ListAttachedPolicies(ctx context.Context, c *authpolicy.Caller, kind Bearer, name string) ([]string, error) {
	b, err := i.readBearer(ctx, c, kind, "ListAttached{}Policies", name)
	if err != nil {
		return nil, err
	}
	return *b.attached, nil
}

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

// CreatePolicy makes a managed policy of the caller's account out of its name, path, description, text and
// tags.
func (i *Identity) CreatePolicy(ctx context.Context, c *authpolicy.Caller, p trellis.ManagedPolicy) (*trellis.ManagedPolicy, trellis.Revision, error) {
	if err := checkName("policyName", p.Name, maxPolicyName); err != nil {
		return nil, 0, err
	}
	path, err := checkPath(p.Path)
	if err != nil {
		return nil, 0, err
	}
	if err := checkTags(p.Tags); err != nil {
		return nil, 0, err
	}
	if _, err := authpolicy.Parse(p.Text, authpolicy.Identity); err != nil {
		return nil, 0, malformedPolicy(err)
	}
	if sizeOf(p.Text) > maxManaged {
		return nil, 0, limitExceeded("Cannot exceed quota for PolicySize: %d", maxManaged)
	}
	n := &trellis.ManagedPolicy{Meta: i.meta(c, "ANPA", p.Tags), Name: p.Name, Path: path, Description: p.Description,
		Text: p.Text, VersionID: "v1"}
	rev, err := i.commit(ctx, c, "iam:CreatePolicy", n.ARN(), tagKeys(p.Tags), func(tx *store.Tx) error {
		if err := claim(tx, "policyname/"+n.Account+"/"+lower(n.Name), n.ID, "A policy called %s already exists. Duplicate names are not allowed.", n.Name); err != nil {
			return err
		}
		tx.Put(n)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return n, rev, nil
}

// GetPolicy returns a managed policy of the caller's account or of AWS, and how many have it attached.
// action is iam:GetPolicy, or another reading action of IAM about the policy.
func (i *Identity) GetPolicy(ctx context.Context, c *authpolicy.Caller, action, arn string) (p *trellis.ManagedPolicy, uses []string, err error) {
	err = i.read(ctx, c, action, arn, func(tx *store.Tx) error {
		if p, err = managedPolicy(tx, c.Principal.Account, arn, noPolicy(arn)); err != nil {
			return err
		}
		uses, err = usesOf(tx, c.Principal.Account, arn)
		return err
	})
	return p, uses, err
}

// usesOf returns who of an account has a managed policy attached: "user/NAME" and "role/NAME".
func usesOf(tx *store.Tx, account, arn string) ([]string, error) {
	members, err := tx.Marked(policyUse(arn))
	if err != nil {
		return nil, err
	}
	var uses []string
	for _, m := range members {
		if kind, rest, _ := strings.Cut(m, "/"); strings.HasPrefix(rest, account+"/") {
			uses = append(uses, kind+"/"+rest[len(account)+1:])
		}
	}
	return uses, nil
}

// PolicyUse is a managed policy with who of the account has it attached.
type PolicyUse struct {
	Policy *trellis.ManagedPolicy
	Uses   []string // "user/NAME" and "role/NAME"
}

// ListPolicies returns the managed policies of the caller's account (local), of AWS, or both, whose path
// begins with a prefix.
func (i *Identity) ListPolicies(ctx context.Context, c *authpolicy.Caller, local, aws bool, pathPrefix string) (found []PolicyUse, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, "iam:ListPolicies", trellis.IAMARN(account, "policy/*"), func(tx *store.Tx) error {
		found = nil
		for _, owner := range []struct {
			account string
			wanted  bool
		}{{account, local}, {awsAccount, aws}} {
			if !owner.wanted {
				continue
			}
			policies, err := store.List[*trellis.ManagedPolicy](tx, owner.account+"/")
			if err != nil {
				return err
			}
			for _, p := range policies {
				if !strings.HasPrefix(p.Path, pathPrefix) {
					continue
				}
				uses, err := usesOf(tx, account, p.ARN())
				if err != nil {
					return err
				}
				found = append(found, PolicyUse{p, uses})
			}
		}
		return nil
	})
	return found, err
}

// DeletePolicy removes a managed policy that nobody has attached.
func (i *Identity) DeletePolicy(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	return i.commit(ctx, c, "iam:DeletePolicy", arn, nil, func(tx *store.Tx) error {
		p, err := managedPolicy(tx, c.Principal.Account, arn, noPolicy(arn))
		if err != nil {
			return err
		}
		if p.Account == awsAccount {
			return trellis.Denied("User: %s is not authorized to perform: iam:DeletePolicy on resource: policy %s", c.Principal.ARN, arn)
		}
		members, err := tx.Marked(policyUse(arn))
		if err != nil {
			return err
		}
		if len(members) > 0 {
			return deleteConflict("Cannot delete a policy attached to entities.")
		}
		tx.Delete(p)
		tx.Release("policyname/" + p.Account + "/" + lower(p.Name))
		return nil
	})
}
