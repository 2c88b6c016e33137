package controlplane_test

import (
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/identity"
)

// TestInstanceProfiles gives instances roles by profiles: what IAM changes of a profile is the instance's at once.
func TestInstanceProfiles(t *testing.T) {
	l := newLab(t)
	ctx, who := t.Context(), l.c.Caller
	i := identity.New(identity.Options{Store: shared})
	role := func(name string) string {
		r, _, err := i.CreateRole(ctx, who, trellis.Role{Name: name, TrustPolicy: `{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`})
		wantCode(t, err, "")
		return r.ARN()
	}
	orders, rates := role("orders-role"), role("rates-role")
	p, _, err := i.CreateInstanceProfile(ctx, who, "web", "/app/", nil)
	wantCode(t, err, "")
	_, err = l.run(t, controlplane.NewInstances{ProfileName: "web"})
	wantCode(t, err, "InvalidParameterValue") // it has no role
	_, err = i.AddRoleToInstanceProfile(ctx, who, "web", "orders-role")
	wantCode(t, err, "")
	_, err = l.run(t, controlplane.NewInstances{ProfileARN: trellis.IAMARN(who.Principal.Account, "instance-profile/web")})
	wantCode(t, err, "InvalidParameterValue") // its path is another
	run, err := l.run(t, controlplane.NewInstances{ProfileARN: p.ARN()})
	wantCode(t, err, "")
	plain, err := l.run(t, controlplane.NewInstances{})
	wantCode(t, err, "")
	want := func(id, roleARN, profileARN string) *trellis.ProfileAssociation {
		t.Helper()
		n := must[[]controlplane.DescribedInstance](t)(l.p.Instances(ctx, l.c, "DescribeInstances", controlplane.Query{IDs: []string{id}}))[0]
		a := controlplane.ProfileOf(n.Instance)
		if n.RoleARN != roleARN || (a == nil) != (profileARN == "") || a != nil && a.ProfileARN != profileARN {
			t.Errorf("%s has the role %q by %+v, want %q by %q", id, n.RoleARN, a, roleARN, profileARN)
		}
		return a
	}
	first := want(run[0].ID, orders, p.ARN())
	_, err = i.RemoveRoleFromInstanceProfile(ctx, who, "web", "orders-role")
	wantCode(t, err, "")
	want(run[0].ID, "", p.ARN())
	_, err = i.AddRoleToInstanceProfile(ctx, who, "web", "rates-role")
	wantCode(t, err, "")
	want(run[0].ID, rates, p.ARN())

	_, _, err = l.p.AssociateProfile(ctx, l.c, run[0].ID, controlplane.ProfileNamed{Name: "web"})
	wantCode(t, err, "IncorrectState")
	_, _, err = l.p.AssociateProfile(ctx, l.c, "i-0123456789abcdef0", controlplane.ProfileNamed{Name: "web"})
	wantCode(t, err, "InvalidInstanceID.NotFound")
	_, _, err = l.p.AssociateProfile(ctx, l.c, plain[0].ID, controlplane.ProfileNamed{})
	wantCode(t, err, "MissingParameter")
	made, _, err := l.p.AssociateProfile(ctx, l.c, plain[0].ID, controlplane.ProfileNamed{Name: "web"})
	wantCode(t, err, "")
	if made.State != controlplane.ProfileAssociating || made.ProfileID != p.ID {
		t.Errorf("associated: %+v", made)
	}
	replaced, _, err := l.p.ReplaceProfile(ctx, l.c, made.ID, controlplane.ProfileNamed{Name: "orders-role"}) // a role's name alone
	wantCode(t, err, "")
	want(plain[0].ID, orders, trellis.IAMARN(who.Principal.Account, "instance-profile/orders-role"))
	_, _, err = l.p.DisassociateProfile(ctx, l.c, made.ID)
	wantCode(t, err, "NoSuchAssociation")
	found, err := l.p.ProfileAssociations(ctx, l.c, controlplane.Query{Filters: []controlplane.Filter{{Name: "instance-id", Values: []string{run[0].ID}}}})
	wantCode(t, err, "")
	if len(found) != 1 || found[0].ID != first.ID || found[0].State != controlplane.ProfileAssociated {
		t.Errorf("associations of %s: %+v", run[0].ID, found)
	}
	_, err = l.p.ProfileAssociations(ctx, l.c, controlplane.Query{IDs: []string{made.ID}})
	wantCode(t, err, "NoSuchAssociation")
	_, _, err = l.p.DisassociateProfile(ctx, l.c, replaced.ID)
	wantCode(t, err, "")
	want(plain[0].ID, "", "")

	// A terminated instance is in no profile's way, nor the other way round.
	_, _, err = l.p.TerminateInstances(ctx, l.c, []string{run[0].ID})
	wantCode(t, err, "")
	l.state(t, run[0].ID, trellis.InstanceTerminated)
	want(run[0].ID, "", "")
	_, err = i.RemoveRoleFromInstanceProfile(ctx, who, "web", "rates-role")
	wantCode(t, err, "")
	_, err = i.DeleteInstanceProfile(ctx, who, "web")
	wantCode(t, err, "")

	// What is denied of an instance can't be done by the id of its association.
	associated, _, err := l.p.AssociateProfile(ctx, l.c, plain[0].ID, controlplane.ProfileNamed{Name: "orders-role"})
	wantCode(t, err, "")
	all := l.c.Caller
	l.c.Caller = caller(t, who.Principal.Account, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/`+plain[0].ID+`"}]}`)
	_, _, err = l.p.DisassociateProfile(ctx, l.c, associated.ID)
	wantCode(t, err, "UnauthorizedOperation")
	l.c.Caller = all
	_, _, err = l.p.DisassociateProfile(ctx, l.c, associated.ID)
	wantCode(t, err, "")

	// Who may hand a role to an instance alone can't hand it to another.
	l.c.Caller = caller(t, who.Principal.Account, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"ArnLike":{"iam:AssociatedResourceARN":"arn:aws:ec2:*:*:instance/`+plain[0].ID+`"}}}]}`)
	_, err = l.run(t, controlplane.NewInstances{ProfileName: "orders-role"})
	wantCode(t, err, "UnauthorizedOperation")
	_, _, err = l.p.AssociateProfile(ctx, l.c, plain[0].ID, controlplane.ProfileNamed{Name: "orders-role"})
	wantCode(t, err, "")
	l.c.Caller = all
	_, _, err = l.p.DisassociateProfile(ctx, l.c, controlplane.ProfileOf(must[[]controlplane.DescribedInstance](t)(l.p.Instances(ctx, l.c, "DescribeInstances",
		controlplane.Query{IDs: []string{plain[0].ID}}))[0].Instance).ID)
	wantCode(t, err, "")

	// Who may run instances but not hand on the role runs none with it.
	l.c.Caller = caller(t, who.Principal.Account, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}`)
	_, _, err = l.p.AssociateProfile(ctx, l.c, plain[0].ID, controlplane.ProfileNamed{Name: "orders-role"})
	wantCode(t, err, "UnauthorizedOperation")
}
