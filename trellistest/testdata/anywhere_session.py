"""Gets sessions from IAM Roles Anywhere by AWS's own helper, as credential_process of the unmodified boto3."""
import json
import os
import subprocess
import sys

import boto3

pki, helper = sys.argv[1:]
endpoint, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
ra, iam = boto3.client("rolesanywhere"), boto3.client("iam")
account = boto3.client("sts").get_caller_identity()["Account"]


def role(name, condition, **kw):
    allow = {"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}
    if condition:
        allow["Condition"] = condition
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow}), **kw)["Role"]["Arn"]


anchor = ra.create_trust_anchor(name="root", enabled=True, source={"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": open(f"{pki}/ca.pem").read()}})["trustAnchor"]
source = {"ArnEquals": {"aws:SourceArn": anchor["trustAnchorArn"]}, "StringEquals": {"aws:SourceAccount": account}}
orders = role("orders", {**source, "StringEquals": {"aws:PrincipalTag/x509Subject/OU": "Shop", "aws:PrincipalTag/x509Issuer/CN": "Example Root"}}, MaxSessionDuration=7200)
svid = role("svid", {**source, "StringLike": {"aws:PrincipalTag/x509SAN/URI": "spiffe://example.org/*"}})
alice = role("alice", {"StringEquals": {"sts:SourceIdentity": "alice"}})
elsewhere = role("elsewhere", {"ArnEquals": {"aws:SourceArn": anchor["trustAnchorArn"] + "0"}})
nobody = iam.create_role(RoleName="nobody", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}))["Role"]["Arn"]
below = role("below", None)
profile = ra.create_profile(name="all", enabled=True, roleArns=[orders, svid, alice, elsewhere, nobody, below], durationSeconds=3600)["profile"]
ra.import_crl(name="list", enabled=True, trustAnchorArn=anchor["trustAnchorArn"], crlData=open(f"{pki}/crl.pem", "rb").read())


def command(name, role, *more):
    return [helper, "credential-process", "--endpoint", endpoint, "--region", region, "--certificate", f"{pki}/{name}.pem", "--private-key", f"{pki}/{name}.key",
            "--trust-anchor-arn", anchor["trustAnchorArn"], "--profile-arn", profile["profileArn"], "--role-arn", role, *more]


def session(name, role, *more):
    """A session of boto3 whose credentials come by credential_process."""
    path = f"{pki}/config.{name}"
    with open(path, "w") as f:
        f.write(f"[default]\ncredential_process = {' '.join(command(name, role, *more))}\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION"))}
    out = subprocess.run([sys.executable, "-c", "import boto3,json; print(json.dumps(boto3.client('sts').get_caller_identity()))"],
                         env={**env, "AWS_CONFIG_FILE": path}, check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def refused(why, name, role, *more):
    out = subprocess.run(command(name, role, *more), capture_output=True, text=True)
    assert out.returncode != 0 and why in out.stderr + out.stdout, (why, out.stdout, out.stderr)


def serial(name):
    out = subprocess.run(["openssl", "x509", "-in", f"{pki}/{name}.pem", "-noout", "-serial"], capture_output=True, text=True, check=True)
    return out.stdout.strip().removeprefix("serial=").lower()


# An RSA key, one on a curve, a SPIFFE id without a name, and a certificate below an authority that comes along.
who = session("orders", orders)
assert who["Arn"] == f"arn:aws:sts::{account}:assumed-role/orders/{serial('orders')}" and who["UserId"].endswith(":" + serial("orders")), who
assert session("curve", orders)["Arn"].endswith(serial("curve"))
assert session("svid", svid)["Arn"] == f"arn:aws:sts::{account}:assumed-role/svid/{serial('svid')}"
assert session("below", below, "--intermediates", f"{pki}/middle.pem")["Arn"].endswith(serial("below"))

# What the helper prints: the session is as long as the profile says, or less.
out = json.loads(subprocess.run(command("orders", orders, "--session-duration", "900"), check=True, capture_output=True, text=True).stdout)
assert out["AccessKeyId"].startswith("ASIA"), out

# Refusals.
refused("Untrusted signing certificate", "stranger", orders)
refused("Untrusted signing certificate", "below", below)
refused("Untrusted certificate. Insufficient certificate", "middle", below)
refused("Certificate revoked", "revoked", below)
refused(f"Unable to assume role for {svid}", "below", svid, "--intermediates", f"{pki}/middle.pem")
refused(f"Unable to assume role for {alice}", "orders", alice)
refused(f"Unable to assume role for {elsewhere}", "orders", elsewhere)
refused(f"Unable to assume role for {nobody}", "orders", nobody)
refused("Role is not in the profile", "orders", orders + "x")
refused("Not authorized to set roleSessionName", "orders", orders, "--role-session-name", "mine")
ra.update_profile(profileId=profile["profileId"], acceptRoleSessionName=True)
assert session("orders", orders, "--role-session-name", "mine")["Arn"].endswith("/orders/mine")
ra.delete_attribute_mapping(profileId=profile["profileId"], certificateField="x509Issuer")
refused(f"Unable to assume role for {orders}", "orders", orders)
ra.put_attribute_mapping(profileId=profile["profileId"], certificateField="x509Issuer", mappingRules=[{"specifier": "CN"}])
session("orders", orders)
ra.disable_profile(profileId=profile["profileId"])
refused("Profile is not enabled", "orders", orders)
ra.enable_profile(profileId=profile["profileId"])
ra.disable_trust_anchor(trustAnchorId=anchor["trustAnchorId"])
refused("Trust anchor is not enabled", "orders", orders)

# Who was there is remembered.
seen = {s["x509Subject"]: ra.get_subject(subjectId=s["subjectId"])["subject"] for s in ra.list_subjects()["subjects"]}
assert set(seen) == {"CN=orders,OU=Shop,O=Example", "CN=curve,OU=Shop,O=Example", "CN=below,O=Example", "CN=revoked,O=Example", "spiffe://example.org/orders"}, set(seen)
assert seen["CN=revoked,O=Example"]["credentials"][0]["failed"] is True and seen["CN=curve,OU=Shop,O=Example"]["credentials"][0]["failed"] is False
assert int(seen["CN=orders,OU=Shop,O=Example"]["credentials"][0]["serialNumber"]) == int(serial("orders"), 16)
print("ok")
