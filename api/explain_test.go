package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// TestExplain asks about a request with all kinds of credentials and ids, well and badly.
func TestExplain(t *testing.T) {
	known := trellis.Explanation{RequestID: "a/b c%2F", Allowed: true, Principal: "Anonymous"}
	asked := 0
	policy, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"trellis:ExplainRequest","Resource":"arn:aws:trellis:eu-west-1:111122223333:request/*"}]}`, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	s := api.NewServer(api.Options{Region: testRegion, Services: services(),
		Callers: func(id, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			c := &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: testAccount, ARN: "arn:aws:iam::111122223333:user/" + id}}
			if id == testKey {
				c.Identity = authpolicy.Policies{{Policy: policy}}
			}
			return c, sigv4.NewKey(testSecret), nil
		},
		Explain: func(id, account string) ([]trellis.Explanation, error) {
			if asked++; id != known.RequestID || account != testAccount {
				return nil, trellis.NewError(404, "ResourceNotFoundException", "nothing is known of %s", id)
			}
			return []trellis.Explanation{known}, nil
		}})
	h := httptest.NewServer(s)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); h.Close() })
	as := func(id, secret, region string) *client.Client {
		c, err := client.New(h.URL, client.Credentials{AccessKeyID: id, SecretAccessKey: trellis.NewSecret(secret)}, region)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.HTTP.CloseIdleConnections)
		return c
	}
	got, err := as(testKey, testSecret, testRegion).Explain(t.Context(), known.RequestID)
	if d := cmp.Diff([]trellis.Explanation{known}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	asked = 0
	for _, c := range []struct{ name, key, secret, region, id, want string }{
		{"unknown", testKey, testSecret, testRegion, "x", "ResourceNotFoundException"},
		{"no id", testKey, testSecret, testRegion, "", "ValidationException"},
		{"an id that is too long", testKey, testSecret, testRegion, strings.Repeat("x", 513), "ValidationException"},
		{"not allowed", "AKIAOTHER", testSecret, testRegion, known.RequestID, "AccessDeniedException"},
		{"a wrong key", testKey, "wrong", testRegion, known.RequestID, "InvalidSignatureException"},
		{"another region", testKey, testSecret, "us-east-1", known.RequestID, "InvalidSignatureException"},
	} {
		_, err := as(c.key, c.secret, c.region).Explain(t.Context(), c.id)
		var e *trellis.Error
		if !errors.As(err, &e) || e.Code != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	if asked != 1 {
		t.Errorf("looked %d times for what may not be known", asked)
	}
	for _, r := range []struct {
		method, query, service string
		status                 int
	}{
		{"GET", "requestId=x", "", 403}, {"POST", "requestId=x", "trellis", 405}, {"GET", "requestId=x&requestId=y", "trellis", 400}, {"GET", "requestId=%zz", "trellis", 400},
		{"GET", "requestId=x", "vpc-lattice", 403},
	} {
		req, err := http.NewRequest(r.method, h.URL+"/trellis/explain?"+r.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.service != "" {
			for _, f := range sigv4.Sign(&sigv4.Request{Method: r.method, Path: "/trellis/explain", RawQuery: r.query, Host: req.Host},
				testKey, testSecret, "", testRegion, r.service, sigv4.EmptyPayloadHash, time.Now()) {
				req.Header.Set(f.Name, f.Value)
			}
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != r.status || res.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%+v: %s", r, res.Status)
		}
	}
}
