package routing

import (
	"strings"

	"github.com/trellis-project/trellis"
)

// Field is one header field. It is an alias of a plain struct, so that the codec's fields pass unconverted.
type Field = struct{ Name, Value string }

// Request is what rules match.
type Request struct {
	Method  string
	Path    string // raw, without the query
	Headers []Field
}

// match is a compiled trellis.HTTPMatch: the AND of its parts.
type match struct {
	method  string // empty: any
	path    text
	headers []headerMatch
}

// headerMatch is a header with what one of its values must be.
type headerMatch struct {
	name  string // in lower case
	value text
}

// text compares a text of the request.
type text struct {
	how  how
	fold bool   // without regard to case
	want string // in lower case when fold
}

// how is a way to compare.
type how int

// The ways to compare.
const (
	anything how = iota
	exact
	prefix
	contains
)

// compileMatch compiles the match of a rule.
func compileMatch(m *trellis.HTTPMatch) match {
	out := match{method: m.Method}
	if p := m.Path; p != nil {
		out.path = compileText(p.Exact, p.Prefix, "", p.CaseSensitive)
	}
	for _, h := range m.Headers {
		out.headers = append(out.headers, headerMatch{asciiLower(h.Name), compileText(h.Exact, h.Prefix, h.Contains, h.CaseSensitive)})
	}
	return out
}

// compileText compiles one comparison. At most one of the texts is set; a rule with none of them asks nothing.
func compileText(is, begins, holds string, caseSensitive bool) text {
	t := text{fold: !caseSensitive}
	switch {
	case is != "":
		t.how, t.want = exact, is
	case begins != "":
		t.how, t.want = prefix, begins
	case holds != "":
		t.how, t.want = contains, holds
	}
	if t.fold {
		t.want = asciiLower(t.want)
	}
	return t
}

// asciiLower folds only what is folded at match time too.
func asciiLower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = lower(b[i])
	}
	return string(b)
}

// matches compares s.
func (t *text) matches(s string) bool {
	switch t.how {
	case exact:
		return len(s) == len(t.want) && t.begins(s)
	case prefix:
		return t.begins(s)
	case contains:
		if !t.fold {
			return strings.Contains(s, t.want)
		}
		for i := 0; i+len(t.want) <= len(s); i++ {
			if t.begins(s[i:]) {
				return true
			}
		}
		return false
	}
	return true
}

// begins tells whether s begins with what is wanted.
func (t *text) begins(s string) bool {
	if len(s) < len(t.want) {
		return false
	}
	if !t.fold {
		return s[:len(t.want)] == t.want
	}
	return foldEqual(s[:len(t.want)], t.want)
}

// foldEqual compares s with a text of equal length in lower case, without regard to the case of ASCII letters.
func foldEqual(s, want string) bool {
	for i := range len(want) {
		if s[i] != want[i] && lower(s[i]) != want[i] {
			return false
		}
	}
	return true
}

// matches tells whether a request meets all parts. Of a header that is there several times one value is enough.
func (m *match) matches(r *Request) bool {
	if m.method != "" && m.method != r.Method || !m.path.matches(r.Path) {
		return false
	}
	for i := range m.headers {
		if !m.headers[i].matches(r.Headers) {
			return false
		}
	}
	return true
}

// matches tells whether one of the fields is the header with a value as wanted.
func (h *headerMatch) matches(fields []Field) bool {
	for i := range fields {
		if len(fields[i].Name) == len(h.name) && foldEqual(fields[i].Name, h.name) && h.value.matches(fields[i].Value) {
			return true
		}
	}
	return false
}

// Match finds the rule of a request: the first by priority that matches, else the default rule. It is never
// nil, and allocates nothing.
func (l *Listener) Match(r *Request) *Rule {
	last := len(l.rules) - 1
	for i := range l.rules[:last] {
		if l.rules[i].match.matches(r) {
			return &l.rules[i]
		}
	}
	return &l.rules[last]
}
