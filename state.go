package trellis

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Revision is a revision of the store: a number that grows with every commit.
type Revision = int64

// State is all nouns at one revision, in memory. The goroutine that follows the store owns it: it applies
// changes and hands it to those who make something of it (a routing table, a VPC on Linux), who read it
// during that call and keep the nouns, which are never changed, but not the State.
type State struct {
	Revision Revision
	nouns    map[Kind]map[string]Noun
}

// NewState returns an empty State.
func NewState() *State { return &State{nouns: map[Kind]map[string]Noun{}} }

// Put adds or replaces a noun.
func (s *State) Put(n Noun) {
	m := s.nouns[n.Kind()]
	if m == nil {
		m = map[string]Noun{}
		s.nouns[n.Kind()] = m
	}
	m[n.Key()] = n
}

// Delete removes a noun.
func (s *State) Delete(k Kind, key string) { delete(s.nouns[k], key) }

// Len is how many nouns of a kind there are.
func (s *State) Len(k Kind) int { return len(s.nouns[k]) }

// Get finds a noun by its key, for example Get[*Service](s, "111122223333/svc-0123456789abcdef0").
func Get[T Noun](s *State, key string) (T, bool) {
	var zero T
	n, ok := s.nouns[zero.Kind()][key]
	if !ok {
		return zero, false
	}
	return n.(T), true
}

// All yields every noun of a kind, in no order.
func All[T Noun](s *State) iter.Seq[T] {
	var zero T
	return func(yield func(T) bool) {
		for _, n := range s.nouns[zero.Kind()] {
			if !yield(n.(T)) {
				return
			}
		}
	}
}

// Sorted returns every noun of a kind by its key, for what must not depend on chance.
func Sorted[T Noun](s *State) []T {
	return slices.SortedFunc(All[T](s), func(a, b T) int { return cmp.Compare(a.Key(), b.Key()) })
}

// Kinds returns the kinds that have nouns, sorted.
func (s *State) Kinds() []Kind { return slices.Sorted(maps.Keys(s.nouns)) }

// Seen remembers the nouns of some kinds, to tell whether a later State has others: a look at each noun is what
// all the changes cost that are about other kinds. Nouns are never changed in place, so the same pointer is the
// same noun.
type Seen struct{ nouns map[Noun]struct{} }

// Changed tells whether a State has other nouns of the kinds than at the call before, and remembers them. The
// first call, and the first after Forget, tells true.
func (s *Seen) Changed(st *State, kinds ...Kind) bool {
	n := 0
	for _, k := range kinds {
		n += st.Len(k)
	}
	if s.nouns != nil && len(s.nouns) == n && s.all(st, kinds) {
		return false
	}
	s.nouns = make(map[Noun]struct{}, n)
	for _, k := range kinds {
		for _, noun := range st.nouns[k] {
			s.nouns[noun] = struct{}{}
		}
	}
	return true
}

// all tells whether every noun of the kinds was seen.
func (s *Seen) all(st *State, kinds []Kind) bool {
	for _, k := range kinds {
		for _, noun := range st.nouns[k] {
			if _, ok := s.nouns[noun]; !ok {
				return false
			}
		}
	}
	return true
}

// Forget makes the next Changed tell true.
func (s *Seen) Forget() { s.nouns = nil }
