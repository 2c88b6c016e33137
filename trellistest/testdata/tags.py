# Finds and changes tags of all services with boto3 (by CBOR).
import json, sys
import boto3
from botocore.exceptions import ClientError

tags, lattice, ec2, iam, logs, acm, elb, eks, ram, ra = (boto3.client(s) for s in (
    "resourcegroupstaggingapi", "vpc-lattice", "ec2", "iam", "logs", "acm", "elbv2", "eks", "ram", "rolesanywhere"))

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return
    raise AssertionError(f"{call} was not refused with {code}")

def found(**kw):
    pages = tags.get_paginator("get_resources").paginate(**kw)
    return {m["ResourceARN"]: {t["Key"]: t["Value"] for t in m["Tags"]} for p in pages for m in p["ResourceTagMappingList"]}

pair = [{"Key": "team", "Value": "orders"}]
services = [lattice.create_service(name=f"svc{i}0", tags={"team": "orders", "n": str(i)})["arn"] for i in range(5)]
network = lattice.create_service_network(name="net", tags={"team": "pay"})["arn"]
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": pair}])["Vpc"]
arn = f"arn:aws:ec2:eu-west-1:{vpc['OwnerId']}:vpc/{vpc['VpcId']}"
policy = iam.create_policy(PolicyName="p", PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}', Tags=pair)["Policy"]["Arn"]
profile = iam.create_instance_profile(InstanceProfileName="ip", Tags=pair)["InstanceProfile"]["Arn"]
logs.create_log_group(logGroupName="g", tags={"team": "orders"})
group = f"arn:aws:logs:eu-west-1:{vpc['OwnerId']}:log-group:g"
certificate = acm.request_certificate(DomainName="a.example.com", Tags=pair)["CertificateArn"]
balanced = elb.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=vpc["VpcId"], Tags=pair)["TargetGroups"][0]["TargetGroupArn"]
share = ram.create_resource_share(name="sh", tags=[{"key": "team", "value": "orders"}])["resourceShare"]["resourceShareArn"]
anchor = ra.create_trust_anchor(name="a", source={"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": open(sys.argv[1]).read()}},
                                tags=[{"key": "team", "value": "orders"}])["trustAnchor"]["trustAnchorArn"]
key = boto3.client("kms").create_key(Tags=[{"TagKey": "team", "TagValue": "orders"}])["KeyMetadata"]["Arn"]
zones = boto3.client("route53")
zone = zones.create_hosted_zone(Name="orders.example.com", CallerReference="c")["HostedZone"]["Id"]
zones.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone.split("/")[-1], AddTags=pair)
zone = "arn:aws:route53:::" + zone.strip("/")
ssm = boto3.client("ssm")
parameters = set()
for name in ("/shop/orders/url", "plain"):
    ssm.put_parameter(Name=name, Value="v", Type="String", Tags=pair)
    parameters.add(ssm.get_parameter(Name=name)["Parameter"]["ARN"])
boto3.client("cloudwatch").put_metric_alarm(AlarmName="an alarm", MetricName="m", Namespace="n", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
                                            ComparisonOperator="LessThanThreshold", Tags=pair)
alarm = f"arn:aws:cloudwatch:eu-west-1:{vpc['OwnerId']}:alarm:an alarm"
boto3.client("s3").create_bucket(Bucket="orders-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
boto3.client("s3").put_bucket_tagging(Bucket="orders-bucket", Tagging={"TagSet": pair})
all = {"arn:aws:s3:::orders-bucket", key, zone, alarm, *parameters, *services, arn, policy, profile, group, certificate, balanced, share, anchor}

assert set(found(TagFilters=[{"Key": "team", "Values": ["orders"]}])) == all, found()
assert set(found(TagFilters=[{"Key": "team"}])) == all | {network}
assert set(found(ResourceTypeFilters=["vpc-lattice:service"])) == set(services)
assert set(found(ResourceTypeFilters=["ec2:vpc", "iam"], TagFilters=[{"Key": "team", "Values": ["orders", "x"]}])) == {arn, policy, profile}
assert found(TagFilters=[{"Key": "team", "Values": ["orders"]}, {"Key": "n", "Values": ["1", "3"]}]) == {
    services[1]: {"team": "orders", "n": "1"}, services[3]: {"team": "orders", "n": "3"}}
assert set(found(ResourcesPerPage=2)) == all | {network}
first = tags.get_resources(ResourcesPerPage=3, ResourceTypeFilters=["vpc-lattice"])
assert len(first["ResourceTagMappingList"]) == 3 and first["PaginationToken"], first
assert tags.get_resources(ResourceARNList=[arn])["ResourceTagMappingList"] == [{"ResourceARN": arn, "Tags": pair}]
assert tags.get_tag_keys()["TagKeys"] == ["n", "team"] and tags.get_tag_values(Key="team")["TagValues"] == ["orders", "pay"]
refused("InvalidParameterException", tags.get_resources, ResourceARNList=[arn], ResourcesPerPage=3)
refused("InvalidParameterException", tags.get_resources, PaginationToken="x")
refused("InvalidParameterException", tags.get_resources, ResourceTypeFilters=["a b"])

for some in (sorted(all)[:8], sorted(all)[8:]):
    assert tags.tag_resources(ResourceARNList=some, Tags={"cost": "7"})["FailedResourcesMap"] == {}
assert set(found(TagFilters=[{"Key": "cost", "Values": ["7"]}])) == all
assert {"Key": "cost", "Value": "7"} in ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["Tags"]
assert lattice.list_tags_for_resource(resourceArn=services[0])["tags"]["cost"] == "7"
for some in (sorted(all)[:8], sorted(all)[8:]):
    assert tags.untag_resources(ResourceARNList=some, TagKeys=["cost"])["FailedResourcesMap"] == {}
assert found(TagFilters=[{"Key": "cost"}]) == {}
gone = services[0][:-1] + ("0" if services[0][-1] != "0" else "1")
failed = tags.tag_resources(ResourceARNList=[gone, services[0], "arn:aws:sqs:eu-west-1:111122223333:q", services[1].replace(vpc["OwnerId"], "444455556666")], Tags={"a": "b"})["FailedResourcesMap"]
assert {k: v["ErrorCode"] for k, v in failed.items()} == {gone: "ResourceNotFoundException", "arn:aws:sqs:eu-west-1:111122223333:q": "InvalidParameterException",
    services[1].replace(vpc["OwnerId"], "444455556666"): "InvalidParameterException"}, failed
refused("InvalidParameterException", tags.tag_resources, ResourceARNList=[arn], Tags={"aws:x": "y"})

# What is in the organization belongs to the account that manages it.
orgs = boto3.client("organizations")
org, root = orgs.create_organization()["Organization"], orgs.list_roots()["Roots"][0]
held = [{"Key": "held", "Value": "yes"}]
unit = orgs.create_organizational_unit(ParentId=root["Id"], Name="shop", Tags=held)["OrganizationalUnit"]["Arn"]
control = orgs.create_policy(Type="SERVICE_CONTROL_POLICY", Name="c", Description="", Tags=held,
                             Content='{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:*","Resource":"*"}]}')["Policy"]["PolicySummary"]["Arn"]
orgs.tag_resource(ResourceId=root["Id"], Tags=held)
assert orgs.list_tags_for_resource(ResourceId=root["Id"])["Tags"] == held
organized = {unit, control, root["Arn"]}
assert set(found(TagFilters=[{"Key": "held"}])) == organized
assert set(found(ResourceTypeFilters=["organizations:ou"])) == {unit} and set(found(ResourceTypeFilters=["organizations"])) == organized
account = orgs.list_accounts()["Accounts"][0]["Arn"]
assert tags.tag_resources(ResourceARNList=[*organized, account], Tags={"cost": "8"})["FailedResourcesMap"] == {}
assert set(found(TagFilters=[{"Key": "cost", "Values": ["8"]}])) == organized | {account}
assert orgs.list_tags_for_resource(ResourceId=unit.split("/")[-1])["Tags"] == [{"Key": "cost", "Value": "8"}, *held]
assert tags.untag_resources(ResourceARNList=[*organized, account], TagKeys=["cost", "held"])["FailedResourcesMap"] == {}
assert found(ResourceTypeFilters=["organizations"]) == {}
stranger = unit.replace(org["Id"], "o-aaaaaaaaaa")
failed = tags.tag_resources(ResourceARNList=[stranger, unit[:-1] + ("0" if unit[-1] != "0" else "1")], Tags={"a": "b"})["FailedResourcesMap"]
assert sorted(f["ErrorCode"] for f in failed.values()) == ["InvalidParameterException", "TargetNotFoundException"], failed

# Both policies hold: the tagging API's, and the service's own.
iam.create_user(UserName="tagger")
iam.put_user_policy(UserName="tagger", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["tag:*", "vpc-lattice:TagResource"], "Resource": "*"}]}))
k = iam.create_access_key(UserName="tagger")["AccessKey"]
theirs = boto3.client("resourcegroupstaggingapi", aws_access_key_id=k["AccessKeyId"], aws_secret_access_key=k["SecretAccessKey"], aws_session_token="")
failed = theirs.tag_resources(ResourceARNList=[services[0], arn], Tags={"by": "tagger"})["FailedResourcesMap"]
assert list(failed) == [arn] and failed[arn]["StatusCode"] == 403, failed
iam.put_user_policy(UserName="tagger", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["vpc-lattice:TagResource"], "Resource": "*"}]}))
refused("AccessDeniedException", theirs.tag_resources, ResourceARNList=[services[0]], Tags={"by": "tagger"})
refused("AccessDeniedException", theirs.get_resources)
print("ok")
