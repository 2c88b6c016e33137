//go:build thorough

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/every"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
	"github.com/trellis-project/trellis/telemetry"
)

// Where the tests call, and with what.
const (
	region = "eu-west-1"
	secret = "a secret of the tests"
)

// shared is the one store of the tests.
var shared *store.Store

// TestMain runs the store for all tests and looks for goroutines that are left behind.
func TestMain(m *testing.M) {
	code := storetest.Main(m, &shared)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// whole is a server of all services on the shared store. Whoever signs with the key AKIA and 12 digits is the
// administrator of the account that the digits name.
type whole struct {
	url      string
	services []api.Service
	http     *http.Client
	bounds   map[string]*authpolicy.Policy // what further access keys, of 12 digits and more behind AKIA, have besides
}

// start runs a whole. Statuses move on only while the returned plane runs.
func start(t *testing.T, strict bool) (*whole, *controlplane.Plane) {
	t.Helper()
	tele, err := telemetry.New(telemetry.Options{Dir: t.TempDir(), Region: region})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	directory := func() *identity.Directory {
		return identity.NewDirectory(trellis.NewState(), nil, shared.Key(identity.SessionKeyPurpose), nil)
	}
	who := identity.New(identity.Options{Store: shared, Region: region, Strict: strict, Log: log, Directory: directory})
	if _, _, err := who.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	plane := controlplane.New(controlplane.Options{Store: shared, Region: region, Strict: strict, Log: log,
		LogGroup: func(_ context.Context, account, arn string) error {
			if a, err := trellis.ParseARN(arn); err != nil || a.Account != account {
				return trellis.Denied("The log group %s does not belong to the account %s", arn, account)
			}
			return nil
		},
		LookupTXT: func(context.Context, string) ([]string, error) { return nil, nil }})
	policy, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	key := sigv4.NewKey(secret)
	parts := parts(plane, who, tele, t.TempDir())
	if err := parts.Buckets.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &whole{services: every.Services(parts), http: &http.Client{Timeout: time.Minute}, bounds: map[string]*authpolicy.Policy{}}
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.HTTPServer(api.NewServer(api.Options{Services: w.services, Region: region, Log: log,
		Callers: func(id, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			account, policies := strings.TrimPrefix(id, "AKIA"), authpolicy.Policies{{Policy: policy}}
			if less, ok := w.bounds[id]; ok {
				account, policies = account[:12], append(policies, authpolicy.Named{Policy: less})
			}
			arn := trellis.IAMARN(account, "user/administrator")
			return &authpolicy.Caller{Identity: policies, Principal: trellis.Principal{
				Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn, UserID: "AIDA" + account}}, key, nil
		}}), log)
	server.Start()
	w.url = server.URL
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		server.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := tele.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return w, plane
}

// as returns a client of an account's administrator.
func (w *whole) as(t *testing.T, account string) *client.Client {
	t.Helper()
	c, err := client.New(w.url, client.Credentials{AccessKeyID: "AKIA" + account, SecretAccessKey: trellis.NewSecret(secret)}, region)
	if err != nil {
		t.Fatal(err)
	}
	c.HTTP = w.http
	return c
}

// send sends a request as it is, signed by an account's administrator, and returns status, header and body.
func (w *whole) send(t *testing.T, account, signingName string, r *http.Request, body string) (int, http.Header, string) {
	t.Helper()
	signed := &sigv4.Request{Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, Host: r.URL.Host}
	for k, v := range r.Header {
		signed.Headers = append(signed.Headers, sigv4.Field{Name: k, Value: v[0]})
	}
	for _, f := range sigv4.Sign(signed, "AKIA"+account, secret, "", region, signingName, sigv4.HashPayload([]byte(body)), time.Now()) {
		r.Header.Set(f.Name, f.Value)
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	response, err := w.http.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return response.StatusCode, response.Header, string(text)
}

// revision is the store's revision.
func revision(t *testing.T) trellis.Revision {
	t.Helper()
	rev, err := shared.Commit(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Marked("nothing")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rev
}
