package telemetry

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// matcher tells whether a message matches a filter pattern.
type matcher func(message []byte) bool

// parsePattern compiles a filter pattern (CloudWatch Logs user guide, FilterAndPatternSyntax): terms that must
// all occur (ERROR "exact words" -not), of which those with a question mark are alternatives (?A ?B), or a
// condition on a JSON message ({ $.status = 403 && $.path = "/a*" }).
func parsePattern(text string) (matcher, error) {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return func([]byte) bool { return true }, nil
	case strings.HasPrefix(trimmed, "{"):
		return parseJSONPattern(trimmed)
	case strings.HasPrefix(trimmed, "["):
		return nil, invalid("Invalid filter pattern: patterns for space-delimited messages are not served")
	}
	return parseTerms(trimmed)
}

// parseTerms compiles a pattern of terms.
func parseTerms(text string) (matcher, error) {
	var all, none, any [][]byte
	for text != "" {
		list := &all
		switch text[0] {
		case '-':
			list, text = &none, text[1:]
		case '?':
			list, text = &any, text[1:]
		}
		var term string
		if strings.HasPrefix(text, `"`) {
			end := strings.IndexByte(text[1:], '"')
			if end < 0 {
				return nil, invalid("Invalid filter pattern: a quote is not closed")
			}
			term, text = text[1:end+1], text[end+2:]
		} else if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
			term, text = text[:i], text[i:]
		} else {
			term, text = text, ""
		}
		if term == "" {
			return nil, invalid("Invalid filter pattern: a term is empty")
		}
		*list = append(*list, []byte(term))
		text = strings.TrimSpace(text)
	}
	return func(m []byte) bool {
		for _, t := range none {
			if bytes.Contains(m, t) {
				return false
			}
		}
		for _, t := range all {
			if !bytes.Contains(m, t) {
				return false
			}
		}
		for _, t := range any {
			if bytes.Contains(m, t) {
				return true
			}
		}
		return len(any) == 0
	}, nil
}

// jsonCondition is a condition of a JSON pattern on the decoded message.
type jsonCondition func(doc any) bool

// jsonPattern is the parser of JSON patterns.
type jsonPattern struct {
	text  string
	at    int
	depth int
}

// maxPatternDepth bounds the parentheses of a JSON pattern.
const maxPatternDepth = 50

// parseJSONPattern compiles a pattern in braces.
func parseJSONPattern(text string) (matcher, error) {
	if !strings.HasSuffix(text, "}") {
		return nil, invalid("Invalid filter pattern: a brace is not closed")
	}
	p := &jsonPattern{text: text[1 : len(text)-1]}
	cond, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, p.bad("what follows the condition is not understood")
	}
	return func(m []byte) bool {
		if !bytes.HasPrefix(bytes.TrimLeft(m, " \t\r\n"), []byte("{")) {
			return false
		}
		d := json.NewDecoder(bytes.NewReader(m))
		d.UseNumber()
		var doc any
		return d.Decode(&doc) == nil && cond(doc)
	}, nil
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
	path, err := p.selector()
	if err != nil {
		return nil, err
	}
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
