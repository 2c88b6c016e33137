#!/usr/bin/env python3
"""Writes crt.json: what the AWS Common Runtime signs with the settings of VPC Lattice's documentation.

    python3 testdata/generate_crt.py        (needs the PyPI package awscrt; run in the package's folder)

The form is that of generate.py.
"""
import datetime
import json
import pathlib
import re

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


def sign(method, path, query, headers, presigned, token, regions=None):
    req = http.HttpRequest(method, path + ("?" + query if query else ""))
    req.headers.add("Host", HOST)
    for k, v in headers:
        req.headers.add(k, v)
    where = auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS if presigned else auth.AwsSignatureType.HTTP_REQUEST_HEADERS
    body = auth.AwsSignedBodyHeaderType.NONE if presigned else auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4_ASYMMETRIC if regions else auth.AwsSigningAlgorithm.V4,
        signature_type=where, region=regions or "eu-west-1", service="vpc-lattice-svcs", date=AT,
        credentials_provider=auth.AwsCredentialsProvider.new_static(KEY, SECRET, TOKEN if token else None),
        use_double_uri_encode=True, should_normalize_uri_path=True, signed_body_header_type=body,
        signed_body_value=None if presigned else auth.AwsSignedBodyValue.UNSIGNED_PAYLOAD,
        expiration_in_seconds=600 if presigned else None)
    out = auth.aws_sign_request(req, config).result(10)
    p, _, q = out.path.partition("?")
    name = f"{method} {path}" + (f" ? {query}" if query else "") + (f" {headers}" if headers else "") + " presigned" * presigned + " token" * token + (f" regions {regions}" if regions else "")
    return {"name": name, "method": method, "path": p, "query": q, "headers": [[k, v] for k, v in out.headers], "body": "",
            "service": "vpc-lattice-svcs", "region": "eu-west-1", "now": "2026-11-22T19:17:23Z",
            # The CRT signs the path without its doubled slashes and dot segments, and sends it with them.
            "want": "InvalidSignatureException" if re.search(r"//|/\.\.?(/|$)", p) else "ok"}


cases = [sign("GET", p, "", [], False, i % 2 == 1) for i, p in enumerate(PATHS)]
cases += [sign("POST", "/v1", q, [], False, i % 2 == 1) for i, q in enumerate(QUERIES)]
cases += [sign("PUT", "/v1", "", h, False, False) for h in HEADERS]
cases += [sign("GET", p, "a=1", [], True, i % 2 == 1) for i, p in enumerate(PATHS[:4])]
cases += [sign("GET", p, "b=2&a=1", [], i % 3 == 2, i % 2 == 1, "*") for i, p in enumerate(PATHS)]
cases += [sign("GET", "/", "", [], False, False, s) for s in ["eu-west-1", "us-east-1,eu-west-1", "eu-*", "us-*,eu-west-*"]]
refused = [sign("GET", "/", "", [], False, False, s) for s in ["us-east-1", "us-*,eu-west-2", "eu-west", "eu-west-1*2"]]
for c in refused:
    c["want"] = "InvalidSignatureException"
other = sign("GET", "/v1", "a=1", [], False, True, "*")
for name, change in {"another path": {"path": "/v2"}, "another query": {"query": "a=2"}, "another method": {"method": "PUT"}}.items():
    refused.append({**other, **change, "name": "SigV4A, " + name, "want": "InvalidSignatureException"})
for name, old, new in [("scope with a region", "/vpc-lattice-svcs/", "/eu-west-1/vpc-lattice-svcs/"), ("region set not signed", ";x-amz-region-set", "")]:
    headers = [[k, v.replace(old, new, 1) if k == "Authorization" else v] for k, v in other["headers"]]
    refused.append({**other, "headers": headers, "name": "SigV4A, " + name, "want": "IncompleteSignatureException"})
for name, field, value in [("another region set", "X-Amz-Region-Set", "eu-west-1"), ("another token", "X-Amz-Security-Token", "x"),
                           ("another date", "X-Amz-Date", "20261122T191724Z")]:
    headers = [[k, value if k == field else v] for k, v in other["headers"]]
    assert headers != other["headers"], field
    refused.append({**other, "headers": headers, "name": "SigV4A, " + name, "want": "InvalidSignatureException"})
cases += refused
lines = ",\n".join(json.dumps(c) for c in cases)
(pathlib.Path(__file__).parent / "crt.json").write_text(
    '{"generator": "awscrt %s",\n "key": "%s", "secret": "%s",\n"cases": [\n%s\n]}\n' % (awscrt.__version__, KEY, SECRET, lines))
print("crt.json", len(cases), "cases")
