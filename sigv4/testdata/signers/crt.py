#!/usr/bin/env python3
"""Signs the requests that it reads with the AWS Common Runtime, with SigV4 or SigV4A; see ../../signers/signers_test.go
for the form of both."""
import datetime
import hashlib
import io
import json
import sys

import awscrt
from awscrt import auth, http


def sign(job, case):
    body = case["body"].encode()
    request = http.HttpRequest(case["method"], case["target"], body_stream=io.BytesIO(body))
    request.headers.add("Host", case["host"])
    for name, value in case["headers"]:
        request.headers.add(name, value)
    value = {"unsigned": auth.AwsSignedBodyValue.UNSIGNED_PAYLOAD, "signed": hashlib.sha256(body).hexdigest(), "plain": hashlib.sha256(body).hexdigest()}[case["payload"]]
    named = case["payload"] != "plain" and not case["presign"]
    asymmetric = job["regionSet"] != ""
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4_ASYMMETRIC if asymmetric else auth.AwsSigningAlgorithm.V4,
        signature_type=auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS if case["presign"] else auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
        region=job["regionSet"] if asymmetric else job["region"], service=job["service"],
        date=datetime.datetime.strptime(job["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc),
        credentials_provider=auth.AwsCredentialsProvider.new_static(job["key"], job["secret"], case["token"] or None),
        signed_body_value=None if case["presign"] else value,
        signed_body_header_type=auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256 if named else auth.AwsSignedBodyHeaderType.NONE,
        expiration_in_seconds=300 if case["presign"] else None)
    out = auth.aws_sign_request(request, config).result(10)
    path, _, query = out.path.partition("?")
    return {"name": case["name"], "path": path, "query": query, "headers": [[k, v] for k, v in out.headers]}


job = json.load(sys.stdin)
json.dump({"generator": "awscrt " + awscrt.__version__, "cases": [sign(job, c) for c in job["cases"]]}, sys.stdout)
