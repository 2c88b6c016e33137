// Package iam serves AWS's IAM on the wire. What its operations mean is package identity's matter.
package iam

import (
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// handlers serve the operations; each translates between the wire and identity.
type handlers struct{ identity *identity.Identity }

// New returns IAM with its table of operations.
func New(i *identity.Identity) api.Service {
	h := &handlers{i}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AttachRolePolicy", h.attachRolePolicy),
		api.Op("AttachUserPolicy", h.attachUserPolicy),
		api.Op("CreateAccessKey", h.createAccessKey),
		api.Op("CreatePolicy", h.createPolicy),
		api.Op("CreateRole", h.createRole),
		api.Op("CreateUser", h.createUser),
		api.Op("DeleteAccessKey", h.deleteAccessKey),
		api.Op("DeletePolicy", h.deletePolicy),
		api.Op("DeleteRole", h.deleteRole),
		api.Op("DeleteRolePolicy", h.deleteRolePolicy),
		api.Op("DeleteUser", h.deleteUser),
		api.Op("DeleteUserPolicy", h.deleteUserPolicy),
		api.Op("DetachRolePolicy", h.detachRolePolicy),
		api.Op("DetachUserPolicy", h.detachUserPolicy),
		api.Op("GetPolicy", h.getPolicy),
		api.Op("GetPolicyVersion", h.getPolicyVersion),
		api.Op("GetRole", h.getRole),
		api.Op("GetRolePolicy", h.getRolePolicy),
		api.Op("GetUser", h.getUser),
		api.Op("GetUserPolicy", h.getUserPolicy),
		api.Op("ListAccessKeys", h.listAccessKeys),
		api.Op("ListAttachedRolePolicies", h.listAttachedRolePolicies),
		api.Op("ListAttachedUserPolicies", h.listAttachedUserPolicies),
		api.Op("ListEntitiesForPolicy", h.listEntitiesForPolicy),
		api.Op("ListGroupsForUser", h.listGroupsForUser),
		api.Op("ListInstanceProfilesForRole", h.listInstanceProfilesForRole),
		api.Op("ListPolicies", h.listPolicies),
		api.Op("ListPolicyVersions", h.listPolicyVersions),
		api.Op("ListRolePolicies", h.listRolePolicies),
		api.Op("ListRoleTags", h.listRoleTags),
		api.Op("ListRoles", h.listRoles),
		api.Op("ListUserPolicies", h.listUserPolicies),
		api.Op("ListUserTags", h.listUserTags),
		api.Op("ListUsers", h.listUsers),
		api.Op("PutRolePolicy", h.putRolePolicy),
		api.Op("PutUserPolicy", h.putUserPolicy),
		api.Op("TagRole", h.tagRole),
		api.Op("TagUser", h.tagUser),
		api.Op("UntagRole", h.untagRole),
		api.Op("UntagUser", h.untagUser),
		api.Op("UpdateAccessKey", h.updateAccessKey),
		api.Op("UpdateAssumeRolePolicy", h.updateAssumeRolePolicy),
		api.Op("UpdateRole", h.updateRole),
		api.Op("UpdateUser", h.updateUser),
	}}
}
