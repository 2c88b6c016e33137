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
// and the first place is kept, so there is no going back over s; one part takes linear time, see search. A finder knows
// the places in s from the pattern before; it may be nil.
func glob(p, s string, f *finder) bool {
	star := strings.IndexByte(p, anyRun)
	if star < 0 {
		return len(p) == len(s) && matchAt(p, s)
	}
	if len(s) < star || !matchAt(p[:star], s[:star]) {
		return false
	}
	in, text := f.in(s), s
	s, p = s[star:], p[star+1:]
	for {
		star = strings.IndexByte(p, anyRun)
		if star < 0 {
			return len(s) >= len(p) && matchAt(p, s[len(s)-len(p):])
		}
		at, from := 0, len(text)-len(s)
		if in == nil {
			at = search(p[:star], s)
		} else {
			at = in.search(p[:star], from) - from
		}
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
// Gonnet), whose states are the bits of a word; without ?, strings.Index is as good as linear.
func search(p, s string) int {
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
	var accepts [256]uint64
	var every uint64
	for i := range len(p) {
		if p[i] == anyByte {
			every |= 1 << i
		} else {
			accepts[p[i]] |= 1 << i
		}
	}
	var state uint64
	for i := range len(s) {
		state = (state<<1 | 1) & (accepts[s[i]] | every)
		if state>>(len(p)-1)&1 == 1 {
			return i + 1 - len(p)
		}
	}
	return -1
}

// fewSearched is how many bytes between stars a policy may have before it gets a finder.
const fewSearched = 256

// between is how many bytes of a pattern stand between its first and its last star: those that are searched.
func between(p string) int {
	return max(0, strings.LastIndexByte(p, anyRun)-strings.IndexByte(p, anyRun)-1)
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
