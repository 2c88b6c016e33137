package telemetry

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// expression parses conditions joined by or.
func (p *parser) expression() (expr, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, malformed(p.query, p.peek().at, "the expression is nested too deep")
	}
	defer func() { p.depth-- }()
	a, err := p.conjunction()
	for err == nil && p.take("or") {
		var b expr
		left := a
		if b, err = p.conjunction(); err == nil {
			a = func(r *row) value { return boolValue(left(r).truth() || b(r).truth()) }
		}
	}
	return a, err
}

// conjunction parses conditions joined by and.
func (p *parser) conjunction() (expr, error) {
	a, err := p.negation()
	for err == nil && p.take("and") {
		var b expr
		left := a
		if b, err = p.negation(); err == nil {
			a = func(r *row) value { return boolValue(left(r).truth() && b(r).truth()) }
		}
	}
	return a, err
}

// negation parses a condition with or without not.
func (p *parser) negation() (expr, error) {
	not := false
	for p.take("not") {
		not = !not
	}
	a, err := p.comparison()
	if err != nil || !not {
		return a, err
	}
	return func(r *row) value { return boolValue(!a(r).truth()) }, nil
}

// comparison parses two sums with an operator between them, or one.
func (p *parser) comparison() (expr, error) {
	a, err := p.sum()
	if err != nil {
		return nil, err
	}
	t := p.peek()
	not := false
	if t.is("not") && len(p.ts) > 1 && (p.ts[1].is("in") || p.ts[1].is("like")) {
		p.next()
		t, not = p.peek(), true
	}
	var cond expr
	switch {
	case t.is("in"):
		p.next()
		cond, err = p.membership(a)
	case t.is("like"), t.is("=~"):
		p.next()
		cond, err = p.likeness(a)
	case t.kind == tokenOperator && strings.Contains("= == != < <= > >=", t.text) && t.text != "":
		p.next()
		var b expr
		if b, err = p.sum(); err == nil {
			cond = compare(t.text, a, b)
		}
	default:
		return a, nil
	}
	if err != nil || !not {
		return cond, err
	}
	return func(r *row) value { return boolValue(!cond(r).truth()) }, nil
}

// compare is a comparison. A missing value is equal to nothing and in no order.
func compare(op string, a, b expr) expr {
	return func(r *row) value {
		x, y := a(r), b(r)
		if !x.present || !y.present {
			return boolValue(op == "!=")
		}
		c := compareValues(x, y)
		switch op {
		case "!=":
			return boolValue(c != 0)
		case "<":
			return boolValue(c < 0)
		case "<=":
			return boolValue(c <= 0)
		case ">":
			return boolValue(c > 0)
		case ">=":
			return boolValue(c >= 0)
		}
		return boolValue(c == 0)
	}
}

// membership parses the list after in.
func (p *parser) membership(a expr) (expr, error) {
	if !p.take("[") {
		return nil, p.unexpected()
	}
	var list []expr
	for {
		e, err := p.sum()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if p.take("]") {
			break
		}
		if !p.take(",") {
			return nil, p.unexpected()
		}
	}
	return func(r *row) value {
		x := a(r)
		for _, e := range list {
			if y := e(r); x.present && y.present && compareValues(x, y) == 0 {
				return boolValue(true)
			}
		}
		return boolValue(false)
	}, nil
}

// likeness parses what follows like: a text that has to occur, or a regular expression.
func (p *parser) likeness(a expr) (expr, error) {
	t := p.next()
	switch t.kind {
	case tokenRegexp:
		re, err := regexp.Compile(t.text)
		if err != nil {
			return nil, malformed(p.query, t.at, "%v", err)
		}
		return func(r *row) value { x := a(r); return boolValue(x.present && re.MatchString(x.String())) }, nil
	case tokenText:
		return func(r *row) value { x := a(r); return boolValue(x.present && strings.Contains(x.String(), t.text)) }, nil
	}
	return nil, malformed(p.query, t.at, "like takes a text or a regular expression")
}

// sum parses products joined by + and -.
func (p *parser) sum() (expr, error) {
	a, err := p.product()
	for err == nil && (p.peek().is("+") || p.peek().is("-")) {
		op, left := p.next().text, a
		var b expr
		if b, err = p.product(); err == nil {
			a = arithmetic(op, left, b)
		}
	}
	return a, err
}

// product parses powers joined by *, / and %.
func (p *parser) product() (expr, error) {
	a, err := p.power()
	for err == nil && (p.peek().is("*") || p.peek().is("/") || p.peek().is("%")) {
		op, left := p.next().text, a
		var b expr
		if b, err = p.power(); err == nil {
			a = arithmetic(op, left, b)
		}
	}
	return a, err
}

// power parses primaries joined by ^.
func (p *parser) power() (expr, error) {
	a, err := p.primary()
	for err == nil && p.take("^") {
		left := a
		var b expr
		if b, err = p.primary(); err == nil {
			a = arithmetic("^", left, b)
		}
	}
	return a, err
}

// arithmetic computes with numbers; with anything else the result is missing.
func arithmetic(op string, a, b expr) expr {
	return func(r *row) value {
		x, ok1 := a(r).asNumber()
		y, ok2 := b(r).asNumber()
		if !ok1 || !ok2 {
			return value{}
		}
		switch op {
		case "+":
			return numberValue(x + y)
		case "-":
			return numberValue(x - y)
		case "*":
			return numberValue(x * y)
		case "/":
			return numberValue(x / y)
		case "%":
			return numberValue(math.Mod(x, y))
		}
		return numberValue(math.Pow(x, y))
	}
}

// primary parses a literal, a field, a call or an expression in parentheses.
func (p *parser) primary() (expr, error) {
	t := p.peek()
	switch {
	case t.kind == tokenNumber:
		p.next()
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, malformed(p.query, t.at, "%s is not a number", t.text)
		}
		v := numberValue(f)
		return func(*row) value { return v }, nil
	case t.kind == tokenText:
		p.next()
		v := textValue(t.text)
		return func(*row) value { return v }, nil
	case t.is("-"):
		p.next()
		if p.depth++; p.depth > maxNesting {
			return nil, malformed(p.query, t.at, "the expression is nested too deep")
		}
		defer func() { p.depth-- }()
		a, err := p.primary()
		zero := func(*row) value { return numberValue(0) }
		return arithmetic("-", zero, a), err
	case t.is("("):
		p.next()
		e, err := p.expression()
		if err == nil && !p.take(")") {
			err = p.unexpected()
		}
		return e, err
	case t.kind == tokenQuoted:
		p.next()
		return field(t.text), nil
	case t.kind == tokenName:
		p.next()
		if p.peek().is("(") {
			return p.call(t)
		}
		switch strings.ToLower(t.text) {
		case "true", "false":
			v := textValue(strings.ToLower(t.text))
			return func(*row) value { return v }, nil
		case "as", "by", "and", "or", "in", "like":
			return nil, malformed(p.query, t.at, "unexpected symbol found %s", t.text)
		}
		return field(t.text), nil
	}
	return nil, p.unexpected()
}
