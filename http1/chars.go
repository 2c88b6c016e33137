package http1

import (
	"encoding/binary"
	"unsafe"
)

// Classes of bytes.
const (
	isToken  = 1 << iota // tchar of RFC 9110 5.6.2
	isValue              // of a field value: visible, space, tab, 0x80 and up
	isTarget             // of a request target: visible ASCII but '#', '"', '<', '>'
	isHost               // of a registered name: letters, digits, '-', '.', '_', '~'
)

// class holds the classes of each byte.
var class = func() (t [256]uint8) {
	for c := range 256 {
		alnum := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if alnum || contains("!#$%&'*+-.^_`|~", byte(c)) {
			t[c] |= isToken
		}
		if c >= 0x20 && c != 0x7f || c == '\t' {
			t[c] |= isValue
		}
		if c > 0x20 && c < 0x7f && !contains(`#"<>`, byte(c)) {
			t[c] |= isTarget
		}
		if alnum || contains("-._~", byte(c)) {
			t[c] |= isHost
		}
	}
	return t
}()

// contains tells whether s has the byte c.
func contains(s string, c byte) bool {
	for i := range len(s) {
		if s[i] == c {
			return true
		}
	}
	return false
}

// all tells whether every byte of b is of a class.
func all(b []byte, k uint8) bool {
	for _, c := range b {
		if class[c]&k == 0 {
			return false
		}
	}
	return true
}

// validValue is all(b, isValue), eight bytes at a time where no byte is a control character.
func validValue(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		below := (w - ones*0x20) & ^w & highs // a byte below 0x20
		x := w ^ ones*0x7f
		del := (x - ones) & ^x & highs // a byte 0x7f
		if below|del != 0 && !all(b[:8], isValue) {
			return false
		}
		b = b[8:]
	}
	return all(b, isValue)
}

// view is b as a string that shares its bytes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// trim cuts spaces and tabs off both ends of b, and nothing else (RFC 9110 5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares s with a lower-case ASCII text, ignoring case.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// decimal reads digits only, at most 18 of them after leading zeros, so that nothing overflows.
func decimal(s string) (n int64, ok bool) {
	if s == "" || len(s) > 40 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 || n > 99_999_999_999_999_999 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}
