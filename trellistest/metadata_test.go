package trellistest

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestMetadata asks the metadata of an instance as SDKs do, by IPv4 and IPv6, and in the ways that are refused.
func TestMetadata(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	makeRole(t, tr, "", "worker")
	vpc := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": true})["Vpc"].(map[string]any)
	id := vpc["VpcId"].(string)
	block := vpc["Ipv6CidrBlockAssociationSet"].([]any)[0].(map[string]any)["Ipv6CidrBlock"].(string)
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": id, "CidrBlock": "10.0.0.0/24", "Ipv6CidrBlock": block[:len(block)-len("/56")] + "/64",
		"AvailabilityZone": tr.Region + "b"})["Subnet"].(map[string]any)["SubnetId"].(string)
	made := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
		"SubnetId": subnet, "PrivateIpAddress": "10.0.0.10", "Ipv6AddressCount": 1, "IamInstanceProfile": map[string]any{"Name": "worker"}, "MetadataOptions": map[string]any{"HttpProtocolIpv6": "enabled"}})["Instances"].([]any)[0].(map[string]any)
	instance := made["InstanceId"].(string)
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{instance}}, "Reservations[0].Instances[0].State.Name", "running")
	paths := map[string]string{
		"/latest/meta-data/instance-id":                       instance,
		"/latest/meta-data/placement/availability-zone/":      tr.Region + "b",
		"/latest/meta-data/iam/security-credentials/":         "worker",
		"/latest/meta-data/network/interfaces/macs/":          made["NetworkInterfaces"].([]any)[0].(map[string]any)["MacAddress"].(string) + "/",
		"/latest/meta-data/local-ipv4":                        "10.0.0.10",
		"/2021-07-15/meta-data/security-groups":               "default",
		"/latest/meta-data/network/interfaces/macs/0a:00/mac": "",
		"/latest/user-data":                                   "",
		"/latest/":                                            "dynamic\nmeta-data",
	}
	var args []string
	for path := range paths {
		args = append(args, path)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(tr.PythonInside(t, instance, mustRead(t, "testdata/metadata.py"), args...)), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"region": tr.Region, "no token": []any{401., "401 - Unauthorized"}, "made-up token": []any{401., "401 - Unauthorized"},
		"no ttl": []any{400., "400 - Bad Request"}, "long ttl": []any{400., "400 - Bad Request"}, "forwarded": []any{403., "403 - Forbidden"},
		"get token": []any{405., "405 - Method Not Allowed"}, "post": []any{405., "405 - Method Not Allowed"}, "nothing": []any{404., "404 - Not Found"}}
	for _, mode := range []string{"IPv4", "IPv6"} {
		m := map[string]any{"method": "iam-role", "caller": "arn:aws:sts::111122223333:assumed-role/worker/" + instance}
		for path, text := range paths {
			if m[path] = []any{200., text}; text == "" {
				m[path] = []any{404., ""}
			}
		}
		want[mode] = m
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestMetadataOptions asks the metadata of an instance while its metadata options change.
func TestMetadataOptions(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	vpc := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": true})["Vpc"].(map[string]any)
	block := vpc["Ipv6CidrBlockAssociationSet"].([]any)[0].(map[string]any)["Ipv6CidrBlock"].(string)
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": vpc["VpcId"], "CidrBlock": "10.0.0.0/24", "Ipv6CidrBlock": block[:len(block)-len("/56")] + "/64"})["Subnet"].(map[string]any)["SubnetId"]
	made := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "Ipv6AddressCount": 1,
		"UserData": "IyEvYmluL3NoCmVjaG8gaGkK", "TagSpecifications": []any{map[string]any{"ResourceType": "instance", "Tags": []any{map[string]any{"Key": "Name", "Value": "till"}, map[string]any{"Key": "empty", "Value": ""}}}}})["Instances"].([]any)[0].(map[string]any)
	instance := made["InstanceId"].(string)
	mac := made["NetworkInterfaces"].([]any)[0].(map[string]any)["MacAddress"]
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{instance}}, "Reservations[0].Instances[0].State.Name", "running")
	program := mustRead(t, "testdata/metadata_options.py")
	asked := func(hops ...string) (got map[string]any) {
		t.Helper()
		if err := json.Unmarshal([]byte(tr.PythonInside(t, instance, program, hops...)), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	const tags, name, empty = "meta-data/tags/instance", "meta-data/tags/instance/Name", "meta-data/tags/instance/empty"
	for _, c := range []struct {
		change map[string]any
		hops   []string
		want   map[string]any
	}{
		{nil, []string{"2", "3"}, map[string]any{"without a token": 401., "by IPv6": "lost", "hops": map[string]any{"2": "200", "3": "lost"}, tags: 404., name: 404., empty: 404.}},
		{map[string]any{"HttpTokens": "optional", "HttpPutResponseHopLimit": 3}, []string{"3"}, map[string]any{"without a token": mac, "by IPv6": "lost", "hops": map[string]any{"3": "200"}, tags: 404., name: 404., empty: 404.}},
		{map[string]any{"HttpProtocolIpv6": "enabled", "InstanceMetadataTags": "enabled"}, nil, map[string]any{"without a token": mac, "by IPv6": mac, "hops": map[string]any{}, tags: "Name\nempty", name: "till", empty: ""}},
		{map[string]any{"HttpTokens": "required", "HttpProtocolIpv6": "disabled"}, nil, map[string]any{"without a token": 401., "by IPv6": "lost", "hops": map[string]any{}, tags: "Name\nempty", name: "till", empty: ""}},
	} {
		if c.change != nil {
			c.change["InstanceId"] = instance
			tr.Call(t, "", "ec2", "ModifyInstanceMetadataOptions", c.change)
		}
		c.want["a token"], c.want["with a made-up token"], c.want["meta-data/mac"] = true, 401., mac
		c.want["user-data"] = "#!/bin/sh\necho hi\n"
		if got := asked(c.hops...); !reflect.DeepEqual(got, c.want) {
			t.Errorf("after %v\ngot  %v\nwant %v", c.change, got, c.want)
		}
	}
	tr.Call(t, "", "ec2", "ModifyInstanceMetadataOptions", map[string]any{"InstanceId": instance, "HttpEndpoint": "disabled"})
	for way, got := range asked() {
		if way != "by IPv6" && way != "hops" && got != 403. {
			t.Errorf("with the endpoint off, %s: %v", way, got)
		}
	}
}

// TestRoleDelivery has a policy take only credentials that were asked for with a token, and only on their instance.
func TestRoleDelivery(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	makeRole(t, tr, "", "worker")
	vpc := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16"})["Vpc"].(map[string]any)["VpcId"].(string)
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": vpc, "CidrBlock": "10.0.0.0/24"})["Subnet"].(map[string]any)["SubnetId"]
	instance := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "PrivateIpAddress": "10.0.0.10",
		"IamInstanceProfile": map[string]any{"Name": "worker"}, "MetadataOptions": map[string]any{"HttpTokens": "optional"}})["Instances"].([]any)[0].(map[string]any)["InstanceId"].(string)
	tr.Call(t, "", "iam", "PutRolePolicy", map[string]any{"RoleName": "worker", "PolicyName": "here", "PolicyDocument": `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*","Condition":{"StringEquals":{"aws:Ec2InstanceSourceVPC":"` + vpc + `"},"IpAddress":{"aws:Ec2InstanceSourcePrivateIPv4":"10.0.0.10"},
			"ArnLike":{"ec2:SourceInstanceARN":"arn:aws:ec2:*:*:instance/` + instance + `"}}},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"ec2:RoleDelivery":"2.0"}}}]}`})
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{instance}}, "Reservations[0].Instances[0].State.Name", "running")
	if got, want := tr.PythonInside(t, instance, mustRead(t, "testdata/roledelivery.py")), `{"1": "UnauthorizedOperation", "2": "allowed"}`+"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
