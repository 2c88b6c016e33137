package telemetry

import (
	"slices"
	"strconv"
	"strings"
)

// fieldsPattern is the parser of patterns on fields between spaces: [ip, ..., status=4* || status=5*, size].
type fieldsPattern struct {
	text string
	at   int
}

// patternField is one field of such a pattern.
type patternField struct {
	name string // without the dollar sign
	rest bool   // ...: any number of fields
	test func(value string) bool
}

// bad is the error at the present place, counted from 1.
func (p *fieldsPattern) bad(why string) error {
	return invalid("Invalid filter pattern: %s (at character %d)", why, p.at+1)
}

// take skips a token if it is next, after spaces.
func (p *fieldsPattern) take(token string) bool {
	p.at += len(p.text[p.at:]) - len(strings.TrimLeft(p.text[p.at:], " \t\r\n"))
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

// until reads what stands before one of some characters.
func (p *fieldsPattern) until(ends string) string {
	start := p.at
	for p.at < len(p.text) && strings.IndexByte(ends, p.text[p.at]) < 0 {
		p.at++
	}
	return p.text[start:p.at]
}

// parseFieldsPattern compiles a pattern in brackets. Without an ellipsis the last field of a pattern has all that is left of a
// message.
func parseFieldsPattern(text string) (*pattern, error) {
	p := &fieldsPattern{text: text}
	p.take("[")
	var fields []patternField
	ellipsis := -1
	for {
		f, err := p.field()
		if err != nil {
			return nil, err
		}
		if f.rest && ellipsis >= 0 {
			return nil, p.bad("there may be one ellipsis")
		}
		if f.rest {
			ellipsis = len(fields)
		}
		fields = append(fields, f)
		if p.take("]") {
			break
		}
		if !p.take(",") {
			return nil, p.bad("a comma or bracket is missing")
		}
	}
	if p.take(""); p.at < len(p.text) {
		return nil, p.bad("what follows the bracket is not understood")
	}
	return &pattern{
		match: func(m *message) bool {
			values, ok := assign(fields, ellipsis, string(m.text))
			return ok && !slices.ContainsFunc(values, func(v assigned) bool { return v.test != nil && !v.test(v.value) })
		},
		value: func(m *message, name string) (string, bool) {
			values, _ := assign(fields, ellipsis, string(m.text))
			i := slices.IndexFunc(values, func(v assigned) bool { return "$"+v.name == name })
			if i < 0 {
				return "", false
			}
			return values[i].value, true
		},
		named: func(m *message) map[string]string {
			out := map[string]string{}
			values, _ := assign(fields, ellipsis, string(m.text))
			for _, v := range values {
				out["$"+v.name] = v.value
			}
			return out
		},
		has: func(name string) bool {
			return slices.ContainsFunc(fields, func(f patternField) bool { return !f.rest && "$"+f.name == name })
		},
	}, nil
}

// field parses a field: a name or an ellipsis, and its conditions, joined by && before ||.
func (p *fieldsPattern) field() (patternField, error) {
	if p.take("...") {
		return patternField{rest: true}, nil
	}
	p.take("")
	const operators = "=!<>"
	f := patternField{}
	for {
		name := p.until(" \t\r\n,]|&" + operators)
		switch {
		case name == "":
			return f, p.bad("the name of a field is missing")
		case f.name != "" && name != f.name:
			return f, p.bad("a field has conditions on itself alone")
		}
		f.name = name
		if p.take(""); p.at >= len(p.text) || strings.IndexByte(operators, p.text[p.at]) < 0 {
			return f, nil
		}
		both, err := p.condition()
		for err == nil && p.take("&&") {
			if p.take(""); p.until(" \t\r\n,]|&"+operators) != f.name {
				return f, p.bad("a field has conditions on itself alone")
			}
			left := both
			var right func(string) bool
			if right, err = p.condition(); err == nil {
				both = func(v string) bool { return left(v) && right(v) }
			}
		}
		if err != nil {
			return f, err
		}
		if before := f.test; before != nil {
			f.test = func(v string) bool { return before(v) || both(v) }
		} else {
			f.test = both
		}
		if !p.take("||") {
			return f, nil
		}
		p.take("")
	}
}

// condition parses an operator and a value.
func (p *fieldsPattern) condition() (func(value string) bool, error) {
	op := ""
	for _, o := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if p.take(o) {
			op = o
			break
		}
	}
	if op == "" {
		return nil, p.bad("an operator is missing")
	}
	p.take("")
	var want string
	switch quote := p.text[p.at:]; {
	case strings.HasPrefix(quote, `"`), strings.HasPrefix(quote, "%"):
		p.at++
		want = p.until(quote[:1])
		if !strings.HasPrefix(p.text[p.at:], quote[:1]) {
			return nil, p.bad("a quote is not closed")
		}
		if p.at++; quote[0] == '%' {
			e, err := expression(want)
			if err != nil || op != "=" && op != "!=" {
				return nil, invalid("Invalid filter pattern: the expression %%%s%% is not understood", want)
			}
			return func(v string) bool { return e.MatchString(v) == (op == "=") }, nil
		}
	default:
		if want = p.until(" \t\r\n,]|&"); want == "" {
			return nil, p.bad("a value is missing")
		}
	}
	if op == "=" || op == "!=" {
		return func(v string) bool { return wild(want, v) == (op == "=") }, nil
	}
	number, err := strconv.ParseFloat(want, 64)
	if err != nil {
		return nil, p.bad("only numbers can be compared by " + op)
	}
	return func(v string) bool {
		f, err := strconv.ParseFloat(v, 64)
		return err == nil && (op == "<" && f < number || op == ">" && f > number || op == "<=" && f <= number || op == ">=" && f >= number)
	}, nil
}

// assigned is a field with its value in a message. Those of an ellipsis are named by their places, from 1.
type assigned struct {
	patternField
	value string
}

// assign finds the values of all fields, false when the message has too few.
func assign(fields []patternField, ellipsis int, message string) ([]assigned, bool) {
	most := len(fields) // without an ellipsis the rest is the last one's
	if ellipsis >= 0 {
		most = 0
	}
	values := split(message, most)
	spare := len(values) - len(fields)
	if ellipsis >= 0 {
		spare++
	}
	if spare < 0 {
		return nil, false
	}
	var out []assigned
	for i, f := range fields {
		if i != ellipsis {
			out, values = append(out, assigned{f, values[0]}), values[1:]
			continue
		}
		for range spare {
			out, values = append(out, assigned{patternField{name: strconv.Itoa(len(out) + 1)}, values[0]}), values[1:]
		}
	}
	return out, true
}

// split cuts a message at its spaces; what stands in quotes or brackets is one field. With most, the last of so many fields is all that
// is left.
func split(message string, most int) (fields []string) {
	for {
		message = strings.TrimLeft(message, " ")
		switch {
		case message == "":
			return fields
		case len(fields)+1 == most && strings.IndexByte(message, ' ') >= 0 && !whole(message):
			return append(fields, strings.TrimRight(message, " "))
		}
		var f string
		f, message = first(message)
		fields = append(fields, f)
	}
}

// first cuts the first field off a message.
func first(message string) (field, rest string) {
	for open, close := range map[byte]string{'"': `"`, '[': "]"} {
		if message[0] == open {
			if f, rest, ok := strings.Cut(message[1:], close); ok {
				return f, rest
			}
		}
	}
	field, rest, _ = strings.Cut(message, " ")
	return field, rest
}

// whole tells whether a message is one field.
func whole(message string) bool {
	_, rest := first(message)
	return strings.TrimLeft(rest, " ") == ""
}
