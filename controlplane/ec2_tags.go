package controlplane

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// checkTags refuses tags that no resource may have.
func checkTags(tags map[string]string) error {
	for k, v := range tags {
		switch fault := trellis.CheckTag(k, v); fault {
		case trellis.TagKeyLength:
			return invalidParameter("key", k, string(fault))
		case trellis.TagValueLength:
			return invalidParameter("value", v, string(fault))
		case trellis.TagReserved:
			return ec2Error("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		}
	}
	if len(tags) > trellis.MaxTags {
		return ec2Error("TagLimitExceeded", "The maximum number of tags for a resource has been reached.")
	}
	return nil
}

// taggable is one kind of resource that CreateTags knows: how the API names it, and how its tags are changed.
type taggable struct {
	id           idKind
	resourceType string // in DescribeTags and ARNs
	change       func(tx *store.Tx, account, id string, change func(map[string]string) (map[string]string, error)) error
}

// taggables are the kinds of resources with tags.
func (p *Plane) taggables() []taggable {
	return []taggable{
		{idInstance, "instance", changeTags[*trellis.Instance](p, idInstance)},
		{idPrefixList, "prefix-list", changeTags[*trellis.PrefixList](p, idPrefixList)},
		{idSecurityGroup, "security-group", changeTags[*trellis.SecurityGroup](p, idSecurityGroup)},
		{idGroupRule, "security-group-rule", p.changeRuleTags},
		{idSubnet, "subnet", changeTags[*trellis.Subnet](p, idSubnet)},
		{idVPC, "vpc", changeTags[*trellis.VPC](p, idVPC)},
		{idVPCEndpoint, "vpc-endpoint", changeTags[*trellis.VPCEndpoint](p, idVPCEndpoint)},
	}
}

// changeTags returns how the tags of one kind of noun are changed.
func changeTags[T owned](p *Plane, k idKind) func(*store.Tx, string, string, func(map[string]string) (map[string]string, error)) error {
	return func(tx *store.Tx, account, id string, change func(map[string]string) (map[string]string, error)) error {
		n, err := find[T](tx, k, account, id)
		if err != nil {
			return err
		}
		meta := n.Common()
		if meta.Tags, err = change(meta.Tags); err != nil {
			return err
		}
		meta.UpdatedAt = p.now()
		tx.Put(n)
		return nil
	}
}

// changeRuleTags changes the tags of a security group rule, which lives inside its group.
func (p *Plane) changeRuleTags(tx *store.Tx, account, id string, change func(map[string]string) (map[string]string, error)) error {
	if err := idGroupRule.check(id); err != nil {
		return err
	}
	groups, err := store.List[*trellis.SecurityGroup](tx, account+"/")
	if err != nil {
		return err
	}
	for _, g := range groups {
		i := slices.IndexFunc(g.Rules, func(r trellis.SecurityGroupRule) bool { return r.ID == id })
		if i < 0 {
			continue
		}
		if g.Rules[i].Tags, err = change(g.Rules[i].Tags); err != nil {
			return err
		}
		tx.Put(g)
		return nil
	}
	return idGroupRule.notFound(id)
}

// CreateTags adds tags to resources, or replaces their values, all or none.
func (p *Plane) CreateTags(ctx context.Context, c EC2Call, ids []string, tags map[string]string) (trellis.Revision, error) {
	if len(tags) == 0 {
		return 0, missingParameter("tags")
	}
	if err := checkTags(tags); err != nil {
		return 0, err
	}
	return p.tag(ctx, c, "CreateTags", authpolicy.TagKeys(nil, tags, nil), ids, func(have map[string]string) (map[string]string, error) {
		have = maps.Clone(have)
		if have == nil {
			have = map[string]string{}
		}
		maps.Copy(have, tags)
		return have, checkTags(have)
	})
}

// DeleteTags removes tags by key, those with a value only when it is the tag's. None at all removes every tag.
func (p *Plane) DeleteTags(ctx context.Context, c EC2Call, ids []string, tags map[string]*string) (trellis.Revision, error) {
	return p.tag(ctx, c, "DeleteTags", nil, ids, func(have map[string]string) (map[string]string, error) {
		if len(tags) == 0 {
			return nil, nil
		}
		have = maps.Clone(have)
		maps.DeleteFunc(have, func(k, v string) bool {
			want, named := tags[k]
			return named && (want == nil || *want == v)
		})
		return have, nil
	})
}

// tag changes the tags of resources of any kinds in one transaction.
func (p *Plane) tag(ctx context.Context, c EC2Call, action string, k keys, ids []string, change func(map[string]string) (map[string]string, error)) (trellis.Revision, error) {
	if len(ids) == 0 {
		return 0, missingParameter("resourceId")
	}
	kinds, arns := make([]taggable, len(ids)), make([]string, len(ids))
	for n, id := range ids {
		i := slices.IndexFunc(p.taggables(), func(t taggable) bool { return t.id.fits(id) })
		if i < 0 {
			return 0, ec2Error("InvalidID", "The ID '%s' is not valid", id)
		}
		kinds[n] = p.taggables()[i]
		arns[n] = p.ec2ARN(c, kinds[n].resourceType+"/"+id)
	}
	if err := c.allow(action, k, arns...); err != nil {
		return 0, err
	}
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		for n, id := range ids {
			if err := kinds[n].change(tx, c.account(), id, change); err != nil {
				return err
			}
		}
		return nil
	})
}

// ResourceTag is one tag, as DescribeTags lists it.
type ResourceTag struct {
	ResourceID, ResourceType, Key, Value string
}

// Tags is DescribeTags, sorted by resource and key.
func (p *Plane) Tags(ctx context.Context, c EC2Call, filters []Filter) ([]ResourceTag, error) {
	if err := c.allow("DescribeTags", nil, "*"); err != nil {
		return nil, err
	}
	q := Query{Filters: filters}
	attrs := func(t ResourceTag) attributes {
		return attributes{"resource-id": {t.ResourceID}, "resource-type": {t.ResourceType}, "key": {t.Key}, "value": {t.Value}}
	}
	if err := q.check(attrs(ResourceTag{})); err != nil {
		return nil, err
	}
	var out []ResourceTag
	err := p.read(ctx, func(tx *store.Tx) error {
		out = nil
		add := func(id, resourceType string, tags map[string]string) error {
			for _, k := range slices.Sorted(maps.Keys(tags)) {
				t := ResourceTag{id, resourceType, k, tags[k]}
				ok, err := q.matches(attrs(t), tags)
				if err != nil {
					return err
				}
				if ok {
					out = append(out, t)
				}
			}
			return nil
		}
		groups, err := store.List[*trellis.SecurityGroup](tx, c.account()+"/")
		for _, g := range groups {
			err = errors.Join(err, add(g.ID, "security-group", g.Tags))
			for _, r := range g.Rules {
				err = errors.Join(err, add(r.ID, "security-group-rule", r.Tags))
			}
		}
		return errors.Join(err, tagsOf[*trellis.VPC](tx, c, "vpc", add), tagsOf[*trellis.Subnet](tx, c, "subnet", add),
			tagsOf[*trellis.Instance](tx, c, "instance", add), tagsOf[*trellis.PrefixList](tx, c, "prefix-list", add),
			tagsOf[*trellis.VPCEndpoint](tx, c, "vpc-endpoint", add))
	})
	slices.SortStableFunc(out, func(a, b ResourceTag) int { return strings.Compare(a.ResourceID, b.ResourceID) })
	return out, err
}

// tagsOf adds the tags of all nouns of a kind in the caller's account.
func tagsOf[T owned](tx *store.Tx, c EC2Call, resourceType string, add func(id, resourceType string, tags map[string]string) error) error {
	nouns, err := store.List[T](tx, c.account()+"/")
	if err != nil {
		return err
	}
	for _, n := range nouns {
		if err := add(n.Common().ID, resourceType, n.Common().Tags); err != nil {
			return err
		}
	}
	return nil
}
