//go:build thorough

package trellistest

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestCallers asks as every kind of caller under the four combinations of auth types, and holds the answers to
// AWS's texts; then it finds each in the access log of the network.
func TestCallers(t *testing.T) {
	t.Parallel()
	const members = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalType":"Anonymous"}}}]}`
	tr := Start(t)
	makeRole(t, tr, "", "caller")
	makeRole(t, tr, "", "stranger")
	tr.Call(t, "", "iam", "DeleteRolePolicy", map[string]any{"RoleName": "stranger", "PolicyName": "invoke"})
	p := makePlace(t, tr, "", "10.0.0.0/16", "10.0.0.0/24", 80, "10.0.0.0/16", "caller", "10.0.0.10")
	stranger := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
		"SubnetId": p.subnet, "IamInstanceProfile": map[string]any{"Name": "stranger"}})["Instances"].([]any)[0].(map[string]any)["InstanceId"].(string)
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{stranger}}, "Reservations[0].Instances[0].State.Name", "running")
	network, service, dns := associate(t, tr, "orders", p.vpc, p.group, "", 404)
	tr.Call(t, "", "logs", "CreateLogGroup", map[string]any{"logGroupName": "/calls"})
	tr.Call(t, "", "vpc-lattice", "CreateAccessLogSubscription", map[string]any{"resourceIdentifier": network,
		"destinationArn": "arn:aws:logs:" + tr.Region + ":111122223333:log-group:/calls:*"})
	for _, id := range []string{network, service} {
		tr.Call(t, "", "vpc-lattice", "PutAuthPolicy", map[string]any{"resourceIdentifier": id, "policy": members})
	}
	url := "http://" + dns + "/v1/orders?id=42"
	denied := func(who, why string) string {
		return fmt.Sprintf("AccessDeniedException: User: %s is not authorized to perform: vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:%s:111122223333:service/%s/v1/orders because no %s policy allows the vpc-lattice-svcs:Invoke action",
			who, tr.Region, service, why)
	}
	role := func(name, instance string) string {
		return "arn:aws:sts::111122223333:assumed-role/" + name + "/" + instance
	}
	const mismatch = "InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	const unknown = "UnrecognizedClientException: The security token included in the request is invalid."
	type answer [2]any
	ok := answer{404., ""} // the service's own answer
	for _, c := range []struct{ network, service, layer string }{
		{"NONE", "NONE", ""}, {"NONE", "AWS_IAM", "service-based"}, {"AWS_IAM", "NONE", "network-based"}, {"AWS_IAM", "AWS_IAM", "network-based"},
	} {
		tr.Call(t, "", "vpc-lattice", "UpdateServiceNetwork", map[string]any{"serviceNetworkIdentifier": network, "authType": c.network})
		tr.Call(t, "", "vpc-lattice", "UpdateService", map[string]any{"serviceIdentifier": service, "authType": c.service})
		want := map[string]answer{"anonymous": ok, "signed": ok, "hashed": ok, "hashed, another body": {403., mismatch}, "hashed, too large": {413., "Request Entity Too Large"},
			"bad signature": {403., mismatch}, "unknown key": {403., unknown}, "torn token": {403., unknown},
			"wrong region": {403., "InvalidSignatureException: Credential should be scoped to a valid region."}}
		strange := ok
		if c.layer != "" {
			want["anonymous"] = answer{403., denied("anonymous", c.layer)}
			strange = answer{403., denied(role("stranger", stranger), "identity-based")}
		}
		ask := func(instance string) (got map[string]answer) {
			out := tr.PythonInside(t, instance, mustRead(t, "testdata/callers.py"), url)
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			return got
		}
		got := ask(p.instances[0])
		for caller, w := range want {
			if got[caller] != w {
				t.Errorf("network %s, service %s, %s: %v, want %v", c.network, c.service, caller, got[caller], w)
			}
		}
		if got := ask(stranger)["signed"]; got != strange {
			t.Errorf("network %s, service %s, the stranger: %v, want %v", c.network, c.service, got, strange)
		}
	}
	for _, count := range []struct{ pattern, want string }{
		{`{ $.authDeniedReason = "Network" && $.resolvedUser = "Anonymous" && $.failureReason = "ClientAccessDenied" }`, "4"},
		{`{ $.authDeniedReason = "Service" && $.resolvedUser = "Anonymous" }`, "2"},
		{`{ $.authDeniedReason = "Identity" && $.callerPrincipal = "*/stranger/*" }`, "6"},
		{`{ $.resolvedUser = "Unknown" && $.authDeniedReason = "-" && $.responseCode = 403 }`, "40"},
		{`{ $.responseCode = 413 && $.failureReason = "ClientProtocolError" }`, "8"},
	} {
		tr.Await(t, "", "logs", "FilterLogEvents", map[string]any{"logGroupName": "/calls", "filterPattern": count.pattern}, "length(events)", count.want)
	}
}
