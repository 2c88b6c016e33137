package organizations

import (
	"context"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireOrganization is an organization as answers have it.
func wireOrganization(o *trellis.Organization, email string) *Organization {
	return &Organization{
		Arn: new(identity.OrgARN(o, "organization", "")), AvailablePolicyTypes: policyTypes(o), FeatureSet: &o.FeatureSet, Id: &o.ID,
		MasterAccountArn: new(identity.OrgARN(o, "account", o.ManagementAccountID)), MasterAccountEmail: &email, MasterAccountId: &o.ManagementAccountID,
	}
}

// createOrganization serves CreateOrganization.
func (h *handlers) createOrganization(ctx context.Context, call *api.Call, in *CreateOrganizationInput) (*CreateOrganizationOutput, error) {
	features := ""
	if in.FeatureSet != nil {
		features = *in.FeatureSet
	}
	o, management, rev, err := h.identity.CreateOrganization(ctx, call.Caller, features)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateOrganizationOutput{Organization: wireOrganization(o, management.Email)}, nil
}

// describeOrganization serves DescribeOrganization.
func (h *handlers) describeOrganization(ctx context.Context, call *api.Call, _ *DescribeOrganizationInput) (*DescribeOrganizationOutput, error) {
	o, management, err := h.identity.DescribeOrganization(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	return &DescribeOrganizationOutput{Organization: wireOrganization(o, management.Email)}, nil
}

// deleteOrganization serves DeleteOrganization.
func (h *handlers) deleteOrganization(ctx context.Context, call *api.Call, _ *DeleteOrganizationInput) (*DeleteOrganizationOutput, error) {
	rev, err := h.identity.DeleteOrganization(ctx, call.Caller)
	return api.Done(call, new(DeleteOrganizationOutput), rev, err)
}

// listRoots serves ListRoots.
func (h *handlers) listRoots(ctx context.Context, call *api.Call, _ *ListRootsInput) (*ListRootsOutput, error) {
	o, err := h.identity.Roots(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	return &ListRootsOutput{Roots: []Root{wireRoot(o)}}, nil
}

// wireRoot is the root of an organization as answers have it.
func wireRoot(o *trellis.Organization) Root {
	return Root{Arn: new(identity.OrgARN(o, "root", o.RootID)), Id: &o.RootID, Name: new("Root"), PolicyTypes: policyTypes(o)}
}

// policyTypes are the enabled types of policies as answers have them.
func policyTypes(o *trellis.Organization) []PolicyTypeSummary {
	return api.Each(o.PolicyTypes, func(t string) PolicyTypeSummary { return PolicyTypeSummary{Status: new("ENABLED"), Type: &t} })
}

// listParents serves ListParents: everything has one parent.
func (h *handlers) listParents(ctx context.Context, call *api.Call, in *ListParentsInput) (*ListParentsOutput, error) {
	parent, err := h.identity.Parent(ctx, call.Caller, in.ChildId)
	if err != nil {
		return nil, err
	}
	kind := "ORGANIZATIONAL_UNIT"
	if strings.HasPrefix(parent, "r-") {
		kind = "ROOT"
	}
	return &ListParentsOutput{Parents: []Parent{{Id: &parent, Type: &kind}}}, nil
}

// listChildren serves ListChildren.
func (h *handlers) listChildren(ctx context.Context, call *api.Call, in *ListChildrenInput) (*ListChildrenOutput, error) {
	ids, err := h.identity.ListChildren(ctx, call.Caller, in.ParentId, in.ChildType == "ORGANIZATIONAL_UNIT")
	if err != nil {
		return nil, err
	}
	ids, next, err := page(call, ids, same, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &ListChildrenOutput{NextToken: next, Children: []Child{}}
	for _, id := range ids {
		out.Children = append(out.Children, Child{Id: &id, Type: &in.ChildType})
	}
	return out, nil
}

// enableAWSServiceAccess serves EnableAWSServiceAccess.
func (h *handlers) enableAWSServiceAccess(ctx context.Context, call *api.Call, in *EnableAWSServiceAccessInput) (*EnableAWSServiceAccessOutput, error) {
	rev, err := h.identity.SetServiceAccess(ctx, call.Caller, in.ServicePrincipal, true)
	return api.Done(call, new(EnableAWSServiceAccessOutput), rev, err)
}

// disableAWSServiceAccess serves DisableAWSServiceAccess.
func (h *handlers) disableAWSServiceAccess(ctx context.Context, call *api.Call, in *DisableAWSServiceAccessInput) (*DisableAWSServiceAccessOutput, error) {
	rev, err := h.identity.SetServiceAccess(ctx, call.Caller, in.ServicePrincipal, false)
	return api.Done(call, new(DisableAWSServiceAccessOutput), rev, err)
}

// listAWSServiceAccessForOrganization serves ListAWSServiceAccessForOrganization.
func (h *handlers) listAWSServiceAccessForOrganization(ctx context.Context, call *api.Call, in *ListAWSServiceAccessForOrganizationInput) (*ListAWSServiceAccessForOrganizationOutput, error) {
	services, err := h.identity.ListServiceAccess(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	services, next, err := page(call, services, same, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &ListAWSServiceAccessForOrganizationOutput{NextToken: next, EnabledServicePrincipals: []EnabledServicePrincipal{}}
	for _, s := range services {
		out.EnabledServicePrincipals = append(out.EnabledServicePrincipals, EnabledServicePrincipal{ServicePrincipal: &s})
	}
	return out, nil
}

// tagResource serves TagResource.
func (h *handlers) tagResource(ctx context.Context, call *api.Call, in *TagResourceInput) (*TagResourceOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.TagOrgResource(ctx, call.Caller, in.ResourceId, tags)
	return api.Done(call, new(TagResourceOutput), rev, err)
}

// untagResource serves UntagResource.
func (h *handlers) untagResource(ctx context.Context, call *api.Call, in *UntagResourceInput) (*UntagResourceOutput, error) {
	rev, err := h.identity.UntagOrgResource(ctx, call.Caller, in.ResourceId, in.TagKeys)
	return api.Done(call, new(UntagResourceOutput), rev, err)
}

// listTagsForResource serves ListTagsForResource.
func (h *handlers) listTagsForResource(ctx context.Context, call *api.Call, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := h.identity.ListOrgTags(ctx, call.Caller, in.ResourceId)
	if err != nil {
		return nil, err
	}
	return &ListTagsForResourceOutput{Tags: toTags(tags)}, nil
}
