package telemetry

import (
	"strings"

	"github.com/trellis-project/trellis"
)

// tokenKind is the kind of a token of the query language.
type tokenKind byte

// The kinds of tokens.
const (
	tokenEnd      tokenKind = iota
	tokenName               // field, command, function or keyword
	tokenQuoted             // a field in back quotes
	tokenNumber             // 403 or 1.5
	tokenPeriod             // 5m
	tokenText               // in single or double quotes
	tokenRegexp             // between slashes
	tokenOperator           // one of operators
)

// operators are the tokens that are not words, longer ones first.
var operators = []string{"!=", "<=", ">=", "=~", "==", "=", "<", ">", "|", ",", "(", ")", "[", "]", "+", "-", "*", "/", "%", "^"}

// token is a token and where it begins in the query.
type token struct {
	kind tokenKind
	text string // without quotes
	at   int
	end  int
}

// is tells whether the token is an operator, or a word in any case.
func (t token) is(text string) bool {
	return t.kind == tokenOperator && t.text == text || t.kind == tokenName && strings.EqualFold(t.text, text)
}

// malformed is MalformedQueryException (400) for a place in the query.
func malformed(query string, at int, format string, args ...any) error {
	at = min(at, len(query))
	before := query[:at]
	line := strings.Count(before, "\n") + 1
	column := at - strings.LastIndexByte(before, '\n')
	e := trellis.NewError(400, "MalformedQueryException", format, args...)
	e.Message += trellis.NewError(0, "", " at line %d and position %d", line, column).Message
	return e
}

// lex splits a query into tokens. A slash begins a regular expression after like and =~ only, and after parse's
// field; elsewhere it divides.
func lex(query string) ([]token, error) {
	var ts []token
	regexpNext := false
	for i := 0; i < len(query); {
		c := query[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
			continue
		case c == '#':
			for i < len(query) && query[i] != '\n' {
				i++
			}
			continue
		}
		t := token{at: i}
		switch {
		case c == '\'' || c == '"' || c == '`' || c == '/' && regexpNext:
			text, end, ok := quoted(query, i)
			if !ok {
				return nil, malformed(query, i, "%c is not closed", c)
			}
			t.text, t.end = text, end
			switch c {
			case '`':
				t.kind = tokenQuoted
			case '/':
				t.kind = tokenRegexp
			default:
				t.kind = tokenText
			}
		case c >= '0' && c <= '9':
			j := i
			for j < len(query) && (query[j] >= '0' && query[j] <= '9' || query[j] == '.') {
				j++
			}
			t.kind = tokenNumber
			if j < len(query) && isLetter(query[j]) {
				t.kind = tokenPeriod
				for j < len(query) && isWord(query[j]) {
					j++
				}
			}
			t.text, t.end = query[i:j], j
		case isLetter(c) || c == '@' || c == '_':
			j := i + 1
			for j < len(query) && (isWord(query[j]) || query[j] == '.' || query[j] == '@') {
				j++
			}
			t.kind, t.text, t.end = tokenName, query[i:j], j
		default:
			for _, op := range operators {
				if strings.HasPrefix(query[i:], op) {
					t.kind, t.text, t.end = tokenOperator, op, i+len(op)
					break
				}
			}
			if t.end == 0 {
				return nil, malformed(query, i, "unexpected symbol found %q", c)
			}
		}
		regexpNext = t.is("like") || t.is("=~") || len(ts) > 0 && ts[len(ts)-1].is("parse") || t.is("parse")
		ts = append(ts, t)
		i = t.end
	}
	return append(ts, token{kind: tokenEnd, at: len(query), end: len(query)}), nil
}

// quoted reads the text that begins with a quote at i: a backslash before the quote, or before another one in
// a text, stands for what follows. In a regular expression every other backslash stays.
func quoted(s string, i int) (text string, end int, ok bool) {
	quote := s[i]
	var b strings.Builder
	for j := i + 1; j < len(s); j++ {
		switch {
		case s[j] == '\\' && j+1 < len(s) && (s[j+1] == quote || s[j+1] == '\\' && quote != '/'):
			j++
			b.WriteByte(s[j])
		case s[j] == '\\' && j+1 < len(s):
			b.WriteString(s[j : j+2])
			j++
		case s[j] == quote:
			return b.String(), j + 1, true
		default:
			b.WriteByte(s[j])
		}
	}
	return "", 0, false
}

// isLetter tells whether a name may begin with a byte; bytes beyond ASCII may.
func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// isWord tells whether a name may go on with a byte.
func isWord(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '_' }
