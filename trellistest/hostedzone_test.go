//go:build thorough

package trellistest

import (
	"strings"
	"testing"
)

// zoneProgram makes a private zone, an alias to a service, and other records with boto3, and prints the zone's id and what
// went wrong where something should.
const zoneProgram = `
import sys, boto3, botocore
vpc, service, service_zone = sys.argv[1:4]
r = boto3.client("route53")
def code(f, **k):
    try:
        f(**k)
    except botocore.exceptions.ClientError as e:
        return e.response["Error"]["Code"] + ": " + e.response["Error"]["Message"]
    return "done"
z = r.create_hosted_zone(Name="Shop.internal", CallerReference="1", VPC={"VPCRegion": "eu-west-1", "VPCId": vpc}, HostedZoneConfig={"Comment": "shop", "PrivateZone": True})
zone = z["HostedZone"]["Id"]
assert z["ResponseMetadata"]["HTTPStatusCode"] == 201 and z["Location"].endswith(zone), z
assert "DelegationSet" not in z and z["VPC"]["VPCId"] == vpc, z
def change(*changes):
    return dict(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": a, "ResourceRecordSet": s} for a, s in changes]})
def rr(name, kind, *values, ttl=30, **more):
    return dict(Name=name, Type=kind, TTL=ttl, ResourceRecords=[{"Value": v} for v in values], **more)
c = r.change_resource_record_sets(**change(
    ("CREATE", {"Name": "orders.shop.internal", "Type": "A", "AliasTarget": {"HostedZoneId": service_zone, "DNSName": service, "EvaluateTargetHealth": False}}),
    ("CREATE", rr("*.wild.shop.internal", "A", "10.9.9.9")),
    ("UPSERT", rr("www.shop.internal", "CNAME", "db.shop.internal")),
    ("CREATE", rr("db.shop.internal", "A", "10.1.1.1", "10.1.1.2")),
    ("CREATE", rr("text.shop.internal", "TXT", '"a b" "c"')),
    ("CREATE", rr("w.shop.internal", "A", "10.2.0.1", SetIdentifier="one", Weight=0)),
    ("CREATE", rr("w.shop.internal", "A", "10.2.0.2", SetIdentifier="two", Weight=10))))
r.get_waiter("resource_record_sets_changed").wait(Id=c["ChangeInfo"]["Id"])
sets = [s for page in r.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone, PaginationConfig={"PageSize": 2}) for s in page["ResourceRecordSets"]]
print(" ".join(s["Name"] + s["Type"] + s.get("SetIdentifier", "") for s in sets))
print(code(r.change_resource_record_sets, **change(("CREATE", rr("db.shop.internal", "A", "10.1.1.1")), ("CREATE", rr("other.com", "A", "10.1.1.1")), ("CREATE", rr("x.shop.internal", "A", "10.1.1")))))
print(code(r.change_resource_record_sets, **change(("DELETE", rr("db.shop.internal", "A", "10.1.1.1")))))
print(code(r.delete_hosted_zone, Id=zone))
print(code(r.create_hosted_zone, Name="shop.internal", CallerReference="2", VPC={"VPCRegion": "eu-west-1", "VPCId": vpc}))
print(code(r.get_hosted_zone, Id="Z0000000000000000000"))
print(code(r.change_resource_record_sets, HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "NO", "ResourceRecordSet": rr("x.shop.internal", "A", "10.1.1.1")}]}))
r.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone.split("/")[-1], AddTags=[{"Key": "team", "Value": ""}])
tags = r.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=[zone.split("/")[-1]])["ResourceTagSets"][0]["Tags"]
answer = r.test_dns_answer(HostedZoneId=zone, RecordName="a.wild.shop.internal", RecordType="A")
summaries = r.list_hosted_zones_by_vpc(VPCId=vpc, VPCRegion="eu-west-1")["HostedZoneSummaries"]
print(tags, answer["RecordData"], answer["ResponseCode"], summaries[0]["Name"], r.get_hosted_zone(Id=zone)["VPCs"] == [{"VPCRegion": "eu-west-1", "VPCId": vpc}])
print(zone)
`

// TestHostedZones makes zones with boto3 and asks the resolver of a VPC about them.
func TestHostedZones(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	vpc := tr.Call(t, "", "ec2", "CreateVpc", map[string]any{"CidrBlock": "10.0.0.0/16"})["Vpc"].(map[string]any)["VpcId"].(string)
	subnet := tr.Call(t, "", "ec2", "CreateSubnet", map[string]any{"VpcId": vpc, "CidrBlock": "10.0.0.0/24"})["Subnet"].(map[string]any)["SubnetId"]
	group := tr.Call(t, "", "ec2", "CreateSecurityGroup", map[string]any{"VpcId": vpc, "GroupName": "all", "Description": "all"})["GroupId"].(string)
	tr.Call(t, "", "ec2", "AuthorizeSecurityGroupIngress", map[string]any{"GroupId": group, "IpPermissions": []any{map[string]any{"IpProtocol": "-1", "IpRanges": []any{map[string]any{"CidrIp": "0.0.0.0/0"}}}}})
	client := tr.Call(t, "", "ec2", "RunInstances", map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
		"SubnetId": subnet})["Instances"].([]any)[0].(map[string]any)["InstanceId"].(string)
	tr.Await(t, "", "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{client}}, "Reservations[0].Instances[0].State.Name", "running")
	_, id, name := associate(t, tr, "orders", vpc, group, "orders.shop.internal", 404)
	zone := tr.Call(t, "", "vpc-lattice", "GetService", map[string]any{"serviceIdentifier": id})["dnsEntry"].(map[string]any)["hostedZoneId"].(string)

	lines := strings.Split(strings.TrimSpace(tr.Python(t, "", zoneProgram, vpc, name, zone)), "\n")
	want := []string{
		`shop.internal.NS shop.internal.SOA db.shop.internal.A orders.shop.internal.A text.shop.internal.TXT w.shop.internal.Aone w.shop.internal.Atwo \052.wild.shop.internal.A www.shop.internal.CNAME`,
		`InvalidChangeBatch: [RRSet with DNS name other.com. is not permitted in zone shop.internal., Tried to create resource record set [name='db.shop.internal.', type='A'] but it already exists, ` +
			`Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '10.1.1'']`,
		`InvalidChangeBatch: [Tried to delete resource record set [name='db.shop.internal.', type='A'] but the values provided do not match the current values]`,
		`HostedZoneNotEmpty: The specified hosted zone contains non-required resource record sets  and so cannot be deleted.`,
		`ConflictingDomainExists: The VPC ` + vpc + ` in region eu-west-1 has already been associated with another private hosted zone with the same domain name shop.internal..`,
		`NoSuchHostedZone: No hosted zone found with ID: Z0000000000000000000`,
		`InvalidInput: 1 validation error detected: Value 'NO' at 'changeBatch.changes.1.member.action' failed to satisfy constraint: Member must satisfy enum value set: [CREATE, DELETE, UPSERT]`,
		`[{'Key': 'team', 'Value': ''}] ['10.9.9.9'] NOERROR shop.internal. True`,
	}
	for i, w := range want {
		if lines[i] != w {
			t.Errorf("line %d:\n%s\nwant\n%s", i, lines[i], w)
		}
	}
	ask := func(name, kind, want string) {
		t.Helper()
		got := strings.Fields(tr.Inside(t, client, "dig", "+noall", "+answer", "+comments", "+short", name, kind))
		if strings.Join(got, " ") != want {
			t.Errorf("%s %s: %q, want %q", name, kind, got, want)
		}
	}
	ask("orders.shop.internal", "A", "169.254.171.32")
	ask("db.shop.internal", "A", "10.1.1.1 10.1.1.2")
	ask("www.shop.internal", "A", "db.shop.internal. 10.1.1.1 10.1.1.2")
	ask("any.thing.wild.shop.internal", "A", "10.9.9.9")
	ask("text.shop.internal", "TXT", `"a b" "c"`)
	ask("w.shop.internal", "A", "10.2.0.2")
	ask("shop.internal", "NS", "ns-0.awsdns-00.com. ns-512.awsdns-00.net. ns-1024.awsdns-00.org. ns-1536.awsdns-00.co.uk.")
	for _, name := range []string{"db.shop.internal", "wild.shop.internal"} { // exist without such a record
		if out := tr.Inside(t, client, "dig", name, "MX"); !strings.Contains(out, "NOERROR") || !strings.Contains(out, "awsdns-hostmaster") {
			t.Errorf("%s: %s", name, out)
		}
	}
	if out := tr.Inside(t, client, "dig", "none.shop.internal"); !strings.Contains(out, "NXDOMAIN") || !strings.Contains(out, "SOA") {
		t.Errorf("a name that is not there: %s", out)
	}
	if got := tr.Inside(t, client, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://orders.shop.internal/"); got != "404" {
		t.Errorf("through the alias: %s", got)
	}
}
