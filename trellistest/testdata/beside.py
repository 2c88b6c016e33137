# Makes things of the services beside VPC Lattice with boto3, in forms that no estate has written: without names, in short forms, with what is made
# by itself left as it is, or taken away.
import io, json, sys, zipfile
import boto3

ec2, elb, lam, s3, r53, kms, firehose, ssm, cw, ra, eks, ram, iam, lattice = (boto3.client(s) for s in (
    "ec2", "elbv2", "lambda", "s3", "route53", "kms", "firehose", "ssm", "cloudwatch", "rolesanywhere", "eks", "ram", "iam", "vpc-lattice"))
account = boto3.client("sts").get_caller_identity()["Account"]

# A VPC whose main table is another one, and which has tables and a gateway without names.
vpc = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.50.{i}.0/24", AvailabilityZone=f"eu-west-1{z}")["Subnet"]["SubnetId"] for i, z in enumerate("ab")]
gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
main = ec2.create_route_table(VpcId=vpc, TagSpecifications=[{"ResourceType": "route-table", "Tags": [{"Key": "Name", "Value": "public"}]}])["RouteTable"]["RouteTableId"]
old = [a for t in ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"] for a in t["Associations"] if a["Main"]][0]
ec2.replace_route_table_association(AssociationId=old["RouteTableAssociationId"], RouteTableId=main)
ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
ec2.create_route(RouteTableId=main, DestinationIpv6CidrBlock="2001:db8::/32", GatewayId=gateway)
private = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
ec2.associate_route_table(RouteTableId=private, SubnetId=subnets[1])
group = ec2.create_security_group(VpcId=vpc, GroupName="web", Description="web")["GroupId"]

def role(name, service):
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}]}))["Role"]["Arn"]

# A function that has versions and an alias, whose code is a zip of somebody else.
z = io.BytesIO()
with zipfile.ZipFile(z, "w") as f:
    f.writestr("app.py", "def handler(event, context): return event")
fn = lam.create_function(FunctionName="sorter", Runtime="python3.13", Handler="app.handler", Role=role("sorter", "lambda.amazonaws.com"), Code={"ZipFile": z.getvalue()},
                         Environment={"Variables": {"MODE": "fast"}}, MemorySize=256, Architectures=["arm64"], Publish=True)["FunctionArn"].removesuffix(":1")
lam.create_alias(FunctionName="sorter", Name="live", FunctionVersion="1")
lam.add_permission(FunctionName="sorter", StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com", SourceAccount=account,
                   SourceArn=f"arn:aws:events:eu-west-1:{account}:rule/x")

# Load balancers: short forms of conditions, several groups, sticky ones, attributes.
acm = boto3.client("acm")
certificates = [acm.request_certificate(DomainName=d, ValidationMethod="DNS")["CertificateArn"] for d in ("a.example.org", "b.example.org")]
for c in certificates:
    acm.get_waiter("certificate_validated").wait(CertificateArn=c, WaiterConfig={"Delay": 1})
web = elb.create_load_balancer(Name="front", Subnets=subnets, SecurityGroups=[group])["LoadBalancers"][0]
arn = web["LoadBalancerArn"]
elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}, {"Key": "routing.http2.enabled", "Value": "false"}])
one = elb.create_target_group(Name="one", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", Matcher={"HttpCode": "200-299"})["TargetGroups"][0]["TargetGroupArn"]
two = elb.create_target_group(Name="two", Protocol="HTTP", ProtocolVersion="HTTP2", Port=8443, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
call = elb.create_target_group(Name="call", TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
lam.add_permission(FunctionName="sorter", StatementId="balancer", Action="lambda:InvokeFunction", Principal="elasticloadbalancing.amazonaws.com", SourceArn=call)
elb.register_targets(TargetGroupArn=call, Targets=[{"Id": fn}])
elb.register_targets(TargetGroupArn=one, Targets=[{"Id": "10.50.0.77"}, {"Id": "10.50.1.77", "Port": 8080}, {"Id": "192.168.4.4", "AvailabilityZone": "all"}])
elb.modify_target_group_attributes(TargetGroupArn=one, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": "lb_cookie"}])
listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": certificates[0]}], DefaultActions=[
    {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": one, "Weight": 1}, {"TargetGroupArn": two, "Weight": 0}],
                                          "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 300}}}])["Listeners"][0]["ListenerArn"]
elb.add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": certificates[1]}])
elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}])
elb.create_rule(ListenerArn=listener, Priority=5, Conditions=[{"Field": "host-header", "Values": ["a.example.org"]}, {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}],
                Actions=[{"Type": "forward", "TargetGroupArn": call}])
elb.create_rule(ListenerArn=listener, Priority=6, Conditions=[{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2"}, {"Value": "x"}]}}],
                Actions=[{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "b.example.org"}}])
wire = elb.create_load_balancer(Name="wire", Type="network", Scheme="internal", Subnets=subnets[:1])["LoadBalancers"][0]["LoadBalancerArn"]
tcp = elb.create_target_group(Name="tcp", Protocol="TCP", Port=5432, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
elb.create_listener(LoadBalancerArn=wire, Protocol="TCP", Port=5432, DefaultActions=[{"Type": "forward", "TargetGroupArn": tcp}])

# Buckets: as they come, and with what every bucket has taken away.
where = {"LocationConstraint": "eu-west-1"}
s3.create_bucket(Bucket="as-it-comes", CreateBucketConfiguration=where)
s3.create_bucket(Bucket="taken-away", CreateBucketConfiguration=where)
s3.delete_public_access_block(Bucket="taken-away")
s3.put_bucket_versioning(Bucket="taken-away", VersioningConfiguration={"Status": "Enabled"})
s3.put_bucket_versioning(Bucket="taken-away", VersioningConfiguration={"Status": "Suspended"})
s3.put_bucket_logging(Bucket="taken-away", BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "as-it-comes", "TargetPrefix": "log/"}})
s3.put_object(Bucket="as-it-comes", Key="k", Body=b"not exported")

# Keys: without a name but with an alias, to sign, and one that waits for its end.
key = kms.create_key(Description="orders")["KeyMetadata"]["KeyId"]
kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Tags=[{"TagKey": "Name", "TagValue": "codes"}])
kms.schedule_key_deletion(KeyId=kms.create_key()["KeyMetadata"]["KeyId"], PendingWindowInDays=7)

ssm.put_parameter(Name="/shop/hidden", Type="SecureString", Value="nobody-sees-this-value", KeyId="alias/orders")
ssm.put_parameter(Name="hidden", Type="SecureString", Value="nor-this-one")
ssm.put_parameter(Name="/shop/list", Type="StringList", Value="a,b", Tier="Advanced")
ssm.put_parameter(Name="/shop/list", Type="StringList", Value="a,b,c", Overwrite=True)

firehose.create_delivery_stream(DeliveryStreamName="to-http", HttpEndpointDestinationConfiguration={
    "EndpointConfiguration": {"Url": "https://logs.example.org/in", "Name": "logs", "AccessKey": "a-key-that-no-answer-has"}, "RequestConfiguration": {"ContentEncoding": "GZIP"},
    "S3Configuration": {"RoleARN": role("stream", "firehose.amazonaws.com"), "BucketARN": "arn:aws:s3:::as-it-comes"}, "S3BackupMode": "FailedDataOnly"})

# Two zones of one domain, and more records than a page has.
public = r53.create_hosted_zone(Name="example.org.", CallerReference="1")["HostedZone"]["Id"]
inside = r53.create_hosted_zone(Name="example.org", CallerReference="2", VPC={"VPCRegion": "eu-west-1", "VPCId": vpc}, HostedZoneConfig={"Comment": "", "PrivateZone": True})["HostedZone"]["Id"]
def records(zone, *sets):
    for i in range(0, len(sets), 200):
        r53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": s} for s in sets[i:i + 200]]})
records(public, {"Name": "*.Example.org.", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "target.example.net."}]},
        {"Name": "example.org", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"v=spf1 include:example.net -all"'}, {"Value": '"a" "b"'}]},
        {"Name": "example.org", "Type": "A", "AliasTarget": {"HostedZoneId": web["CanonicalHostedZoneId"], "DNSName": web["DNSName"] + ".", "EvaluateTargetHealth": True}},
        *({"Name": "w.example.org", "Type": "A", "SetIdentifier": f"s{i}", "Weight": i, "TTL": 5, "ResourceRecords": [{"Value": f"192.0.2.{i}"}]} for i in range(3)),
        *({"Name": f"h{i}.example.org", "Type": "AAAA", "TTL": 60, "ResourceRecords": [{"Value": f"2001:db8::{i}"}]} for i in range(310)))
service = lattice.create_service(name="orders")["dnsEntry"]["domainName"]
records(inside, {"Name": "orders.example.org", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": service}]})

cw.put_metric_alarm(AlarmName="ratio of errors", ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=2, DatapointsToAlarm=1, Threshold=0.05, Metrics=[
    {"Id": "e", "Expression": "a/b", "Label": "ratio"}, *({"Id": i, "ReturnData": False, "MetricStat": {"Metric": {"Namespace": "n", "MetricName": m}, "Period": 60, "Stat": "Sum"}} for i, m in (("a", "errors"), ("b", "calls")))])
cw.put_composite_alarm(AlarmName="any", AlarmRule='NOT OK( ratio of errors )\n OR ALARM("ratio of errors")')
cw.put_composite_alarm(AlarmName="a second", AlarmRule="alarm(any) AND ALARM(" + cw.describe_alarms(AlarmNames=["ratio of errors"])["MetricAlarms"][0]["AlarmArn"] + ")",
                       ActionsSuppressor="any", ActionsSuppressorWaitPeriod=0, ActionsSuppressorExtensionPeriod=0)
cw.put_dashboard(DashboardName="d", DashboardBody='{"widgets": [ {"type":"text", "properties":{"markdown":"# x"}} ]}')

anchor = ra.create_trust_anchor(name="own", source={"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": open(sys.argv[1]).read()}})["trustAnchor"]
profile = ra.create_profile(name="own", roleArns=[role("machine", "rolesanywhere.amazonaws.com")], managedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"], enabled=True)["profile"]
ra.delete_attribute_mapping(profileId=profile["profileId"], certificateField="x509SAN")
ra.disable_profile(profileId=profile["profileId"])

eks.create_cluster(name="c", roleArn=role("cluster", "eks.amazonaws.com"), resourcesVpcConfig={"subnetIds": subnets}, tags={"trellis:oidc-issuer": "https://oidc.example.org/id/C"})
eks.create_pod_identity_association(clusterName="c", namespace="n", serviceAccount="s", roleArn=role("pod", "pods.eks.amazonaws.com"))

template = {"Effect": "Allow", "Action": ["vpc-lattice:GetService"]}
permission = ram.create_permission(name="p", resourceType="vpc-lattice:Service", policyTemplate=json.dumps(template))["permission"]["arn"]
template["Action"].append("vpc-lattice:ListServices")
ram.create_permission_version(permissionArn=permission, policyTemplate=json.dumps(template))
print("ok")
