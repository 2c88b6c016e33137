package identity

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// userARN is the ARN that authorizes a request about a user whose path is not known yet.
func userARN(account, name string) string { return trellis.IAMARN(account, "user/"+name) }

// lookUpUser reads a user for an action that the caller's policies allow.
func lookUpUser(tx *store.Tx, c *authpolicy.Caller, action, name string, keys map[string][]string) (*trellis.User, error) {
	account := c.Principal.Account
	return lookUp[*trellis.User](tx, c, action, account+"/"+name, userARN(account, name), noUser(name), keys)
}

// userBearing is a user as the bearer of its policies.
func userBearing(u *trellis.User) *bearing {
	return &bearing{UserBearer, u.Name, u.Account, u.Path, &u.Inline, &u.Attached, &u.Boundary, u, &u.Meta}
}

// CreateUser makes a user of the caller's account out of its name, path, permissions boundary and tags.
func (i *Identity) CreateUser(ctx context.Context, c *authpolicy.Caller, u trellis.User) (*trellis.User, trellis.Revision, error) {
	path, err := userNaming.check(u.Name, u.Path, u.Tags)
	if err != nil {
		return nil, 0, err
	}
	n := &trellis.User{Meta: i.meta(c, "AIDA", u.Tags), Name: u.Name, Path: path}
	return create(ctx, i, c, "iam:CreateUser", userNaming, n.Name, n, newKeys(u.Tags, u.Boundary), func(tx *store.Tx) error {
		return setBoundary(tx, userBearing(n), u.Boundary)
	})
}

// UserName is the name that a request without one means: the calling user's own.
func UserName(c *authpolicy.Caller, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if c.Principal.Type != trellis.PrincipalUser {
		return "", trellis.NewError(400, "ValidationError", "Must specify userName when calling with non-User credentials")
	}
	return trellis.LastPart(c.Principal.ARN), nil
}

// GetUser returns a user of the caller's account.
func (i *Identity) GetUser(ctx context.Context, c *authpolicy.Caller, name string) (*trellis.User, error) {
	return i.UserFor(ctx, c, "iam:GetUser", name)
}

// UserFor is GetUser for another reading action of IAM about the user.
func (i *Identity) UserFor(ctx context.Context, c *authpolicy.Caller, action, name string) (u *trellis.User, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		u, err = lookUpUser(tx, c, action, name, nil)
		return err
	})
	return u, err
}

// ListUsers returns the users of the caller's account whose path begins with a prefix, by name.
func (i *Identity) ListUsers(ctx context.Context, c *authpolicy.Caller, pathPrefix string) (users []*trellis.User, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, "iam:ListUsers", userARN(account, "*"), func(tx *store.Tx) error {
		users, err = store.List[*trellis.User](tx, account+"/")
		return err
	})
	return slices.DeleteFunc(users, func(u *trellis.User) bool { return !strings.HasPrefix(u.Path, pathPrefix) }), err
}

// changeUser changes a user of the caller's account.
func (i *Identity) changeUser(ctx context.Context, c *authpolicy.Caller, action, name string, keys map[string][]string, change func(*store.Tx, *trellis.User) error) (u *trellis.User, rev trellis.Revision, err error) {
	rev, err = i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		if u, err = lookUpUser(tx, c, action, name, keys); err != nil {
			return err
		}
		if err := change(tx, u); err != nil {
			return err
		}
		u.UpdatedAt = i.now()
		tx.Put(u)
		return nil
	})
	return u, rev, err
}

// UpdateUser gives a user another name, another path, or both. Empty: as it was.
func (i *Identity) UpdateUser(ctx context.Context, c *authpolicy.Caller, name, newName, newPath string) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		u, err := lookUpUser(tx, c, "iam:UpdateUser", name, nil)
		if err != nil {
			return err
		}
		if newPath != "" {
			if u.Path, err = checkPath(newPath); err != nil {
				return err
			}
		}
		if newName != "" && newName != name {
			if err := checkName("newUserName", newName, maxUserName); err != nil {
				return err
			}
			if err := i.renameUser(tx, u, newName); err != nil {
				return err
			}
		}
		u.UpdatedAt = i.now()
		tx.Put(u)
		return nil
	})
}

// renameUser moves a user, its access keys and what refers to it by name.
func (i *Identity) renameUser(tx *store.Tx, u *trellis.User, name string) error {
	old := u.Name
	if err := userNaming.retake(tx, &u.Meta, old, name); err != nil {
		return err
	}
	keys, err := keysOf(tx, u.Account, old)
	if err != nil {
		return err
	}
	tx.Delete(u)
	userBearing(u).renamed(tx, name)
	for _, g := range u.Groups {
		tx.Unmark(groupUsers(u.Account, g), old)
		tx.Mark(groupUsers(u.Account, g), name)
	}
	for _, k := range keys {
		k.UserName = name
		tx.Put(k)
		tx.Unmark(keysSet(u.Account, old), k.ID)
		tx.Mark(keysSet(u.Account, name), k.ID)
	}
	u.Name = name
	return nil
}

// DeleteUser removes a user that has neither policies nor access keys, and is in no group.
func (i *Identity) DeleteUser(ctx context.Context, c *authpolicy.Caller, name string) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		u, err := lookUpUser(tx, c, "iam:DeleteUser", name, nil)
		if err != nil {
			return err
		}
		if err := userBearing(u).free(tx); err != nil {
			return err
		}
		keys, err := tx.Marked(keysSet(u.Account, name))
		if err != nil {
			return err
		}
		switch {
		case len(keys) > 0:
			return deleteConflict("Cannot delete entity, must delete access keys first.")
		case len(u.Groups) > 0:
			return deleteConflict("Cannot delete entity, must remove users from group first.")
		}
		tx.Delete(u)
		userNaming.release(tx, &u.Meta, name)
		return nil
	})
}

// TagUser adds tags to a user, or replaces their values.
func (i *Identity) TagUser(ctx context.Context, c *authpolicy.Caller, name string, tags map[string]string) (trellis.Revision, error) {
	_, rev, err := i.changeUser(ctx, c, "iam:TagUser", name, authpolicy.TagKeys(nil, tags, nil), func(_ *store.Tx, u *trellis.User) error {
		return addTags(&u.Tags, tags)
	})
	return rev, err
}

// UntagUser removes tags from a user.
func (i *Identity) UntagUser(ctx context.Context, c *authpolicy.Caller, name string, keys []string) (trellis.Revision, error) {
	_, rev, err := i.changeUser(ctx, c, "iam:UntagUser", name, untagKeys(keys), func(_ *store.Tx, u *trellis.User) error {
		removeTags(u.Tags, keys)
		return nil
	})
	return rev, err
}

// ListUserTags returns the tags of a user.
func (i *Identity) ListUserTags(ctx context.Context, c *authpolicy.Caller, name string) (map[string]string, error) {
	u, err := i.UserFor(ctx, c, "iam:ListUserTags", name)
	if err != nil {
		return nil, err
	}
	return u.Tags, nil
}

// addTags merges tags. Keys that differ in case only are one key, as IAM has it.
func addTags(have *map[string]string, more map[string]string) error {
	all := maps.Clone(*have)
	if all == nil {
		all = map[string]string{}
	}
	for k, v := range more {
		removeTags(all, []string{k})
		all[k] = v
	}
	if err := checkTags(all); err != nil {
		return err
	}
	*have = all
	return nil
}

// removeTags removes keys regardless of their case.
func removeTags(have map[string]string, keys []string) {
	for _, k := range keys {
		maps.DeleteFunc(have, func(h, _ string) bool { return strings.EqualFold(h, k) })
	}
}
