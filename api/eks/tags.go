package eks

import (
	"context"

	"github.com/trellis-project/trellis/api"
)

// tagResource serves TagResource.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	rev, err := h.identity.TagEKSResource(ctx, c.Caller, in.ResourceArn, in.Tags)
	return api.Done(c, &TagResourceOutput{}, rev, err)
}

// untagResource serves UntagResource.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.identity.UntagEKSResource(ctx, c.Caller, in.ResourceArn, in.TagKeys)
	return api.Done(c, &UntagResourceOutput{}, rev, err)
}

// listTagsForResource serves ListTagsForResource.
func (h *handler) listTagsForResource(ctx context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := h.identity.EKSTags(ctx, c.Caller, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &ListTagsForResourceOutput{Tags: tagsOf(tags)}, nil
}
