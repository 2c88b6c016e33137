package authpolicy

import (
	"bytes"
	"strings"
	"unsafe"
)

// pattern is a text of a policy that is compared with a text of the request: it may hold wildcards and policy
// variables.
type pattern struct {
	text  string // with wildcards as anyRun and anyByte; without variables
	plain bool   // neither wildcards nor variables
	parts []part // of a pattern with variables; text is unused then
}

// part is a literal with wildcards, or a variable.
type part struct {
	text     string
	variable *key   // nil for a literal
	fallback string // of ${key, 'fallback'}
	has      bool   // there is a fallback
}

// parsePattern compiles a text. Wild says that * and ? are wildcards; variables that ${…} is a variable, which
// policies of version 2008-10-17 do not have.
func parsePattern(text, where string, wild, variables bool) (pattern, error) {
	lit := func(s string) string {
		if wild {
			return wildcards.Replace(s)
		}
		return s
	}
	if !variables || !strings.Contains(text, "${") {
		p := pattern{text: lit(text)}
		p.plain = !wild || p.text == text
		if !searchable(p.text) {
			return p, &ParseError{where, "a part with ? between two * must not be longer than 64 bytes"}
		}
		return p, nil
	}
	var p pattern
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "${")
		if before != "" {
			p.parts = append(p.parts, part{text: lit(before)})
		}
		if !found {
			break
		}
		inner, tail, closed := strings.Cut(after, "}")
		if !closed {
			return p, &ParseError{where, "the variable ${" + short(after) + " has no end"}
		}
		rest = tail
		if inner == "*" || inner == "?" || inner == "$" {
			p.parts = append(p.parts, part{text: inner})
			continue
		}
		name, fallback, has := strings.Cut(inner, ",")
		if has {
			fallback = strings.TrimSpace(fallback)
			if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
				return p, &ParseError{where, "the default of the variable ${" + short(inner) + "} must stand in single quotes"}
			}
			fallback = fallback[1 : len(fallback)-1]
		}
		k, err := parseKey(strings.TrimSpace(name), where)
		if err != nil {
			return p, err
		}
		p.parts = append(p.parts, part{variable: k, fallback: fallback, has: has})
	}
	return p, nil
}

// match compares the whole of s. A variable without a value matches nothing.
func (p *pattern) match(r *Request, s string) bool {
	if p.parts == nil {
		if p.plain {
			return p.text == s
		}
		return glob(p.text, s)
	}
	var space [512]byte
	b, ok := p.expand(space[:0], r)
	return ok && glob(view(b), s)
}

// matchFold compares without regard to case and without wildcards.
func (p *pattern) matchFold(r *Request, s string) bool {
	if p.parts == nil {
		return strings.EqualFold(p.text, s)
	}
	var space [512]byte
	b, ok := p.expand(space[:0], r)
	return ok && strings.EqualFold(view(b), s)
}

// matchARN compares two ARNs part by part, so that a star does not reach over a colon but in the last part.
func (p *pattern) matchARN(r *Request, s string) bool {
	if p.parts == nil {
		return globARN(p.text, s)
	}
	var space [512]byte
	b, ok := p.expand(space[:0], r)
	return ok && globARN(view(b), s)
}

// globARN is glob for each of the six parts of an ARN. A lone star is any ARN.
func globARN(p, s string) bool {
	if len(p) == 1 && p[0] == anyRun {
		return strings.HasPrefix(s, "arn:")
	}
	for range 5 {
		a, pr, ok := strings.Cut(p, ":")
		b, sr, ok2 := strings.Cut(s, ":")
		if !ok || !ok2 || !glob(a, b) {
			return false
		}
		p, s = pr, sr
	}
	return glob(p, s)
}

// expand appends the pattern with the variables' values of a request. It fails when a variable has no value, or
// more than one.
func (p *pattern) expand(b []byte, r *Request) ([]byte, bool) {
	for i := range p.parts {
		v := &p.parts[i]
		if v.variable == nil {
			b = append(b, v.text...)
			continue
		}
		val, next, ok := v.variable.value(r, 0)
		if !ok {
			if !v.has {
				return b, false
			}
			b = append(b, v.fallback...)
			continue
		}
		if _, _, more := v.variable.value(r, next); more {
			return b, false
		}
		from := len(b)
		b = val.append(b)
		// A value must not bring wildcards of its own.
		if bytes.IndexByte(b[from:], anyRun) >= 0 || bytes.IndexByte(b[from:], anyByte) >= 0 {
			return b, false
		}
	}
	return b, true
}

// view is b as a string without a copy, for as long as b does not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// short cuts a text for an error.
func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
