package controlplane_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// region is the region of the tests.
const region = "eu-west-1"

// shared is the one store of the tests: each works in accounts of its own.
var shared *store.Store

// TestMain runs the store for all tests and looks for goroutines that are left behind.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "controlplane")
	if err != nil {
		panic(err)
	}
	var stop func() error
	if shared, stop, err = open(dir); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		code = 1
	}
	os.RemoveAll(dir)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// open runs a store until stop is called.
func open(dir string) (s *store.Store, stop func() error, err error) {
	s, err = store.New(store.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		cancel()
		return nil, nil, err
	}
	return s, func() error { cancel(); return <-done }, nil
}

// accounts counts the accounts that tests were given.
var accounts atomic.Int64

// newAccount returns the id of an account that no other test has.
func newAccount() string { return fmt.Sprintf("%012d", 500000000000+accounts.Add(1)) }

// allowAll is the policy of an administrator.
const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// caller is a user of an account with one identity policy.
func caller(t testing.TB, account, policy string) *authpolicy.Caller {
	t.Helper()
	pol, err := authpolicy.Parse(policy, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	arn := trellis.IAMARN(account, "user/tester")
	return &authpolicy.Caller{
		Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn, UserID: "AIDATESTER"},
		Identity:  authpolicy.Policies{{Policy: pol}},
	}
}

// admin is a caller in a new account that may do everything.
func admin(t testing.TB) *authpolicy.Caller { return caller(t, newAccount(), allowAll) }

// running returns a Plane on the shared store whose Run goes on until the test ends.
func running(t testing.TB, o controlplane.Options) *controlplane.Plane {
	t.Helper()
	if o.Store == nil {
		o.Store = shared
	}
	o.Region = region
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	p := controlplane.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return p
}

// await calls f until it is true, for at most ten seconds: statuses move on in the background.
func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if f() {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s did not happen", what)
		}
	}
}

// must returns v, or ends the test.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// code is the code of the error that a client would see, empty for none.
func code(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *trellis.Error
	if !errors.As(err, &e) {
		t.Fatalf("not an error for clients: %v", err)
	}
	return e.Code
}

// wantCode checks the code of an error.
func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := code(t, err); got != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// put writes nouns as they are.
func put(t testing.TB, s *store.Store, nouns ...trellis.Noun) {
	t.Helper()
	_, err := s.Commit(t.Context(), func(tx *store.Tx) error {
		for _, n := range nouns {
			tx.Put(n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// newVPC puts a VPC of the caller's with one running instance and one security group.
func newVPC(t testing.TB, c *authpolicy.Caller, cidr string) (vpc, instance, group string) {
	t.Helper()
	account := c.Principal.Account
	v := &trellis.VPC{Meta: trellis.Meta{Account: account, ID: trellis.NewID("vpc")}, CIDR: netip.MustParsePrefix(cidr), Attachment: "lab"}
	i := &trellis.Instance{Meta: trellis.Meta{Account: account, ID: trellis.NewID("i")}, VPCID: v.ID, PrivateIP: v.CIDR.Addr().Next(), State: "running"}
	g := &trellis.SecurityGroup{Meta: trellis.Meta{Account: account, ID: trellis.NewID("sg")}, VPCID: v.ID, Name: "clients"}
	put(t, shared, v, i, g)
	return v.ID, i.ID, g.ID
}
