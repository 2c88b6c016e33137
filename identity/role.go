package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// roleARN is the ARN that authorizes a request about a role whose path is not known yet.
func roleARN(account, name string) string { return trellis.IAMARN(account, "role/"+name) }

// CreateRole makes a role of the caller's account out of its name, path, description, trust policy, longest
// session and tags.
func (i *Identity) CreateRole(ctx context.Context, c *authpolicy.Caller, r trellis.Role) (*trellis.Role, trellis.Revision, error) {
	if err := checkName("roleName", r.Name, maxRoleName); err != nil {
		return nil, 0, err
	}
	path, err := checkPath(r.Path)
	if err != nil {
		return nil, 0, err
	}
	if err := checkTags(r.Tags); err != nil {
		return nil, 0, err
	}
	if err := checkTrust(r.TrustPolicy); err != nil {
		return nil, 0, err
	}
	if r.MaxSessionSeconds == 0 {
		r.MaxSessionSeconds = defaultSession
	}
	if err := checkMaxSession(r.MaxSessionSeconds); err != nil {
		return nil, 0, err
	}
	n := &trellis.Role{Meta: i.meta(c, "AROA", r.Tags), Name: r.Name, Path: path, Description: r.Description,
		TrustPolicy: r.TrustPolicy, MaxSessionSeconds: r.MaxSessionSeconds}
	rev, err := i.commit(ctx, c, "iam:CreateRole", n.ARN(), tagKeys(r.Tags), func(tx *store.Tx) error {
		if err := claim(tx, "rolename/"+n.Account+"/"+lower(n.Name), n.ID, "Role with name %s already exists.", n.Name); err != nil {
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

// checkTrust refuses a trust policy that does not compile or is too long.
func checkTrust(text string) error {
	if _, err := authpolicy.Parse(text, authpolicy.Trust); err != nil {
		return malformedPolicy(err)
	}
	if sizeOf(text) > maxTrust {
		return limitExceeded("Cannot exceed quota for ACLSizePerRole: %d", maxTrust)
	}
	return nil
}

// checkMaxSession refuses a longest session that IAM would refuse.
func checkMaxSession(seconds int) error {
	if seconds < defaultSession || seconds > maxSessionOfAnyRole {
		return trellis.NewError(400, "ValidationError", "The requested MaxSessionDuration must be between %d and %d seconds.", defaultSession, maxSessionOfAnyRole)
	}
	return nil
}

// GetRole returns a role of the caller's account.
func (i *Identity) GetRole(ctx context.Context, c *authpolicy.Caller, name string) (*trellis.Role, error) {
	return i.RoleFor(ctx, c, "iam:GetRole", name)
}

// RoleFor is GetRole for another reading action of IAM about the role.
func (i *Identity) RoleFor(ctx context.Context, c *authpolicy.Caller, action, name string) (r *trellis.Role, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, action, roleARN(account, name), func(tx *store.Tx) error {
		r, err = get[*trellis.Role](tx, account+"/"+name, noRole(name))
		return err
	})
	return r, err
}

// ListRoles returns the roles of the caller's account whose path begins with a prefix, by name.
func (i *Identity) ListRoles(ctx context.Context, c *authpolicy.Caller, pathPrefix string) (roles []*trellis.Role, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, "iam:ListRoles", roleARN(account, "*"), func(tx *store.Tx) error {
		roles, err = store.List[*trellis.Role](tx, account+"/")
		return err
	})
	return slices.DeleteFunc(roles, func(r *trellis.Role) bool { return !strings.HasPrefix(r.Path, pathPrefix) }), err
}

// changeRole changes a role of the caller's account.
func (i *Identity) changeRole(ctx context.Context, c *authpolicy.Caller, action, name string, keys map[string][]string, change func(*store.Tx, *trellis.Role) error) (trellis.Revision, error) {
	account := c.Principal.Account
	return i.commit(ctx, c, action, roleARN(account, name), keys, func(tx *store.Tx) error {
		r, err := get[*trellis.Role](tx, account+"/"+name, noRole(name))
		if err != nil {
			return err
		}
		if err := change(tx, r); err != nil {
			return err
		}
		r.UpdatedAt = i.now()
		tx.Put(r)
		return nil
	})
}

// UpdateRole sets a role's description and longest session; nil leaves one as it was.
func (i *Identity) UpdateRole(ctx context.Context, c *authpolicy.Caller, name string, description *string, maxSession *int) (trellis.Revision, error) {
	return i.changeRole(ctx, c, "iam:UpdateRole", name, nil, func(_ *store.Tx, r *trellis.Role) error {
		if description != nil {
			r.Description = *description
		}
		if maxSession != nil {
			if err := checkMaxSession(*maxSession); err != nil {
				return err
			}
			r.MaxSessionSeconds = *maxSession
		}
		return nil
	})
}

// UpdateAssumeRolePolicy replaces a role's trust policy. Sessions that exist stay.
func (i *Identity) UpdateAssumeRolePolicy(ctx context.Context, c *authpolicy.Caller, name, trust string) (trellis.Revision, error) {
	if err := checkTrust(trust); err != nil {
		return 0, err
	}
	return i.changeRole(ctx, c, "iam:UpdateAssumeRolePolicy", name, nil, func(_ *store.Tx, r *trellis.Role) error {
		r.TrustPolicy = trust
		return nil
	})
}

// DeleteRole removes a role that has no policies. Its sessions end at once.
func (i *Identity) DeleteRole(ctx context.Context, c *authpolicy.Caller, name string) (trellis.Revision, error) {
	account := c.Principal.Account
	return i.commit(ctx, c, "iam:DeleteRole", roleARN(account, name), nil, func(tx *store.Tx) error {
		r, err := get[*trellis.Role](tx, account+"/"+name, noRole(name))
		if err != nil {
			return err
		}
		if len(r.Attached) > 0 {
			return deleteConflict("Cannot delete entity, must detach all policies first.")
		}
		if len(r.Inline) > 0 {
			return deleteConflict("Cannot delete entity, must delete policies first.")
		}
		tx.Delete(r)
		tx.Release("rolename/" + account + "/" + lower(name))
		return nil
	})
}

// TagRole adds tags to a role, or replaces their values.
func (i *Identity) TagRole(ctx context.Context, c *authpolicy.Caller, name string, tags map[string]string) (trellis.Revision, error) {
	return i.changeRole(ctx, c, "iam:TagRole", name, tagKeys(tags), func(_ *store.Tx, r *trellis.Role) error {
		return addTags(&r.Tags, tags)
	})
}

// UntagRole removes tags from a role.
func (i *Identity) UntagRole(ctx context.Context, c *authpolicy.Caller, name string, keys []string) (trellis.Revision, error) {
	return i.changeRole(ctx, c, "iam:UntagRole", name, map[string][]string{"aws:tagkeys": keys}, func(_ *store.Tx, r *trellis.Role) error {
		removeTags(r.Tags, keys)
		return nil
	})
}

// ListRoleTags returns the tags of a role.
func (i *Identity) ListRoleTags(ctx context.Context, c *authpolicy.Caller, name string) (map[string]string, error) {
	r, err := i.RoleFor(ctx, c, "iam:ListRoleTags", name)
	if err != nil {
		return nil, err
	}
	return r.Tags, nil
}
