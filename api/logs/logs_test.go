package logs_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/logs"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/telemetry"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestMain fails the package when a goroutine is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "111122223333"

// now is the time that the tests take place at.
var now = time.Date(2026, 1, 2, 3, 5, 0, 0, time.UTC)

// keys are the access keys of callers with an identity policy each.
var keys = map[string]string{
	"AKIAADMINISTRATOR000": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
	"AKIAREADERREADER0000": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["logs:Get*","logs:FilterLogEvents","logs:StartQuery"],
		"Resource":"arn:aws:logs:eu-west-1:111122223333:log-group:/aws/vpclattice/orders:*"}}`,
}

// start serves logs on a real socket and returns how to get a client for a key.
func start(t *testing.T) func(key string) *client.Client {
	t.Helper()
	tel, err := telemetry.New(telemetry.Options{Dir: t.TempDir(), Region: "eu-west-1", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	service := logs.New(tel.Logs())
	if err := service.Check(); err != nil {
		t.Fatal(err)
	}
	secret := sigv4.NewKey("a secret of the tests")
	s := api.NewServer(api.Options{Services: []api.Service{service}, Region: "eu-west-1", Log: slog.New(slog.DiscardHandler),
		Callers: func(id, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			text, ok := keys[id]
			if !ok {
				return nil, nil, errors.New("unknown key")
			}
			p, err := authpolicy.Parse(text, authpolicy.Identity)
			if err != nil {
				return nil, nil, err
			}
			return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account,
				ARN: "arn:aws:iam::111122223333:user/" + strings.ToLower(id[4:9])}, Identity: authpolicy.Policies{{Policy: p}}}, secret, nil
		}})
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := tel.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return func(key string) *client.Client {
		c, err := client.New(h.URL, client.Credentials{AccessKeyID: key, SecretAccessKey: trellis.NewSecret("a secret of the tests")}, "eu-west-1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.HTTP.CloseIdleConnections)
		return c
	}
}

// volatile is what differs from run to run: tokens, ids of queries and pointers.
var volatile = regexp.MustCompile(`("(?:next\w*Token|queryId)": |"field": "@ptr",\s+"value": )"[^"]*"`)

// TestCalls makes the calls of testdata/calls.txt one after another and compares the answers with
// testdata/answers.txt.
func TestCalls(t *testing.T) {
	c := start(t)("AKIAADMINISTRATOR000")
	calls, err := os.ReadFile("testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	query := ""
	for line := range strings.Lines(string(calls)) {
		line = strings.TrimSpace(line)
		operation, body, _ := strings.Cut(line, " ")
		var in map[string]any
		d := json.NewDecoder(strings.NewReader(strings.ReplaceAll(body, "$QUERY", query)))
		d.UseNumber()
		if err := d.Decode(&in); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		fmt.Fprintf(&out, "%s\n", line)
		var answer map[string]any
		for range 1000 { // a query runs for a moment
			if answer, err = c.Call(t.Context(), "logs", operation, in); err != nil || answer["status"] != "Running" {
				break
			}
		}
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n\n", err)
			continue
		}
		if id, ok := answer["queryId"].(string); ok {
			query = id
		}
		text, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n\n", volatile.ReplaceAll(text, []byte(`$1"…"`)))
	}
	if *update {
		if err := os.WriteFile("testdata/answers.txt", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/answers.txt")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestAuthorization calls every operation as one who may only read one log group.
func TestAuthorization(t *testing.T) {
	dial := start(t)
	admin, reader := dial("AKIAADMINISTRATOR000"), dial("AKIAREADERREADER0000")
	name := "/aws/vpclattice/orders"
	for operation, in := range map[string]map[string]any{"CreateLogGroup": {"logGroupName": name}} {
		if _, err := admin.Call(t.Context(), "logs", operation, in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := admin.Call(t.Context(), "logs", "CreateLogStream", map[string]any{"logGroupName": name, "logStreamName": "s"}); err != nil {
		t.Fatal(err)
	}
	group := map[string]any{"logGroupName": name}
	stream := map[string]any{"logGroupName": name, "logStreamName": "s"}
	arn := map[string]any{"resourceArn": "arn:aws:logs:eu-west-1:111122223333:log-group:" + name}
	with := func(m map[string]any, more ...any) map[string]any {
		out := map[string]any{}
		for k, v := range m {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i].(string)] = more[i+1]
		}
		return out
	}
	question := []any{"startTime", 1, "endTime", 2, "queryString", "limit 1"}
	for _, test := range []struct {
		operation string
		in        map[string]any
		allowed   bool
	}{
		{"GetLogEvents", stream, true},
		{"GetLogEvents", map[string]any{"logGroupName": "other", "logStreamName": "s"}, false},
		{"FilterLogEvents", group, true},
		{"StartQuery", with(group, question...), true},
		{"StartQuery", with(map[string]any{"logGroupNames": []any{name, "other"}}, question...), false},
		{"GetQueryResults", map[string]any{"queryId": "x"}, false},
		{"StopQuery", map[string]any{"queryId": "x"}, false},
		{"DescribeQueries", nil, false},
		{"DescribeLogGroups", nil, false},
		{"DescribeLogStreams", group, false},
		{"CreateLogGroup", group, false},
		{"DeleteLogGroup", group, false},
		{"CreateLogStream", stream, false},
		{"DeleteLogStream", stream, false},
		{"PutRetentionPolicy", with(group, "retentionInDays", 7), false},
		{"DeleteRetentionPolicy", group, false},
		{"PutLogEvents", with(stream, "logEvents", []any{map[string]any{"timestamp": 1, "message": "m"}}), false},
		{"ListTagsForResource", arn, false},
		{"ListTagsLogGroup", group, false},
		{"TagResource", with(arn, "tags", map[string]any{"k": "v"}), false},
		{"TagLogGroup", with(group, "tags", map[string]any{"k": "v"}), false},
		{"UntagResource", with(arn, "tagKeys", []any{"k"}), false},
		{"UntagLogGroup", with(group, "tags", []any{"k"}), false},
	} {
		_, err := reader.Call(t.Context(), "logs", test.operation, test.in)
		if test.allowed && err != nil || !test.allowed && (err == nil || !strings.Contains(err.Error(), "AccessDeniedException")) {
			t.Errorf("%s %v: %v", test.operation, test.in, err)
		}
	}
}
