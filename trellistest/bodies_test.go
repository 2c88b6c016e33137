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

// TestBodies streams large bodies both ways through curl, and breaks off in the middle: what arrives is whole,
// or seen to be cut.
func TestBodies(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	targets := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 8080, prefixList(t, tr, ""), "", "10.0.0.10")
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 80, "10.0.0.0/16", "", "10.0.0.10")
	tr.Run(t, targets.instances[0], filepath.Join(venv(t, "boto3"), "bin", "python3"), "-c", mustRead(t, "testdata/target.py"))
	network, service, dns := associate(t, tr, "orders", clients.vpc, clients.group, "", 404)
	group := tr.Call(t, "", "vpc-lattice", "CreateTargetGroup", map[string]any{"name": "orders", "type": "IP", "config": map[string]any{
		"port": 8080, "protocol": "HTTP", "vpcIdentifier": targets.vpc, "healthCheck": map[string]any{"healthCheckIntervalSeconds": 5}}})["id"]
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": group, "targets": []any{map[string]any{"id": "10.0.0.10"}}})
	listener := tr.Call(t, "", "vpc-lattice", "ListListeners", map[string]any{"serviceIdentifier": service})["items"].([]any)[0].(map[string]any)["id"]
	tr.Call(t, "", "vpc-lattice", "UpdateListener", map[string]any{"serviceIdentifier": service, "listenerIdentifier": listener,
		"defaultAction": map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": group}}}}})
	tr.Await(t, "", "vpc-lattice", "ListTargets", map[string]any{"targetGroupIdentifier": group}, "items[0].status", "HEALTHY")
	tr.Call(t, "", "logs", "CreateLogGroup", map[string]any{"logGroupName": "/bodies"})
	tr.Call(t, "", "vpc-lattice", "CreateAccessLogSubscription", map[string]any{"resourceIdentifier": network,
		"destinationArn": "arn:aws:logs:" + tr.Region + ":111122223333:log-group:/bodies"})

	const size = 100 << 20
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(make([]byte, size)))
	for _, c := range []struct{ name, command, want string }{
		{"up by length", `curl -sS -T $FILE $URL/hash`, fmt.Sprint(size, " ", sum)},
		{"up in chunks", `curl -sS -H 'Transfer-Encoding: chunked' -T - $URL/hash <$FILE`, fmt.Sprint(size, " ", sum)},
		{"up after 100", `curl -sS -H 'Expect: 100-continue' -D - -o /dev/null -T $FILE $URL/hash | grep -c '^HTTP/1.1 [12]00'`, "2"},
		{"down", `curl -sS $URL/zeros/100 | sha256sum`, sum + "  -"},
		{"only the head", `curl -sSI -w '%{size_download}' $URL/zeros/100 | grep -i -e ^content-length -e ^0`, "Content-Length: 104857600\r\n0"},
		{"cut by length", `curl -s $URL/cut; echo " $?"`, "hello 56"},
		{"cut in chunks", `curl -s $URL/cut/chunks; echo " $?"`, "hello 56"},
		{"a client that leaves", `curl -s $URL/zeros/1000 | head -c 1000 | wc -c`, "1000"},
		{"pipelined", `exec 3<>/dev/tcp/$HOST/80; printf 'GET /1 HTTP/1.1\r\nHost: %s\r\n\r\nPOST /hash HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\n\r\nokGET /2 HTTP/1.0\r\nHost: %s\r\n\r\n' $HOST $HOST $HOST >&3; grep -o 'HTTP/1.1 200' <&3 | wc -l`, "3"},
	} {
		out := tr.Inside(t, clients.instances[0], "env", "FILE="+file, "URL=http://"+dns, "HOST="+dns, "bash", "-c", c.command)
		if got := strings.TrimSpace(out); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	for _, count := range []struct{ pattern, want string }{
		{`{ $.requestMethod = "PUT" && $.responseCode = 200 && $.bytesReceived > 104857600 }`, "3"},
		{`{ $.requestMethod = "GET" && $.bytesSent > 104857600 && $.failureReason = "-" }`, "1"},
		{`{ $.requestPath = "/cut*" && $.failureReason = "TargetConnectionClosed" && $.responseCode = 200 }`, "2"},
		{`{ $.requestPath = "/zeros/1000" && $.failureReason = "ClientConnectionClosed" }`, "1"},
	} {
		tr.Await(t, "", "logs", "FilterLogEvents", map[string]any{"logGroupName": "/bodies", "filterPattern": count.pattern}, "length(events)", count.want)
	}
}
