//go:build thorough

package trellistest

import (
	"encoding/json"
	"testing"
)

// TestBounds changes by boto3 what bounds a caller and a service, and asks after each change: policies of a group, a
// permissions boundary, a service control policy of a unit and a resource control policy of an account each turn the
// answer 200 into 403 with AWS's sentence, and back.
func TestBounds(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	makeAccount(t, tr, account444)
	root := tr.Call(t, "", "organizations", "ListRoots", nil)["Roots"].([]any)[0].(map[string]any)["Id"].(string)
	unit := tr.Call(t, "", "organizations", "CreateOrganizationalUnit", map[string]any{"ParentId": root, "Name": "apps"})["OrganizationalUnit"].(map[string]any)["Id"].(string)
	tr.Call(t, "", "organizations", "MoveAccount", map[string]any{"AccountId": account444, "SourceParentId": root, "DestinationParentId": unit})
	p := makePlace(t, tr, account444, "10.0.0.0/16", "10.0.0.0/24", 80, "10.0.0.0/16", "", "10.0.0.10", "10.0.0.11")
	tr.Call(t, account444, "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": p.group, "IpPermissions": []any{map[string]any{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
		"PrefixListIds": []any{map[string]any{"PrefixListId": prefixList(t, tr, account444)}}}}})
	tr.Run(t, p.instances[1], Program(t), "echo", "--listen", ":80", "--name", "echo")
	group := tr.Call(t, account444, "vpc-lattice", "CreateTargetGroup", map[string]any{"name": "echo", "type": "INSTANCE", "config": map[string]any{
		"port": 80, "protocol": "HTTP", "vpcIdentifier": p.vpc, "healthCheck": map[string]any{"healthCheckIntervalSeconds": 5}}})["id"].(string)
	tr.Call(t, account444, "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": group, "targets": []any{map[string]any{"id": p.instances[1]}}})
	network := tr.Call(t, account444, "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "orders"})["id"].(string)
	made := tr.Call(t, account444, "vpc-lattice", "CreateService", map[string]any{"name": "orders", "authType": "AWS_IAM"})
	service, dns := made["id"].(string), made["dnsEntry"].(map[string]any)["domainName"].(string)
	tr.Call(t, account444, "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": service, "name": "http", "protocol": "HTTP",
		"defaultAction": forwardTo(group)})
	tr.Call(t, account444, "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": service,
		"policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`})
	joined := tr.Call(t, account444, "vpc-lattice", "CreateServiceNetworkServiceAssociation", map[string]any{"serviceNetworkIdentifier": network, "serviceIdentifier": service})["id"]
	tr.Await(t, account444, "vpc-lattice", "GetServiceNetworkServiceAssociation", map[string]any{"serviceNetworkServiceAssociationIdentifier": joined}, "status", "ACTIVE")
	joined = tr.Call(t, account444, "vpc-lattice", "CreateServiceNetworkVpcAssociation", map[string]any{"serviceNetworkIdentifier": network, "vpcIdentifier": p.vpc, "securityGroupIds": []any{p.group}})["id"]
	tr.Await(t, account444, "vpc-lattice", "GetServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": joined}, "status", "ACTIVE")
	tr.Await(t, account444, "vpc-lattice", "ListTargets", map[string]any{"targetGroupIdentifier": group}, "items[0].status", "HEALTHY")

	admin, err := tr.Accounts.Credentials(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	out := tr.PythonInside(t, p.instances[0], mustRead(t, "testdata/bounds.py"), "http://"+dns+"/v1/orders", account444, root, unit, admin.AccessKeyID, admin.SecretAccessKey.Reveal())
	var got [][3]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	denied := func(why string) string {
		return "AccessDeniedException: User: arn:aws:iam::" + account444 + ":user/alice is not authorized to perform: vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:" +
			tr.Region + ":" + account444 + ":service/" + service + "/v1/orders " + why
	}
	const silent = " allows the vpc-lattice-svcs:Invoke action"
	want := [][3]any{
		{"no policy", 403., denied("because no identity-based policy" + silent)},
		{"a group that may", 200., ""},
		{"a group that may not", 403., denied("with an explicit deny in an identity-based policy")},
		{"the group may again", 200., ""},
		{"a boundary that is silent", 403., denied("because no permissions boundary" + silent)},
		{"a version of the boundary that allows", 200., ""},
		{"the version before", 403., denied("because no permissions boundary" + silent)},
		{"no boundary", 200., ""},
		{"SERVICE_CONTROL_POLICY enabled", 200., ""},
		{"SERVICE_CONTROL_POLICY attached", 403., denied("with an explicit deny in a service control policy")},
		{"SERVICE_CONTROL_POLICY detached", 200., ""},
		{"RESOURCE_CONTROL_POLICY enabled", 200., ""},
		{"RESOURCE_CONTROL_POLICY attached", 403., denied("with an explicit deny in a resource control policy")},
		{"RESOURCE_CONTROL_POLICY detached", 200., ""},
	}
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d:\n%s", len(got), len(want), out)
	}
	for n := range want {
		if got[n] != want[n] {
			t.Errorf("%v, want %v", got[n], want[n])
		}
	}
}
