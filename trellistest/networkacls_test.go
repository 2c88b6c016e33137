//go:build thorough

package trellistest

import (
	"strings"
	"testing"
)

// TestNetworkACLs has the network ACLs of a client's subnet decide what it says to a service, by the API: entries of the default one,
// another one, and none that holds the resolver. What an answer of the API says holds at once.
func TestNetworkACLs(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	vpc := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16"})["Vpc"].(map[string]any)["VpcId"].(string)
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": vpc, "CidrBlock": "10.0.0.0/24"})["Subnet"].(map[string]any)["SubnetId"]
	group := tr.Call(t, "", "ec2", "CreateSecurityGroup", map[string]any{"VpcId": vpc, "GroupName": "all", "Description": "all"})["GroupId"].(string)
	tr.Call(t, "", "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": group, "IpPermissions": []any{map[string]any{"IpProtocol": "-1", "IpRanges": []any{map[string]any{"CidrIp": "0.0.0.0/0"}}}}})
	client := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet})["Instances"].([]any)[0].(map[string]any)["InstanceId"].(string)
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{client}}, "Reservations[0].Instances[0].State.Name", "running")
	_, _, name := associate(t, tr, "shop", vpc, group, "", 404)
	ask := func(what, want string) {
		t.Helper()
		wait := "1"
		if want != "000" {
			wait = "20"
		}
		if got := tr.Inside(t, client, "sh", "-c", `curl -s -o /dev/null --max-time "$1" -w '%{http_code}' "$2" || true`, "sh", wait, "http://"+name); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
		if got := tr.Inside(t, client, "dig", "+short", name); strings.TrimSpace(got) == "" {
			t.Errorf("%s: the resolver does not answer", what)
		}
	}
	ask("a new VPC", "404")
	rest := tr.Call(t, "", "ec2", "DescribeNetworkAcls", map[string]any{"Filters": []any{map[string]any{"Name": "default", "Values": []any{"true"}}}})["NetworkAcls"].([]any)[0].(map[string]any)
	entry := func(acl any, number int, egress bool, action, block string, from, to int) map[string]any {
		return map[string]any{"NetworkAclId": acl, "RuleNumber": number, "Egress": egress, "RuleAction": action, "Protocol": "6", "CidrBlock": block, "PortRange": map[string]any{"From": from, "To": to}}
	}
	const lattice = "169.254.171.0/24"
	tr.Call(t, "", "ec2", "CreateNetworkAclEntry", entry(rest["NetworkAclId"], 50, true, "deny", lattice, 80, 80))
	ask("denied", "000")
	tr.Call(t, "", "ec2", "ReplaceNetworkAclEntry", entry(rest["NetworkAclId"], 50, true, "deny", lattice, 443, 443))
	ask("another port is denied", "404")
	made := tr.Call(t, "", "ec2", "CreateNetworkAcl", map[string]any{"VpcId": vpc})["NetworkAcl"].(map[string]any)["NetworkAclId"]
	association := tr.Call(t, "", "ec2", "ReplaceNetworkAclAssociation", map[string]any{"NetworkAclId": made,
		"AssociationId": rest["Associations"].([]any)[0].(map[string]any)["NetworkAclAssociationId"]})["NewAssociationId"]
	ask("a network ACL without entries", "000")
	tr.Call(t, "", "ec2", "CreateNetworkAclEntry", entry(made, 1, true, "allow", lattice, 80, 80))
	ask("answers are not let in", "000")
	tr.Call(t, "", "ec2", "CreateNetworkAclEntry", entry(made, 1, false, "allow", lattice, 1024, 65535))
	ask("answers are let in", "404")
	tr.Call(t, "", "ec2", "DeleteNetworkAclEntry", map[string]any{"NetworkAclId": made, "RuleNumber": 1, "Egress": true})
	ask("without the entry", "000")
	tr.Call(t, "", "ec2", "ReplaceNetworkAclAssociation", map[string]any{"NetworkAclId": rest["NetworkAclId"], "AssociationId": association})
	ask("the default one again", "404")
}
