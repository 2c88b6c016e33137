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

// text is one comparison of a rule with a text of the request.
type text struct {
	how  how
	fold bool // without regard to case
	want string
}

// how is a way to compare.
type how uint8

// The ways to compare.
const (
	anything how = iota
	exact
	prefix
	contains
)

// pathText is what a rule asks of the path.
func pathText(p *trellis.PathMatch) text {
	if p == nil {
		return text{}
	}
	return choose(p.Exact, p.Prefix, "", p.CaseSensitive)
}

// valueText is what a rule asks of a header's value.
func valueText(h *trellis.HeaderMatch) text {
	return choose(h.Exact, h.Prefix, h.Contains, h.CaseSensitive)
}

// choose makes one comparison. At most one of the texts is set; a rule with none of them asks nothing.
func choose(is, begins, holds string, caseSensitive bool) text {
	switch {
	case is != "":
		return text{exact, !caseSensitive, is}
	case begins != "":
		return text{prefix, !caseSensitive, begins}
	case holds != "":
		return text{contains, !caseSensitive, holds}
	}
	return text{}
}

// asciiLower folds only what is folded at match time too. What has no capitals is returned as it is.
func asciiLower(s string) string {
	for i := range len(s) {
		if lower(s[i]) != s[i] {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = lower(b[i])
			}
			return string(b)
		}
	}
	return s
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

// foldEqual compares two texts of equal length without regard to the case of ASCII letters.
func foldEqual(s, t string) bool {
	for i := range len(t) {
		if s[i] != t[i] && lower(s[i]) != lower(t[i]) {
			return false
		}
	}
	return true
}

// sameName tells whether two header names are the same.
func sameName(a, b string) bool { return len(a) == len(b) && foldEqual(a, b) }

// matches tells whether a request meets all parts of a match. Of a header that is there several times one value is
// enough.
func matches(m *trellis.HTTPMatch, r *Request) bool {
	if m.Method != "" && m.Method != r.Method {
		return false
	}
	if m.Path != nil {
		if t := pathText(m.Path); !t.matches(r.Path) {
			return false
		}
	}
	for i := range m.Headers {
		if !headerMatches(&m.Headers[i], r.Headers) {
			return false
		}
	}
	return true
}

// headerMatches tells whether one of the fields is the header with a value as wanted.
func headerMatches(h *trellis.HeaderMatch, fields []Field) bool {
	t := valueText(h)
	for i := range fields {
		if sameName(fields[i].Name, h.Name) && t.matches(fields[i].Value) {
			return true
		}
	}
	return false
}

// Match finds the rule of a request: the first by priority that matches, else the default rule. It is never
// nil, and allocates nothing. What it costs does not grow with the number of rules, but with how many of them have all
// in common by which they could be told apart.
func (l *Listener) Match(r *Request) *Rule {
	last := len(l.rules) - 1
	if !l.index.none() {
		return &l.rules[l.index.find(l.rules, r)]
	}
	for i := range l.rules[:last] {
		if matches(l.rules[i].match(), r) {
			return &l.rules[i]
		}
	}
	return &l.rules[last]
}
