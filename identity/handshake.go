package identity

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// The states of handshakes (Organizations API reference, Handshake).
const (
	HandshakeOpen     = "OPEN"
	HandshakeCanceled = "CANCELED"
	HandshakeAccepted = "ACCEPTED"
	HandshakeDeclined = "DECLINED"
	HandshakeExpired  = "EXPIRED"
)

// An invitation is open for 15 days, and is shown for 30 more (Organizations API reference, Handshake).
const (
	handshakeOpen  = 15 * 24 * time.Hour
	handshakeShown = 30 * 24 * time.Hour
)

// Invitation is a handshake with the parties to it.
type Invitation struct {
	*trellis.Handshake
	Organization *trellis.Organization
	Management   *trellis.Account
}

// HandshakeARN is the ARN of an invitation.
func HandshakeARN(n Invitation) string { return OrgARN(n.Organization, "handshake", "invite/"+n.ID) }

// errNoHandshake is for a handshake that a caller named, or that is not the caller's.
func errNoHandshake() *trellis.Error {
	return orgError("HandshakeNotFoundException", "We can't find a handshake with the HandshakeId that you specified.")
}

// invitation reads a handshake's parties, and its state at this time.
func (i *Identity) invitation(tx *store.Tx, h *trellis.Handshake) (Invitation, error) {
	if h.State == HandshakeOpen && !i.now().Before(h.ExpiresAt) {
		h.State = HandshakeExpired
	}
	o, err := get[*trellis.Organization](tx, h.OrgID, errNoHandshake())
	if err != nil {
		return Invitation{}, err
	}
	management, err := get[*trellis.Account](tx, o.ManagementAccountID, errNoHandshake())
	return Invitation{h, o, management}, err
}

// NewInvitation is what a caller asks of InviteAccount.
type NewInvitation struct {
	Target  string // an account id, or an email address
	ByEmail bool
	Notes   string
	Tags    map[string]string
}

// InviteAccount asks an account to join the organization that the caller manages.
func (i *Identity) InviteAccount(ctx context.Context, c *authpolicy.Caller, in NewInvitation) (n Invitation, rev trellis.Revision, err error) {
	if err := checkOrgTags(in.Tags); err != nil {
		return n, 0, err
	}
	rev, err = i.changeOrg(ctx, c, "InviteAccountToOrganization", authpolicy.TagKeys(nil, in.Tags, nil), func(tx *store.Tx, o *trellis.Organization) error {
		a, err := invited(tx, in)
		if err != nil {
			return err
		}
		switch {
		case a.OrgID == o.ID:
			return orgError("HandshakeConstraintViolationException", "The account is already a member of the organization.")
		case a.OrgID != "":
			return orgError("HandshakeConstraintViolationException", "The account is already a member of another organization.")
		case a.Status != AccountActive:
			return orgError("HandshakeConstraintViolationException", "The account is suspended.")
		}
		all, err := store.List[*trellis.Handshake](tx, "")
		if err != nil {
			return err
		}
		now := i.now()
		for _, h := range all {
			if h.OrgID == o.ID && h.Account == a.ID && h.State == HandshakeOpen && now.Before(h.ExpiresAt) {
				return orgError("DuplicateHandshakeException", "A handshake with the same action and target already exists.")
			}
			if now.After(h.ExpiresAt.Add(handshakeShown)) {
				tx.Delete(h)
			}
		}
		h := &trellis.Handshake{ID: "h-" + trellis.RandomHex(32), OrgID: o.ID, Account: a.ID, Email: a.Email, ByEmail: in.ByEmail, Notes: in.Notes,
			State: HandshakeOpen, RequestedAt: now, ExpiresAt: now.Add(handshakeOpen), Tags: maps.Clone(in.Tags)}
		tx.Put(h)
		n, err = i.invitation(tx, h)
		return err
	})
	return n, rev, err
}

// invited finds the account that an invitation is for.
func invited(tx *store.Tx, in NewInvitation) (*trellis.Account, error) {
	missing := orgError("InvalidInputException", "You specified an account that doesn't exist.")
	if !in.ByEmail {
		return get[*trellis.Account](tx, in.Target, missing)
	}
	all, err := store.List[*trellis.Account](tx, "")
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(a *trellis.Account) bool { return lower(a.Email) == lower(in.Target) })
	if at < 0 {
		return nil, missing
	}
	return all[at], nil
}

// AnswerHandshake ends an open handshake: the invited account accepts or declines, the organization cancels. state is the
// one that it gets. An account that accepts is a member below the root at once.
func (i *Identity) AnswerHandshake(ctx context.Context, c *authpolicy.Caller, id, state string) (n Invitation, rev trellis.Revision, err error) {
	action := map[string]string{HandshakeAccepted: "AcceptHandshake", HandshakeDeclined: "DeclineHandshake", HandshakeCanceled: "CancelHandshake"}[state]
	rev, err = i.commit(ctx, c, "organizations:"+action, "*", nil, func(tx *store.Tx) error {
		h, err := get[*trellis.Handshake](tx, id, errNoHandshake())
		if err != nil {
			return err
		}
		if n, err = i.invitation(tx, h); err != nil {
			return err
		}
		party := h.Account
		if state == HandshakeCanceled {
			party = n.Organization.ManagementAccountID
		}
		switch {
		case c.Principal.Account != party:
			return errNoHandshake()
		case h.State == state:
			return orgError("HandshakeAlreadyInStateException", "The specified handshake is already in the requested state.")
		case h.State != HandshakeOpen:
			return orgError("InvalidHandshakeTransitionException", "You can't perform the operation on the handshake in its current state, %s.", h.State)
		}
		h.State = state
		tx.Put(h)
		if state != HandshakeAccepted {
			return nil
		}
		return i.join(tx, n)
	})
	return n, rev, err
}

// join makes the invited account a member of the organization.
func (i *Identity) join(tx *store.Tx, n Invitation) error {
	a, err := get[*trellis.Account](tx, n.Account, errNoHandshake())
	if err != nil {
		return err
	}
	if a.OrgID != "" {
		return orgError("HandshakeConstraintViolationException", "The account is already a member of an organization.")
	}
	a.OrgID, a.ParentID, a.JoinedAt, a.RequestID = n.OrgID, n.Organization.RootID, i.now(), ""
	if len(n.Tags) > 0 {
		if a.Tags == nil {
			a.Tags = map[string]string{}
		}
		maps.Copy(a.Tags, n.Tags)
		if err := checkOrgTags(a.Tags); err != nil {
			return err
		}
	}
	tx.Put(a)
	return joinControls(tx, n.Organization, a.ID)
}

// DescribeHandshake returns a handshake to one of its parties.
func (i *Identity) DescribeHandshake(ctx context.Context, c *authpolicy.Caller, id string) (n Invitation, err error) {
	err = i.read(ctx, c, "organizations:DescribeHandshake", "*", func(tx *store.Tx) error {
		h, err := get[*trellis.Handshake](tx, id, errNoHandshake())
		if err != nil {
			return err
		}
		if n, err = i.invitation(tx, h); err != nil {
			return err
		}
		if who := c.Principal.Account; who != h.Account && who != n.Organization.ManagementAccountID {
			return errNoHandshake()
		}
		return nil
	})
	return n, err
}

// ListHandshakes returns the handshakes of the caller's account, or those of the organization that it manages.
func (i *Identity) ListHandshakes(ctx context.Context, c *authpolicy.Caller, ofOrganization bool) (found []Invitation, err error) {
	action := "ListHandshakesForAccount"
	if ofOrganization {
		action = "ListHandshakesForOrganization"
	}
	err = i.read(ctx, c, "organizations:"+action, "*", func(tx *store.Tx) error {
		found = nil
		org := ""
		if ofOrganization {
			o, err := watched(tx, c)
			if err != nil {
				return err
			}
			org = o.ID
		}
		all, err := store.List[*trellis.Handshake](tx, "")
		if err != nil {
			return err
		}
		for _, h := range all {
			if ofOrganization && h.OrgID != org || !ofOrganization && h.Account != c.Principal.Account || i.now().After(h.ExpiresAt.Add(handshakeShown)) {
				continue
			}
			n, err := i.invitation(tx, h)
			if err != nil {
				return err
			}
			found = append(found, n)
		}
		return nil
	})
	return found, err
}

// LeaveOrganization takes the caller's account out of its organization.
func (i *Identity) LeaveOrganization(ctx context.Context, c *authpolicy.Caller) (trellis.Revision, error) {
	return i.commit(ctx, c, "organizations:LeaveOrganization", "*", nil, func(tx *store.Tx) error {
		o, err := organizationOf(tx, c)
		if err != nil {
			return err
		}
		if o.ManagementAccountID == c.Principal.Account {
			return orgError("MasterCannotLeaveOrganizationException", "You can't remove a management account from an organization.")
		}
		a, err := get[*trellis.Account](tx, c.Principal.Account, errNotInUse())
		if err != nil {
			return err
		}
		return leave(tx, o, a)
	})
}

// leave takes an account out of its organization: it goes on by itself, held to nothing.
func leave(tx *store.Tx, o *trellis.Organization, a *trellis.Account) error {
	if len(a.Delegations) > 0 {
		return orgError("ConstraintViolationException", "You cannot remove a registered delegated administrator from the organization: deregister it first.")
	}
	a.OrgID, a.ParentID = "", ""
	tx.Put(a)
	return leaveControls(tx, o, a.ID)
}
