package routing

import (
	"math/bits"
	"slices"

	"github.com/trellis-project/trellis"
)

// few is how many rules are asked one after the other: an index would not be faster.
const few = 4

// index finds the rules that may match a request without asking all of them. Each rule stands at one place of it: at
// the text by which the fewest others are told too, its path or one of its header values. What is found there is a
// candidate, which still has to match as a whole; of those that do the first by priority wins. Its zero value is that of
// few rules, which are asked one after the other.
type index struct {
	paths [2]texts // rules told by their path, with regard to case and without
	rest  *rest    // other rules; nil when there are none
}

// rest are the rules that are not told by their path.
type rest struct {
	headers headers  // rules told by a header
	others  []uint16 // rules told by nothing, by priority
}

// texts are rules by the text that theirs, exact or prefix, asks for. A request's text is hashed byte by byte, and
// looked for at each length that one of the rules' texts has: so all that begin it are found in one pass. The slots are
// sorted by hash, and slots and copies of the texts lie close together, since most of what a request costs here is
// waiting for memory: of rules that ask for nothing but their text, none but the one that wins is looked at.
type texts struct {
	lengths uint64 // of the texts, modulo 64
	slots   []slot
	bytes   []byte // the texts, in lower case when fold, each with a byte of ask before it
}

// slot is a rule, or whatever a hash leads to.
type slot struct {
	hash, rule uint16
	text       uint32 // where it is in bytes, in the upper 24 bits, and its length
}

// ask is what a rule wants besides that the request's text begins with its own.
type ask = uint8

// What a rule may want besides.
const (
	whole ask = 1 << iota // nothing after it
	more                  // what only the noun says: a method, another text
)

// add adds a rule that is told by a text.
func (t *texts) add(text string, fold bool, a ask, rule uint16) {
	t.lengths |= 1 << (len(text) & 63)
	t.bytes = append(t.bytes, a)
	t.slots = append(t.slots, slot{hashText(text, fold), rule, uint32(len(t.bytes))<<8 | uint32(len(text))})
	t.bytes = append(t.bytes, text...)
}

// longest is the length up to which a text is indexed. The control plane allows 200.
const longest = 255

// headers are the header names that rules are told by.
type headers struct {
	lengths uint64   // of the names, modulo 64
	names   []slot   // by the hash of the name; rule is the index into by
	by      []header // one for each name
}

// header is one header name with the rules that are told by its value.
type header struct {
	name   string
	values [2]texts  // exact and prefix, with regard to case and without
	holds  []holding // contains, and whatever the value is; by priority
}

// holding is a rule that asks for a text inside of a value. Only a value that has all pairs of bytes of that text can
// hold it: marks tells most others at once.
type holding struct {
	rule  uint16
	marks marks
}

// marks is a set of pairs of bytes, by their hash and without regard to case.
type marks [2]uint64

// mark makes the set of a text.
func mark(s string) (m marks) {
	for i := 1; i < len(s); i++ {
		h := uint32(lower(s[i-1]))*0x9e37 + uint32(lower(s[i]))*0x85eb
		m[h>>6&1] |= 1 << (h >> 8 & 63)
	}
	return m
}

// within tells whether all marks are among others.
func (m *marks) within(o *marks) bool { return m[0]&^o[0] == 0 && m[1]&^o[1] == 0 }

// The hash of texts: FNV-1a, of which 16 bits are kept. A wrong candidate costs a comparison, no more.
const (
	hashStart = 2166136261
	hashPrime = 16777619
)

// short keeps 16 bits of a hash.
func short(h uint32) uint16 { return uint16(h>>16 ^ h) }

// hashText hashes a text, in lower case when fold.
func hashText(s string, fold bool) uint16 {
	h := uint32(hashStart)
	for i := range len(s) {
		c := s[i]
		if fold {
			c = lower(c)
		}
		h = (h ^ uint32(c)) * hashPrime
	}
	return short(h)
}

// at returns where the slots of a hash begin, if there are any. Hashes are spread evenly, so it begins near there.
func at(slots []slot, hash uint16) int {
	i := int(hash) * len(slots) >> 16
	for i > 0 && slots[i-1].hash >= hash {
		i--
	}
	for i < len(slots) && slots[i].hash < hash {
		i++
	}
	return i
}

// find returns the index of the first rule that matches. The last of the rules is the default one.
func (x *index) find(rules []Rule, r *Request) int {
	best := len(rules) - 1
	for fold := range x.paths {
		if t := &x.paths[fold]; t.lengths != 0 {
			best = t.find(rules, r, r.Path, fold == 1, best)
		}
	}
	if x.rest == nil {
		return best
	}
	if h := &x.rest.headers; h.lengths != 0 {
		for i := range r.Headers {
			if f := &r.Headers[i]; h.lengths&(1<<(len(f.Name)&63)) != 0 {
				best = h.find(rules, r, f, best)
			}
		}
	}
	for _, rule := range x.rest.others {
		if int(rule) >= best {
			break
		}
		if matches(rules[rule].match(), r) {
			best = int(rule)
		}
	}
	return best
}

// find returns the best of the rules whose text begins s and that match, or best when none is better.
func (t *texts) find(rules []Rule, r *Request, s string, fold bool, best int) int {
	var hits [96]uint16 // where slots of a hash begin, in the order of length
	h, i, n := uint32(hashStart), 0, 0
	most := min(len(s), longest)
all:
	for base := 0; base <= most; base += 64 {
		for set := t.lengths; set != 0; set &= set - 1 {
			length := base + bits.TrailingZeros64(set)
			if length > most {
				break all
			}
			if fold {
				for ; i < length; i++ {
					h = (h ^ uint32(lower(s[i]))) * hashPrime
				}
			} else {
				for ; i < length; i++ {
					h = (h ^ uint32(s[i])) * hashPrime
				}
			}
			hash := short(h)
			j := at(t.slots, hash)
			switch {
			case j == len(t.slots) || t.slots[j].hash != hash || int(t.slots[j].rule) >= best:
			case n == len(hits):
				best = t.match(j, rules, r, s, fold, best)
			default:
				hits[n] = uint16(j)
				n++
			}
		}
	}
	if n > 1 { // the one that would win is asked first, so that most others need not be
		first := 0
		for k := range hits[:n] {
			if t.slots[hits[k]].rule < t.slots[hits[first]].rule {
				first = k
			}
		}
		hits[0], hits[first] = hits[first], hits[0]
	}
	for _, j := range hits[:n] {
		best = t.match(int(j), rules, r, s, fold, best)
	}
	return best
}

// match returns the first of the rules of one hash, whose slots begin at j, that is better than best and matches, or
// best.
func (t *texts) match(j int, rules []Rule, r *Request, s string, fold bool, best int) int {
	hash := t.slots[j].hash
	for ; j < len(t.slots); j++ {
		slot := &t.slots[j]
		if rule := int(slot.rule); slot.hash != hash || rule >= best {
			break
		} else if a, begins := t.begins(slot, s, fold); begins && (a&more == 0 || matches(rules[rule].match(), r)) {
			return rule
		}
	}
	return best
}

// begins tells whether s begins with the text of a slot, or is it where the rule wants the whole, and what else the rule
// asks.
func (t *texts) begins(slot *slot, s string, fold bool) (a ask, ok bool) {
	from, length := int(slot.text>>8), int(slot.text&0xff)
	text := t.bytes[from : from+length]
	a = t.bytes[from-1]
	switch {
	case len(s) < length || a&whole != 0 && len(s) != length:
		return a, false
	case !fold:
		return a, s[:length] == string(text)
	}
	for i := range text {
		if lower(s[i]) != text[i] {
			return a, false
		}
	}
	return a, true
}

// find returns the best of the rules that are told by a field of the request and match, or best when none is better.
func (h *headers) find(rules []Rule, r *Request, f *Field, best int) int {
	hash := hashText(f.Name, true)
	for j := at(h.names, hash); j < len(h.names) && h.names[j].hash == hash; j++ {
		by := &h.by[h.names[j].rule]
		if !sameName(by.name, f.Name) {
			continue
		}
		for fold := range by.values {
			if t := &by.values[fold]; t.lengths != 0 {
				best = t.find(rules, r, f.Value, fold == 1, best)
			}
		}
		if len(by.holds) == 0 {
			continue
		}
		have := mark(f.Value)
		for k := range by.holds {
			rule := int(by.holds[k].rule)
			if rule >= best {
				break
			}
			if by.holds[k].marks.within(&have) && matches(rules[rule].match(), r) {
				best = rule
			}
		}
	}
	return best
}

// place is where in an index a rule may stand.
type place struct {
	name  string // of the header in lower case, empty for the path
	fold  bool
	inner bool   // among those that ask for a text inside of the value, whatever it is
	text  string // in lower case when fold, empty when inner
}

// indexer makes indexes, one after the other, with the same scratch.
type indexer struct {
	count   map[place]int
	methods map[string]bool
}

// index makes the index of rules, the zero one when there are few, or so many that no control plane allows them. A rule
// after one that matches everything, or everything of its method, is never the first to match.
func (x *indexer) index(rules []Rule) (out index) {
	if len(rules) <= few || len(rules) > 60_000 {
		return index{}
	}
	if x.count == nil {
		x.count, x.methods = map[place]int{}, map[string]bool{}
	}
	clear(x.count)
	clear(x.methods)
	for i := range rules {
		for p := range places(rules[i].match()) {
			x.count[p]++
		}
	}
	for i := range rules {
		m := rules[i].match()
		best, cost := place{}, 0
		for p := range places(m) {
			c := x.count[p]
			if !p.inner {
				c *= 4 // marks tell faster than a comparison
			}
			if cost == 0 || c < cost {
				best, cost = p, c
			}
		}
		switch {
		case cost > 0:
			out.put(uint16(i), m, best)
		case len(m.Headers) == 0 && (m.Path == nil || pathText(m.Path).how == anything):
			if !x.methods[""] && !x.methods[m.Method] {
				x.methods[m.Method] = true
				out.unindexed().others = append(out.unindexed().others, uint16(i))
			}
		default:
			out.unindexed().others = append(out.unindexed().others, uint16(i))
		}
	}
	out.settle()
	return out
}

// places yields where a rule with this match may stand.
func places(m *trellis.HTTPMatch) func(yield func(place) bool) {
	return func(yield func(place) bool) {
		one := func(name string, t text) bool {
			switch {
			case t.how != exact && t.how != prefix:
				return name == "" || yield(place{name: name, inner: true})
			case len(t.want) > longest:
				return true
			case t.fold:
				t.want = asciiLower(t.want)
			}
			return yield(place{name: name, fold: t.fold, text: t.want})
		}
		if m.Path != nil && !one("", pathText(m.Path)) {
			return
		}
		for i := range m.Headers {
			if !one(asciiLower(m.Headers[i].Name), valueText(&m.Headers[i])) {
				return
			}
		}
	}
}

// put adds a rule at a place.
func (x *index) put(rule uint16, m *trellis.HTTPMatch, p place) {
	to := &x.paths
	if p.name != "" {
		h := x.unindexed().headers.of(p.name)
		if p.inner {
			h.holds = append(h.holds, holding{rule, innerMarks(m, p.name)})
			return
		}
		to = &h.values
	}
	fold := 0
	if p.fold {
		fold = 1
	}
	to[fold].add(p.text, p.fold, asks(m, p.name), rule)
}

// asks is what a rule asks besides that the path, or a header when it has a name, begins with its text.
func asks(m *trellis.HTTPMatch, name string) (a ask) {
	parts := len(m.Headers)
	if m.Method != "" {
		parts++
	}
	if m.Path != nil {
		parts++
	}
	if parts > 1 {
		return more
	}
	if name == "" && pathText(m.Path).how == exact || name != "" && valueText(&m.Headers[0]).how == exact {
		a = whole
	}
	return a
}

// unindexed is where the rules go that are not told by their path.
func (x *index) unindexed() *rest {
	if x.rest == nil {
		x.rest = &rest{}
	}
	return x.rest
}

// none tells that there is no index: the rules are asked one after the other.
func (x *index) none() bool { return x.paths[0].lengths|x.paths[1].lengths == 0 && x.rest == nil }

// innerMarks are the marks of the text that a rule asks for inside of a header's value: every value that matches has
// them.
func innerMarks(m *trellis.HTTPMatch, name string) marks {
	for i := range m.Headers {
		if h := &m.Headers[i]; sameName(h.Name, name) {
			if t := valueText(h); t.how == contains || t.how == anything {
				return mark(t.want)
			}
		}
	}
	return marks{}
}

// of returns the entry of a header name, a new one when there is none.
func (h *headers) of(name string) *header {
	i := slices.IndexFunc(h.by, func(b header) bool { return b.name == name })
	if i < 0 {
		i = len(h.by)
		h.by = append(h.by, header{name: name})
		h.names = append(h.names, slot{hash: hashText(name, true), rule: uint16(i)})
		h.lengths |= 1 << (len(name) & 63)
	}
	return &h.by[i]
}

// settle sorts what was put, and cuts what stays for long to its size.
func (x *index) settle() {
	for fold := range x.paths {
		x.paths[fold].settle()
	}
	if x.rest == nil {
		return
	}
	h := &x.rest.headers
	h.names = sorted(h.names)
	for i := range h.by {
		for fold := range h.by[i].values {
			h.by[i].values[fold].settle()
		}
	}
}

// settle is index.settle of texts.
func (t *texts) settle() {
	t.slots, t.bytes = sorted(t.slots), slices.Concat(t.bytes)
}

// sorted returns slots by hash and rule, without room for more.
func sorted(s []slot) []slot {
	slices.SortFunc(s, func(a, b slot) int { return (int(a.hash)<<16 | int(a.rule)) - (int(b.hash)<<16 | int(b.rule)) })
	return slices.Concat(s)
}
