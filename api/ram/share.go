package ram

import (
	"context"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// share is a share as the wire has it. Others than its owner do not see its tags.
func (h *handler) share(s *trellis.ResourceShare, owner bool) ResourceShare {
	out := ResourceShare{AllowExternalPrincipals: &s.AllowExternalPrincipals, CreationTime: &s.CreatedAt, FeatureSet: new("STANDARD"), LastUpdatedTime: &s.UpdatedAt,
		Name: &s.Name, OwningAccountId: &s.Account, ResourceShareArn: new(s.ARN(h.region)), Status: &s.Status,
		ResourceShareConfiguration: &ResourceShareConfiguration{RetainSharingOnAccountLeaveOrganization: &s.RetainOnLeave}}
	if owner {
		out.Tags = tagList(s.Tags)
	}
	return out
}

// tagList is tags as the wire has them, by key.
func tagList(tags map[string]string) []Tag {
	var out []Tag
	for k, v := range tags {
		out = append(out, Tag{Key: &k, Value: &v})
	}
	slices.SortFunc(out, func(a, b Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return out
}

// tagMap is tags as nouns keep them.
func tagMap(in []Tag) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, t := range in {
		out[api.Value(t.Key)] = api.Value(t.Value)
	}
	return out
}

// noSources refuses sources, which narrow what service principals may do with a share.
func noSources(sources []string) error {
	if len(sources) > 0 {
		return trellis.NewError(400, "InvalidParameterException", "Sources are for service principals, with whom VPC Lattice resources cannot be shared.")
	}
	return nil
}

// createResourceShare is CreateResourceShare.
func (h *handler) createResourceShare(ctx context.Context, c *api.Call, in *CreateResourceShareInput) (*CreateResourceShareOutput, error) {
	if err := noSources(in.Sources); err != nil {
		return nil, err
	}
	if err := noParameters(len(in.PermissionTemplateParameters)); err != nil {
		return nil, err
	}
	retain := in.ResourceShareConfiguration != nil && api.Value(in.ResourceShareConfiguration.RetainSharingOnAccountLeaveOrganization)
	s, rev, err := h.plane.CreateShare(ctx, c.Caller, controlplane.NewShare{Name: in.Name, AllowExternalPrincipals: in.AllowExternalPrincipals == nil || *in.AllowExternalPrincipals,
		Resources: in.ResourceArns, Principals: in.Principals, Permissions: in.PermissionArns, ClientToken: api.Value(in.ClientToken), Tags: tagMap(in.Tags), RetainOnLeave: retain})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateResourceShareOutput{ClientToken: in.ClientToken, ResourceShare: new(h.share(s, true))}, rev, nil)
}

// updateResourceShare is UpdateResourceShare.
func (h *handler) updateResourceShare(ctx context.Context, c *api.Call, in *UpdateResourceShareInput) (*UpdateResourceShareOutput, error) {
	s, rev, err := h.plane.UpdateShare(ctx, c.Caller, in.ResourceShareArn, in.Name, in.AllowExternalPrincipals)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &UpdateResourceShareOutput{ClientToken: in.ClientToken, ResourceShare: new(h.share(s, true))}, rev, nil)
}

// deleteResourceShare is DeleteResourceShare.
func (h *handler) deleteResourceShare(ctx context.Context, c *api.Call, in *DeleteResourceShareInput) (*DeleteResourceShareOutput, error) {
	rev, err := h.plane.DeleteShare(ctx, c.Caller, in.ResourceShareArn)
	return api.Done(c, &DeleteResourceShareOutput{ClientToken: in.ClientToken, ReturnValue: new(true)}, rev, err)
}

// getResourceShares is GetResourceShares.
func (h *handler) getResourceShares(ctx context.Context, c *api.Call, in *GetResourceSharesInput) (*GetResourceSharesOutput, error) {
	all, err := h.plane.Shares(ctx, c.Caller, "GetResourceShares", in.ResourceOwner == "OTHER-ACCOUNTS")
	if err != nil {
		return nil, err
	}
	if in.PermissionVersion != nil && in.PermissionArn == nil {
		return nil, trellis.NewError(400, "InvalidParameterException", "A version filters only with the ARN of its permission.")
	}
	if err := h.known(all, in.ResourceShareArns); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s *trellis.ResourceShare) bool {
		return !matches(in.ResourceShareArns, s.ARN(h.region)) || in.Name != nil && *in.Name != s.Name ||
			in.ResourceShareStatus != nil && *in.ResourceShareStatus != s.Status ||
			in.PermissionArn != nil && !slices.Contains(s.Permissions, *in.PermissionArn) ||
			in.PermissionArn != nil && in.PermissionVersion != nil && s.PermissionVersions[*in.PermissionArn] != int(*in.PermissionVersion) || !tagged(s, in.TagFilters)
	})
	all, next, err := page(c, all, func(s *trellis.ResourceShare) string { return s.ID }, in.MaxResults, in.NextToken)
	return &GetResourceSharesOutput{NextToken: next, ResourceShares: api.Each(all, func(s *trellis.ResourceShare) ResourceShare {
		return h.share(s, s.Account == c.Account)
	})}, err
}

// known refuses ARNs of shares that are not among all.
func (h *handler) known(all []*trellis.ResourceShare, arns []string) error {
	for _, arn := range arns {
		a, err := trellis.ParseARN(arn)
		if err != nil || a.Service != "ram" {
			return trellis.NewError(400, "MalformedArnException", "The specified Amazon Resource Name (ARN) is not valid: %s", arn)
		}
		if !slices.ContainsFunc(all, func(s *trellis.ResourceShare) bool { return s.ARN(h.region) == arn }) {
			return trellis.NewError(400, "UnknownResourceException", "ResourceShare %s could not be found.", arn)
		}
	}
	return nil
}

// tagged tells whether a share has all tags that filters ask for.
func tagged(s *trellis.ResourceShare, in []TagFilter) bool {
	for _, f := range in {
		v, ok := s.Tags[api.Value(f.TagKey)]
		if !ok || !matches(f.TagValues, v) {
			return false
		}
	}
	return true
}

// tagResource is TagResource.
func (h *handler) tagResource(ctx context.Context, c *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	rev, err := h.plane.TagShare(ctx, c.Caller, shareARN(in.ResourceShareArn, in.ResourceArn), tagMap(in.Tags))
	return api.Done(c, &TagResourceOutput{}, rev, err)
}

// untagResource is UntagResource.
func (h *handler) untagResource(ctx context.Context, c *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.plane.UntagShare(ctx, c.Caller, shareARN(in.ResourceShareArn, in.ResourceArn), in.TagKeys)
	return api.Done(c, &UntagResourceOutput{}, rev, err)
}

// shareARN is the ARN of the share to tag, from whichever parameter has it.
func shareARN(share, resource *string) string {
	if share != nil {
		return *share
	}
	return api.Value(resource)
}

// enableSharing is EnableSharingWithAwsOrganization.
func (h *handler) enableSharing(ctx context.Context, c *api.Call, _ *EnableSharingWithAwsOrganizationInput) (*EnableSharingWithAwsOrganizationOutput, error) {
	rev, err := h.plane.EnableSharing(ctx, c.Caller)
	return api.Done(c, &EnableSharingWithAwsOrganizationOutput{ReturnValue: new(true)}, rev, err)
}
