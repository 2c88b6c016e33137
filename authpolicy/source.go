package authpolicy

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// Position is a place in the text of a policy, as an editor shows it: lines and columns from 1, columns in
// characters.
type Position struct{ Line, Column int }

// String is line:column.
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// source is the text of a policy with where its lines begin.
type source struct {
	text  string
	lines []int // offsets of the first byte of each line
}

// newSource finds the lines of a text.
func newSource(text string) *source {
	s := &source{text: text, lines: []int{0}}
	for i := 0; ; {
		n := strings.IndexByte(text[i:], '\n')
		if n < 0 {
			return s
		}
		i += n + 1
		s.lines = append(s.lines, i)
	}
}

// position is where a byte stands.
func (s *source) position(offset int) Position {
	line := sort.SearchInts(s.lines, offset+1) - 1
	return Position{line + 1, utf8.RuneCountInString(s.text[s.lines[line]:offset]) + 1}
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
