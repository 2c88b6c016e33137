package routing

import (
	"cmp"
	"slices"

	"github.com/trellis-project/trellis"
)

// links are service associations by the id of one of their ends, each list sorted. Ids of different accounts may be
// equal, so who looks here compares the whole reference.
type links = dict[[]*trellis.ServiceAssociation]

// end is one end of an association.
type end func(a *trellis.ServiceAssociation) string

// serviceOf is the id of the service.
func serviceOf(a *trellis.ServiceAssociation) string { return a.Service.ID }

// networkOf is the id of the service network.
func networkOf(a *trellis.ServiceAssociation) string { return a.ServiceNetwork.ID }

// linking makes links out of others.
type linking struct {
	*draft[[]*trellis.ServiceAssociation]
	end end
}

// link begins with links.
func link(from links, by end) *linking { return &linking{edit(from), by} }

// linkAll makes the links of a state.
func linkAll(st *trellis.State, by end) *linking {
	l := link(links{}, by)
	for a := range trellis.All[*trellis.ServiceAssociation](st) {
		l.set(by(a), append(l.get(by(a)), a))
	}
	for id, list := range l.all {
		slices.SortFunc(list, compareAssociations)
		l.set(id, slices.Concat(list)) // without room for more: this stays for long
	}
	return l
}

// compareAssociations orders associations by id, then by account.
func compareAssociations(a, b *trellis.ServiceAssociation) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Account, b.Account))
}

// change takes over a change, if it is one of an association.
func (l *linking) change(c trellis.Change) {
	if a, ok := c.Was.(*trellis.ServiceAssociation); ok {
		list := l.get(l.end(a))
		if i, ok := slices.BinarySearchFunc(list, a, compareAssociations); ok {
			if len(list) == 1 {
				l.remove(l.end(a))
			} else {
				l.set(l.end(a), slices.Concat(list[:i], list[i+1:]))
			}
		}
	}
	if a, ok := c.Is.(*trellis.ServiceAssociation); ok {
		list := l.get(l.end(a))
		i, _ := slices.BinarySearchFunc(list, a, compareAssociations)
		l.set(l.end(a), slices.Concat(list[:i], []*trellis.ServiceAssociation{a}, list[i:]))
	}
}
