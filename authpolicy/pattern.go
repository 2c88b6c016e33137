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
	ends  bool   // a star, and then plain text or nothing: such as * and */rates
	arn   bool   // of a resource: an ARN with all of its parts, so that wildcards keep to theirs
	parts []part // of a pattern with variables; text is unused then
}

// part is a literal with wildcards, or a variable.
type part struct {
	text     string
	variable *key   // nil for a literal
	fallback string // of ${key, 'fallback'}
	has      bool   // there is a fallback
}

// pattern compiles a text. Wild says that * and ? are wildcards. ${…} is a variable, but in policies of version
// 2008-10-17 (IAM user guide, reference_policies_variables).
func (p *parser) pattern(n *node, wild bool) (pattern, *ParseError) {
	lit := func(s string) string {
		if wild {
			return wildcards.Replace(s)
		}
		return s
	}
	if !p.variables || !strings.Contains(n.text, "${") {
		out := pattern{text: lit(n.text)}
		out.plain = !wild || out.text == n.text
		out.ends = wild && n.text != "" && out.text[0] == anyRun && out.text[1:] == n.text[1:]
		p.searched += between(out.text)
		if !searchable(out.text) {
			return out, n.bad("INVALID_RESOURCE_PATTERN", "a part with ? between two * must not be longer than 64 bytes")
		}
		return out, nil
	}
	var out pattern
	for rest := n.text; rest != ""; {
		before, after, found := strings.Cut(rest, "${")
		if before != "" {
			out.parts = append(out.parts, part{text: lit(before)})
			p.searched += len(before)
		}
		if !found {
			break
		}
		inner, tail, closed := strings.Cut(after, "}")
		if !closed {
			return out, n.bad("MISSING_BRACE_IN_VARIABLE", "the variable ${%s has no end", short(after))
		}
		rest = tail
		v, err := parseVariable(n, inner)
		if err != nil {
			return out, err
		}
		out.parts = append(out.parts, v)
	}
	return out, nil
}

// parseVariable compiles what stands between the braces of ${…}.
func parseVariable(n *node, inner string) (part, *ParseError) {
	if inner == "*" || inner == "?" || inner == "$" {
		return part{text: inner}, nil
	}
	name, fallback, has := strings.Cut(inner, ",")
	switch {
	case inner == "":
		return part{}, n.bad("EMPTY_VARIABLE", "a variable is empty")
	case strings.TrimSpace(name) != name:
		return part{}, n.bad("UNSUPPORTED_SPACE_IN_VARIABLE", "the variable ${%s} must not have spaces around its key", short(inner))
	case has:
		fallback = strings.TrimSpace(fallback)
		if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
			return part{}, n.bad("MISSING_QUOTE_IN_VARIABLE", "the default of the variable ${%s} must stand in single quotes", short(inner))
		}
		fallback = fallback[1 : len(fallback)-1]
	}
	k, err := parseKey(name)
	if err != nil {
		return part{}, n.bad(err.code, "%s", err.message)
	}
	return part{variable: k, fallback: fallback, has: has}, nil
}

// asResource makes a pattern of a Resource element keep its wildcards to the parts of the ARN, if it has all of them.
func (p *pattern) asResource() {
	text, colons := p.text, strings.Count(p.text, ":")
	for i, v := range p.parts {
		if i == 0 {
			text = v.text
		}
		colons += strings.Count(v.text, ":")
	}
	p.arn = strings.HasPrefix(text, "arn:") && colons >= 5
}

// match compares the whole of s. A variable without a value matches nothing.
func (p *pattern) match(r *Request, s string) bool {
	if p.parts == nil {
		if p.plain {
			return p.text == s
		}
		if p.ends {
			return strings.HasSuffix(s, p.text[1:])
		}
		return glob(p.text, s, r.finder)
	}
	var space [512]byte
	b, ok := p.expand(space[:0], r)
	return ok && glob(view(b), s, r.finder)
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
		return p.plain && p.text == s || globARN(p.text, s, r.finder)
	}
	var space [512]byte
	b, ok := p.expand(space[:0], r)
	return ok && globARN(view(b), s, r.finder)
}

// matchResource compares the resource of a request.
func (p *pattern) matchResource(r *Request, s string) bool {
	if !p.arn || p.plain {
		return p.match(r, s)
	}
	if p.parts == nil {
		return globResource(p.text, s, r.finder)
	}
	var space [512]byte
	b, ok := p.expand(space[:0], r)
	return ok && globResource(view(b), s, r.finder)
}

// resolved tells whether all variables have a value.
func (p *pattern) resolved(r *Request) bool {
	if p.parts == nil {
		return true
	}
	var space [512]byte
	_, ok := p.expand(space[:0], r)
	return ok
}

// isStar tells whether a pattern is a star alone.
func isStar(p string) bool { return len(p) == 1 && p[0] == anyRun }

// globARN is glob for each of the six parts of an ARN. A lone star is any ARN.
func globARN(p, s string, f *finder) bool {
	if isStar(p) {
		return strings.HasPrefix(s, "arn:")
	}
	for range 5 {
		a, pr, ok := strings.Cut(p, ":")
		b, sr, ok2 := strings.Cut(s, ":")
		if !ok || !ok2 || !glob(a, b, f) {
			return false
		}
		p, s = pr, sr
	}
	return glob(p, s, f)
}

// globResource is globARN for Resource elements, where a star that ends a part may reach over the colons behind it as
// well (IAM user guide, reference_policies_elements_resource), but never into the last part of the request's ARN: that
// one a client may choose, and it must not pass for another account or service.
func globResource(p, s string, f *finder) bool {
	if globARN(p, s, f) {
		return true
	}
	at := 0 // behind the fifth colon of s
	for range 5 {
		i := strings.IndexByte(s[at:], ':')
		if i < 0 {
			return false
		}
		at += i + 1
	}
	head, last := s[:at-1], s[at:]
	i := len("arn") // the end of a part of p; its fifth would be globARN
	for range 4 {
		if p[i-1] == anyRun && globParts(p[:i], head, f) && glob(p[i+1:], last, f) {
			return true
		}
		next := strings.IndexByte(p[i+1:], ':')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// globParts is glob for parts of an ARN that end with a star, of which the last may stand for several parts.
func globParts(p, s string, f *finder) bool {
	for {
		a, pr, more := strings.Cut(p, ":")
		if !more {
			return glob(a, s, f)
		}
		b, sr, ok := strings.Cut(s, ":")
		if !ok || !glob(a, b, f) {
			return false
		}
		p, s = pr, sr
	}
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
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
