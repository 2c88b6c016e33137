package identity_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
)

// TestServiceSessions has a service ask for sessions of a role: with a token and, from a Directory alone, without. Both
// make the same caller, and the role's trust policy decides of both.
func TestServiceSessions(t *testing.T) {
	w := newWorld(t)
	ctx, i, admin := t.Context(), w.identity, w.admin()
	r := trellis.Role{Name: "pod", TrustPolicy: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]},
		{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"],
		 "Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a"},"StringEquals":{"sts:SourceIdentity":"CN=web"}}}]}`}
	r.Tags = map[string]string{"Stage": "prod", "team": "shop"}
	_, _, err := i.CreateRole(ctx, admin, r)
	w.must(err)
	_, err = i.AttachPolicy(ctx, admin, identity.RoleBearer, "pod", "arn:aws:iam::aws:policy/ReadOnlyAccess")
	w.must(err)
	arn := "arn:aws:iam::111122223333:role/pod"
	anchor := map[string][]string{"aws:sourcearn": {"arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a"}}
	for what, c := range map[string]struct {
		ask  identity.ServiceSession
		code string // empty: a session
		tags map[string]string
		may  map[string]bool // by action
	}{
		"a pod": {ask: identity.ServiceSession{RoleARN: arn, Service: "pods.eks.amazonaws.com", SessionName: "eks-c-p",
			Tags: map[string]string{"kubernetes-namespace": "shop", "stage": "dev"}, TransitiveTags: []string{"kubernetes-namespace"},
			Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"vpc-lattice:GetService","Resource":"*"}}`},
			tags: map[string]string{"kubernetes-namespace": "shop", "stage": "dev", "team": "shop"},
			may:  map[string]bool{"vpc-lattice:GetService": true, "vpc-lattice:GetListener": false}},
		"a certificate": {ask: identity.ServiceSession{RoleARN: arn, Service: "rolesanywhere.amazonaws.com", SessionName: "serial",
			SourceIdentity: "CN=web", X509: &trellis.X509{SubjectCN: "web"}, Context: anchor,
			PolicyARNs: []string{"arn:aws:iam::aws:policy/VPCLatticeReadOnlyAccess"}},
			tags: r.Tags, may: map[string]bool{"vpc-lattice:GetService": true, "iam:GetUser": false}},
		"a certificate's host": {ask: identity.ServiceSession{RoleARN: arn, Service: "rolesanywhere.amazonaws.com", SessionName: "serial",
			SourceIdentity: "web", X509: &trellis.X509{SubjectCN: "web"}, Context: anchor}, code: "AccessDenied"},
		"tags that are not trusted": {ask: identity.ServiceSession{RoleARN: arn, Service: "rolesanywhere.amazonaws.com", SessionName: "serial",
			Tags: map[string]string{"a": "b"}, Context: anchor}, code: "AccessDenied"},
		"another service":         {ask: identity.ServiceSession{RoleARN: arn, Service: "ec2.amazonaws.com", SessionName: "i-1"}, code: "AccessDenied"},
		"no such role":            {ask: identity.ServiceSession{RoleARN: arn + "x", Service: "pods.eks.amazonaws.com", SessionName: "eks"}, code: "AccessDenied"},
		"not a role":              {ask: identity.ServiceSession{RoleARN: "pod", Service: "pods.eks.amazonaws.com", SessionName: "eks"}, code: "AccessDenied"},
		"a transitive key alone":  {ask: identity.ServiceSession{RoleARN: arn, Service: "pods.eks.amazonaws.com", SessionName: "eks", TransitiveTags: []string{"a"}}, code: "InvalidParameterValue"},
		"a key in two cases":      {ask: identity.ServiceSession{RoleARN: arn, Service: "pods.eks.amazonaws.com", SessionName: "eks", Tags: map[string]string{"a": "1", "A": "2"}}, code: "InvalidParameterValue"},
		"a session name too long": {ask: identity.ServiceSession{RoleARN: arn, Service: "pods.eks.amazonaws.com", SessionName: string(make([]byte, 65))}, code: "ValidationError"},
	} {
		t.Run(what, func(t *testing.T) {
			d := w.directory()
			made, err := i.SessionForService(ctx, c.ask)
			attested, attestedErr := d.ServiceCaller(c.ask)
			if c.code != "" {
				wantCode(t, "session", err, c.code)
				wantCode(t, "caller", attestedErr, c.code)
				return
			}
			w.must(err)
			w.must(attestedErr)
			signed := w.session(made)
			if !reflect.DeepEqual(signed.Principal, attested.Principal) {
				t.Errorf("with a token %+v, without %+v", signed.Principal, attested.Principal)
			}
			p := attested.Principal
			if !reflect.DeepEqual(p.Tags, c.tags) || p.SourceIdentity != c.ask.SourceIdentity || p.X509 != c.ask.X509 || !reflect.DeepEqual(p.TransitiveTags, c.ask.TransitiveTags) || !p.TokenIssuedAt.Equal(w.now()) {
				t.Errorf("principal %+v", p)
			}
			for action, want := range c.may {
				if got := attested.Authorize(action, "*", nil) == nil; got != want {
					t.Errorf("%s is %v, want %v", action, got, want)
				}
			}
		})
	}
	_, err = i.UpdateAssumeRolePolicy(ctx, admin, "pod", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:*"}}`)
	w.must(err)
	_, err = w.directory().ServiceCaller(identity.ServiceSession{RoleARN: arn, Service: "pods.eks.amazonaws.com", SessionName: "eks-c-p"})
	wantCode(t, "trust withdrawn", err, "AccessDenied")
}

// TestChains assumes one role with a session of another: transitive tags and the source identity go on.
func TestChains(t *testing.T) {
	w := newWorld(t)
	ctx, i, admin := t.Context(), w.identity, w.admin()
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}`
	for _, name := range []string{"first", "second", "third"} {
		_, _, err := i.CreateRole(ctx, admin, trellis.Role{Name: name, TrustPolicy: trust, MaxSessionSeconds: 7200})
		w.must(err)
		_, err = i.AttachPolicy(ctx, admin, identity.RoleBearer, name, "arn:aws:iam::aws:policy/AdministratorAccess")
		w.must(err)
	}
	arn := func(name string) string { return trellis.IAMARN("111122223333", "role/"+name) }
	c, err := i.AssumeRole(ctx, admin, identity.AssumeRole{RoleARN: arn("first"), SessionName: "one", SourceIdentity: "alice",
		Tags: map[string]string{"Team": "shop", "shift": "night"}, TransitiveTags: []string{"team"}, DurationSeconds: 7200})
	w.must(err)
	first := w.session(c)
	c, err = i.AssumeRole(ctx, first, identity.AssumeRole{RoleARN: arn("second"), SessionName: "two", Tags: map[string]string{"shift": "day"}})
	w.must(err)
	if c.SourceIdentity != "alice" {
		t.Errorf("source identity %q", c.SourceIdentity)
	}
	second := w.session(c)
	c, err = i.AssumeRole(ctx, second, identity.AssumeRole{RoleARN: arn("third"), SessionName: "three"})
	w.must(err)
	third := w.session(c).Principal
	if !reflect.DeepEqual(third.Tags, map[string]string{"Team": "shop"}) || !reflect.DeepEqual(third.TransitiveTags, []string{"Team"}) || third.SourceIdentity != "alice" {
		t.Errorf("third session: %+v", third)
	}
	_, err = i.AssumeRole(ctx, second, identity.AssumeRole{RoleARN: arn("third"), SessionName: "three", Tags: map[string]string{"TEAM": "x"}})
	wantCode(t, "another value for a transitive tag", err, "InvalidParameterValue")
	_, err = i.AssumeRole(ctx, second, identity.AssumeRole{RoleARN: arn("third"), SessionName: "three", SourceIdentity: "bob"})
	wantCode(t, "another source identity", err, "AccessDenied")
	_, err = i.AssumeRole(ctx, first, identity.AssumeRole{RoleARN: arn("second"), SessionName: "two", DurationSeconds: 7200})
	wantCode(t, "chained for more than an hour", err, "ValidationError")
	_, err = i.UpdateAssumeRolePolicy(ctx, admin, "second", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["sts:AssumeRole","sts:TagSession"]}}`)
	w.must(err)
	_, err = i.AssumeRole(ctx, first, identity.AssumeRole{RoleARN: arn("second"), SessionName: "two"})
	wantCode(t, "a source identity that the role does not take", err, "AccessDenied")
	w.wait(time.Hour)
	_, _, err = w.directory().Caller(c.AccessKeyID, c.SessionToken)
	wantCode(t, "after an hour", err, "ExpiredTokenException")
}

// TestSessionsBeforeTheDirectory: while nobody knows what an organization holds roles to, no session is made.
func TestSessionsBeforeTheDirectory(t *testing.T) {
	w := newWorld(t)
	starting := identity.New(identity.Options{Store: w.store, Region: "eu-west-1", Now: w.now, Directory: func() *identity.Directory { return nil }})
	_, _, err := w.identity.CreateRole(t.Context(), w.admin(), trellis.Role{Name: "pod",
		TrustPolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`})
	w.must(err)
	ask := identity.ServiceSession{RoleARN: "arn:aws:iam::111122223333:role/pod", Service: "pods.eks.amazonaws.com", SessionName: "eks-c-p"}
	_, err = starting.SessionForService(t.Context(), ask)
	wantCode(t, "session", err, "ServiceUnavailable")
	_, err = w.identity.SessionForService(t.Context(), ask)
	w.must(err)
}
