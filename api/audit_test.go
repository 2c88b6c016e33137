package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/api/logs"
	"github.com/trellis-project/trellis/api/sts"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// audited is a server whose records of calls are collected.
func audited(t *testing.T) (*client.Client, string, *[]trellis.AuditRecord) {
	t.Helper()
	session := sts.AssumeRoleOutput{Credentials: &sts.Credentials{AccessKeyId: "ASIAEXAMPLE", SecretAccessKey: "TOPSECRET", SessionToken: "TOPSECRET"}}
	services := []api.Service{
		complete(iam.Model(),
			api.Op("CreateAccessKey", func(_ context.Context, c *api.Call, in *iam.CreateAccessKeyInput) (*iam.CreateAccessKeyOutput, error) {
				c.Committed(7)
				return &iam.CreateAccessKeyOutput{AccessKey: &iam.AccessKey{UserName: *in.UserName, AccessKeyId: "AKIAEXAMPLE", SecretAccessKey: "TOPSECRET", Status: "Active"}}, nil
			}),
			api.Op("CreatePolicy", func(_ context.Context, _ *api.Call, in *iam.CreatePolicyInput) (*iam.CreatePolicyOutput, error) {
				return &iam.CreatePolicyOutput{Policy: &iam.Policy{Arn: ptr("arn:aws:iam::111122223333:policy/" + in.PolicyName)}}, nil
			}),
			api.Op("GetUser", func(_ context.Context, _ *api.Call, _ *iam.GetUserInput) (*iam.GetUserOutput, error) {
				return nil, trellis.Denied("User: x is not authorized to perform: iam:GetUser")
			})),
		complete(logs.Model(), api.Op("PutLogEvents", func(context.Context, *api.Call, *logs.PutLogEventsInput) (*logs.PutLogEventsOutput, error) {
			return nil, nil
		}).Data()),
		complete(sts.Model(),
			api.Op("AssumeRole", func(context.Context, *api.Call, *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
				return &session, nil
			}),
			api.Op("AssumeRoleWithWebIdentity", func(context.Context, *api.Call, *sts.AssumeRoleWithWebIdentityInput) (*sts.AssumeRoleWithWebIdentityOutput, error) {
				return &sts.AssumeRoleWithWebIdentityOutput{Credentials: session.Credentials}, nil
			}).Unsigned()),
	}
	var records []trellis.AuditRecord
	key := sigv4.NewKey(testSecret)
	s := api.NewServer(api.Options{Services: services, Region: testRegion, Log: slog.New(slog.DiscardHandler), Audit: func(r trellis.AuditRecord) { records = append(records, r) },
		Callers: func(id, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: testAccount, ARN: "arn:aws:iam::111122223333:user/alice", UserID: "AIDAALICE"}}, key, nil
		}})
	h := httptest.NewServer(s)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); h.Close() })
	return dial(t, h.URL), h.URL, &records
}

// TestAudit makes calls of every sort and compares what is recorded of them.
func TestAudit(t *testing.T) {
	c, url, records := audited(t)
	policy := `{"Version":"2012-10-17","Statement":[]}`
	for _, call := range []struct {
		service, operation string
		in                 map[string]any
	}{
		{"iam", "CreateAccessKey", map[string]any{"UserName": "bob"}},
		{"iam", "CreatePolicy", map[string]any{"PolicyName": "p", "PolicyDocument": policy}},
		{"iam", "CreatePolicy", map[string]any{"PolicyName": "long", "PolicyDocument": strings.Repeat("x", 110<<10)}},
		{"iam", "GetUser", map[string]any{"UserName": "bob"}},
		{"iam", "CreateLoginProfile", map[string]any{"UserName": "bob", "Password": "TOPSECRET"}},
		{"logs", "PutLogEvents", map[string]any{"logGroupName": "g", "logStreamName": "s", "logEvents": []any{map[string]any{"timestamp": 1, "message": "TOPSECRET"}}}},
		{"sts", "AssumeRole", map[string]any{"RoleArn": "arn:aws:iam::444455556666:role/reader", "RoleSessionName": "nightly"}},
		{"sts", "AssumeRoleWithWebIdentity", map[string]any{"RoleArn": "arn:aws:iam::444455556666:role/reader", "RoleSessionName": "nightly", "WebIdentityToken": "TOPSECRET"}},
	} {
		_, _ = c.Call(t.Context(), call.service, call.operation, call.in) // some are refused
	}
	thief, err := client.New(url, client.Credentials{AccessKeyID: testKey, SecretAccessKey: trellis.NewSecret("wrong")}, testRegion)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(thief.HTTP.CloseIdleConnections)
	_, _ = thief.Call(t.Context(), "iam", "GetUser", nil)

	var got []string
	for _, r := range *records {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "TOPSECRET") {
			t.Errorf("a secret is recorded: %s", text)
		}
		if r.Time.IsZero() || len(r.ID) != 36 || len(r.RequestID) != 36 || r.Region != testRegion || r.SourceIP != "127.0.0.1" || r.UserAgent == "" {
			t.Errorf("not whole: %s", text)
		}
		names := ""
		for _, a := range r.Resources {
			names += " " + a.Type + "=" + a.Name
		}
		line := strings.Join([]string{r.Account, r.Service, r.Operation, r.ErrorCode, string(r.Principal.Type), names, string(r.Request), string(r.Response)}, "|")
		if r.ReadOnly {
			line += "|read"
		}
		if r.Data {
			line += "|data"
		}
		if r.Revision > 0 {
			line += "|revision"
		}
		if r.SharedID != "" {
			line += "|shared"
		}
		got = append(got, strings.ReplaceAll(line, `"HIDDEN_DUE_TO_SECURITY_REASONS"`, "HIDDEN"))
	}
	const role, hiddenKey = "arn:aws:iam::444455556666:role/reader", `{"accessKeyId":"ASIAEXAMPLE","expiration":"0001-01-01T00:00:00.000Z","secretAccessKey":HIDDEN,"sessionToken":HIDDEN}}`
	want := []string{
		testAccount + `|iam|CreateAccessKey||User| User=bob AccessKey=AKIAEXAMPLE|{"userName":"bob"}|{"accessKey":{"accessKeyId":"AKIAEXAMPLE","secretAccessKey":HIDDEN,"status":"Active","userName":"bob"}}|revision`,
		testAccount + `|iam|CreatePolicy||User| Policy=p =arn:aws:iam::111122223333:policy/p|{"policyDocument":` + quoted(policy) + `,"policyName":"p"}|{"policy":{"arn":"arn:aws:iam::111122223333:policy/p"}}`,
		testAccount + `|iam|CreatePolicy||User| Policy=long =arn:aws:iam::111122223333:policy/long|{"omitted":true,"originalSize":112681,"reason":"larger than 102400 bytes"}|{"policy":{"arn":"arn:aws:iam::111122223333:policy/long"}}`,
		testAccount + `|iam|GetUser|AccessDenied|User| User=bob|{"userName":"bob"}||read`,
		testAccount + `|iam|CreateLoginProfile|InvalidAction|User|||`,
		testAccount + `|logs|PutLogEvents||User| LogGroup=g LogStream=s|||data`,
		"444455556666|sts|AssumeRole||AWSAccount| =" + role + ` RoleSession=nightly AccessKey=ASIAEXAMPLE|{"roleArn":"` + role + `","roleSessionName":"nightly"}|{"credentials":` + hiddenKey + "|read|shared",
		testAccount + "|sts|AssumeRole||User| =" + role + ` RoleSession=nightly AccessKey=ASIAEXAMPLE|{"roleArn":"` + role + `","roleSessionName":"nightly"}|{"credentials":` + hiddenKey + "|read|shared",
		"444455556666|sts|AssumeRoleWithWebIdentity||WebIdentityUser| =" + role + ` RoleSession=nightly AccessKey=ASIAEXAMPLE|{"roleArn":"` + role + `","roleSessionName":"nightly","webIdentityToken":HIDDEN}|{"credentials":` + hiddenKey + "|read",
		"|iam||SignatureDoesNotMatch|Anonymous||||read",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// quoted is a text as JSON.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
