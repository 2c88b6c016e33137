package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// noGroup is for a group that a caller named.
func noGroup(name string) *trellis.Error {
	return noSuchEntity("The group with name %s cannot be found.", name)
}

// groupUsers is the set of the names of a group's users.
func groupUsers(account, group string) string { return "groupusers/" + account + "/" + group }

// lookUpGroup reads a group for an action that the caller's policies allow.
func lookUpGroup(tx *store.Tx, c *authpolicy.Caller, action, name string) (*trellis.Group, error) {
	account := c.Principal.Account
	return lookUp[*trellis.Group](tx, c, action, account+"/"+name, GroupBearer.arn(account, name), noGroup(name), nil)
}

// CreateGroup makes a group of the caller's account out of its name and path.
func (i *Identity) CreateGroup(ctx context.Context, c *authpolicy.Caller, name, path string) (*trellis.Group, trellis.Revision, error) {
	path, err := groupNaming.check(name, path, nil)
	if err != nil {
		return nil, 0, err
	}
	g := &trellis.Group{Meta: i.meta(c, "AGPA", nil), Name: name, Path: path}
	return create(ctx, i, c, "iam:CreateGroup", groupNaming, name, g, nil, nil)
}

// GetGroup returns a group of the caller's account with its users, by name.
func (i *Identity) GetGroup(ctx context.Context, c *authpolicy.Caller, name string) (g *trellis.Group, users []*trellis.User, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		if g, err = lookUpGroup(tx, c, "iam:GetGroup", name); err != nil {
			return err
		}
		users, err = usersOf(tx, g)
		return err
	})
	return g, users, err
}

// usersOf reads the users of a group.
func usersOf(tx *store.Tx, g *trellis.Group) ([]*trellis.User, error) {
	names, err := tx.Marked(groupUsers(g.Account, g.Name))
	if err != nil {
		return nil, err
	}
	users := make([]*trellis.User, 0, len(names))
	for _, name := range names {
		u, err := store.Get[*trellis.User](tx, g.Account+"/"+name)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, nil
}

// ListGroups returns the groups of the caller's account whose path begins with a prefix, by name.
func (i *Identity) ListGroups(ctx context.Context, c *authpolicy.Caller, pathPrefix string) (groups []*trellis.Group, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, "iam:ListGroups", GroupBearer.arn(account, "*"), func(tx *store.Tx) error {
		groups, err = store.List[*trellis.Group](tx, account+"/")
		return err
	})
	return slices.DeleteFunc(groups, func(g *trellis.Group) bool { return !strings.HasPrefix(g.Path, pathPrefix) }), err
}

// UpdateGroup gives a group another name, another path, or both. Empty: as it was. Its users stay.
func (i *Identity) UpdateGroup(ctx context.Context, c *authpolicy.Caller, name, newName, newPath string) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		g, err := lookUpGroup(tx, c, "iam:UpdateGroup", name)
		if err != nil {
			return err
		}
		if newPath != "" {
			if g.Path, err = checkPath(newPath); err != nil {
				return err
			}
		}
		if newName != "" && newName != name {
			if err := checkName("newGroupName", newName, maxGroupName); err != nil {
				return err
			}
			if err := renameGroup(tx, g, newName); err != nil {
				return err
			}
		}
		g.UpdatedAt = i.now()
		tx.Put(g)
		return nil
	})
}

// renameGroup moves a group and what refers to it by name.
func renameGroup(tx *store.Tx, g *trellis.Group, name string) error {
	old := g.Name
	if err := groupNaming.retake(tx, &g.Meta, old, name); err != nil {
		return err
	}
	users, err := usersOf(tx, g)
	if err != nil {
		return err
	}
	tx.Delete(g)
	(&bearing{kind: GroupBearer, name: old, account: g.Account, attached: &g.Attached}).renamed(tx, name)
	for _, u := range users {
		u.Groups[slices.Index(u.Groups, old)] = name
		tx.Put(u)
		tx.Unmark(groupUsers(g.Account, old), u.Name)
		tx.Mark(groupUsers(g.Account, name), u.Name)
	}
	g.Name = name
	return nil
}

// DeleteGroup removes a group that has neither users nor policies.
func (i *Identity) DeleteGroup(ctx context.Context, c *authpolicy.Caller, name string) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		g, err := lookUpGroup(tx, c, "iam:DeleteGroup", name)
		if err != nil {
			return err
		}
		users, err := tx.Marked(groupUsers(g.Account, name))
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return deleteConflict("Cannot delete entity, must remove users from group first.")
		}
		if err := (&bearing{attached: &g.Attached, inline: &g.Inline}).free(tx); err != nil {
			return err
		}
		tx.Delete(g)
		groupNaming.release(tx, &g.Meta, name)
		return nil
	})
}

// AddUserToGroup makes a user a member of a group. One that is a member stays one.
func (i *Identity) AddUserToGroup(ctx context.Context, c *authpolicy.Caller, group, user string) (trellis.Revision, error) {
	return i.changeMembership(ctx, c, "iam:AddUserToGroup", group, user, func(tx *store.Tx, u *trellis.User) error {
		if slices.Contains(u.Groups, group) {
			return nil
		}
		if len(u.Groups) >= maxGroupsOfUser {
			return limitExceeded("Cannot exceed quota for GroupsPerUser: %d", maxGroupsOfUser)
		}
		u.Groups = append(u.Groups, group)
		tx.Mark(groupUsers(u.Account, group), user)
		return nil
	})
}

// RemoveUserFromGroup ends the membership of a user in a group.
func (i *Identity) RemoveUserFromGroup(ctx context.Context, c *authpolicy.Caller, group, user string) (trellis.Revision, error) {
	return i.changeMembership(ctx, c, "iam:RemoveUserFromGroup", group, user, func(tx *store.Tx, u *trellis.User) error {
		at := slices.Index(u.Groups, group)
		if at < 0 {
			return noSuchEntity("The user with name %s is not in the group with name %s.", user, group)
		}
		u.Groups = slices.Delete(u.Groups, at, at+1)
		tx.Unmark(groupUsers(u.Account, group), user)
		return nil
	})
}

// changeMembership changes the groups of a user. The action is asked of the group (Service Authorization Reference,
// AddUserToGroup).
func (i *Identity) changeMembership(ctx context.Context, c *authpolicy.Caller, action, group, user string, change func(*store.Tx, *trellis.User) error) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		if _, err := lookUpGroup(tx, c, action, group); err != nil {
			return err
		}
		u, err := get[*trellis.User](tx, c.Principal.Account+"/"+user, noUser(user))
		if err != nil {
			return err
		}
		if err := change(tx, u); err != nil {
			return err
		}
		tx.Put(u)
		return nil
	})
}

// GroupsOfUser returns the groups that a user is in.
func (i *Identity) GroupsOfUser(ctx context.Context, c *authpolicy.Caller, user string) (groups []*trellis.Group, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		u, err := lookUpUser(tx, c, "iam:ListGroupsForUser", user, nil)
		if err != nil {
			return err
		}
		groups, err = groupsOf(tx, u)
		return err
	})
	return groups, err
}

// groupsOf reads the groups of a user.
func groupsOf(tx *store.Tx, u *trellis.User) ([]*trellis.Group, error) {
	groups := make([]*trellis.Group, 0, len(u.Groups))
	for _, name := range u.Groups {
		g, err := store.Get[*trellis.Group](tx, u.Account+"/"+name)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}
