//go:build thorough

package trellistest

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis/vpc"
)

// TestTCPUpgrade starts Trellis anew, in order and after a kill: connections that do nothing keep nobody waiting, those that come
// meanwhile are carried by the next process, and nothing has to be made anew.
func TestTCPUpgrade(t *testing.T) {
	t.Parallel()
	const drain = time.Minute
	m := newServiceManager(t)
	supervised := true
	p := StartProcess(t, func(cmd *exec.Cmd) {
		if cmd.Args = append(cmd.Args, "--drain-timeout", drain.String()); supervised {
			cmd.Args = append(cmd.Args, "--keep-vpcs")
			m.hand(cmd)
		}
	})
	tr := &p.Trellis
	data := makeData(t, tr, "", 7000, "10.0.12.31")
	tr.Run(t, data.instances[0], "python3", "testdata/tcp_echo.py", "7000")
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	network := tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "data", "sharingConfig": map[string]any{"enabled": false}})["id"].(string)
	configuration := configure(t, tr, "", map[string]any{"name": "echo", "resourceGatewayIdentifier": data.gateway, "portRanges": []any{"7000"},
		"resourceConfigurationDefinition": map[string]any{"ipResource": map[string]any{"ipAddress": "10.0.12.31"}}})
	_, name := offer(t, tr, "", network, configuration, false)
	before := m.settled(t)
	reach(t, tr, "", network, clients, nil)
	if now := m.settled(t); now != before+2 { // IPv4 and IPv6
		t.Errorf("the service manager keeps %d sockets when a VPC reaches a resource, want %d", now, before+2)
	}
	once := func() string {
		return strings.TrimSpace(tr.Inside(t, clients.instances[0], "python3", "testdata/tcp_client.py", name, "7000", "once"))
	}
	if got := once(); got != "ok" {
		t.Fatal(got)
	}
	address := strings.Fields(tr.Inside(t, clients.instances[0], "dig", "+short", name))[0]
	stays := talker(t, clients.instances[0], name, 7000)
	if took := p.Terminate(t); took > drain/2 {
		t.Errorf("a connection that does nothing kept the process for %v", took)
	}
	if got := stays("still there"); got != "ended" {
		t.Errorf("the connection after its process: %q, want its end", got)
	}
	between := exec.Command("python3", "testdata/tcp_client.py", address, "7000", "once")
	var out bytes.Buffer
	between.Stdout, between.Stderr = &out, &out
	if err := vpc.Start(clients.instances[0], between); err != nil {
		t.Fatal(err)
	}
	p.Restart(t)
	if err := between.Wait(); err != nil || out.String() != "ok\n" {
		t.Errorf("a connection while no process ran: %v, %s", err, out.String())
	}
	p.Kill()
	p.Restart(t)
	if got := once(); got != "ok" {
		t.Errorf("after a kill: %s", got)
	}
	p.Terminate(t)
	m.drop()
	supervised = false
	p.Restart(t) // and removes what was kept when it ends
}
