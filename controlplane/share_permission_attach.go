package controlplane

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// permissionRequest is what an operation asks of a share and a permission.
func (p *Plane) permissionRequest(ctx context.Context, c *authpolicy.Caller, action, share, permission string) (shareRequest, error) {
	r := shareRequest{action: action, arn: share, keys: keys{"ram:permissionarn": {permission}}}
	err := p.read(ctx, func(tx *store.Tx) error {
		s, err := p.permission(tx, account(c), permission)
		var absent *trellis.Error
		if errors.As(err, &absent) {
			return nil // said after the caller's policies have allowed to know
		}
		r.keys["ram:permissionresourcetype"] = one(s.ResourceType)
		return err
	})
	return r, err
}

// AssociateSharePermission gives a share a permission. One that the share has for the type of resource is replaced only
// when that is asked for; version, when not 0, must be the default one (RAM API, AssociateResourceSharePermission).
func (p *Plane) AssociateSharePermission(ctx context.Context, c *authpolicy.Caller, share, permission string, version int, replace bool) (trellis.Revision, error) {
	r, err := p.permissionRequest(ctx, c, "AssociateResourceSharePermission", share, permission)
	if err != nil {
		return 0, err
	}
	_, rev, err := p.changeShare(ctx, c, r, func(tx *store.Tx, s *trellis.ResourceShare) error {
		wanted, err := p.permission(tx, s.Account, permission)
		if err != nil {
			return err
		}
		if wanted.Version(version) == nil {
			return noVersion(permission, version)
		}
		if version != 0 && version != wanted.DefaultVersion {
			return ramError("InvalidParameterException", "Version %d of the permission %s is not its default version.", version, permission)
		}
		for _, arn := range slices.Clone(s.Permissions) {
			have, err := p.permission(tx, s.Account, arn)
			if err != nil {
				return err
			}
			switch {
			case have.ResourceType != wanted.ResourceType, arn == permission && s.PermissionVersions[arn] == wanted.DefaultVersion:
			case !replace:
				return ramError("InvalidParameterException", "The resource share has the permission %s for the resource type %s already.", arn, have.ResourceType)
			case arn != permission:
				dropPermission(s, arn)
			}
		}
		setPermission(s, wanted)
		return nil
	})
	return rev, err
}

// DisassociateSharePermission takes a permission from a share that has no resources of its type.
func (p *Plane) DisassociateSharePermission(ctx context.Context, c *authpolicy.Caller, share, permission string) (trellis.Revision, error) {
	r, err := p.permissionRequest(ctx, c, "DisassociateResourceSharePermission", share, permission)
	if err != nil {
		return 0, err
	}
	_, rev, err := p.changeShare(ctx, c, r, func(tx *store.Tx, s *trellis.ResourceShare) error {
		have, err := p.permission(tx, s.Account, permission)
		if err != nil {
			return err
		}
		if !slices.Contains(s.Permissions, permission) {
			return ramError("UnknownResourceException", "The permission %s is not associated with the resource share.", permission)
		}
		if slices.ContainsFunc(s.Resources, func(arn string) bool { return ShareResourceType(arn) == have.ResourceType }) {
			return ramError("OperationNotPermittedException", "The resource share has resources of the type %s.", have.ResourceType)
		}
		dropPermission(s, permission)
		return nil
	})
	return rev, err
}

// ReplacePermissions gives all shares of the account that have one permission, in one version unless it is 0, the default
// version of another permission for the same resource type. It is done at once.
func (p *Plane) ReplacePermissions(ctx context.Context, c *authpolicy.Caller, from string, version int, to string) (out *trellis.PermissionReplacement, rev trellis.Revision, err error) {
	rev, err = p.ramCommit(ctx, func(tx *store.Tx) error {
		before, err := p.permission(tx, account(c), from)
		if err != nil {
			return err
		}
		after, err := p.permission(tx, account(c), to)
		if err != nil {
			return err
		}
		for _, s := range []SharePermission{before, after} {
			if err := p.allowPermission(c, "ReplacePermissionAssociations", s, nil); err != nil {
				return err
			}
		}
		if before.ResourceType != after.ResourceType {
			return ramError("InvalidParameterException", "The permissions are for different resource types.")
		}
		if version != 0 && before.Version(version) == nil {
			return noVersion(from, version)
		}
		now := p.now()
		shares, err := store.List[*trellis.ResourceShare](tx, account(c)+"/")
		if err != nil {
			return err
		}
		for _, s := range shares {
			if s.Status != ShareActive || !slices.Contains(s.Permissions, from) || version != 0 && versionOf(s, before) != version {
				continue
			}
			dropPermission(s, from)
			setPermission(s, after)
			s.UpdatedAt = now
			tx.Put(s)
		}
		out = &trellis.PermissionReplacement{Meta: trellis.Meta{Account: account(c), ID: trellis.NewUUID(), CreatedAt: now, UpdatedAt: now},
			From: from, FromVersion: version, To: to, ToVersion: after.DefaultVersion}
		tx.Put(out)
		return forgetReplacements(tx, account(c), now)
	})
	return out, rev, err
}

// replacementVisible is how long a replacement is listed.
const replacementVisible = 24 * time.Hour

// forgetReplacements deletes those replacements of an account that are no longer listed.
func forgetReplacements(tx *store.Tx, account string, now time.Time) error {
	all, err := store.List[*trellis.PermissionReplacement](tx, account+"/")
	for _, r := range all {
		if now.Sub(r.CreatedAt) > replacementVisible {
			tx.Delete(r)
		}
	}
	return err
}

// PermissionReplacements lists the replacements of the last day, for ListReplacePermissionAssociationsWork.
func (p *Plane) PermissionReplacements(ctx context.Context, c *authpolicy.Caller) (out []*trellis.PermissionReplacement, err error) {
	if err := authorize(c, "ram:ListReplacePermissionAssociationsWork", nil, "*"); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		out, err = store.List[*trellis.PermissionReplacement](tx, account(c)+"/")
		return err
	})
	return slices.DeleteFunc(out, func(r *trellis.PermissionReplacement) bool { return p.now().Sub(r.CreatedAt) > replacementVisible }), err
}

// AssociatedPermission is a permission of a share, in the version that the share has.
type AssociatedPermission struct {
	SharePermission
	Share   *trellis.ResourceShare
	Version int
}

// versionOf is the version of a permission that a share has.
func versionOf(s *trellis.ResourceShare, permission SharePermission) int {
	if v := s.PermissionVersions[permission.ARN]; v != 0 {
		return v
	}
	return permission.DefaultVersion
}

// permissionsOfShare lists the permissions of a share.
func (p *Plane) permissionsOfShare(tx *store.Tx, s *trellis.ResourceShare) ([]AssociatedPermission, error) {
	var out []AssociatedPermission
	for _, arn := range s.Permissions {
		permission, err := p.permission(tx, s.Account, arn)
		if err != nil {
			return nil, err
		}
		out = append(out, AssociatedPermission{permission, s, versionOf(s, permission)})
	}
	return out, nil
}

// PermissionsOfShare lists the permissions of one share of the account, for ListResourceSharePermissions.
func (p *Plane) PermissionsOfShare(ctx context.Context, c *authpolicy.Caller, arn string) (out []AssociatedPermission, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		s, err := p.ownShare(tx, c, shareRequest{action: "ListResourceSharePermissions", arn: arn})
		if err != nil {
			return err
		}
		out, err = p.permissionsOfShare(tx, s)
		return err
	})
	return out, err
}

// PermissionAssociations lists the permissions of all active shares of the account, for ListPermissionAssociations.
func (p *Plane) PermissionAssociations(ctx context.Context, c *authpolicy.Caller) (out []AssociatedPermission, err error) {
	if err := authorize(c, "ram:ListPermissionAssociations", nil, "*"); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		out = nil
		shares, err := store.List[*trellis.ResourceShare](tx, account(c)+"/")
		for _, s := range shares {
			if s.Status != ShareActive {
				continue
			}
			of, err := p.permissionsOfShare(tx, s)
			if err != nil {
				return err
			}
			out = append(out, of...)
		}
		return err
	})
	return out, err
}

// SharePolicies are the resource policies that the account's shares amount to, for GetResourcePolicies: of each resource that
// shares reach anybody with, or with one principal unless it is empty.
func (p *Plane) SharePolicies(ctx context.Context, c *authpolicy.Caller, arns []string, principal string) (out []string, err error) {
	if err := authorize(c, "ram:GetResourcePolicies", nil, "*"); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		out = nil
		for _, arn := range arns {
			if _, err := trellis.ParseARN(arn); err != nil {
				return malformedARN(arn)
			}
			if err := p.shareable(tx, &trellis.ResourceShare{Meta: trellis.Meta{Account: account(c)}}, arn); err != nil {
				return ramError("ResourceArnNotFoundException", "The resource %s could not be found.", arn)
			}
			text, err := p.policyOfShares(tx, guarded{Ref: trellis.Ref{Account: account(c), ID: trellis.LastPart(arn)}}, principal)
			if err != nil {
				return err
			}
			if text != "" {
				out = append(out, text)
			}
		}
		return nil
	})
	return out, err
}
