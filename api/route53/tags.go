package route53

import (
	"context"
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// zoneTags is the type of resource whose tags are those of hosted zones. The other one, healthcheck, has no resources.
const zoneTags = "hostedzone"

// isZone refuses tags of health checks, which are not served.
func isZone(resourceType, id string) error {
	if resourceType != zoneTags {
		return trellis.NewError(404, "NoSuchHealthCheck", "A health check with id %s does not exist.", id)
	}
	return nil
}

// tagSet is the tags of a zone as the wire has them, by key.
func tagSet(id string, tags map[string]string) ResourceTagSet {
	return ResourceTagSet{ResourceType: new(zoneTags), ResourceId: &id, Tags: api.Each(slices.Sorted(maps.Keys(tags)), func(k string) Tag { return Tag{Key: &k, Value: new(tags[k])} })}
}

// changeTagsForResource serves ChangeTagsForResource.
func (h *handler) changeTagsForResource(ctx context.Context, c *api.Call, in *ChangeTagsForResourceInput) (*ChangeTagsForResourceOutput, error) {
	if err := isZone(in.ResourceType, in.ResourceId); err != nil {
		return nil, err
	}
	add := map[string]string{}
	for _, t := range in.AddTags {
		add[api.Value(t.Key)] = api.Value(t.Value)
	}
	rev, err := h.zones.ChangeTags(ctx, c.Caller, in.ResourceId, add, in.RemoveTagKeys)
	return api.Done(c, new(ChangeTagsForResourceOutput), rev, err)
}

// listTagsForResource serves ListTagsForResource.
func (h *handler) listTagsForResource(ctx context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	if err := isZone(in.ResourceType, in.ResourceId); err != nil {
		return nil, err
	}
	tags, err := h.zones.Tags(ctx, c.Caller, "route53:ListTagsForResource", []string{in.ResourceId})
	if err != nil {
		return nil, err
	}
	return &ListTagsForResourceOutput{ResourceTagSet: new(tagSet(in.ResourceId, tags[0]))}, nil
}

// listTagsForResources serves ListTagsForResources.
func (h *handler) listTagsForResources(ctx context.Context, c *api.Call, in *ListTagsForResourcesInput) (*ListTagsForResourcesOutput, error) {
	if err := isZone(in.ResourceType, in.ResourceIds[0]); err != nil {
		return nil, err
	}
	tags, err := h.zones.Tags(ctx, c.Caller, "route53:ListTagsForResources", in.ResourceIds)
	if err != nil {
		return nil, err
	}
	out := new(ListTagsForResourcesOutput)
	for i, id := range in.ResourceIds {
		out.ResourceTagSets = append(out.ResourceTagSets, tagSet(id, tags[i]))
	}
	return out, nil
}
