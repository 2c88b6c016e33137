# Signs requests to a URL as a user of an account, while IAM and Organizations change what bounds the user and the service.
# Prints one JSON list of [what, status, body].
import http.client, json, sys, urllib.parse
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
url, account, root, unit, key, secret = sys.argv[1:]
def client(service, key, secret, token=None):
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)
def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
def statement(effect, action, **more):
    return {"Effect": effect, "Action": action, "Resource": "*", **more}
invoke = "vpc-lattice-svcs:Invoke"
org = client("organizations", key, secret)
own = client("sts", key, secret).assume_role(RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="test")["Credentials"]
iam = client("iam", own["AccessKeyId"], own["SecretAccessKey"], own["SessionToken"])
iam.create_user(UserName="alice")
alice = iam.create_access_key(UserName="alice")["AccessKey"]
creds = Credentials(alice["AccessKeyId"], alice["SecretAccessKey"])
answers = []
def ask(what):
    u = urllib.parse.urlsplit(url)
    r = AWSRequest("GET", url, headers={"host": u.netloc, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    SigV4Auth(creds, "vpc-lattice-svcs", "eu-west-1").add_auth(r)
    c = http.client.HTTPConnection(u.netloc, timeout=10)
    c.request("GET", u.path, headers=dict(r.headers.items()))
    a = c.getresponse()
    text = a.read().decode()
    answers.append([what, a.status, "" if a.status == 200 else text])

ask("no policy")
iam.create_group(GroupName="callers")
iam.put_group_policy(GroupName="callers", PolicyName="may", PolicyDocument=document(statement("Allow", invoke)))
iam.add_user_to_group(GroupName="callers", UserName="alice")
ask("a group that may")
iam.put_group_policy(GroupName="callers", PolicyName="may-not", PolicyDocument=document(statement("Deny", invoke)))
ask("a group that may not")
iam.delete_group_policy(GroupName="callers", PolicyName="may-not")
ask("the group may again")

edge = iam.create_policy(PolicyName="edge", PolicyDocument=document(statement("Allow", "iam:*")))["Policy"]["Arn"]
iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=edge)
ask("a boundary that is silent")
iam.create_policy_version(PolicyArn=edge, PolicyDocument=document(statement("Allow", "vpc-lattice-svcs:*")), SetAsDefault=True)
ask("a version of the boundary that allows")
iam.set_default_policy_version(PolicyArn=edge, VersionId="v1")
ask("the version before")
iam.delete_user_permissions_boundary(UserName="alice")
ask("no boundary")

for kind, of, target in (("SERVICE_CONTROL_POLICY", {}, unit), ("RESOURCE_CONTROL_POLICY", {"Principal": "*"}, account)):
    made = org.create_policy(Type=kind, Name="no-calls", Description="", Content=document(statement("Deny", "vpc-lattice-svcs:*", **of)))["Policy"]["PolicySummary"]["Id"]
    org.enable_policy_type(RootId=root, PolicyType=kind)
    ask(kind + " enabled")
    org.attach_policy(PolicyId=made, TargetId=target)
    ask(kind + " attached")
    org.detach_policy(PolicyId=made, TargetId=target)
    ask(kind + " detached")
print(json.dumps(answers))
