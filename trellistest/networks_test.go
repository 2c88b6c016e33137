package trellistest

import (
	"strings"
	"testing"
)

// associate associates a VPC with a new service network that has a service with a fixed answer, and returns
// the ids of both and the service's name.
func associate(t *testing.T, tr *Trellis, name, vpc, group, custom string, status int) (network, service, dns string) {
	t.Helper()
	network = tr.Call(t, "", "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": name})["id"].(string)
	in := map[string]any{"name": name}
	if custom != "" {
		in["customDomainName"] = custom
	}
	made := tr.Call(t, "", "vpc-lattice", "CreateService", in)
	service, dns = made["id"].(string), made["dnsEntry"].(map[string]any)["domainName"].(string)
	tr.Call(t, "", "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": service, "name": "http", "protocol": "HTTP",
		"defaultAction": map[string]any{"fixedResponse": map[string]any{"statusCode": status}}})
	join(t, tr, network, service)
	id := tr.Call(t, "", "vpc-lattice", "CreateServiceNetworkVpcAssociation", map[string]any{"serviceNetworkIdentifier": network, "vpcIdentifier": vpc,
		"securityGroupIds": []any{group}})["id"]
	tr.Await(t, "", "vpc-lattice", "GetServiceNetworkVpcAssociation", map[string]any{"serviceNetworkVpcAssociationIdentifier": id}, "status", "ACTIVE")
	return network, service, dns
}

// join associates a service with a service network.
func join(t *testing.T, tr *Trellis, network, service string) (association string) {
	t.Helper()
	association = tr.Call(t, "", "vpc-lattice", "CreateServiceNetworkServiceAssociation", map[string]any{"serviceNetworkIdentifier": network, "serviceIdentifier": service})["id"].(string)
	tr.Await(t, "", "vpc-lattice", "GetServiceNetworkServiceAssociation", map[string]any{"serviceNetworkServiceAssociationIdentifier": association}, "status", "ACTIVE")
	return association
}

// TestNetworks associates a VPC that has IPv6 with two service networks: each has an address, security groups
// and services of its own, and names follow the associations.
func TestNetworks(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	made := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": true})["Vpc"].(map[string]any)
	vpc, block := made["VpcId"].(string), made["Ipv6CidrBlockAssociationSet"].([]any)[0].(map[string]any)["Ipv6CidrBlock"].(string)
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": vpc, "CidrBlock": "10.0.0.0/24",
		"Ipv6CidrBlock": strings.Replace(block, "/56", "/64", 1)})["Subnet"].(map[string]any)["SubnetId"]
	groups := map[string]string{}
	for name, from := range map[string]map[string]any{"first": {"IpRanges": []any{map[string]any{"CidrIp": "10.0.0.0/16"}}},
		"second": {"Ipv6Ranges": []any{map[string]any{"CidrIpv6": block}}}} {
		groups[name] = tr.Call(t, "", "ec2", "CreateSecurityGroup", map[string]any{"VpcId": vpc, "GroupName": name, "Description": name})["GroupId"].(string)
		from["IpProtocol"], from["FromPort"], from["ToPort"] = "tcp", 80, 80
		tr.Call(t, "", "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": groups[name], "IpPermissions": []any{from}})
	}
	client := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
		"SubnetId": subnet, "Ipv6AddressCount": 1})["Instances"].([]any)[0].(map[string]any)["InstanceId"].(string)
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{client}}, "Reservations[0].Instances[0].State.Name", "running")

	_, first, firstName := associate(t, tr, "first", vpc, groups["first"], "", 404)
	network, _, secondName := associate(t, tr, "second", vpc, groups["second"], "Second.example.com", 500)
	ask := func(want string, args ...string) {
		t.Helper()
		got := tr.Inside(t, client, append([]string{"sh", "-c", `curl -s -o /dev/null --max-time 1 -w '%{http_code} %{remote_ip}' "$@" || true`, "sh"}, args...)...)
		if got != want {
			t.Errorf("curl %s: %q, want %q", strings.Join(args, " "), got, want)
		}
	}
	const first4, second4, second6 = "169.254.171.32", "169.254.171.33", "fd00:ec2:80::a9fe:ab21"
	ask("404 "+first4, "-4", "http://"+firstName)
	ask("000 ", "-6", "http://"+firstName)  // its security group has no IPv6 source
	ask("000 ", "-4", "http://"+secondName) // and this one's no IPv4 source
	ask("500 "+second6, "-6", "http://"+secondName)
	ask("500 "+second6, "-6", "http://SECOND.example.COM")
	ask("404 "+first4, "-4", "-H", "Host: "+secondName, "http://"+firstName) // another network's service

	resolve := func(name, want string) {
		t.Helper()
		if got := strings.Fields(tr.Inside(t, client, "dig", "+short", name, "A", name, "AAAA")); strings.Join(got, " ") != want {
			t.Errorf("%s resolves to %q, want %q", name, got, want)
		}
	}
	resolve(secondName, second4+" "+second6)
	old := tr.Call(t, "", "vpc-lattice", "ListServiceNetworkServiceAssociations", map[string]any{"serviceIdentifier": first})["items"].([]any)[0].(map[string]any)["id"]
	join(t, tr, network, first)
	resolve(firstName, first4+" fd00:ec2:80::a9fe:ab20")
	tr.Call(t, "", "vpc-lattice", "DeleteServiceNetworkServiceAssociation", map[string]any{"serviceNetworkServiceAssociationIdentifier": old})
	resolve(firstName, second4+" "+second6)
	ask("404 "+second6, "-6", "http://"+firstName)
}
