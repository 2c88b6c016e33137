package organizations

import (
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// defaultPage is how many items a page has when MaxResults is absent.
const defaultPage = 20

// page cuts one page out of all items, which have unique keys.
func page[T any](call *api.Call, all []T, key func(T) string, token *string, maxResults *int32) ([]T, *string, error) {
	return api.Cut(call, all, key, token, int(api.Or(maxResults, defaultPage)))
}

// same is the key of items that are keys themselves.
func same(s string) string { return s }

// fromTags makes a map of a request's tags. A key that comes twice is refused.
func fromTags(tags []Tag) (map[string]string, error) {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		if _, twice := m[t.Key]; twice {
			return nil, trellis.NewError(400, "InvalidInputException", "Duplicate tag keys are not allowed.")
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
