package trellistest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/lab"
	"github.com/trellis-project/trellis/vpc"
)

// asking runs in an instance a script of testdata that asks a service all the time. more waits until it has been
// answered some more times, if the script can tell; end ends it and reads what it prints then.
func asking(t *testing.T, instance, script string, args ...string) (more func(), end func(result any)) {
	t.Helper()
	return beginning(t, instance, exec.Command(filepath.Join(venv(t, "boto3"), "bin", "python3"), append([]string{"-c", mustRead(t, "testdata/"+script)}, args...)...))
}

// beginning is asking with any command.
func beginning(t *testing.T, instance string, cmd *exec.Cmd) (more func(), end func(result any)) {
	t.Helper()
	cmd.Env, cmd.Stderr = lab.Environment(os.Environ()), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := vpc.Start(instance, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	line := func() string {
		t.Helper()
		text, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	line() // it has begun
	more = func() {
		t.Helper()
		fmt.Fprintln(in)
		line()
	}
	return more, func(result any) {
		t.Helper()
		in.Close()
		if err := json.Unmarshal([]byte(line()), result); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
	}
}

// traffic asks a service all the time from an instance. The function that it returns ends that, and tells how
// often each status and first line of a body came.
func traffic(t *testing.T, instance, url string) func() map[string]int {
	t.Helper()
	_, end := asking(t, instance, "load.py", url, "6")
	return func() map[string]int {
		t.Helper()
		seen := map[string]int{}
		end(&seen)
		return seen
	}
}

// TestTraffic changes rules, weights, listeners and targets under traffic: every request is answered by a
// target.
func TestTraffic(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeService(t, tr)
	tr.Run(t, s.targets.instances[0], Program(t), "echo", "--listen", ":8081", "--name", "orders-v2")
	tr.Call(t, "", "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": s.targets.group, "IpPermissions": []any{
		map[string]any{"IpProtocol": "tcp", "FromPort": 8081, "ToPort": 8081, "IpRanges": []any{map[string]any{"CidrIp": "169.254.171.0/24"}}}}})
	other := map[string]any{"id": "10.0.12.31", "port": 8081}
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": s.group, "targets": []any{other}})
	tr.Await(t, "", "vpc-lattice", "ListTargets", map[string]any{"targetGroupIdentifier": s.group}, "length(items[?status=='HEALTHY'])", "2")
	forward := func(weight int) map[string]any {
		return map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": s.group, "weight": weight}}}}
	}
	place := func(in map[string]any) map[string]any {
		in["serviceIdentifier"] = s.id
		if in["listenerIdentifier"] == nil && in["protocol"] == nil {
			in["listenerIdentifier"] = s.listener
		}
		return in
	}
	match := map[string]any{"httpMatch": map[string]any{"method": "POST"}}
	end := traffic(t, s.clients.instances[0], "http://"+s.dns+"/")
	for i := range 20 {
		rule := tr.Call(t, "", "vpc-lattice", "CreateRule", place(map[string]any{"name": fmt.Sprintf("change-%d", i), "priority": i + 1, "match": match, "action": forward(1)}))["id"]
		tr.Call(t, "", "vpc-lattice", "UpdateRule", place(map[string]any{"ruleIdentifier": rule, "action": forward(i + 2), "priority": i + 100}))
		tr.Call(t, "", "vpc-lattice", "UpdateListener", place(map[string]any{"defaultAction": forward(i + 1)}))
		listener := tr.Call(t, "", "vpc-lattice", "CreateListener", place(map[string]any{"name": fmt.Sprintf("change-%d", i), "protocol": "HTTP", "port": 8100 + i,
			"defaultAction": forward(1)}))["id"]
		tr.Call(t, "", "vpc-lattice", "DeregisterTargets", map[string]any{"targetGroupIdentifier": s.group, "targets": []any{other}})
		tr.Call(t, "", "vpc-lattice", "DeleteRule", place(map[string]any{"ruleIdentifier": rule}))
		tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": s.group, "targets": []any{other}})
		tr.Call(t, "", "vpc-lattice", "DeleteListener", place(map[string]any{"listenerIdentifier": listener}))
	}
	seen := end()
	for answer, n := range seen {
		if !strings.HasPrefix(answer, "200 orders") {
			t.Errorf("under change, %d requests gave %s", n, answer)
		}
	}
	if seen["200 orders"] == 0 {
		t.Errorf("no traffic: %v", seen)
	}
}
