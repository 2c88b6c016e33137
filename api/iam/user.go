package iam

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireUser is a user as answers have it.
func wireUser(u *trellis.User) User {
	return User{Arn: u.ARN(), CreateDate: u.CreatedAt, Path: u.Path, UserId: u.ID, UserName: u.Name}
}

// createUser serves CreateUser.
func (h *handlers) createUser(ctx context.Context, call *api.Call, in *CreateUserInput) (*CreateUserOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if in.PermissionsBoundary != nil {
		return nil, noBoundary()
	}
	u := trellis.User{Name: in.UserName, Path: api.Value(in.Path)}
	u.Tags = tags
	made, rev, err := h.identity.CreateUser(ctx, call.Caller, u)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	out := wireUser(made)
	out.Tags = toTags(made.Tags)
	return &CreateUserOutput{User: &out}, nil
}

// noBoundary refuses permissions boundaries, rather than ignoring what is meant to restrict.
func noBoundary() error {
	return trellis.NewError(400, "InvalidInput", "Trellis has no permissions boundaries.")
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
	out := wireUser(u)
	out.Tags = toTags(u.Tags)
	return &GetUserOutput{User: &out}, nil
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
	list, p, err := page(call, toTags(tags), func(t Tag) string { return t.Key }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &ListUserTagsOutput{IsTruncated: p.truncated, Marker: p.marker, Tags: list}, nil
}

// listGroupsForUser serves ListGroupsForUser: there are no groups. Terraform asks before it deletes a user.
func (h *handlers) listGroupsForUser(ctx context.Context, call *api.Call, in *ListGroupsForUserInput) (*ListGroupsForUserOutput, error) {
	if _, err := h.identity.UserFor(ctx, call.Caller, "iam:ListGroupsForUser", in.UserName); err != nil {
		return nil, err
	}
	return &ListGroupsForUserOutput{Groups: []Group{}, IsTruncated: new(false)}, nil
}
