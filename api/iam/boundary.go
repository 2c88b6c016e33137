package iam

import (
	"context"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireBoundary is a permissions boundary as answers have it, nil for none.
func wireBoundary(arn string) *AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	return &AttachedPermissionsBoundary{PermissionsBoundaryArn: &arn, PermissionsBoundaryType: new("Policy")}
}

// putUserPermissionsBoundary serves PutUserPermissionsBoundary.
func (h *handlers) putUserPermissionsBoundary(ctx context.Context, call *api.Call, in *PutUserPermissionsBoundaryInput) (*PutUserPermissionsBoundaryOutput, error) {
	rev, err := h.identity.PutBoundary(ctx, call.Caller, identity.UserBearer, in.UserName, in.PermissionsBoundary)
	return api.Done(call, new(PutUserPermissionsBoundaryOutput), rev, err)
}

// deleteUserPermissionsBoundary serves DeleteUserPermissionsBoundary.
func (h *handlers) deleteUserPermissionsBoundary(ctx context.Context, call *api.Call, in *DeleteUserPermissionsBoundaryInput) (*DeleteUserPermissionsBoundaryOutput, error) {
	rev, err := h.identity.DeleteBoundary(ctx, call.Caller, identity.UserBearer, in.UserName)
	return api.Done(call, new(DeleteUserPermissionsBoundaryOutput), rev, err)
}

// putRolePermissionsBoundary serves PutRolePermissionsBoundary.
func (h *handlers) putRolePermissionsBoundary(ctx context.Context, call *api.Call, in *PutRolePermissionsBoundaryInput) (*PutRolePermissionsBoundaryOutput, error) {
	rev, err := h.identity.PutBoundary(ctx, call.Caller, identity.RoleBearer, in.RoleName, in.PermissionsBoundary)
	return api.Done(call, new(PutRolePermissionsBoundaryOutput), rev, err)
}

// deleteRolePermissionsBoundary serves DeleteRolePermissionsBoundary.
func (h *handlers) deleteRolePermissionsBoundary(ctx context.Context, call *api.Call, in *DeleteRolePermissionsBoundaryInput) (*DeleteRolePermissionsBoundaryOutput, error) {
	rev, err := h.identity.DeleteBoundary(ctx, call.Caller, identity.RoleBearer, in.RoleName)
	return api.Done(call, new(DeleteRolePermissionsBoundaryOutput), rev, err)
}
