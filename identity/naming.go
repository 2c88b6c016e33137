package identity

import (
	"context"
	"errors"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// naming is how the nouns of a kind are named in an account, and how many of them it may have.
type naming struct {
	claims  string // begins what the store knows the names by
	field   string // of the request that makes one
	longest int
	taken   string // AWS's sentence for a name that another has
	quota   string // AWS's word for how many an account may have
	most    quota.ID
}

// The namings of what IAM names. Names are unique regardless of their case.
var (
	userNaming    = naming{"username/", "userName", maxUserName, "User with name %s already exists.", "UsersPerAccount", quota.Users}
	groupNaming   = naming{"groupname/", "groupName", maxGroupName, "Group with name %s already exists.", "GroupsPerAccount", quota.Groups}
	roleNaming    = naming{"rolename/", "roleName", maxRoleName, "Role with name %s already exists.", "RolesPerAccount", quota.Roles}
	policyNaming  = naming{"policyname/", "policyName", maxPolicyName, "A policy called %s already exists. Duplicate names are not allowed.", "PoliciesPerAccount", quota.ManagedPolicies}
	profileNaming = naming{"profilename/", "instanceProfileName", maxProfileName, "Instance Profile %s already exists.", "InstanceProfilesPerAccount", quota.InstanceProfiles}
)

// check refuses a name, path and tags that IAM would refuse, and returns the path.
func (g naming) check(name, path string, tags map[string]string) (string, error) {
	if err := checkName(g.field, name, g.longest); err != nil {
		return "", err
	}
	path, err := checkPath(path)
	if err != nil {
		return "", err
	}
	return path, checkTags(tags)
}

// claim is what the store knows a name by.
func (g naming) claim(account, name string) string { return g.claims + account + "/" + lower(name) }

// take takes a name for a noun, or says in IAM's words that it is taken.
func (g naming) take(tx *store.Tx, m *trellis.Meta, name string) error {
	return claim(tx, g.claim(m.Account, name), m.ID, g.taken, name)
}

// claim takes a unique name, or says in IAM's words that it is taken.
func claim(tx *store.Tx, name, holder, format string, args ...any) error {
	err := tx.Claim(name, holder)
	if _, taken := errors.AsType[*store.TakenError](err); taken {
		return alreadyExists(format, args...)
	}
	return err
}

// release gives a name back.
func (g naming) release(tx *store.Tx, m *trellis.Meta, name string) {
	tx.Release(g.claim(m.Account, name))
}

// retake takes another name for a noun in place of the one that it has.
func (g naming) retake(tx *store.Tx, m *trellis.Meta, old, name string) error {
	if lower(old) == lower(name) {
		return nil
	}
	g.release(tx, m, old)
	return g.take(tx, m, name)
}

// create makes a noun under a name that nobody has, after the caller's policies have allowed it. fill, if any, completes the
// noun.
func create[T interface {
	trellis.Noun
	ARN() string
	Common() *trellis.Meta
}](ctx context.Context, i *Identity, c *authpolicy.Caller, action string, g naming, name string, n T, keys map[string][]string, fill func(*store.Tx) error) (T, trellis.Revision, error) {
	m := n.Common()
	rev, err := i.commit(ctx, c, action, n.ARN(), keys, func(tx *store.Tx) error {
		if err := g.take(tx, m, name); err != nil {
			return err
		}
		if err := withinQuota[T](i, tx, m.Account, g.quota, g.most); err != nil {
			return err
		}
		if fill != nil {
			if err := fill(tx); err != nil {
				return err
			}
		}
		tx.Put(n)
		return nil
	})
	if err != nil {
		var none T
		return none, 0, err
	}
	return n, rev, nil
}

// withinQuota refuses one more noun of a kind than an account may have. The name is the quota's in AWS's sentence.
func withinQuota[T trellis.Noun](i *Identity, tx *store.Tx, account, name string, most quota.ID) error {
	n, err := store.Count[T](tx, account+"/")
	if err != nil {
		return err
	}
	return i.room(tx, account, name, most, n)
}

// room refuses one more of what an account has already as many of as it may, have. The name is the quota's in AWS's
// sentence.
func (i *Identity) room(tx *store.Tx, account, name string, id quota.ID, have int) error {
	most, reached, err := i.limits().Reached(tx, account, id, have)
	if err == nil && reached {
		return limitExceeded("Cannot exceed quota for %s: %d", name, most)
	}
	return err
}

// limits are what accounts may have.
func (i *Identity) limits() quota.Limits { return quota.Limits{Strict: i.o.Strict} }
