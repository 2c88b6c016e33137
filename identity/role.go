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

// lookUpRole reads a role for an action that the caller's policies allow.
func lookUpRole(tx *store.Tx, c *authpolicy.Caller, action, name string, keys map[string][]string) (*trellis.Role, error) {
	account := c.Principal.Account
	return lookUp[*trellis.Role](tx, c, action, account+"/"+name, roleARN(account, name), noRole(name), keys)
}

// roleBearing is a role as the bearer of its policies.
func roleBearing(r *trellis.Role) *bearing {
	return &bearing{RoleBearer, r.Name, r.Account, r.Path, &r.Inline, &r.Attached, &r.Boundary, r, &r.Meta}
}

// CreateRole makes a role of the caller's account out of its name, path, description, trust policy, longest
// session, permissions boundary and tags.
func (i *Identity) CreateRole(ctx context.Context, c *authpolicy.Caller, r trellis.Role) (*trellis.Role, trellis.Revision, error) {
	path, err := roleNaming.check(r.Name, r.Path, r.Tags)
	if err != nil {
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
	if strings.HasPrefix(path, serviceLinkedPath) {
		return nil, 0, invalidInput("Roles with the path %s are made by CreateServiceLinkedRole.", serviceLinkedPath)
	}
	return create(ctx, i, c, "iam:CreateRole", roleNaming, n.Name, n, newKeys(r.Tags, r.Boundary), func(tx *store.Tx) error {
		return setBoundary(tx, roleBearing(n), r.Boundary)
	})
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
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		r, err = lookUpRole(tx, c, action, name, nil)
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
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		r, err := lookUpRole(tx, c, action, name, keys)
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

// UpdateRole sets a role's description and longest session; nil leaves one as it was. It returns the role.
func (i *Identity) UpdateRole(ctx context.Context, c *authpolicy.Caller, action, name string, description *string, maxSession *int) (out *trellis.Role, rev trellis.Revision, err error) {
	rev, err = i.changeRole(ctx, c, action, name, nil, func(_ *store.Tx, r *trellis.Role) error {
		out = r
		if description != nil {
			r.Description = *description
		}
		if maxSession != nil {
			if err := protected(RoleBearer, r.Path, name); err != nil {
				return err
			}
			if err := checkMaxSession(*maxSession); err != nil {
				return err
			}
			r.MaxSessionSeconds = *maxSession
		}
		return nil
	})
	return out, rev, err
}

// UpdateAssumeRolePolicy replaces a role's trust policy. Sessions that exist stay.
func (i *Identity) UpdateAssumeRolePolicy(ctx context.Context, c *authpolicy.Caller, name, trust string) (trellis.Revision, error) {
	if err := checkTrust(trust); err != nil {
		return 0, err
	}
	return i.changeRole(ctx, c, "iam:UpdateAssumeRolePolicy", name, nil, func(_ *store.Tx, r *trellis.Role) error {
		if err := protected(RoleBearer, r.Path, name); err != nil {
			return err
		}
		r.TrustPolicy = trust
		return nil
	})
}

// DeleteRole removes a role that has no policies and is in no instance profile. Its sessions end at once.
func (i *Identity) DeleteRole(ctx context.Context, c *authpolicy.Caller, name string) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		r, err := lookUpRole(tx, c, "iam:DeleteRole", name, nil)
		if err != nil {
			return err
		}
		if err := protected(RoleBearer, r.Path, name); err != nil {
			return err
		}
		profiles, err := tx.Marked(profilesOf(r.Account, name))
		if err != nil {
			return err
		}
		if len(profiles) > 0 {
			return deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		if err := roleBearing(r).free(tx); err != nil {
			return err
		}
		deleteRole(tx, r)
		return nil
	})
}

// deleteRole removes a role with its name.
func deleteRole(tx *store.Tx, r *trellis.Role) {
	tx.Delete(r)
	roleNaming.release(tx, &r.Meta, r.Name)
}

// TagRole adds tags to a role, or replaces their values.
func (i *Identity) TagRole(ctx context.Context, c *authpolicy.Caller, name string, tags map[string]string) (trellis.Revision, error) {
	return i.changeRole(ctx, c, "iam:TagRole", name, authpolicy.TagKeys(nil, tags, nil), func(_ *store.Tx, r *trellis.Role) error {
		return addTags(&r.Tags, tags)
	})
}

// UntagRole removes tags from a role.
func (i *Identity) UntagRole(ctx context.Context, c *authpolicy.Caller, name string, keys []string) (trellis.Revision, error) {
	return i.changeRole(ctx, c, "iam:UntagRole", name, untagKeys(keys), func(_ *store.Tx, r *trellis.Role) error {
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
