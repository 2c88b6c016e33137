// Package ram serves the part of AWS RAM's API by which accounts share service networks and services of VPC
// Lattice. Package controlplane holds what the operations mean.
package ram

import (
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// handler holds what the operations need.
type handler struct {
	plane  *controlplane.Plane
	region string
}

// New returns the service with its table.
func New(plane *controlplane.Plane) api.Service {
	h := &handler{plane: plane, region: plane.Region}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AcceptResourceShareInvitation", h.acceptInvitation),
		api.Op("AssociateResourceShare", h.associateResourceShare),
		api.Op("AssociateResourceSharePermission", h.associatePermission),
		api.Op("CreatePermission", h.createPermission),
		api.Op("CreatePermissionVersion", h.createPermissionVersion),
		api.Op("CreateResourceShare", h.createResourceShare),
		api.Op("DeletePermission", h.deletePermission),
		api.Op("DeletePermissionVersion", h.deletePermissionVersion),
		api.Op("DeleteResourceShare", h.deleteResourceShare),
		api.Op("DisassociateResourceShare", h.disassociateResourceShare),
		api.Op("DisassociateResourceSharePermission", h.disassociatePermission),
		api.Op("EnableSharingWithAwsOrganization", h.enableSharing),
		api.Op("GetPermission", h.getPermission),
		api.Op("GetResourcePolicies", h.getResourcePolicies),
		api.Op("GetResourceShareAssociations", h.getAssociations),
		api.Op("GetResourceShareInvitations", h.getInvitations),
		api.Op("GetResourceShares", h.getResourceShares),
		api.Op("ListPendingInvitationResources", h.listPendingInvitationResources),
		api.Op("ListPermissionAssociations", h.listPermissionAssociations),
		api.Op("ListPermissionVersions", h.listPermissionVersions),
		api.Op("ListPermissions", h.listPermissions),
		api.Op("ListPrincipals", h.listPrincipals),
		api.Op("ListReplacePermissionAssociationsWork", h.listReplacements),
		api.Op("ListResourceSharePermissions", h.listSharePermissions),
		api.Op("ListResourceTypes", h.listResourceTypes),
		api.Op("ListResources", h.listResources),
		api.Op("ListSourceAssociations", h.listSourceAssociations),
		api.Op("PromotePermissionCreatedFromPolicy", h.promotePermission),
		api.Op("PromoteResourceShareCreatedFromPolicy", h.promoteShare),
		api.Op("RejectResourceShareInvitation", h.rejectInvitation),
		api.Op("ReplacePermissionAssociations", h.replacePermissions),
		api.Op("SetDefaultPermissionVersion", h.setDefaultPermissionVersion),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Unserved("UpdatePermission"),
		api.Op("UpdateResourceShare", h.updateResourceShare),
	}}
}

// defaultPage is the size of a page when the caller names none.
const defaultPage = 100

// page cuts a page out of items by their keys.
func page[T any](c *api.Call, items []T, key func(T) string, max *int32, token *string) ([]T, *string, error) {
	items, next, err := api.Cut(c, items, key, token, int(api.Or(max, defaultPage)))
	if err != nil {
		return nil, nil, trellis.NewError(400, "InvalidNextTokenException", "The specified value for NextToken is not valid.")
	}
	return items, next, nil
}

// matches tells whether a list of wanted values is empty or has v.
func matches(want []string, v string) bool { return len(want) == 0 || slices.Contains(want, v) }
