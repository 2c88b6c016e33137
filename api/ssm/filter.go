package ssm

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// filtered tells which parameters all filters let pass (Systems Manager API, ParameterStringFilter). Labels are of versions, and
// let none pass here.
func filtered(filters []ParameterStringFilter) (func(*trellis.Parameter) bool, error) {
	for _, f := range filters {
		option := api.Or(f.Option, "")
		known := map[string][]string{"Name": {"", "Equals", "BeginsWith", "Contains"}, "Path": {"Recursive", "OneLevel", ""}}[f.Key]
		if known == nil {
			known = []string{"", "Equals", "BeginsWith"}
		}
		switch {
		case !slices.Contains(known, option):
			return nil, trellis.NewError(400, "InvalidFilterOption", "The filter option %s does not go with the filter %s. Valid options include: %s", option, f.Key, known[1:])
		case len(f.Values) == 0 && !strings.HasPrefix(f.Key, "tag:"):
			return nil, trellis.NewError(400, "InvalidFilterValue", "The filter %s must have values.", f.Key)
		}
	}
	return func(n *trellis.Parameter) bool {
		return !slices.ContainsFunc(filters, func(f ParameterStringFilter) bool { return !passes(f, n) })
	}, nil
}

// passes tells whether one filter lets a parameter pass: any of its values does.
func passes(f ParameterStringFilter, n *trellis.Parameter) bool {
	tag, isTag := strings.CutPrefix(f.Key, "tag:")
	value, has := n.Tags[tag]
	if isTag && (!has || len(f.Values) == 0) {
		return has
	}
	if !isTag {
		value = map[string]string{"Name": n.ID, "Path": n.ID, "Type": string(n.Type), "KeyId": n.KeyID, "Tier": n.Tier, "DataType": n.DataType}[f.Key]
	}
	return slices.ContainsFunc(f.Values, func(want string) bool {
		switch option := api.Or(f.Option, "Equals"); {
		case f.Key == "Path":
			below, is := strings.CutPrefix(value, strings.TrimSuffix(want, "/")+"/")
			return is && (option == "Recursive" || !strings.Contains(below, "/"))
		case option == "BeginsWith":
			return strings.HasPrefix(value, want) || f.Key == "Name" && strings.HasPrefix(value, "/"+want)
		case option == "Contains":
			return strings.Contains(value, want)
		default:
			return value == want
		}
	})
}

// fromTags makes a map of a request's tags.
func fromTags(tags []Tag) map[string]string {
	m := map[string]string{}
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// ofParameter refuses the types of resources that Trellis has not.
func ofParameter(kind string) error {
	if kind != "Parameter" {
		return trellis.NewError(400, "InvalidResourceType", "The resource type is not valid. Trellis has resources of the type Parameter alone.")
	}
	return nil
}

// addTagsToResource serves AddTagsToResource.
func (h *handler) addTagsToResource(ctx context.Context, c *api.Call, in *AddTagsToResourceInput) (*AddTagsToResourceOutput, error) {
	if err := ofParameter(in.ResourceType); err != nil {
		return nil, err
	}
	rev, err := h.parameters.Tag(ctx, c.Caller, "ssm:AddTagsToResource", in.ResourceId, fromTags(in.Tags), nil)
	return api.Done(c, &AddTagsToResourceOutput{}, rev, err)
}

// removeTagsFromResource serves RemoveTagsFromResource.
func (h *handler) removeTagsFromResource(ctx context.Context, c *api.Call, in *RemoveTagsFromResourceInput) (*RemoveTagsFromResourceOutput, error) {
	if err := ofParameter(in.ResourceType); err != nil {
		return nil, err
	}
	rev, err := h.parameters.Tag(ctx, c.Caller, "ssm:RemoveTagsFromResource", in.ResourceId, nil, in.TagKeys)
	return api.Done(c, &RemoveTagsFromResourceOutput{}, rev, err)
}

// listTagsForResource serves ListTagsForResource.
func (h *handler) listTagsForResource(ctx context.Context, c *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	if err := ofParameter(in.ResourceType); err != nil {
		return nil, err
	}
	tags, err := h.parameters.Tags(ctx, c.Caller, in.ResourceId)
	return &ListTagsForResourceOutput{TagList: api.Each(slices.Sorted(maps.Keys(tags)), func(k string) Tag { return Tag{Key: k, Value: tags[k]} })}, err
}
