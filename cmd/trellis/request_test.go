package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/lab"
)

// nobody is an address of this machine where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// TestRequestText prints one answer whole: status, headers, body. The status doesn't matter to the exit code.
func TestRequestText(t *testing.T) {
	srv := httptest.NewServer(echo("orders-v1"))
	defer srv.Close()
	got := run(t, nil, "request", "-X", "POST", "-d", "a body", "-H", "x-release-channel: canary", "-H", "Host: orders.example", srv.URL+"/v1/orders?id=42")
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{"HTTP/1.1 200 OK\n", "\n\norders-v1\nPOST /v1/orders?id=42 HTTP/1.1\nHost: orders.example\n", "X-Release-Channel: canary\n", "\n\na body\n"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in\n%s", want, got.stdout)
		}
	}
	missing := httptest.NewServer(http.NotFoundHandler())
	defer missing.Close()
	if got := run(t, nil, "request", missing.URL); got.code != 0 || !strings.HasPrefix(got.stdout, "HTTP/1.1 404 Not Found\n") {
		t.Errorf("%+v", got)
	}
}

// TestRequestCounts counts what many requests give, as JSON and as a table.
func TestRequestCounts(t *testing.T) {
	srv := httptest.NewServer(echo("orders-v1"))
	defer srv.Close()
	got := run(t, nil, "request", "--count", "3", "-o", "json", srv.URL)
	var o lab.Outcome
	if err := json.Unmarshal([]byte(got.stdout), &o); err != nil || got.code != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	if o.Requests != 3 || o.Statuses[200] != 3 || o.Bodies["orders-v1"] != 3 || o.Timeouts != 0 || len(o.Errors) != 0 {
		t.Errorf("saw %+v", o)
	}
	want := "COUNT  KIND    WHAT\n3      status  200\n3      body    orders-v1\n"
	if got := run(t, nil, "request", "--count", "3", srv.URL); got.stdout != want || got.code != 0 {
		t.Errorf("%+v, want\n%s", got, want)
	}
}

// TestRequestUnanswered ends with 1 when there was no answer, in both forms, and says why.
func TestRequestUnanswered(t *testing.T) {
	at := nobody(t)
	wantFailure(t, run(t, nil, "request", "http://"+at), exitFailed, "connection refused (1 of 1)")
	if got := run(t, nil, "request", "-o", "json", "http://"+at); got.code != exitFailed || !strings.Contains(got.stdout, `"requests":1`) {
		t.Errorf("%+v", got)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	wantFailure(t, run(t, nil, "request", "--timeout", "10ms", "http://"+silent.Addr().String()), exitFailed, "no answer", "VPC associated")
}

// TestRequestSigns signs with what is in the environment, in the shared credentials file, and at a container
// endpoint, in this order.
func TestRequestSigns(t *testing.T) {
	srv := httptest.NewServer(echo("target"))
	defer srv.Close()
	container := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "lent" {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		w.Write([]byte(`{"AccessKeyId":"ASIACONTAINER","SecretAccessKey":"x","Token":"session"}`))
	}))
	defer container.Close()
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n[payments]\naws_access_key_id = AKIAPAYMENTS\naws_secret_access_key = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	endpoint := []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + container.URL, "AWS_CONTAINER_AUTHORIZATION_TOKEN=lent"}
	shared := slices.Clip(append(slices.Clip(endpoint), "AWS_SHARED_CREDENTIALS_FILE="+file))
	for _, c := range []struct {
		name string
		env  []string
		key  string
	}{
		{"environment", append(shared, "AWS_ACCESS_KEY_ID=AKIAENV", "AWS_SECRET_ACCESS_KEY=x"), "AKIAENV"},
		{"file", shared, "AKIAFILE"},
		{"profile", append(shared, "AWS_PROFILE=payments"), "AKIAPAYMENTS"},
		{"container", endpoint, "ASIACONTAINER"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, c.env, "request", "--sign", "--region", "eu-central-1", srv.URL)
			if got.code != 0 || !strings.Contains(got.stdout, "Credential="+c.key+"/") || !strings.Contains(got.stdout, "/eu-central-1/vpc-lattice-svcs/aws4_request") {
				t.Errorf("%+v", got)
			}
			if session := strings.Contains(got.stdout, "X-Amz-Security-Token: session"); session != (c.name == "container") {
				t.Errorf("session token sent: %t", session)
			}
		})
	}
	wantFailure(t, run(t, append(slices.Clip(endpoint), "AWS_SHARED_CREDENTIALS_FILE="+file, "AWS_PROFILE=nosuch"), "request", "--sign", srv.URL), exitFailed, "no access key for the profile nosuch")
	wantFailure(t, run(t, []string{endpoint[0]}, "request", "--sign", srv.URL), exitFailed, "401 Unauthorized")
}

// TestEcho asks the lab's target: /healthz is short, and a taken address is said.
func TestEcho(t *testing.T) {
	srv := httptest.NewServer(echo("orders-v2"))
	defer srv.Close()
	if got := run(t, nil, "request", srv.URL+"/healthz"); !strings.HasSuffix(got.stdout, "\n\norders-v2\n") {
		t.Errorf("%+v", got)
	}
	wantFailure(t, run(t, nil, "echo", "--listen", srv.Listener.Addr().String()), exitFailed, "address already in use", "--listen")
}
