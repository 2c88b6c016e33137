package controlplane

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// A VPC is born with a main route table and a default network ACL, which follow from it and are stored only once somebody
// changes them: so VPCs from before there were any have them, too.

// born lists the nouns of a kind that an account has, stored or not, and its VPCs by id. fresh makes what a VPC is born with; nothing
// where it has another one.
func born[T trellis.Owned](tx *store.Tx, account string, fresh func(*trellis.VPC) []T) ([]T, map[string]*trellis.VPC, error) {
	all, err := store.List[T](tx, account+"/")
	if err != nil {
		return nil, nil, err
	}
	vpcs, err := store.List[*trellis.VPC](tx, account+"/")
	if err != nil {
		return nil, nil, err
	}
	byID := map[string]*trellis.VPC{}
	for _, v := range vpcs {
		byID[v.ID] = v
		for _, n := range fresh(v) {
			if !hasID(all, n.Common().ID) {
				all = append(all, n)
			}
		}
	}
	return all, byID, nil
}

// hasID tells whether one of some nouns has an id.
func hasID[T trellis.Owned](all []T, id string) bool {
	return slices.ContainsFunc(all, func(n T) bool { return n.Common().ID == id })
}

// named are those of some nouns with the given ids, which must be there, or all when there are no ids.
func named[T trellis.Owned](all []T, k idKind, ids ...string) ([]T, error) {
	if len(ids) == 0 {
		return all, nil
	}
	for _, id := range ids {
		if err := k.check(id); err != nil {
			return nil, err
		}
		if !hasID(all, id) {
			return nil, k.notFound(id)
		}
	}
	return slices.DeleteFunc(all, func(n T) bool { return !slices.Contains(ids, n.Common().ID) }), nil
}

// finder finds one of a kind that an account or its VPCs are born with, by its id, and the VPC that it belongs to.
type finder[T trellis.Owned] func(tx *store.Tx, account, id string) (T, *trellis.VPC, error)

// changeBorn changes a noun that a VPC may be born with in one transaction, after the caller's policies have allowed an action on it,
// a resource such as "route-table/rtb-…", and on further ARNs.
func changeBorn[T trellis.Owned](ctx context.Context, p *Plane, c EC2Call, find finder[T], action, resource, id string, further []string, change func(*store.Tx, T, *trellis.VPC) error) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, action, nil, append([]string{p.ec2ARN(c, resource+"/"+id)}, further...)...); err != nil {
			return err
		}
		n, v, err := find(tx, c.account(), id)
		if err != nil {
			return err
		}
		if err := change(tx, n, v); err != nil {
			return err
		}
		n.Common().UpdatedAt = p.now()
		tx.Put(n)
		return nil
	})
}

// changeBornTags changes the tags of a noun that a VPC may be born with, which CreateTags asks for.
func changeBornTags[T trellis.Owned](p *Plane, tx *store.Tx, find finder[T], account, id string, change func(map[string]string) (map[string]string, error)) error {
	n, _, err := find(tx, account, id)
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
