package identity_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/store"
)

// TestMain fails the package when a goroutine is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an identity on a store of its own, with a clock that tests move.
type world struct {
	t        *testing.T
	store    *store.Store
	identity *identity.Identity
	prev     *identity.Directory
	mu       sync.Mutex
	clock    time.Time
	key      trellis.AccessKey // the administrator's
}

// newWorld starts a store and bootstraps it.
func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.New(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("store: %v", err)
		}
	})
	w := &world{t: t, store: s, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.identity = identity.New(identity.Options{Store: s, Region: "eu-west-1", Now: w.now, OrganizationID: "o-exampleorgid",
		Directory: func() *identity.Directory { return w.directory() }})
	key, created, err := w.identity.Bootstrap(t.Context())
	if err != nil || !created {
		t.Fatalf("bootstrap: created %v, %v", created, err)
	}
	w.key = key
	return w
}

// now is the world's clock.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// wait moves the clock.
func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// directory is the directory of all that is committed.
func (w *world) directory() *identity.Directory {
	w.t.Helper()
	enough := errors.New("enough")
	err := w.store.Follow(w.t.Context(), func(c store.Change) error {
		st := trellis.NewState()
		for _, n := range c.Puts {
			st.Put(n)
		}
		w.prev = identity.NewDirectory(st, w.prev, w.identity.SessionKey(), w.now)
		return enough
	})
	if err != enough {
		w.t.Fatal(err)
	}
	return w.prev
}

// caller is who has an access key.
func (w *world) caller(id, token string) *authpolicy.Caller {
	w.t.Helper()
	c, key, err := w.directory().Caller(id, token)
	if err != nil || key == nil {
		w.t.Fatalf("caller %s: %v", id, err)
	}
	return c
}

// admin is the management account's administrator.
func (w *world) admin() *authpolicy.Caller { return w.caller(w.key.ID, "") }

// session is the caller that credentials of a session make.
func (w *world) session(c *identity.Credentials) *authpolicy.Caller {
	return w.caller(c.AccessKeyID, c.SessionToken)
}

// user makes a user with an inline policy and returns the caller that its access key makes.
func (w *world) user(by *authpolicy.Caller, name, policy string) *authpolicy.Caller {
	w.t.Helper()
	_, _, err := w.identity.CreateUser(w.t.Context(), by, trellis.User{Name: name})
	w.must(err)
	if policy != "" {
		_, err = w.identity.PutInlinePolicy(w.t.Context(), by, identity.UserBearer, name, "inline", policy)
		w.must(err)
	}
	k, _, err := w.identity.CreateAccessKey(w.t.Context(), by, name)
	w.must(err)
	return w.caller(k.ID, "")
}

// account makes an account of the organization and returns its administrator: a session of the role that it
// was made with.
func (w *world) account(id, name string) *authpolicy.Caller {
	w.t.Helper()
	_, _, err := w.identity.CreateAccount(w.t.Context(), w.admin(), identity.NewAccount{
		Name: name, Email: name + "@example.com", Tags: map[string]string{identity.AccountIDTag: id},
	})
	w.must(err)
	c, err := w.identity.AssumeRole(w.t.Context(), w.admin(), identity.AssumeRole{
		RoleARN: trellis.IAMARN(id, "role/"+identity.AccessRoleName), SessionName: "admin",
	})
	w.must(err)
	return w.session(c)
}

// must fails the test on an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// wantCode fails the test when an error is not a client's error of a code.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[*trellis.Error](err)
	if !ok || e.Code != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestBootstrapIsIdempotent(t *testing.T) {
	w := newWorld(t)
	key, created, err := w.identity.Bootstrap(t.Context())
	if err != nil || created || key.ID != w.key.ID || key.Secret.Reveal() != w.key.Secret.Reveal() {
		t.Errorf("second bootstrap: %s, created %v, %v", key.ID, created, err)
	}
	p := w.admin().Principal
	if p.ARN != "arn:aws:iam::111122223333:user/administrator" || p.Type != trellis.PrincipalUser || p.Account != "111122223333" {
		t.Errorf("administrator: %+v", p)
	}
	if err := w.admin().Authorize("vpc-lattice:CreateService", "*", nil); err != nil {
		t.Error(err)
	}
	found, err := w.identity.ListPolicies(t.Context(), w.admin(), false, true, "/")
	if err != nil || len(found) != 6 {
		t.Errorf("%d policies of AWS, %v", len(found), err)
	}
	for _, p := range found {
		if _, err := authpolicy.Parse(p.Policy.Text, authpolicy.Identity); err != nil {
			t.Errorf("%s: %v", p.Policy.Name, err)
		}
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	ctx, admin, i := t.Context(), w.admin(), w.identity
	u := w.user(admin, "Alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::111122223333:user/Alice"}}`)

	if got, err := i.GetUser(ctx, u, "Alice"); err != nil || got.Name != "Alice" {
		t.Errorf("own user: %v, %v", got, err)
	}
	_, err := i.GetUser(ctx, u, "administrator")
	wantCode(t, "another user", err, "AccessDeniedException")
	_, err = i.GetUser(ctx, admin, "nobody")
	wantCode(t, "no such user", err, "NoSuchEntity")
	_, _, err = i.CreateUser(ctx, admin, trellis.User{Name: "alice"})
	wantCode(t, "same name in another case", err, "EntityAlreadyExists")
	_, _, err = i.CreateUser(ctx, admin, trellis.User{Name: "a b"})
	wantCode(t, "bad name", err, "ValidationError")
	_, err = i.DeleteUser(ctx, admin, "Alice")
	wantCode(t, "delete with policies", err, "DeleteConflict")
	_, err = i.PutInlinePolicy(ctx, admin, identity.UserBearer, "Alice", "bad", `{"Statement":[]`)
	wantCode(t, "malformed policy", err, "MalformedPolicyDocument")

	_, _, err = i.CreateAccessKey(ctx, admin, "Alice")
	w.must(err)
	_, _, err = i.CreateAccessKey(ctx, admin, "Alice")
	wantCode(t, "third access key", err, "LimitExceeded")
	_, err = i.UpdateUser(ctx, admin, "Alice", "Bob", "/people/")
	w.must(err)
	keys, err := i.ListAccessKeys(ctx, admin, "Bob")
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys after renaming: %d, %v", len(keys), err)
	}
	if p := w.caller(keys[0].ID, "").Principal; p.ARN != "arn:aws:iam::111122223333:user/people/Bob" {
		t.Errorf("caller after renaming: %s", p.ARN)
	}
	_, err = i.UpdateAccessKey(ctx, admin, "Bob", keys[0].ID, identity.KeyInactive)
	w.must(err)
	_, _, err = w.directory().Caller(keys[0].ID, "")
	wantCode(t, "inactive key", err, "UnrecognizedClientException")
	_, err = i.DeleteAccessKey(ctx, admin, "administrator", keys[1].ID)
	wantCode(t, "another user's key", err, "NoSuchEntity")
	for _, k := range keys {
		_, err = i.DeleteAccessKey(ctx, admin, "Bob", k.ID)
		w.must(err)
	}
	_, err = i.DeleteInlinePolicy(ctx, admin, identity.UserBearer, "Bob", "inline")
	w.must(err)
	_, err = i.DeleteUser(ctx, admin, "Bob")
	w.must(err)
	_, _, err = i.CreateUser(ctx, admin, trellis.User{Name: "Alice"})
	w.must(err)
}

func TestManagedPolicies(t *testing.T) {
	w := newWorld(t)
	ctx, admin, i := t.Context(), w.admin(), w.identity
	p, _, err := i.CreatePolicy(ctx, admin, trellis.ManagedPolicy{Name: "read", Path: "/team/", Text: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice:Get*","Resource":"*"}]}`})
	w.must(err)
	arn := "arn:aws:iam::111122223333:policy/team/read"
	if p.ARN() != arn {
		t.Errorf("ARN %s", p.ARN())
	}
	_, _, err = i.CreatePolicy(ctx, admin, trellis.ManagedPolicy{Name: "Read", Text: p.Text})
	wantCode(t, "same name", err, "EntityAlreadyExists")
	u := w.user(admin, "reader", "")
	if u.Authorize("vpc-lattice:GetService", "*", nil) == nil {
		t.Error("a user without policies may read")
	}
	for range 2 { // the second changes nothing
		_, err = i.AttachPolicy(ctx, admin, identity.UserBearer, "reader", arn)
		w.must(err)
	}
	_, err = i.AttachPolicy(ctx, admin, identity.UserBearer, "reader", "arn:aws:iam::111122223333:policy/read")
	wantCode(t, "wrong path", err, "NoSuchEntity")
	keys, err := i.ListAccessKeys(ctx, admin, "reader")
	w.must(err)
	if err := w.caller(keys[0].ID, "").Authorize("vpc-lattice:GetService", "*", nil); err != nil {
		t.Error(err)
	}
	_, err = i.DeletePolicy(ctx, admin, arn)
	wantCode(t, "delete while attached", err, "DeleteConflict")
	if p, err := i.GetPolicy(ctx, admin, "iam:GetPolicy", arn); err != nil || len(p.Uses) != 1 || p.Uses[0] != "user/reader" {
		t.Errorf("uses %v, %v", p, err)
	}
	_, err = i.DetachPolicy(ctx, admin, identity.UserBearer, "reader", arn)
	w.must(err)
	_, err = i.DetachPolicy(ctx, admin, identity.UserBearer, "reader", arn)
	wantCode(t, "detach twice", err, "NoSuchEntity")
	_, err = i.DeletePolicy(ctx, admin, arn)
	w.must(err)
	_, err = i.DeletePolicy(ctx, admin, "arn:aws:iam::aws:policy/AdministratorAccess")
	wantCode(t, "delete AWS's", err, "AccessDeniedException")
}
