package organizations

import (
	"context"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// wireAccount is an account as answers have it.
func wireAccount(a *trellis.Account, o *trellis.Organization) Account {
	joined := "CREATED"
	if a.RequestID == "" {
		joined = "INVITED" // as AWS shows the management account
	}
	return Account{
		Arn: new(identity.OrgARN(o, "account", a.ID)), Email: &a.Email, Id: &a.ID, JoinedMethod: &joined,
		JoinedTimestamp: new(identity.JoinedAt(a, o)), Name: &a.Name, State: &a.Status, Status: &a.Status,
	}
}

// wireStatus is what became of a CreateAccount as answers have it.
func wireStatus(s *identity.CreateAccountStatus) CreateAccountStatus {
	out := CreateAccountStatus{
		AccountName: &s.Account.Name, CompletedTimestamp: &s.Account.CreatedAt, Id: &s.RequestID,
		RequestedTimestamp: &s.Account.CreatedAt, State: new("SUCCEEDED"),
	}
	if s.FailureReason != "" {
		out.State, out.FailureReason = new("FAILED"), &s.FailureReason
		return out
	}
	out.AccountId = &s.Account.ID
	return out
}

// createAccount serves CreateAccount.
func (h *handlers) createAccount(ctx context.Context, call *api.Call, in *CreateAccountInput) (*CreateAccountOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	ask := identity.NewAccount{Name: in.AccountName, Email: in.Email, Tags: tags}
	if in.RoleName != nil {
		ask.RoleName = *in.RoleName
	}
	status, rev, err := h.identity.CreateAccount(ctx, call.Caller, ask)
	if err != nil {
		return nil, err
	}
	call.Committed(rev)
	return &CreateAccountOutput{CreateAccountStatus: new(wireStatus(status))}, nil
}

// describeCreateAccountStatus serves DescribeCreateAccountStatus.
func (h *handlers) describeCreateAccountStatus(ctx context.Context, call *api.Call, in *DescribeCreateAccountStatusInput) (*DescribeCreateAccountStatusOutput, error) {
	status, err := h.identity.DescribeCreateAccountStatus(ctx, call.Caller, in.CreateAccountRequestId)
	if err != nil {
		return nil, err
	}
	return &DescribeCreateAccountStatusOutput{CreateAccountStatus: new(wireStatus(status))}, nil
}

// listCreateAccountStatus serves ListCreateAccountStatus.
func (h *handlers) listCreateAccountStatus(ctx context.Context, call *api.Call, in *ListCreateAccountStatusInput) (*ListCreateAccountStatusOutput, error) {
	statuses, err := h.identity.ListCreateAccountStatus(ctx, call.Caller)
	if err != nil {
		return nil, err
	}
	statuses = slices.DeleteFunc(statuses, func(s *identity.CreateAccountStatus) bool {
		return len(in.States) > 0 && !slices.Contains(in.States, *wireStatus(s).State)
	})
	key := func(s *identity.CreateAccountStatus) string { return s.RequestID }
	statuses, next, err := page(call, statuses, key, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &ListCreateAccountStatusOutput{NextToken: next, CreateAccountStatuses: []CreateAccountStatus{}}
	for _, s := range statuses {
		out.CreateAccountStatuses = append(out.CreateAccountStatuses, wireStatus(s))
	}
	return out, nil
}

// describeAccount serves DescribeAccount.
func (h *handlers) describeAccount(ctx context.Context, call *api.Call, in *DescribeAccountInput) (*DescribeAccountOutput, error) {
	a, o, place, err := h.identity.DescribeAccount(ctx, call.Caller, in.AccountId)
	if err != nil {
		return nil, err
	}
	out := wireAccount(a, o)
	out.Paths = []string{place}
	return &DescribeAccountOutput{Account: &out}, nil
}

// accounts is one page of accounts below a parent, or of all.
func (h *handlers) accounts(ctx context.Context, call *api.Call, parent string, token *string, maxResults *int32) ([]Account, *string, error) {
	found, o, err := h.identity.ListAccounts(ctx, call.Caller, parent)
	if err != nil {
		return nil, nil, err
	}
	found, next, err := page(call, found, (*trellis.Account).Key, token, maxResults)
	if err != nil {
		return nil, nil, err
	}
	list := []Account{}
	for _, a := range found {
		list = append(list, wireAccount(a, o))
	}
	return list, next, nil
}

// listAccounts serves ListAccounts.
func (h *handlers) listAccounts(ctx context.Context, call *api.Call, in *ListAccountsInput) (*ListAccountsOutput, error) {
	list, next, err := h.accounts(ctx, call, "", in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &ListAccountsOutput{Accounts: list, NextToken: next}, nil
}

// listAccountsForParent serves ListAccountsForParent.
func (h *handlers) listAccountsForParent(ctx context.Context, call *api.Call, in *ListAccountsForParentInput) (*ListAccountsForParentOutput, error) {
	list, next, err := h.accounts(ctx, call, in.ParentId, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &ListAccountsForParentOutput{Accounts: list, NextToken: next}, nil
}

// moveAccount serves MoveAccount.
func (h *handlers) moveAccount(ctx context.Context, call *api.Call, in *MoveAccountInput) (*MoveAccountOutput, error) {
	rev, err := h.identity.MoveAccount(ctx, call.Caller, in.AccountId, in.SourceParentId, in.DestinationParentId)
	return api.Done(call, new(MoveAccountOutput), rev, err)
}

// closeAccount serves CloseAccount.
func (h *handlers) closeAccount(ctx context.Context, call *api.Call, in *CloseAccountInput) (*CloseAccountOutput, error) {
	rev, err := h.identity.CloseAccount(ctx, call.Caller, in.AccountId)
	return api.Done(call, new(CloseAccountOutput), rev, err)
}

// removeAccountFromOrganization serves RemoveAccountFromOrganization.
func (h *handlers) removeAccountFromOrganization(ctx context.Context, call *api.Call, in *RemoveAccountFromOrganizationInput) (*RemoveAccountFromOrganizationOutput, error) {
	rev, err := h.identity.RemoveAccount(ctx, call.Caller, in.AccountId)
	return api.Done(call, new(RemoveAccountFromOrganizationOutput), rev, err)
}
