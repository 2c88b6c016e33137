package identity

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// errNoUnit is for an organizational unit that a caller named.
func errNoUnit() *trellis.Error {
	return orgError("OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist.")
}

// unitName claims the name of a unit below its parent.
func unitName(tx *store.Tx, u *trellis.OrganizationalUnit) error {
	err := tx.Claim(unitClaim(u), u.ID)
	if _, taken := errors.AsType[*store.TakenError](err); taken {
		return orgError("DuplicateOrganizationalUnitException", "An OU with the same name already exists.")
	}
	return err
}

// unitClaim is the unique name of a unit.
func unitClaim(u *trellis.OrganizationalUnit) string {
	return "unitname/" + u.OrgID + "/" + u.ParentID + "/" + u.Name
}

// CreateUnit makes an organizational unit below the root or another unit.
func (i *Identity) CreateUnit(ctx context.Context, c *authpolicy.Caller, parent, name string, tags map[string]string) (u *trellis.OrganizationalUnit, o *trellis.Organization, rev trellis.Revision, err error) {
	if name == "" || len([]rune(name)) > 128 {
		return nil, nil, 0, orgError("InvalidInputException", "The name of an OU is 1 to 128 characters long.")
	}
	if err := checkOrgTags(tags); err != nil {
		return nil, nil, 0, err
	}
	rev, err = i.changeOrg(ctx, c, "CreateOrganizationalUnit", authpolicy.TagKeys(nil, tags, nil), func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		depth, err := unitDepth(tx, o, parent)
		if err != nil {
			return err
		}
		if depth >= maxUnitDepth {
			return orgError("ConstraintViolationException", "You have exceeded the maximum depth of organizational units (%d).", maxUnitDepth)
		}
		u = &trellis.OrganizationalUnit{
			ID:    "ou-" + o.RootID[len("r-"):] + "-" + trellis.RandomHex(8),
			OrgID: o.ID, ParentID: parent, Name: name, CreatedAt: i.now(), Tags: maps.Clone(tags),
		}
		if err := unitName(tx, u); err != nil {
			return err
		}
		tx.Put(u)
		return joinControls(tx, o, u.ID)
	})
	return u, o, rev, err
}

// unitDepth is how many units deep a parent is: 0 for the root.
func unitDepth(tx *store.Tx, o *trellis.Organization, parent string) (depth int, err error) {
	for id := parent; id != o.RootID; depth++ {
		u, err := get[*trellis.OrganizationalUnit](tx, o.ID+"/"+id, errNoParent(parent))
		if err != nil {
			return 0, err
		}
		id = u.ParentID
	}
	return depth, nil
}

// placeOf is where the root or a unit is in its organization, o-…/r-…/ou-…/.
func placeOf(tx *store.Tx, o *trellis.Organization, id string) (string, error) {
	path := ""
	for id != o.RootID {
		u, err := get[*trellis.OrganizationalUnit](tx, o.ID+"/"+id, errNoUnit())
		if err != nil {
			return "", err
		}
		path, id = u.ID+"/"+path, u.ParentID
	}
	return o.ID + "/" + o.RootID + "/" + path, nil
}

// DescribeUnit returns an organizational unit, the organization, and the unit's place in it, o-…/r-…/ou-…/.
func (i *Identity) DescribeUnit(ctx context.Context, c *authpolicy.Caller, id string) (u *trellis.OrganizationalUnit, o *trellis.Organization, place string, err error) {
	err = i.readOrg(ctx, c, "DescribeOrganizationalUnit", func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		if u, err = get[*trellis.OrganizationalUnit](tx, o.ID+"/"+id, errNoUnit()); err != nil {
			return err
		}
		place, err = placeOf(tx, o, id)
		return err
	})
	return u, o, place, err
}

// RenameUnit gives an organizational unit another name; an empty one leaves it.
func (i *Identity) RenameUnit(ctx context.Context, c *authpolicy.Caller, id, name string) (u *trellis.OrganizationalUnit, o *trellis.Organization, rev trellis.Revision, err error) {
	rev, err = i.changeOrg(ctx, c, "UpdateOrganizationalUnit", nil, func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		if u, err = get[*trellis.OrganizationalUnit](tx, o.ID+"/"+id, errNoUnit()); err != nil {
			return err
		}
		if name == "" || name == u.Name {
			return nil
		}
		tx.Release(unitClaim(u))
		u.Name = name
		if err := unitName(tx, u); err != nil {
			return err
		}
		tx.Put(u)
		return nil
	})
	return u, o, rev, err
}

// DeleteUnit removes an organizational unit that has neither accounts nor units.
func (i *Identity) DeleteUnit(ctx context.Context, c *authpolicy.Caller, id string) (trellis.Revision, error) {
	return i.changeOrg(ctx, c, "DeleteOrganizationalUnit", nil, func(tx *store.Tx, o *trellis.Organization) error {
		u, err := get[*trellis.OrganizationalUnit](tx, o.ID+"/"+id, errNoUnit())
		if err != nil {
			return err
		}
		units, err := store.List[*trellis.OrganizationalUnit](tx, o.ID+"/")
		if err != nil {
			return err
		}
		accounts, err := membersOf(tx, o)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(units, func(other *trellis.OrganizationalUnit) bool { return other.ParentID == id }) ||
			slices.ContainsFunc(accounts, func(a *trellis.Account) bool { return a.ParentID == id }) {
			return orgError("OrganizationalUnitNotEmptyException", "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again.")
		}
		tx.Release(unitClaim(u))
		tx.Delete(u)
		return leaveControls(tx, o, id)
	})
}

// ListUnits returns the organizational units directly below a parent, by id, and the organization.
func (i *Identity) ListUnits(ctx context.Context, c *authpolicy.Caller, parent string) ([]*trellis.OrganizationalUnit, *trellis.Organization, error) {
	return i.unitsBelow(ctx, c, "ListOrganizationalUnitsForParent", parent)
}

// unitsBelow is ListUnits under the name of the action that asks.
func (i *Identity) unitsBelow(ctx context.Context, c *authpolicy.Caller, action, parent string) (units []*trellis.OrganizationalUnit, o *trellis.Organization, err error) {
	err = i.readOrg(ctx, c, action, func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		if err := checkParent(tx, o, parent, errNoParent(parent)); err != nil {
			return err
		}
		units, err = store.List[*trellis.OrganizationalUnit](tx, o.ID+"/")
		return err
	})
	return slices.DeleteFunc(units, func(u *trellis.OrganizationalUnit) bool { return u.ParentID != parent }), o, err
}
