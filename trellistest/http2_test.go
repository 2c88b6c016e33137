//go:build thorough

package trellistest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHTTP2Clients calls a service from a VPC by all the versions of HTTP that curl knows, and loads it with h2load: to
// targets of HTTP/1.1, and below /two to the same ones by HTTP/2.
func TestHTTP2Clients(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	targets := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 8080, prefixList(t, tr, ""), "", "10.0.0.10")
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 80, "10.0.0.0/16", "", "10.0.0.10")
	allow(t, tr, clients.group, "10.0.0.0/16", 443)
	tr.Run(t, targets.instances[0], self(t, "web", ":8080")...)
	_, service, dns := associate(t, tr, "web", clients.vpc, clients.group, "", 404)
	groups := map[string]string{}
	for _, version := range []string{"HTTP1", "HTTP2"} {
		groups[version] = tr.Call(t, "", "vpc-lattice", "CreateTargetGroup", map[string]any{"name": strings.ToLower(version), "type": "IP", "config": map[string]any{
			"port": 8080, "protocol": "HTTP", "protocolVersion": version, "vpcIdentifier": targets.vpc, "healthCheck": map[string]any{"healthCheckIntervalSeconds": 5}}})["id"].(string)
		tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": groups[version], "targets": []any{map[string]any{"id": "10.0.0.10"}}})
	}
	http := tr.Call(t, "", "vpc-lattice", "ListListeners", map[string]any{"serviceIdentifier": service})["items"].([]any)[0].(map[string]any)["id"].(string)
	tr.Call(t, "", "vpc-lattice", "UpdateListener", map[string]any{"serviceIdentifier": service, "listenerIdentifier": http, "defaultAction": forwardTo(groups["HTTP1"])})
	https := tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": service, "name": "https", "protocol": "HTTPS", "defaultAction": forwardTo(groups["HTTP1"])})["id"].(string)
	for _, listener := range []string{http, https} {
		tr.Call(t, "", "vpc-lattice", "CreateRule", map[string]any{"serviceIdentifier": service, "listenerIdentifier": listener, "name": "two", "priority": 1,
			"match": map[string]any{"httpMatch": map[string]any{"pathMatch": map[string]any{"match": map[string]any{"prefix": "/two"}}}}, "action": forwardTo(groups["HTTP2"])})
	}
	tr.Await(t, "", "vpc-lattice", "ListTargets", map[string]any{"targetGroupIdentifier": groups["HTTP1"]}, "items[0].status", "HEALTHY")
	dir := t.TempDir()
	root, body := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "body")
	if err := os.WriteFile(root, []byte(tr.Shell(t, "", `curl -sf "$AWS_ENDPOINT_URL/ca.pem"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 50 << 20
	if err := os.WriteFile(body, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	empty, whole := fmt.Sprintf(" 0 %x", sha256.Sum256(nil))[:11], fmt.Sprintf(" %d %x", size, sha256.Sum256(make([]byte, size)))[:18]
	for _, c := range []struct{ name, command, want string }{
		{"1.0", `ask --http1.0 $PLAIN/`, "HTTP/1.1" + empty + " 1.1 200"},
		{"1.1", `ask --http1.1 $PLAIN/`, "HTTP/1.1" + empty + " 1.1 200"},
		{"1.1 with TLS", `ask --http1.1 $URL/`, "HTTP/1.1" + empty + " 1.1 200"},
		{"2 by upgrade", `ask --http2 $PLAIN/`, "HTTP/1.1" + empty + " 1.1 200"},
		{"2 by agreement", `ask --http2 $URL/`, "HTTP/1.1" + empty + " 2 200"},
		{"2 by knowing", `ask --http2-prior-knowledge $PLAIN/`, "HTTP/1.1" + empty + " 2 200"},
		{"2 both ways", `ask --http2 $URL/two`, "HTTP/2.0" + empty + " 2 200"},
		{"2 by knowing, both ways", `ask --http2-prior-knowledge $PLAIN/two`, "HTTP/2.0" + empty + " 2 200"},
		{"1.1 to a target of 2", `ask --http1.1 $URL/two`, "Bad Gateway 1.1 502"},
		{"up by length", `ask -T $FILE $URL/sum`, "HTTP/1.1" + whole + " 2 200"},
		{"up by length, both ways", `ask -T $FILE $URL/two/sum`, "HTTP/2.0" + whole + " 2 200"},
		{"up, length unknown", `ask -T - $URL/sum <$FILE`, "HTTP/1.1" + whole + " 2 200"},
		{"up, length unknown, both ways", `ask -T - $URL/two/sum <$FILE`, "HTTP/2.0" + whole + " 2 200"},
		{"up after 100", `ask -H 'Expect: 100-continue' -T $FILE $URL/two/sum`, "HTTP/2.0" + whole + " 2 200"},
		{"down", `curl -sS --cacert $ROOT $URL/zeros/50 | wc -c`, fmt.Sprint(size)},
		{"down both ways", `curl -sS --cacert $ROOT $URL/two/zeros/50 | wc -c`, fmt.Sprint(size)},
		{"only the head", `curl -sSI -o /dev/null --cacert $ROOT -w '%{http_code} %{size_download}' $URL/two/zeros/50`, "200 0"},
		{"cut", `ask $URL/cut >/dev/null; echo $?`, "92"},
		{"cut both ways", `ask $URL/two/cut >/dev/null; echo $?`, "92"},
		{"a client that leaves", `curl -s --cacert $ROOT $URL/two/zeros/1000 | head -c 1000 | wc -c`, "1000"},
		{"at once", `curl -sS --cacert $ROOT --parallel --parallel-max 100 -o /dev/null -o /dev/null -w '%{http_version} %{http_code}\n' "$URL/[1-150]" "$URL/two/[1-150]" | sort | uniq -c | xargs`, "300 2 200"},
		{"at once over one connection", `curl -sS --cacert $ROOT --parallel --parallel-max 100 -o /dev/null -w '%{num_connects}\n' "$URL/two/[1-300]" | awk '{ n += $1 } END { print n }'`, "1"},
		{"load", `load -n 10000 -c 10 -m 100 $URL/`, "10000 total, 10000 started, 10000 done, 10000 succeeded, 0 failed, 0 errored, 0 timeout"},
		{"load both ways", `load -n 10000 -c 10 -m 100 $URL/two`, "10000 total, 10000 started, 10000 done, 10000 succeeded, 0 failed, 0 errored, 0 timeout"},
		{"load with bodies", `head -c 20000 $FILE >$FILE.small; load -n 2000 -c 10 -m 20 -d $FILE.small $URL/two`, "2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout"},
		{"load without TLS", `load -n 2000 -c 10 -m 100 $PLAIN/two`, "2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout"},
	} {
		out := tr.Inside(t, clients.instances[0], "env", "FILE="+body, "URL=https://"+dns, "PLAIN=http://"+dns, "ROOT="+root, "bash", "-c",
			`ask() { curl -sS --cacert $ROOT --max-time 60 -w ' %{http_version} %{http_code}' "$@" 2>/dev/null; }; load() { h2load "$@" | sed -n 's/^requests: //p'; }; `+c.command)
		if got := strings.TrimSpace(out); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
