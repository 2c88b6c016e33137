package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/trellistest"
)

// TestExec runs commands in a VPC of another account, and tries what can't be run.
func TestExec(t *testing.T) {
	tr := trellistest.Start(t)
	env := []string{"AWS_ENDPOINT_URL=" + tr.Endpoint, "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(tr.Dir, "credentials"), "HTTP_PROXY=http://proxy.example"}
	const account = "444455556666"
	if got := run(t, env, "account", "create", "--name", "payments", "--id", account); got.code != 0 || got.stdout != account+"\n" {
		t.Fatalf("%+v", got)
	}
	wantFailure(t, run(t, env, "account", "create", "--name", "again", "--id", account), exitFailed, "taken")
	vpc := tr.Call(t, account, "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16"})["Vpc"].(map[string]any)["VpcId"].(string)
	in := func(words ...string) ran {
		return run(t, env, append([]string{"exec", "--account", account, "--vpc", vpc}, words...)...)
	}
	wantFailure(t, in("true"), exitExec, "has no subnet", "aws ec2 create-subnet --vpc-id "+vpc)
	wantFailure(t, run(t, env, "exec", "--vpc", vpc, "true"), exitExec, "NotFound", "--account")
	wantFailure(t, run(t, env, "exec", "--account", "999988887777", "--vpc", vpc, "true"), exitExec, "AccessDenied", "list-accounts")
	tr.Call(t, account, "ec2", "CreateSubnet", map[string]any{"VpcId": vpc, "CidrBlock": "10.0.1.0/24"})

	if got := in("--", "sh", "-c", "cat; echo $AWS_ENDPOINT_URL $HTTP_PROXY; echo aside >&2; exit 7"); got.code != 7 ||
		got.stdout != "from standard input\nhttp://api.trellis.internal:4780\n" || got.stderr != "aside\n" {
		t.Errorf("%+v", got)
	}
	root := run(t, []string{"AWS_ENDPOINT_URL=" + tr.Endpoint}, "ca") // without credentials
	file, err := os.ReadFile(filepath.Join(tr.Dir, "ca.pem"))
	if err != nil || root.code != 0 || root.stdout != string(file) || !strings.Contains(root.stdout, "BEGIN CERTIFICATE") {
		t.Errorf("%+v %v", root, err)
	}
	got := in("--", "sh", "-c", "cat $TRELLIS_CA; curl -s $AWS_ENDPOINT_URL/ca.pem; echo $TRELLIS_CA >&2")
	if got.code != 0 || got.stdout != root.stdout+root.stdout {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(strings.TrimSpace(got.stderr)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of TRELLIS_CA is left: %v", err)
	}
	if got := in("true"); got.code != 0 || got.stdout+got.stderr != "" {
		t.Errorf("%+v", got)
	}
	if got := in("--", "sh", "-c", "kill -TERM $$"); got.code != 128+15 || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	wantFailure(t, in("no-such-command"), exitNotFound, "no-such-command")
	wantFailure(t, in("/etc/hostname-of-nobody"), exitNotFound, "no such file")
	wantFailure(t, in("/etc/passwd"), exitNotExecutable, "permission denied")
	wantFailure(t, in("--role", "nosuch", "true"), exitExec, "nosuch")
	answer, _ := json.Marshal(tr.Call(t, account, "ec2", "DescribeInstances", nil))
	if strings.Contains(string(answer), `"running"`) {
		t.Errorf("a throw-away instance was left: %s", answer)
	}

	// Credentials of the account, in both forms; with them nobody need name the account.
	got = run(t, env, "account", "credentials", account)
	keys, ok := strings.CutPrefix(strings.TrimSpace(got.stdout), "export ")
	if !ok || got.code != 0 {
		t.Fatalf("%+v", got)
	}
	own := append(env, strings.Fields(keys)...)
	if got := run(t, own, "exec", "--vpc", vpc, "true"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := run(t, own, "exec", "--account", account, "--vpc", vpc, "true"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	var process struct {
		Version                                                int
		AccessKeyId, SecretAccessKey, SessionToken, Expiration string
	}
	got = run(t, env, "account", "credentials", account, "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &process); err != nil || process.Version != 1 || process.SessionToken == "" || process.Expiration == "" {
		t.Errorf("%v: %+v", err, process)
	}
}

// TestUpWithoutAddress wants `trellis up` to end, not to wait, when it can't start: its address is taken, its
// data directory is another Trellis's, or can't be made.
func TestUpWithoutAddress(t *testing.T) {
	tr := trellistest.Start(t)
	taken := strings.TrimPrefix(tr.Endpoint, "http://")
	for _, verb := range []string{"up", "serve"} {
		wantFailure(t, run(t, nil, verb, "--data", filepath.Join(t.TempDir(), "data"), "--listen", taken), exitFailed, "address already in use", "--listen")
		wantFailure(t, run(t, nil, verb, "--data", tr.Dir, "--listen", "127.0.0.1:0"), exitFailed, "in use by another Trellis")
		wantFailure(t, run(t, nil, verb, "--data", filepath.Join(os.DevNull, "data"), "--listen", "127.0.0.1:0"), exitFailed, "data directory", "--data")
	}
}
