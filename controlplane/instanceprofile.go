package controlplane

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/store"
)

// ProfileNamed is how a request names an instance profile: by one of both.
type ProfileNamed struct{ ARN, Name string }

// The states of an association of an instance with an instance profile (EC2 API reference, IamInstanceProfileAssociation).
// The two in passing are shown in answers alone.
const (
	ProfileAssociating    = "associating"
	ProfileAssociated     = "associated"
	ProfileDisassociating = "disassociating"
)

// ProfileOf is the association of an instance with an instance profile, nil for none. An instance that was given a role
// alone is shown with the profile of the role's name that the console would have made for it.
func ProfileOf(i *trellis.Instance) *trellis.ProfileAssociation {
	if i.Profile != nil || i.RoleARN == "" {
		return i.Profile
	}
	return &trellis.ProfileAssociation{ID: DerivedID("iip-assoc", i.ID), ProfileARN: trellis.IAMARN(i.Account, "instance-profile/"+trellis.LastPart(i.RoleARN)), Since: i.CreatedAt}
}

// profile finds the instance profile that a request names, and its role, which the caller must be allowed to pass on. A
// name that no profile has is that of a role. ok is false when none is named. instance is the ARN of the instance that gets
// it, empty for one that is being made.
func (n ProfileNamed) profile(tx *store.Tx, c EC2Call, instance string) (a trellis.ProfileAssociation, role *trellis.Role, ok bool, err error) {
	parameter, value, name := "iamInstanceProfile.name", n.Name, n.Name
	if n.ARN != "" {
		parameter, value, name = "iamInstanceProfile.arn", n.ARN, trellis.LastPart(n.ARN)
		parsed, err := trellis.ParseARN(n.ARN)
		if err != nil || parsed.Service != "iam" || parsed.Account != c.account() || !strings.HasPrefix(parsed.Resource, "instance-profile/") {
			return a, nil, false, invalidParameter(parameter, value, "Invalid IAM Instance Profile ARN")
		}
	}
	if name == "" {
		return a, nil, false, nil
	}
	unknown := invalidParameter(parameter, value, "Invalid IAM Instance Profile name")
	p, err := store.Get[*trellis.InstanceProfile](tx, c.account()+"/"+name)
	roleName := name
	switch {
	case errors.Is(err, trellis.ErrNotExist):
		a.ProfileARN = trellis.IAMARN(c.account(), "instance-profile/"+name)
	case err != nil:
		return a, nil, false, err
	case n.ARN != "" && n.ARN != p.ARN():
		return a, nil, false, unknown
	case p.RoleName == "":
		return a, nil, false, ec2Error("InvalidParameterValue", "IAM Instance Profile %q has no associated IAM Roles", p.ARN())
	default:
		a.ProfileARN, a.ProfileID, roleName = p.ARN(), p.ID, p.RoleName
	}
	role, err = store.Get[*trellis.Role](tx, c.account()+"/"+roleName)
	if errors.Is(err, trellis.ErrNotExist) {
		return a, nil, false, unknown
	}
	if err != nil {
		return a, nil, false, err
	}
	return a, role, true, unauthorized(identity.PassRole(c.Caller, role, identity.EC2Service, instance))
}

// associate gives an instance that is about to be put a profile and its role.
func (p *Plane) associate(tx *store.Tx, i *trellis.Instance, a trellis.ProfileAssociation, role *trellis.Role) {
	dissociate(tx, i)
	a.ID, a.Since = trellis.NewID("iip-assoc"), p.now()
	i.Profile, i.RoleARN = &a, role.ARN()
	if a.ProfileID != "" {
		tx.Mark(identity.ProfileUse(a.ProfileID), i.ID)
	}
}

// dissociate takes the profile and the role from an instance that is about to be put.
func dissociate(tx *store.Tx, i *trellis.Instance) {
	if i.Profile != nil && i.Profile.ProfileID != "" {
		tx.Unmark(identity.ProfileUse(i.Profile.ProfileID), i.ID)
	}
	i.Profile, i.RoleARN = nil, ""
}

// InstanceOfProfile is an instance with the association that an answer is about, as it was or is.
type InstanceOfProfile struct {
	InstanceID string
	*trellis.ProfileAssociation
	State string
}

// AssociateProfile gives an instance the instance profile that it lacks.
func (p *Plane) AssociateProfile(ctx context.Context, c EC2Call, instance string, n ProfileNamed) (out InstanceOfProfile, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "AssociateIamInstanceProfile", nil, p.ec2ARN(c, "instance/"+instance)); err != nil {
			return err
		}
		if err := instancesExist(tx, c.account(), []string{instance}); err != nil {
			return err
		}
		i, err := find[*trellis.Instance](tx, idInstance, c.account(), instance)
		if err != nil {
			return err
		}
		if ProfileOf(i) != nil {
			return ec2Error("IncorrectState", "There is an existing association for instance %s", instance)
		}
		out, err = p.giveProfile(tx, c, i, n)
		return err
	})
	return out, rev, err
}

// giveProfile gives an instance the profile that a request names.
func (p *Plane) giveProfile(tx *store.Tx, c EC2Call, i *trellis.Instance, n ProfileNamed) (InstanceOfProfile, error) {
	if i.State == trellis.InstanceTerminated || i.State == trellis.InstanceShuttingDown {
		return InstanceOfProfile{}, ec2Error("IncorrectInstanceState", "The instance '%s' is not in the 'running' or 'stopped' states.", i.ID)
	}
	a, role, ok, err := n.profile(tx, c, p.ec2ARN(c, "instance/"+i.ID))
	if err != nil {
		return InstanceOfProfile{}, err
	}
	if !ok {
		return InstanceOfProfile{}, missingParameter("IamInstanceProfile")
	}
	p.associate(tx, i, a, role)
	i.UpdatedAt = p.now()
	tx.Put(i)
	return InstanceOfProfile{i.ID, i.Profile, ProfileAssociating}, nil
}

// changeProfile changes the instance that has an association, by the association's id. The action is asked of that instance
// (Service Authorization Reference, DisassociateIamInstanceProfile).
func (p *Plane) changeProfile(ctx context.Context, c EC2Call, action, id string, change func(*store.Tx, *trellis.Instance) error) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.Instance](tx, c.account()+"/")
		if err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(i *trellis.Instance) bool { a := ProfileOf(i); return a != nil && a.ID == id })
		instance := "*"
		if at >= 0 {
			instance = all[at].ID
		}
		if err := p.allow(tx, c, action, nil, p.ec2ARN(c, "instance/"+instance)); err != nil {
			return err
		}
		if at < 0 {
			return ec2Error("NoSuchAssociation", "An invalid association-id of '%s' was given", id)
		}
		return change(tx, all[at])
	})
}

// DisassociateProfile ends an association: the instance has no role any more.
func (p *Plane) DisassociateProfile(ctx context.Context, c EC2Call, id string) (out InstanceOfProfile, rev trellis.Revision, err error) {
	rev, err = p.changeProfile(ctx, c, "DisassociateIamInstanceProfile", id, func(tx *store.Tx, i *trellis.Instance) error {
		out = InstanceOfProfile{i.ID, ProfileOf(i), ProfileDisassociating}
		dissociate(tx, i)
		i.UpdatedAt = p.now()
		tx.Put(i)
		return nil
	})
	return out, rev, err
}

// ReplaceProfile puts another instance profile in the place of an association's, as an association of its own.
func (p *Plane) ReplaceProfile(ctx context.Context, c EC2Call, id string, n ProfileNamed) (out InstanceOfProfile, rev trellis.Revision, err error) {
	rev, err = p.changeProfile(ctx, c, "ReplaceIamInstanceProfileAssociation", id, func(tx *store.Tx, i *trellis.Instance) error {
		out, err = p.giveProfile(tx, c, i, n)
		return err
	})
	return out, rev, err
}

// ProfileAssociations lists the associations of instances with instance profiles, by instance.
func (p *Plane) ProfileAssociations(ctx context.Context, c EC2Call, q Query) (out []InstanceOfProfile, err error) {
	if err := c.allow("DescribeIamInstanceProfileAssociations", nil, "*"); err != nil {
		return nil, err
	}
	err = p.read(ctx, func(tx *store.Tx) error {
		out = nil
		all, err := store.List[*trellis.Instance](tx, c.account()+"/")
		if err != nil {
			return err
		}
		missing := slices.Clone(q.IDs)
		if err := q.check(attributes{"instance-id": nil, "state": nil}); err != nil {
			return err
		}
		for _, i := range all {
			a := ProfileOf(i)
			if a == nil || len(q.IDs) > 0 && !slices.Contains(q.IDs, a.ID) {
				continue
			}
			missing = slices.DeleteFunc(missing, func(id string) bool { return id == a.ID })
			ok, err := q.matches(attributes{"instance-id": {i.ID}, "state": {ProfileAssociated}}, nil)
			if err != nil {
				return err
			}
			if ok {
				out = append(out, InstanceOfProfile{i.ID, a, ProfileAssociated})
			}
		}
		if len(missing) > 0 {
			return ec2Error("NoSuchAssociation", "An invalid association-id of '%s' was given", missing[0])
		}
		return nil
	})
	return out, err
}
