//go:build thorough

package trellistest

import (
	"fmt"
	"strings"
	"testing"
)

// TestTCPAcrossAccounts shares a group with another account, which reaches its children by an endpoint and their private names,
// and the owner ends that.
func TestTCPAcrossAccounts(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	makeAccount(t, tr, account444)
	tr.Call(t, "", "ram", "EnableSharingWithAwsOrganization", nil)
	data := makeData(t, tr, "", 7000, "10.0.12.31", "10.0.12.32")
	group := tr.Call(t, "", "vpc-lattice", "CreateResourceConfiguration", map[string]any{"name": "group", "type": "GROUP", "resourceGatewayIdentifier": data.gateway, "groupDomain": "group.internal"})
	for i, name := range []string{"first", "second"} {
		tr.Run(t, data.instances[i], "python3", "testdata/tcp_echo.py", "7000")
		configure(t, tr, "", map[string]any{"name": name, "type": "CHILD", "resourceConfigurationGroupIdentifier": group["id"], "portRanges": []any{"7000"},
			"customDomainName": name + ".group.internal", "resourceConfigurationDefinition": map[string]any{"ipResource": map[string]any{"ipAddress": fmt.Sprintf("10.0.12.%d", 31+i)}}})
	}
	tr.Call(t, "", "ram", "CreateResourceShare", map[string]any{"name": "group", "resourceArns": []any{group["arn"]}, "principals": []any{account444}})
	theirs := makePlace(t, tr, account444, "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	endpoint := tr.Call(t, account444, "ec2", "CreateVpcEndpoint", map[string]any{"VpcEndpointType": "Resource", "ResourceConfigurationArn": group["arn"], "VpcId": theirs.vpc,
		"SubnetIds": []any{theirs.subnet}, "SecurityGroupIds": []any{theirs.group}, "PrivateDnsEnabled": true,
		"DnsOptions": map[string]any{"PrivateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "PrivateDnsSpecifiedDomains": []any{"*.group.internal"}}})["VpcEndpoint"].(map[string]any)["VpcEndpointId"].(string)
	tr.Await(t, account444, "ec2", "DescribeVpcEndpoints", map[string]any{"VpcEndpointIds": []any{endpoint}}, "VpcEndpoints[0].State", "available")
	run := func(name, want string) {
		t.Helper()
		if got := strings.TrimSpace(tr.Inside(t, theirs.instances[0], "python3", "testdata/tcp_client.py", name, "7000", "once")); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	run("first.group.internal", "ok")
	run("second.group.internal", "ok")
	at := tr.Inside(t, theirs.instances[0], "dig", "+short", "first.group.internal", "second.group.internal")
	if distinct := strings.Fields(at); len(distinct) != 2 || distinct[0] == distinct[1] || !strings.HasPrefix(distinct[0], "10.0.12.") {
		t.Errorf("the children are at %q", distinct)
	}
	leads := tr.Call(t, account444, "ec2", "DescribeVpcEndpointAssociations", map[string]any{"VpcEndpointIds": []any{endpoint}})["VpcEndpointAssociations"].([]any)
	for _, l := range leads {
		run(l.(map[string]any)["DnsEntry"].(map[string]any)["DnsName"].(string), "ok")
	}
	association := tr.Call(t, "", "vpc-lattice", "ListResourceEndpointAssociations", map[string]any{"resourceConfigurationIdentifier": group["id"]})["items"].([]any)[0].(map[string]any)["id"]
	tr.Call(t, "", "vpc-lattice", "DeleteResourceEndpointAssociation", map[string]any{"resourceEndpointAssociationIdentifier": association})
	run(strings.Fields(at)[0], "timed out")
}
