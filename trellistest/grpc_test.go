//go:build thorough

package trellistest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// self is the command that runs this program in a role.
func self(t *testing.T, role string, args ...string) []string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{"env", roleVariable + "=" + role, program}, args...)
}

// testdata is the path of a file of testdata, for processes in other folders.
func testdata(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// grpcService is a service of HTTPS whose targets speak gRPC.
type grpcService struct {
	targets, clients               place
	id, network, listener, address string
	group, root                    string
}

// makeGRPC makes a service with one target of gRPC at port 8080. Targets may listen at the ports behind it.
func makeGRPC(t *testing.T, tr *Trellis) (s grpcService) {
	t.Helper()
	s.targets = makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 8080, prefixList(t, tr, ""), "", "10.0.12.31")
	s.clients = makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 443, "10.0.0.0/16", "", "10.0.12.31")
	for port := 8081; port < 8084; port++ {
		allow(t, tr, s.targets.group, "169.254.171.0/24", port)
	}
	allow(t, tr, s.targets.group, "10.0.0.0/16", 8081)
	var dns string
	s.network, s.id, dns = associate(t, tr, "calls", s.clients.vpc, s.clients.group, "", 404)
	s.address = dns + ":443"
	s.group = s.makeGroup(t, tr, "calls")
	s.listener = tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": s.id, "name": "https", "protocol": "HTTPS", "defaultAction": forwardTo(s.group)})["id"].(string)
	s.run(t, tr, ":8080", "first")
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": s.group, "targets": []any{map[string]any{"id": "10.0.12.31", "port": 8080}}})
	s.root = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(s.root, []byte(tr.Shell(t, "", `curl -sf "$AWS_ENDPOINT_URL/ca.pem"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// makeGroup makes a target group of gRPC.
func (s *grpcService) makeGroup(t *testing.T, tr *Trellis, name string) string {
	t.Helper()
	return tr.Call(t, "", "vpc-lattice", "CreateTargetGroup", map[string]any{"name": name, "type": "IP", "config": map[string]any{
		"port": 8080, "protocol": "HTTP", "protocolVersion": "GRPC", "vpcIdentifier": s.targets.vpc}})["id"].(string)
}

// run runs a target at a port and waits until it listens.
func (s *grpcService) run(t *testing.T, tr *Trellis, listen, name string) {
	t.Helper()
	s.start(t, tr, listen, self(t, "target", listen, name)...)
}

// start is run with any program.
func (s *grpcService) start(t *testing.T, tr *Trellis, listen string, command ...string) {
	t.Helper()
	tr.Run(t, s.targets.instances[0], command...)
	tr.Inside(t, s.targets.instances[0], "bash", "-c", "until exec 3<>/dev/tcp/10.0.12.31/${0#:}; do sleep 0.05; done 2>/dev/null", listen)
}

// prepareCalls makes what wantCalls needs: a target at port 8081 that a call ends, a group without targets, and a policy that
// denies.
func (s *grpcService) prepareCalls(t *testing.T, tr *Trellis) {
	t.Helper()
	mortal := s.makeGroup(t, tr, "mortal")
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": mortal, "targets": []any{map[string]any{"id": "10.0.12.31", "port": 8081}}})
	for i, to := range []struct{ name, path, group string }{{"mortal", "/calls.Calls/Exit", mortal}, {"nobody", "/calls.Calls/Nowhere", s.makeGroup(t, tr, "nobody")}} {
		tr.Call(t, "", "vpc-lattice", "CreateRule", map[string]any{"serviceIdentifier": s.id, "listenerIdentifier": s.listener, "name": to.name,
			"priority": i + 1, "match": map[string]any{"httpMatch": map[string]any{"pathMatch": map[string]any{"match": map[string]any{"exact": to.path}}}}, "action": forwardTo(to.group)})
	}
	tr.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": s.id, "authType": "AWS_IAM"})
	tr.Call(t, "", "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": s.id, "policy": `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*"},
		{"Effect":"Deny","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*/calls.Calls/Denied"}]}`})
}

// wantCalls is how the calls end that each client makes.
var wantCalls = map[string]string{
	"unary":    "hello, seen mine, end mine, data 00ff",
	"upload":   "1000 messages, 500000 bytes",
	"download": "5000 messages, 500000 bytes",
	"talk":     "100 answers",
	"deadline": "DEADLINE_EXCEEDED ended",
	"cancel":   "CANCELLED ended",
	"status":   "FAILED_PRECONDITION not now: 100 % of ü",
	"large":    "4000000 bytes",
	"many":     "500 answers",
	"denied":   "PERMISSION_DENIED not authorized",
	"nowhere":  "UNAVAILABLE",
	"exit":     "hello UNAVAILABLE UNAVAILABLE",
}

// makeCalls runs a client and holds what it says against wantCalls. who says what is special about it.
func (s *grpcService) makeCalls(t *testing.T, tr *Trellis, who string, client []string) {
	t.Helper()
	got := map[string]string{}
	out := tr.Inside(t, s.clients.instances[0], append(client, s.address, s.root)...)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%s: %v in %q", who, err, out)
	}
	for name, want := range wantCalls {
		if got[name] != want {
			t.Errorf("%s %s: %q, want %q", who, name, got[name], want)
		}
	}
	if len(got) != len(wantCalls) {
		t.Errorf("%s made the calls %v", who, got)
	}
}

// TestGRPC makes calls of gRPC with Go's, Python's and Node's clients: each sees the same.
func TestGRPC(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeGRPC(t, tr)
	s.prepareCalls(t, tr)
	tr.Call(t, "", "logs", "CreateLogGroup", map[string]any{"logGroupName": "/calls"})
	tr.Call(t, "", "vpc-lattice", "CreateAccessLogSubscription", map[string]any{"resourceIdentifier": s.network,
		"destinationArn": "arn:aws:logs:" + tr.Region + ":111122223333:log-group:/calls"})
	for _, client := range []struct {
		name    string
		command []string
	}{
		{"Go", self(t, "client")},
		{"Python", []string{filepath.Join(venv(t, "grpc"), "bin", "python3"), testdata(t, "grpc_client.py")}},
		{"Node", append(node(t), testdata(t, "grpc_client.js"))},
	} {
		s.run(t, tr, ":8081", "mortal")
		s.makeCalls(t, tr, client.name, client.command)
	}
	for _, count := range []struct{ pattern, want string }{
		{`{ $.protocol = "HTTP/2" && $.grpcResponseCode = 7 && $.responseCode = 403 && $.authDeniedReason = "Service" }`, "3"},
		{`{ $.protocol = "HTTP/2" && $.grpcResponseCode = 9 && $.responseCode = 200 && $.requestPath = "/calls.Calls/Fail" }`, "3"},
		{`{ $.requestPath = "/calls.Calls/Wait" && $.failureReason = "ClientConnectionClosed" }`, "3"},
		{`{ $.requestPath = "/calls.Calls/Talk" && $.grpcResponseCode = 0 && $.failureReason = "-" && $.requestMethod = "POST" }`, "3"},
		{`{ $.requestPath = "/calls.Calls/Exit" && $.failureReason = "TargetConnectionClosed" && $.responseCode = 200 && $.grpcResponseCode = 14 }`, "3"},
	} {
		tr.Await(t, "", "logs", "FilterLogEvents", map[string]any{"logGroupName": "/calls", "filterPattern": count.pattern}, "length(events)", count.want)
	}
}

// node is how to run a script with the packages of gRPC for Node.
func node(t *testing.T) []string {
	t.Helper()
	return []string{"env", "NODE_PATH=" + filepath.Join(tools(t, "grpc-node"), "node_modules"), "node"}
}

// TestGRPCDrains takes targets away under calls: by deregistering them, and by letting them go, which they say with GOAWAY.
// Every call is answered.
func TestGRPCDrains(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeGRPC(t, tr)
	program := self(t, "load", s.address, s.root)
	more, end := beginning(t, s.clients.instances[0], exec.Command(program[0], program[1:]...))
	target := func(port int) map[string]any {
		return map[string]any{"targetGroupIdentifier": s.group, "targets": []any{map[string]any{"id": "10.0.12.31", "port": port}}}
	}
	s.run(t, tr, ":8081", "second")
	more()
	for range 5 {
		tr.Call(t, "", "vpc-lattice", "RegisterTargets", target(8081))
		more()
		tr.Call(t, "", "vpc-lattice", "DeregisterTargets", target(8081))
		more()
	}
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", target(8081))
	more()
	tr.Inside(t, s.targets.instances[0], self(t, "stop", "10.0.12.31:8081")...)
	more()
	seen := map[string]int{}
	end(&seen)
	for answer, n := range seen {
		if answer != "first" && answer != "second" && answer != "20 answers" {
			t.Errorf("%d calls gave %q", n, answer)
		}
	}
	if seen["first"] == 0 || seen["second"] == 0 || seen["20 answers"] == 0 {
		t.Errorf("answers %v", seen)
	}
}
