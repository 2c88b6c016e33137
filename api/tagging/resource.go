package tagging

import (
	"context"
	"maps"
	"regexp"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/tag"
)

// The sizes of pages (Resource Groups Tagging API reference, GetResources).
const (
	mostResources  = 100
	usualResources = 50
	leastTags      = 100
	mostTags       = 500
	mostNames      = 1000 // of keys and values
)

// typeFilter is the form of a filter by type: a service, with a type of its resources or without.
var typeFilter = regexp.MustCompile(`^[a-z0-9-]+(:[A-Za-z0-9/._-]+)?$`)

// invalid is InvalidParameterException.
func invalid(format string, args ...any) error {
	return trellis.NewError(400, "InvalidParameterException", format, args...)
}

// after is the position that a token stands for. Clients begin with none, or an empty one.
func after(c *api.Call, token *string) (string, error) {
	if api.Value(token) == "" {
		return "", nil
	}
	at, err := c.After(token)
	if err != nil {
		return "", invalid("The PaginationToken is not valid.")
	}
	return at, nil
}

// next is the token of the next page, which is empty at the end.
func next(c *api.Call, at string) *string { return new(api.Value(c.NextToken(at))) }

// getResources serves GetResources.
func (h *handler) getResources(ctx context.Context, c *api.Call, in *GetResourcesInput) (*GetResourcesOutput, error) {
	q := tag.Query{Types: in.ResourceTypeFilters, ARNs: in.ResourceARNList}
	for _, f := range in.TagFilters {
		if f.Key == nil {
			return nil, invalid("A tag filter needs a key.")
		}
		q.Filters = append(q.Filters, tag.Filter{Key: *f.Key, Values: f.Values})
	}
	for _, t := range q.Types {
		if !typeFilter.MatchString(t) {
			return nil, invalid("The resource type %s is not of the form service:resource.", t)
		}
	}
	resources, tags := int(api.Or(in.ResourcesPerPage, usualResources)), int(api.Or(in.TagsPerPage, mostTags))
	switch {
	case len(q.ARNs) > 0 && (len(q.Types) > 0 || len(q.Filters) > 0 || in.ResourcesPerPage != nil || in.TagsPerPage != nil || api.Value(in.PaginationToken) != ""):
		return nil, invalid("ResourceARNList can't be combined with filters and pages.")
	case in.ResourcesPerPage != nil && in.TagsPerPage != nil:
		return nil, invalid("ResourcesPerPage and TagsPerPage can't be combined.")
	case resources < 1 || resources > mostResources:
		return nil, invalid("ResourcesPerPage is from 1 to %d.", mostResources)
	case tags < leastTags || tags > mostTags:
		return nil, invalid("TagsPerPage is from %d to %d.", leastTags, mostTags)
	}
	begin, err := after(c, in.PaginationToken)
	if err != nil {
		return nil, err
	}
	if len(q.ARNs) > 0 || in.TagsPerPage != nil {
		resources = mostResources
	}
	found, err := h.tags.Resources(ctx, c.Caller, q)
	if err != nil {
		return nil, err
	}
	out := &GetResourcesOutput{ResourceTagMappingList: []ResourceTagMapping{}, PaginationToken: new("")}
	count := 0
	for _, r := range found {
		if r.ARN <= begin {
			continue
		}
		if n := len(out.ResourceTagMappingList); n == resources || count+len(r.Tags) > tags && n > 0 {
			out.PaginationToken = next(c, *out.ResourceTagMappingList[n-1].ResourceARN)
			break
		}
		m := ResourceTagMapping{ResourceARN: new(r.ARN)}
		for _, k := range slices.Sorted(maps.Keys(r.Tags)) {
			m.Tags = append(m.Tags, Tag{Key: k, Value: r.Tags[k]})
		}
		count += len(m.Tags)
		out.ResourceTagMappingList = append(out.ResourceTagMappingList, m)
	}
	return out, nil
}

// getTagKeys serves GetTagKeys.
func (h *handler) getTagKeys(ctx context.Context, c *api.Call, in *GetTagKeysInput) (*GetTagKeysOutput, error) {
	keys, token, err := h.names(c, in.PaginationToken, func() ([]string, error) { return h.tags.Keys(ctx, c.Caller) })
	return &GetTagKeysOutput{TagKeys: keys, PaginationToken: token}, err
}

// getTagValues serves GetTagValues.
func (h *handler) getTagValues(ctx context.Context, c *api.Call, in *GetTagValuesInput) (*GetTagValuesOutput, error) {
	values, token, err := h.names(c, in.PaginationToken, func() ([]string, error) { return h.tags.Values(ctx, c.Caller, in.Key) })
	return &GetTagValuesOutput{TagValues: values, PaginationToken: token}, err
}

// names is a page of sorted keys or values. A value may be empty, so positions begin with a letter.
func (h *handler) names(c *api.Call, token *string, find func() ([]string, error)) ([]string, *string, error) {
	begin, err := after(c, token)
	if err != nil {
		return nil, nil, err
	}
	all, err := find()
	if err != nil {
		return nil, nil, err
	}
	if begin != "" {
		all = slices.DeleteFunc(all, func(s string) bool { return s <= begin[1:] })
	}
	if len(all) <= mostNames {
		return all, new(""), nil
	}
	return all[:mostNames], next(c, "-"+all[mostNames-1]), nil
}

// tagResources serves TagResources.
func (h *handler) tagResources(ctx context.Context, c *api.Call, in *TagResourcesInput) (*TagResourcesOutput, error) {
	failures, rev, err := h.tags.TagResources(ctx, c.Caller, in.ResourceARNList, in.Tags)
	return api.Done(c, &TagResourcesOutput{FailedResourcesMap: failed(failures)}, rev, err)
}

// untagResources serves UntagResources.
func (h *handler) untagResources(ctx context.Context, c *api.Call, in *UntagResourcesInput) (*UntagResourcesOutput, error) {
	failures, rev, err := h.tags.UntagResources(ctx, c.Caller, in.ResourceARNList, in.TagKeys)
	return api.Done(c, &UntagResourcesOutput{FailedResourcesMap: failed(failures)}, rev, err)
}

// failed are failures as the wire has them.
func failed(failures tag.Failures) map[string]FailureInfo {
	all := map[string]FailureInfo{}
	for arn, e := range failures {
		all[arn] = FailureInfo{ErrorCode: new(e.Code), ErrorMessage: new(e.Message), StatusCode: new(int32(e.Status))}
	}
	return all
}
