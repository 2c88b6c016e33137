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

// taggable is one kind of resource that CreateTags knows: how the API names it, and what noun it is.
type taggable struct {
	id           idKind
	resourceType string       // in ARNs
	kind         trellis.Kind // empty for rules, which are part of their group
}

// ec2Taggables are the kinds of resources with tags.
var ec2Taggables = []taggable{
	{idDHCPOptions, "dhcp-options", trellis.KindDHCPOptions},
	{idInstance, "instance", trellis.KindInstance},
	{idInterface, "network-interface", trellis.KindElasticNetworkInterface},
	{idInternetGateway, "internet-gateway", trellis.KindInternetGateway},
	{idKeyPair, "key-pair", trellis.KindKeyPair},
	{idNetworkACL, "network-acl", trellis.KindNetworkACL},
	{idPrefixList, "prefix-list", trellis.KindPrefixList},
	{idRouteTable, "route-table", trellis.KindRouteTable},
	{idSecurityGroup, "security-group", trellis.KindSecurityGroup},
	{idGroupRule, "security-group-rule", ""},
	{idSubnet, "subnet", trellis.KindSubnet},
	{idVolume, "volume", trellis.KindVolume},
	{idVPC, "vpc", trellis.KindVPC},
	{idVPCEndpoint, "vpc-endpoint", trellis.KindVPCEndpoint},
}

// ec2TagsOf are the tags of a resource of an account, by its ARN. An ARN that names none, or one that does not exist, has none.
func ec2TagsOf(tx *store.Tx, account, arn string) (map[string]string, error) {
	a, err := trellis.ParseARN(arn)
	if err != nil {
		return nil, nil
	}
	resourceType, id, _ := strings.Cut(a.Resource, "/")
	if resourceType == "key-pair" && a.Account == account { // by its name, as in policies
		k, err := keyPairNamed(tx, account, id)
		if k != nil {
			return k.Tags, nil
		}
		if err != nil {
			return nil, err
		}
	}
	i := slices.IndexFunc(ec2Taggables, func(t taggable) bool { return t.resourceType == resourceType && t.id.fits(id) })
	if i < 0 || a.Account != account {
		return nil, nil
	}
	if ec2Taggables[i].kind == "" {
		g, i, err := groupOfRule(tx, account, id)
		if g == nil || err != nil {
			return nil, err
		}
		return g.Rules[i].Tags, nil
	}
	n, err := tx.Get(ec2Taggables[i].kind, account+"/"+id)
	if errors.Is(err, trellis.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return n.(trellis.Owned).Common().Tags, nil
}

// groupOfRule finds the security group of an account that a rule is in, nil for none, and the place of the rule.
func groupOfRule(tx *store.Tx, account, id string) (*trellis.SecurityGroup, int, error) {
	groups, err := store.List[*trellis.SecurityGroup](tx, account+"/")
	for _, g := range groups {
		if i := slices.IndexFunc(g.Rules, func(r trellis.SecurityGroupRule) bool { return r.ID == id }); i >= 0 {
			return g, i, err
		}
	}
	return nil, 0, err
}

// changeTags changes the tags of a resource of the caller's account.
func (p *Plane) changeTags(tx *store.Tx, t taggable, account, id string, change func(map[string]string) (map[string]string, error)) error {
	if t.kind == "" {
		return p.changeRuleTags(tx, account, id, change)
	}
	switch t.kind { // those that may not be stored yet
	case trellis.KindRouteTable:
		return changeBornTags(p, tx, findRouteTable, account, id, change)
	case trellis.KindDHCPOptions:
		return changeBornTags(p, tx, p.findDHCPOptions, account, id, change)
	case trellis.KindNetworkACL:
		return changeBornTags(p, tx, findNetworkACL, account, id, change)
	case trellis.KindElasticNetworkInterface:
		return p.changeInterfaceTags(tx, account, id, change)
	}
	if err := t.id.check(id); err != nil {
		return err
	}
	n, err := tx.Get(t.kind, account+"/"+id)
	if errors.Is(err, trellis.ErrNotExist) {
		return t.id.notFound(id)
	}
	if err != nil {
		return err
	}
	meta := n.(trellis.Owned).Common()
	if meta.Tags, err = change(meta.Tags); err != nil {
		return err
	}
	if i, ok := n.(*trellis.Instance); ok {
		if err := checkMetadataTags(i.Metadata(), i.Tags); err != nil {
			return err
		}
	}
	meta.UpdatedAt = p.now()
	tx.Put(n)
	return nil
}

// changeRuleTags changes the tags of a security group rule, which lives inside its group.
func (p *Plane) changeRuleTags(tx *store.Tx, account, id string, change func(map[string]string) (map[string]string, error)) error {
	if err := idGroupRule.check(id); err != nil {
		return err
	}
	g, i, err := groupOfRule(tx, account, id)
	if err != nil {
		return err
	}
	if g == nil {
		return idGroupRule.notFound(id)
	}
	if g.Rules[i].Tags, err = change(g.Rules[i].Tags); err != nil {
		return err
	}
	tx.Put(g)
	return nil
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
		i := slices.IndexFunc(ec2Taggables, func(t taggable) bool { return t.id.fits(id) })
		if i < 0 {
			return 0, ec2Error("InvalidID", "The ID '%s' is not valid", id)
		}
		kinds[n] = ec2Taggables[i]
		arns[n] = p.ec2ARN(c, kinds[n].resourceType+"/"+id)
	}
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, k, arns...); err != nil {
			return err
		}
		for n, id := range ids {
			if err := p.changeTags(tx, kinds[n], c.account(), id, change); err != nil {
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
		for _, kind := range trellis.TaggedKinds("ec2") {
			nouns, err := tx.List(kind, c.account()+"/")
			if err != nil {
				return err
			}
			for _, n := range nouns {
				for _, r := range trellis.TaggedResources(n, p.Region) {
					if err := add(trellis.LastPart(r.ARN), strings.TrimPrefix(r.Type, "ec2:"), r.Tags); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b ResourceTag) int { return strings.Compare(a.ResourceID, b.ResourceID) })
	return out, err
}
