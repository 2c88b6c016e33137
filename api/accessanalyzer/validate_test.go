package accessanalyzer_test

import (
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/accessanalyzer"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// update rewrites the answers in testdata with what is answered now.
var update = flag.Bool("update", false, "rewrite testdata")

// TestMain fails the package when a goroutine is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// policies are the identity policies of the callers by access key.
var policies = map[string]string{
	"AKIAVALIDATOR0000000": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"access-analyzer:ValidatePolicy","Resource":"*"}}`,
	"AKIANOBODY0000000000": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"access-analyzer:List*","Resource":"*"}}`,
}

// start serves the service on a real socket and returns how to get a client for a key.
func start(t *testing.T) func(key string) *client.Client {
	t.Helper()
	service := accessanalyzer.New()
	if err := service.Check(); err != nil {
		t.Fatal(err)
	}
	secret := sigv4.NewKey("a secret of the tests")
	h := httptest.NewServer(api.NewServer(api.Options{Services: []api.Service{service}, Region: "eu-west-1", Log: slog.New(slog.DiscardHandler), TokenKey: []byte("tokens"),
		Callers: func(id, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			p, err := authpolicy.Parse(policies[id], authpolicy.Identity)
			if err != nil {
				return nil, nil, errors.New("unknown key")
			}
			return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/x"},
				Identity: authpolicy.Policies{{Policy: p}}}, secret, nil
		}}))
	t.Cleanup(h.Close)
	return func(key string) *client.Client {
		c, err := client.New(h.URL, client.Credentials{AccessKeyID: key, SecretAccessKey: trellis.NewSecret("a secret of the tests")}, "eu-west-1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.HTTP.CloseIdleConnections)
		return c
	}
}

// token hides what differs from run to run.
var token = regexp.MustCompile(`"nextToken": "[^"]*"`)

// TestValidatePolicy makes the calls of testdata/calls.txt, each an input and the lines of its answer up to an empty one.
func TestValidatePolicy(t *testing.T) {
	c := start(t)("AKIAVALIDATOR0000000")
	b, err := os.ReadFile("testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	next := ""
	for _, block := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
		line, _, _ := strings.Cut(block, "\n")
		var in map[string]any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(line, "$NEXT", next)), &in); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out.WriteString(line + "\n")
		answer, err := c.Call(t.Context(), "accessanalyzer", "ValidatePolicy", in)
		if err != nil {
			out.WriteString("error: " + err.Error() + "\n\n")
			continue
		}
		next, _ = answer["nextToken"].(string)
		printed, err := json.MarshalIndent(answer, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(token.ReplaceAllString(string(printed), `"nextToken": "…"`) + "\n\n")
	}
	got := strings.TrimSpace(out.String()) + "\n"
	if *update {
		if err := os.WriteFile("testdata/calls.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(b) {
		t.Errorf("got\n%s", got)
	}
}

// TestDenied refuses a caller whose policies do not allow the call.
func TestDenied(t *testing.T) {
	_, err := start(t)("AKIANOBODY0000000000").Call(t.Context(), "accessanalyzer", "ValidatePolicy", map[string]any{"policyDocument": "{}", "policyType": "IDENTITY_POLICY"})
	if err == nil || !strings.Contains(err.Error(), "because no identity-based policy allows the access-analyzer:ValidatePolicy action") {
		t.Errorf("got %v", err)
	}
}
