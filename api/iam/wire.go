package iam

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// defaultPage is how many items a page has when MaxItems is absent.
const defaultPage = 100

// paging is the end of a page: whether there are further items and where they begin.
type paging struct {
	truncated *bool
	marker    *string
}

// page cuts one page out of all items, which have unique keys. Items are sorted by key first.
func page[T any](call *api.Call, all []T, key func(T) string, marker *string, maxItems *int32) ([]T, paging, error) {
	after, err := call.After(marker)
	if err != nil {
		return nil, paging{}, err
	}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	if after != "" {
		at, found := slices.BinarySearchFunc(all, after, func(t T, k string) int { return cmp.Compare(key(t), k) })
		if found {
			at++
		}
		all = all[at:]
	}
	size := defaultPage
	if maxItems != nil {
		size = int(*maxItems)
	}
	if len(all) <= size {
		return all, paging{truncated: new(false)}, nil
	}
	all = all[:size]
	return all, paging{new(true), call.NextToken(key(all[size-1]))}, nil
}

// same is the key of items that are keys themselves.
func same(s string) string { return s }

// text is the value of an optional text, empty when absent.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// optional is an optional text, absent when empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// document is a policy's text as IAM's answers have it: percent-encoded (IAM API reference, GetRolePolicy).
func document(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// fromTags makes a map of a request's tags. A key that comes twice is refused.
func fromTags(tags []Tag) (map[string]string, error) {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		for k := range m {
			if strings.EqualFold(k, t.Key) {
				return nil, trellis.NewError(400, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
			}
		}
		m[t.Key] = t.Value
	}
	return m, nil
}

// toTags makes an answer's tags, sorted by key.
func toTags(m map[string]string) []Tag {
	tags := make([]Tag, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, Tag{Key: k, Value: m[k]})
	}
	return tags
}

// done is the answer of an operation that answers nothing but its revision.
func done[Out any](call *api.Call, rev trellis.Revision, err error) (*Out, error) {
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return new(Out), nil
}
