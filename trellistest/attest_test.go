package trellistest

import (
	"strings"
	"testing"
)

// TestAttestedIdentity lets instances call with plain curl under their role's policy, because they or their association opted
// in, and holds all others to be anonymous.
func TestAttestedIdentity(t *testing.T) {
	t.Parallel()
	const tag = "trellis:attest-identity"
	tr := Start(t)
	makeRole(t, tr, "", "caller")
	makeRole(t, tr, "", "untrusted")
	tr.Call(t, "", "iam", "UpdateAssumeRolePolicy", map[string]any{"RoleName": "untrusted",
		"PolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`})
	p := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 80, "10.0.0.0/16", "caller", "10.0.0.10", "10.0.0.11")
	run := func(role string) string {
		in := map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": p.subnet,
			"SecurityGroupIds": []any{p.group}, "TagSpecifications": []any{map[string]any{"ResourceType": "instance", "Tags": []any{map[string]any{"Key": tag, "Value": "true"}}}}}
		if role != "" {
			in["IamInstanceProfile"] = map[string]any{"Name": role}
		}
		id := tr.Call(t, "", "ec2", "RunInstances", in)["Instances"].([]any)[0].(map[string]any)["InstanceId"].(string)
		tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{id}}, "Reservations[0].Instances[0].State.Name", "running")
		return id
	}
	own, neighbour, untrusted, roleless := p.instances[0], p.instances[1], run("untrusted"), run("")
	_, service, dns := associate(t, tr, "orders", p.vpc, p.group, "", 404)
	tr.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": service, "authType": "AWS_IAM"})
	tr.Call(t, "", "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": service,
		"policy": `{"Version":"2012-10-17","Statement":[{"Sid":"Caller","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/caller"},"Action":"*","Resource":"*"}]}`})
	group := tr.Call(t, "", "vpc-lattice", "CreateTargetGroup", map[string]any{"name": "echo", "type": "INSTANCE", "config": map[string]any{"port": 80, "protocol": "HTTP", "vpcIdentifier": p.vpc,
		"healthCheck": map[string]any{"enabled": false}}})["id"].(string)
	tr.Run(t, neighbour, Program(t), "echo", "--listen", ":80", "--name", "echo")
	tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": group, "targets": []any{map[string]any{"id": neighbour}}})
	tr.Call(t, "", "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": p.group, "IpPermissions": []any{map[string]any{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
		"PrefixListIds": []any{map[string]any{"PrefixListId": prefixList(t, tr, "")}}}}})
	listener := tr.Call(t, "", "vpc-lattice", "ListListeners", map[string]any{"serviceIdentifier": service})["items"].([]any)[0].(map[string]any)["id"]
	tr.Call(t, "", "vpc-lattice", "UpdateListener", map[string]any{"serviceIdentifier": service, "listenerIdentifier": listener,
		"defaultAction": map[string]any{"forward": map[string]any{"targetGroups": []any{map[string]any{"targetGroupIdentifier": group}}}}})

	expect := func(what, instance string, status, principal, source string) {
		t.Helper()
		head := tr.Inside(t, instance, "curl", "-s", "-i", "--retry", "20", "--retry-connrefused", "--retry-all-errors", "--retry-delay", "0", "http://"+dns+"/v1")
		e := tr.explainedAs(t, "", head)
		if first, _, _ := strings.Cut(head, "\r\n"); first != "HTTP/1.1 "+status || e.Principal != principal || e.PrincipalSource != source {
			t.Errorf("%s: %s as %s by %q; want %s as %s by %q\n%s", what, first, e.Principal, e.PrincipalSource, status, principal, source, head)
		}
	}
	setTag := func(id, value string) {
		t.Helper()
		tr.Call(t, "", "ec2", "CreateTags", map[string]any{"Resources": []any{id}, "Tags": []any{map[string]any{"Key": tag, "Value": value}}})
	}
	session := "arn:aws:sts::111122223333:assumed-role/caller/"
	expect("nobody with a role has opted in", own, "403 Forbidden", "Anonymous", "")
	setTag(own, "true")
	expect("with the tag", own, "200 OK", session+own, "Network")
	expect("its neighbour", neighbour, "403 Forbidden", "Anonymous", "")
	expect("a role that EC2 may not take on", untrusted, "403 Forbidden", "Anonymous", "")
	expect("no role", roleless, "403 Forbidden", "Anonymous", "")

	association := tr.Call(t, "", "vpc-lattice", "ListServiceNetworkVpcAssociations", map[string]any{"vpcIdentifier": p.vpc})["items"].([]any)[0].(map[string]any)["arn"]
	tr.Call(t, "", "vpc-lattice", "TagResource", map[string]any{"resourceArn": association, "tags": map[string]any{tag: "true"}})
	expect("by the association's tag", neighbour, "200 OK", session+neighbour, "Network")
	setTag(own, "false")
	expect("excepted", own, "403 Forbidden", "Anonymous", "")
	tr.Call(t, "", "iam", "DeleteRolePolicy", map[string]any{"RoleName": "caller", "PolicyName": "invoke"})
	expect("without the role's own policy", neighbour, "403 Forbidden", session+neighbour, "Network")
	tr.Call(t, "", "vpc-lattice", "UntagResource", map[string]any{"resourceArn": association, "tagKeys": []any{tag}})
	expect("opted out", neighbour, "403 Forbidden", "Anonymous", "")
}
