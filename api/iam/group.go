package iam

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// wireGroup is a group as answers have it.
func wireGroup(g *trellis.Group) Group {
	return Group{Arn: g.ARN(), CreateDate: g.CreatedAt, GroupId: g.ID, GroupName: g.Name, Path: g.Path}
}

// createGroup serves CreateGroup.
func (h *handlers) createGroup(ctx context.Context, call *api.Call, in *CreateGroupInput) (*CreateGroupOutput, error) {
	g, rev, err := h.identity.CreateGroup(ctx, call.Caller, in.GroupName, api.Value(in.Path))
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateGroupOutput{Group: new(wireGroup(g))}, nil
}

// getGroup serves GetGroup.
func (h *handlers) getGroup(ctx context.Context, call *api.Call, in *GetGroupInput) (*GetGroupOutput, error) {
	g, users, err := h.identity.GetGroup(ctx, call.Caller, in.GroupName)
	if err != nil {
		return nil, err
	}
	users, p, err := page(call, users, (*trellis.User).Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &GetGroupOutput{Group: new(wireGroup(g)), IsTruncated: p.truncated, Marker: p.marker, Users: api.Each(users, wireUser)}, nil
}

// listGroups serves ListGroups.
func (h *handlers) listGroups(ctx context.Context, call *api.Call, in *ListGroupsInput) (*ListGroupsOutput, error) {
	groups, err := h.identity.ListGroups(ctx, call.Caller, api.Value(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	groups, p, err := page(call, groups, (*trellis.Group).Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListGroupsOutput{Groups: api.Each(groups, wireGroup), IsTruncated: p.truncated, Marker: p.marker}, nil
}

// listGroupsForUser serves ListGroupsForUser.
func (h *handlers) listGroupsForUser(ctx context.Context, call *api.Call, in *ListGroupsForUserInput) (*ListGroupsForUserOutput, error) {
	groups, err := h.identity.GroupsOfUser(ctx, call.Caller, in.UserName)
	if err != nil {
		return nil, err
	}
	groups, p, err := page(call, groups, (*trellis.Group).Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListGroupsForUserOutput{Groups: api.Each(groups, wireGroup), IsTruncated: p.truncated, Marker: p.marker}, nil
}

// updateGroup serves UpdateGroup.
func (h *handlers) updateGroup(ctx context.Context, call *api.Call, in *UpdateGroupInput) (*UpdateGroupOutput, error) {
	rev, err := h.identity.UpdateGroup(ctx, call.Caller, in.GroupName, api.Value(in.NewGroupName), api.Value(in.NewPath))
	return api.Done(call, new(UpdateGroupOutput), rev, err)
}

// deleteGroup serves DeleteGroup.
func (h *handlers) deleteGroup(ctx context.Context, call *api.Call, in *DeleteGroupInput) (*DeleteGroupOutput, error) {
	rev, err := h.identity.DeleteGroup(ctx, call.Caller, in.GroupName)
	return api.Done(call, new(DeleteGroupOutput), rev, err)
}

// addUserToGroup serves AddUserToGroup.
func (h *handlers) addUserToGroup(ctx context.Context, call *api.Call, in *AddUserToGroupInput) (*AddUserToGroupOutput, error) {
	rev, err := h.identity.AddUserToGroup(ctx, call.Caller, in.GroupName, in.UserName)
	return api.Done(call, new(AddUserToGroupOutput), rev, err)
}

// removeUserFromGroup serves RemoveUserFromGroup.
func (h *handlers) removeUserFromGroup(ctx context.Context, call *api.Call, in *RemoveUserFromGroupInput) (*RemoveUserFromGroupOutput, error) {
	rev, err := h.identity.RemoveUserFromGroup(ctx, call.Caller, in.GroupName, in.UserName)
	return api.Done(call, new(RemoveUserFromGroupOutput), rev, err)
}
