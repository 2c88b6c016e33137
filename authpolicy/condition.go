package authpolicy

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// class is the type that an operator compares.
type class int

// The classes of operators.
const (
	stringClass class = iota
	foldClass         // strings without regard to case
	likeClass         // strings with wildcards
	numberClass
	dateClass
	boolClass
	binaryClass
	addressClass
	arnClass
	nullClass
)

// operator is a condition operator without its prefix and suffix.
type operator struct {
	name    string
	class   class
	negated bool  // true when no value of the policy matches, and when the key is absent
	orders  []int // of numbers and dates: the results of comparing request with policy that match
	// fromAbove is for comparisons of dates that treat what lies between two seconds, in a policy, as the later one: times
	// of requests are whole seconds, so that those before 19:00:00.5 are those before 19:00:01. Revoking sessions needs
	// it: the one that was made in the same second is older than the policy.
	fromAbove bool
}

// operators are all condition operators (IAM user guide, reference_policies_elements_condition_operators).
var operators = []operator{
	{name: "ArnEquals", class: arnClass},
	{name: "ArnLike", class: arnClass},
	{name: "ArnNotEquals", class: arnClass, negated: true},
	{name: "ArnNotLike", class: arnClass, negated: true},
	{name: "BinaryEquals", class: binaryClass},
	{name: "Bool", class: boolClass},
	{name: "DateEquals", class: dateClass, orders: []int{0}},
	{name: "DateGreaterThan", class: dateClass, orders: []int{1}},
	{name: "DateGreaterThanEquals", class: dateClass, orders: []int{0, 1}, fromAbove: true},
	{name: "DateLessThan", class: dateClass, orders: []int{-1}, fromAbove: true},
	{name: "DateLessThanEquals", class: dateClass, orders: []int{-1, 0}},
	{name: "DateNotEquals", class: dateClass, negated: true, orders: []int{0}},
	{name: "IpAddress", class: addressClass},
	{name: "NotIpAddress", class: addressClass, negated: true},
	{name: "Null", class: nullClass},
	{name: "NumericEquals", class: numberClass, orders: []int{0}},
	{name: "NumericGreaterThan", class: numberClass, orders: []int{1}},
	{name: "NumericGreaterThanEquals", class: numberClass, orders: []int{0, 1}},
	{name: "NumericLessThan", class: numberClass, orders: []int{-1}},
	{name: "NumericLessThanEquals", class: numberClass, orders: []int{-1, 0}},
	{name: "NumericNotEquals", class: numberClass, negated: true, orders: []int{0}},
	{name: "StringEquals", class: stringClass},
	{name: "StringEqualsIgnoreCase", class: foldClass},
	{name: "StringLike", class: likeClass},
	{name: "StringNotEquals", class: stringClass, negated: true},
	{name: "StringNotEqualsIgnoreCase", class: foldClass, negated: true},
	{name: "StringNotLike", class: likeClass, negated: true},
}

// quantifier says how a key with several values is compared.
type quantifier int

// The quantifiers.
const (
	anyOfOne quantifier = iota // none is written
	forAllValues
	forAnyValue
)

// condition is one operator on one key: a line of a Condition block.
type condition struct {
	op       *operator
	quantity quantifier
	ifExists bool
	key      *key
	values   []operand
	set      map[string]bool // the values, where they are many texts that are compared as they are
	most     int             // values of the request that are looked at
	text     *conditionText  // apart, since decisions do not read it
}

// conditionText is a condition as its policy has it, for reasons.
type conditionText struct {
	operator, key string
	values        string // JSON
	at            Position
}

// operand is one value of a policy, read as its operator's class needs it.
type operand struct {
	pattern pattern
	number  float64
	date    int64 // seconds since 1970
	prefix  netip.Prefix
	truth   bool
	bytes   string
}

// conditions compiles a Condition block. Every line must hold.
func (p *parser) conditions(n *node) ([]condition, *ParseError) {
	if n.kind != objectNode {
		return nil, n.bad("DATA_TYPE_MISMATCH", "must be an object, not %v", n.kind)
	}
	if err := foldedTwice(n); err != nil {
		return nil, err
	}
	var out []condition
	for i, block := range n.items {
		op, set, ifExists, err := parseOperator(block, n.names[i])
		if err != nil {
			return nil, err
		}
		if block.kind != objectNode {
			return nil, block.bad("DATA_TYPE_MISMATCH", "must be an object of condition keys, not %v", block.kind)
		}
		if len(block.items) == 0 {
			return nil, block.bad("EMPTY_OBJECT_CONDITION", "names no condition key")
		}
		if err := foldedTwice(block); err != nil {
			return nil, err
		}
		for j, vals := range block.items {
			c := condition{op: op, quantity: set, ifExists: ifExists}
			c.text = &conditionText{n.names[i], block.names[j], vals.raw(), vals.source.position(vals.nameStart)}
			if err := p.line(&c, block.names[j], vals); err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// line compiles the key and values of one condition.
func (p *parser) line(c *condition, name string, vals *node) *ParseError {
	k, bad := parseKey(name)
	if bad != nil {
		return vals.badName(bad.code, "%s", bad.message)
	}
	c.key = k
	items, err := vals.list(true, "EMPTY_ARRAY_CONDITION")
	if err != nil {
		return err
	}
	for _, it := range items {
		o, err := p.operand(c.op.class, it)
		if err != nil {
			return err
		}
		if c.op.fromAbove && withFraction(it.text) {
			o.date++
		}
		c.values = append(c.values, o)
	}
	c.collect()
	if c.set == nil {
		p.compared += len(c.values)
	}
	return nil
}

// collect makes a set of the values, if that is quicker than to compare one after the other.
func (c *condition) collect() {
	variable := func(o operand) bool { return o.pattern.parts != nil }
	if c.op.class != stringClass || len(c.values) < 8 || slices.ContainsFunc(c.values, variable) {
		return
	}
	c.set = make(map[string]bool, len(c.values))
	for i := range c.values {
		c.set[c.values[i].pattern.text] = true
	}
}

// foldedTwice refuses two members whose names differ in case only: they are the same operator or key.
func foldedTwice(n *node) *ParseError {
	seen := make(map[string]bool, len(n.names))
	for i, name := range n.names {
		lower := strings.ToLower(name)
		if tag := strings.IndexByte(name, '/'); tag >= 0 && strings.HasPrefix(lower, "vpc-lattice-svcs:requestquerystring/") {
			lower = lower[:tag] + name[tag:]
		}
		if seen[lower] {
			return n.items[i].badName("DUPLICATE_KEYS_WITH_DIFFERENT_CASE", "%s is there already, in other letters", quote(name))
		}
		seen[lower] = true
	}
	return nil
}

// parseOperator splits ForAnyValue:StringLikeIfExists, the name of a block.
func parseOperator(n *node, text string) (op *operator, set quantifier, ifExists bool, err *ParseError) {
	name := text
	if prefix, rest, ok := strings.Cut(text, ":"); ok {
		name = rest
		switch {
		case foldEqual(prefix, "ForAllValues"):
			set = forAllValues
		case foldEqual(prefix, "ForAnyValue"):
			set = forAnyValue
		default:
			return nil, 0, false, n.badName("INVALID_CONDITION_OPERATOR", "there is no set operator %s", quote(prefix))
		}
	}
	if n := len(name) - len("IfExists"); n > 0 && foldEqual(name[n:], "IfExists") {
		name, ifExists = name[:n], true
	}
	i := slices.IndexFunc(operators, func(o operator) bool { return foldEqual(o.name, name) })
	if i < 0 {
		return nil, 0, false, n.badName("INVALID_CONDITION_OPERATOR", "there is no condition operator %s", quote(text))
	}
	op = &operators[i]
	if op.class == nullClass && (ifExists || set != anyOfOne) {
		return nil, 0, false, n.badName("NULL_WITH_IF_EXISTS", "Null takes neither IfExists nor a set operator")
	}
	return op, set, ifExists, nil
}

// classNames say in errors what the values of an operator are, with Access Analyzer's code.
var classNames = map[class]struct{ name, code string }{
	arnClass:     {"an ARN", "INVALID_ARN_PREFIX"},
	numberClass:  {"a number", "TYPE_MISMATCH_NUMBER"},
	dateClass:    {"a date", "TYPE_MISMATCH_DATE"},
	boolClass:    {"true or false", "TYPE_MISMATCH_BOOLEAN"},
	nullClass:    {"true or false", "TYPE_MISMATCH_BOOLEAN"},
	addressClass: {"an IP address or CIDR block", "TYPE_MISMATCH_IP_RANGE"},
	binaryClass:  {"base64", "TYPE_MISMATCH_BINARY"},
}

// operand reads a value of the policy.
func (p *parser) operand(c class, n *node) (o operand, err *ParseError) {
	ok, t := true, n.text
	switch c {
	case stringClass, foldClass:
		o.pattern, err = p.pattern(n, false)
	case likeClass:
		o.pattern, err = p.pattern(n, true)
	case arnClass:
		o.pattern, err = p.pattern(n, true)
		ok = t == "*" || o.pattern.parts != nil || strings.HasPrefix(t, "arn:") && strings.Count(t, ":") >= 5
	case numberClass:
		o.number, ok = parseNumber(t)
	case dateClass:
		o.date, ok = parseDate(t)
	case boolClass, nullClass:
		o.truth = foldEqual(t, "true")
		ok = o.truth || foldEqual(t, "false")
	case addressClass:
		o.prefix, ok = parsePrefix(t)
	case binaryClass:
		b, err := base64.StdEncoding.DecodeString(t)
		o.bytes, ok = string(b), err == nil
	}
	switch {
	case err != nil || ok:
	case p.variables && strings.Contains(t, "${"):
		err = n.bad("INVALID_VARIABLE_FOR_OPERATOR", "%s: operators of strings and ARNs alone take variables", quote(t))
	default:
		err = n.bad(classNames[c].code, "%s is not %s", quote(t), classNames[c].name)
	}
	return o, err
}

// parseNumber reads a decimal number.
func parseNumber(t string) (float64, bool) {
	if t == "" || strings.Trim(t, "+-.0123456789") != "" { // ParseFloat also knows NaN, Inf and hexadecimal
		return 0, false
	}
	f, err := strconv.ParseFloat(t, 64)
	return f, err == nil
}

// dateForms are the forms of ISO 8601 that IAM documents.
var dateForms = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02T15Z07:00", "2006-01-02Z07:00", "2006-01-02", "2006-01", "20060102T150405Z"}

// parseDate reads a date or the seconds since 1970. Fractions of a second are cut off; operator.fromAbove says where a
// policy's are not.
func parseDate(t string) (int64, bool) {
	if len(t) != 4 && strings.Trim(t, "0123456789") == "" { // four digits are a year, not seconds
		n, err := strconv.ParseInt(t, 10, 64)
		return n, err == nil
	}
	for _, form := range dateForms {
		if d, err := time.Parse(form, t); err == nil {
			return d.Unix(), true
		}
	}
	if d, err := time.Parse("2006", t); err == nil {
		return d.Unix(), true
	}
	return 0, false
}

// withFraction tells whether a date is between two seconds.
func withFraction(t string) bool {
	for _, form := range dateForms[:2] {
		if d, err := time.Parse(form, t); err == nil {
			return d.Nanosecond() > 0
		}
	}
	return false
}

// parsePrefix reads an address or a block. Host bits do not matter, as on AWS.
func parsePrefix(t string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(t); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(t)
	if err == nil && p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), err == nil
}

// How many values of one key are looked at. Each is compared with each of the policy's, so a query of thousands of equal
// names must not be able to keep a node busy: it is maxValues, and less in a policy of more than maxCompared/maxValues
// values, but minValues always.
const (
	maxValues   = 128
	minValues   = 4
	maxCompared = 4096
)

// bound sets how many values of the request conditions look at.
func (p *parser) bound(conditions []condition) {
	for i := range conditions {
		c := &conditions[i]
		c.most = maxValues
		if c.set == nil {
			c.most = min(maxValues, max(minValues, maxCompared/max(1, p.compared)))
		}
	}
}

// holds evaluates the condition of a statement that denies or allows. What can't be told is held against the caller: a
// key with too many values to look at, and a negated comparison that is true only because a variable has no value, meet
// the condition of a Deny and not that of an Allow.
func (c *condition) holds(r *Request, deny bool) bool {
	v, next, ok := c.key.value(r, 0)
	if c.op.class == nullClass {
		for i := range c.values {
			if c.values[i].truth == !ok {
				return true
			}
		}
		return false
	}
	if !ok {
		return c.ifExists || c.quantity == forAllValues || c.quantity == anyOfOne && c.op.negated
	}
	found := false // the value that decides: a match, or what ForAllValues must not have and ForAnyValue wants
	for n := 0; ok && (!found || c.quantity == anyOfOne); v, next, ok = c.key.value(r, next) {
		if n++; n > c.most {
			return deny
		}
		m := c.matches(r, &v)
		switch c.quantity {
		case forAllValues:
			found = m == c.op.negated
		case forAnyValue:
			found = m != c.op.negated
		default:
			found = found || m
		}
	}
	result := found
	if c.quantity == forAllValues || c.quantity == anyOfOne && c.op.negated {
		result = !found
	}
	if result && c.op.negated && !c.resolved(r) {
		return deny
	}
	return result
}

// resolved tells whether the variables of all values have one.
func (c *condition) resolved(r *Request) bool {
	for i := range c.values {
		if !c.values[i].pattern.resolved(r) {
			return false
		}
	}
	return true
}

// matches compares one value of the request with all of the policy, before negation.
func (c *condition) matches(r *Request, v *value) bool {
	switch c.op.class {
	case numberClass:
		n, ok := v.number()
		for i := range c.values {
			if ok && c.op.ordered(compare(n, c.values[i].number)) {
				return true
			}
		}
	case dateClass:
		n, ok := v.date()
		for i := range c.values {
			if ok && c.op.ordered(compare(n, c.values[i].date)) {
				return true
			}
		}
	case addressClass:
		a, ok := v.address()
		for i := range c.values {
			if ok && c.values[i].prefix.Contains(a) {
				return true
			}
		}
	case binaryClass:
		b, err := base64.StdEncoding.DecodeString(v.string())
		for i := range c.values {
			if err == nil && c.values[i].bytes == string(b) {
				return true
			}
		}
	default:
		return c.matchesText(r, v.string())
	}
	return false
}

// matchesText is matches for what is compared as text.
func (c *condition) matchesText(r *Request, s string) bool {
	if c.set != nil {
		return c.set[s]
	}
	for i := range c.values {
		o := &c.values[i]
		m := false
		switch c.op.class {
		case stringClass, likeClass:
			m = o.pattern.match(r, s)
		case foldClass:
			m = o.pattern.matchFold(r, s)
		case arnClass:
			m = o.pattern.matchARN(r, s)
		case boolClass:
			m = o.truth && foldEqual(s, "true") || !o.truth && foldEqual(s, "false")
		}
		if m {
			return true
		}
	}
	return false
}

// ordered tells whether a comparison's result is one that the operator wants.
func (o *operator) ordered(result int) bool {
	for _, want := range o.orders {
		if result == want {
			return true
		}
	}
	return false
}

// compare is cmp.Compare for numbers of one kind.
func compare[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// number is the value as operators of numbers see it.
func (v *value) number() (float64, bool) {
	switch v.kind {
	case numberValue, timeValue:
		return float64(v.n), true
	case textValue:
		return parseNumber(v.text)
	}
	return 0, false
}

// date is the value as operators of dates see it.
func (v *value) date() (int64, bool) {
	switch v.kind {
	case numberValue, timeValue:
		return v.n, true
	case textValue:
		return parseDate(v.text)
	}
	return 0, false
}

// address is the value as operators of addresses see it.
func (v *value) address() (netip.Addr, bool) {
	if v.kind == addrValue {
		return v.addr.Unmap(), true
	}
	a, err := netip.ParseAddr(v.text)
	return a.Unmap(), err == nil
}
