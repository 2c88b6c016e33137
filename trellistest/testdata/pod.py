"""A process in a pod: finds credentials by Pod Identity's environment, calls a service with them, and prints what came
of each step as JSON. The argument is the URL of the service; without one only the agent is asked."""
import json
import os
import sys

import botocore.awsrequest
import botocore.auth
import botocore.exceptions
import botocore.session
import requests

out = {}


def call(url):
    session, region = botocore.session.Session(), os.environ["AWS_REGION"]
    credentials = session.get_credentials()
    out["method"], out["account"] = credentials.method, credentials.get_frozen_credentials().account_id
    out["caller"] = session.create_client("sts", region_name=region).get_caller_identity()["Arn"]
    request = botocore.awsrequest.AWSRequest("GET", url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    request.context["payload_signing_enabled"] = False
    botocore.auth.SigV4Auth(credentials, "vpc-lattice-svcs", region).add_auth(request)
    out["status"] = requests.get(url, headers=dict(request.headers)).status_code


for url in sys.argv[1:]:
    try:
        call(url)
    except botocore.exceptions.CredentialRetrievalError as e:
        out["error"] = str(e).strip()
agent = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
token = open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read()
for name, url, headers in (
    ("whole", agent, {"Authorization": token}),
    ("no token", agent, {}),
    ("bearer", agent, {"Authorization": "Bearer " + token}),
    ("torn", agent, {"Authorization": token[:-8] + "AAAAAAAA"}),
    ("by a name", agent, {"Authorization": token, "Host": "pods.example.com"}),
    ("elsewhere", agent + "/x", {"Authorization": token}),
):
    answer = requests.get(url, headers=headers)
    out[name] = [answer.status_code, sorted(answer.json()) if answer.ok else answer.text.strip()]
print(json.dumps(out))
