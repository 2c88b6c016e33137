package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checks are the constraints on a value.
type checks struct {
	length  *bounds
	number  *bounds
	pattern *pattern
	enum    []string
}

// ProblemKind says in which way a field is bad.
type ProblemKind int

// The kinds of problems.
const (
	Missing    ProblemKind = iota // required and absent
	Constraint                    // a value that the model forbids
	Malformed                     // not of the field's type
)

// Problem is one bad field of a request.
type Problem struct {
	Kind    ProblemKind
	Path    string // for example rules.1.member.priority
	Value   string // shortened; empty for sensitive fields
	Message string // AWS's sentence
}

// mostValue is how many bytes of a bad value are repeated to the client.
const mostValue = 256

// problems collects the bad fields of one request.
type problems []Problem

// missing notes an absent field.
func (p *problems) missing(path string) {
	*p = append(*p, Problem{Kind: Missing, Path: path,
		Message: fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", path)})
}

// malformed notes a value of the wrong type.
func (p *problems) malformed(path, want string) {
	*p = append(*p, Problem{Kind: Malformed, Path: path, Message: fmt.Sprintf("Value at '%s' is not %s", path, want)})
}

// constraint notes a forbidden value.
func (p *problems) constraint(path, value string, secret bool, must string) {
	if len(value) > mostValue {
		value = strings.ToValidUTF8(value[:mostValue], "") + "…"
	}
	shown := "'" + value + "' "
	if secret {
		value, shown = "", ""
	}
	*p = append(*p, Problem{Kind: Constraint, Path: path, Value: value,
		Message: fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: %s", shown, path, must)})
}

// text holds a string against the constraints.
func (c *checks) text(p *problems, path, value string, secret bool) {
	if must := c.length.broken(utf8.RuneCountInString(value), "have length "); must != "" {
		p.constraint(path, value, secret, must)
	}
	if c.pattern != nil && !c.pattern.matches(value) {
		p.constraint(path, value, secret, "Member must satisfy regular expression pattern: "+c.pattern.text)
	}
	if c.enum != nil && !slices.Contains(c.enum, value) {
		p.constraint(path, value, secret, "Member must satisfy enum value set: ["+strings.Join(c.enum, ", ")+"]")
	}
}

// amount holds a number against the constraints.
func (c *checks) amount(p *problems, path string, value float64) {
	if c.number == nil {
		return
	}
	shown := strconv.FormatFloat(value, 'f', -1, 64)
	if c.number.min != nil && value < *c.number.min {
		p.constraint(path, shown, false, "Member must have value greater than or equal to "+strconv.FormatFloat(*c.number.min, 'f', -1, 64))
	}
	if c.number.max != nil && value > *c.number.max {
		p.constraint(path, shown, false, "Member must have value less than or equal to "+strconv.FormatFloat(*c.number.max, 'f', -1, 64))
	}
}

// size holds the number of a list's or map's members against the constraints.
func (c *checks) size(p *problems, path string, n int) {
	if must := c.length.broken(n, "have length "); must != "" {
		p.constraint(path, fmt.Sprintf("[%d]", n), false, must)
	}
}

// broken returns the sentence of the bound that n breaks, or "".
func (b *bounds) broken(n int, what string) string {
	switch {
	case b == nil:
		return ""
	case b.min != nil && float64(n) < *b.min:
		return "Member must " + what + "greater than or equal to " + strconv.FormatFloat(*b.min, 'f', -1, 64)
	case b.max != nil && float64(n) > *b.max:
		return "Member must " + what + "less than or equal to " + strconv.FormatFloat(*b.max, 'f', -1, 64)
	}
	return ""
}
