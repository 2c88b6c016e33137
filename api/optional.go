package api

import (
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// Optional members of the wire are pointers, nil when absent. What follows goes to and fro for the services.

// Value is what an optional member holds, or the zero value.
func Value[T any](p *T) T {
	var zero T
	return Or(p, zero)
}

// Or is what an optional member holds, or without one the given value.
func Or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// Some is a pointer to v, or nil for the zero value: the answer leaves the member out then.
func Some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Each turns nouns into their wire form. The list is never nil.
func Each[T, W any](items []T, wire func(T) W) []W {
	out := make([]W, len(items))
	for i, item := range items {
		out[i] = wire(item)
	}
	return out
}

// Done notes the revision of a change and answers out, or passes the change's error on.
func Done[Out any](c *Call, out *Out, rev trellis.Revision, err error) (*Out, error) {
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return out, nil
}

// Cut cuts one page out of all items, which have unique keys, and returns the token of the next one. Items are
// put in the order of their keys first; size 0 is all that is left. Its error is that of Call.After.
func Cut[T any](c *Call, all []T, key func(T) string, token *string, size int) ([]T, *string, error) {
	after, err := c.After(token)
	if err != nil {
		return nil, nil, err
	}
	all = slices.SortedFunc(slices.Values(all), func(a, b T) int { return strings.Compare(key(a), key(b)) })
	if after != "" {
		from, found := slices.BinarySearchFunc(all, after, func(t T, k string) int { return strings.Compare(key(t), k) })
		if found {
			from++
		}
		all = all[from:]
	}
	if size <= 0 || len(all) <= size {
		return all, nil, nil
	}
	return all[:size], c.NextToken(key(all[size-1])), nil
}

// Int is an optional number of the wire as the nouns have it.
func Int(p *int32) *int {
	if p == nil {
		return nil
	}
	return new(int(*p))
}
