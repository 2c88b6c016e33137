package trellistest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/trellis-project/trellis/vpc"
)

// TestDismantle deletes everything in the wrong and in the right order: what is in use stays, and at the end
// nothing is left, neither in the API nor in the kernel.
func TestDismantle(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeService(t, tr)
	try := func(service, operation, want string, in map[string]any) {
		t.Helper()
		if _, err := tr.Try(t, "", service, operation, in); code(err) != want {
			t.Errorf("%s: %v, want %q", operation, err, want)
		}
	}
	name := func(k string, v any) map[string]any { return map[string]any{k: v} }
	instances := []any{s.targets.instances[0], s.clients.instances[0]}
	associations := tr.Call(t, "", "vpc-lattice", "ListServiceNetworkServiceAssociations", name("serviceIdentifier", s.id))["items"].([]any)
	association := name("serviceNetworkServiceAssociationIdentifier", associations[0].(map[string]any)["id"])

	try("ec2", "DeleteVpc", "DependencyViolation", name("VpcId", s.clients.vpc))
	try("ec2", "DeleteSubnet", "DependencyViolation", name("SubnetId", s.clients.subnet))
	try("ec2", "DeleteSecurityGroup", "DependencyViolation", name("GroupId", s.clients.group))
	try("vpc-lattice", "DeleteServiceNetwork", "ConflictException", name("serviceNetworkIdentifier", s.network))
	try("vpc-lattice", "DeleteService", "ConflictException", name("serviceIdentifier", s.id))
	try("vpc-lattice", "DeleteTargetGroup", "ConflictException", name("targetGroupIdentifier", s.group))
	s.expect(t, tr, "200", "orders")

	try("ec2", "TerminateInstances", "", name("InstanceIds", instances))
	for _, id := range instances {
		tr.Await(t, "", "ec2", "DescribeInstances", name("InstanceIds", []any{id}), "Reservations[0].Instances[0].State.Name", "terminated")
	}
	try("ec2", "DeleteSecurityGroup", "DependencyViolation", name("GroupId", s.clients.group)) // the association has it
	try("vpc-lattice", "DeleteServiceNetworkServiceAssociation", "", association)
	try("vpc-lattice", "DeleteServiceNetworkVpcAssociation", "", name("serviceNetworkVpcAssociationIdentifier", s.vpcAssociation))
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkServiceAssociations", name("serviceIdentifier", s.id), "length(items)", "0")
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkVpcAssociations", name("vpcIdentifier", s.clients.vpc), "length(items)", "0")
	try("vpc-lattice", "DeleteService", "", name("serviceIdentifier", s.id))
	tr.Await(t, "", "vpc-lattice", "ListServices", nil, "length(items)", "0")
	try("vpc-lattice", "DeleteServiceNetwork", "", name("serviceNetworkIdentifier", s.network))
	try("vpc-lattice", "DeleteTargetGroup", "", name("targetGroupIdentifier", s.group))
	tr.Await(t, "", "vpc-lattice", "ListTargetGroups", nil, "length(items)", "0")
	for _, p := range []place{s.targets, s.clients} {
		try("ec2", "DeleteSecurityGroup", "", name("GroupId", p.group))
		try("ec2", "DeleteSubnet", "", name("SubnetId", p.subnet))
		try("ec2", "DeleteVpc", "", name("VpcId", p.vpc))
	}
	for _, id := range []string{s.targets.vpc, s.clients.vpc, s.targets.instances[0], s.clients.instances[0]} {
		if _, err := os.Stat(filepath.Join("/run/netns", vpc.NamespaceName(id))); !os.IsNotExist(err) {
			t.Errorf("the namespace of %s is still there: %v", id, err)
		}
	}
}
