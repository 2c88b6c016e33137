package controlplane

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// Filter narrows a Describe operation: one of Values must match. * and ? stand for any characters and any
// one character, and a backslash takes the next character as itself (EC2 API reference, Filter).
type Filter struct {
	Name   string
	Values []string
}

// Query is what a Describe operation asks for: all of some ids, which must exist, or everything of the
// caller's account, narrowed by filters that must all match.
type Query struct {
	IDs     []string
	Filters []Filter
}

// attributes are the values that a noun has for each filter name of its operation. A noun without a value
// has an empty list; a name that is missing is not a filter of the operation.
type attributes map[string][]string

// matches tells whether a noun passes every filter. An unknown filter is InvalidParameterValue.
func (q Query) matches(a attributes, tags map[string]string) (bool, error) {
	for _, f := range q.Filters {
		var have []string
		switch key, isTag := strings.CutPrefix(f.Name, "tag:"); {
		case isTag:
			if v, ok := tags[key]; ok {
				have = []string{v}
			}
		case f.Name == "tag-key":
			for k := range tags {
				have = append(have, k)
			}
		default:
			v, known := a[f.Name]
			if !known {
				return false, unknownFilter(f.Name)
			}
			have = v
		}
		if len(f.Values) == 0 {
			return false, ec2Error("InvalidParameterValue", "The filter '%s' must have at least one value", f.Name)
		}
		if !slices.ContainsFunc(f.Values, func(pattern string) bool {
			return slices.ContainsFunc(have, func(v string) bool { return wildcard(pattern, v) })
		}) {
			return false, nil
		}
	}
	return true, nil
}

// unknownFilter says that an operation has no such filter.
func unknownFilter(name string) error {
	return ec2Error("InvalidParameterValue", "The filter '%s' is invalid", name)
}

// check refuses unknown filters also where there is nothing to filter.
func (q Query) check(a attributes) error {
	for _, f := range q.Filters {
		if _, known := a[f.Name]; !known && f.Name != "tag-key" && !strings.HasPrefix(f.Name, "tag:") {
			return unknownFilter(f.Name)
		}
	}
	return nil
}

// wildcard matches a pattern with * and ? in time linear in len(pattern) * len(s) at worst, without recursion.
func wildcard(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p+1 < len(pattern) && pattern[p] == '\\' && pattern[p+1] == s[i]:
			p += 2
			i++
		case p < len(pattern) && pattern[p] != '\\' && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// describe lists the nouns of the caller's account that a query asks for, by id. attrs gives the values of
// the operation's filters; it is called once with an empty noun, to know the filters.
func describe[T trellis.Noun](ctx context.Context, p *Plane, c EC2Call, action string, k idKind, q Query, empty T, attrs func(*store.Tx, T) (attributes, map[string]string)) ([]T, error) {
	if err := c.allow(action, nil, "*"); err != nil {
		return nil, err
	}
	var out []T
	err := p.read(ctx, func(tx *store.Tx) error {
		out = nil
		known, _ := attrs(tx, empty)
		if err := q.check(known); err != nil {
			return err
		}
		nouns, err := queried[T](tx, k, c.account(), q.IDs)
		if err != nil {
			return err
		}
		for _, n := range nouns {
			a, tags := attrs(tx, n)
			ok, err := q.matches(a, tags)
			if err != nil {
				return err
			}
			if ok {
				out = append(out, n)
			}
		}
		return nil
	})
	return out, err
}

// queried reads the nouns of an account with the given ids, or all of them when there are none.
func queried[T trellis.Noun](tx *store.Tx, k idKind, account string, ids []string) ([]T, error) {
	if len(ids) == 0 {
		return store.List[T](tx, account+"/")
	}
	var out []T
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		n, err := find[T](tx, k, account, id)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// flag is a bool as filters write it.
func flag(b bool) []string { return []string{strconv.FormatBool(b)} }

// one is the list of one value, and the empty list for an empty value.
func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
