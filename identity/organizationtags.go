package identity

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// tagged is an account, organizational unit, root or policy with its tags.
type tagged struct {
	noun trellis.Noun
	tags *map[string]string
}

// taggedOf reads what has tags in an organization.
func taggedOf(tx *store.Tx, o *trellis.Organization, id string) (*tagged, error) {
	missing := errNoTarget()
	if id == o.RootID {
		return &tagged{o, &o.RootTags}, nil
	}
	if strings.HasPrefix(id, "p-") {
		p, err := get[*trellis.OrganizationPolicy](tx, o.ID+"/"+id, missing)
		if err != nil {
			return nil, err
		}
		if p.AWSManaged {
			return nil, errAWSControl()
		}
		return &tagged{p, &p.Tags}, nil
	}
	if strings.HasPrefix(id, "ou-") {
		u, err := get[*trellis.OrganizationalUnit](tx, o.ID+"/"+id, missing)
		if err != nil {
			return nil, err
		}
		return &tagged{u, &u.Tags}, nil
	}
	a, err := get[*trellis.Account](tx, id, missing)
	if err != nil {
		return nil, err
	}
	if a.OrgID != o.ID {
		return nil, missing
	}
	return &tagged{a, &a.Tags}, nil
}

// TagOrgResource adds tags to an account, organizational unit, policy or root, or replaces their values.
func (i *Identity) TagOrgResource(ctx context.Context, c *authpolicy.Caller, id string, tags map[string]string) (trellis.Revision, error) {
	return i.changeOrg(ctx, c, "TagResource", authpolicy.TagKeys(nil, tags, nil), func(tx *store.Tx, o *trellis.Organization) error {
		t, err := taggedOf(tx, o, id)
		if err != nil {
			return err
		}
		all := maps.Clone(*t.tags)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
		if err := checkOrgTags(all); err != nil {
			return err
		}
		*t.tags = all
		tx.Put(t.noun)
		return nil
	})
}

// checkOrgTags refuses tags that Organizations would refuse.
func checkOrgTags(tags map[string]string) error {
	err := checkTags(tags)
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		if e.Code == "LimitExceeded" {
			return orgError("ConstraintViolationException", "%s", e.Message)
		}
		return orgError("InvalidInputException", "%s", e.Message)
	}
	return err
}

// UntagOrgResource removes tags from an account, organizational unit, policy or root.
func (i *Identity) UntagOrgResource(ctx context.Context, c *authpolicy.Caller, id string, keys []string) (trellis.Revision, error) {
	return i.changeOrg(ctx, c, "UntagResource", map[string][]string{"aws:tagkeys": keys}, func(tx *store.Tx, o *trellis.Organization) error {
		t, err := taggedOf(tx, o, id)
		if err != nil {
			return err
		}
		for _, k := range keys {
			delete(*t.tags, k)
		}
		tx.Put(t.noun)
		return nil
	})
}

// ListOrgTags returns the tags of an account, organizational unit, policy or root.
func (i *Identity) ListOrgTags(ctx context.Context, c *authpolicy.Caller, id string) (tags map[string]string, err error) {
	err = i.readOrg(ctx, c, "ListTagsForResource", func(tx *store.Tx, o *trellis.Organization) error {
		t, err := taggedOf(tx, o, id)
		if err == nil {
			tags = *t.tags
		}
		return err
	})
	return tags, err
}

// OrgTagged are the accounts, organizational units, policies and the root of the organization that an account manages, with
// their tags. Of an account that manages none there are none.
func OrgTagged(tx *store.Tx, account string) ([]trellis.TaggedResource, error) {
	a, err := store.Get[*trellis.Account](tx, account)
	if errors.Is(err, trellis.ErrNotExist) || err == nil && a.OrgID == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := store.Get[*trellis.Organization](tx, a.OrgID)
	if err != nil || o.ManagementAccountID != account {
		return nil, err
	}
	all := []trellis.TaggedResource{{ARN: OrgARN(o, "root", o.RootID), Type: "organizations:root", Tags: o.RootTags}}
	accounts, err := membersOf(tx, o)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		all = append(all, trellis.TaggedResource{ARN: OrgARN(o, "account", a.ID), Type: "organizations:account", Tags: a.Tags})
	}
	units, err := store.List[*trellis.OrganizationalUnit](tx, o.ID+"/")
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		all = append(all, trellis.TaggedResource{ARN: OrgARN(o, "ou", u.ID), Type: "organizations:ou", Tags: u.Tags})
	}
	policies, err := store.List[*trellis.OrganizationPolicy](tx, o.ID+"/")
	for _, p := range policies {
		all = append(all, trellis.TaggedResource{ARN: ControlPolicyARN(o, p), Type: "organizations:policy", Tags: p.Tags})
	}
	return all, err
}
