package trellis

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// maxFew is how many siblings are kept in a list, which takes 16 bytes for each: a map takes 60 to 150, and their keys as much
// again. Most parents have few children.
const maxFew = 64

// siblings are the nouns of one kind under one parent. The zero value has none.
type siblings struct {
	few  []Noun          // never changed, as somebody may be in the midst of it
	many map[string]Noun // by key, in place of few, once there were more than maxFew
}

// len is how many there are.
func (s siblings) len() int { return len(s.few) + len(s.many) }

// at is where one is in the list, -1 when it is not there.
func (s siblings) at(key string) int {
	return slices.IndexFunc(s.few, func(n Noun) bool { return hasKey(n, key) })
}

// get finds one, nil when it is not there.
func (s siblings) get(key string) Noun {
	if s.many != nil {
		return s.many[key]
	}
	if i := s.at(key); i >= 0 {
		return s.few[i]
	}
	return nil
}

// all yields each, in no order.
func (s siblings) all(yield func(Noun) bool) {
	for _, n := range s.few {
		if !yield(n) {
			return
		}
	}
	for _, n := range s.many {
		if !yield(n) {
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
	if i := s.at(key); i >= 0 {
		few := slices.Clone(s.few)
		few[i] = n
		return siblings{few: few}, s.few[i]
	}
	return s.plus(n), nil
}

// plus returns the siblings with more, none of which was there.
func (s siblings) plus(more ...Noun) siblings {
	if s.many == nil && len(s.few)+len(more) <= maxFew {
		return siblings{few: slices.Concat(s.few, more)}
	}
	many := s.many
	if many == nil {
		many = make(map[string]Noun, len(s.few)+len(more))
	}
	for _, list := range [][]Noun{s.few, more} {
		for _, n := range list {
			many[n.Key()] = n
		}
	}
	return siblings{many: many}
}

// without returns the siblings without one.
func (s siblings) without(key string) siblings {
	if s.many != nil {
		delete(s.many, key)
		return s
	}
	return siblings{few: slices.DeleteFunc(slices.Clone(s.few), func(n Noun) bool { return hasKey(n, key) })}
}

// hasKey tells whether the key of a noun is this one. Of the kinds that there are most of, no key is made for that.
func hasKey(n Noun, key string) bool {
	switch n := n.(type) {
	case *Rule:
		return isJoined(key, n.Account, n.ServiceID, n.ListenerID, n.ID)
	case *Target:
		i := strings.LastIndexByte(key, ':')
		var port [20]byte
		return i >= 0 && key[i+1:] == string(strconv.AppendInt(port[:0], int64(n.Port), 10)) && isJoined(key[:i], n.Account, n.TargetGroupID, n.ID)
	}
	return n.Key() == key
}

// isJoined tells whether a text is these parts with slashes between them.
func isJoined(text string, parts ...string) bool {
	for i, part := range parts {
		if i > 0 {
			if !strings.HasPrefix(text, "/") {
				return false
			}
			text = text[1:]
		}
		if !strings.HasPrefix(text, part) {
			return false
		}
		text = text[len(part):]
	}
	return text == ""
}

// runs yields nouns cut into those that follow one another and have one parent, with its key.
func runs(nouns []Noun) iter.Seq2[string, []Noun] {
	return func(yield func(string, []Noun) bool) {
		first, of := 0, ""
		for i, n := range nouns {
			parent := parentOf(n.Kind(), n.Key())
			if i > 0 && (parent != of || n.Kind() != nouns[first].Kind()) {
				if !yield(of, nouns[first:i]) {
					return
				}
				first = i
			}
			if i == first {
				of = strings.Clone(parent) // without the rest of that key
			}
		}
		if len(nouns) > 0 {
			yield(of, nouns[first:])
		}
	}
}
