package controlplane_test

import (
	"slices"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// company is an organization: a management account, a unit prod with a unit eu below it, an account in eu
// and one in the root.
type company struct {
	org               *trellis.Organization
	prod, eu          *trellis.OrganizationalUnit
	owner, inEU, root *authpolicy.Caller
	network           *trellis.ServiceNetwork
}

// newCompany puts the organization and makes a service network in its management account.
func newCompany(t testing.TB, p *controlplane.Plane) *company {
	t.Helper()
	m, a, b := newAccount(), newAccount(), newAccount()
	co := &company{owner: caller(t, m, allowAll), inEU: caller(t, a, allowAll), root: caller(t, b, allowAll)}
	co.org = &trellis.Organization{ID: "o-" + trellis.RandomHex(10), ManagementAccountID: m, RootID: "r-root", FeatureSet: "ALL"}
	co.prod = &trellis.OrganizationalUnit{ID: "ou-root-" + trellis.RandomHex(8), OrgID: co.org.ID, ParentID: "r-root", Name: "prod"}
	co.eu = &trellis.OrganizationalUnit{ID: "ou-root-" + trellis.RandomHex(8), OrgID: co.org.ID, ParentID: co.prod.ID, Name: "eu"}
	put(t, shared, co.org, co.prod, co.eu, &trellis.Account{ID: m, OrgID: co.org.ID, ParentID: "r-root"},
		&trellis.Account{ID: a, OrgID: co.org.ID, ParentID: co.eu.ID}, &trellis.Account{ID: b, OrgID: co.org.ID, ParentID: "r-root"})
	var err error
	co.network, _, err = p.CreateServiceNetwork(t.Context(), co.owner, "", trellis.ServiceNetwork{Name: "platform-mesh", SharingEnabled: true})
	if err != nil {
		t.Fatal(err)
	}
	return co
}

// unitARN is the ARN of an organizational unit.
func (co *company) unitARN(u *trellis.OrganizationalUnit) string {
	return "arn:aws:organizations::" + co.org.ManagementAccountID + ":ou/" + co.org.ID + "/" + u.ID
}

// orgARN is the ARN of the organization.
func (co *company) orgARN() string {
	return "arn:aws:organizations::" + co.org.ManagementAccountID + ":organization/" + co.org.ID
}

// sharedWith asks whether a share gives the company's network to an account for an action.
func (co *company) sharedWith(t testing.TB, p *controlplane.Plane, c *authpolicy.Caller, action string) (ok bool) {
	t.Helper()
	err := shared.Read(t.Context(), func(tx *store.Tx) error {
		ok = p.SharedWith(tx, c, co.network.ARN(region), "vpc-lattice:"+action, nil)
		all, err := p.SharedResources(tx, c.Principal.Account, controlplane.ShareServiceNetwork)
		if ok && !slices.Contains(all, co.network.ARN(region)) {
			t.Errorf("shared, but not listed: %v", all)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// guidePermission is the permission of the guide's share.
const guidePermission = "arn:aws:ram::aws:permission/AWSRAMPermissionVpcLatticeServiceNetworkVpcAssociation"

// TestShareWithAnOrganizationalUnit is the guide's step 5.
func TestShareWithAnOrganizationalUnit(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	co := newCompany(t, p)
	in := controlplane.NewShare{Name: "lattice-platform-mesh", AllowExternalPrincipals: true, Resources: []string{co.network.ARN(region)},
		Principals: []string{co.unitARN(co.prod)}, Permissions: []string{guidePermission}, ClientToken: "t"}
	_, _, err := p.CreateShare(ctx, co.owner, in)
	wantCode(t, err, "OperationNotPermittedException") // sharing with the organization is not enabled
	_, err = p.EnableSharing(ctx, co.inEU)
	wantCode(t, err, "OperationNotPermittedException")
	_, err = p.EnableSharing(ctx, co.owner)
	wantCode(t, err, "")
	s, _, err := p.CreateShare(ctx, co.owner, in)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := p.CreateShare(ctx, co.owner, in)
	if err != nil || again.ID != s.ID {
		t.Errorf("the token made another share: %v", err)
	}
	in.Name = "other"
	_, _, err = p.CreateShare(ctx, co.owner, in)
	wantCode(t, err, "IdempotentParameterMismatchException")

	for _, x := range []struct {
		who    *authpolicy.Caller
		action string
		want   bool
	}{
		{co.inEU, "GetServiceNetwork", true}, // a unit below the unit
		{co.inEU, "CreateServiceNetworkVpcAssociation", true},
		{co.inEU, "CreateServiceNetworkServiceAssociation", true},   // as the guide's producers need it
		{co.inEU, "CreateServiceNetworkResourceAssociation", false}, // not in the permission
		{co.inEU, "DeleteServiceNetwork", false},
		{co.root, "GetServiceNetwork", false},
		{admin(t), "GetServiceNetwork", false},
	} {
		if got := co.sharedWith(t, p, x.who, x.action); got != x.want {
			t.Errorf("%s for %s: %v", x.action, x.who.Principal.Account, got)
		}
	}
	others := must[[]*trellis.ResourceShare](t)(p.Shares(ctx, co.inEU, "GetResourceShares", true))
	if len(others) != 1 || others[0].ID != s.ID {
		t.Errorf("shares that reach the account: %+v", others)
	}
	if _, _, err := p.CreateVPCAssociation(ctx, co.inEU, "", co.network.ARN(region), vpcOf(t, co.inEU), trellis.VPCAssociation{}); err != nil {
		t.Errorf("association with the shared network: %v", err)
	}

	// Another permission cannot join for the same type; a principal more gets the same.
	_, _, err = p.AssociateShare(ctx, co.owner, s.ARN(region), nil, []string{co.root.Principal.Account})
	wantCode(t, err, "")
	if !co.sharedWith(t, p, co.root, "GetServiceNetwork") {
		t.Error("an account of the organization is not reached at once")
	}
	gone, _, err := p.DisassociateShare(ctx, co.owner, s.ARN(region), nil, []string{co.unitARN(co.prod)})
	if err != nil || len(gone) != 1 || gone[0].Status != "DISASSOCIATED" || co.sharedWith(t, p, co.inEU, "GetServiceNetwork") {
		t.Errorf("after the unit left: %+v %v", gone, err)
	}
	_, _, err = p.DisassociateShare(ctx, co.owner, s.ARN(region), nil, []string{co.unitARN(co.prod)})
	wantCode(t, err, "UnknownResourceException")
	_, err = p.DeleteShare(ctx, co.root, s.ARN(region))
	wantCode(t, err, "UnknownResourceException") // another account's
	_, err = p.DeleteShare(ctx, co.owner, s.ARN(region))
	wantCode(t, err, "")
	if co.sharedWith(t, p, co.root, "GetServiceNetwork") {
		t.Error("a deleted share still reaches")
	}
	_, err = p.TagShare(ctx, co.owner, s.ARN(region), map[string]string{"a": "b"})
	wantCode(t, err, "UnknownResourceException")
	own := must[[]*trellis.ResourceShare](t)(p.Shares(ctx, co.owner, "GetResourceShares", false))
	if len(own) != 1 || own[0].Status != controlplane.ShareDeleted {
		t.Errorf("a deleted share is to be listed: %+v", own)
	}
	running(t, controlplane.Options{Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
	await(t, "the sweep", func() bool {
		return len(must[[]*trellis.ResourceShare](t)(p.Shares(ctx, co.owner, "GetResourceShares", false))) == 0
	})
}

// vpcOf is the id of a new VPC of a caller's account.
func vpcOf(t testing.TB, c *authpolicy.Caller) string {
	id, _, _ := newVPC(t, c, "10.0.0.0/16")
	return id
}

func TestInvitations(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	co, partner, refuser := newCompany(t, p), admin(t), admin(t)
	principals := []string{partner.Principal.Account, refuser.Principal.Account}
	in := controlplane.NewShare{Name: "partners", Resources: []string{co.network.ARN(region)}, Principals: principals}
	_, _, err := p.CreateShare(ctx, co.owner, in)
	wantCode(t, err, "OperationNotPermittedException") // no external principals
	in.AllowExternalPrincipals = true
	s, _, err := p.CreateShare(ctx, co.owner, in)
	if err != nil || len(s.Permissions) != 1 {
		t.Fatal(s, err)
	}
	if co.sharedWith(t, p, partner, "GetServiceNetwork") {
		t.Error("an invitation is not yet a share")
	}
	answer := func(c *authpolicy.Caller, accept bool, want string) {
		t.Helper()
		all := must[[]controlplane.ShareInvitation](t)(p.Invitations(ctx, c))
		if len(all) != 1 {
			t.Fatalf("invitations: %+v", all)
		}
		_, _, err := p.AnswerInvitation(ctx, c, all[0].ARN(region), accept)
		wantCode(t, err, want)
	}
	answer(partner, true, "")
	answer(partner, true, "ResourceShareInvitationAlreadyAcceptedException")
	answer(refuser, false, "")
	answer(refuser, true, "ResourceShareInvitationAlreadyRejectedException")
	theirs := must[[]controlplane.ShareInvitation](t)(p.Invitations(ctx, partner))
	_, _, err = p.AnswerInvitation(ctx, refuser, theirs[0].ARN(region), true)
	wantCode(t, err, "ResourceShareInvitationArnNotFoundException")
	if !co.sharedWith(t, p, partner, "CreateServiceNetworkServiceAssociation") || co.sharedWith(t, p, refuser, "GetServiceNetwork") {
		t.Error("the answers do not count")
	}
	_, _, err = p.UpdateShare(ctx, co.owner, s.ARN(region), nil, new(bool))
	wantCode(t, err, "OperationNotPermittedException")
	var got []string
	for _, a := range must[[]controlplane.ShareAssociation](t)(p.ShareAssociations(ctx, co.owner, "PRINCIPAL")) {
		got = append(got, a.Status)
	}
	if !slices.Equal(got, []string{"ASSOCIATED", "FAILED"}) {
		t.Errorf("associations: %v", got)
	}
	_, _, err = p.AssociateShare(ctx, co.owner, s.ARN(region), nil, []string{refuser.Principal.Account})
	wantCode(t, err, "")
	answer(refuser, true, "") // invited once more
}

func TestWhatCannotBeShared(t *testing.T) {
	p, ctx := running(t, controlplane.Options{}), t.Context()
	co := newCompany(t, p)
	if _, err := p.EnableSharing(ctx, co.owner); err != nil {
		t.Fatal(err)
	}
	closed, _, err := p.CreateServiceNetwork(ctx, co.owner, "", trellis.ServiceNetwork{Name: "closed"})
	wantCode(t, err, "")
	account := co.owner.Principal.Account
	lattice := func(resource string) string { return trellis.LatticeARN(region, account, resource) }
	for _, x := range []struct {
		what string
		in   controlplane.NewShare
		want string
	}{
		{"no ARN", controlplane.NewShare{Resources: []string{"sn-0123456789abcdef0"}}, "MalformedArnException"},
		{"a target group", controlplane.NewShare{Resources: []string{lattice("targetgroup/tg-0123456789abcdef0")}}, "InvalidParameterException"},
		{"a listener", controlplane.NewShare{Resources: []string{lattice("service/svc-0123456789abcdef0/listener/listener-0123456789abcdef0")}}, "InvalidParameterException"},
		{"another region", controlplane.NewShare{Resources: []string{trellis.LatticeARN("us-east-1", account, "service/svc-0123456789abcdef0")}}, "InvalidParameterException"},
		{"another account's", controlplane.NewShare{Resources: []string{trellis.LatticeARN(region, "999999999999", "service/svc-0123456789abcdef0")}}, "OperationNotPermittedException"},
		{"nothing", controlplane.NewShare{Resources: []string{lattice("service/svc-0123456789abcdef0")}}, "UnknownResourceException"},
		{"a network without sharing", controlplane.NewShare{Resources: []string{closed.ARN(region)}}, "OperationNotPermittedException"},
		{"with itself", controlplane.NewShare{Principals: []string{account}}, "InvalidParameterException"},
		{"with a role", controlplane.NewShare{Principals: []string{"arn:aws:iam::444455556666:role/x"}}, "InvalidParameterException"},
		{"with a word", controlplane.NewShare{Principals: []string{"everybody"}}, "InvalidParameterException"},
		{"with another organization", controlplane.NewShare{Principals: []string{"arn:aws:organizations::444455556666:organization/o-other12345"}}, "UnknownResourceException"},
		{"with no unit", controlplane.NewShare{Principals: []string{co.orgARN()[:len("arn:aws:organizations::111122223333:")] + "ou/" + co.org.ID + "/ou-root-none1234"}}, "UnknownResourceException"},
		{"with the organization", controlplane.NewShare{Principals: []string{co.orgARN()}}, ""},
		{"an unknown permission", controlplane.NewShare{Permissions: []string{"arn:aws:ram::aws:permission/AWSRAMPermissionNothing"}}, "UnknownResourceException"},
		{"a permission that is none", controlplane.NewShare{Permissions: []string{"x"}}, "MalformedArnException"},
		{"two permissions of a type", controlplane.NewShare{Permissions: []string{guidePermission, "arn:aws:ram::aws:permission/AWSRAMPermissionVpcLatticeServiceNetworkReadWrite"}}, "InvalidParameterException"},
	} {
		x.in.Name, x.in.AllowExternalPrincipals = "x", true
		_, _, err := p.CreateShare(ctx, co.owner, x.in)
		if got := code(t, err); got != x.want {
			t.Errorf("%s: got %v, want %q", x.what, err, x.want)
		}
	}
	_, _, err = p.CreateShare(ctx, caller(t, account, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}`), controlplane.NewShare{Name: "x"})
	wantCode(t, err, "AccessDeniedException")
}
