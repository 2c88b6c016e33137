package iam

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// policyDetails are inline policies as details have them.
func policyDetails(docs []trellis.PolicyDoc) []PolicyDetail {
	return api.Each(docs, func(p trellis.PolicyDoc) PolicyDetail {
		return PolicyDetail{PolicyDocument: new(document(p.Text)), PolicyName: &p.Name}
	})
}

// userDetail is a user with all that it has.
func userDetail(u *trellis.User) UserDetail {
	return UserDetail{
		Arn: new(u.ARN()), AttachedManagedPolicies: attachedPolicies(u.Attached, ""), CreateDate: &u.CreatedAt, GroupList: slices.Concat([]string{}, u.Groups),
		Path: &u.Path, PermissionsBoundary: wireBoundary(u.Boundary), Tags: toTags(u.Tags), UserId: &u.ID, UserName: &u.Name, UserPolicyList: policyDetails(u.Inline),
	}
}

// groupDetail is a group with all that it has.
func groupDetail(g *trellis.Group) GroupDetail {
	return GroupDetail{
		Arn: new(g.ARN()), AttachedManagedPolicies: attachedPolicies(g.Attached, ""), CreateDate: &g.CreatedAt, GroupId: &g.ID, GroupName: &g.Name,
		GroupPolicyList: policyDetails(g.Inline), Path: &g.Path,
	}
}

// roleDetail is a role with all that it has.
func roleDetail(r *trellis.Role, profiles []identity.Profile) RoleDetail {
	out := RoleDetail{
		Arn: new(r.ARN()), AssumeRolePolicyDocument: new(document(r.TrustPolicy)), AttachedManagedPolicies: attachedPolicies(r.Attached, ""),
		CreateDate: &r.CreatedAt, InstanceProfileList: []InstanceProfile{}, Path: &r.Path, PermissionsBoundary: wireBoundary(r.Boundary), RoleId: &r.ID,
		RoleLastUsed: &RoleLastUsed{}, RoleName: &r.Name, RolePolicyList: policyDetails(r.Inline), Tags: toTags(r.Tags),
	}
	for _, p := range profiles {
		if p.RoleName == r.Name {
			out.InstanceProfileList = append(out.InstanceProfileList, wireProfile(p))
		}
	}
	return out
}

// managedDetail is a managed policy with its versions.
func managedDetail(u *identity.PolicyUse) ManagedPolicyDetail {
	p := wirePolicy(u)
	out := ManagedPolicyDetail{
		Arn: p.Arn, AttachmentCount: p.AttachmentCount, CreateDate: p.CreateDate, DefaultVersionId: p.DefaultVersionId, Description: p.Description,
		IsAttachable: p.IsAttachable, Path: p.Path, PermissionsBoundaryUsageCount: p.PermissionsBoundaryUsageCount, PolicyId: p.PolicyId,
		PolicyName: p.PolicyName, UpdateDate: p.UpdateDate,
	}
	for _, v := range slices.Backward(identity.PolicyVersions(u.Policy)) {
		version := wireVersion(u.Policy, v)
		version.Document = new(document(v.Text))
		out.PolicyVersionList = append(out.PolicyVersionList, version)
	}
	return out
}

// detail is one item of GetAccountAuthorizationDetails. put adds it to the answer.
type detail struct {
	key string // orders users, groups, roles and policies
	put func(*GetAccountAuthorizationDetailsOutput)
}

// detailsOf are the items that a filter wants; an empty one wants all.
func detailsOf(d *identity.Details, account string, filter []string) (items []detail) {
	wants := func(kind string) bool { return len(filter) == 0 || slices.Contains(filter, kind) }
	if wants("User") {
		for _, u := range d.Users {
			items = append(items, detail{"1/" + u.Name, func(out *GetAccountAuthorizationDetailsOutput) {
				out.UserDetailList = append(out.UserDetailList, userDetail(u))
			}})
		}
	}
	if wants("Group") {
		for _, g := range d.Groups {
			items = append(items, detail{"2/" + g.Name, func(out *GetAccountAuthorizationDetailsOutput) {
				out.GroupDetailList = append(out.GroupDetailList, groupDetail(g))
			}})
		}
	}
	if wants("Role") {
		for _, r := range d.Roles {
			items = append(items, detail{"3/" + r.Name, func(out *GetAccountAuthorizationDetailsOutput) {
				out.RoleDetailList = append(out.RoleDetailList, roleDetail(r, d.Profiles))
			}})
		}
	}
	for _, p := range d.Policies {
		if p.Policy.Account == account && wants("LocalManagedPolicy") || p.Policy.Account != account && wants("AWSManagedPolicy") {
			items = append(items, detail{"4/" + p.Policy.Key(), func(out *GetAccountAuthorizationDetailsOutput) {
				out.Policies = append(out.Policies, managedDetail(p))
			}})
		}
	}
	return items
}

// getAccountAuthorizationDetails serves GetAccountAuthorizationDetails.
func (h *handlers) getAccountAuthorizationDetails(ctx context.Context, call *api.Call, in *GetAccountAuthorizationDetailsInput) (*GetAccountAuthorizationDetailsOutput, error) {
	d, err := h.identity.AccountDetails(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	items, p, err := page(call, detailsOf(d, call.Account, in.Filter), func(d detail) string { return d.key }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &GetAccountAuthorizationDetailsOutput{IsTruncated: p.truncated, Marker: p.marker,
		UserDetailList: []UserDetail{}, GroupDetailList: []GroupDetail{}, RoleDetailList: []RoleDetail{}, Policies: []ManagedPolicyDetail{}}
	for _, item := range items {
		item.put(out)
	}
	return out, nil
}
