package telemetry

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// pattern is a compiled filter pattern.
type pattern struct {
	match func(*message) bool
	// value is what a message has in a field: a selector of JSON, or the name of a field between spaces, with its dollar sign. Nil
	// where messages have no fields, as with terms.
	value func(m *message, field string) (string, bool)
	// named are the fields that the pattern names, as TestMetricFilter shows them of a message that matches. Nil likewise.
	named func(*message) map[string]string
	// has tells whether there can be a field.
	has func(field string) bool
}

// message is what patterns are held against: a text that is decoded once, however many patterns ask for its fields.
type message struct {
	text    []byte
	decoded bool
	doc     any // when decoded and an object
	object  bool
}

// json is the message decoded, if it is a JSON object.
func (m *message) json() (doc any, ok bool) {
	if !m.decoded {
		m.doc, m.object = decodeMessage(m.text)
		m.decoded = true
	}
	return m.doc, m.object
}

// parsePattern compiles a filter pattern (CloudWatch Logs user guide, FilterAndPatternSyntax): terms that must
// all occur (ERROR "exact words" -not %expression%), of which those with a question mark are alternatives (?A ?B), a
// condition on a JSON message ({ $.status = 403 && $.path = "/a*" }), or on fields between spaces ([ip, ..., status=4*, size]).
func parsePattern(text string) (*pattern, error) {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return &pattern{match: func(*message) bool { return true }}, nil
	case strings.HasPrefix(trimmed, "{"):
		return parseJSONPattern(trimmed)
	case strings.HasPrefix(trimmed, "["):
		return parseFieldsPattern(trimmed)
	}
	return parseTerms(trimmed)
}

// expression compiles a regular expression that a pattern has between per cent signs. They need time in proportion to the text.
func expression(text string) (*regexp.Regexp, error) {
	e, err := regexp.Compile(text)
	if err != nil || text == "" {
		return nil, invalid("Invalid filter pattern: the expression %%%s%% is not understood", text)
	}
	return e, nil
}

// parseTerms compiles a pattern of terms.
func parseTerms(text string) (*pattern, error) {
	type test func(message []byte) bool
	var all, none, any []test
	for text != "" {
		list := &all
		switch text[0] {
		case '-':
			list, text = &none, text[1:]
		case '?':
			list, text = &any, text[1:]
		}
		var term string
		close := 0
		if text != "" && (text[0] == '"' || text[0] == '%') {
			close = strings.IndexByte(text[1:], text[0]) + 1
		}
		switch {
		case close > 0 && text[0] == '%':
			e, err := expression(text[1:close])
			if err != nil {
				return nil, err
			}
			*list, text = append(*list, e.Match), strings.TrimSpace(text[close+1:])
			continue
		case close > 0:
			term, text = text[1:close], text[close+1:]
		case strings.HasPrefix(text, `"`):
			return nil, invalid("Invalid filter pattern: a quote is not closed")
		default:
			term = text
			if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
				term = text[:i]
			}
			text = text[len(term):]
		}
		if term == "" {
			return nil, invalid("Invalid filter pattern: a term is empty")
		}
		want := []byte(term)
		*list = append(*list, func(m []byte) bool { return bytes.Contains(m, want) })
		text = strings.TrimSpace(text)
	}
	return &pattern{match: func(m *message) bool {
		holds := func(t test) bool { return t(m.text) }
		return !slices.ContainsFunc(none, holds) && !slices.ContainsFunc(all, func(t test) bool { return !t(m.text) }) && (len(any) == 0 || slices.ContainsFunc(any, holds))
	}}, nil
}

// jsonCondition is a condition of a JSON pattern on the decoded message.
type jsonCondition func(doc any) bool

// jsonPattern is the parser of JSON patterns.
type jsonPattern struct {
	text      string
	at        int
	depth     int
	selectors map[string][]string // those of the pattern, with their paths
}

// maxPatternDepth bounds the parentheses of a JSON pattern.
const maxPatternDepth = 50

// parseJSONPattern compiles a pattern in braces.
func parseJSONPattern(text string) (*pattern, error) {
	if !strings.HasSuffix(text, "}") {
		return nil, invalid("Invalid filter pattern: a brace is not closed")
	}
	p := &jsonPattern{text: text[1 : len(text)-1], selectors: map[string][]string{}}
	cond, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, p.bad("what follows the condition is not understood")
	}
	return &pattern{
		match: func(m *message) bool { doc, ok := m.json(); return ok && cond(doc) },
		value: func(m *message, field string) (string, bool) {
			doc, ok := m.json()
			path, err := parseSelector(field)
			if !ok || err != nil {
				return "", false
			}
			return textAt(doc, path)
		},
		named: func(m *message) map[string]string {
			out := map[string]string{}
			doc, _ := m.json()
			for selector, path := range p.selectors {
				if text, ok := textAt(doc, path); ok {
					out[selector] = text
				}
			}
			return out
		},
		has: func(field string) bool { _, err := parseSelector(field); return err == nil },
	}, nil
}

// decodeMessage decodes a message that is a JSON object.
func decodeMessage(m []byte) (doc any, ok bool) {
	if !bytes.HasPrefix(bytes.TrimLeft(m, " \t\r\n"), []byte("{")) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(m))
	d.UseNumber()
	err := d.Decode(&doc)
	return doc, err == nil
}

// parseSelector reads a selector that stands by itself, such as $.field.
func parseSelector(text string) ([]string, error) {
	p := &jsonPattern{text: text}
	if !p.take("$") {
		return nil, p.bad("a selector such as $.field is missing")
	}
	path, err := p.selector()
	if err == nil && (p.at < len(text) || len(path) == 0) {
		err = p.bad("what follows the selector is not understood")
	}
	return path, err
}

// textAt is the text, number or truth value at a path of a decoded message.
func textAt(doc any, path []string) (string, bool) {
	v, ok := pick(doc, path)
	if !ok {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// bad is the error at the present place, counted from 1 in the text within the braces.
func (p *jsonPattern) bad(why string) error {
	return invalid("Invalid filter pattern: %s (at character %d)", why, p.at+2)
}

// space skips white space.
func (p *jsonPattern) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// take skips a token if it is next.
func (p *jsonPattern) take(token string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

// or parses conditions joined by ||.
func (p *jsonPattern) or() (jsonCondition, error) {
	a, err := p.and()
	for err == nil && p.take("||") {
		var b jsonCondition
		left := a
		if b, err = p.and(); err == nil {
			a = func(d any) bool { return left(d) || b(d) }
		}
	}
	return a, err
}

// and parses conditions joined by &&.
func (p *jsonPattern) and() (jsonCondition, error) {
	a, err := p.one()
	for err == nil && p.take("&&") {
		var b jsonCondition
		left := a
		if b, err = p.one(); err == nil {
			a = func(d any) bool { return left(d) && b(d) }
		}
	}
	return a, err
}

// one parses a condition in parentheses or on one selector.
func (p *jsonPattern) one() (jsonCondition, error) {
	if p.take("(") {
		if p.depth++; p.depth > maxPatternDepth {
			return nil, p.bad("too many parentheses")
		}
		c, err := p.or()
		p.depth--
		if err == nil && !p.take(")") {
			err = p.bad("a parenthesis is not closed")
		}
		return c, err
	}
	if !p.take("$") {
		return nil, p.bad("a selector such as $.field is missing")
	}
	start := p.at
	path, err := p.selector()
	if err != nil {
		return nil, err
	}
	p.selectors["$"+p.text[start:p.at]] = path
	switch {
	case p.take("NOT EXISTS"):
		return func(d any) bool { _, ok := pick(d, path); return !ok }, nil
	case p.take("IS NULL"):
		return func(d any) bool { v, ok := pick(d, path); return ok && v == nil }, nil
	case p.take("IS TRUE"):
		return func(d any) bool { v, _ := pick(d, path); return v == true }, nil
	case p.take("IS FALSE"):
		return func(d any) bool { v, _ := pick(d, path); return v == false }, nil
	}
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if p.take(op) {
			return p.comparison(path, op)
		}
	}
	return nil, p.bad("an operator is missing")
}

// selector parses what follows the $: names after dots, and indexes in brackets.
func (p *jsonPattern) selector() ([]string, error) {
	var path []string
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '.':
			p.at++
			start := p.at
			for p.at < len(p.text) && strings.IndexByte(" \t\r\n.[]()=!<>&|", p.text[p.at]) < 0 {
				p.at++
			}
			if start == p.at {
				return nil, p.bad("a name is missing after the dot")
			}
			path = append(path, p.text[start:p.at])
		case '[':
			end := strings.IndexByte(p.text[p.at:], ']')
			if end < 0 {
				return nil, p.bad("a bracket is not closed")
			}
			path = append(path, strings.Trim(p.text[p.at+1:p.at+end], `"'`))
			p.at += end + 1
		default:
			return path, nil
		}
	}
	return path, nil
}

// comparison parses the value after an operator.
func (p *jsonPattern) comparison(path []string, op string) (jsonCondition, error) {
	p.space()
	var value string
	quoted := false
	if p.at < len(p.text) && p.text[p.at] == '%' && (op == "=" || op == "!=") {
		return p.expression(path, op)
	}
	if p.at < len(p.text) && p.text[p.at] == '"' {
		end := strings.IndexByte(p.text[p.at+1:], '"')
		if end < 0 {
			return nil, p.bad("a quote is not closed")
		}
		value, quoted = p.text[p.at+1:p.at+1+end], true
		p.at += end + 2
	} else {
		start := p.at
		for p.at < len(p.text) && strings.IndexByte(" \t\r\n()&|", p.text[p.at]) < 0 {
			p.at++
		}
		value = p.text[start:p.at]
	}
	if value == "" && !quoted {
		return nil, p.bad("a value is missing")
	}
	number, err := strconv.ParseFloat(value, 64)
	numeric := err == nil && !quoted
	if op == "=" || op == "!=" {
		return func(d any) bool {
			v, ok := pick(d, path)
			if !ok {
				return false
			}
			equal := false
			switch v := v.(type) {
			case json.Number:
				f, err := v.Float64()
				equal = err == nil && numeric && f == number || quoted && v.String() == value
			case string:
				equal = wild(value, v)
			case bool:
				equal = strconv.FormatBool(v) == value
			}
			return equal == (op == "=")
		}, nil
	}
	if !numeric {
		return nil, p.bad("only numbers can be compared by " + op)
	}
	return func(d any) bool {
		v, _ := pick(d, path)
		n, ok := v.(json.Number)
		if !ok {
			return false
		}
		f, err := n.Float64()
		return err == nil && (op == "<" && f < number || op == ">" && f > number || op == "<=" && f <= number || op == ">=" && f >= number)
	}, nil
}

// expression parses a regular expression after an operator.
func (p *jsonPattern) expression(path []string, op string) (jsonCondition, error) {
	end := strings.IndexByte(p.text[p.at+1:], '%')
	if end < 0 {
		return nil, p.bad("a per cent sign is missing")
	}
	e, err := expression(p.text[p.at+1 : p.at+1+end])
	if err != nil {
		return nil, err
	}
	p.at += end + 2
	return func(d any) bool {
		text, ok := textAt(d, path)
		return ok && e.MatchString(text) == (op == "=")
	}, nil
}

// pick follows a path into a decoded message.
func pick(d any, path []string) (any, bool) {
	for _, name := range path {
		switch v := d.(type) {
		case map[string]any:
			next, ok := v[name]
			if !ok {
				return nil, false
			}
			d = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			d = v[i]
		default:
			return nil, false
		}
	}
	return d, true
}

// wild compares a text with a pattern in which * stands for any text, in linear time for each star.
func wild(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}
