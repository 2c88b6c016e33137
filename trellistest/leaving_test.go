package trellistest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/lab"
	"github.com/trellis-project/trellis/vpc"
)

// TestLeaving takes the client's VPC out of the service network while a request is in flight: it is answered,
// its connection is closed, and no new one is let in.
func TestLeaving(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeService(t, tr)
	tr.Run(t, s.targets.instances[0], filepath.Join(venv(t, "boto3"), "bin", "python3"), "-c", strings.Replace(mustRead(t, "testdata/target.py"), `"", 8080`, `"", 8081`, 1))
	tr.Call(t, "", "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": s.targets.group, "IpPermissions": []any{
		map[string]any{"IpProtocol": "tcp", "FromPort": 8081, "ToPort": 8081, "IpRanges": []any{map[string]any{"CidrIp": "169.254.171.0/24"}}}}})
	register := func(operation string, port int) {
		tr.Call(t, "", "vpc-lattice", operation, map[string]any{"targetGroupIdentifier": s.group, "targets": []any{map[string]any{"id": "10.0.12.31", "port": port}}})
	}
	register("RegisterTargets", 8081)
	register("DeregisterTargets", 8080)
	tr.Await(t, "", "vpc-lattice", "ListTargets", map[string]any{"targetGroupIdentifier": s.group}, "length(items[?status=='HEALTHY' && port==`8081`])", "1")

	cmd := exec.Command("bash", "-c", `exec 3<>/dev/tcp/$0/80; cat <&3 & cat >&3; wait`, s.dns)
	cmd.Env = lab.Environment(os.Environ())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := vpc.Start(s.clients.instances[0], cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	io.WriteString(in, "POST /hash HTTP/1.1\r\nHost: "+s.dns+"\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q, %v, want 100: the request is with the target", line, err)
	}
	tr.Call(t, "", "vpc-lattice", "DeleteServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": s.vpcAssociation})
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkVpcAssociations", map[string]any{"vpcIdentifier": s.clients.vpc}, "length(items)", "0")
	io.WriteString(in, "hello")
	in.Close()
	answer, err := io.ReadAll(lines) // ends with the connection
	if err != nil || !strings.Contains(string(answer), "HTTP/1.1 200 ") || !strings.HasSuffix(string(answer), "5 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824") {
		t.Errorf("the request in flight was answered %q, %v", answer, err)
	}
	if got := tr.Inside(t, s.clients.instances[0], "bash", "-c", `curl -s --max-time 1 --resolve $0:80:169.254.171.32 http://$0/ || echo "exit $?"`, s.dns); got != "exit 28\n" {
		t.Errorf("a new connection: %q, want a timeout", got)
	}
}
