# Drives the API with boto3 alone and prints ok.
import json, sys, uuid
import boto3
from botocore.exceptions import ClientError

lattice = boto3.client("vpc-lattice")
orgs, sts, iam, ec2, ram, logs = (boto3.client(s) for s in ("organizations", "sts", "iam", "ec2", "ram", "logs"))

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response
    raise AssertionError(f"{call} was not refused with {code}")

me = sts.get_caller_identity()
assert me["Account"] == "111122223333", me

# pages, client tokens, tags, revisions
token = str(uuid.uuid4())
first = lattice.create_service_network(name="net-0", clientToken=token, tags={"team": "a", "empty": ""})
assert int(first["ResponseMetadata"]["HTTPHeaders"]["x-trellis-revision"]) > 0
again = lattice.create_service_network(name="net-0", clientToken=token, tags={"team": "a", "empty": ""})
assert first["id"] == again["id"]
refused("ConflictException", lattice.create_service_network, name="net-00", clientToken=token)
for i in range(1, 7):
    lattice.create_service_network(name=f"net-{i}")
names = [n["name"] for p in lattice.get_paginator("list_service_networks").paginate(PaginationConfig={"PageSize": 2}) for n in p["items"]]
assert sorted(names) == [f"net-{i}" for i in range(7)], names
assert lattice.list_tags_for_resource(resourceArn=first["arn"])["tags"] == {"team": "a", "empty": ""}
lattice.tag_resource(resourceArn=first["arn"], tags={"stage": "prod"})
lattice.untag_resource(resourceArn=first["arn"], tagKeys=["team", "empty"])
assert lattice.list_tags_for_resource(resourceArn=first["arn"])["tags"] == {"stage": "prod"}
assert lattice.get_service_network(serviceNetworkIdentifier=first["arn"])["authType"] == "NONE"

# a service's whole life
svc = lattice.create_service(name="orders")
assert svc["status"] == "CREATE_IN_PROGRESS", svc
vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
tg = lattice.create_target_group(name="orders", type="IP", config={"port": 8080, "protocol": "HTTP", "vpcIdentifier": vpc})
full = lattice.get_target_group(targetGroupIdentifier=tg["arn"])
hc = full["config"]["healthCheck"]
assert (hc["enabled"], hc["healthCheckIntervalSeconds"], hc["healthCheckTimeoutSeconds"], hc["healthyThresholdCount"], hc["unhealthyThresholdCount"],
        hc["matcher"]["httpCode"], hc["path"], hc["protocol"], hc["protocolVersion"]) == (True, 30, 5, 5, 2, "200", "/", "HTTP", "HTTP1"), hc
listener = lattice.create_listener(serviceIdentifier=svc["id"], name="http", protocol="HTTP",
    defaultAction={"forward": {"targetGroups": [{"targetGroupIdentifier": tg["arn"]}]}})
assert listener["port"] == 80 and listener["defaultAction"]["forward"]["targetGroups"] == [{"targetGroupIdentifier": tg["id"], "weight": 100}], listener
rule = lattice.create_rule(serviceIdentifier=svc["id"], listenerIdentifier=listener["id"], name="canary", priority=10,
    match={"httpMatch": {"pathMatch": {"match": {"prefix": "/v1"}}}}, action={"fixedResponse": {"statusCode": 404}})
assert rule["match"]["httpMatch"]["headerMatches"] == [] and rule["match"]["httpMatch"]["pathMatch"]["caseSensitive"] is True, rule
rules = lattice.list_rules(serviceIdentifier=svc["id"], listenerIdentifier=listener["id"])["items"]
assert sorted(r["isDefault"] for r in rules) == [False, True], rules
refused("ConflictException", lattice.delete_target_group, targetGroupIdentifier=tg["id"])
err = refused("ResourceNotFoundException", lattice.get_service, serviceIdentifier="svc-0123456789abcdef0")
assert err["ResponseMetadata"]["HTTPStatusCode"] == 404 and err["resourceType"] == "SERVICE", err
lattice.put_auth_policy(resourceIdentifier=svc["arn"], policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}))
assert lattice.get_auth_policy(resourceIdentifier=svc["arn"])["state"] == "Inactive"
lattice.update_service(serviceIdentifier=svc["id"], authType="AWS_IAM")
assert lattice.get_auth_policy(resourceIdentifier=svc["arn"])["state"] == "Active"
lattice.delete_listener(serviceIdentifier=svc["id"], listenerIdentifier=listener["id"])
lattice.delete_target_group(targetGroupIdentifier=tg["id"])
lattice.delete_service(serviceIdentifier=svc["id"])

# a member account; a user there with few rights; sessions
orgs.create_organization(FeatureSet="ALL")
status = orgs.create_account(AccountName="member", Email="member@example.com")["CreateAccountStatus"]
while status["State"] == "IN_PROGRESS":
    status = orgs.describe_create_account_status(CreateAccountRequestId=status["Id"])["CreateAccountStatus"]
assert status["State"] == "SUCCEEDED", status
member = status["AccountId"]
c = sts.assume_role(RoleArn=f"arn:aws:iam::{member}:role/OrganizationAccountAccessRole", RoleSessionName="drive")["Credentials"]
session = boto3.Session(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
assert session.client("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{member}:assumed-role/OrganizationAccountAccessRole/drive"
theirs = session.client("vpc-lattice")
assert theirs.list_service_networks()["items"] == []
a = refused("ResourceNotFoundException", theirs.get_service_network, serviceNetworkIdentifier=first["arn"])
b = refused("ResourceNotFoundException", theirs.get_service_network, serviceNetworkIdentifier=first["arn"][:-17] + "0" * 17)
assert a["Error"]["Message"].replace(first["id"], "") == b["Error"]["Message"].replace("sn-" + "0" * 17, ""), (a, b)

miam = session.client("iam")
miam.create_user(UserName="reader")
miam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "vpc-lattice:List*", "Resource": "*"}]}))
k = miam.create_access_key(UserName="reader")["AccessKey"]
reader = boto3.Session(k["AccessKeyId"], k["SecretAccessKey"]).client("vpc-lattice")
assert reader.list_services()["items"] == []
refused("AccessDeniedException", reader.create_service, name="nope")
def only_from(block):
    miam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "vpc-lattice:List*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": block}}}]}))
only_from("127.0.0.0/8")
reader.list_services()
only_from("203.0.113.0/24")
refused("AccessDeniedException", reader.list_services)
miam.update_access_key(UserName="reader", AccessKeyId=k["AccessKeyId"], Status="Inactive")
refused("UnrecognizedClientException", reader.list_services)

# shares
share = ram.create_resource_share(name="mesh", resourceArns=[first["arn"]], principals=[member], allowExternalPrincipals=True)["resourceShare"]
inv = session.client("ram").get_resource_share_invitations()["resourceShareInvitations"]
for i in inv:
    if i["status"] == "PENDING":
        session.client("ram").accept_resource_share_invitation(resourceShareInvitationArn=i["resourceShareInvitationArn"])
assert [n["id"] for n in theirs.list_service_networks()["items"]] == [first["id"]]
assert theirs.get_service_network(serviceNetworkIdentifier=first["arn"])["id"] == first["id"]
ram.delete_resource_share(resourceShareArn=share["resourceShareArn"])
assert theirs.list_service_networks()["items"] == []

logs.create_log_group(logGroupName="/test")
logs.create_log_stream(logGroupName="/test", logStreamName="s")
import time
now = int(time.time() * 1000)
logs.put_log_events(logGroupName="/test", logStreamName="s", logEvents=[{"timestamp": now, "message": json.dumps({"responseCode": 403, "n": i})} for i in range(3)])
assert len(logs.filter_log_events(logGroupName="/test", filterPattern="{ $.n = 1 }")["events"]) == 1
print("ok")
