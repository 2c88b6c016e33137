// Package organizations serves AWS Organizations on the wire. What its operations mean is package identity's
// matter.
//
// CreateAccount takes the new account's id from the tag trellis:account-id, which AWS does not have.
package organizations

import (
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// handlers serve the operations; each translates between the wire and identity.
type handlers struct{ identity *identity.Identity }

// New returns Organizations with its table of operations.
func New(i *identity.Identity) api.Service {
	h := &handlers{i}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AcceptHandshake", h.acceptHandshake),
		api.Op("AttachPolicy", h.attachPolicy),
		api.Op("CancelHandshake", h.cancelHandshake),
		api.Op("CloseAccount", h.closeAccount),
		api.Op("CreateAccount", h.createAccount),
		api.Op("CreateOrganization", h.createOrganization),
		api.Op("CreateOrganizationalUnit", h.createOrganizationalUnit),
		api.Op("CreatePolicy", h.createPolicy).Partly("types SERVICE_CONTROL_POLICY and RESOURCE_CONTROL_POLICY"),
		api.Op("DeclineHandshake", h.declineHandshake),
		api.Op("DeleteOrganization", h.deleteOrganization),
		api.Op("DeleteOrganizationalUnit", h.deleteOrganizationalUnit),
		api.Op("DeletePolicy", h.deletePolicy),
		api.Op("DeregisterDelegatedAdministrator", h.deregisterDelegatedAdministrator),
		api.Op("DescribeAccount", h.describeAccount),
		api.Op("DescribeCreateAccountStatus", h.describeCreateAccountStatus),
		api.Op("DescribeEffectivePolicy", h.describeEffectivePolicy),
		api.Op("DescribeHandshake", h.describeHandshake),
		api.Op("DescribeOrganization", h.describeOrganization),
		api.Op("DescribeOrganizationalUnit", h.describeOrganizationalUnit),
		api.Op("DescribePolicy", h.describePolicy),
		api.Op("DetachPolicy", h.detachPolicy),
		api.Op("DisableAWSServiceAccess", h.disableAWSServiceAccess),
		api.Op("DisablePolicyType", h.disablePolicyType),
		api.Op("EnableAWSServiceAccess", h.enableAWSServiceAccess),
		api.Unserved("EnableAllFeatures"),
		api.Op("EnablePolicyType", h.enablePolicyType).Partly("types SERVICE_CONTROL_POLICY and RESOURCE_CONTROL_POLICY"),
		api.Op("InviteAccountToOrganization", h.inviteAccountToOrganization),
		api.Op("LeaveOrganization", h.leaveOrganization),
		api.Op("ListAWSServiceAccessForOrganization", h.listAWSServiceAccessForOrganization),
		api.Op("ListAccounts", h.listAccounts),
		api.Op("ListAccountsForParent", h.listAccountsForParent),
		api.Op("ListChildren", h.listChildren),
		api.Op("ListCreateAccountStatus", h.listCreateAccountStatus),
		api.Op("ListDelegatedAdministrators", h.listDelegatedAdministrators),
		api.Op("ListDelegatedServicesForAccount", h.listDelegatedServicesForAccount),
		api.Op("ListHandshakesForAccount", h.listHandshakesForAccount),
		api.Op("ListHandshakesForOrganization", h.listHandshakesForOrganization),
		api.Op("ListOrganizationalUnitsForParent", h.listOrganizationalUnitsForParent),
		api.Op("ListParents", h.listParents),
		api.Op("ListPolicies", h.listPolicies),
		api.Op("ListPoliciesForTarget", h.listPoliciesForTarget),
		api.Op("ListRoots", h.listRoots),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Op("ListTargetsForPolicy", h.listTargetsForPolicy),
		api.Op("MoveAccount", h.moveAccount),
		api.Op("RegisterDelegatedAdministrator", h.registerDelegatedAdministrator),
		api.Op("RemoveAccountFromOrganization", h.removeAccountFromOrganization),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Op("UpdateOrganizationalUnit", h.updateOrganizationalUnit),
		api.Op("UpdatePolicy", h.updatePolicy),
	}}
}
