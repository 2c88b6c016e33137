package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/api/logs"
	"github.com/trellis-project/trellis/api/organizations"
	"github.com/trellis-project/trellis/api/ram"
	"github.com/trellis-project/trellis/api/sts"
	"github.com/trellis-project/trellis/api/vpclattice"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// TestMain fails the package when a goroutine is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The caller of the tests.
const (
	testKey     = "AKIATESTTESTTESTTEST"
	testSecret  = "a secret of the tests"
	testAccount = "111122223333"
	testRegion  = "eu-west-1"
)

// complete makes a whole table of a few rows: the rest is unserved.
func complete(m *wire.Model, rows ...api.Operation) api.Service {
	s := api.Service{Model: m}
	byName := map[string]api.Operation{}
	for _, r := range rows {
		byName[r.Name] = r
	}
	for _, op := range m.Operations {
		if r, ok := byName[op.Name]; ok {
			s.Operations = append(s.Operations, r)
		} else {
			s.Operations = append(s.Operations, api.Unserved(op.Name))
		}
	}
	return s
}

// ptr returns a pointer to a value.
func ptr[T any](v T) *T { return &v }

// at is a time for outputs.
var at = time.Date(2026, 7, 29, 21, 47, 2, 906_000_000, time.UTC)

// services are tables whose operations answer with what they were asked, so that both directions are seen.
func services() []api.Service {
	lattice := complete(vpclattice.Model(),
		api.Op("CreateService", func(_ context.Context, c *api.Call, in *vpclattice.CreateServiceInput) (*vpclattice.CreateServiceOutput, error) {
			c.Committed(42)
			return &vpclattice.CreateServiceOutput{Name: &in.Name, AuthType: in.AuthType, Id: ptr("svc-0123456789abcdef0")}, nil
		}),
		api.Op("GetService", func(_ context.Context, c *api.Call, in *vpclattice.GetServiceInput) (*vpclattice.GetServiceOutput, error) {
			return &vpclattice.GetServiceOutput{Arn: &in.ServiceIdentifier, CreatedAt: &at}, nil
		}),
		api.Op("GetRule", func(_ context.Context, c *api.Call, in *vpclattice.GetRuleInput) (*vpclattice.GetRuleOutput, error) {
			return &vpclattice.GetRuleOutput{Name: &in.RuleIdentifier, Match: &vpclattice.RuleMatch{
				HttpMatch: &vpclattice.HttpMatch{HeaderMatches: []vpclattice.HeaderMatch{}}}}, nil
		}).Unchecked("ruleIdentifier"),
		api.Op("ListServices", func(_ context.Context, c *api.Call, in *vpclattice.ListServicesInput) (*vpclattice.ListServicesOutput, error) {
			after, err := c.After(in.NextToken)
			if err != nil {
				return nil, err
			}
			return &vpclattice.ListServicesOutput{NextToken: c.NextToken(after + "x")}, nil
		}),
		api.Op("DeleteRule", func(context.Context, *api.Call, *vpclattice.DeleteRuleInput) (*vpclattice.DeleteRuleOutput, error) {
			return &vpclattice.DeleteRuleOutput{}, nil
		}),
		api.Op("DeleteService", func(context.Context, *api.Call, *vpclattice.DeleteServiceInput) (*vpclattice.DeleteServiceOutput, error) {
			panic("broken")
		}),
		api.Op("DeleteListener", func(context.Context, *api.Call, *vpclattice.DeleteListenerInput) (*vpclattice.DeleteListenerOutput, error) {
			return nil, nil
		}),
		api.Op("GetTargetGroup", func(context.Context, *api.Call, *vpclattice.GetTargetGroupInput) (*vpclattice.GetTargetGroupOutput, error) {
			return nil, errors.New("the store says no")
		}),
		api.Op("UntagResource", func(_ context.Context, _ *api.Call, in *vpclattice.UntagResourceInput) (*vpclattice.UntagResourceOutput, error) {
			return nil, trellis.NotFound("SERVICE", strings.Join(in.TagKeys, "+"))
		}),
	)
	return []api.Service{lattice,
		complete(sts.Model(), api.Op("GetCallerIdentity", func(_ context.Context, c *api.Call, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
			return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.Caller.Principal.ARN}, nil
		})),
		complete(iam.Model(),
			api.Op("CreateUser", func(_ context.Context, _ *api.Call, in *iam.CreateUserInput) (*iam.CreateUserOutput, error) {
				return &iam.CreateUserOutput{User: &iam.User{UserName: in.UserName, Path: "/", Tags: in.Tags, CreateDate: at}}, nil
			}),
			api.Op("ListUsers", func(context.Context, *api.Call, *iam.ListUsersInput) (*iam.ListUsersOutput, error) {
				return &iam.ListUsersOutput{}, nil
			}),
			api.Op("GetUser", func(context.Context, *api.Call, *iam.GetUserInput) (*iam.GetUserOutput, error) {
				return nil, trellis.Denied("User: x is not authorized to perform: iam:GetUser")
			})),
		complete(ec2.Model(),
			api.Op("DescribeVpcs", func(_ context.Context, _ *api.Call, in *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
				out := &ec2.DescribeVpcsOutput{}
				for _, f := range in.Filters {
					out.Vpcs = append(out.Vpcs, ec2.Vpc{VpcId: f.Name, CidrBlock: &f.Values[0], IsDefault: ptr(false)})
				}
				return out, nil
			}),
			api.Op("CreateTags", func(context.Context, *api.Call, *ec2.CreateTagsInput) (*ec2.CreateTagsOutput, error) {
				return &ec2.CreateTagsOutput{}, nil
			}),
			api.Op("DescribeSubnets", func(context.Context, *api.Call, *ec2.DescribeSubnetsInput) (*ec2.DescribeSubnetsOutput, error) {
				return nil, trellis.Denied("User: x is not authorized to perform: ec2:DescribeSubnets")
			})),
		complete(logs.Model(), api.Op("PutLogEvents", func(_ context.Context, _ *api.Call, in *logs.PutLogEventsInput) (*logs.PutLogEventsOutput, error) {
			return &logs.PutLogEventsOutput{NextSequenceToken: &in.LogEvents[0].Message}, nil
		})),
		complete(organizations.Model(), api.Op("ListAccounts", func(context.Context, *api.Call, *organizations.ListAccountsInput) (*organizations.ListAccountsOutput, error) {
			return &organizations.ListAccountsOutput{Accounts: []organizations.Account{{Id: ptr(testAccount), JoinedTimestamp: &at}}}, nil
		})),
		complete(ram.Model(), api.Op("CreateResourceShare", func(_ context.Context, _ *api.Call, in *ram.CreateResourceShareInput) (*ram.CreateResourceShareOutput, error) {
			return &ram.CreateResourceShareOutput{ResourceShare: &ram.ResourceShare{Name: &in.Name, CreationTime: &at}}, nil
		})),
	}
}

// start runs a server and returns its URL. logged gets the server's log, applied the revisions waited for.
func start(t *testing.T, logged io.Writer, applied *atomic.Int64) string {
	t.Helper()
	key := sigv4.NewKey(testSecret)
	s := api.NewServer(api.Options{
		Services: services(), Region: testRegion, Log: slog.New(slog.NewTextHandler(logged, nil)),
		Callers: func(id, token string) (*authpolicy.Caller, *sigv4.Key, error) {
			switch {
			case token == "old":
				return nil, nil, trellis.NewError(403, "ExpiredTokenException", "The security token included in the request is expired")
			case id != testKey:
				return nil, nil, trellis.NewError(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
			}
			return &authpolicy.Caller{Principal: trellis.Principal{Account: testAccount, ARN: "arn:aws:iam::111122223333:user/administrator"}}, key, nil
		},
		Applied: func(_ context.Context, rev trellis.Revision) { applied.Store(rev) },
		Ready: func() error {
			if applied.Load() == -1 {
				return errors.New("not ready")
			}
			return nil
		},
	})
	h := httptest.NewUnstartedServer(nil)
	h.Config = api.HTTPServer(s, slog.New(slog.DiscardHandler))
	h.Start()
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); h.Close() })
	return h.URL
}

// dial returns a client with the tests' key.
func dial(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(url, client.Credentials{AccessKeyID: testKey, SecretAccessKey: trellis.NewSecret(testSecret)}, testRegion)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c
}

// TestCalls calls an operation of every protocol and compares what comes back.
func TestCalls(t *testing.T) {
	var applied atomic.Int64
	c := dial(t, start(t, io.Discard, &applied))
	arn := "arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-0123456789abcdef0"
	for _, test := range []struct {
		service, operation string
		in                 map[string]any
		want               map[string]any
	}{
		{"vpc-lattice", "CreateService", map[string]any{"name": "orders", "authType": "AWS_IAM"},
			map[string]any{"name": "orders", "authType": "AWS_IAM", "id": "svc-0123456789abcdef0"}},
		{"vpc-lattice", "GetService", map[string]any{"serviceIdentifier": arn}, map[string]any{"arn": arn, "createdAt": "2026-07-29T21:47:02.906Z"}},
		{"vpc-lattice", "GetRule", map[string]any{"serviceIdentifier": arn, "listenerIdentifier": "listener-0123456789abcdef0", "ruleIdentifier": "default"},
			map[string]any{"name": "default", "match": map[string]any{"httpMatch": map[string]any{"headerMatches": []any{}}}}},
		{"vpc-lattice", "DeleteRule", map[string]any{"serviceIdentifier": arn, "listenerIdentifier": "listener-0123456789abcdef0", "ruleIdentifier": "rule-0123456789abcdef0"}, map[string]any{}},
		{"vpc-lattice", "DeleteListener", map[string]any{"serviceIdentifier": arn, "listenerIdentifier": "listener-0123456789abcdef0"}, map[string]any{}},
		{"sts", "GetCallerIdentity", nil, map[string]any{"Account": testAccount, "Arn": "arn:aws:iam::111122223333:user/administrator"}},
		{"iam", "CreateUser", map[string]any{"UserName": "alice", "Tags": []any{map[string]any{"Key": "team", "Value": "a+b"}}},
			map[string]any{"User": map[string]any{"UserName": "alice", "Path": "/", "UserId": "", "Arn": "", "CreateDate": "2026-07-29T21:47:02.906Z",
				"Tags": []any{map[string]any{"Key": "team", "Value": "a+b"}}}}},
		{"iam", "ListUsers", nil, map[string]any{"Users": []any{}}},
		{"ec2", "DescribeVpcs", map[string]any{"Filters": []any{map[string]any{"Name": "cidr", "Values": []any{"10.0.0.0/16"}}, map[string]any{"Name": "b", "Values": []any{"é <&>"}}}},
			map[string]any{"Vpcs": []any{map[string]any{"VpcId": "cidr", "CidrBlock": "10.0.0.0/16", "IsDefault": false}, map[string]any{"VpcId": "b", "CidrBlock": "é <&>", "IsDefault": false}}}},
		{"ec2", "CreateTags", map[string]any{"Resources": []any{"vpc-1"}, "Tags": []any{map[string]any{"Key": "k", "Value": ""}}}, map[string]any{}},
		{"logs", "PutLogEvents", map[string]any{"logGroupName": "g", "logStreamName": "s", "logEvents": []any{map[string]any{"timestamp": 1, "message": "hello"}}},
			map[string]any{"nextSequenceToken": "hello"}},
		{"organizations", "ListAccounts", nil, map[string]any{"Accounts": []any{map[string]any{"Id": testAccount, "JoinedTimestamp": "2026-07-29T21:47:02.906Z"}}}},
		{"ram", "CreateResourceShare", map[string]any{"name": "s"}, map[string]any{"resourceShare": map[string]any{"name": "s", "creationTime": "2026-07-29T21:47:02.906Z"}}},
	} {
		got, err := c.Call(t.Context(), test.service, test.operation, test.in)
		if err != nil {
			t.Errorf("%s %s: %v", test.service, test.operation, err)
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s %s: (-want +got)\n%s", test.service, test.operation, diff)
		}
	}
	_, answer, err := client.Do[vpclattice.CreateServiceOutput](t.Context(), c, "vpc-lattice", "CreateService", map[string]any{"name": "orders"})
	if err != nil || answer.Status != 201 || answer.Revision != 42 || applied.Load() != 42 || len(answer.RequestID) != 36 {
		t.Errorf("CreateService: %+v, %v, applied %d", answer, err, applied.Load())
	}
}

// TestErrors calls with bad input, or where the operation fails, and compares the errors.
func TestErrors(t *testing.T) {
	var log bytes.Buffer
	c := dial(t, start(t, &log, new(atomic.Int64)))
	for _, test := range []struct {
		service, operation string
		in                 map[string]any
		status             int
		code, message      string // message: a part of it
		fields             int
	}{
		{"vpc-lattice", "CreateService", map[string]any{"name": "-X", "authType": "MAYBE"}, 400, "ValidationException", "3 validation errors detected: ", 3},
		{"vpc-lattice", "CreateService", nil, 400, "ValidationException", "Value null at 'name' failed to satisfy constraint: Member must not be null", 1},
		{"vpc-lattice", "CreateService", map[string]any{"name": "svc-abc"}, 400, "ValidationException", "Member must satisfy regular expression pattern", 1},
		{"vpc-lattice", "GetService", map[string]any{"serviceIdentifier": "svc-1/../svc-2"}, 400, "ValidationException", "'serviceIdentifier'", 2},
		{"vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": "svc-0123456789abcdef0"}, 400, "ValidationException", "UpdateService is not served", 0},
		{"vpc-lattice", "ListServices", map[string]any{"nextToken": "AAAA"}, 400, "ValidationException", "nextToken", 1},
		{"vpc-lattice", "UntagResource", map[string]any{"resourceArn": "arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-1", "tagKeys": []any{"a b", "c"}}, 404, "ResourceNotFoundException", "SERVICE a b+c not found", 0},
		{"vpc-lattice", "DeleteService", map[string]any{"serviceIdentifier": "svc-0123456789abcdef0"}, 500, "InternalServerException", "unknown error", 0},
		{"vpc-lattice", "GetTargetGroup", map[string]any{"targetGroupIdentifier": "tg-0123456789abcdef0"}, 500, "InternalServerException", "unknown error", 0},
		{"iam", "CreateUser", map[string]any{"UserName": "a/b"}, 400, "ValidationError", "at 'userName'", 0},
		{"iam", "GetUser", nil, 403, "AccessDenied", "not authorized", 0},
		{"iam", "DeleteUser", map[string]any{"UserName": "a"}, 400, "InvalidAction", "not served", 0},
		{"ec2", "DescribeSubnets", nil, 403, "UnauthorizedOperation", "You are not authorized to perform this operation. User: x", 0},
		{"ec2", "CreateTags", nil, 400, "MissingParameter", "The request must contain the parameter", 0},
		{"logs", "PutLogEvents", map[string]any{"logGroupName": "g:"}, 400, "InvalidParameterException", "validation errors detected", 0},
		{"organizations", "CreateAccount", map[string]any{}, 400, "UnknownOperationException", "not served", 0},
		{"ram", "CreateResourceShare", nil, 400, "InvalidParameterException", "'name'", 1},
	} {
		_, err := c.Call(t.Context(), test.service, test.operation, test.in)
		var e *trellis.Error
		if !errors.As(err, &e) {
			t.Errorf("%s %s: %v", test.service, test.operation, err)
			continue
		}
		if e.Status != test.status || e.Code != test.code || !strings.Contains(e.Message, test.message) || len(e.Fields) != test.fields {
			t.Errorf("%s %s: got %d %s with %d fields: %s", test.service, test.operation, e.Status, e.Code, len(e.Fields), e.Message)
		}
	}
	for _, want := range []string{"panic: broken", "the store says no", "request_id="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
}

// TestTokens uses pagination tokens of another account, operation and of nobody.
func TestTokens(t *testing.T) {
	tokens := api.NewTokens([]byte("0123456789abcdef"))
	made := tokens.Make("a", "op", "position")
	if got, err := tokens.Open("a", "op", made); got != "position" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, test := range [][3]string{{"b", "op", made}, {"a", "other", made}, {"a", "op", made + "x"}, {"a", "op", ""}, {"a", "op", "%"}} {
		if got, err := tokens.Open(test[0], test[1], test[2]); err == nil {
			t.Errorf("%v opened: %q", test, got)
		}
	}
}

// TestAuthentication sends requests without, with wrong and with old credentials to a service of each protocol.
func TestAuthentication(t *testing.T) {
	url := start(t, io.Discard, new(atomic.Int64))
	calls := []struct{ service, operation string }{{"vpc-lattice", "ListServices"}, {"logs", "DescribeLogGroups"}, {"iam", "ListUsers"}, {"ec2", "DescribeVpcs"}}
	for _, test := range []struct {
		credentials client.Credentials
		region      string
		want        [4]string // by the order of calls
	}{
		{client.Credentials{AccessKeyID: "AKIANOBODY", SecretAccessKey: trellis.NewSecret("x")}, testRegion,
			[4]string{"403 UnrecognizedClientException", "400 UnrecognizedClientException", "403 InvalidClientTokenId", "401 AuthFailure"}},
		{client.Credentials{AccessKeyID: testKey, SecretAccessKey: trellis.NewSecret("wrong")}, testRegion,
			[4]string{"403 InvalidSignatureException", "400 InvalidSignatureException", "403 SignatureDoesNotMatch", "401 AuthFailure"}},
		{client.Credentials{AccessKeyID: testKey, SecretAccessKey: trellis.NewSecret(testSecret), SessionToken: "old"}, testRegion,
			[4]string{"403 ExpiredTokenException", "400 ExpiredTokenException", "403 ExpiredToken", "400 RequestExpired"}},
		{client.Credentials{AccessKeyID: testKey, SecretAccessKey: trellis.NewSecret(testSecret)}, "us-east-1",
			[4]string{"403 InvalidSignatureException", "400 InvalidSignatureException", "", "401 AuthFailure"}},
	} {
		c, err := client.New(url, test.credentials, test.region)
		if err != nil {
			t.Fatal(err)
		}
		for i, call := range calls {
			got := ""
			_, err := c.Call(t.Context(), call.service, call.operation, nil)
			var e *trellis.Error
			if errors.As(err, &e) {
				got = strconv.Itoa(e.Status) + " " + e.Code
			} else if err != nil {
				t.Error(err)
			}
			if got != test.want[i] {
				t.Errorf("%s as %s in %s: got %q, want %q", call.operation, test.credentials.AccessKeyID, test.region, got, test.want[i])
			}
		}
		c.HTTP.CloseIdleConnections()
	}
}

// TestRaw sends requests that no client library would, and compares status, error type and content.
func TestRaw(t *testing.T) {
	url := start(t, io.Discard, new(atomic.Int64))
	for name, test := range map[string]struct {
		method, path string
		header       map[string]string
		body         string
		sign         string // service, "" unsigned
		status       int
		contains     string // of header x-amzn-errortype and body
	}{
		"unsigned rest":       {"GET", "/services", nil, "", "", 403, "MissingAuthenticationTokenException"},
		"unsigned json":       {"POST", "/", map[string]string{"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}, "{}", "", 400, "MissingAuthenticationTokenException"},
		"unsigned query":      {"POST", "/", nil, "Action=ListUsers&Version=2010-05-08", "", 403, "<Code>MissingAuthenticationToken</Code>"},
		"unsigned ec2":        {"POST", "/", nil, "Action=DescribeVpcs&Version=2016-11-15", "", 403, "<Response><Errors><Error><Code>MissingAuthenticationToken</Code>"},
		"unsigned nothing":    {"GET", "/", nil, "", "", 403, "MissingAuthenticationTokenException"},
		"unknown service":     {"GET", "/", nil, "", "s3tables", 404, "UnknownOperationException"},
		"unknown path":        {"GET", "/nothing", nil, "", "vpc-lattice", 404, "UnknownOperationException"},
		"unknown method":      {"PUT", "/services", nil, "", "vpc-lattice", 404, "UnknownOperationException"},
		"unknown target":      {"POST", "/", map[string]string{"X-Amz-Target": "Logs_20140328.Nothing"}, "{}", "logs", 400, "UnknownOperationException"},
		"unknown action":      {"POST", "/", nil, "Action=Nothing", "iam", 400, "InvalidAction"},
		"unknown parameter":   {"POST", "/", nil, "Action=DescribeVpcs&Nothing=1", "ec2", 400, "UnknownParameter"},
		"query in the URL":    {"GET", "/?Action=ListUsers&Version=2010-05-08", nil, "", "iam", 200, "<ListUsersResult><Users></Users></ListUsersResult>"},
		"not JSON":            {"POST", "/services", nil, "{", "vpc-lattice", 400, `"reason":"cannotParse"`},
		"not JSON for json":   {"POST", "/", map[string]string{"X-Amz-Target": "Logs_20140328.PutLogEvents"}, "[1]", "logs", 400, "SerializationException"},
		"wrong types":         {"POST", "/services", nil, `{"name":1,"tags":[],"idleTimeoutSeconds":"60"}`, "vpc-lattice", 400, `"fieldList":[{"name":"idleTimeoutSeconds"`},
		"wrong type for json": {"POST", "/", map[string]string{"X-Amz-Target": "Logs_20140328.PutLogEvents"}, `{"logEvents":1}`, "logs", 400, "SerializationException"},
		"null in a list":      {"DELETE", "/tags/arn%3Aaws%3Avpc-lattice%3Aeu-west-1%3A111122223333%3Aservice%2Fsvc-1", nil, "", "vpc-lattice", 400, "'tagKeys'"},
		"too large":           {"POST", "/services", nil, strings.Repeat(" ", 1<<20+1), "vpc-lattice", 413, "RequestEntityTooLargeException"},
		"encoded ARN":         {"GET", "/services/arn%3Aaws%3Avpc-lattice%3Aeu-west-1%3A111122223333%3Aservice%2Fsvc-0123456789abcdef0", nil, "", "vpc-lattice", 200, "service/svc-0123456789abcdef0"},
		"unknown member":      {"POST", "/services", nil, `{"name":"orders","default":true}`, "vpc-lattice", 201, "orders"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), test.method, url+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range test.header {
				r.Header.Set(k, v)
			}
			if test.sign != "" {
				path, query, _ := strings.Cut(test.path, "?")
				signed := &sigv4.Request{Method: test.method, Path: path, RawQuery: query, Host: r.URL.Host}
				for k, v := range test.header {
					signed.Headers = append(signed.Headers, sigv4.Field{Name: k, Value: v})
				}
				for _, f := range sigv4.Sign(signed, testKey, testSecret, "",
					testRegion, test.sign, sigv4.HashPayload([]byte(test.body)), time.Now()) {
					r.Header.Set(f.Name, f.Value)
				}
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			text := response.Header.Get("x-amzn-ErrorType") + "\n" + string(body)
			if response.StatusCode != test.status || !strings.Contains(text, test.contains) {
				t.Errorf("got %d %s\nwant %d %s", response.StatusCode, text, test.status, test.contains)
			}
			if response.Header.Get("x-amzn-RequestId") == "" {
				t.Error("no request id")
			}
			if strings.HasPrefix(response.Header.Get("Content-Type"), "application/") && !json.Valid(body) {
				t.Errorf("not JSON: %s", body)
			}
		})
	}
}

// TestTamperedBody changes a body after it was signed.
func TestTamperedBody(t *testing.T) {
	url := start(t, io.Discard, new(atomic.Int64))
	for _, named := range []bool{true, false} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", url+"/services", strings.NewReader(`{"name":"evil"}`))
		if err != nil {
			t.Fatal(err)
		}
		hash := ""
		if named {
			hash = sigv4.HashPayload([]byte(`{"name":"good"}`))
		}
		for _, f := range sigv4.Sign(&sigv4.Request{Method: "POST", Path: "/services", Host: r.URL.Host}, testKey, testSecret, "", testRegion, "vpc-lattice", hash, time.Now()) {
			r.Header.Set(f.Name, f.Value)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("x-amzn-ErrorType"); response.StatusCode != 403 || got != "InvalidSignatureException" {
			t.Errorf("hash named %t: got %d %s", named, response.StatusCode, got)
		}
	}
}

// TestBodies sends bodies in chunks, with a bad chunk, and too large ones, over a bare connection.
func TestBodies(t *testing.T) {
	address := strings.TrimPrefix(start(t, io.Discard, new(atomic.Int64)), "http://")
	const body = `{"name":"orders"}`
	head := "POST /services HTTP/1.1\r\nHost: " + address + "\r\n"
	for _, f := range sigv4.Sign(&sigv4.Request{Method: "POST", Path: "/services", Host: address}, testKey, testSecret, "", testRegion,
		"vpc-lattice", sigv4.HashPayload([]byte(body)), time.Now()) {
		head += f.Name + ": " + f.Value + "\r\n"
	}
	for name, test := range map[string]struct {
		rest   string
		status int
	}{
		"chunked":        {"Transfer-Encoding: chunked\r\n\r\n11\r\n" + body + "\r\n0\r\n\r\n", 201},
		"bad chunk":      {"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
		"announced size": {"Content-Length: 1048577\r\n\r\n" + strings.Repeat(" ", 1<<20+1), 413},
		"chunked size":   {"Transfer-Encoding: chunked\r\n\r\n100001\r\n" + strings.Repeat(" ", 1<<20+1) + "\r\n0\r\n\r\n", 413},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, head+test.rest); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.status {
				t.Errorf("got %d %s, %v, want %d", response.StatusCode, text, err, test.status)
			}
		})
	}
}

// TestCheck finds what is wrong with a table.
func TestCheck(t *testing.T) {
	good := complete(sts.Model())
	row := api.Op("GetCallerIdentity", func(context.Context, *api.Call, *sts.AssumeRoleInput) (*sts.GetCallerIdentityOutput, error) {
		return nil, nil
	})
	rows := func(change func([]api.Operation) []api.Operation) api.Service {
		return api.Service{Model: sts.Model(), Operations: change(slices.Clone(good.Operations))}
	}
	for want, s := range map[string]api.Service{
		"":                 good,
		"without a model":  {},
		"is missing":       rows(func(o []api.Operation) []api.Operation { return o[1:] }),
		"not sorted":       rows(func(o []api.Operation) []api.Operation { o[0], o[1] = o[1], o[0]; return o }),
		"stands twice":     rows(func(o []api.Operation) []api.Operation { return slices.Insert(o, 0, o[0]) }),
		"has no operation": rows(func([]api.Operation) []api.Operation { return []api.Operation{api.Unserved("Nothing")} }),
		"the model says": rows(func(o []api.Operation) []api.Operation {
			o[slices.IndexFunc(o, func(r api.Operation) bool { return r.Name == row.Name })] = row
			return o
		}),
		"to leave unchecked": rows(func(o []api.Operation) []api.Operation { o[0] = o[0].Unchecked("nothing"); return o }),
	} {
		err := s.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestLateSignature sends a signature of an hour ago.
func TestLateSignature(t *testing.T) {
	url := start(t, io.Discard, new(atomic.Int64))
	for service, want := range map[string]string{"vpc-lattice": "403 InvalidSignatureException", "ec2": "400 <Code>RequestExpired</Code>", "iam": "403 <Code>SignatureDoesNotMatch</Code>"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/services", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range sigv4.Sign(&sigv4.Request{Method: "GET", Path: "/services", Host: r.URL.Host}, testKey, testSecret, "", testRegion, service, sigv4.EmptyPayloadHash, time.Now().Add(-time.Hour)) {
			r.Header.Set(f.Name, f.Value)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		status, code, _ := strings.Cut(want, " ")
		if text := response.Header.Get("x-amzn-ErrorType") + string(body); err != nil || strconv.Itoa(response.StatusCode) != status || !strings.Contains(text, code) {
			t.Errorf("%s: got %d %s, want %s", service, response.StatusCode, text, want)
		}
	}
}

// TestHealth asks /healthz.
func TestHealth(t *testing.T) {
	var applied atomic.Int64
	url := start(t, io.Discard, &applied)
	for _, want := range []int{200, 503} {
		response, err := http.Get(url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("got %d, want %d", response.StatusCode, want)
		}
		applied.Store(-1)
	}
}

// TestTokenTexts takes a pagination token in its own text alone: what else decodes to the same bytes is refused.
func TestTokenTexts(t *testing.T) {
	tokens := api.NewTokens(make([]byte, 32))
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_\n"
	for _, after := range []string{"a", "ab", "abc"} {
		token := tokens.Make("111122223333", "op", after)
		if got, err := tokens.Open("111122223333", "op", token); err != nil || got != after {
			t.Fatal(got, err)
		}
		for _, c := range letters {
			other := token[:len(token)-1] + string(c)
			if _, err := tokens.Open("111122223333", "op", other); err == nil && other != token {
				t.Errorf("%q is taken for %q", other, token)
			}
		}
		if _, err := tokens.Open("111122223333", "op", token+"\n"); err == nil {
			t.Error("a token with a line break is taken")
		}
	}
}
