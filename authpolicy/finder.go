package authpolicy

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// How many places are compared at a time.
const (
	wordPlaces = 56 // of a word: seven bytes of a set, which are whole in eight bytes that are read from any bit on
	words      = 4  // since finding the set of a byte costs as much as comparing some words
)

// finder finds the parts of many patterns in a few texts. A policy of 10 KB may hold a thousand patterns, each of which
// would read the whole path by itself; here a text is read once, and a byte of a pattern costs an instruction or two for
// 64 places. It belongs to one decision, see Policy.Decide.
type finder struct {
	request Request // the decision's, with this finder
	texts   [4]places
	next    int // of texts, to be given up for another
}

// finders are those that no decision uses.
var finders = sync.Pool{New: func() any { return new(finder) }}

// in returns the places of a text, or nil where searching it is as good.
func (f *finder) in(s string) *places {
	if f == nil || len(s) < 16 {
		return nil
	}
	for i := range f.texts {
		if f.texts[i].text == s {
			return &f.texts[i]
		}
	}
	t := &f.texts[f.next]
	f.next = (f.next + 1) % len(f.texts)
	t.read(s)
	return t
}

// release gives a finder back, without what it knew.
func (f *finder) release() {
	f.request = Request{}
	for i := range f.texts {
		f.texts[i].text = ""
	}
	finders.Put(f)
}

// places says of each byte where it is in a text.
type places struct {
	text  string
	count [256]int // of a byte's places
	set   [256]int // where the set of a byte's places begins in sets
	size  int      // bytes of a set: a bit for each byte of the text, and zeros behind, so that words may be read there
	sets  []byte
}

// read finds the places of a text.
func (x *places) read(s string) {
	x.text, x.count = s, [256]int{}
	x.size = len(s)/8 + words*wordPlaces/8 + 8
	x.sets = x.sets[:0]
	for i := range len(s) {
		c := s[i]
		if x.count[c] == 0 {
			x.set[c] = len(x.sets)
			x.sets = slices.Grow(x.sets, x.size)[:len(x.sets)+x.size]
			clear(x.sets[x.set[c]:])
		}
		x.count[c]++
		x.sets[x.set[c]+i/8] |= 1 << (i % 8)
	}
}

// search finds the first place of p at from or behind it, or -1: Shift-And (Baeza-Yates and Gonnet), turned so that a
// word holds the states of many places instead of those of many bytes of the pattern. The rarest byte of p goes first,
// since where it is not, nothing else needs a look.
func (x *places) search(p string, from int) int {
	if len(p) == 1 && p[0] != anyByte {
		if at := strings.IndexByte(x.text[from:], p[0]); at >= 0 {
			return from + at
		}
		return -1
	}
	rarest := 0
	for i := range len(p) {
		if p[i] != anyByte && (p[rarest] == anyByte || x.count[p[i]] < x.count[p[rarest]]) {
			rarest = i
		}
	}
	last := len(x.text) - len(p) // the last place it may have
	for start := from / 8 * 8; start <= last; start += words * wordPlaces {
		const all = 1<<wordPlaces - 1
		a, b, c, d := uint64(all), uint64(all), uint64(all), uint64(all)
		for k := -1; k < len(p) && a|b|c|d != 0; k++ {
			i := k
			if k < 0 {
				i = rarest
			}
			if i >= len(p) || p[i] == anyByte {
				continue
			}
			if x.count[p[i]] == 0 {
				return -1
			}
			set := (*[(words-1)*wordPlaces/8 + 8]byte)(x.sets[x.set[p[i]]+(start+i)/8:])
			bit := i % 8
			a &= binary.LittleEndian.Uint64(set[:]) >> bit
			b &= binary.LittleEndian.Uint64(set[wordPlaces/8:]) >> bit
			c &= binary.LittleEndian.Uint64(set[2*wordPlaces/8:]) >> bit
			d &= binary.LittleEndian.Uint64(set[3*wordPlaces/8:]) >> bit
		}
		for j, found := range [words]uint64{a, b, c, d} {
			base := start + j*wordPlaces
			if base < from {
				found &= ^uint64(0) << (from - base)
			}
			if found == 0 {
				continue
			}
			if place := base + bits.TrailingZeros64(found); place <= last {
				return place
			}
			return -1
		}
	}
	return -1
}
