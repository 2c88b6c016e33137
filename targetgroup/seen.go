package targetgroup

import (
	"iter"

	"github.com/trellis-project/trellis"
)

// seen remembers the nouns that an Apply was made from, so that the many changes that are not about target
// groups cost one look at each noun.
type seen struct{ nouns map[trellis.Noun]struct{} }

// changed tells whether a state has other nouns than the one before, and remembers it. Nouns are never
// changed in place, so the same pointer is the same noun.
func (s *seen) changed(st *trellis.State) bool {
	n := 0
	for _, k := range []trellis.Kind{trellis.KindInstance, trellis.KindListener, trellis.KindRule, trellis.KindService,
		trellis.KindTarget, trellis.KindTargetGroup, trellis.KindVPC} {
		n += st.Len(k)
	}
	same := s.nouns != nil && n == len(s.nouns)
	if same {
		for noun := range relevant(st) {
			if _, same = s.nouns[noun]; !same {
				break
			}
		}
	}
	if same {
		return false
	}
	s.nouns = make(map[trellis.Noun]struct{}, n)
	for noun := range relevant(st) {
		s.nouns[noun] = struct{}{}
	}
	return true
}

// relevant yields the nouns that target groups are made from. Health is not among them: it is read at the
// first sight of a target only.
func relevant(st *trellis.State) iter.Seq[trellis.Noun] {
	return func(yield func(trellis.Noun) bool) {
		_ = each[*trellis.Instance](st, yield) && each[*trellis.Listener](st, yield) && each[*trellis.Rule](st, yield) &&
			each[*trellis.Service](st, yield) && each[*trellis.Target](st, yield) && each[*trellis.TargetGroup](st, yield) &&
			each[*trellis.VPC](st, yield)
	}
}

// each yields the nouns of one kind, and tells whether to go on.
func each[T trellis.Noun](st *trellis.State, yield func(trellis.Noun) bool) bool {
	for n := range trellis.All[T](st) {
		if !yield(n) {
			return false
		}
	}
	return true
}
