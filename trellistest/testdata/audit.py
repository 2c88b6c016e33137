# Makes calls with boto3 and finds them in CloudTrail's event history; with "again", after a restart.
import json, sys, time
from datetime import datetime, timedelta, timezone
import boto3
from botocore.exceptions import ClientError

trail, iam, lattice, sts = (boto3.client(s) for s in ("cloudtrail", "iam", "vpc-lattice", "sts"))

def look(key, value, **kw):
    pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=[dict(AttributeKey=key, AttributeValue=value)], **kw)
    return [e for p in pages for e in p["Events"]]

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return
    raise AssertionError(f"{call} was not refused with {code}")

if sys.argv[1] == "first":
    service = lattice.create_service(name="audited", tags={"team": "orders"})
    user = iam.create_user(UserName="auditor")["User"]
    key = iam.create_access_key(UserName="auditor")["AccessKey"]
    refused("EntityAlreadyExists", iam.create_user, UserName="auditor")
    them = dict(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"], aws_session_token="")
    refused("AccessDeniedException", boto3.client("vpc-lattice", **them).list_services)
    refused("AccessDeniedException", boto3.client("cloudtrail", **them).lookup_events)
    account = user["Arn"].split(":")[4]
    role = iam.create_role(RoleName="night", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}]}))["Role"]
    c = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="nightly")["Credentials"]
    boto3.client("sts", aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"]).get_caller_identity()
    (e,) = look("EventName", "CreateService")
    r = json.loads(e["CloudTrailEvent"])
    assert r["requestParameters"]["name"] == "audited" and r["responseElements"]["arn"] == service["arn"], r
    assert r["eventSource"] == e["EventSource"] == "vpc-lattice.amazonaws.com" and r["recipientAccountId"] == account, r
    assert r["requestID"] == service["ResponseMetadata"]["RequestId"] and r["eventID"] == e["EventId"], r
    assert not r["readOnly"] and e["ReadOnly"] == "false" and r["eventType"] == "AwsApiCall" and r["managementEvent"], r
    assert r["sourceIPAddress"] == "127.0.0.1" and "Boto3" in r["userAgent"] and r["awsRegion"] == "eu-west-1", r
    assert abs((datetime.now(timezone.utc) - e["EventTime"]).total_seconds()) < 300, e
    assert {"ResourceType": "AWS::VpcLattice::Service", "ResourceName": service["arn"]} in e["Resources"], e
    assert [x["EventId"] for x in look("ResourceName", service["id"])] == [e["EventId"]]
    assert [x["EventId"] for x in look("EventId", e["EventId"])] == [e["EventId"]]
    assert {x["EventName"] for x in look("ResourceType", "AWS::VpcLattice::Service")} == {"CreateService"}
    again, first = look("EventName", "CreateUser")  # the latest first
    r = json.loads(again["CloudTrailEvent"])
    assert r["errorCode"] == "EntityAlreadyExists" and r["responseElements"] is None, r
    (e,) = look("EventName", "CreateAccessKey")
    assert key["SecretAccessKey"] not in e["CloudTrailEvent"] and key["AccessKeyId"] in e["CloudTrailEvent"], e
    denied = look("Username", "auditor")
    assert sorted(x["EventName"] for x in denied) == ["ListServices", "LookupEvents"], denied
    r = json.loads(denied[0]["CloudTrailEvent"])
    assert r["userIdentity"] == {"type": "IAMUser", "principalId": user["UserId"], "arn": user["Arn"], "accountId": account,
                                 "accessKeyId": key["AccessKeyId"], "userName": "auditor"}, r
    assert r["errorCode"] == "AccessDeniedException", r
    assert len(look("AccessKeyId", key["AccessKeyId"])) == 2
    (e,) = look("Username", "nightly")
    r = json.loads(e["CloudTrailEvent"])
    assert r["eventName"] == "GetCallerIdentity" and r["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == role["Arn"], r
    (e,) = look("EventName", "AssumeRole")
    assert c["SessionToken"] not in e["CloudTrailEvent"] and c["SecretAccessKey"] not in e["CloudTrailEvent"], e
    assert {x["EventSource"] for x in look("EventSource", "iam.amazonaws.com")} == {"iam.amazonaws.com"}
    assert "CreateService" not in {x["EventName"] for x in look("ReadOnly", "true")}
    now = datetime.now(timezone.utc)
    assert look("EventName", "CreateService", StartTime=now + timedelta(hours=1)) == []
    assert len(look("EventName", "CreateService", StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1))) == 1
    refused("InvalidTimeRangeException", trail.lookup_events, StartTime=now, EndTime=now - timedelta(hours=1))
    refused("InvalidNextTokenException", trail.lookup_events, NextToken="x")
    for _ in range(60):
        iam.get_user(UserName="auditor")
    got = look("EventName", "GetUser")
    assert len(got) == 60 == len({x["EventId"] for x in got}), len(got)
    assert trail.describe_trails()["trailList"] == trail.list_trails()["Trails"] == []
    refused("TrailNotFoundException", trail.get_trail_status, Name="t")
    refused("UnknownOperationException", trail.create_trail, Name="t", S3BucketName="b")
elif sys.argv[1] == "again":
    assert len(look("EventName", "GetUser")) == 60 and len(look("EventName", "CreateService")) == 1
else:  # another account
    assert look("EventName", "CreateAccessKey") == look("ResourceName", "auditor") == []
print("ok")
