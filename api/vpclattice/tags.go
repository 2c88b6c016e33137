package vpclattice

import (
	"context"

	"github.com/trellis-project/trellis/api"
)

// listTagsForResource serves ListTagsForResource.
func (h *handler) listTagsForResource(ctx context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := h.plane.ListTagsForResource(ctx, c.Caller, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if tags == nil {
		tags = map[string]string{}
	}
	return &ListTagsForResourceOutput{Tags: tags}, nil
}

// tagResource serves TagResource.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	rev, err := h.plane.TagResource(ctx, c.Caller, in.ResourceArn, in.Tags)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &TagResourceOutput{}, nil
}

// untagResource serves UntagResource.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.plane.UntagResource(ctx, c.Caller, in.ResourceArn, in.TagKeys)
	if err != nil {
		return nil, err
	}
	c.Committed(rev)
	return &UntagResourceOutput{}, nil
}
