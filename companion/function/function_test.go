package function_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/function"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
)

// owner is the account of the tests.
const owner = "111122223333"

// caller is a user of an account with one identity policy.
func caller(t *testing.T, account, policy string) *authpolicy.Caller {
	t.Helper()
	p, err := authpolicy.Parse(policy, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	arn := trellis.IAMARN(account, "user/alice")
	return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn, UserID: "AIDAALICE"},
		Identity: authpolicy.Policies{{Policy: p}}}
}

// allowAll is the policy of an administrator.
const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// zipped is a zip with one file.
func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("index.py")
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// start runs a store with a role that trusts Lambda and one that doesn't.
func start(t *testing.T) (*function.Functions, string) {
	t.Helper()
	s := storetest.Start(t)
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		for name, service := range map[string]string{"fn": function.Service, "other": "ec2.amazonaws.com"} {
			tx.Put(&trellis.Role{Meta: trellis.Meta{Account: owner, ID: name}, Name: name, Path: "/",
				TrustPolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}}`})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	code := filepath.Join(t.TempDir(), "functions")
	return function.New(function.Options{Options: companion.Options{Store: s, Region: "eu-west-1"}, CodeDir: code}), code
}

// settings are those of a function with a role.
func settings(role string) function.Settings {
	return function.Settings{Role: new(trellis.IAMARN(owner, "role/"+role)), Runtime: new("python3.12"), Handler: new("index.handler")}
}

// files counts the zips that are kept.
func files(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(entries)
}

// code is the code of an error for a client.
func code(err error) string {
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestCodeIsKeptWhileUsed follows zips through versions, a failed creation, deletion and a sweep.
func TestCodeIsKeptWhileUsed(t *testing.T) {
	f, dir := start(t)
	ctx, c := t.Context(), caller(t, owner, allowAll)
	one, two := zipped(t, "one"), zipped(t, "two")
	create := func(name, role string, src function.Source) error {
		_, _, err := f.CreateFunction(ctx, c, name, settings(role), "", "", src, nil, true)
		return err
	}
	if err := create("a", "fn", function.Source{Zip: one}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		name, role string
		src        function.Source
		want       string
	}{
		{"a", "fn", function.Source{Zip: two}, "ResourceConflictException"},
		{"b", "other", function.Source{Zip: two}, "InvalidParameterValueException"},
		{"b", "nobody", function.Source{Zip: two}, "InvalidParameterValueException"},
		{"b", "fn", function.Source{Zip: []byte("no zip")}, "InvalidParameterValueException"},
		{"b", "fn", function.Source{ImageURI: "x"}, "InvalidParameterValueException"},
		{"b", "fn", function.Source{}, "InvalidParameterValueException"},
	} {
		if err := create(bad.name, bad.role, bad.src); code(err) != bad.want {
			t.Errorf("%s with role %s: %v, want %s", bad.name, bad.role, err, bad.want)
		}
	}
	if n := files(t, dir); n != 1 {
		t.Errorf("%d zips after failed creations, want 1", n)
	}
	if _, _, err := f.UpdateCode(ctx, c, "a", function.Source{Zip: two}, nil, "", false, true); err != nil || files(t, dir) != 1 {
		t.Errorf("a dry run: %v, %d zips, want 1", err, files(t, dir))
	}
	v, _, err := f.UpdateCode(ctx, c, "a", function.Source{Zip: two}, nil, "", false, false)
	if err != nil || files(t, dir) != 2 { // version 1 has the first still
		t.Fatalf("update: %v, %d zips, want 2", err, files(t, dir))
	}
	if got, err := f.Code(v.Code); err != nil || !bytes.Equal(got, two) {
		t.Errorf("the code reads back as %d bytes, %v; want %d", len(got), err, len(two))
	}
	if _, err := f.Delete(ctx, c, "a", "1"); err != nil || files(t, dir) != 1 {
		t.Errorf("delete version 1: %v, %d zips, want 1", err, files(t, dir))
	}
	for _, name := range []string{"new-123", "00000000000000000000000000000000000000000000000000000000000000aa.zip"} {
		if err := os.WriteFile(filepath.Join(dir, name), two, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sweep(ctx); err != nil || files(t, dir) != 1 {
		t.Errorf("sweep: %v, %d zips, want 1", err, files(t, dir))
	}
	if _, err := f.Delete(ctx, c, "a", ""); err != nil || files(t, dir) != 0 {
		t.Errorf("delete: %v, %d zips, want none", err, files(t, dir))
	}
}

// TestWhoMay refuses callers without a right, strangers, and roles that a caller may not pass.
func TestWhoMay(t *testing.T) {
	f, _ := start(t)
	ctx, all := t.Context(), caller(t, owner, allowAll)
	noPass := caller(t, owner, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:*","Resource":"*"}}`)
	src := function.Source{Zip: zipped(t, "one")}
	if _, _, err := f.CreateFunction(ctx, noPass, "a", settings("fn"), "", "", src, nil, false); code(err) != "AccessDenied" && code(err) != "AccessDeniedException" {
		t.Errorf("without iam:PassRole: %v", err)
	}
	if _, _, err := f.CreateFunction(ctx, all, "a", settings("fn"), "", "", src, map[string]string{"team": "x"}, false); err != nil {
		t.Fatal(err)
	}
	byTag := caller(t, owner, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"y"}}}}`)
	if _, err := f.Function(ctx, byTag, "GetFunction", "a", ""); code(err) != "AccessDeniedException" {
		t.Errorf("another team's function: %v", err)
	}
	stranger := caller(t, "444455556666", allowAll)
	for _, name := range []string{"a", "none"} {
		if _, err := f.Function(ctx, stranger, "GetFunction", trellis.FunctionARN("eu-west-1", owner, name), ""); code(err) != "AccessDeniedException" {
			t.Errorf("another account's function %s: %v", name, err)
		}
	}
	for _, action := range []string{"GetFunction", "CreateAlias", "UpdateFunctionConfiguration", "UpdateFunctionCode", "PublishVersion"} {
		if _, _, err := f.AddPermission(ctx, all, "a", "", function.Permission{StatementID: action, Action: "lambda:" + action, Principal: "444455556666"}); err != nil {
			t.Fatal(err)
		}
	}
	arn := trellis.FunctionARN("eu-west-1", owner, "a")
	if got, err := f.Function(ctx, stranger, "GetFunction", arn, ""); err != nil || got.ARN != arn {
		t.Errorf("a function that its policy shows: %v", err)
	}
	if _, err := f.Function(ctx, caller(t, "444455556666", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`), "GetFunction", arn, ""); code(err) != "AccessDeniedException" {
		t.Errorf("to a caller whose own policies do not: %v", err)
	}
	if _, err := f.Function(ctx, stranger, "GetFunctionConfiguration", arn, ""); code(err) != "AccessDeniedException" {
		t.Errorf("another action: %v", err)
	}
	if _, _, err := f.UpdateSettings(ctx, stranger, arn, function.Settings{}, ""); code(err) != "AccessDeniedException" {
		t.Errorf("an action that is not for other accounts: %v", err)
	}
	if _, _, err := f.CreateAlias(ctx, stranger, arn, "theirs", function.AliasSpec{Version: new(trellis.LatestVersion)}); err != nil {
		t.Error(err)
	}
	if _, err := f.Alias(ctx, all, "a", "theirs"); err != nil {
		t.Errorf("an alias that another account made: %v", err)
	}
	_, err := f.Store.Commit(ctx, func(tx *store.Tx) error {
		tx.Put(&trellis.Function{Meta: trellis.Meta{Account: owner, ID: "large"}, FunctionVersion: trellis.FunctionVersion{Code: trellis.FunctionCode{Size: 75 << 30}}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.UpdateCode(ctx, stranger, arn, function.Source{Zip: zipped(t, "two")}, nil, "", false, false); code(err) != "CodeStorageExceededException" {
		t.Errorf("code for which the function's account has no room: %v", err)
	}
	if _, _, err := f.Publish(ctx, stranger, arn, "", "", ""); code(err) != "CodeStorageExceededException" {
		t.Errorf("a version for which the function's account has no room: %v", err)
	}
}

// TestVersionsAndAliases holds numbers, aliases that keep their version, and policies of qualifiers.
func TestVersionsAndAliases(t *testing.T) {
	f, _ := start(t)
	ctx, c := t.Context(), caller(t, owner, allowAll)
	if _, _, err := f.CreateFunction(ctx, c, "a", settings("fn"), "", "", function.Source{Zip: zipped(t, "one")}, nil, true); err != nil {
		t.Fatal(err)
	}
	if v, _, err := f.Publish(ctx, c, "a", "", "", ""); err != nil || v.Version != "1" {
		t.Fatalf("publish without a change: %+v, %v; want version 1 again", v, err)
	}
	if _, err := f.Alias(ctx, c, "a", "live"); code(err) != "ResourceNotFoundException" {
		t.Errorf("an alias that is not there: %v", err)
	}
	if _, _, err := f.CreateAlias(ctx, c, "a", "live", function.AliasSpec{Version: new("1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Delete(ctx, c, "a", "1"); code(err) != "ResourceConflictException" {
		t.Errorf("delete a version with an alias: %v", err)
	}
	p := function.Permission{StatementID: "s", Action: "lambda:InvokeFunction", Principal: "vpc-lattice.amazonaws.com", SourceARN: "arn:aws:vpc-lattice:eu-west-1:1:x"}
	if _, _, err := f.AddPermission(ctx, c, "a", "live", p); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.AddPermission(ctx, c, "a", "live", p); code(err) != "ResourceConflictException" {
		t.Errorf("the same statement again: %v", err)
	}
	if _, err := f.Policy(ctx, c, "a", ""); code(err) != "ResourceNotFoundException" {
		t.Errorf("the function has its alias' policy: %v", err)
	}
	got, err := f.Policy(ctx, c, "a:live", "")
	want := `{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"Service":"vpc-lattice.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-west-1:111122223333:function:a:live","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:vpc-lattice:eu-west-1:1:x"}}}]}`
	if err != nil || function.Document(got) != want {
		t.Errorf("policy %s, %v; want %s", function.Document(got), err, want)
	}
	if _, err := f.Reserve(ctx, c, "a", new(9901)); code(err) != "InvalidParameterValueException" {
		t.Errorf("reserve 9901 of 10000: %v", err)
	}
}

// TestLinks follows links to code: as they were given, and changed, too late, and to code that is gone.
func TestLinks(t *testing.T) {
	f, dir := start(t)
	zip := zipped(t, "linked")
	v, _, err := f.CreateFunction(t.Context(), caller(t, owner, allowAll), "a", settings("fn"), "", "", function.Source{Zip: zip}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	link := f.Link(v.Code)
	path, query, _ := strings.Cut(link, "?")
	if got, err := f.Linked(path, query); err != nil || !bytes.Equal(got, zip) {
		t.Errorf("%s: %d bytes, %v", link, len(got), err)
	}
	if f.Link(trellis.FunctionCode{SHA256: v.Code.SHA256}) != "" {
		t.Error("there is a link to code that is not kept")
	}
	for _, bad := range []string{"", "until=1", "until=x&signature=y", strings.Replace(query, "until=1", "until=2", 1), query[:len(query)-2] + "00", "%"} {
		if got, err := f.Linked(path, bad); code(err) != "AccessDenied" || got != nil {
			t.Errorf("%s: %d bytes, %v", bad, len(got), err)
		}
	}
	if _, err := f.Linked(strings.Replace(path, "/code/", "/code/0", 1), query); code(err) != "AccessDenied" {
		t.Errorf("another path: %v", err)
	}
	f.Now = func() time.Time { return time.Now().Add(11 * time.Minute) }
	if _, err := f.Linked(path, query); code(err) != "AccessDenied" {
		t.Errorf("too late: %v", err)
	}
	f.Now = time.Now
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Linked(path, query); err == nil || code(err) == "AccessDenied" {
		t.Errorf("code that is gone: %v", err)
	}
}
