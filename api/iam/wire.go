package iam

import (
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
	all, next, err := api.Cut(call, all, key, marker, int(api.Or(maxItems, defaultPage)))
	if err != nil {
		return nil, paging{}, err
	}
	return all, paging{new(next != nil), next}, nil
}

// pageTags is page for the tags of a noun.
func pageTags(call *api.Call, tags map[string]string, marker *string, maxItems *int32) ([]Tag, paging, error) {
	return page(call, toTags(tags), func(t Tag) string { return t.Key }, marker, maxItems)
}

// same is the key of items that are keys themselves.
func same(s string) string { return s }

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
