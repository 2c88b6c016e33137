package organizations

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireHandshake is an invitation as answers have it.
func wireHandshake(n identity.Invitation) Handshake {
	resource := func(kind, value string) HandshakeResource { return HandshakeResource{Type: &kind, Value: &value} }
	organization := resource("ORGANIZATION", n.OrgID)
	organization.Resources = []HandshakeResource{
		resource("MASTER_EMAIL", n.Management.Email), resource("MASTER_NAME", n.Management.Name), resource("ORGANIZATION_FEATURE_SET", n.Organization.FeatureSet),
	}
	party, target := HandshakeParty{Id: n.Account, Type: "ACCOUNT"}, resource("ACCOUNT", n.Account)
	if n.ByEmail {
		party, target = HandshakeParty{Id: n.Email, Type: "EMAIL"}, resource("EMAIL", n.Email)
	}
	out := Handshake{
		Action: new("INVITE"), Arn: new(identity.HandshakeARN(n)), ExpirationTimestamp: &n.ExpiresAt, Id: &n.ID,
		Parties:   []HandshakeParty{{Id: n.OrgID[len("o-"):], Type: "ORGANIZATION"}, party},
		Resources: []HandshakeResource{organization, target}, RequestedTimestamp: &n.RequestedAt, State: &n.State,
	}
	if n.Notes != "" {
		out.Resources = append(out.Resources, resource("NOTES", n.Notes))
	}
	return out
}

// inviteAccountToOrganization serves InviteAccountToOrganization.
func (h *handlers) inviteAccountToOrganization(ctx context.Context, call *api.Call, in *InviteAccountToOrganizationInput) (*InviteAccountToOrganizationOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if in.Target.Type == "ORGANIZATION" {
		return nil, trellis.NewError(400, "InvalidInputException", "You can invite an account only, by its ID or EMAIL.")
	}
	n, rev, err := h.identity.InviteAccount(ctx, call.Caller, identity.NewInvitation{
		Target: in.Target.Id, ByEmail: in.Target.Type == "EMAIL", Notes: api.Value(in.Notes), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &InviteAccountToOrganizationOutput{Handshake: new(wireHandshake(n))}, nil
}

// answerHandshake ends a handshake.
func (h *handlers) answerHandshake(ctx context.Context, call *api.Call, id, state string) (*Handshake, error) {
	n, rev, err := h.identity.AnswerHandshake(ctx, call.Caller, id, state)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return new(wireHandshake(n)), nil
}

// acceptHandshake serves AcceptHandshake.
func (h *handlers) acceptHandshake(ctx context.Context, call *api.Call, in *AcceptHandshakeInput) (*AcceptHandshakeOutput, error) {
	out, err := h.answerHandshake(ctx, call, in.HandshakeId, identity.HandshakeAccepted)
	return &AcceptHandshakeOutput{Handshake: out}, err
}

// declineHandshake serves DeclineHandshake.
func (h *handlers) declineHandshake(ctx context.Context, call *api.Call, in *DeclineHandshakeInput) (*DeclineHandshakeOutput, error) {
	out, err := h.answerHandshake(ctx, call, in.HandshakeId, identity.HandshakeDeclined)
	return &DeclineHandshakeOutput{Handshake: out}, err
}

// cancelHandshake serves CancelHandshake.
func (h *handlers) cancelHandshake(ctx context.Context, call *api.Call, in *CancelHandshakeInput) (*CancelHandshakeOutput, error) {
	out, err := h.answerHandshake(ctx, call, in.HandshakeId, identity.HandshakeCanceled)
	return &CancelHandshakeOutput{Handshake: out}, err
}

// describeHandshake serves DescribeHandshake.
func (h *handlers) describeHandshake(ctx context.Context, call *api.Call, in *DescribeHandshakeInput) (*DescribeHandshakeOutput, error) {
	n, err := h.identity.DescribeHandshake(ctx, call.Caller, in.HandshakeId)
	if err != nil {
		return nil, err
	}
	return &DescribeHandshakeOutput{Handshake: new(wireHandshake(n))}, nil
}

// handshakes is one page of handshakes. A filter of another action than INVITE, or of a parent, finds none.
func (h *handlers) handshakes(ctx context.Context, call *api.Call, ofOrganization bool, filter *HandshakeFilter, token *string, maxResults *int32) ([]Handshake, *string, error) {
	found, err := h.identity.ListHandshakes(ctx, call.Caller, ofOrganization)
	if err != nil {
		return nil, nil, err
	}
	if filter != nil && (filter.ParentHandshakeId != nil || api.Or(filter.ActionType, "INVITE") != "INVITE") {
		found = nil
	}
	found, next, err := page(call, found, func(n identity.Invitation) string { return n.ID }, token, maxResults)
	if err != nil {
		return nil, nil, err
	}
	return api.Each(found, wireHandshake), next, nil
}

// listHandshakesForAccount serves ListHandshakesForAccount.
func (h *handlers) listHandshakesForAccount(ctx context.Context, call *api.Call, in *ListHandshakesForAccountInput) (*ListHandshakesForAccountOutput, error) {
	list, next, err := h.handshakes(ctx, call, false, in.Filter, in.NextToken, in.MaxResults)
	return &ListHandshakesForAccountOutput{Handshakes: list, NextToken: next}, err
}

// listHandshakesForOrganization serves ListHandshakesForOrganization.
func (h *handlers) listHandshakesForOrganization(ctx context.Context, call *api.Call, in *ListHandshakesForOrganizationInput) (*ListHandshakesForOrganizationOutput, error) {
	list, next, err := h.handshakes(ctx, call, true, in.Filter, in.NextToken, in.MaxResults)
	return &ListHandshakesForOrganizationOutput{Handshakes: list, NextToken: next}, err
}

// leaveOrganization serves LeaveOrganization.
func (h *handlers) leaveOrganization(ctx context.Context, call *api.Call, _ *LeaveOrganizationInput) (*LeaveOrganizationOutput, error) {
	rev, err := h.identity.LeaveOrganization(ctx, call.Caller)
	return api.Done(call, new(LeaveOrganizationOutput), rev, err)
}
