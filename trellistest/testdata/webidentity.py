# Calls a URL with what boto3 finds by itself, as a pod would. Prints one JSON object: who boto3 is, the status, the
# body of a refusal, and the credentials.
import json, sys, urllib.error, urllib.request
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
url = sys.argv[1]
session = boto3.Session()
found = session.get_credentials().get_frozen_credentials()
who = "" if len(sys.argv) > 2 else session.client("sts").get_caller_identity()["Arn"]
r = AWSRequest("GET", url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
SigV4Auth(found, "vpc-lattice-svcs", session.region_name).add_auth(r)
try:
    status, body = urllib.request.urlopen(urllib.request.Request(url, headers=dict(r.headers.items())), timeout=10).status, ""
except urllib.error.HTTPError as e:
    status, body = e.code, e.read().decode()
print(json.dumps({"who": who, "status": status, "body": body, "credentials": [found.access_key, found.secret_key, found.token]}))
