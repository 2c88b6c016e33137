//go:build thorough

package trellistest

import (
	"slices"
	"strings"
	"testing"
)

// TestNetworkInterfaces gives a running instance a second network interface and further addresses with boto3, and calls it at
// each of them from another instance; the instance's metadata tell of both interfaces.
func TestNetworkInterfaces(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	vpc := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": true})["Vpc"].(map[string]any)
	block := vpc["Ipv6CidrBlockAssociationSet"].([]any)[0].(map[string]any)["Ipv6CidrBlock"].(string)
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": vpc["VpcId"], "CidrBlock": "10.0.1.0/24",
		"Ipv6CidrBlock": strings.TrimSuffix(block, "/56") + "/64"})["Subnet"].(map[string]any)["SubnetId"].(string)
	var ids []string
	for _, i := range tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "MinCount": 2, "MaxCount": 2, "SubnetId": subnet, "Ipv6AddressCount": 1})["Instances"].([]any) {
		ids = append(ids, i.(map[string]any)["InstanceId"].(string))
	}
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{ids[0], ids[1]}}, "length(Reservations[0].Instances[?State.Name=='running'])", "2")
	at := strings.Fields(tr.Python(t, "", mustRead(t, "testdata/interfaces.py"), subnet, ids[0]))
	if len(at) != 7 || !slices.Contains(at, "10.0.1.21") || !slices.Contains(at, "10.0.1.30") || slices.Contains(at, "10.0.1.31") {
		t.Fatalf("the instance has %v", at)
	}
	tr.Run(t, ids[0], "python3", "-m", "http.server", "--bind", "::", "8080")
	for _, a := range at {
		got := tr.Inside(t, ids[1], "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "10", "http://"+a+":8080/")
		if got != "200" {
			t.Errorf("%s answers %s", a, got)
		}
	}
	macs := tr.Inside(t, ids[0], "sh", "-c", `curl -sS -H "X-aws-ec2-metadata-token: $(curl -sS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)" http://169.254.169.254/latest/meta-data/network/interfaces/macs/`)
	if len(strings.Fields(macs)) != 2 {
		t.Errorf("interfaces in the metadata: %q", macs)
	}
}
