"""Takes a role's credentials from the instance metadata with a token and without one, and prints as JSON what they may do."""
import json
import os

import boto3
import requests
from botocore.exceptions import ClientError

base = "http://169.254.169.254/latest/"
token = requests.put(base + "api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}).text
out = {}
for version, headers in {"1": {}, "2": {"X-aws-ec2-metadata-token": token}}.items():
    at = base + "meta-data/iam/security-credentials/"
    c = requests.get(at + requests.get(at, headers=headers).text, headers=headers).json()
    try:
        boto3.Session(c["AccessKeyId"], c["SecretAccessKey"], c["Token"], region_name=os.environ["AWS_REGION"]).client("ec2").describe_vpcs()
        out[version] = "allowed"
    except ClientError as e:
        out[version] = e.response["Error"]["Code"]
print(json.dumps(out))
