package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// EC2Service is the service principal that takes roles for instances.
const EC2Service = "ec2.amazonaws.com"

// profilesOf is the set of the names of the instance profiles that have a role.
func profilesOf(account, role string) string { return "profilesof/" + account + "/" + role }

// ProfileUse is the set of the ids of the instances that an instance profile, by its id, is associated with. EC2 keeps it.
func ProfileUse(profileID string) string { return "profileuse/" + profileID }

// profileARN is the ARN that authorizes a request about an instance profile whose path is not known yet.
func profileARN(account, name string) string {
	return trellis.IAMARN(account, "instance-profile/"+name)
}

// lookUpProfile reads an instance profile for an action that the caller's policies allow.
func lookUpProfile(tx *store.Tx, c *authpolicy.Caller, action, name string, keys map[string][]string) (*trellis.InstanceProfile, error) {
	account := c.Principal.Account
	missing := noSuchEntity("Instance Profile %s cannot be found.", name)
	return lookUp[*trellis.InstanceProfile](tx, c, action, account+"/"+name, profileARN(account, name), missing, keys)
}

// Profile is an instance profile with its role, nil for none.
type Profile struct {
	*trellis.InstanceProfile
	Role *trellis.Role
}

// withRole reads the role of an instance profile.
func withRole(tx *store.Tx, p *trellis.InstanceProfile) (Profile, error) {
	if p.RoleName == "" {
		return Profile{p, nil}, nil
	}
	r, err := store.Get[*trellis.Role](tx, p.Account+"/"+p.RoleName)
	return Profile{p, r}, err
}

// CreateInstanceProfile makes an instance profile of the caller's account out of its name, path and tags.
func (i *Identity) CreateInstanceProfile(ctx context.Context, c *authpolicy.Caller, name, path string, tags map[string]string) (Profile, trellis.Revision, error) {
	path, err := profileNaming.check(name, path, tags)
	if err != nil {
		return Profile{}, 0, err
	}
	p := &trellis.InstanceProfile{Meta: i.meta(c, "AIPA", tags), Name: name, Path: path}
	p, rev, err := create(ctx, i, c, "iam:CreateInstanceProfile", profileNaming, name, p, authpolicy.TagKeys(nil, tags, nil), nil)
	return Profile{InstanceProfile: p}, rev, err
}

// GetInstanceProfile returns an instance profile of the caller's account. action is iam:GetInstanceProfile, or another
// reading action about it.
func (i *Identity) GetInstanceProfile(ctx context.Context, c *authpolicy.Caller, action, name string) (p Profile, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		noun, err := lookUpProfile(tx, c, action, name, nil)
		if err != nil {
			return err
		}
		p, err = withRole(tx, noun)
		return err
	})
	return p, err
}

// ListInstanceProfiles returns the instance profiles of the caller's account whose path begins with a prefix, by name.
func (i *Identity) ListInstanceProfiles(ctx context.Context, c *authpolicy.Caller, pathPrefix string) (found []Profile, err error) {
	account := c.Principal.Account
	err = i.read(ctx, c, "iam:ListInstanceProfiles", profileARN(account, "*"), func(tx *store.Tx) error {
		found, err = profilesIn(tx, account)
		return err
	})
	return slices.DeleteFunc(found, func(p Profile) bool { return !strings.HasPrefix(p.Path, pathPrefix) }), err
}

// profilesIn reads the instance profiles of an account.
func profilesIn(tx *store.Tx, account string) ([]Profile, error) {
	all, err := store.List[*trellis.InstanceProfile](tx, account+"/")
	if err != nil {
		return nil, err
	}
	found := make([]Profile, 0, len(all))
	for _, noun := range all {
		p, err := withRole(tx, noun)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// ProfilesOfRole returns the instance profiles that have a role, by name.
func (i *Identity) ProfilesOfRole(ctx context.Context, c *authpolicy.Caller, role string) (found []Profile, err error) {
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		r, err := lookUpRole(tx, c, "iam:ListInstanceProfilesForRole", role, nil)
		if err != nil {
			return err
		}
		found, err = profilesWith(tx, r)
		return err
	})
	return found, err
}

// profilesWith reads the instance profiles that have a role.
func profilesWith(tx *store.Tx, r *trellis.Role) ([]Profile, error) {
	names, err := tx.Marked(profilesOf(r.Account, r.Name))
	if err != nil {
		return nil, err
	}
	found := make([]Profile, 0, len(names))
	for _, name := range names {
		p, err := store.Get[*trellis.InstanceProfile](tx, r.Account+"/"+name)
		if err != nil {
			return nil, err
		}
		found = append(found, Profile{p, r})
	}
	return found, nil
}

// AddRoleToInstanceProfile gives an instance profile its one role, which the caller must be allowed to pass on. Instances
// that have the profile have the role at once.
func (i *Identity) AddRoleToInstanceProfile(ctx context.Context, c *authpolicy.Caller, name, role string) (trellis.Revision, error) {
	return i.changeProfile(ctx, c, "iam:AddRoleToInstanceProfile", name, nil, func(tx *store.Tx, p *trellis.InstanceProfile) error {
		r, err := get[*trellis.Role](tx, p.Account+"/"+role, noRole(role))
		if err != nil {
			return err
		}
		if err := PassRole(c, r, EC2Service, ""); err != nil {
			return err
		}
		if err := protected(RoleBearer, r.Path, role); err != nil {
			return err
		}
		if p.RoleName != "" {
			return limitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		p.RoleName = role
		tx.Mark(profilesOf(p.Account, role), name)
		return instancesTake(tx, p, r.ARN())
	})
}

// RemoveRoleFromInstanceProfile takes the role from an instance profile, and so from the instances that have the profile.
func (i *Identity) RemoveRoleFromInstanceProfile(ctx context.Context, c *authpolicy.Caller, name, role string) (trellis.Revision, error) {
	return i.changeProfile(ctx, c, "iam:RemoveRoleFromInstanceProfile", name, nil, func(tx *store.Tx, p *trellis.InstanceProfile) error {
		if p.RoleName != role {
			return noSuchEntity("The role with name %s is not in the instance profile %s.", role, name)
		}
		p.RoleName = ""
		tx.Unmark(profilesOf(p.Account, role), name)
		return instancesTake(tx, p, "")
	})
}

// instancesTake gives the instances of a profile another role, or none.
func instancesTake(tx *store.Tx, p *trellis.InstanceProfile, roleARN string) error {
	ids, err := tx.Marked(ProfileUse(p.ID))
	if err != nil {
		return err
	}
	for _, id := range ids {
		n, err := store.Get[*trellis.Instance](tx, p.Account+"/"+id)
		if err != nil {
			return err
		}
		n.RoleARN = roleARN
		tx.Put(n)
	}
	return nil
}

// changeProfile changes an instance profile of the caller's account.
func (i *Identity) changeProfile(ctx context.Context, c *authpolicy.Caller, action, name string, keys map[string][]string, change func(*store.Tx, *trellis.InstanceProfile) error) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		p, err := lookUpProfile(tx, c, action, name, keys)
		if err != nil {
			return err
		}
		if err := change(tx, p); err != nil {
			return err
		}
		p.UpdatedAt = i.now()
		tx.Put(p)
		return nil
	})
}

// DeleteInstanceProfile removes an instance profile that has no role. Instances keep the association with it, which gives
// them nothing any more.
func (i *Identity) DeleteInstanceProfile(ctx context.Context, c *authpolicy.Caller, name string) (trellis.Revision, error) {
	return i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		p, err := lookUpProfile(tx, c, "iam:DeleteInstanceProfile", name, nil)
		if err != nil {
			return err
		}
		if p.RoleName != "" {
			return deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		ids, err := tx.Marked(ProfileUse(p.ID))
		if err != nil {
			return err
		}
		for _, id := range ids {
			tx.Unmark(ProfileUse(p.ID), id)
		}
		tx.Delete(p)
		profileNaming.release(tx, &p.Meta, name)
		return nil
	})
}

// TagInstanceProfile adds tags to an instance profile, or replaces their values.
func (i *Identity) TagInstanceProfile(ctx context.Context, c *authpolicy.Caller, name string, tags map[string]string) (trellis.Revision, error) {
	return i.changeProfile(ctx, c, "iam:TagInstanceProfile", name, authpolicy.TagKeys(nil, tags, nil), func(_ *store.Tx, p *trellis.InstanceProfile) error {
		return addTags(&p.Tags, tags)
	})
}

// UntagInstanceProfile removes tags from an instance profile.
func (i *Identity) UntagInstanceProfile(ctx context.Context, c *authpolicy.Caller, name string, keys []string) (trellis.Revision, error) {
	return i.changeProfile(ctx, c, "iam:UntagInstanceProfile", name, untagKeys(keys), func(_ *store.Tx, p *trellis.InstanceProfile) error {
		removeTags(p.Tags, keys)
		return nil
	})
}
