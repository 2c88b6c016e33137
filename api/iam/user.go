package iam

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireUser is a user as lists have it: without tags and permissions boundary. Nobody has a password here, so none was
// used.
func wireUser(u *trellis.User) User {
	return User{Arn: u.ARN(), CreateDate: u.CreatedAt, Path: u.Path, UserId: u.ID, UserName: u.Name}
}

// fullUser is a user as answers about it alone have it.
func fullUser(u *trellis.User) *User {
	out := wireUser(u)
	out.PermissionsBoundary, out.Tags = wireBoundary(u.Boundary), toTags(u.Tags)
	return &out
}

// createUser serves CreateUser.
func (h *handlers) createUser(ctx context.Context, call *api.Call, in *CreateUserInput) (*CreateUserOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	u := trellis.User{Name: in.UserName, Path: api.Value(in.Path), Boundary: api.Value(in.PermissionsBoundary)}
	u.Tags = tags
	made, rev, err := h.identity.CreateUser(ctx, call.Caller, u)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateUserOutput{User: fullUser(made)}, nil
}

// getUser serves GetUser.
func (h *handlers) getUser(ctx context.Context, call *api.Call, in *GetUserInput) (*GetUserOutput, error) {
	name, err := identity.UserName(call.Caller, api.Value(in.UserName))
	if err != nil {
		return nil, err
	}
	u, err := h.identity.GetUser(ctx, call.Caller, name)
	if err != nil {
		return nil, err
	}
	return &GetUserOutput{User: fullUser(u)}, nil
}

// listUsers serves ListUsers.
func (h *handlers) listUsers(ctx context.Context, call *api.Call, in *ListUsersInput) (*ListUsersOutput, error) {
	users, err := h.identity.ListUsers(ctx, call.Caller, api.Value(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	users, p, err := page(call, users, (*trellis.User).Key, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &ListUsersOutput{IsTruncated: p.truncated, Marker: p.marker, Users: []User{}}
	for _, u := range users {
		out.Users = append(out.Users, wireUser(u))
	}
	return out, nil
}

// updateUser serves UpdateUser.
func (h *handlers) updateUser(ctx context.Context, call *api.Call, in *UpdateUserInput) (*UpdateUserOutput, error) {
	rev, err := h.identity.UpdateUser(ctx, call.Caller, in.UserName, api.Value(in.NewUserName), api.Value(in.NewPath))
	return api.Done(call, new(UpdateUserOutput), rev, err)
}

// deleteUser serves DeleteUser.
func (h *handlers) deleteUser(ctx context.Context, call *api.Call, in *DeleteUserInput) (*DeleteUserOutput, error) {
	rev, err := h.identity.DeleteUser(ctx, call.Caller, in.UserName)
	return api.Done(call, new(DeleteUserOutput), rev, err)
}

// tagUser serves TagUser.
func (h *handlers) tagUser(ctx context.Context, call *api.Call, in *TagUserInput) (*TagUserOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	rev, err := h.identity.TagUser(ctx, call.Caller, in.UserName, tags)
	return api.Done(call, new(TagUserOutput), rev, err)
}

// untagUser serves UntagUser.
func (h *handlers) untagUser(ctx context.Context, call *api.Call, in *UntagUserInput) (*UntagUserOutput, error) {
	rev, err := h.identity.UntagUser(ctx, call.Caller, in.UserName, in.TagKeys)
	return api.Done(call, new(UntagUserOutput), rev, err)
}

// listUserTags serves ListUserTags.
func (h *handlers) listUserTags(ctx context.Context, call *api.Call, in *ListUserTagsInput) (*ListUserTagsOutput, error) {
	tags, err := h.identity.ListUserTags(ctx, call.Caller, in.UserName)
	if err != nil {
		return nil, err
	}
	list, p, err := pageTags(call, tags, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListUserTagsOutput{IsTruncated: p.truncated, Marker: p.marker, Tags: list}, nil
}
