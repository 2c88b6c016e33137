package acm

import (
	"context"
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// fromTags makes a map of a request's tags. A key that comes twice is refused.
func fromTags(tags []Tag) (map[string]string, error) {
	var m map[string]string
	for _, t := range tags {
		if m == nil {
			m = map[string]string{}
		}
		if _, twice := m[t.Key]; twice {
			return nil, trellis.NewError(400, "InvalidTagException", "The tag key %s is given twice.", t.Key)
		}
		m[t.Key] = api.Or(t.Value, "")
	}
	return m, nil
}

// toTags makes an answer's tags, sorted by key.
func toTags(m map[string]string) []Tag {
	tags := make([]Tag, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, Tag{Key: k, Value: new(m[k])})
	}
	return tags
}

// addTagsToCertificate serves AddTagsToCertificate.
func (h *handler) addTagsToCertificate(ctx context.Context, c *api.Call, in *AddTagsToCertificateInput) (*AddTagsToCertificateOutput, error) {
	return new(AddTagsToCertificateOutput), h.tag(ctx, c, in.CertificateArn, in.Tags)
}

// tagResource serves TagResource, the newer form of AddTagsToCertificate.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	return new(TagResourceOutput), h.tag(ctx, c, in.ResourceArn, in.Tags)
}

// tag adds tags to a certificate.
func (h *handler) tag(ctx context.Context, c *api.Call, arn string, list []Tag) error {
	tags, err := fromTags(list)
	if err != nil {
		return err
	}
	rev, err := h.plane.TagCertificate(ctx, c.Caller, arn, "acm:"+c.Operation, tags)
	c.Committed(rev)
	return err
}

// removeTagsFromCertificate serves RemoveTagsFromCertificate.
func (h *handler) removeTagsFromCertificate(ctx context.Context, c *api.Call, in *RemoveTagsFromCertificateInput) (*RemoveTagsFromCertificateOutput, error) {
	tags := map[string]*string{}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	rev, err := h.plane.UntagCertificate(ctx, c.Caller, in.CertificateArn, "acm:"+c.Operation, tags)
	return api.Done(c, new(RemoveTagsFromCertificateOutput), rev, err)
}

// untagResource serves UntagResource, the newer form of RemoveTagsFromCertificate.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	tags := map[string]*string{}
	for _, k := range in.TagKeys {
		tags[k] = nil
	}
	rev, err := h.plane.UntagCertificate(ctx, c.Caller, in.ResourceArn, "acm:"+c.Operation, tags)
	return api.Done(c, new(UntagResourceOutput), rev, err)
}

// listTagsForCertificate serves ListTagsForCertificate.
func (h *handler) listTagsForCertificate(ctx context.Context, c *api.Call, in *ListTagsForCertificateInput) (*ListTagsForCertificateOutput, error) {
	tags, err := h.plane.ListTagsForCertificate(ctx, c.Caller, in.CertificateArn, "acm:"+c.Operation)
	return &ListTagsForCertificateOutput{Tags: toTags(tags)}, err
}

// listTagsForResource serves ListTagsForResource, the newer form of ListTagsForCertificate.
func (h *handler) listTagsForResource(ctx context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := h.plane.ListTagsForCertificate(ctx, c.Caller, in.ResourceArn, "acm:"+c.Operation)
	return &ListTagsForResourceOutput{Tags: toTags(tags)}, err
}
