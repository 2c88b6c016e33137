package authpolicy

import (
	"fmt"
	"sort"
	"unicode/utf8"
)

// Position is a place in the text of a policy, as an editor shows it: lines and columns from 1, columns in
// characters.
type Position struct{ Line, Column int }

// String is line:column.
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// source is the text of a policy, prepared for finding many positions: each statement, condition and error has one, and
// all may stand in one line.
type source struct {
	text   string
	lines  []int // offsets of the first byte of each line
	counts []int // characters before each block
}

// block is how many bytes are counted at most for a position.
const block = 128

// newSource prepares a text.
func newSource(text string) *source {
	s := &source{text: text, lines: []int{0}, counts: make([]int, 0, len(text)/block+1)}
	n := 0
	for i := range len(text) {
		if i%block == 0 {
			s.counts = append(s.counts, n)
		}
		if utf8.RuneStart(text[i]) {
			n++
		}
		if text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	if len(text)%block == 0 { // its end is a position, too
		s.counts = append(s.counts, n)
	}
	return s
}

// characters is how many characters stand before a byte.
func (s *source) characters(offset int) int {
	n := s.counts[offset/block]
	for i := offset / block * block; i < offset; i++ {
		if utf8.RuneStart(s.text[i]) {
			n++
		}
	}
	return n
}

// position is where a byte stands.
func (s *source) position(offset int) Position {
	line := sort.SearchInts(s.lines, offset+1) - 1
	return Position{line + 1, s.characters(offset) - s.characters(s.lines[line]) + 1}
}

// bad is an error about a span of bytes.
func (s *source) bad(at *place, start, end int, code, format string, args ...any) *ParseError {
	return &ParseError{Where: at.String(), Message: fmt.Sprintf(format, args...), Code: code, Position: s.position(start),
		at: at, start: start, end: end}
}

// ParseError says what is wrong with a policy and where.
type ParseError struct {
	Where    string // for example Statement[1].Condition.StringEquals
	Message  string
	Code     string // of IAM Access Analyzer's policy checks, for example INVALID_EFFECT
	Position Position

	at         *place
	start, end int  // in bytes
	name       bool // the span is of a member's name
}

// Error is the place, the message and the position.
func (e *ParseError) Error() string {
	return fmt.Sprintf("%s: %s (line %d, column %d)", e.Where, e.Message, e.Position.Line, e.Position.Column)
}
