package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Bearer is the kind of what has policies.
type Bearer string

// The kinds of bearers.
const (
	UserBearer  Bearer = "user"
	GroupBearer Bearer = "group"
	RoleBearer  Bearer = "role"
)

// bearing is a user, group or role with its policies, ready to be changed and put.
type bearing struct {
	kind     Bearer
	name     string
	account  string
	path     string
	inline   *[]trellis.PolicyDoc
	attached *[]string
	boundary *string // nil for a group, which has none
	noun     trellis.Noun
	meta     *trellis.Meta
}

// longestInline is how many characters the inline policies of a bearer may have together.
var longestInline = map[Bearer]int{UserBearer: maxInlineOfUser, GroupBearer: maxInlineOfGroup, RoleBearer: maxInlineOfRole}

// policiesPer are the quotas of managed policies that a bearer may have.
var policiesPer = map[Bearer]quota.ID{UserBearer: quota.PoliciesPerUser, GroupBearer: quota.PoliciesPerGroup, RoleBearer: quota.PoliciesPerRole}

// title is the kind as the names of actions and quotas have it.
func (b Bearer) title() string { return strings.ToUpper(string(b[:1])) + string(b[1:]) }

// action is the IAM action about this kind of bearer: iam:Put{}Policy is iam:PutRolePolicy for a role.
func (b Bearer) action(form string) string { return "iam:" + strings.Replace(form, "{}", b.title(), 1) }

// arn is the ARN that authorizes a request about the bearer while its path is not known.
func (b Bearer) arn(account, name string) string { return trellis.IAMARN(account, string(b)+"/"+name) }

// load reads a bearer for an action that the caller's policies allow.
func (b Bearer) load(tx *store.Tx, c *authpolicy.Caller, form, name string, keys map[string][]string) (*bearing, error) {
	account := c.Principal.Account
	action, key, arn := b.action(form), account+"/"+name, b.arn(account, name)
	switch b {
	case UserBearer:
		u, err := lookUp[*trellis.User](tx, c, action, key, arn, noUser(name), keys)
		if err != nil {
			return nil, err
		}
		return &bearing{b, name, account, u.Path, &u.Inline, &u.Attached, &u.Boundary, u, &u.Meta}, nil
	case GroupBearer:
		g, err := lookUp[*trellis.Group](tx, c, action, key, arn, noGroup(name), keys)
		if err != nil {
			return nil, err
		}
		return &bearing{b, name, account, g.Path, &g.Inline, &g.Attached, nil, g, &g.Meta}, nil
	}
	r, err := lookUp[*trellis.Role](tx, c, action, key, arn, noRole(name), keys)
	if err != nil {
		return nil, err
	}
	return &bearing{b, name, account, r.Path, &r.Inline, &r.Attached, &r.Boundary, r, &r.Meta}, nil
}

// member is how the set of a managed policy's bearers names this one.
func (b *bearing) member() string { return string(b.kind) + "/" + b.account + "/" + b.name }

// policyUse is the set of who has a managed policy attached.
func policyUse(arn string) string { return "policyuse/" + arn }

// boundaryUse is the set of who has a managed policy as permissions boundary.
func boundaryUse(arn string) string { return "boundaryuse/" + arn }

// renamed moves what the sets of managed policies say of a bearer to its new name.
func (b *bearing) renamed(tx *store.Tx, name string) {
	now := *b
	now.name = name
	for _, arn := range *b.attached {
		tx.Unmark(policyUse(arn), b.member())
		tx.Mark(policyUse(arn), now.member())
	}
	if b.boundary != nil && *b.boundary != "" {
		tx.Unmark(boundaryUse(*b.boundary), b.member())
		tx.Mark(boundaryUse(*b.boundary), now.member())
	}
}

// free refuses to delete a bearer that has policies, and takes its boundary, which goes with it.
func (b *bearing) free(tx *store.Tx) error {
	if len(*b.attached) > 0 {
		return deleteConflict("Cannot delete entity, must detach all policies first.")
	}
	if len(*b.inline) > 0 {
		return deleteConflict("Cannot delete entity, must delete policies first.")
	}
	if b.boundary != nil && *b.boundary != "" {
		tx.Unmark(boundaryUse(*b.boundary), b.member())
	}
	return nil
}

// protected refuses to change a service-linked role, which belongs to its service.
func protected(kind Bearer, path, name string) error {
	if kind == RoleBearer && strings.HasPrefix(path, serviceLinkedPath) {
		return trellis.NewError(400, "UnmodifiableEntity", "Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", name)
	}
	return nil
}

// changeBearer changes the policies of a user, group or role.
func (i *Identity) changeBearer(ctx context.Context, c *authpolicy.Caller, kind Bearer, action, name string, keys map[string][]string, change func(*store.Tx, *bearing) error) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		b, err := kind.load(tx, c, action, name, keys)
		if err != nil {
			return err
		}
		if err := protected(kind, b.path, name); err != nil {
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

// readBearer reads the policies of a user, group or role.
func (i *Identity) readBearer(ctx context.Context, c *authpolicy.Caller, kind Bearer, action, name string) (b *bearing, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		b, err = kind.load(tx, c, action, name, nil)
		return err
	})
	return b, err
}

// PutInlinePolicy adds or replaces an inline policy of a user, group or role.
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
		size := 0
		for _, p := range *b.inline {
			size += sizeOf(p.Text)
		}
		if longest := longestInline[kind]; size > longest {
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

// GetInlinePolicy returns the text of an inline policy of a user, group or role.
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

// ListInlinePolicies returns the names of a user's, group's or role's inline policies.
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

// DeleteInlinePolicy removes an inline policy of a user, group or role.
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

// AttachPolicy attaches a managed policy of the account, or one of AWS's, to a user, group or role. Attaching it
// again changes nothing.
func (i *Identity) AttachPolicy(ctx context.Context, c *authpolicy.Caller, kind Bearer, name, arn string) (trellis.Revision, error) {
	return i.changeBearer(ctx, c, kind, "Attach{}Policy", name, map[string][]string{"iam:policyarn": {arn}}, func(tx *store.Tx, b *bearing) error {
		if _, err := managedPolicy(tx, b.account, arn, noSuchEntity("Policy %s does not exist or is not attachable.", arn)); err != nil {
			return err
		}
		if slices.Contains(*b.attached, arn) {
			return nil
		}
		if err := i.room(tx, b.account, "PoliciesPer"+kind.title(), policiesPer[kind], len(*b.attached)); err != nil {
			return err
		}
		*b.attached = append(*b.attached, arn)
		tx.Mark(policyUse(arn), b.member())
		return nil
	})
}

// DetachPolicy takes a managed policy from a user, group or role.
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

// ListAttachedPolicies returns the ARNs of the managed policies that a user, group or role has.
func (i *Identity) ListAttachedPolicies(ctx context.Context, c *authpolicy.Caller, kind Bearer, name string) ([]string, error) {
	b, err := i.readBearer(ctx, c, kind, "ListAttached{}Policies", name)
	if err != nil {
		return nil, err
	}
	return *b.attached, nil
}

// PutBoundary makes a managed policy the permissions boundary of a user or role.
func (i *Identity) PutBoundary(ctx context.Context, c *authpolicy.Caller, kind Bearer, name, arn string) (trellis.Revision, error) {
	return i.changeBearer(ctx, c, kind, "Put{}PermissionsBoundary", name, map[string][]string{boundaryKey: {arn}}, func(tx *store.Tx, b *bearing) error {
		return setBoundary(tx, b, arn)
	})
}

// setBoundary is PutBoundary in a transaction; an empty ARN takes the boundary away.
func setBoundary(tx *store.Tx, b *bearing, arn string) error {
	if arn != "" {
		if _, err := managedPolicy(tx, b.account, arn, noSuchEntity("Scope ARN: %s does not exist or is not attachable.", arn)); err != nil {
			return err
		}
		tx.Mark(boundaryUse(arn), b.member())
	}
	if *b.boundary != "" && *b.boundary != arn {
		tx.Unmark(boundaryUse(*b.boundary), b.member())
	}
	*b.boundary = arn
	return nil
}

// DeleteBoundary takes the permissions boundary from a user or role.
func (i *Identity) DeleteBoundary(ctx context.Context, c *authpolicy.Caller, kind Bearer, name string) (trellis.Revision, error) {
	return i.changeBearer(ctx, c, kind, "Delete{}PermissionsBoundary", name, nil, func(tx *store.Tx, b *bearing) error {
		if *b.boundary == "" {
			return noSuchEntity("No permissions boundary is set on %s %s.", kind, name)
		}
		return setBoundary(tx, b, "")
	})
}
