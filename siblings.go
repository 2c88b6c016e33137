package trellis

import "slices"

// maxFew is how many siblings are kept in a list. A map with one entry has room for eight, 340 bytes, and most parents
// have one child.
const maxFew = 8

// siblings are the nouns of one kind under one parent, by key. The zero value has none.
type siblings struct {
	few  []sibling
	many map[string]Noun // in place of few, once there were more than maxFew
}

// sibling is one of them.
type sibling struct {
	key  string
	noun Noun
}

// len is how many there are.
func (s siblings) len() int { return len(s.few) + len(s.many) }

// get finds one, nil when it is not there.
func (s siblings) get(key string) Noun {
	if s.many != nil {
		return s.many[key]
	}
	for i := range s.few {
		if s.few[i].key == key {
			return s.few[i].noun
		}
	}
	return nil
}

// all yields each, in no order.
func (s siblings) all(yield func(string, Noun) bool) {
	for _, e := range s.few {
		if !yield(e.key, e.noun) {
			return
		}
	}
	for key, n := range s.many {
		if !yield(key, n) {
			return
		}
	}
}

// with returns the siblings with one more, or another in place of one. It returns what was there before, too.
func (s siblings) with(key string, n Noun) (after siblings, was Noun) {
	if s.many != nil {
		was = s.many[key]
		s.many[key] = n
		return s, was
	}
	few := make([]sibling, 0, len(s.few)+1) // a new list: somebody may be in the midst of the other
	for _, e := range s.few {
		if e.key == key {
			was = e.noun
		} else {
			few = append(few, e)
		}
	}
	few = append(few, sibling{key, n})
	if len(few) <= maxFew {
		return siblings{few: few}, was
	}
	many := make(map[string]Noun, len(few))
	for _, e := range few {
		many[e.key] = e.noun
	}
	return siblings{many: many}, was
}

// without returns the siblings without one.
func (s siblings) without(key string) siblings {
	if s.many != nil {
		delete(s.many, key)
		return s
	}
	return siblings{few: slices.DeleteFunc(slices.Clone(s.few), func(e sibling) bool { return e.key == key })}
}
