package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// AccountIDTag is the tag of CreateAccount by which a client chooses the new account's id. AWS has no such
// choice and its API no member for it. The tag stays, so that Terraform finds what it has asked for; changing
// it later changes nothing else.
const AccountIDTag = "trellis:account-id"

// errNoAccount is for an account that a caller named.
func errNoAccount() *trellis.Error {
	return orgError("AccountNotFoundException", "You specified an account that doesn't exist.")
}

// NewAccount is what a caller asks of CreateAccount.
type NewAccount struct {
	Name     string
	Email    string // unique among all accounts
	RoleName string // empty: OrganizationAccountAccessRole
	Tags     map[string]string
}

// CreateAccountStatus is what became of a CreateAccount. Accounts are made at once, so it is never in progress.
type CreateAccountStatus struct {
	RequestID     string // car-…
	Account       *trellis.Account
	FailureReason string // for example EMAIL_ALREADY_EXISTS; Account then has name and time only
}

// maxFailedAccounts is how many failed CreateAccounts an organization remembers.
const maxFailedAccounts = 100

// CreateAccount makes an account in the organization that the caller manages, with a role that the management
// account's administrators may assume. An email that is taken is not an error but a failed status, for
// which clients ask later.
func (i *Identity) CreateAccount(ctx context.Context, c *authpolicy.Caller, in NewAccount) (*CreateAccountStatus, trellis.Revision, error) {
	chosen, choose := in.Tags[AccountIDTag]
	if choose && !trellis.IsAccountID(chosen) {
		return nil, 0, orgError("InvalidInputException", "The tag %s must be an account id of 12 digits.", AccountIDTag)
	}
	if err := checkOrgTags(in.Tags); err != nil {
		return nil, 0, err
	}
	if in.RoleName == "" {
		in.RoleName = AccessRoleName
	}
	if checkName("roleName", in.RoleName, maxRoleName) != nil {
		return nil, 0, orgError("InvalidInputException", "You specified an invalid role name.")
	}
	var status *CreateAccountStatus
	rev, err := i.changeOrg(ctx, c, "CreateAccount", authpolicy.TagKeys(nil, in.Tags, nil), func(tx *store.Tx, o *trellis.Organization) error {
		a := &trellis.Account{
			ID: chosen, Name: in.Name, Email: in.Email, Status: AccountActive, CreatedAt: i.now(),
			OrgID: o.ID, ParentID: o.RootID, RequestID: "car-" + trellis.RandomHex(32), Tags: maps.Clone(in.Tags),
		}
		status = &CreateAccountStatus{RequestID: a.RequestID, Account: a}
		if a.ID == "" {
			a.ID = randomAccountID()
		}
		if _, err := store.Get[*trellis.Account](tx, a.ID); err == nil {
			return orgError("InvalidInputException", "The account id %s is taken.", a.ID)
		} else if !errors.Is(err, trellis.ErrNotExist) {
			return err
		}
		err := tx.Claim("accountemail/"+lower(a.Email), a.ID)
		if _, taken := errors.AsType[*store.TakenError](err); taken {
			status.FailureReason = "EMAIL_ALREADY_EXISTS"
			o.FailedAccounts = append(o.FailedAccounts, trellis.FailedAccount{RequestID: a.RequestID, Name: a.Name, At: a.CreatedAt, Reason: status.FailureReason})
			o.FailedAccounts = o.FailedAccounts[max(0, len(o.FailedAccounts)-maxFailedAccounts):]
			tx.Put(o)
			return nil
		}
		if err != nil {
			return err
		}
		tx.Put(a)
		if err := joinControls(tx, o, a.ID); err != nil {
			return err
		}
		return i.putAccessRole(tx, o, a, in.RoleName)
	})
	if err != nil {
		return nil, 0, err
	}
	return status, rev, nil
}

// randomAccountID returns 12 digits of which the first is not 0.
func randomAccountID() string {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		panic("crypto/rand never fails (Go 1.24): " + err.Error())
	}
	return fmt.Sprint(n.Int64() + 100_000_000_000)
}

// putAccessRole makes the role by which the management account administers a new account.
func (i *Identity) putAccessRole(tx *store.Tx, o *trellis.Organization, a *trellis.Account, name string) error {
	r := &trellis.Role{
		Name: name, Path: "/", MaxSessionSeconds: defaultSession, Attached: []string{administratorAccess},
		TrustPolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` +
			trellis.IAMARN(o.ManagementAccountID, "root") + `"},"Action":"sts:AssumeRole"}]}`,
	}
	r.Account, r.ID, r.CreatedAt, r.UpdatedAt = a.ID, newID("AROA", 17), a.CreatedAt, a.CreatedAt
	if err := roleNaming.take(tx, &r.Meta, name); err != nil {
		return err
	}
	tx.Mark(policyUse(administratorAccess), "role/"+a.ID+"/"+name)
	tx.Put(r)
	return nil
}

// DescribeCreateAccountStatus returns what became of a CreateAccount.
func (i *Identity) DescribeCreateAccountStatus(ctx context.Context, c *authpolicy.Caller, requestID string) (*CreateAccountStatus, error) {
	all, err := i.createdAccounts(ctx, c, "DescribeCreateAccountStatus")
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(s *CreateAccountStatus) bool { return s.RequestID == requestID })
	if at < 0 {
		return nil, orgError("CreateAccountStatusNotFoundException", "You specified a create account request that doesn't exist.")
	}
	return all[at], nil
}

// ListCreateAccountStatus returns what became of every CreateAccount that made an account, and of the last ones that failed.
func (i *Identity) ListCreateAccountStatus(ctx context.Context, c *authpolicy.Caller) ([]*CreateAccountStatus, error) {
	return i.createdAccounts(ctx, c, "ListCreateAccountStatus")
}

// createdAccounts returns what became of the CreateAccounts of the organization, as far as that is known.
func (i *Identity) createdAccounts(ctx context.Context, c *authpolicy.Caller, action string) (all []*CreateAccountStatus, err error) {
	err = i.readOrg(ctx, c, action, func(tx *store.Tx, o *trellis.Organization) error {
		all = nil
		accounts, err := membersOf(tx, o)
		for _, a := range accounts {
			if a.RequestID != "" {
				all = append(all, &CreateAccountStatus{RequestID: a.RequestID, Account: a})
			}
		}
		for _, f := range o.FailedAccounts {
			all = append(all, &CreateAccountStatus{f.RequestID, &trellis.Account{Name: f.Name, CreatedAt: f.At}, f.Reason})
		}
		return err
	})
	return all, err
}

// DescribeAccount returns an account of the organization, the organization, and the account's place in it.
func (i *Identity) DescribeAccount(ctx context.Context, c *authpolicy.Caller, id string) (a *trellis.Account, o *trellis.Organization, place string, err error) {
	err = i.readOrg(ctx, c, "DescribeAccount", func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		if a, err = get[*trellis.Account](tx, id, errNoAccount()); err != nil {
			return err
		}
		if a.OrgID != o.ID {
			return errNoAccount()
		}
		place, err = placeOf(tx, o, a.ParentID)
		place += a.ID + "/"
		return err
	})
	return a, o, place, err
}

// ListAccounts returns the accounts of the organization by id. parent is empty for all of them, or the id of
// what they are directly below.
func (i *Identity) ListAccounts(ctx context.Context, c *authpolicy.Caller, parent string) (accounts []*trellis.Account, o *trellis.Organization, err error) {
	action := "ListAccounts"
	if parent != "" {
		action = "ListAccountsForParent"
	}
	return i.accountsBelow(ctx, c, action, parent)
}

// accountsBelow is ListAccounts under the name of the action that asks.
func (i *Identity) accountsBelow(ctx context.Context, c *authpolicy.Caller, action, parent string) (accounts []*trellis.Account, o *trellis.Organization, err error) {
	err = i.readOrg(ctx, c, action, func(tx *store.Tx, found *trellis.Organization) error {
		o = found
		if parent != "" {
			if err := checkParent(tx, o, parent, errNoParent(parent)); err != nil {
				return err
			}
		}
		accounts, err = membersOf(tx, o)
		return err
	})
	if parent != "" {
		accounts = slices.DeleteFunc(accounts, func(a *trellis.Account) bool { return a.ParentID != parent })
	}
	return accounts, o, err
}

// ListChildren returns the ids of the accounts (units false) or organizational units directly below a parent.
func (i *Identity) ListChildren(ctx context.Context, c *authpolicy.Caller, parent string, units bool) (ids []string, err error) {
	if units {
		found, _, err := i.unitsBelow(ctx, c, "ListChildren", parent)
		for _, u := range found {
			ids = append(ids, u.ID)
		}
		return ids, err
	}
	found, _, err := i.accountsBelow(ctx, c, "ListChildren", parent)
	for _, a := range found {
		ids = append(ids, a.ID)
	}
	return ids, err
}

// MoveAccount moves an account from one parent to another.
func (i *Identity) MoveAccount(ctx context.Context, c *authpolicy.Caller, id, from, to string) (trellis.Revision, error) {
	return i.changeOrg(ctx, c, "MoveAccount", nil, func(tx *store.Tx, o *trellis.Organization) error {
		a, err := get[*trellis.Account](tx, id, errNoAccount())
		if err != nil {
			return err
		}
		if a.OrgID != o.ID {
			return errNoAccount()
		}
		missing := orgError("SourceParentNotFoundException", "You specified a source parent that doesn't exist.")
		if err := checkParent(tx, o, from, missing); err != nil {
			return err
		}
		missing = orgError("DestinationParentNotFoundException", "You specified a destination parent that doesn't exist.")
		if err := checkParent(tx, o, to, missing); err != nil {
			return err
		}
		if a.ParentID == to {
			return orgError("DuplicateAccountException", "The account is already a child of the destination parent.")
		}
		if a.ParentID != from {
			return orgError("SourceParentNotFoundException", "The account is not a child of the source parent.")
		}
		a.ParentID = to
		tx.Put(a)
		return nil
	})
}

// CloseAccount suspends an account for good: nothing that it signs is accepted any more.
func (i *Identity) CloseAccount(ctx context.Context, c *authpolicy.Caller, id string) (trellis.Revision, error) {
	return i.changeMember(ctx, c, "CloseAccount", id, func(tx *store.Tx, _ *trellis.Organization, a *trellis.Account) error {
		if a.Status != AccountActive {
			return orgError("AccountAlreadyClosedException", "You attempted to close an account that is already closed.")
		}
		a.Status = AccountSuspended
		tx.Put(a)
		return nil
	})
}

// RemoveAccount takes an account out of the organization. It goes on by itself.
func (i *Identity) RemoveAccount(ctx context.Context, c *authpolicy.Caller, id string) (trellis.Revision, error) {
	return i.changeMember(ctx, c, "RemoveAccountFromOrganization", id, leave)
}

// changeMember changes an account of the organization other than the management account.
func (i *Identity) changeMember(ctx context.Context, c *authpolicy.Caller, action, id string, change func(*store.Tx, *trellis.Organization, *trellis.Account) error) (trellis.Revision, error) {
	return i.changeOrg(ctx, c, action, nil, func(tx *store.Tx, o *trellis.Organization) error {
		a, err := get[*trellis.Account](tx, id, errNoAccount())
		if err != nil {
			return err
		}
		switch {
		case a.OrgID != o.ID:
			return errNoAccount()
		case a.ID == o.ManagementAccountID && action == "CloseAccount":
			return orgError("ConstraintViolationException", "You cannot close the management account.")
		case a.ID == o.ManagementAccountID:
			return orgError("MasterCannotLeaveOrganizationException", "You can't remove the management account from its organization.")
		}
		return change(tx, o, a)
	})
}

// JoinedAt is when an account joined its organization: with the organization for the management account, when it
// accepted for one that was invited, with its own making for the others.
func JoinedAt(a *trellis.Account, o *trellis.Organization) time.Time {
	if !a.JoinedAt.IsZero() {
		return a.JoinedAt
	}
	if a.CreatedAt.Before(o.CreatedAt) {
		return o.CreatedAt
	}
	return a.CreatedAt
}
