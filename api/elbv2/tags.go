package elbv2

import (
	"context"

	"github.com/trellis-project/trellis/api"
)

// addTags serves AddTags.
func (h *handler) addTags(ctx context.Context, c *api.Call, in *AddTagsInput) (*AddTagsOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.balancers.AddTags(ctx, c.Caller, in.ResourceArns, tags)
	return api.Done(c, &AddTagsOutput{}, rev, err)
}

// removeTags serves RemoveTags.
func (h *handler) removeTags(ctx context.Context, c *api.Call, in *RemoveTagsInput) (*RemoveTagsOutput, error) {
	rev, err := h.balancers.RemoveTags(ctx, c.Caller, in.ResourceArns, in.TagKeys)
	return api.Done(c, &RemoveTagsOutput{}, rev, err)
}

// describeTags serves DescribeTags.
func (h *handler) describeTags(ctx context.Context, c *api.Call, in *DescribeTagsInput) (*DescribeTagsOutput, error) {
	all, err := h.balancers.Tags(ctx, c.Caller, in.ResourceArns)
	if err != nil {
		return nil, err
	}
	return &DescribeTagsOutput{TagDescriptions: api.Each(in.ResourceArns, func(arn string) TagDescription {
		return TagDescription{ResourceArn: &arn, Tags: toTags(all[arn])}
	})}, nil
}
