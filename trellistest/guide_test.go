package trellistest

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// account444 is the account that the guide's ARNs name.
const account444 = "444455556666"

// place is a VPC with what a test needs in it.
type place struct {
	vpc, subnet, group string
	instances          []string
}

// makePlace makes a VPC with one subnet, a security group that lets port in from cidr (a prefix list id also
// fits), and instances at addresses; role may be empty.
func makePlace(t *testing.T, tr *Trellis, account, block, subnet string, port int, from, role string, addrs ...string) place {
	t.Helper()
	var p place
	p.vpc = tr.Call(t, account, "ec2", "CreateVpc", map[string]any{"CidrBlock": block})["Vpc"].(map[string]any)["VpcId"].(string)
	p.subnet = tr.Call(t, account, "ec2", "CreateSubnet", map[string]any{"VpcId": p.vpc, "CidrBlock": subnet})["Subnet"].(map[string]any)["SubnetId"].(string)
	p.group = tr.Call(t, account, "ec2", "CreateSecurityGroup", map[string]any{"VpcId": p.vpc, "GroupName": "test", "Description": "test"})["GroupId"].(string)
	perm := map[string]any{"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
	if strings.HasPrefix(from, "pl-") {
		perm["PrefixListIds"] = []any{map[string]any{"PrefixListId": from}}
	} else {
		perm["IpRanges"] = []any{map[string]any{"CidrIp": from}}
	}
	tr.Call(t, account, "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": p.group, "IpPermissions": []any{perm}})
	for _, a := range addrs {
		in := map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": p.subnet,
			"PrivateIpAddress": a, "SecurityGroupIds": []any{p.group}}
		if role != "" {
			in["IamInstanceProfile"] = map[string]any{"Name": role}
		}
		made := tr.Call(t, account, "ec2", "RunInstances", in)["Instances"].([]any)[0].(map[string]any)
		p.instances = append(p.instances, made["InstanceId"].(string))
	}
	for _, id := range p.instances {
		tr.Await(t, account, "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{id}}, "Reservations[0].Instances[0].State.Name", "running")
	}
	return p
}

// makeAccount makes an organization with one account.
func makeAccount(t *testing.T, tr *Trellis, id string) (orgID string) {
	t.Helper()
	if _, err := tr.Try(t, "", "organizations", "CreateOrganization", map[string]any{"FeatureSet": "ALL"}); err != nil &&
		!strings.Contains(err.Error(), "AlreadyInOrganization") {
		t.Fatal(err)
	}
	tr.Call(t, "", "organizations", "CreateAccount", map[string]any{"AccountName": "payments", "Email": "payments@example.com",
		"Tags": []any{map[string]any{"Key": "trellis:account-id", "Value": id}}})
	tr.Await(t, "", "organizations", "ListAccounts", nil, "length(Accounts[?Id=='"+id+"'])", "1")
	return tr.Call(t, "", "organizations", "DescribeOrganization", nil)["Organization"].(map[string]any)["Id"].(string)
}

// makeRole makes a role that EC2 may take on and that may invoke services.
func makeRole(t *testing.T, tr *Trellis, account, name string) {
	t.Helper()
	tr.Call(t, account, "iam", "CreateRole", map[string]any{"RoleName": name, "AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`})
	tr.Call(t, account, "iam", "PutRolePolicy", map[string]any{"RoleName": name, "PolicyName": "invoke",
		"PolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`})
}

// prefixList is the id of AWS's managed prefix list for VPC Lattice.
func prefixList(t *testing.T, tr *Trellis, account string) string {
	t.Helper()
	out := tr.Call(t, account, "ec2", "DescribeManagedPrefixLists", map[string]any{"Filters": []any{map[string]any{"Name": "prefix-list-name",
		"Values": []any{"com.amazonaws." + tr.Region + ".vpc-lattice"}}}})
	return out["PrefixLists"].([]any)[0].(map[string]any)["PrefixListId"].(string)
}

// TestGuide runs the guide's own commands with the unmodified aws CLI, real ids in place of its made-up ones,
// and its Python sample inside a VPC.
func TestGuide(t *testing.T) {
	t.Parallel() // most of it is waiting for clients
	tr := Start(t)
	org := makeAccount(t, tr, account444)
	makeRole(t, tr, account444, "checkout-service")
	makeRole(t, tr, account444, "another-service")
	targets := makePlace(t, tr, account444, "10.0.0.0/16", "10.0.12.0/24", 8080, prefixList(t, tr, account444), "", "10.0.12.31", "10.0.12.78", "10.0.12.90")
	clients := makePlace(t, tr, account444, "10.0.0.0/16", "10.0.12.0/24", 80, "10.0.0.0/16", "checkout-service", "10.0.12.31")
	other := tr.Call(t, account444, "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
		"SubnetId": clients.subnet, "SecurityGroupIds": []any{clients.group}, "IamInstanceProfile": map[string]any{"Name": "another-service"}})
	otherInstance := other["Instances"].([]any)[0].(map[string]any)["InstanceId"].(string)
	tr.Await(t, account444, "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{otherInstance}}, "Reservations[0].Instances[0].State.Name", "running")
	for i, name := range []string{"orders-v1", "orders-v1", "orders-v2"} {
		tr.Run(t, targets.instances[i], Program(t), "echo", "--listen", ":8080", "--name", name)
	}

	tr.Call(t, "", "ram", "EnableSharingWithAwsOrganization", nil)
	tr.Call(t, "", "iam", "GetRole", map[string]any{"RoleName": "AWSServiceRoleForResourceAccessManager"}) // which Terraform looks for
	root := tr.Call(t, "", "organizations", "ListRoots", nil)["Roots"].([]any)[0].(map[string]any)["Id"]
	ou := tr.Call(t, "", "organizations", "CreateOrganizationalUnit", map[string]any{"ParentId": root, "Name": "prod"})["OrganizationalUnit"].(map[string]any)["Arn"].(string)
	script, err := os.ReadFile("testdata/guide.sh")
	if err != nil {
		t.Fatal(err)
	}
	out := tr.Shell(t, account444, string(script), "TARGETS_VPC="+targets.vpc, "CLIENT_VPC="+clients.vpc, "CLIENT_GROUP="+clients.group, "ORG_ID="+org, "OU_ARN="+ou, "DIR="+t.TempDir())
	var seen struct{ Service, DNS, Statuses, Associations string }
	last := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
	if err := json.Unmarshal([]byte(last), &seen); err != nil {
		t.Fatalf("%v in %q of:\n%s", err, last, out)
	}
	if seen.Statuses != "HEALTHY HEALTHY" || seen.Associations != "ACTIVE" {
		t.Errorf("guide's Verify section: %+v\n%s", seen, out)
	}

	sample, err := os.ReadFile("testdata/sample.py")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + seen.DNS + "/v1/orders/42"
	if got := tr.PythonInside(t, clients.instances[0], string(sample), url); !strings.HasPrefix(got, "200 orders-v") {
		t.Errorf("the guide's Python sample as checkout-service: %q, want 200", got)
	}
	got := tr.PythonInside(t, otherInstance, string(sample), url)
	want := fmt.Sprintf("403 AccessDeniedException: User: arn:aws:sts::%s:assumed-role/another-service/%s is not authorized to perform: vpc-lattice-svcs:Invoke on resource: arn:aws:vpc-lattice:%s:%s:service/%s/v1/orders/42 because no service-based policy allows the vpc-lattice-svcs:Invoke action",
		account444, otherInstance, tr.Region, account444, trellis.LastPart(seen.Service))
	if strings.TrimSpace(got) != want {
		t.Errorf("as another role:\n got %s\nwant %s", got, want)
	}
	if got := tr.Inside(t, clients.instances[0], "curl", "-s", "-o", "/dev/null", "-w", "unsigned=%{http_code}\n", url); got != "unsigned=403\n" {
		t.Errorf("the guide's curl: %q, want unsigned=403", got)
	}
	explainGuide(t, tr, clients.instances[0], url)
	logs := tr.Shell(t, account444, mustRead(t, "testdata/insights.sh"))
	if !strings.Contains(logs, "Network") && !strings.Contains(logs, "Service") {
		t.Errorf("the guide's Insights query has no authDeniedReason:\n%s", logs)
	}
}

// mustRead reads a file.
func mustRead(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
