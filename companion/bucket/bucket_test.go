package bucket_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/bucket"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
)

// shared is the one store of the tests: each works in accounts of its own.
var shared *store.Store

// TestMain runs the store.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m, &shared)) }

// open is the buckets of the shared store with objects in a directory, as a process that starts finds them.
func open(t *testing.T, dir string) *bucket.Buckets {
	t.Helper()
	b := bucket.New(companion.Options{Store: shared, Region: "eu-west-1"}, dir)
	if err := b.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// caller is a user whose policy allows an action.
func caller(t *testing.T, account, action string) *authpolicy.Caller {
	t.Helper()
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"`+action+`","Resource":"*"}]}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: trellis.IAMARN(account, "user/u"), PolicyARN: trellis.IAMARN(account, "user/u")},
		Identity: authpolicy.Policies{{Policy: p}}}
}

// wantCode compares an error's code, empty for none.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	got := ""
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		got = e.Code
	} else if err != nil {
		got = err.Error()
	}
	if got != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// put makes an object of a text.
func put(t *testing.T, b *bucket.Buckets, c *authpolicy.Caller, name, key, text string) error {
	t.Helper()
	_, err := b.Put(t.Context(), bucket.Access{Caller: c, Action: "s3:PutObject", Bucket: name, Key: key}, bucket.Object{Key: key}, bucket.Own(strings.NewReader(text)), bucket.Condition{})
	return err
}

// get is the text of an object.
func get(t *testing.T, b *bucket.Buckets, c *authpolicy.Caller, name, key string) (string, error) {
	t.Helper()
	o, err := b.Fetch(t.Context(), bucket.Access{Caller: c, Action: "s3:GetObject", Bucket: name, Key: key})
	if err != nil {
		return "", err
	}
	defer o.Close()
	text, err := io.ReadAll(io.NewSectionReader(o.File, 0, o.Size))
	return string(text), err
}

// create makes a bucket.
func create(t *testing.T, b *bucket.Buckets, c *authpolicy.Caller, name string) {
	t.Helper()
	if _, err := b.Create(t.Context(), c, trellis.Bucket{Meta: trellis.Meta{ID: name}}, "eu-west-1"); err != nil {
		t.Fatal(err)
	}
}

// TestPolicies asks for objects of another account, by the bucket's policy and the caller's.
func TestPolicies(t *testing.T) {
	b, owner, other := open(t, t.TempDir()), caller(t, "111100000011", "s3:*"), caller(t, "111100000012", "s3:*")
	create(t, b, owner, "policies")
	wantCode(t, "put", put(t, b, owner, "policies", "shared/a", "x"), "")
	_, err := get(t, b, other, "policies", "shared/a")
	wantCode(t, "without a policy", err, "AccessDeniedException")
	_, err = b.Create(t.Context(), other, trellis.Bucket{Meta: trellis.Meta{ID: "policies"}}, "eu-west-1")
	wantCode(t, "a name that another account has", err, "BucketAlreadyExists")
	set := func(text string) error {
		_, err := b.SetPolicy(t.Context(), bucket.Access{Caller: owner, Action: "s3:PutBucketPolicy", Bucket: "policies"}, text)
		return err
	}
	wantCode(t, "no policy", set(`{"a":1}`), "MalformedPolicy")
	wantCode(t, "policy", set(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"111100000012"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::policies/shared/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::policies/*"}]}`), "")
	text, err := get(t, b, other, "policies", "shared/a")
	if wantCode(t, "with a policy", err, ""); text != "x" {
		t.Errorf("got %q", text)
	}
	_, err = get(t, b, caller(t, "111100000012", "s3:ListBucket"), "policies", "shared/a")
	wantCode(t, "without one of the caller's own", err, "AccessDeniedException")
	_, err = get(t, b, other, "policies", "private/a")
	wantCode(t, "another key", err, "AccessDeniedException")
	_, err = get(t, b, other, "policies", "shared/none")
	wantCode(t, "who may not list learns nothing of keys", err, "AccessDeniedException")
	_, err = get(t, b, owner, "policies", "shared/none")
	wantCode(t, "who may", err, "NoSuchKey")
	wantCode(t, "an explicit deny", b.Remove(t.Context(), bucket.Access{Caller: owner, Action: "s3:DeleteObject", Bucket: "policies", Key: "shared/a"}), "AccessDeniedException")
	_, err = b.Delete(t.Context(), bucket.Access{Caller: other, Action: "s3:DeleteBucket", Bucket: "policies"})
	wantCode(t, "delete another account's", err, "AccessDeniedException")
	_, err = b.Get(t.Context(), bucket.Access{Caller: owner, Action: "s3:ListBucket", Bucket: "policies", ExpectedOwner: "111100000012"})
	wantCode(t, "the expected owner is another one", err, "AccessDeniedException")
}

// broken is a source whose client is wrong in the end.
type broken struct{ io.Reader }

// Read reads, and fails at the end.
func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = trellis.NewError(400, "BadDigest", "wrong")
	}
	return n, err
}

// TestStart finds what was kept, and nothing of what was not.
func TestStart(t *testing.T) {
	dir, c := t.TempDir(), caller(t, "111100000013", "s3:*")
	b := open(t, dir)
	create(t, b, c, "start")
	create(t, b, c, "start-gone")
	for _, key := range []string{"b", "a/ü", "c"} {
		wantCode(t, key, put(t, b, c, "start", key, "text of "+key), "")
	}
	wantCode(t, "again", put(t, b, c, "start", "b", "another"), "")
	wantCode(t, "remove", b.Remove(t.Context(), bucket.Access{Caller: c, Action: "s3:DeleteObject", Bucket: "start", Key: "c"}), "")
	a := bucket.Access{Caller: c, Action: "s3:PutObject", Bucket: "start", Key: "b"}
	_, err := b.Put(t.Context(), a, bucket.Object{Key: "b"}, bucket.Own(broken{strings.NewReader("wrong")}), bucket.Condition{})
	wantCode(t, "a body that is wrong", err, "BadDigest")
	a.Key = "up"
	id, err := b.Begin(t.Context(), a, bucket.Object{Key: "up", Metadata: map[string]string{"k": "v"}})
	wantCode(t, "begin", err, "")
	part, err := b.PutPart(t.Context(), a, id, 1, bucket.Own(strings.NewReader("part")))
	wantCode(t, "part", err, "")
	wantCode(t, "put", put(t, b, c, "start-gone", "x", "y"), "")
	if _, err := shared.Commit(t.Context(), func(tx *store.Tx) error { // the process ended before the folder was removed
		n, err := store.Get[*trellis.Bucket](tx, "111100000013/start-gone")
		tx.Delete(n)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new", "object-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}

	b = open(t, dir)
	for key, want := range map[string]string{"b": "another", "a/ü": "text of a/ü"} {
		if text, err := get(t, b, c, "start", key); err != nil || text != want {
			t.Errorf("%s: %q, want %q: %v", key, text, want, err)
		}
	}
	page, err := b.ListObjects(t.Context(), bucket.Access{Caller: c, Action: "s3:ListBucket", Bucket: "start"}, bucket.Listing{Max: 10})
	if err != nil || len(page.Objects) != 2 || page.Objects[0].Key != "a/ü" {
		t.Errorf("list %+v, %v", page, err)
	}
	o, err := b.Complete(t.Context(), a, id, []bucket.Part{{Number: 1, ETag: part.ETag}}, bucket.Condition{})
	if wantCode(t, "complete", err, ""); err == nil && (o.Metadata["k"] != "v" || o.Size != 4 || !strings.HasSuffix(o.ETag, "-1")) {
		t.Errorf("completed %+v", o)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("directories %v, want new and that of one bucket: %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "new", "*")); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	open(t, dir)
}
