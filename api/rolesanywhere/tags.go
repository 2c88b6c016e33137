package rolesanywhere

import (
	"context"
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// fromTags makes a map of a request's tags. A key that comes twice is refused.
func fromTags(tags []Tag) (map[string]string, error) {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		if _, twice := m[t.Key]; twice {
			return nil, trellis.NewError(400, "ValidationException", "The tag key %s is given twice.", t.Key)
		}
		m[t.Key] = t.Value
	}
	return m, nil
}

// tagResource serves TagResource.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.TagAnywhere(ctx, c.Caller, in.ResourceArn, tags)
	return api.Done(c, new(TagResourceOutput), rev, err)
}

// untagResource serves UntagResource.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.identity.UntagAnywhere(ctx, c.Caller, in.ResourceArn, in.TagKeys)
	return api.Done(c, new(UntagResourceOutput), rev, err)
}

// listTagsForResource serves ListTagsForResource.
func (h *handler) listTagsForResource(ctx context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := h.identity.AnywhereTags(ctx, c.Caller, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &ListTagsForResourceOutput{Tags: []Tag{}}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, Tag{Key: k, Value: tags[k]})
	}
	return out, nil
}
