package identity_test

import (
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
)

// TestUserSessions makes sessions of a user and of whom it vouches for.
func TestUserSessions(t *testing.T) {
	w := newWorld(t)
	ctx, i, admin := t.Context(), w.identity, w.admin()
	alice := w.user(admin, "alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["vpc-lattice:*","sts:GetFederationToken","sts:TagSession"],"Resource":"*"}}`)
	bob := w.user(admin, "bob", "")

	own, err := i.SessionToken(ctx, alice, 0, "", "")
	w.must(err)
	if c := w.session(own); c.Principal.ARN != alice.Principal.ARN || c.Principal.UserID != alice.Principal.UserID || c.Principal.Type != trellis.PrincipalUser ||
		!c.Principal.TokenIssuedAt.Equal(w.now()) || c.Authorize("vpc-lattice:CreateService", "*", nil) != nil || c.Authorize("ec2:CreateVpc", "*", nil) == nil {
		t.Errorf("own session: %+v", c.Principal)
	}
	only := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["vpc-lattice:GetService","ec2:*"],"Resource":"*"}}`
	carol, err := i.FederationToken(ctx, alice, identity.FederationToken{Name: "carol", Policy: only, Tags: map[string]string{"team": "shop"}})
	w.must(err)
	if carol.ARN != "arn:aws:sts::111122223333:federated-user/carol" || carol.ID != "111122223333:carol" {
		t.Errorf("answer %+v", carol)
	}
	c := w.session(carol.Credentials)
	if c.Principal.Type != trellis.PrincipalFederated || c.Principal.ARN != carol.ARN || c.Principal.UserID != carol.ID || c.Principal.Tags["team"] != "shop" {
		t.Errorf("federated session: %+v", c.Principal)
	}
	for action, want := range map[string]bool{"vpc-lattice:GetService": true, "vpc-lattice:CreateService": false, "ec2:CreateVpc": false} {
		if got := c.Authorize(action, "*", nil) == nil; got != want {
			t.Errorf("federated, %s is %v, want %v", action, got, want)
		}
	}
	nothing, err := i.FederationToken(ctx, alice, identity.FederationToken{Name: "dave"})
	w.must(err)
	if w.session(nothing.Credentials).Authorize("vpc-lattice:GetService", "*", nil) == nil {
		t.Error("without a policy, a federated user may do something")
	}
	for what, try := range map[string]func() error{
		"a session asks for a session": func() error { _, err := i.SessionToken(ctx, w.session(own), 0, "", ""); return err },
		"a session vouches": func() error {
			_, err := i.FederationToken(ctx, w.session(own), identity.FederationToken{Name: "eve"})
			return err
		},
		"a federated user takes a role": func() error {
			_, err := i.AssumeRole(ctx, c, identity.AssumeRole{RoleARN: webRole, SessionName: "ab"})
			return err
		},
		"a user without the right": func() error { _, err := i.FederationToken(ctx, bob, identity.FederationToken{Name: "eve"}); return err },
		"a code of a device": func() error {
			_, err := i.SessionToken(ctx, alice, 0, "arn:aws:iam::111122223333:mfa/alice", "123456")
			return err
		},
		"a code of no device": func() error { _, err := i.SessionToken(ctx, alice, 0, "", "123456"); return err },
		"a user without the right to tag": func() error {
			_, err := i.FederationToken(ctx, w.user(admin, "frank", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:GetFederationToken","Resource":"*"}}`), identity.FederationToken{Name: "eve", Tags: map[string]string{"a": "b"}})
			return err
		},
	} {
		wantCode(t, what, try(), "AccessDenied")
	}
	_, err = i.SessionToken(ctx, alice, 129601, "", "")
	wantCode(t, "too long", err, "ValidationError")

	for id, want := range map[string]string{w.key.ID: "111122223333", own.AccessKeyID: "111122223333", carol.AccessKeyID: "111122223333"} {
		if got, err := i.AccessKeyAccount(ctx, admin, id); err != nil || got != want {
			t.Errorf("account of %s: %q, %v", id, got, err)
		}
	}
	for _, id := range []string{"AKIA", "ASIAAAAAAAAAAAAAAAAA", "ASIA0000000000000000", "AROAEXAMPLEEXAMPLE12", "ASIA7777777777777777"} {
		_, err := i.AccessKeyAccount(ctx, admin, id)
		wantCode(t, id, err, "ValidationError")
	}
	_, err = i.AccessKeyAccount(ctx, bob, own.AccessKeyID)
	wantCode(t, "a user without the right", err, "AccessDeniedException")

	_, err = i.DeleteInlinePolicy(ctx, admin, identity.UserBearer, "alice", "inline")
	w.must(err)
	if w.session(own).Authorize("vpc-lattice:CreateService", "*", nil) == nil {
		t.Error("a session keeps what its user has lost")
	}
	keys, err := i.ListAccessKeys(ctx, admin, "alice")
	w.must(err)
	_, err = i.DeleteAccessKey(ctx, admin, "alice", keys[0].ID)
	w.must(err)
	_, err = i.DeleteUser(ctx, admin, "alice")
	w.must(err)
	for what, made := range map[string]*identity.Credentials{"own": own, "federated": carol.Credentials} {
		_, _, err := w.directory().Caller(made.AccessKeyID, made.SessionToken)
		wantCode(t, what+", user gone", err, "UnrecognizedClientException")
	}
}
