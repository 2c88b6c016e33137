# The guide's sample caller; the URL comes from the command line.
import sys
import boto3, requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
session = boto3.Session()
creds = session.get_credentials().get_frozen_credentials()
region = "eu-west-1"
url = sys.argv[1]
req = AWSRequest(method="GET", url=url)
# Service name is "vpc-lattice-svcs", not "vpc-lattice".
SigV4Auth(creds, "vpc-lattice-svcs", region).add_auth(req)
resp = requests.get(url, headers=dict(req.headers))
print(resp.status_code, resp.text)
