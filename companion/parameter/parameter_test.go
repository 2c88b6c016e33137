package parameter_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/key"
	"github.com/trellis-project/trellis/companion/parameter"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
)

// shared is the one store of the tests: each works in accounts of its own.
var shared *store.Store

// TestMain runs the store.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m, &shared)) }

// fresh returns Parameters, with the keys of their SecureStrings.
func fresh() *parameter.Parameters {
	o := companion.Options{Store: shared, Region: "eu-west-1"}
	return parameter.New(o, key.New(o))
}

// caller is a user of an account who may do actions, in JSON, with a resource.
func caller(t *testing.T, account, action, resource string) *authpolicy.Caller {
	t.Helper()
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":`+action+`,"Resource":"`+resource+`"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	arn := trellis.IAMARN(account, "user/tester")
	return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn}, Identity: authpolicy.Policies{{Policy: p}}}
}

// code is the code of the error that a client would see, empty for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return e.Code
	}
	return err.Error()
}

// TestPut refuses what Systems Manager refuses.
func TestPut(t *testing.T) {
	p := fresh()
	c := caller(t, "500000000201", `"*"`, "*")
	for _, try := range []struct {
		name string
		in   parameter.Put
		want string
	}{
		{"a name", parameter.Put{Name: "plain", Value: "x", Type: "String"}, ""},
		{"again", parameter.Put{Name: "plain", Value: "x", Type: "String"}, "ParameterAlreadyExists"},
		{"with tags over it", parameter.Put{Name: "plain", Value: "x", Overwrite: true, Tags: map[string]string{"a": "b"}}, "ValidationException"},
		{"levels", parameter.Put{Name: "/a/b/c", Value: "x", Type: "String"}, ""},
		{"levels without the first slash", parameter.Put{Name: "a/b", Value: "x", Type: "String"}, "ValidationException"},
		{"too many levels", parameter.Put{Name: "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", Value: "x", Type: "String"}, "HierarchyLevelLimitExceededException"},
		{"AWS's", parameter.Put{Name: "/aws/service/x", Value: "x", Type: "String"}, "ValidationException"},
		{"a colon", parameter.Put{Name: "a:1", Value: "x", Type: "String"}, "ValidationException"},
		{"no type", parameter.Put{Name: "untyped", Value: "x"}, "ValidationException"},
		{"no value", parameter.Put{Name: "empty", Type: "String"}, "ValidationException"},
		{"a key without a secret", parameter.Put{Name: "open", Value: "x", Type: "String", KeyID: "alias/x"}, "ValidationException"},
		{"a key that is none", parameter.Put{Name: "secret", Value: "x", Type: "SecureString", KeyID: "alias/x"}, "InvalidKeyId"},
		{"a pattern that is none", parameter.Put{Name: "form", Value: "x", Type: "String", AllowedPattern: new("(")}, "InvalidAllowedPatternException"},
		{"another type of data", parameter.Put{Name: "data", Value: "x", Type: "String", DataType: "aws:x"}, "ValidationException"},
	} {
		if _, _, err := p.Put(t.Context(), c, try.in); code(err) != try.want {
			t.Errorf("%s: %v, want %q", try.name, err, try.want)
		}
	}
}

// TestVersions makes more versions than a parameter keeps.
func TestVersions(t *testing.T) {
	p := fresh()
	c := caller(t, "500000000202", `"*"`, "*")
	put := func(n int) error {
		_, _, err := p.Put(t.Context(), c, parameter.Put{Name: "/n", Value: fmt.Sprint(n), Type: "String", Overwrite: true})
		return err
	}
	for n := range 101 {
		if err := put(n + 1); err != nil {
			t.Fatal(err)
		}
	}
	all, err := p.History(t.Context(), c, "/n", false)
	if err != nil || len(all) != 100 || all[0].Value != "2" || all[99].Value != "101" {
		t.Fatalf("%d versions, %v", len(all), err)
	}
	if _, _, _, _, err := p.Label(t.Context(), c, "ssm:LabelParameterVersion", "/n", 2, []string{"keep"}, false); err != nil {
		t.Fatal(err)
	}
	if err := put(102); code(err) != "ParameterMaxVersionLimitExceeded" {
		t.Errorf("a version more than fits beside a label: %v", err)
	}
	for name, want := range map[string]string{"/n": "101", "/n:keep": "2", "/n:50": "50", "arn:aws:ssm:eu-west-1:500000000202:parameter/n": "101", "n": ""} {
		v, err := p.Get(t.Context(), c, name, false)
		if v.Value != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, v.Value, err)
		}
	}
}

// TestWho reads parameters as callers whose policies allow some, and none of another account.
func TestWho(t *testing.T) {
	p := fresh()
	const account = "500000000203"
	admin := caller(t, account, `"*"`, "*")
	keys := key.New(companion.Options{Store: shared, Region: "eu-west-1"})
	made, _, err := keys.Create(t.Context(), admin, key.NewKey{})
	if err != nil {
		t.Fatal(err)
	}
	closed, _, err := keys.Create(t.Context(), admin, key.NewKey{Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + admin.Principal.ARN + `"},"Action":"kms:*","Resource":"*"}}`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.PutAlias(t.Context(), admin, "alias/moved", closed.ID, false); err != nil {
		t.Fatal(err)
	}
	for _, in := range []parameter.Put{{Name: "/a/open", Value: "x", Type: "String"}, {Name: "/b/secret", Value: "s3cret", Type: "SecureString", KeyID: made.ID},
		{Name: "/b/closed", Value: "s3cret", Type: "SecureString", KeyID: closed.ID}, {Name: "/b/moved", Value: "s3cret", Type: "SecureString", KeyID: "alias/moved"}} {
		if _, _, err := p.Put(t.Context(), admin, in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := keys.PutAlias(t.Context(), admin, "alias/moved", made.ID, true); err != nil {
		t.Fatal(err)
	}
	reader := caller(t, account, `["ssm:*","kms:Decrypt"]`, "*")
	reader.Principal.ARN = trellis.IAMARN(account, "user/reader")
	reader.Principal.PolicyARN = reader.Principal.ARN
	granted := caller(t, account, `"ssm:*"`, "*")
	granted.Principal.ARN = trellis.IAMARN(account, "user/granted")
	granted.Principal.PolicyARN = granted.Principal.ARN
	_, _, _, err = keys.CreateGrant(t.Context(), admin, key.NewGrant{KeyID: closed.ID, Grantee: trellis.GrantPrincipal{ARN: granted.Principal.ARN},
		Terms: trellis.GrantTerms{Operations: []string{"Decrypt"}, ContextEquals: map[string]string{"PARAMETER_ARN": "arn:aws:ssm:eu-west-1:" + account + ":parameter/b/closed"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct {
		name   string
		caller *authpolicy.Caller
		asked  string
		want   string
	}{
		{"allowed", caller(t, account, `"ssm:GetParameter"`, "arn:aws:ssm:eu-west-1:"+account+":parameter/a/*"), "/a/open", ""},
		{"another path", caller(t, account, `"ssm:GetParameter"`, "arn:aws:ssm:eu-west-1:"+account+":parameter/b/*"), "/a/open", "AccessDeniedException"},
		{"a secret without its key", caller(t, account, `"ssm:*"`, "*"), "/b/secret", "AccessDeniedException"},
		{"a secret with its key", reader, "/b/secret", ""},
		{"a secret whose key's policy speaks of others", reader, "/b/closed", "AccessDeniedException"},
		{"a secret whose alias leads to another key now", reader, "/b/moved", "AccessDeniedException"},
		{"a secret by a grant", granted, "/b/closed", ""},
		{"another secret by that grant", granted, "/b/secret", "AccessDeniedException"},
		{"another account", caller(t, "500000000204", `"*"`, "*"), "/a/open", "ParameterNotFound"},
		{"another account, by ARN", caller(t, "500000000204", `"*"`, "*"), "arn:aws:ssm:eu-west-1:" + account + ":parameter/a/open", "ParameterNotFound"},
		{"a public one", caller(t, "500000000204", `"*"`, "*"), "/aws/service/global-infrastructure/regions/eu-west-1", ""},
	} {
		if _, err := p.Get(t.Context(), try.caller, try.asked, true); code(err) != try.want {
			t.Errorf("%s: %v, want %q", try.name, err, try.want)
		}
	}
}
