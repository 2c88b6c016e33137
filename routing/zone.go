package routing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// Zone is a hosted zone as the resolver of a VPC answers from it.
type Zone struct {
	Noun  *trellis.HostedZone
	table *Table
}

// Zone finds the hosted zone that a name is in for a VPC: the longest private one of the VPC or, without one, the longest
// public one of the VPC's account, as nobody else vouches for who owns a domain here. name has a last dot and small
// letters. Nil when there is none.
func (t *Table) Zone(vpcID, name string) *Zone {
	for _, at := range []string{vpcID, t.zones.accounts.get(vpcID)} {
		var best *trellis.HostedZone
		for _, z := range t.zones.in.get(at) {
			if at != "" && (best == nil || len(z.Name) > len(best.Name)) && within(name, z.Name) {
				best = z
			}
		}
		if best != nil {
			return &Zone{best, t}
		}
	}
	return nil
}

// within tells whether a name is a zone's, or below it. Both have a last dot.
func within(name, zone string) bool {
	above, ok := strings.CutSuffix(name, zone)
	return ok && (above == "" || strings.HasSuffix(above, "."))
}

// Sets finds the record sets of a name, those of all types. Without any of its own, a name below the last one that exists
// has those of a wildcard (RFC 4592). exists tells whether there is the name, or one below it. The name of the sets is
// another one then.
func (z *Zone) Sets(name string) (sets []*trellis.RecordSet, exists bool) {
	key := z.Noun.Key() + "/"
	if sets = z.table.zones.sets.get(key + name); len(sets) > 0 {
		return sets, true
	}
	if z.table.zones.names.get(key+name) > 0 {
		return nil, true
	}
	for within(name, z.Noun.Name) && name != z.Noun.Name {
		_, parent, _ := strings.Cut(name, ".")
		if sets = z.table.zones.sets.get(key + `\052.` + parent); len(sets) > 0 {
			return sets, true
		}
		if z.table.zones.names.get(key+parent) > 0 || z.table.zones.sets.get(key+parent) != nil {
			return nil, false
		}
		name = parent
	}
	return nil, false
}

// zones is what a Table knows of hosted zones.
type zones struct {
	in       dict[[]*trellis.HostedZone] // by the id of a VPC, private ones; by account, public ones
	sets     dict[[]*trellis.RecordSet]  // by zone key and name, all types
	names    dict[int]                   // how many record sets are below a name, by zone key and name
	accounts dict[string]                // of VPCs, by id
}

// zoning makes zones out of others.
type zoning struct {
	in       *draft[[]*trellis.HostedZone]
	sets     *draft[[]*trellis.RecordSet]
	names    *draft[int]
	accounts *draft[string]
}

// zone begins with zones.
func zone(from zones) *zoning {
	return &zoning{edit(from.in), edit(from.sets), edit(from.names), edit(from.accounts)}
}

// zoneAll begins with the zones of a state.
func zoneAll(st *trellis.State) *zoning {
	z := zone(zones{})
	for n := range trellis.All[*trellis.HostedZone](st) {
		z.change(trellis.Change{Is: n})
	}
	for n := range trellis.All[*trellis.RecordSet](st) {
		z.change(trellis.Change{Is: n})
	}
	for n := range trellis.All[*trellis.VPC](st) {
		z.change(trellis.Change{Is: n})
	}
	return z
}

// done are the zones that were made.
func (z *zoning) done() zones { return zones{z.in.dict, z.sets.dict, z.names.dict, z.accounts.dict} }

// change takes over a change, if it is one of theirs.
func (z *zoning) change(c trellis.Change) {
	switch n := c.Was.(type) {
	case *trellis.HostedZone:
		for _, at := range answersIn(n) {
			keep(z.in, at, without(z.in.get(at), n))
		}
	case *trellis.RecordSet:
		key := n.Account + "/" + n.ZoneID + "/"
		keep(z.sets, key+n.Name, without(z.sets.get(key+n.Name), n))
		z.count(key, n.Name, -1)
	case *trellis.VPC:
		z.accounts.remove(n.ID)
	}
	switch n := c.Is.(type) {
	case *trellis.HostedZone:
		for _, at := range answersIn(n) {
			z.in.set(at, with(z.in.get(at), n, func(a, b *trellis.HostedZone) int { return strings.Compare(a.ID, b.ID) }))
		}
	case *trellis.RecordSet:
		key := n.Account + "/" + n.ZoneID + "/"
		z.sets.set(key+n.Name, with(z.sets.get(key+n.Name), n, compareRecordSets))
		z.count(key, n.Name, 1)
	case *trellis.VPC:
		z.accounts.set(n.ID, n.Account)
	}
}

// answersIn lists under what a zone is found.
func answersIn(z *trellis.HostedZone) []string {
	if !z.Private {
		return []string{z.Account}
	}
	in := make([]string, len(z.VPCs))
	for i, v := range z.VPCs {
		in[i] = v.VPC.ID
	}
	return in
}

// count adds a record set to the names that it is below, or takes it away.
func (z *zoning) count(key, name string, by int) {
	for {
		_, parent, found := strings.Cut(name, ".")
		if !found || parent == "" {
			return
		}
		if n := z.names.get(key+parent) + by; n > 0 {
			z.names.set(key+parent, n)
		} else {
			z.names.remove(key + parent)
		}
		name = parent
	}
}

// compareRecordSets orders the record sets of a name by type and set identifier.
func compareRecordSets(a, b *trellis.RecordSet) int {
	return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.SetIdentifier, b.SetIdentifier))
}

// OfType are the record sets of a type.
func OfType(sets []*trellis.RecordSet, kind string) []*trellis.RecordSet {
	var list []*trellis.RecordSet
	for _, s := range sets {
		if s.Type == kind {
			list = append(list, s)
		}
	}
	return slices.Clip(list)
}

// Region is the region of the Table's nouns.
func (t *Table) Region() string { return t.region }
