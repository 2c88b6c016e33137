package logs

import (
	"context"

	"github.com/trellis-project/trellis/api"
)

// listTagsForResource serves ListTagsForResource; only log groups have tags.
func (h *handler) listTagsForResource(_ context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := h.tagsOf(c, in.ResourceArn)
	return &ListTagsForResourceOutput{Tags: tags}, err
}

// listTagsLogGroup serves ListTagsLogGroup, the older form of ListTagsForResource.
func (h *handler) listTagsLogGroup(_ context.Context, c *api.Call, in *ListTagsLogGroupInput) (*ListTagsLogGroupOutput, error) {
	tags, err := h.tagsOf(c, in.LogGroupName)
	return &ListTagsLogGroupOutput{Tags: tags}, err
}

// tagResource serves TagResource.
func (h *handler) tagResource(_ context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	return &TagResourceOutput{}, h.tag(c, in.ResourceArn, in.Tags)
}

// tagLogGroup serves TagLogGroup, the older form of TagResource.
func (h *handler) tagLogGroup(_ context.Context, c *api.Call, in *TagLogGroupInput) (*TagLogGroupOutput, error) {
	return &TagLogGroupOutput{}, h.tag(c, in.LogGroupName, in.Tags)
}

// untagResource serves UntagResource.
func (h *handler) untagResource(_ context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	return &UntagResourceOutput{}, h.untag(c, in.ResourceArn, in.TagKeys)
}

// untagLogGroup serves UntagLogGroup, the older form of UntagResource.
func (h *handler) untagLogGroup(_ context.Context, c *api.Call, in *UntagLogGroupInput) (*UntagLogGroupOutput, error) {
	return &UntagLogGroupOutput{}, h.untag(c, in.LogGroupName, in.Tags)
}

// tagsOf returns the tags of a log group, which a name or ARN means.
func (h *handler) tagsOf(c *api.Call, identifier string) (map[string]string, error) {
	name, err := h.taggable(c, identifier)
	if err != nil {
		return nil, err
	}
	g, err := h.logs.Group(c.Account, name)
	if err == nil && g.Tags == nil {
		g.Tags = map[string]string{}
	}
	return g.Tags, err
}

// tag adds tags to a log group.
func (h *handler) tag(c *api.Call, identifier string, tags map[string]string) error {
	name, err := h.taggable(c, identifier)
	if err != nil {
		return err
	}
	return h.logs.Tag(c.Account, name, tags)
}

// untag removes tags from a log group.
func (h *handler) untag(c *api.Call, identifier string, keys []string) error {
	name, err := h.taggable(c, identifier)
	if err != nil {
		return err
	}
	return h.logs.Untag(c.Account, name, keys)
}

// taggable returns the name of the log group that an operation on tags means, when the caller may do it.
func (h *handler) taggable(c *api.Call, identifier string) (string, error) {
	name, err := fromIdentifier(c, identifier)
	if err != nil {
		return "", err
	}
	return name, h.onGroup(c, name)
}
