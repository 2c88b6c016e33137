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

// association is what associations of services, VPCs and resources have in common: they belong to the account
// that made them, and each account that owns one of the two sides sees them under its own ARN.
type association interface {
	trellis.Noun
	Common() *trellis.Meta
	ARN(region, viewer string) string
}

// getAssociation reads an association that the caller takes part in, or one of a network that is shared with it, and
// shows it as view does.
func getAssociation[T association, V any](ctx context.Context, p *Plane, c *authpolicy.Caller, identifier string, kind resourceKind, action string, view func(*store.Tx, T) (V, error)) (v V, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		a, err := findAssociation[T](p, tx, c, identifier, kind, action, nil)
		if err == nil {
			v, err = view(tx, a)
		}
		return err
	})
	return v, err
}

// findAssociation returns an association that the caller takes part in, or one of a network that is shared with
// it, after the caller's policies have allowed action on it. k are condition keys of the request.
func findAssociation[T association](p *Plane, tx *store.Tx, c *authpolicy.Caller, identifier string, kind resourceKind, action string, k keys) (T, error) {
	var none T
	ref, err := p.ref(c, identifier, kind)
	if err != nil {
		return none, err
	}
	var found T
	missing := true
	if ref.Account == account(c) {
		key := ref.Key()
		others, err := tx.Marked(foreign(ref.Account, ref.ID))
		if err != nil {
			return none, err
		}
		if len(others) > 0 {
			key = others[0]
		}
		found, err = store.Get[T](tx, key)
		if errors.Is(err, trellis.ErrNotExist) {
			found, err = sharedAssociation[T](p, tx, c, ref.ID, kind)
		}
		if missing = errors.Is(err, trellis.ErrNotExist); err != nil && !missing {
			return none, err
		}
	}
	k = maps.Clone(k)
	if !missing && !strings.HasPrefix(action, "vpc-lattice:Get") {
		k = p.sideKeys(c, found, k)
	}
	if !missing && found.Common().Account == account(c) {
		k = authpolicy.TagKeys(k, nil, found.Common().Tags)
	}
	if err := authorize(c, action, k, trellis.LatticeARN(p.Region, ref.Account, kind.path+"/"+ref.ID)); err != nil {
		return none, err
	}
	if missing {
		return none, trellis.NotFound(kind.typ, ref.ID)
	}
	return found, nil
}

// sideKeys adds the condition keys of the sides of an association of a service or VPC (Service Authorization Reference).
func (p *Plane) sideKeys(c *authpolicy.Caller, a association, k keys) keys {
	switch a := a.(type) {
	case *trellis.ServiceAssociation:
		k = p.identifierKeys(c, k, serviceKind, trellis.LatticeARN(p.Region, a.Service.Account, "service/"+a.Service.ID))
		return p.identifierKeys(c, k, networkKind, trellis.LatticeARN(p.Region, a.ServiceNetwork.Account, "servicenetwork/"+a.ServiceNetwork.ID))
	case *trellis.VPCAssociation:
		k = p.identifierKeys(c, k, networkKind, trellis.LatticeARN(p.Region, a.ServiceNetwork.Account, "servicenetwork/"+a.ServiceNetwork.ID))
		k["vpc-lattice:vpcid"] = []string{a.VPC.ID}
	}
	return k
}

// identifierKeys adds the condition key of what an identifier names: vpc-lattice:ServiceArn, ServiceNetworkArn or
// ResourceConfigurationArn. What is not given, or names nothing, adds none.
func (p *Plane) identifierKeys(c *authpolicy.Caller, k keys, kind resourceKind, identifier string) keys {
	if k == nil {
		k = keys{}
	}
	if ref, err := p.ref(c, identifier, kind); err == nil {
		k["vpc-lattice:"+kind.path+"arn"] = []string{trellis.LatticeARN(p.Region, ref.Account, kind.path+"/"+ref.ID)}
	}
	return k
}

// sharedAssociation finds an association of others by its id in the networks that are shared with the caller: who
// sees a network sees all associations of it (VPC Lattice user guide, sharing).
func sharedAssociation[T association](p *Plane, tx *store.Tx, c *authpolicy.Caller, id string, kind resourceKind) (T, error) {
	var none T
	r, err := p.reachOf(tx, account(c))
	if err != nil {
		return none, err
	}
	for _, arn := range r.resources(ShareServiceNetwork) {
		n, err := p.ref(c, arn, networkKind)
		if err != nil || !r.opens(c, arn, networkKind.describe, nil) {
			continue // of another region, or not to be seen
		}
		set := networkServices(n.Key())
		switch kind {
		case vpcAssociationKind:
			set = networkVPCs(n.Key())
		case resourceAssociationKind:
			set = networkResources(n.Key())
		}
		members, err := tx.Marked(set)
		if err != nil {
			return none, err
		}
		if i := slices.IndexFunc(members, func(key string) bool { return trellis.LastPart(key) == id }); i >= 0 {
			return store.Get[T](tx, members[i])
		}
	}
	return none, trellis.ErrNotExist
}

// mayDissociate refuses to end an association for an account that neither made it nor owns one of its sides.
func mayDissociate(p *Plane, c *authpolicy.Caller, a association, action string, sides ...trellis.Ref) error {
	if a.Common().Account == account(c) || slices.ContainsFunc(sides, func(s trellis.Ref) bool { return s.Account == account(c) }) {
		return nil
	}
	return notOwner(c, action, a.ARN(p.Region, account(c)))
}

// markForeign lets the other accounts that take part in an association find it by its id.
func markForeign(tx *store.Tx, m *trellis.Meta, sides ...trellis.Ref) {
	for _, s := range sides {
		if s.Account != m.Account {
			tx.Mark(foreign(s.Account, m.ID), m.Key())
		}
	}
}

// unmarkForeign undoes markForeign.
func unmarkForeign(tx *store.Tx, m *trellis.Meta, sides ...trellis.Ref) {
	for _, s := range sides {
		if s.Account != m.Account {
			tx.Unmark(foreign(s.Account, m.ID), m.Key())
		}
	}
}

// markedAssociations reads the associations that a set holds, sorted by id.
func markedAssociations[T association](tx *store.Tx, set string) ([]T, error) {
	members, err := tx.Marked(set)
	if err != nil {
		return nil, err
	}
	items := make([]T, 0, len(members))
	for _, key := range members {
		a, err := store.Get[T](tx, key)
		if err != nil {
			return nil, err
		}
		items = append(items, a)
	}
	slices.SortFunc(items, func(a, b T) int { return strings.Compare(a.Common().ID, b.Common().ID) })
	return items, nil
}

// side is one of the two filters of a list of associations: a network, or a service, VPC or resource
// configuration.
type side struct {
	set  string // of the associations of what the filter names
	open bool   // the caller may see all of them: it owns what the filter names, or that is a network
	err  error
}

// filter is how a request names a side, empty for none.
type filter struct {
	identifier string
	kind       resourceKind
	set        func(key string) string // of the associations of what it names
}

// seeSides resolves the filters of a list that are given.
func (p *Plane) seeSides(tx *store.Tx, c *authpolicy.Caller, filters ...filter) (sides []side) {
	for _, f := range filters {
		if f.identifier != "" {
			sides = append(sides, p.seeSide(tx, c, f.identifier, f.kind, f.set))
		}
	}
	return sides
}

// seeSide resolves a filter of a list of associations: something of the caller's, or shared with it.
func (p *Plane) seeSide(tx *store.Tx, c *authpolicy.Caller, identifier string, kind resourceKind, set func(string) string) side {
	ref, err := p.ref(c, identifier, kind)
	if err == nil {
		err = p.reach(tx, c, ref, trellis.LatticeARN(p.Region, ref.Account, kind.path+"/"+ref.ID), kind, kind.describe, nil)
	}
	switch {
	case err != nil:
	case kind == networkKind:
		_, err = get[*trellis.ServiceNetwork](tx, ref, kind.typ)
	case kind == configurationKind:
		_, err = get[*trellis.ResourceConfiguration](tx, ref, kind.typ)
	default:
		_, err = get[*trellis.Service](tx, ref, kind.typ)
	}
	return side{set(ref.Key()), kind == networkKind || ref.Account == account(c), err}
}

// pageAssociations shows a page of the associations of some sides, by id: all of them where one side is open to the caller, else
// those that it takes part in. choose, which may be nil, leaves some out or adds some.
func pageAssociations[T association, V any](ctx context.Context, p *Plane, c *authpolicy.Caller, pg Page, see func(*store.Tx) []side,
	choose func(*store.Tx, []T) ([]T, error), view func(*store.Tx, T) (V, error)) (list []V, next string, err error) {
	err = p.read(ctx, func(tx *store.Tx) error {
		sides := see(tx)
		items, err := listAssociations[T](tx, c, sides)
		if err == nil && !slices.ContainsFunc(sides, func(s side) bool { return s.open }) {
			items, err = takenPartIn(tx, c, items)
		}
		if err == nil && choose != nil {
			items, err = choose(tx, items)
		}
		if err != nil {
			return err
		}
		items, next = paginate(items, func(a T) string { return a.Common().ID }, pg)
		list = list[:0]
		for _, a := range items {
			v, err := view(tx, a)
			if err != nil {
				return err
			}
			list = append(list, v)
		}
		return nil
	})
	return list, next, err
}

// listAssociations reads the associations of the filters that are given; of both it reads what is in both. Of a
// network that the caller cannot see any more it reads those that the caller takes part in: they outlive a share.
func listAssociations[T association](tx *store.Tx, c *authpolicy.Caller, sides []side) ([]T, error) {
	var items []T
	for i, s := range sides {
		var unseen *trellis.Error
		if s.err != nil && !errors.As(s.err, &unseen) {
			return nil, s.err
		}
		found, err := markedAssociations[T](tx, s.set)
		if err != nil {
			return nil, err
		}
		if unseen != nil {
			if found, err = takenPartIn(tx, c, found); err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, s.err
			}
		}
		if i == 0 {
			items = found
			continue
		}
		items = slices.DeleteFunc(items, func(a T) bool {
			return !slices.ContainsFunc(found, func(b T) bool { return a.Key() == b.Key() })
		})
	}
	return items, nil
}

// takenPartIn leaves the associations that the caller's account made or owns a side of.
func takenPartIn[T association](tx *store.Tx, c *authpolicy.Caller, items []T) ([]T, error) {
	var out []T
	for _, a := range items {
		others, err := tx.Marked(foreign(account(c), a.Common().ID))
		if err != nil {
			return nil, err
		}
		if a.Common().Account == account(c) || len(others) > 0 {
			out = append(out, a)
		}
	}
	return out, nil
}
