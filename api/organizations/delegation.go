package organizations

import (
	"context"
	"maps"
	"slices"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/identity"
)

// registerDelegatedAdministrator serves RegisterDelegatedAdministrator.
func (h *handlers) registerDelegatedAdministrator(ctx context.Context, call *api.Call, in *RegisterDelegatedAdministratorInput) (*RegisterDelegatedAdministratorOutput, error) {
	rev, err := h.identity.Delegate(ctx, call.Caller, in.AccountId, in.ServicePrincipal, true)
	return api.Done(call, new(RegisterDelegatedAdministratorOutput), rev, err)
}

// deregisterDelegatedAdministrator serves DeregisterDelegatedAdministrator.
func (h *handlers) deregisterDelegatedAdministrator(ctx context.Context, call *api.Call, in *DeregisterDelegatedAdministratorInput) (*DeregisterDelegatedAdministratorOutput, error) {
	rev, err := h.identity.Delegate(ctx, call.Caller, in.AccountId, in.ServicePrincipal, false)
	return api.Done(call, new(DeregisterDelegatedAdministratorOutput), rev, err)
}

// listDelegatedAdministrators serves ListDelegatedAdministrators.
func (h *handlers) listDelegatedAdministrators(ctx context.Context, call *api.Call, in *ListDelegatedAdministratorsInput) (*ListDelegatedAdministratorsOutput, error) {
	service := api.Value(in.ServicePrincipal)
	accounts, o, err := h.identity.ListDelegates(ctx, call.Caller, service)
	if err != nil {
		return nil, err
	}
	accounts, next, err := page(call, accounts, (*trellis.Account).Key, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &ListDelegatedAdministratorsOutput{NextToken: next, DelegatedAdministrators: api.Each(accounts, func(a *trellis.Account) DelegatedAdministrator {
		w := wireAccount(a, o)
		return DelegatedAdministrator{
			Arn: w.Arn, DelegationEnabledDate: new(identity.DelegatedAt(a, service)), Email: w.Email, Id: w.Id, JoinedMethod: w.JoinedMethod,
			JoinedTimestamp: w.JoinedTimestamp, Name: w.Name, State: w.State, Status: w.Status,
		}
	})}, nil
}

// listDelegatedServicesForAccount serves ListDelegatedServicesForAccount.
func (h *handlers) listDelegatedServicesForAccount(ctx context.Context, call *api.Call, in *ListDelegatedServicesForAccountInput) (*ListDelegatedServicesForAccountOutput, error) {
	services, err := h.identity.ListDelegations(ctx, call.Caller, in.AccountId)
	if err != nil {
		return nil, err
	}
	names, next, err := page(call, slices.Collect(maps.Keys(services)), same, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &ListDelegatedServicesForAccountOutput{NextToken: next, DelegatedServices: api.Each(names, func(name string) DelegatedService {
		return DelegatedService{DelegationEnabledDate: new(services[name]), ServicePrincipal: &name}
	})}, nil
}
