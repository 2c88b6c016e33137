package telemetry

import (
	"regexp"
	"strconv"
	"strings"
)

// maxNesting bounds how deep expressions may be nested.
const maxNesting = 100

// expr computes a value of a row.
type expr func(*row) value

// column is an expression with the name that results show.
type column struct {
	name string
	expr expr
	// plain tells that it is just the field of that name.
	plain bool
}

// sortKey is one key of sort.
type sortKey struct {
	expr       expr
	descending bool
}

// command is one command of a query. Exactly one of the parts is set.
type command struct {
	fields  []column
	display []column
	filter  expr
	sort    []sortKey
	limit   int
	dedup   []column
	stats   *statistic
	parse   *extraction
}

// extraction is the parse command: it sets fields from parts of a text.
type extraction struct {
	from  expr
	re    *regexp.Regexp
	names []string // of the expression's groups, in order
}

// parser parses a query.
type parser struct {
	query string
	ts    []token
	depth int
}

// parseQuery parses a query of the Insights language (CloudWatch Logs user guide, CWL_QuerySyntax): the commands
// fields, display, filter, sort, limit, stats, dedup and parse. Errors say where.
func parseQuery(query string) ([]command, error) {
	ts, err := lex(query)
	if err != nil {
		return nil, err
	}
	p := &parser{query: query, ts: ts}
	var commands []command
	for {
		c, err := p.command()
		if err != nil {
			return nil, err
		}
		commands = append(commands, c)
		if p.peek().kind == tokenEnd {
			return commands, nil
		}
		if !p.take("|") {
			return nil, p.unexpected()
		}
	}
}

// peek is the next token.
func (p *parser) peek() token { return p.ts[0] }

// next takes the next token; the end stays.
func (p *parser) next() token {
	t := p.ts[0]
	if t.kind != tokenEnd {
		p.ts = p.ts[1:]
	}
	return t
}

// take takes the next token if it is an operator or word of that text.
func (p *parser) take(text string) bool {
	if p.peek().is(text) {
		p.next()
		return true
	}
	return false
}

// unexpected is the error for the next token.
func (p *parser) unexpected() error {
	t := p.peek()
	if t.kind == tokenEnd {
		return malformed(p.query, t.at, "unexpected end of the query")
	}
	return malformed(p.query, t.at, "unexpected symbol found %s", p.query[t.at:t.end])
}

// command parses one command.
func (p *parser) command() (c command, err error) {
	t := p.peek()
	if t.kind != tokenName {
		return c, p.unexpected()
	}
	p.next()
	switch strings.ToLower(t.text) {
	case "fields":
		c.fields, err = p.columns(true)
	case "display":
		c.display, err = p.columns(false)
	case "filter":
		c.filter, err = p.expression()
	case "sort":
		c.sort, err = p.sortKeys()
	case "limit":
		n := p.peek()
		if c.limit, err = strconv.Atoi(n.text); n.kind != tokenNumber || err != nil || c.limit < 1 || c.limit > maxRows {
			return c, malformed(p.query, n.at, "limit takes a number from 1 to %d", maxRows)
		}
		p.next()
	case "dedup":
		c.dedup, err = p.columns(false)
	case "stats":
		c.stats, err = p.statistic()
	case "parse":
		c.parse, err = p.extraction()
	default:
		return c, malformed(p.query, t.at, "unknown command %s: fields, display, filter, sort, limit, stats, dedup and parse are served", t.text)
	}
	return c, err
}

// columns parses expressions with names, separated by commas.
func (p *parser) columns(alias bool) ([]column, error) {
	var cs []column
	for {
		c, err := p.column(alias)
		if err != nil {
			return nil, err
		}
		cs = append(cs, c)
		if !p.take(",") {
			return cs, nil
		}
	}
}

// column parses an expression and, if it may have one, its alias.
func (p *parser) column(alias bool) (column, error) {
	first := p.peek()
	e, err := p.expression()
	if err != nil {
		return column{}, err
	}
	c := column{name: strings.TrimSpace(p.query[first.at:p.peek().at]), expr: e}
	if last := p.peek(); first.kind == tokenName && c.name == first.text || first.kind == tokenQuoted && strings.TrimSpace(p.query[first.end:last.at]) == "" {
		c.name, c.plain = first.text, true
	}
	if alias && p.take("as") {
		name := p.next()
		if name.kind != tokenName && name.kind != tokenQuoted {
			return column{}, malformed(p.query, name.at, "a name is missing after as")
		}
		c.name, c.plain = name.text, false
	}
	return c, nil
}

// sortKeys parses the keys of sort.
func (p *parser) sortKeys() ([]sortKey, error) {
	var keys []sortKey
	for {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		k := sortKey{expr: e}
		if p.take("desc") {
			k.descending = true
		} else {
			p.take("asc")
		}
		keys = append(keys, k)
		if !p.take(",") {
			return keys, nil
		}
	}
}

// extraction parses the parse command: parse [field] "a * b *" as x, y, or a regular expression with named
// groups.
func (p *parser) extraction() (*extraction, error) {
	x := &extraction{from: func(r *row) value { return r.get("@message") }}
	if t := p.peek(); t.kind == tokenName || t.kind == tokenQuoted {
		p.next()
		x.from = field(t.text)
	}
	t := p.next()
	var err error
	switch t.kind {
	case tokenRegexp:
		if x.re, err = regexp.Compile(t.text); err != nil {
			return nil, malformed(p.query, t.at, "%v", err)
		}
		x.names = x.re.SubexpNames()[1:]
	case tokenText:
		parts := strings.Split(t.text, "*")
		for i, s := range parts {
			parts[i] = regexp.QuoteMeta(s)
		}
		x.re = regexp.MustCompile(`(?s)` + strings.Join(parts[:len(parts)-1], "(.*?)") + last(parts))
		if !p.take("as") {
			return nil, p.unexpected()
		}
		for {
			n := p.next()
			if n.kind != tokenName && n.kind != tokenQuoted {
				return nil, malformed(p.query, n.at, "a name is missing after as")
			}
			x.names = append(x.names, n.text)
			if !p.take(",") {
				break
			}
		}
		if len(x.names) != len(parts)-1 {
			return nil, malformed(p.query, t.at, "parse has %d wildcards and %d names", len(parts)-1, len(x.names))
		}
	default:
		return nil, malformed(p.query, t.at, "parse takes a text with wildcards or a regular expression")
	}
	return x, nil
}

// last is the end of a parse pattern: a wildcard at the very end takes all that is left.
func last(parts []string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	if end := parts[len(parts)-1]; end != "" {
		return "(.*?)" + end
	}
	return "(.*)"
}

// field is the expression of a field.
func field(name string) expr { return func(r *row) value { return r.get(name) } }

// apply sets the fields that the text has; without a match it sets none.
func (x *extraction) apply(r *row) {
	m := x.re.FindStringSubmatch(x.from(r).String())
	for i, name := range x.names {
		if name != "" && i+1 < len(m) {
			r.put(name, textValue(m[i+1]))
		}
	}
}
