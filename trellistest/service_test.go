package trellistest

import (
	"strings"
	"testing"
)

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
		"defaultAction": forwardTo(s.group)})["id"].(string)
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

// forwardTo is the action that forwards to a target group.
func forwardTo(group string) map[string]any {
	return map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": group}}}}
}
