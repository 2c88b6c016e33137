"""Drives IAM Roles Anywhere by the unmodified boto3: every operation once, and what is refused."""
import sys

import boto3
from botocore.exceptions import ClientError

pki = sys.argv[1]
read = lambda name: open(f"{pki}/{name}").read()
ra = boto3.client("rolesanywhere")
account = boto3.client("sts").get_caller_identity()["Account"]
role = f"arn:aws:iam::{account}:role/orders"


def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response["Error"]["Message"]
    raise AssertionError(f"{call} was not refused")


def bundle(name):
    return {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": read(name)}}


# Trust anchors.
a = ra.create_trust_anchor(name="root", source=bundle("ca.pem"), aliasName="team/root", tags=[{"key": "team", "value": "shop"}])["trustAnchor"]
assert a["enabled"] is False and a["aliasArn"].endswith(":alias/trust-anchor/team/root"), a
assert a["source"] == bundle("ca.pem"), a
assert a["trustAnchorArn"] == f"arn:aws:rolesanywhere:{ra.meta.region_name}:{account}:trust-anchor/{a['trustAnchorId']}", a
assert [n["configuredBy"] for n in a["notificationSettings"]] == ["rolesanywhere.amazonaws.com"] * 2, a
for name in (a["trustAnchorId"], a["trustAnchorArn"], a["aliasArn"]):
    assert ra.get_trust_anchor(trustAnchorId=name)["trustAnchor"] == a
assert ra.enable_trust_anchor(trustAnchorId=a["trustAnchorId"])["trustAnchor"]["enabled"] is True
assert ra.disable_trust_anchor(trustAnchorId=a["trustAnchorArn"])["trustAnchor"]["enabled"] is False
b = ra.update_trust_anchor(trustAnchorId=a["trustAnchorId"], name="other", source=bundle("other.pem"), aliasName="other")["trustAnchor"]
assert b["name"] == "other" and b["source"] == bundle("other.pem") and b["previousAliasName"] == "team/root", b
refused("ResourceNotFoundException", ra.get_trust_anchor, trustAnchorId=a["aliasArn"])
ra.update_trust_anchor(trustAnchorId=a["trustAnchorId"], source=bundle("ca.pem"))
n = ra.put_notification_settings(trustAnchorId=a["trustAnchorId"], notificationSettings=[{"event": "CA_CERTIFICATE_EXPIRY", "enabled": False, "threshold": 7}])
assert n["trustAnchor"]["notificationSettings"][0] == {"event": "CA_CERTIFICATE_EXPIRY", "enabled": False, "threshold": 7, "channel": "ALL", "configuredBy": account}
n = ra.reset_notification_settings(trustAnchorId=a["trustAnchorId"], notificationSettingKeys=[{"event": "CA_CERTIFICATE_EXPIRY"}])
assert n["trustAnchor"]["notificationSettings"][0]["enabled"] is True, n
assert "Private CA" in refused("ValidationException", ra.create_trust_anchor, name="pca", source={"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/x"}})
refused("ValidationException", ra.create_trust_anchor, name="leaf", source=bundle("orders.pem"))
refused("ValidationException", ra.create_trust_anchor, name="points", source=bundle("ca.pem"), crlDpRevocationEnabled=True)
refused("ValidationException", ra.create_trust_anchor, name="second", source=bundle("ca.pem"), aliasName="other")
refused("ValidationException", ra.create_trust_anchor, name="a;b", source=bundle("ca.pem"))
refused("ResourceNotFoundException", ra.get_trust_anchor, trustAnchorId="01234567-89ab-4cde-8f01-23456789abcd")

# Profiles and what becomes session tags.
p = ra.create_profile(name="orders", roleArns=[role], enabled=True)["profile"]
assert p["durationSeconds"] == 3600 and p["enabled"] is True and p["createdBy"].startswith("arn:aws:iam::"), p
assert {m["certificateField"]: [r["specifier"] for r in m["mappingRules"]] for m in p["attributeMappings"]} == {
    "x509Issuer": ["*"], "x509SAN": ["DNS", "URI", "Name/*"], "x509Subject": ["*"]}, p
p = ra.delete_attribute_mapping(profileId=p["profileId"], certificateField="x509Subject", specifiers=["*"])["profile"]
p = ra.put_attribute_mapping(profileId=p["profileId"], certificateField="x509Subject", mappingRules=[{"specifier": "CN"}, {"specifier": "OU"}])["profile"]
assert {"certificateField": "x509Subject", "mappingRules": [{"specifier": "CN"}, {"specifier": "OU"}]} in p["attributeMappings"], p
p = ra.delete_attribute_mapping(profileId=p["profileId"], certificateField="x509SAN")["profile"]
assert {m["certificateField"] for m in p["attributeMappings"]} == {"x509Issuer", "x509Subject"}, p
refused("ValidationException", ra.put_attribute_mapping, profileId=p["profileId"], certificateField="x509Subject", mappingRules=[{"specifier": "Nonsense"}])
p = ra.update_profile(profileId=p["profileId"], durationSeconds=900, acceptRoleSessionName=True, sessionPolicy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}')["profile"]
assert p["durationSeconds"] == 900 and p["acceptRoleSessionName"] is True and "Allow" in p["sessionPolicy"], p
refused("ValidationException", ra.update_profile, profileId=p["profileId"], sessionPolicy="{}")
refused("ValidationException", ra.create_profile, name="x", roleArns=["arn:aws:iam::444455556666:role/orders"])
assert ra.disable_profile(profileId=p["profileId"])["profile"]["enabled"] is False
assert ra.enable_profile(profileId=p["profileArn"])["profile"]["enabled"] is True
assert ra.get_profile(profileId=p["profileId"])["profile"]["name"] == "orders"

# Lists of revoked certificates.
crl = open(f"{pki}/crl.pem", "rb").read()
c = ra.import_crl(name="list", crlData=crl, trustAnchorArn=a["trustAnchorArn"], enabled=True)["crl"]
assert c["crlData"] == crl and c["trustAnchorArn"] == a["trustAnchorArn"] and c["enabled"] is True, c
assert ra.disable_crl(crlId=c["crlId"])["crl"]["enabled"] is False
assert ra.enable_crl(crlId=c["crlArn"])["crl"]["enabled"] is True
assert ra.update_crl(crlId=c["crlId"], name="renamed", crlData=crl)["crl"]["name"] == "renamed"
assert ra.get_crl(crlId=c["crlId"])["crl"]["crlId"] == c["crlId"]
refused("ValidationException", ra.import_crl, name="bad", crlData=b"no list", trustAnchorArn=a["trustAnchorArn"])
other = ra.create_trust_anchor(name="other", source=bundle("other.pem"))["trustAnchor"]
assert "not signed" in refused("ValidationException", ra.import_crl, name="wrong", crlData=crl, trustAnchorArn=other["trustAnchorArn"])

# Tags.
ra.tag_resource(resourceArn=p["profileArn"], tags=[{"key": "team", "value": "shop"}, {"key": "stage", "value": "test"}])
ra.untag_resource(resourceArn=p["profileArn"], tagKeys=["stage"])
assert ra.list_tags_for_resource(resourceArn=p["profileArn"])["tags"] == [{"key": "team", "value": "shop"}]
assert ra.list_tags_for_resource(resourceArn=a["trustAnchorArn"])["tags"] == [{"key": "team", "value": "shop"}]
refused("TooManyTagsException", ra.tag_resource, resourceArn=p["profileArn"], tags=[{"key": f"k{i}", "value": ""} for i in range(51)])
refused("ResourceNotFoundException", ra.list_tags_for_resource, resourceArn=f"arn:aws:rolesanywhere:{ra.meta.region_name}:{account}:profile/01234567-89ab-4cde-8f01-23456789abcd")

# Pages.
for i in range(4):
    ra.create_profile(name=f"p{i}", roleArns=[role])
pages = [len(q["profiles"]) for q in ra.get_paginator("list_profiles").paginate(pageSize=2)]
assert pages == [2, 2, 1], pages
assert len(ra.list_trust_anchors()["trustAnchors"]) == 2 and len(ra.list_crls()["crls"]) == 1 and ra.list_subjects()["subjects"] == []
refused("ResourceNotFoundException", ra.get_subject, subjectId="01234567-89ab-4cde-8f01-23456789abcd")

# Who may make profiles must be allowed to pass the roles.
iam = boto3.client("iam")
iam.create_user(UserName="keeper")
iam.put_user_policy(UserName="keeper", PolicyName="p", PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"rolesanywhere:*","Resource":"*"}]}')
key = iam.create_access_key(UserName="keeper")["AccessKey"]
keeper = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"]).client("rolesanywhere")
assert "iam:PassRole" in refused("AccessDeniedException", keeper.create_profile, name="stolen", roleArns=[role])
keeper.create_profile(name="empty", roleArns=[])

# A trust anchor goes with its lists.
assert ra.delete_trust_anchor(trustAnchorId=a["trustAnchorId"])["trustAnchor"]["name"] == "other"
assert ra.list_crls()["crls"] == []
ra.delete_profile(profileId=p["profileId"])
refused("ResourceNotFoundException", ra.get_profile, profileId=p["profileId"])
print("ok")
