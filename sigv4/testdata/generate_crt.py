#!/usr/bin/env python3
"""Writes crt.json: what the AWS Common Runtime signs with the settings of VPC Lattice's documentation.

    python3 testdata/generate_crt.py        (needs the PyPI package awscrt; run in the package's folder)

The form is that of generate.py.
"""
import datetime
import json
import pathlib

import awscrt
from awscrt import auth, http

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+/=="
HOST = "orders-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
AT = datetime.datetime(2026, 11, 22, 19, 17, 23, tzinfo=datetime.timezone.utc)
PATHS = ["/", "/v1/orders/42", "/a%20b", "/a%2Fb/c", "/a:b@c!$&'()*+,;=", "/~x/a-b_c.d", "/%E6%97%A5", "/%e6%97%a5", "/a//b///c",
         "/a/./b/../c", "/a/b/", "/a/b/..", "/a/b/.", "/../../a", "/./", "/a/%2e%2e/b", "/a/.../b", "/.well-known/x",
         "/services/arn%3Aaws%3Avpc-lattice%3Aeu-west-1%3A111122223333%3Aservice%2Fsvc-0123456789abcdef0/listeners"]
QUERIES = ["a=1", "b=2&a=1", "a=2&a=1&a=10", "a-b=1&a=2&ab=3&a.b=4", "list&acl=", "q=%C3%A9%20%26%3D&p=a%2Fb", "t=12:30&u=a/b", "q=a%2fb",
           "q=100%25", "a=1&&b=2", "B=1&a=2&A=3&b=4"]
HEADERS = [[("X-Team", "  a   b  ")], [("X-Team", "b"), ("X-Team", "a")], [("X-Team", "")], [("If-Match", '"a  b"')],
           [("Content-Type", "application/json; charset=utf-8")]]


def sign(method, path, query, headers, presigned, token):
    req = http.HttpRequest(method, path + ("?" + query if query else ""))
    req.headers.add("Host", HOST)
    for k, v in headers:
        req.headers.add(k, v)
    where = auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS if presigned else auth.AwsSignatureType.HTTP_REQUEST_HEADERS
    body = auth.AwsSignedBodyHeaderType.NONE if presigned else auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4, signature_type=where, region="eu-west-1", service="vpc-lattice-svcs", date=AT,
        credentials_provider=auth.AwsCredentialsProvider.new_static(KEY, SECRET, TOKEN if token else None),
        use_double_uri_encode=True, should_normalize_uri_path=True, signed_body_header_type=body,
        signed_body_value=None if presigned else auth.AwsSignedBodyValue.UNSIGNED_PAYLOAD,
        expiration_in_seconds=600 if presigned else None)
    out = auth.aws_sign_request(req, config).result(10)
    p, _, q = out.path.partition("?")
    name = f"{method} {path}" + (f" ? {query}" if query else "") + (f" {headers}" if headers else "") + " presigned" * presigned + " token" * token
    return {"name": name, "method": method, "path": p, "query": q, "headers": [[k, v] for k, v in out.headers], "body": "",
            "service": "vpc-lattice-svcs", "region": "eu-west-1", "now": "2026-11-22T19:17:23Z", "want": "ok"}


cases = [sign("GET", p, "", [], False, i % 2 == 1) for i, p in enumerate(PATHS)]
cases += [sign("POST", "/v1", q, [], False, i % 2 == 1) for i, q in enumerate(QUERIES)]
cases += [sign("PUT", "/v1", "", h, False, False) for h in HEADERS]
cases += [sign("GET", p, "a=1", [], True, i % 2 == 1) for i, p in enumerate(PATHS[:4])]
lines = ",\n".join(json.dumps(c) for c in cases)
(pathlib.Path(__file__).parent / "crt.json").write_text(
    '{"generator": "awscrt %s",\n "key": "%s", "secret": "%s",\n"cases": [\n%s\n]}\n' % (awscrt.__version__, KEY, SECRET, lines))
print("crt.json", len(cases), "cases")
