//go:build thorough

package trellistest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/trellis-project/trellis/vpc"
)

// dataPlace is a VPC with databases, and the gateway by which others reach them.
type dataPlace struct {
	place
	gateway, gatewayGroup string
}

// talker is a client in an instance that keeps a connection. say sends a line over it, and returns what comes back, or how the
// connection has ended.
func talker(t *testing.T, instance, host string, port int) (say func(string) string) {
	t.Helper()
	cmd := exec.Command("python3", "testdata/tcp_client.py", host, strconv.Itoa(port), "stay")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := vpc.Start(instance, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "connected" {
		t.Fatalf("%s:%d: %s", host, port, lines.Text())
	}
	return func(line string) string {
		fmt.Fprintln(in, line)
		lines.Scan()
		return lines.Text()
	}
}

// TestTCP carries connections of all kinds to a resource, by an association and by both types of VPC endpoint, and looks for
// their rows; others can't reach it; and it deletes what leads there.
func TestTCP(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	data := makeData(t, tr, "", 7000, "10.0.12.31")
	tr.Run(t, data.instances[0], "python3", "testdata/tcp_echo.py", "7000")
	clients := makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	elsewhere := makePlace(t, tr, "", "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	client, stranger := clients.instances[0], elsewhere.instances[0]
	made := tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": "data", "sharingConfig": map[string]any{"enabled": false}})
	network, networkARN := made["id"].(string), made["arn"].(string)
	configuration := configure(t, tr, "", map[string]any{"name": "echo", "resourceGatewayIdentifier": data.gateway, "portRanges": []any{"7000", "7001"},
		"resourceConfigurationDefinition": map[string]any{"ipResource": map[string]any{"ipAddress": "10.0.12.31"}}})
	for group, of := range map[string]map[string]any{"network": {"resourceIdentifier": network, "serviceNetworkLogType": "RESOURCE"}, "configuration": {"resourceIdentifier": configuration}} {
		tr.Call(t, "", "logs", "CreateLogGroup", map[string]any{"logGroupName": group})
		of["destinationArn"] = "arn:aws:logs:" + tr.Region + ":111122223333:log-group:" + group
		tr.Call(t, "", "vpc-lattice", "CreateAccessLogSubscription", of)
	}
	association, name := offer(t, tr, "", network, configuration, false)
	own := reach(t, tr, "", network, clients, nil)
	run := func(instance, host, what, want string) {
		t.Helper()
		if got := strings.TrimSpace(tr.Inside(t, instance, "python3", "testdata/tcp_client.py", host, "7000", what)); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	run(client, name, "once", "ok")
	for _, group := range []string{"network", "configuration"} {
		in := map[string]any{"logGroupName": group}
		tr.Await(t, "", "logs", "FilterLogEvents", in, "length(events)", "1")
		var row map[string]string
		text := tr.Call(t, "", "logs", "FilterLogEvents", in)["events"].([]any)[0].(map[string]any)["message"].(string)
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		if row["serviceNetworkArn"] != networkARN || row["serviceNetworkResourceAssociationId"] != association || row["vpcEndpointId"] != "-" || row["resourceIpPort"] != "10.0.12.31:7000" ||
			!strings.HasPrefix(row["sourceIpPort"], "10.0.12.31:") || !strings.HasPrefix(row["destinationIpPort"], "129.224.") || row["gatewayIpPort"] == "-" ||
			!strings.HasSuffix(row["resourceConfigurationArn"], configuration) || !strings.HasSuffix(row["sourceVpcArn"], clients.vpc) {
			t.Errorf("the row is %s", text)
		}
	}
	run(client, name, "large", "ok")
	run(client, name, "many", "ok")
	run(stranger, name, "once", "timed out") // a VPC without an association

	// Endpoints in the other VPC: to the network, with a service in it, and to the resource itself.
	for _, port := range []int{80, 443} {
		allow(t, tr, elsewhere.group, "10.0.12.0/24", port)
	}
	service := tr.Call(t, "", "vpc-lattice", "CreateService", map[string]any{"name": "hello", "customDomainName": "hello.internal"})["id"].(string)
	for _, protocol := range []string{"HTTP", "HTTPS"} {
		tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": service, "name": strings.ToLower(protocol), "protocol": protocol,
			"defaultAction": map[string]any{"fixedResponse": map[string]any{"statusCode": 404}}})
	}
	serviceAssociation := join(t, tr, network, service)
	endpoint := func(in map[string]any) (id string) {
		t.Helper()
		in["VpcId"], in["SubnetIds"], in["SecurityGroupIds"] = elsewhere.vpc, []any{elsewhere.subnet}, []any{elsewhere.group}
		id = tr.Call(t, "", "ec2", "CreateVpcEndpoint", in)["VpcEndpoint"].(map[string]any)["VpcEndpointId"].(string)
		tr.Await(t, "", "ec2", "DescribeVpcEndpoints", map[string]any{"VpcEndpointIds": []any{id}}, "VpcEndpoints[0].State", "available")
		return id
	}
	const zone = ".4232ccc.vpc-lattice-rsc.eu-west-1.on.aws"
	ofNetwork := endpoint(map[string]any{"VpcEndpointType": "ServiceNetwork", "ServiceNetworkArn": networkARN})
	configurationARN := "arn:aws:vpc-lattice:" + tr.Region + ":111122223333:resourceconfiguration/" + configuration
	ofResource := endpoint(map[string]any{"VpcEndpointType": "Resource", "ResourceConfigurationArn": configurationARN})
	run(stranger, ofNetwork+"-"+association+"."+configuration+zone, "once", "ok")
	run(stranger, ofResource+"."+configuration+zone, "once", "ok")
	generated := ofNetwork + "-" + serviceAssociation + ".7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
	root := filepath.Join(tr.Dir, "ca.pem")
	for _, url := range []string{"http://" + generated, "https://" + generated, "http://hello.internal"} {
		if got := tr.Inside(t, stranger, "sh", "-c", `curl -s --cacert "$1" -o /dev/null --max-time 5 -w '%{http_code}' "$0" || true`, url, root); got != "404" {
			t.Errorf("curl %s: %s", url, got)
		}
	}
	tr.Await(t, "", "logs", "FilterLogEvents", map[string]any{"logGroupName": "configuration", "filterPattern": `"` + ofResource + `"`}, "length(events)", "1")

	// Another account, that nothing is shared with.
	makeAccount(t, tr, account444)
	theirs := makePlace(t, tr, account444, "10.0.0.0/16", "10.0.12.0/24", 7000, "10.0.12.0/24", "", "10.0.12.31")
	run(theirs.instances[0], name, "once", "timed out")
	for operation, in := range map[string]map[string]any{"CreateServiceNetworkVpcAssociation": {"serviceNetworkIdentifier": networkARN, "vpcIdentifier": theirs.vpc}} {
		if _, err := tr.Try(t, account444, "vpc-lattice", operation, in); err == nil {
			t.Errorf("%s by an account that nothing is shared with was allowed", operation)
		}
	}
	if _, err := tr.Try(t, account444, "ec2", "CreateVpcEndpoint", map[string]any{"VpcEndpointType": "Resource", "ResourceConfigurationArn": configurationARN,
		"VpcId": theirs.vpc, "SubnetIds": []any{theirs.subnet}}); err == nil {
		t.Error("an endpoint to a resource that is not shared was allowed")
	}

	// A connection ends with its endpoint, and goes on without its association; nothing new comes either way.
	ends := talker(t, stranger, ofResource+"."+configuration+zone, 7000)
	stays := talker(t, client, name, 7000)
	tr.Call(t, "", "ec2", "DeleteVpcEndpoints", map[string]any{"VpcEndpointIds": []any{ofResource}})
	tr.Await(t, "", "ec2", "DescribeVpcEndpoints", map[string]any{}, "length(VpcEndpoints)", "1")
	run(stranger, ofNetwork+"-"+association+"."+configuration+zone, "once", "ok")
	if got := ends("still there"); !strings.Contains(got, "reset") {
		t.Errorf("a connection through an endpoint that was deleted: %q", got)
	}
	tr.Call(t, "", "vpc-lattice", "DeleteServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": own})
	tr.Await(t, "", "vpc-lattice", "ListServiceNetworkVpcAssociations", map[string]any{"serviceNetworkIdentifier": network}, "length(items)", "0")
	run(client, name, "once", "timed out")
	if got := stays("still there"); got != "still there" {
		t.Errorf("a connection through an association that was deleted: %q", got)
	}
}

// makeData makes one whose instances let in what the gateway's security group sends to a port.
func makeData(t *testing.T, tr *Trellis, account string, port int, addrs ...string) dataPlace {
	t.Helper()
	d := dataPlace{place: makePlace(t, tr, account, "10.0.0.0/16", "10.0.12.0/24", 1, "10.0.0.0/16", "", addrs...)}
	d.gatewayGroup = tr.Call(t, account, "ec2", "CreateSecurityGroup", map[string]any{"VpcId": d.vpc, "GroupName": "gateway", "Description": "gateway"})["GroupId"].(string)
	tr.Call(t, account, "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": d.group, "IpPermissions": []any{map[string]any{"IpProtocol": "tcp",
		"FromPort": port, "ToPort": port, "UserIdGroupPairs": []any{map[string]any{"GroupId": d.gatewayGroup}}}}})
	d.gateway = tr.Call(t, account, "vpc-lattice", "CreateResourceGateway", map[string]any{"name": "data", "vpcIdentifier": d.vpc, "subnetIds": []any{d.subnet},
		"securityGroupIds": []any{d.gatewayGroup}, "resourceConfigDnsResolution": "PUBLIC"})["id"].(string)
	tr.Await(t, account, "vpc-lattice", "GetResourceGateway", map[string]any{"resourceGatewayIdentifier": d.gateway}, "status", "ACTIVE")
	return d
}

// configure makes a resource configuration.
func configure(t *testing.T, tr *Trellis, account string, in map[string]any) (id string) {
	t.Helper()
	if in["type"] == nil {
		in["type"] = "SINGLE"
	}
	id = tr.Call(t, account, "vpc-lattice", "CreateResourceConfiguration", in)["id"].(string)
	tr.Await(t, account, "vpc-lattice", "GetResourceConfiguration", map[string]any{"resourceConfigurationIdentifier": id}, "status", "ACTIVE")
	return id
}

// offer associates a resource configuration with a network, and returns the association and its generated name.
func offer(t *testing.T, tr *Trellis, account, network, configuration string, private bool) (id, name string) {
	t.Helper()
	id = tr.Call(t, account, "vpc-lattice", "CreateServiceNetworkResourceAssociation", map[string]any{"serviceNetworkIdentifier": network,
		"resourceConfigurationIdentifier": configuration, "privateDnsEnabled": private})["id"].(string)
	in := map[string]any{"serviceNetworkResourceAssociationIdentifier": id}
	tr.Await(t, account, "vpc-lattice", "GetServiceNetworkResourceAssociation", in, "status", "ACTIVE")
	entry, _ := tr.Call(t, account, "vpc-lattice", "GetServiceNetworkResourceAssociation", in)["dnsEntry"].(map[string]any)
	name, _ = entry["domainName"].(string)
	return id, name
}

// reach associates a VPC with a network.
func reach(t *testing.T, tr *Trellis, account, network string, p place, more map[string]any) (association string) {
	t.Helper()
	in := map[string]any{"serviceNetworkIdentifier": network, "vpcIdentifier": p.vpc, "securityGroupIds": []any{p.group}}
	for k, v := range more {
		in[k] = v
	}
	association = tr.Call(t, account, "vpc-lattice", "CreateServiceNetworkVpcAssociation", in)["id"].(string)
	tr.Await(t, account, "vpc-lattice", "GetServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": association}, "status", "ACTIVE")
	return association
}
