//go:build thorough

package trellistest

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestBrowser opens a page of a service by its name in Chromium, inside a VPC and by the way of trust that users take: the
// root of this installation is in the browser's store. A WebSocket of that page goes by Upgrade when the browser speaks
// HTTP/1.1 alone, and as a stream beside the page when it speaks HTTP/2.
func TestBrowser(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	targets := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 8080, prefixList(t, tr, ""), "", "10.0.0.10")
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 443, "10.0.0.0/16", "", "10.0.0.10")
	tr.Run(t, targets.instances[0], self(t, "web", ":8080")...)
	network, service, dns := associate(t, tr, "web", clients.vpc, clients.group, "", 404)
	group := tr.Call(t, "", "vpc-lattice", "CreateTargetGroup", map[string]any{"name": "web", "type": "IP", "config": map[string]any{
		"port": 8080, "protocol": "HTTP", "vpcIdentifier": targets.vpc, "healthCheck": map[string]any{"healthCheckIntervalSeconds": 5}}})["id"].(string)
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": group, "targets": []any{map[string]any{"id": "10.0.0.10"}}})
	tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": service, "name": "https", "protocol": "HTTPS", "defaultAction": forwardTo(group)})
	tr.Await(t, "", "vpc-lattice", "ListTargets", map[string]any{"targetGroupIdentifier": group}, "items[0].status", "HEALTHY")
	tr.Call(t, "", "logs", "CreateLogGroup", map[string]any{"logGroupName": "/web"})
	tr.Call(t, "", "vpc-lattice", "CreateAccessLogSubscription", map[string]any{"resourceIdentifier": network,
		"destinationArn": "arn:aws:logs:" + tr.Region + ":111122223333:log-group:/web"})

	home := t.TempDir()
	tr.Inside(t, clients.instances[0], "sh", "-euc", `mkdir -p "$0/.pki/nssdb"
		certutil -d "sql:$0/.pki/nssdb" -N --empty-password
		certutil -d "sql:$0/.pki/nssdb" -A -t C,, -n trellis -i "$1"`, home, filepath.Join(tr.Dir, "ca.pem"))
	type seen struct {
		Status        int
		Issuer, Title string
		Said          []string
		Code          int
		Clean         bool
	}
	want := seen{200, "Trellis Root CA", "a page of a service", []string{"echo", "echo", "echo", "still here"}, 4000, true}
	for _, browser := range []struct {
		protocol string
		flags    []string
		status   string // of the WebSocket in the access log
	}{
		{"HTTP/1.1", []string{"--disable-http2"}, "101"},
		{"HTTP/2", nil, "200"},
	} {
		t.Run(browser.protocol, func(t *testing.T) {
			command := append([]string{"env", "HOME=" + home, "NODE_PATH=" + filepath.Join(tools(t, "playwright"), "node_modules"), "node", testdata(t, "browser.js"), "https://" + dns + "/page/"}, browser.flags...)
			var got seen
			out := tr.Inside(t, clients.instances[0], command...)
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v in %q", err, out)
			}
			if i := strings.LastIndexByte(got.Issuer, ' '); i > 0 { // its number
				got.Issuer = got.Issuer[:i]
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the browser saw %+v, want %+v", got, want)
			}
			for _, pattern := range []string{
				`{ $.requestPath = "/page/" && $.protocol = "` + browser.protocol + `" && $.responseCode = 200 }`,
				`{ $.requestPath = "/page/echo" && $.protocol = "` + browser.protocol + `" && $.responseCode = ` + browser.status + ` && $.requestMethod = "GET" && $.failureReason = "-" }`,
			} {
				tr.Await(t, "", "logs", "FilterLogEvents", map[string]any{"logGroupName": "/web", "filterPattern": pattern}, "length(events)", "1")
			}
		})
	}
}
