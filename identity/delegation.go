package identity

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// watched reads the organization that the caller's account may look at: the one that it manages, or has a part in as
// delegated administrator of a service (Organizations user guide, orgs_delegate_policies).
func watched(tx *store.Tx, c *authpolicy.Caller) (*trellis.Organization, error) {
	o, err := organizationOf(tx, c)
	if err != nil || o.ManagementAccountID == c.Principal.Account {
		return o, err
	}
	a, err := get[*trellis.Account](tx, c.Principal.Account, errNotInUse())
	if err != nil {
		return nil, err
	}
	if len(a.Delegations) == 0 {
		return nil, errNotManagement()
	}
	return o, nil
}

// Delegate makes an account of the organization a delegated administrator of a service, or no longer.
func (i *Identity) Delegate(ctx context.Context, c *authpolicy.Caller, id, service string, enabled bool) (trellis.Revision, error) {
	action := "DeregisterDelegatedAdministrator"
	if enabled {
		action = "RegisterDelegatedAdministrator"
	}
	keys := map[string][]string{"organizations:serviceprincipal": {service}}
	return i.changeOrg(ctx, c, action, keys, func(tx *store.Tx, o *trellis.Organization) error {
		a, err := get[*trellis.Account](tx, id, errNoAccount())
		if err != nil {
			return err
		}
		_, has := a.Delegations[service]
		switch {
		case a.OrgID != o.ID:
			return errNoAccount()
		case !strings.Contains(service, "."):
			return orgError("InvalidInputException", "You specified an unrecognized service principal.")
		case id == o.ManagementAccountID:
			return orgError("ConstraintViolationException", "You cannot register master account/yourself as delegated administrator for your organization.")
		case enabled && a.Status != AccountActive:
			return orgError("ConstraintViolationException", "You cannot register a suspended account as a delegated administrator.")
		case enabled && has:
			return orgError("AccountAlreadyRegisteredException", "The provided account is already a delegated administrator for your organization.")
		case !enabled && !has:
			return orgError("AccountNotRegisteredException", "The provided account is not a registered delegated administrator for your organization.")
		case enabled:
			if a.Delegations == nil {
				a.Delegations = map[string]time.Time{}
			}
			a.Delegations[service] = i.now()
		default:
			delete(a.Delegations, service)
		}
		tx.Put(a)
		return nil
	})
}

// ListDelegates returns the accounts that are delegated administrators of a service, or of any with an empty one, and the
// organization.
func (i *Identity) ListDelegates(ctx context.Context, c *authpolicy.Caller, service string) (accounts []*trellis.Account, o *trellis.Organization, err error) {
	err = i.readOrg(ctx, c, "ListDelegatedAdministrators", func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		accounts, err = membersOf(tx, o)
		return err
	})
	return slices.DeleteFunc(accounts, func(a *trellis.Account) bool {
		_, has := a.Delegations[service]
		return len(a.Delegations) == 0 || service != "" && !has
	}), o, err
}

// DelegatedAt is when an account became delegated administrator of a service; of the first with an empty one.
func DelegatedAt(a *trellis.Account, service string) time.Time {
	if service != "" {
		return a.Delegations[service]
	}
	return slices.MinFunc(slices.Collect(maps.Values(a.Delegations)), time.Time.Compare)
}

// ListDelegations returns the services that an account is delegated administrator of, with since when.
func (i *Identity) ListDelegations(ctx context.Context, c *authpolicy.Caller, id string) (services map[string]time.Time, err error) {
	err = i.readOrg(ctx, c, "ListDelegatedServicesForAccount", func(tx *store.Tx, o *trellis.Organization) error {
		a, err := get[*trellis.Account](tx, id, errNoAccount())
		if err != nil {
			return err
		}
		if a.OrgID != o.ID {
			return errNoAccount()
		}
		if services = a.Delegations; len(services) == 0 {
			return orgError("AccountNotRegisteredException", "The provided account is not a registered delegated administrator for your organization.")
		}
		return nil
	})
	return services, err
}
