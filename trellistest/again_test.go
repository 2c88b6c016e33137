package trellistest

import "testing"

// TestAgain deletes what a client reaches its service by and makes it anew at once: when the answer of the API
// has come, the next connection is served.
func TestAgain(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeService(t, tr)
	for range 6 {
		tr.Call(t, "", "vpc-lattice", "DeleteListener", map[string]any{"serviceIdentifier": s.id, "listenerIdentifier": s.listener})
		s.listener = tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": s.id, "name": "http", "protocol": "HTTP",
			"defaultAction": forwardTo(s.group)})["id"].(string)
		s.expect(t, tr, "200", "orders")
	}
	tr.Call(t, "", "vpc-lattice", "DeleteServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": s.vpcAssociation})
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkVpcAssociations", map[string]any{"vpcIdentifier": s.clients.vpc}, "length(items)", "0")
	s.vpcAssociation = tr.Call(t, "", "vpc-lattice", "CreateServiceNetworkVpcAssociation", map[string]any{"serviceNetworkIdentifier": s.network,
		"vpcIdentifier": s.clients.vpc, "securityGroupIds": []any{s.clients.group}})["id"].(string)
	tr.Await(t, "", "vpc-lattice", "GetServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": s.vpcAssociation}, "status", "ACTIVE")
	s.expect(t, tr, "200", "orders")
}
