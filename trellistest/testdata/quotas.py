# Reads and raises quotas with boto3, and makes as many listeners, roles and VPCs as they say.
import json, time
import boto3
from botocore.exceptions import ClientError

quotas, lattice, iam, ec2 = (boto3.client(s) for s in ("service-quotas", "vpc-lattice", "iam", "ec2"))

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response
    raise AssertionError(f"{call} was not refused with {code}")

services = {s["ServiceCode"] for p in quotas.get_paginator("list_services").paginate(PaginationConfig={"PageSize": 1}) for s in p["Services"]}
assert {"vpc-lattice", "acm", "iam", "vpc"} <= services, services
listed = {q["QuotaCode"]: q for p in quotas.get_paginator("list_service_quotas").paginate(ServiceCode="vpc-lattice", PaginationConfig={"PageSize": 4}) for q in p["Quotas"]}
defaults = {q["QuotaCode"]: q for p in quotas.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode="vpc-lattice") for q in p["Quotas"]}
assert len(listed) == 15 and listed.keys() == defaults.keys(), listed.keys()
assert listed["L-620C821E"]["Value"] == 2000.0 and listed["L-620C821E"]["Adjustable"] and not listed["L-620C821E"]["GlobalQuota"], listed["L-620C821E"]

service = lattice.create_service(name="orders")["id"]
while lattice.get_service(serviceIdentifier=service)["status"] != "ACTIVE":
    time.sleep(0.05)

def listener(port):
    return dict(serviceIdentifier=service, name=f"on-{port}", protocol="HTTP", port=port, defaultAction={"fixedResponse": {"statusCode": 404}})

lattice.create_listener(**listener(80)), lattice.create_listener(**listener(81))
e = refused("ServiceQuotaExceededException", lattice.create_listener, **listener(82))
assert e["quotaCode"] == "L-D64E952E" and e["serviceCode"] == "vpc-lattice" and e["resourceType"] == "LISTENER", e

want = dict(ServiceCode="vpc-lattice", QuotaCode=e["quotaCode"])
refused("IllegalArgumentException", quotas.request_service_quota_increase, DesiredValue=2, **want)
refused("NoSuchResourceException", quotas.request_service_quota_increase, ServiceCode="vpc-lattice", QuotaCode="L-00000000", DesiredValue=2)
asked = quotas.request_service_quota_increase(DesiredValue=3, **want)["RequestedQuota"]
assert asked["Status"] == "APPROVED" and asked["DesiredValue"] == 3.0 and json.loads(asked["Requester"])["accountId"] == "111122223333", asked
lattice.create_listener(**listener(82))
refused("ServiceQuotaExceededException", lattice.create_listener, **listener(83))
assert quotas.get_service_quota(**want)["Quota"]["Value"] == 3.0
assert quotas.get_aws_default_service_quota(**want)["Quota"]["Value"] == 2.0
assert quotas.get_requested_service_quota_change(RequestId=asked["Id"])["RequestedQuota"]["Id"] == asked["Id"]
quotas.request_service_quota_increase(ServiceCode="iam", QuotaCode="L-FE177D64", DesiredValue=2000)
assert iam.get_account_summary()["SummaryMap"]["RolesQuota"] == 2000
history = [r for p in quotas.get_paginator("list_requested_service_quota_change_history").paginate(PaginationConfig={"PageSize": 1}) for r in p["RequestedQuotas"]]
assert [r["QuotaCode"] for r in history] == ["L-FE177D64", "L-D64E952E"], history
assert quotas.list_requested_service_quota_change_history_by_quota(Status="PENDING", **want)["RequestedQuotas"] == []
assert len(quotas.list_requested_service_quota_change_history_by_quota(**want)["RequestedQuotas"]) == 1

arn = quotas.get_service_quota(**want)["Quota"]["QuotaArn"]
quotas.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "shop"}, {"Key": "why", "Value": ""}])
quotas.untag_resource(ResourceARN=arn, TagKeys=["why"])
assert quotas.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "shop"}]

have = len(ec2.describe_vpcs()["Vpcs"])
for n in range(have, 5):
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
refused("VpcLimitExceeded", ec2.create_vpc, CidrBlock="10.0.0.0/16")
quotas.request_service_quota_increase(ServiceCode="vpc", QuotaCode="L-F678F1CE", DesiredValue=6)
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
group = ec2.create_security_group(GroupName="many", Description="rules", VpcId=vpc)["GroupId"]
rule = lambda n: {"IpProtocol": "tcp", "FromPort": n, "ToPort": n, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule(n) for n in range(1, 61)])
refused("RulesPerSecurityGroupLimitExceeded", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule(61)])

# What companions may have stands in the same table: load balancers, and zones.
assert {"elasticloadbalancing", "route53", "s3", "lambda", "kms", "firehose"} <= services, services
elb, zones = boto3.client("elbv2"), boto3.client("route53")
subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=z["ZoneName"])["Subnet"]["SubnetId"] for n, z in enumerate(ec2.describe_availability_zones()["AvailabilityZones"][:2])]
balancer = lambda n: dict(Name=f"lb-{n}", Scheme="internal", Subnets=subnets)
for n in range(50):
    elb.create_load_balancer(**balancer(n))
told = lambda: {l["Name"]: l["Max"] for l in elb.describe_account_limits()["Limits"]}["application-load-balancers"]
assert told() == "50", told()
refused("TooManyLoadBalancers", elb.create_load_balancer, **balancer(50))
quotas.request_service_quota_increase(ServiceCode="elasticloadbalancing", QuotaCode="L-53DA6B97", DesiredValue=51)
assert told() == "51", told()
elb.create_load_balancer(**balancer(50))
refused("TooManyLoadBalancers", elb.create_load_balancer, **balancer(51))
for n in range(500):
    zones.create_hosted_zone(Name="example.com", CallerReference=str(n))
refused("TooManyHostedZones", zones.create_hosted_zone, Name="example.com", CallerReference="more")
quota = quotas.get_service_quota(ServiceCode="route53", QuotaCode="L-4EA4796A")["Quota"]
assert quota["GlobalQuota"] and quota["QuotaArn"] == "arn:aws:servicequotas::111122223333:route53/L-4EA4796A", quota
storage = quotas.get_service_quota(ServiceCode="lambda", QuotaCode="L-2ACBD22F")["Quota"]
assert storage["Unit"] == "Gigabytes" and boto3.client("lambda").get_account_settings()["AccountLimit"]["TotalCodeSize"] == int(storage["Value"]) << 30, storage
print("ok")
