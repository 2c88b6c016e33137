package identity_test

import (
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
)

func TestOrganization(t *testing.T) {
	w := newWorld(t)
	ctx, i, admin := t.Context(), w.identity, w.admin()
	_, _, err := i.DescribeOrganization(ctx, admin)
	wantCode(t, "no organization", err, "AWSOrganizationsNotInUseException")
	_, _, err = i.CreateAccount(ctx, admin, identity.NewAccount{Name: "a", Email: "a@example.com"})
	wantCode(t, "account without an organization", err, "AWSOrganizationsNotInUseException")
	o, _, _, err := i.CreateOrganization(ctx, admin, "ALL")
	w.must(err)
	_, _, _, err = i.CreateOrganization(ctx, admin, "ALL")
	wantCode(t, "second organization", err, "AlreadyInOrganizationException")

	payments := w.account("444455556666", "payments")
	if p := payments.Principal; p.Account != "444455556666" || p.OrgID != "o-exampleorgid" || p.OrgPath != "o-exampleorgid/"+o.RootID+"/" {
		t.Errorf("principal %+v", p)
	}
	_, _, err = i.DescribeOrganization(ctx, payments)
	w.must(err)
	_, _, err = i.ListAccounts(ctx, payments, "")
	wantCode(t, "a member lists accounts", err, "AccessDeniedException")
	_, _, err = i.CreateAccount(ctx, payments, identity.NewAccount{Name: "b", Email: "b@example.com"})
	wantCode(t, "a member makes an account", err, "AccessDeniedException")
	_, _, err = i.CreateAccount(ctx, admin, identity.NewAccount{Name: "b", Email: "b@example.com", Tags: map[string]string{identity.AccountIDTag: "444455556666"}})
	wantCode(t, "id taken", err, "InvalidInputException")
	status, _, err := i.CreateAccount(ctx, admin, identity.NewAccount{Name: "b", Email: "Payments@example.com"})
	if err != nil || status.FailureReason != "EMAIL_ALREADY_EXISTS" {
		t.Errorf("email taken: %+v, %v", status, err)
	}
	failed, err := i.DescribeCreateAccountStatus(ctx, admin, status.RequestID)
	if err != nil || failed.FailureReason != status.FailureReason || failed.Account.Name != "b" {
		t.Errorf("failed status: %+v, %v", failed, err)
	}
	status, _, err = i.CreateAccount(ctx, admin, identity.NewAccount{Name: "random", Email: "random@example.com", Tags: map[string]string{"team": "x"}})
	w.must(err)
	again, err := i.DescribeCreateAccountStatus(ctx, admin, status.RequestID)
	if err != nil || again.Account.ID != status.Account.ID || again.Account.Tags["team"] != "x" || len(again.Account.Tags) != 1 {
		t.Errorf("status: %+v, %v", again, err)
	}
	_, err = i.DescribeCreateAccountStatus(ctx, admin, "car-00000000")
	wantCode(t, "no such request", err, "CreateAccountStatusNotFoundException")

	apps, _, _, err := i.CreateUnit(ctx, admin, o.RootID, "apps", nil)
	w.must(err)
	_, _, _, err = i.CreateUnit(ctx, admin, o.RootID, "apps", nil)
	wantCode(t, "same name", err, "DuplicateOrganizationalUnitException")
	_, _, _, err = i.CreateUnit(ctx, admin, "ou-0000-00000000", "apps", nil)
	wantCode(t, "no such parent", err, "ParentNotFoundException")
	inner := apps
	for range 4 {
		inner, _, _, err = i.CreateUnit(ctx, admin, inner.ID, "inner", nil)
		w.must(err)
	}
	_, _, _, err = i.CreateUnit(ctx, admin, inner.ID, "inner", nil)
	wantCode(t, "sixth level", err, "ConstraintViolationException")

	_, err = i.MoveAccount(ctx, admin, "444455556666", apps.ID, inner.ID)
	wantCode(t, "wrong source", err, "SourceParentNotFoundException")
	_, err = i.MoveAccount(ctx, admin, "999999999999", o.RootID, inner.ID)
	wantCode(t, "no such account", err, "AccountNotFoundException")
	_, err = i.MoveAccount(ctx, admin, "444455556666", o.RootID, "ou-0000-00000000")
	wantCode(t, "no such destination", err, "DestinationParentNotFoundException")
	_, err = i.MoveAccount(ctx, admin, "444455556666", o.RootID, inner.ID)
	w.must(err)
	_, err = i.MoveAccount(ctx, admin, "444455556666", o.RootID, inner.ID)
	wantCode(t, "moved twice", err, "DuplicateAccountException")

	d := w.directory()
	for unit, want := range map[string]bool{apps.ID: true, inner.ID: true, o.RootID: true, "ou-0000-00000000": false, "": false} {
		if got := d.InOU("444455556666", unit); got != want {
			t.Errorf("InOU(%q) is %v", unit, got)
		}
	}
	if d.InOU("111122223333", apps.ID) || !d.InOU("111122223333", o.RootID) {
		t.Error("the management account is directly below the root")
	}
	if org, ok := d.OrgOf("444455556666"); !ok || org.ID != o.ID {
		t.Errorf("OrgOf: %v", org)
	}

	_, err = i.DeleteUnit(ctx, admin, apps.ID)
	wantCode(t, "unit with units", err, "OrganizationalUnitNotEmptyException")
	_, err = i.DeleteUnit(ctx, admin, inner.ID)
	wantCode(t, "unit with an account", err, "OrganizationalUnitNotEmptyException")
	parent, err := i.Parent(ctx, admin, "444455556666")
	if err != nil || parent != inner.ID {
		t.Errorf("parent %s, %v", parent, err)
	}
	_, err = i.Parent(ctx, admin, "999999999999")
	wantCode(t, "no such child", err, "ChildNotFoundException")
	ids, err := i.ListChildren(ctx, admin, inner.ID, false)
	if err != nil || len(ids) != 1 || ids[0] != "444455556666" {
		t.Errorf("children %v, %v", ids, err)
	}
	if ids, err = i.ListChildren(ctx, admin, apps.ID, true); err != nil || len(ids) != 1 {
		t.Errorf("children %v, %v", ids, err)
	}

	_, err = i.SetServiceAccess(ctx, admin, identity.RAMService, true)
	w.must(err)
	if o, _, err = i.DescribeOrganization(ctx, admin); err != nil || !o.SharingEnabled {
		t.Errorf("sharing is not enabled: %v", err)
	}
	if services, err := i.ListServiceAccess(ctx, admin); err != nil || len(services) != 1 || services[0] != identity.RAMService {
		t.Errorf("services %v, %v", services, err)
	}
	_, err = i.CloseAccount(ctx, admin, "111122223333")
	wantCode(t, "close the management account", err, "ConstraintViolationException")
	_, err = i.RemoveAccount(ctx, admin, "111122223333")
	wantCode(t, "remove the management account", err, "MasterCannotLeaveOrganizationException")
	_, err = i.RemoveAccount(ctx, admin, status.Account.ID)
	w.must(err)
	_, err = i.RemoveAccount(ctx, admin, status.Account.ID)
	wantCode(t, "removed twice", err, "AccountNotFoundException")
	role := identity.AssumeRole{RoleARN: "arn:aws:iam::444455556666:role/OrganizationAccountAccessRole", SessionName: "admin"}
	session, err := i.AssumeRole(ctx, admin, role)
	w.must(err)
	w.session(session)
	_, err = i.CloseAccount(ctx, admin, "444455556666")
	w.must(err)
	_, _, err = w.directory().Caller(session.AccessKeyID, session.SessionToken)
	wantCode(t, "session of a closed account", err, "UnrecognizedClientException")
	_, err = i.AssumeRole(ctx, admin, role)
	wantCode(t, "role of a closed account", err, "AccessDenied")
	_, err = i.DeleteOrganization(ctx, admin)
	wantCode(t, "organization with accounts", err, "OrganizationNotEmptyException")
}

// TestDirectoryIsReused holds NewDirectory to returning the previous one when nothing of identity changed.
func TestDirectoryIsReused(t *testing.T) {
	w := newWorld(t)
	st := trellis.NewState()
	a := &trellis.Account{ID: "111122223333", Status: identity.AccountActive}
	st.Put(a)
	d := identity.NewDirectory(st, nil, w.identity.SessionKey(), w.now)
	svc := &trellis.Service{Name: "orders"}
	svc.Account, svc.ID = a.ID, "svc-0123456789abcdef0"
	st.Put(svc)
	if identity.NewDirectory(st, d, w.identity.SessionKey(), w.now) != d {
		t.Error("a service changed the directory")
	}
	b := *a
	for _, n := range []trellis.Noun{&b, &trellis.Organization{ID: "o-1"}, &trellis.OrganizationalUnit{ID: "ou-1", OrgID: "o-1"},
		&trellis.OrganizationPolicy{ID: "p-1", OrgID: "o-1"}, &trellis.User{Name: "u"}, &trellis.Group{Name: "g"}, &trellis.Role{Name: "r"},
		&trellis.ManagedPolicy{Name: "p"}, &trellis.AccessKey{ID: "AKIA1"}} {
		st.Put(n)
		next := identity.NewDirectory(st, d, w.identity.SessionKey(), w.now)
		if next == d {
			t.Errorf("%s did not change the directory", n.Kind())
		}
		if d = next; identity.NewDirectory(st, d, w.identity.SessionKey(), w.now) != d {
			t.Errorf("%s changes the directory again and again", n.Kind())
		}
	}
}
