package identity_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/identity"
)

// TestAssumeRoleTable plays testdata/assume.json: a trust policy, the caller's own policy, and whether the
// caller gets a session.
func TestAssumeRoleTable(t *testing.T) {
	var cases []struct {
		Name     string
		Trust    json.RawMessage
		Policy   json.RawMessage // the caller's own
		Other    bool            // the caller is of account 444455556666
		External string
		Tags     map[string]string
		Want     bool
	}
	b, err := os.ReadFile("testdata/assume.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	ctx, i, admin := t.Context(), w.identity, w.admin()
	_, _, _, err = i.CreateOrganization(ctx, admin, "")
	w.must(err)
	other := w.account("444455556666", "payments")
	callers := map[bool]*authpolicy.Caller{false: w.user(admin, "caller", ""), true: w.user(other, "caller", "")}
	admins := map[bool]*authpolicy.Caller{false: admin, true: other}
	keys := map[bool]string{}
	for is, by := range admins {
		list, err := i.ListAccessKeys(ctx, by, "caller")
		w.must(err)
		keys[is] = list[0].ID
	}
	_, _, err = i.CreateRole(ctx, admin, trellis.Role{Name: "target", Path: "/x/", TrustPolicy: string(cases[0].Trust)})
	w.must(err)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			_, err := i.UpdateAssumeRolePolicy(ctx, admin, "target", string(c.Trust))
			w.must(err)
			policy := string(c.Policy)
			if policy == "" {
				policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:Nothing","Resource":"*"}]}`
			}
			_, err = i.PutInlinePolicy(ctx, admins[c.Other], identity.UserBearer, "caller", "p", policy)
			w.must(err)
			callers[c.Other] = w.caller(keys[c.Other], "")
			got, err := i.AssumeRole(ctx, callers[c.Other], identity.AssumeRole{
				RoleARN: "arn:aws:iam::111122223333:role/x/target", SessionName: "session", ExternalID: c.External, Tags: c.Tags,
			})
			if err == nil && got == nil {
				t.Fatal("neither credentials nor an error")
			}
			if c.Want && err != nil {
				t.Errorf("got %v, want a session", err)
			}
			if !c.Want {
				wantCode(t, "want a refusal", err, "AccessDenied")
			}
		})
	}
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	ctx, i, admin := t.Context(), w.identity, w.admin()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	r := trellis.Role{Name: "checkout-service", TrustPolicy: trust}
	r.Tags = map[string]string{"team": "shop", "stage": "prod"}
	_, _, err := i.CreateRole(ctx, admin, r)
	w.must(err)
	_, err = i.AttachPolicy(ctx, admin, identity.RoleBearer, "checkout-service", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	w.must(err)
	arn := "arn:aws:iam::111122223333:role/checkout-service"
	assume := func(a identity.AssumeRole) *identity.Credentials {
		t.Helper()
		a.RoleARN, a.SessionName = arn, "pod-1"
		c, err := i.AssumeRole(ctx, admin, a)
		w.must(err)
		return c
	}

	plain := assume(identity.AssumeRole{Tags: map[string]string{"team": "till"}})
	c := w.session(plain)
	p := c.Principal
	if p.Type != trellis.PrincipalAssumedRole || p.ARN != "arn:aws:sts::111122223333:assumed-role/checkout-service/pod-1" ||
		p.PolicyARN != arn || p.SessionName != "pod-1" || !strings.HasSuffix(p.UserID, ":pod-1") ||
		p.Tags["team"] != "till" || p.Tags["stage"] != "prod" {
		t.Errorf("principal %+v", p)
	}
	if err := c.Authorize("vpc-lattice:GetService", "*", nil); err != nil {
		t.Error(err)
	}
	if c.Authorize("vpc-lattice:CreateService", "*", nil) == nil {
		t.Error("ReadOnlyAccess allows to create")
	}
	d := w.directory()
	first, _, err := d.Caller(plain.AccessKeyID, plain.SessionToken)
	w.must(err)
	if again, _, _ := d.Caller(plain.AccessKeyID, plain.SessionToken); again != first {
		t.Error("a session is opened twice although nothing has changed")
	}
	if allocs := testing.AllocsPerRun(100, func() { d.Caller(plain.AccessKeyID, plain.SessionToken) }); allocs != 0 {
		t.Errorf("a known session costs %v allocations", allocs)
	}

	narrow := w.session(assume(identity.AssumeRole{
		Policy:     `{"Version":"2012-10-17","Statement":{"Sid":"One","Effect":"Allow","Action":"iam:GetUser","Resource":"*"}}`,
		PolicyARNs: []string{"arn:aws:iam::aws:policy/VPCLatticeReadOnlyAccess"},
	}))
	for action, want := range map[string]bool{"vpc-lattice:GetService": true, "iam:GetUser": true, "iam:GetRole": false, "vpc-lattice:CreateService": false} {
		if got := narrow.Authorize(action, "*", nil) == nil; got != want {
			t.Errorf("session policy: %s is %v, want %v", action, got, want)
		}
	}

	d = w.directory()
	for what, id := range map[string][2]string{
		"unknown key":            {"AKIAUNKNOWNUNKNOWN12", ""},
		"another key's token":    {w.key.ID, plain.SessionToken},
		"session without token":  {plain.AccessKeyID, ""},
		"token that is none":     {plain.AccessKeyID, "x"},
		"token that was changed": {plain.AccessKeyID, "A" + plain.SessionToken[1:len(plain.SessionToken)-4] + "AAAA"},
	} {
		_, _, err := d.Caller(id[0], id[1])
		wantCode(t, what, err, "UnrecognizedClientException")
	}
	w.wait(time.Hour)
	_, _, err = w.directory().Caller(plain.AccessKeyID, plain.SessionToken)
	wantCode(t, "after an hour", err, "ExpiredTokenException")

	fresh := assume(identity.AssumeRole{DurationSeconds: 900})
	w.session(fresh)
	_, err = i.DetachPolicy(ctx, admin, identity.RoleBearer, "checkout-service", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	w.must(err)
	if w.session(fresh).Authorize("vpc-lattice:GetService", "*", nil) == nil {
		t.Error("a session keeps what its role has lost")
	}
	_, err = i.DeleteRole(ctx, admin, "checkout-service")
	w.must(err)
	_, _, err = w.directory().Caller(fresh.AccessKeyID, fresh.SessionToken)
	wantCode(t, "role gone", err, "UnrecognizedClientException")
	_, _, err = i.CreateRole(ctx, admin, r)
	w.must(err)
	_, _, err = w.directory().Caller(fresh.AccessKeyID, fresh.SessionToken)
	wantCode(t, "another role of the same name", err, "UnrecognizedClientException")
}

func TestAssumeRoleRefusals(t *testing.T) {
	w := newWorld(t)
	ctx, i, admin := t.Context(), w.identity, w.admin()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	_, _, err := i.CreateRole(ctx, admin, trellis.Role{Name: "r", TrustPolicy: trust, MaxSessionSeconds: 7200})
	w.must(err)
	arn := "arn:aws:iam::111122223333:role/r"
	for what, c := range map[string]struct {
		ask  identity.AssumeRole
		code string
	}{
		"bad ARN":          {identity.AssumeRole{RoleARN: "role/r", SessionName: "ab"}, "ValidationError"},
		"user's ARN":       {identity.AssumeRole{RoleARN: "arn:aws:iam::111122223333:user/administrator", SessionName: "ab"}, "ValidationError"},
		"no such role":     {identity.AssumeRole{RoleARN: arn + "x", SessionName: "ab"}, "AccessDenied"},
		"bad session name": {identity.AssumeRole{RoleARN: arn, SessionName: "a b"}, "ValidationError"},
		"too short":        {identity.AssumeRole{RoleARN: arn, SessionName: "ab", DurationSeconds: 899}, "ValidationError"},
		"too long":         {identity.AssumeRole{RoleARN: arn, SessionName: "ab", DurationSeconds: 7201}, "ValidationError"},
		"tags not trusted": {identity.AssumeRole{RoleARN: arn, SessionName: "ab", Tags: map[string]string{"a": "b"}}, "AccessDenied"},
		"bad policy":       {identity.AssumeRole{RoleARN: arn, SessionName: "ab", Policy: "{"}, "MalformedPolicyDocument"},
		"no such policy":   {identity.AssumeRole{RoleARN: arn, SessionName: "ab", PolicyARNs: []string{"arn:aws:iam::aws:policy/None"}}, "NoSuchEntity"},
	} {
		_, err := i.AssumeRole(ctx, admin, c.ask)
		wantCode(t, what, err, c.code)
	}
	long, err := i.AssumeRole(ctx, admin, identity.AssumeRole{RoleARN: arn, SessionName: "ab", DurationSeconds: 7200})
	w.must(err)
	_, err = i.AttachPolicy(ctx, admin, identity.RoleBearer, "r", "arn:aws:iam::aws:policy/AdministratorAccess")
	w.must(err)
	_, err = i.AssumeRole(ctx, w.session(long), identity.AssumeRole{RoleARN: arn, SessionName: "cd", DurationSeconds: 3601})
	wantCode(t, "chained for more than an hour", err, "ValidationError")

	c, err := i.SessionForService(ctx, identity.ServiceSession{RoleARN: arn, Service: "ec2.amazonaws.com", SessionName: "i-0123456789abcdef0"})
	w.must(err)
	if got := w.session(c).Principal.ARN; got != "arn:aws:sts::111122223333:assumed-role/r/i-0123456789abcdef0" {
		t.Errorf("instance's session: %s", got)
	}
	_, err = i.SessionForService(ctx, identity.ServiceSession{RoleARN: arn, Service: "lambda.amazonaws.com", SessionName: "function"})
	if err == nil {
		t.Error("a service that the role does not trust has a session")
	}
}

// TestAssumeRoleUnderResourceControl refuses sessions of a role whose account a resource control policy protects.
func TestAssumeRoleUnderResourceControl(t *testing.T) {
	w := newWorld(t)
	ctx, i, admin := t.Context(), w.identity, w.admin()
	o, _, _, err := i.CreateOrganization(ctx, admin, "")
	w.must(err)
	other := w.account("444455556666", "payments")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	r, _, err := i.CreateRole(ctx, other, trellis.Role{Name: "protected", TrustPolicy: trust})
	w.must(err)
	ask := identity.AssumeRole{RoleARN: r.ARN(), SessionName: "night"}
	_, err = i.AssumeRole(ctx, admin, ask)
	w.must(err)
	_, _, err = i.SetPolicyType(ctx, admin, o.RootID, identity.ResourceControlPolicy, true)
	w.must(err)
	p, _, _, err := i.CreateControlPolicy(ctx, admin, trellis.OrganizationPolicy{Name: "services-alone", Type: identity.ResourceControlPolicy,
		Text: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*","Condition":{"Bool":{"aws:PrincipalIsAWSService":"false"}}}]}`})
	w.must(err)
	_, err = i.AttachControlPolicy(ctx, admin, p.ID, "444455556666")
	w.must(err)
	if _, err = i.AssumeRole(ctx, admin, ask); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("assumed in spite of the resource control policy: %v", err)
	}
	_, err = i.SessionForService(ctx, identity.ServiceSession{RoleARN: r.ARN(), Service: "ec2.amazonaws.com", SessionName: "night"})
	w.must(err)
	_, err = i.DetachControlPolicy(ctx, admin, p.ID, "444455556666")
	w.must(err)
	_, err = i.AssumeRole(ctx, admin, ask)
	w.must(err)
}
