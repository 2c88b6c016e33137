package trellistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/daemon"
)

// TestKill kills Trellis while many clients create, starts it again, and finds everything that was
// acknowledged: nouns, networks in the kernel, and traffic.
func TestKill(t *testing.T) {
	t.Parallel()
	tr := StartProcess(t)
	makeRole(t, &tr.Trellis, "", "caller")
	s := makeService(t, &tr.Trellis)
	const writers = 4
	acknowledged := make([][]string, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			c, err := tr.Accounts.Client(t.Context(), "")
			if err != nil {
				t.Error(err)
				return
			}
			for i := 0; ; i++ {
				name := fmt.Sprintf("w%d-n%d", w, i)
				if _, err := c.Call(t.Context(), "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": name}); err != nil {
					return
				}
				acknowledged[w] = append(acknowledged[w], name)
				if w == 0 && i == 20 {
					tr.Kill()
					return
				}
			}
		})
	}
	wg.Wait()
	tr.Restart(t)
	seen := map[string]int{}
	for token := any(nil); ; {
		in := map[string]any{}
		if token != nil {
			in["nextToken"] = token
		}
		page := tr.Call(t, "", "vpc-lattice", "ListServiceNetworks", in)
		for _, item := range page["items"].([]any) {
			seen[item.(map[string]any)["name"].(string)]++
		}
		if token = page["nextToken"]; token == nil {
			break
		}
	}
	for _, names := range acknowledged {
		for _, name := range names {
			if seen[name] != 1 {
				t.Errorf("acknowledged service network %s is there %d times", name, seen[name])
			}
		}
	}
	tr.Run(t, s.targets.instances[0], Program(t), "echo", "--listen", ":8081", "--name", "again") // the instance is usable
	s.expect(t, &tr.Trellis, "200", "orders")
}

// service is a service with one target and a client of it, without authorization.
type service struct {
	targets, clients         place
	id, dns, listener, group string
	network, vpcAssociation  string
}

// makeService makes a service of the management account and waits until its client reaches it.
func makeService(t *testing.T, tr *Trellis) service {
	t.Helper()
	return makeServiceOf(t, tr, Program(t), "echo", "--listen", ":8080", "--name", "orders")
}

// makeServiceOf is makeService with a command that is the target: it listens at port 8080 and answers "orders".
func makeServiceOf(t *testing.T, tr *Trellis, target ...string) service {
	t.Helper()
	var s service
	s.targets = makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 8080, prefixList(t, tr, ""), "", "10.0.12.31")
	s.clients = makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 80, "10.0.0.0/16", "", "10.0.12.31")
	tr.Run(t, s.targets.instances[0], target...)
	s.network = tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "mesh"})["id"].(string)
	made := tr.Call(t, "", "vpc-lattice", "CreateService", map[string]any{"name": "orders"})
	s.id, s.dns = made["id"].(string), made["dnsEntry"].(map[string]any)["domainName"].(string)
	s.group = tr.Call(t, "", "vpc-lattice", "CreateTargetGroup", map[string]any{"name": "orders", "type": "IP", "config": map[string]any{
		"port": 8080, "protocol": "HTTP", "vpcIdentifier": s.targets.vpc, "healthCheck": map[string]any{"path": "/healthz", "healthCheckIntervalSeconds": 5}}})["id"].(string)
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": s.group, "targets": []any{map[string]any{"id": "10.0.12.31"}}})
	s.listener = tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": s.id, "name": "http", "protocol": "HTTP",
		"defaultAction": map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": s.group}}}}})["id"].(string)
	tr.Call(t, "", "vpc-lattice", "CreateServiceNetworkServiceAssociation", map[string]any{"serviceNetworkIdentifier": s.network, "serviceIdentifier": s.id})
	s.vpcAssociation = tr.Call(t, "", "vpc-lattice", "CreateServiceNetworkVpcAssociation", map[string]any{"serviceNetworkIdentifier": s.network, "vpcIdentifier": s.clients.vpc,
		"securityGroupIds": []any{s.clients.group}})["id"].(string)
	tr.Await(t, "", "vpc-lattice", "GetServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": s.vpcAssociation}, "status", "ACTIVE")
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkServiceAssociations", map[string]any{"serviceIdentifier": s.id}, "items[0].status", "ACTIVE")
	tr.Await(t, "", "vpc-lattice", "ListTargets", map[string]any{"targetGroupIdentifier": s.group}, "items[0].status", "HEALTHY")
	s.expect(t, tr, "200", "orders")
	return s
}

// expect asks the service from its client: status and the first line of the body.
func (s service) expect(t *testing.T, tr *Trellis, status, line string) {
	t.Helper()
	out := tr.Inside(t, s.clients.instances[0], "curl", "-s", "--max-time", "10", "-w", "\n%{http_code}", "http://"+s.dns+"/")
	lines := strings.Split(out, "\n")
	if lines[len(lines)-1] != status || lines[0] != line {
		t.Errorf("GET / gave %q, want status %s and %q", out, status, line)
	}
}

// TestFullDisk fills the disk that holds the data: writes fail with an error, nothing that was acknowledged
// is lost or wrong, and the data plane goes on with what it has.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=200m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	tr := Start(t, func(c *daemon.Config) { c.Data = filepath.Join(disk, "data") })
	s := makeService(t, tr)
	fill(t, filepath.Join(disk, "fill"))
	refused, name := false, ""
	for i := 0; i < 2000 && !refused; i++ {
		name = fmt.Sprintf("n%d-%s", i, strings.Repeat("x", 40))
		_, err := tr.Try(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": name})
		refused = err != nil
		if e, ok := err.(*trellis.Error); err != nil && (!ok || e.Status < 500) {
			t.Errorf("a full disk gives %v, want a 5xx of the API", err)
		}
	}
	if !refused {
		t.Fatal("2000 writes on a full disk were acknowledged")
	}
	s.expect(t, tr, "200", "orders")
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
}
