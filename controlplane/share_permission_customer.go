package controlplane

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// What an account may have of customer managed permissions (AWS RAM user guide, service quotas).
const (
	maxSharePermissions   = 10
	maxPermissionVersions = 5
)

// NewSharePermission is what CreatePermission asks for.
type NewSharePermission struct {
	Name, ResourceType, Template string
	ClientToken                  string
	Tags                         map[string]string
}

// CreateSharePermission makes a customer managed permission with version 1, its default.
func (p *Plane) CreateSharePermission(ctx context.Context, c *authpolicy.Caller, in NewSharePermission) (out SharePermission, rev trellis.Revision, err error) {
	arn := (&trellis.SharePermission{Meta: trellis.Meta{Account: account(c), ID: "*"}}).ARN(p.Region)
	k := authpolicy.TagKeys(keys{"ram:permissionarn": {strings.TrimSuffix(arn, "*") + in.Name}, "ram:permissionresourcetype": {in.ResourceType}}, in.Tags, nil)
	if err := authorize(c, "ram:CreatePermission", k, arn); err != nil {
		return out, 0, err
	}
	if err := checkShareTags(in.Tags); err != nil {
		return out, 0, err
	}
	types := ShareResourceTypes()
	i := slices.IndexFunc(types, func(t string) bool { return strings.EqualFold(t, in.ResourceType) })
	if i < 0 {
		return out, 0, ramError("InvalidParameterException", "The resource type %s is not one that can be shared.", in.ResourceType)
	}
	in.ResourceType = types[i]
	if _, err := readTemplate(in.Template, in.ResourceType); err != nil {
		return out, 0, err
	}
	rev, err = p.ramCommit(ctx, func(tx *store.Tx) error {
		n, err := store.Once(tx, account(c)+"/CreatePermission", in.ClientToken, in, func() (*trellis.SharePermission, error) {
			have, err := store.List[*trellis.SharePermission](tx, account(c)+"/")
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(have, func(n *trellis.SharePermission) bool { return n.ID == in.Name }) {
				return nil, ramError("PermissionAlreadyExistsException", "A permission with the name %s already exists.", in.Name)
			}
			if len(have) >= maxSharePermissions {
				return nil, ramError("PermissionLimitExceededException", "An account can have at most %d customer managed permissions.", maxSharePermissions)
			}
			now := p.now()
			n := &trellis.SharePermission{Meta: trellis.Meta{Account: account(c), ID: in.Name, CreatedAt: now, UpdatedAt: now, Tags: in.Tags}, ResourceType: in.ResourceType,
				Versions: []trellis.SharePermissionVersion{{Number: 1, Template: in.Template, CreatedAt: now}}, Default: 1, Latest: 1}
			tx.Put(n)
			return n, nil
		})
		if err == nil {
			out = p.customerPermission(n)
		}
		return err
	})
	return out, rev, err
}

// allowPermission checks the caller's policies for an action with a permission, and with the tags of the request.
func (p *Plane) allowPermission(c *authpolicy.Caller, action string, s SharePermission, requested map[string]string) error {
	k := keys{"ram:permissionarn": {s.ARN}, "ram:permissionresourcetype": {s.ResourceType}}
	k = authpolicy.TagKeys(k, requested, nil)
	if s.Customer != nil {
		k = authpolicy.TagKeys(k, nil, s.Customer.Tags)
		for name, v := range s.Customer.Tags {
			k["ram:resourcetag/"+strings.ToLower(name)] = []string{v}
		}
	}
	return authorize(c, "ram:"+action, k, s.ARN)
}

// changePermission changes a customer managed permission of the caller's account in one transaction, with the tags that the
// request brings. A change that returns true deletes it.
func (p *Plane) changePermission(ctx context.Context, c *authpolicy.Caller, action, arn string, requested map[string]string,
	change func(*store.Tx, *trellis.SharePermission) (remove bool, err error)) (out SharePermission, rev trellis.Revision, err error) {
	rev, err = p.ramCommit(ctx, func(tx *store.Tx) error {
		s, err := p.permission(tx, account(c), arn)
		if err != nil {
			return err
		}
		if err := p.allowPermission(c, action, s, requested); err != nil {
			return err
		}
		if s.Customer == nil {
			return ramError("OperationNotPermittedException", "The permission %s is managed by AWS.", arn)
		}
		remove, err := change(tx, s.Customer)
		if err != nil {
			return err
		}
		s.Customer.UpdatedAt = p.now()
		if remove {
			tx.Delete(s.Customer)
		} else {
			tx.Put(s.Customer)
		}
		out = p.customerPermission(s.Customer)
		return nil
	})
	return out, rev, err
}

// CreatePermissionVersion adds a version, which becomes the default: new shares get it, others keep theirs.
func (p *Plane) CreatePermissionVersion(ctx context.Context, c *authpolicy.Caller, arn, template string) (SharePermission, trellis.Revision, error) {
	return p.changePermission(ctx, c, "CreatePermissionVersion", arn, nil, func(_ *store.Tx, n *trellis.SharePermission) (bool, error) {
		if _, err := readTemplate(template, n.ResourceType); err != nil {
			return false, err
		}
		if len(n.Versions) >= maxPermissionVersions {
			return false, ramError("PermissionVersionsLimitExceededException", "A permission can have at most %d versions.", maxPermissionVersions)
		}
		n.Latest++
		n.Default = n.Latest
		n.Versions = append(n.Versions, trellis.SharePermissionVersion{Number: n.Latest, Template: template, CreatedAt: p.now()})
		return false, nil
	})
}

// noVersion says that a permission has no such version.
func noVersion(arn string, number int) error {
	return ramError("InvalidParameterException", "The permission %s has no version %d.", arn, number)
}

// SetDefaultPermissionVersion chooses which version shares get from now on.
func (p *Plane) SetDefaultPermissionVersion(ctx context.Context, c *authpolicy.Caller, arn string, number int) (trellis.Revision, error) {
	_, rev, err := p.changePermission(ctx, c, "SetDefaultPermissionVersion", arn, nil, func(_ *store.Tx, n *trellis.SharePermission) (bool, error) {
		if !slices.ContainsFunc(n.Versions, func(v trellis.SharePermissionVersion) bool { return v.Number == number }) {
			return false, noVersion(arn, number)
		}
		n.Default = number
		return false, nil
	})
	return rev, err
}

// DeletePermissionVersion removes a version that is not the default and that no share has.
func (p *Plane) DeletePermissionVersion(ctx context.Context, c *authpolicy.Caller, arn string, number int) (trellis.Revision, error) {
	_, rev, err := p.changePermission(ctx, c, "DeletePermissionVersion", arn, nil, func(tx *store.Tx, n *trellis.SharePermission) (bool, error) {
		i := slices.IndexFunc(n.Versions, func(v trellis.SharePermissionVersion) bool { return v.Number == number })
		if i < 0 {
			return false, noVersion(arn, number)
		}
		if number == n.Default {
			return false, ramError("OperationNotPermittedException", "Version %d is the default version of the permission %s.", number, arn)
		}
		if err := permissionUnused(tx, n.Account, arn, number); err != nil {
			return false, err
		}
		n.Versions = slices.Delete(n.Versions, i, i+1)
		return false, nil
	})
	return rev, err
}

// DeleteSharePermission removes a customer managed permission that no share has.
func (p *Plane) DeleteSharePermission(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	_, rev, err := p.changePermission(ctx, c, "DeletePermission", arn, nil, func(tx *store.Tx, n *trellis.SharePermission) (bool, error) {
		return true, permissionUnused(tx, n.Account, arn, 0)
	})
	return rev, err
}

// permissionUnused refuses when an active share has a permission, in one version unless number is 0.
func permissionUnused(tx *store.Tx, account, arn string, number int) error {
	shares, err := store.List[*trellis.ResourceShare](tx, account+"/")
	for _, s := range shares {
		if s.Status == ShareActive && slices.Contains(s.Permissions, arn) && (number == 0 || s.PermissionVersions[arn] == number) {
			return ramError("OperationNotPermittedException", "The permission %s is associated with the resource share %s.", arn, s.ID)
		}
	}
	return err
}

// SharePermissions lists AWS's permissions and the account's own, for ListPermissions.
func (p *Plane) SharePermissions(ctx context.Context, c *authpolicy.Caller) (out []SharePermission, err error) {
	if err := authorize(c, "ram:ListPermissions", nil, "*"); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		out, err = p.permissionsOf(tx, account(c))
		return err
	})
	return out, err
}

// SharePermission is one permission, for GetPermission and ListPermissionVersions.
func (p *Plane) SharePermission(ctx context.Context, c *authpolicy.Caller, action, arn string) (s SharePermission, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		if s, err = p.permission(tx, account(c), arn); err != nil {
			return err
		}
		return p.allowPermission(c, action, s, nil)
	})
	return s, err
}

// tagPermission changes the tags of a customer managed permission.
func (p *Plane) tagPermission(ctx context.Context, c *authpolicy.Caller, action, arn string, requested map[string]string, change func(tags map[string]string)) (trellis.Revision, error) {
	_, rev, err := p.changePermission(ctx, c, action, arn, requested, func(_ *store.Tx, n *trellis.SharePermission) (bool, error) {
		tags := maps.Clone(n.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		change(tags)
		n.Tags = tags
		return false, checkShareTags(tags)
	})
	return rev, err
}
