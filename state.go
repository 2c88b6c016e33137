package trellis

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Revision is a revision of the store: a number that grows with every commit.
type Revision = int64

// State is all nouns at one revision, in memory. The goroutine that follows the store owns it: it applies
// changes and hands it to those who make something of it (a routing table, a VPC on Linux), who read it
// during that call and keep the nouns, which are never changed, but not the State.
//
// It remembers its latest changes, so that who has made something of it before can make anew only what they
// touch: see Moment and Since.
type State struct {
	Revision Revision
	nouns    map[Kind]*family
	log      *journal
}

// family is the nouns of one kind, by the key that theirs goes on from (see parentOf), and then by their own.
type family struct {
	n  int
	by map[string]siblings
}

// NewState returns an empty State.
func NewState() *State { return &State{nouns: map[Kind]*family{}, log: &journal{}} }

// StateOf returns a State of nouns with a key of its own each, as Put of each would make, but faster where siblings follow one
// another. It remembers no changes.
func StateOf(nouns []Noun) *State {
	s := NewState()
	for parent, run := range runs(nouns) {
		f := s.family(run[0].Kind())
		f.by[parent] = f.by[parent].plus(run...)
		f.n += len(run)
	}
	return s
}

// family is the nouns of a kind, to add to.
func (s *State) family(k Kind) *family {
	f := s.nouns[k]
	if f == nil {
		f = &family{by: map[string]siblings{}}
		s.nouns[k] = f
	}
	return f
}

// parentOf is the part of a key before its last name: of a listener's the service's key, of a target's the target
// group's. A target's own name may be an ARN with slashes in it; the names of others have none.
func parentOf(k Kind, key string) string {
	if k != KindTarget {
		return key[:max(strings.LastIndexByte(key, '/'), 0)]
	}
	account, rest, _ := strings.Cut(key, "/")
	group, _, _ := strings.Cut(rest, "/")
	return key[:min(len(account)+1+len(group), len(key))]
}

// Put adds or replaces a noun.
func (s *State) Put(n Noun) {
	f, key := s.family(n.Kind()), n.Key()
	parent := parentOf(n.Kind(), key)
	after, was := f.by[parent].with(key, n)
	f.by[parent] = after
	if was == nil {
		f.n++
	}
	s.log.add(Change{Was: was, Is: n})
}

// Delete removes a noun.
func (s *State) Delete(k Kind, key string) {
	was := s.get(k, key)
	if was == nil {
		return
	}
	f, parent := s.nouns[k], parentOf(k, key)
	if after := f.by[parent].without(key); after.len() > 0 {
		f.by[parent] = after
	} else {
		delete(f.by, parent)
	}
	f.n--
	s.log.add(Change{Was: was})
}

// get finds a noun by its key, nil when there is none.
func (s *State) get(k Kind, key string) Noun {
	f := s.nouns[k]
	if f == nil {
		return nil
	}
	return f.by[parentOf(k, key)].get(key)
}

// Len is how many nouns of a kind there are.
func (s *State) Len(k Kind) int {
	if f := s.nouns[k]; f != nil {
		return f.n
	}
	return 0
}

// Get finds a noun by its key, for example Get[*Service](s, "111122223333/svc-0123456789abcdef0").
func Get[T Noun](s *State, key string) (T, bool) {
	var zero T
	n := s.get(zero.Kind(), key)
	if n == nil {
		return zero, false
	}
	return n.(T), true
}

// all yields every noun of a kind, in no order.
func (s *State) all(k Kind) iter.Seq[Noun] {
	return func(yield func(Noun) bool) {
		f := s.nouns[k]
		if f == nil {
			return
		}
		for _, m := range f.by {
			for n := range m.all {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// All yields every noun of a kind, in no order.
func All[T Noun](s *State) iter.Seq[T] {
	var zero T
	return func(yield func(T) bool) {
		for n := range s.all(zero.Kind()) {
			if !yield(n.(T)) {
				return
			}
		}
	}
}

// Under yields the nouns of a kind whose key is another noun's key with one more part, in no order: the listeners
// of a service, the rules of a listener, the targets of a target group.
func Under[T Noun](s *State, key string) iter.Seq[T] {
	var zero T
	return func(yield func(T) bool) {
		f := s.nouns[zero.Kind()]
		if f == nil {
			return
		}
		for n := range f.by[key].all {
			if !yield(n.(T)) {
				return
			}
		}
	}
}

// Sorted returns every noun of a kind by its key, for what must not depend on chance.
func Sorted[T Noun](s *State) []T {
	var zero T
	f := s.nouns[zero.Kind()]
	if f == nil {
		return nil
	}
	by := make(map[string]T, f.n)
	for n := range All[T](s) {
		by[n.Key()] = n
	}
	nouns := make([]T, 0, len(by))
	for _, key := range slices.Sorted(maps.Keys(by)) {
		nouns = append(nouns, by[key])
	}
	return nouns
}

// Nouns yields all nouns, in no order.
func (s *State) Nouns() iter.Seq[Noun] {
	return func(yield func(Noun) bool) {
		for k := range s.nouns {
			for n := range s.all(k) {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// Count is how many nouns there are.
func (s *State) Count() (n int) {
	for k := range s.nouns {
		n += s.Len(k)
	}
	return n
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
		for noun := range st.all(k) {
			s.nouns[noun] = struct{}{}
		}
	}
	return true
}

// all tells whether every noun of the kinds was seen.
func (s *Seen) all(st *State, kinds []Kind) bool {
	for _, k := range kinds {
		for noun := range st.all(k) {
			if _, ok := s.nouns[noun]; !ok {
				return false
			}
		}
	}
	return true
}

// Forget makes the next Changed tell true.
func (s *Seen) Forget() { s.nouns = nil }
