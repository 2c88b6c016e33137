#!/usr/bin/env python3
"""Signs the requests that it reads with botocore, see ../../signers/signers_test.go for the form of both."""
import datetime
import hashlib
import json
import sys
from unittest import mock

import botocore
from botocore import auth, awsrequest, credentials


class Named(auth.SigV4Auth):
    """A signer that names what stands for the payload in x-amz-content-sha256, as VPC Lattice wants it."""

    def payload(self, request):
        return request.headers["X-Amz-Content-SHA256"]


def sign(job, case):
    url = "http://" + case["host"] + case["target"]
    body = case["body"].encode()
    request = awsrequest.AWSRequest(method=case["method"], url=url, data=body or None)
    for name, value in case["headers"]:
        request.headers[name] = value
    if case["payload"] == "unsigned":
        request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    elif case["payload"] == "signed":
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    creds = credentials.Credentials(job["key"], job["secret"], case["token"] or None)
    at = datetime.datetime.strptime(job["time"], "%Y%m%dT%H%M%SZ")
    with mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: at):
        if case["presign"]:
            auth.SigV4QueryAuth(creds, job["service"], job["region"], expires=300).add_auth(request)
        else:
            signer = auth.SigV4Auth if case["payload"] == "plain" else Named
            signer(creds, job["service"], job["region"]).add_auth(request)
    path, _, query = request.url[len("http://" + case["host"]):].partition("?")
    return {"name": case["name"], "path": path, "query": query, "headers": [["Host", case["host"]]] + [[k, v] for k, v in request.headers.items()]}


job = json.load(sys.stdin)
json.dump({"generator": "botocore " + botocore.__version__, "cases": [sign(job, c) for c in job["cases"]]}, sys.stdout)
