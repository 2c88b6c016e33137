package authpolicy

import (
	"strings"
)

// Patterns are kept with their wildcards as bytes that no text of JSON holds, so that a literal asterisk, from
// ${*} or from a variable's value, is none.
const (
	anyRun  = '\xff' // *: any number of bytes
	anyByte = '\xfe' // ?: exactly one byte
)

// wildcards replaces * and ? by their bytes.
var wildcards = strings.NewReplacer("*", string([]byte{anyRun}), "?", string([]byte{anyByte}))

// glob tells whether the whole of s matches pattern p. The parts between stars are searched from left to right
// and the first place is kept, so there is no going back over s; one part takes linear time as long as it holds
// no ?, see search.
func glob(p, s string) bool {
	star := strings.IndexByte(p, anyRun)
	if star < 0 {
		return len(p) == len(s) && matchAt(p, s)
	}
	if len(s) < star || !matchAt(p[:star], s[:star]) {
		return false
	}
	s, p = s[star:], p[star+1:]
	for {
		star = strings.IndexByte(p, anyRun)
		if star < 0 {
			return len(s) >= len(p) && matchAt(p, s[len(s)-len(p):])
		}
		at := search(p[:star], s)
		if at < 0 {
			return false
		}
		s, p = s[at+star:], p[star+1:]
	}
}

// matchAt compares two texts of equal length, with ? in p.
func matchAt(p, s string) bool {
	for i := range len(p) {
		if p[i] != s[i] && p[i] != anyByte {
			return false
		}
	}
	return true
}

// maxSearched is how long a part with ? between two stars may be: one machine word of states.
const maxSearched = 64

// search finds the first place of p in s. A part with ? is searched by the Shift-And automaton (Baeza-Yates and
// Gonnet), whose states are the bits of a word; without ?, strings.Index is as good as linear. That s has not the last
// byte of p is told fastest.
func search(p, s string) int {
	if p == "" {
		return 0
	}
	if last := p[len(p)-1]; last != anyByte && strings.IndexByte(s, last) < 0 {
		return -1
	}
	if strings.IndexByte(p, anyByte) < 0 {
		return strings.Index(s, p)
	}
	if len(p) > maxSearched { // only from variables: Parse refuses it
		for i := 0; i+len(p) <= len(s); i++ {
			if matchAt(p, s[i:i+len(p)]) {
				return i
			}
		}
		return -1
	}
	return shiftAnd(p, s)
}

// shiftAnd is search by the Shift-And automaton: bit i of the state says that the last i+1 bytes of s meet those of p. Bytes
// of s that p does not name share one mask, so that what is set up for a call is small.
func shiftAnd(p, s string) int {
	var class [256]uint8              // of a byte; 0: p does not name it
	var masks [2 * maxSearched]uint64 // of classes; more than there are, so that no index needs a check
	var every uint64
	n := uint8(0)
	for i := range len(p) {
		if p[i] == anyByte {
			every |= 1 << i
			continue
		}
		if class[p[i]] == 0 {
			n++
			class[p[i]] = n
		}
		masks[class[p[i]]] |= 1 << i
	}
	for c := range masks[:n+1] {
		masks[c] |= every
	}
	last := uint64(1) << (len(p) - 1)
	const stride = 8 // between looks at whether the end was reached
	var state uint64
	i := 0
	for ; i+stride <= len(s); i += stride {
		before, met := state, uint64(0)
		for _, c := range []byte(s[i : i+stride]) {
			state = (state<<1 | 1) & masks[class[c]&(2*maxSearched-1)]
			met |= state
		}
		if met&last != 0 {
			state = before
			break
		}
	}
	for ; i < len(s); i++ {
		if state = (state<<1 | 1) & masks[class[s[i]]&(2*maxSearched-1)]; state&last != 0 {
			return i + 1 - len(p)
		}
	}
	return -1
}

// searchable tells whether every part of a pattern is one that search takes in linear time.
func searchable(p string) bool {
	parts := strings.Split(p, string([]byte{anyRun}))
	for i, part := range parts {
		if i > 0 && i < len(parts)-1 && len(part) > maxSearched && strings.IndexByte(part, anyByte) >= 0 {
			return false
		}
	}
	return true
}

// globFold is glob for actions, which are ASCII, short and not case-sensitive: p is in lower case already.
func globFold(p, s string) bool {
	pi, si, star, mark := 0, 0, -1, 0
	for si < len(s) {
		switch {
		case pi < len(p) && p[pi] == anyRun:
			star, mark = pi, si
			pi++
		case pi < len(p) && (p[pi] == anyByte || p[pi] == lower(s[si])):
			pi++
			si++
		case star >= 0:
			mark++
			pi, si = star+1, mark
		default:
			return false
		}
	}
	for pi < len(p) && p[pi] == anyRun {
		pi++
	}
	return pi == len(p)
}

// lower is the small form of an ASCII letter.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// foldEqual compares two ASCII texts without regard to case.
func foldEqual(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
