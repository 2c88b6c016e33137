#!/usr/bin/env python3
"""Writes signing.json and verifying.json: what botocore signs, and what becomes of it after small changes.

    python3 testdata/generate.py        (needs the PyPI package botocore; run in the package's folder)

All keys are AWS's documented examples. Each case is a request as it goes to the wire; "want" is "ok" or the code
of the error. The clock of every case stands in "now".
"""
import copy
import datetime
import json
import pathlib
import re
from unittest import mock

import botocore
from botocore import auth, awsrequest, credentials
import botocore.compat

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+/=="
HOST = "orders-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
AT = datetime.datetime(2026, 11, 22, 19, 17, 23, tzinfo=datetime.timezone.utc)
STAMP = "20261122T191723Z"
HERE = pathlib.Path(__file__).parent


class Unsigned(auth.SigV4Auth):
    """The signer that VPC Lattice's documentation asks for: UNSIGNED-PAYLOAD, named and signed."""

    def payload(self, request):
        return "UNSIGNED-PAYLOAD"

    def _modify_request_before_signing(self, request):
        super()._modify_request_before_signing(request)
        request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"


def sign(name, method="GET", path="/", query="", headers=(), body=None, token=None, signer=auth.SigV4Auth,
         service="vpc-lattice-svcs", region="eu-west-1", host=HOST, **kw):
    url = "http://" + host + path + ("?" + query if query else "")
    req = awsrequest.AWSRequest(method=method, url=url, data=body)
    for k, v in headers:
        req.headers[k] = v
    creds = credentials.Credentials(KEY, SECRET, token)
    with mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: AT.replace(tzinfo=None)):
        signer(creds, service, region, **kw).add_auth(req)
    _, _, rest = req.url.partition("://")
    rest = rest[len(host):]
    p, _, q = rest.partition("?")
    out = [["Host", host]] + [[k, v] for k, v in req.headers.items()]
    return {"name": name, "method": method, "path": p, "query": q, "headers": out, "body": body or "",
            "service": service, "region": region, "now": AT.strftime("%Y-%m-%dT%H:%M:%SZ"),
            # botocore signs the path without its doubled slashes and dot segments, and sends it with them.
            "want": "ok" if service == "s3" or not re.search(r"//|/\.\.?(/|$)", p) else "InvalidSignatureException"}


def signing():
    c = [
        sign("plain GET"),
        sign("the guide's snippet", path="/v1/orders/42"),
        sign("unsigned payload", path="/v1/orders/42", signer=Unsigned),
        sign("unsigned payload with a token", path="/v1/orders/42", signer=Unsigned, token=TOKEN),
        sign("token", token=TOKEN),
        sign("POST with a body", "POST", "/v1/orders", body='{"item":1}', headers=[("Content-Type", "application/json")]),
        sign("PUT", "PUT", "/v1/orders/42", body="x"),
        sign("DELETE", "DELETE", "/v1/orders/42"),
        sign("PATCH", "PATCH", "/v1/orders/42", body="{}"),
        sign("HEAD", "HEAD", "/"),
        sign("custom method", "PURGE", "/"),
        sign("encoded space in the path", path="/a%20b"),
        sign("encoded slash in the path", path="/a%2Fb/c"),
        sign("ARN in the path", path="/services/arn%3Aaws%3Avpc-lattice%3Aeu-west-1%3A111122223333%3Aservice%2Fsvc-0123456789abcdef0/listeners"),
        sign("bare colon in the path", path="/a:b@c"),
        sign("sub-delimiters in the path", path="/a!b$c&d'e(f)g*h+i,j;k=l"),
        sign("tilde in the path", path="/~user/a-b_c.d"),
        sign("UTF-8 in the path", path="/%E6%97%A5%E6%9C%AC"),
        sign("lower-case escapes in the path", path="/%e6%97%a5"),
        sign("doubled slashes", path="/a//b///c"),
        sign("dot segments", path="/a/./b/../c"),
        sign("last slash", path="/a/b/"),
        sign("last dot segment", path="/a/b/.."),
        sign("above the root", path="/../../a"),
        sign("only dots", path="/./"),
        sign("encoded dots are no dot segments", path="/a/%2e%2e/b"),
        sign("three dots", path="/a/.../b"),
        sign("hidden file", path="/.well-known/x"),
        sign("query", query="a=1"),
        sign("query out of order", query="b=2&a=1"),
        sign("query with equal keys", query="a=2&a=1&a=10"),
        sign("query with keys that are prefixes", query="a-b=1&a=2&ab=3&a.b=4"),
        sign("query without a value", query="list&acl="),
        sign("query with an empty value first", query="b=&a"),
        sign("query with encoded text", query="q=%C3%A9%20%26%3D&p=a%2Fb"),
        sign("query with a plus", query="q=a+b"),
        sign("query with bare reserved characters", query="t=12:30&u=a/b&v=@x"),
        sign("query with lower-case escapes", query="q=a%2fb"),
        sign("query with an equals sign in the value", query="q=a=b=c"),
        sign("query with an encoded percent sign", query="q=100%25"),
        sign("query with an ampersand too much", query="a=1&&b=2"),
        sign("query with capitals", query="B=1&a=2&A=3&b=4"),
        sign("many parameters", query="&".join(f"k{i}={i}" for i in range(60))),
        sign("spaces around a header value", headers=[("X-Team", "  a   b  ")]),
        sign("tabs in a header value", headers=[("X-Team", "\ta\t\tb ")]),
        sign("repeated header", headers=[("X-Team", "b"), ("X-Team", "a")]),
        sign("empty header value", headers=[("X-Team", "")]),
        sign("quoted header value", headers=[("If-Match", '"a  b"')]),
        sign("many headers", headers=[(f"X-H{i}", str(i)) for i in range(40)]),
        sign("header that is not signed", headers=[("User-Agent", "curl/8"), ("Expect", "100-continue")]),
        sign("host with a port", host=HOST + ":8080"),
        sign("long token", token="T" * 1400, signer=Unsigned),
        sign("another service", service="vpc-lattice", path="/services"),
        sign("another region", region="us-east-1"),
        sign("s3 keeps its path", service="s3", path="/a%20b//c", signer=auth.S3SigV4Auth),
        sign("presigned", path="/v1/orders", signer=auth.SigV4QueryAuth),
        sign("presigned with a query", path="/v1/orders", query="b=2&a=1", signer=auth.SigV4QueryAuth),
        sign("presigned with a token", path="/a%20b", signer=auth.SigV4QueryAuth, token=TOKEN),
        sign("presigned for a minute", signer=auth.SigV4QueryAuth, expires=60),
    ]
    return c


def change(base, name, want, **kw):
    c = copy.deepcopy(base)
    c["name"], c["want"] = name, want
    c.update(kw)
    return c


def field(c, name):
    return next(h for h in c["headers"] if h[0].lower() == name.lower())


def with_field(base, name, want, key, edit):
    c = change(base, name, want)
    f = field(c, key)
    f[1] = edit(f[1])
    return c


def without(base, name, want, key):
    c = change(base, name, want)
    c["headers"] = [h for h in c["headers"] if h[0].lower() != key.lower()]
    return c


def plus(base, name, want, *fields):
    c = change(base, name, want)
    c["headers"] += [list(f) for f in fields]
    return c


def verifying():
    full = sign("full", "POST", "/v1/orders/42", query="a=1&b=two", body='{"item":1}', token=TOKEN, signer=Unsigned,
                headers=[("Content-Type", "application/json"), ("X-Team", "payments")])
    plain = sign("plain", "POST", "/v1/orders", body='{"item":1}')
    pre = sign("pre", path="/v1/orders", query="a=1", signer=auth.SigV4QueryAuth, expires=600)
    inv, inc = "InvalidSignatureException", "IncompleteSignatureException"
    c = [change(full, "untouched", "ok"), change(plain, "untouched, hash of the body", "ok"), change(pre, "untouched, presigned", "ok")]

    # one byte of each part that is signed
    for i in range(0, 64, 4):
        sig = field(full, "Authorization")[1][-64:]
        flip = sig[:i] + ("0" if sig[i] != "0" else "1") + sig[i + 1:]
        c.append(with_field(full, f"signature, digit {i}", inv, "Authorization", lambda v: v[:-64] + flip))
    for i in range(1, len(full["path"])):
        p = full["path"]
        n = p[:i] + ("X" if p[i] != "/" else "y") + p[i + 1:]
        c.append(change(full, f"path, byte {i}", inv, path=n))
    for i in range(len(full["query"])):
        q = full["query"]
        c.append(change(full, f"query, byte {i}", inv, query=q[:i] + "x" + q[i + 1:]))
    for m in ["GET", "PUT", "post", "POST ", "POS", ""]:
        c.append(change(full, f"method {m!r}", inv, method=m))
    for k in ["Host", "Content-Type", "X-Team"]:
        c.append(with_field(full, f"{k}, last byte", inv, k, lambda v: v[:-1] + "~"))
        c.append(with_field(full, f"{k}, one byte more", inv, k, lambda v: v + "~"))
        c.append(with_field(full, f"{k}, empty", inv, k, lambda v: ""))
    for k in ["Content-Type", "X-Team", "X-Amz-Content-SHA256", "X-Amz-Security-Token", "Host"]:
        c.append(without(full, f"without {k}", inc, k))
    c.append(with_field(full, "another token", inv, "X-Amz-Security-Token", lambda v: v + "x"))
    c.append(with_field(full, "hash named instead of UNSIGNED-PAYLOAD", inv, "X-Amz-Content-SHA256", lambda v: "a" * 64))
    c.append(with_field(full, "hash in capitals", inv, "X-Amz-Content-SHA256", lambda v: "A" * 64))
    c.append(with_field(full, "streaming payload", inv, "X-Amz-Content-SHA256", lambda v: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))
    c.append(with_field(full, "unsigned-payload in small letters", inv, "X-Amz-Content-SHA256", str.lower))
    c.append(change(plain, "another body", inv, body='{"item":2}'))
    c.append(change(plain, "no body", inv, body=""))
    c.append(change(full, "body of an unsigned payload", "ok", body="anything"))

    # what is not a change
    c.append(plus(full, "an unsigned header more", "ok", ("X-Other", "1")))
    c.append(with_field(full, "more spaces", "ok", "X-Team", lambda v: "  " + v + "\t"))
    c.append(change(full, "parameters in another order", "ok", query="b=two&a=1"))
    c.append(change(full, "a needless escape in the query", "ok", query="a=1&b=%74wo"))
    lower = change(full, "names of fields in small letters", "ok")
    lower["headers"] = [[k.lower(), v] for k, v in lower["headers"]]
    c.append(lower)
    upper = change(full, "names of fields in capitals", "ok")
    upper["headers"] = [[k.upper(), v] for k, v in upper["headers"]]
    c.append(upper)
    c.append(change(full, "fields in another order", "ok", headers=list(reversed(copy.deepcopy(full["headers"])))))
    c.append(with_field(full, "no spaces after the commas", "ok", "Authorization", lambda v: v.replace(", ", ",")))
    c.append(with_field(full, "more spaces in Authorization", "ok", "Authorization", lambda v: " " + v.replace(", ", " ,  ") + " "))

    # what looks alike
    c.append(with_field(full, "non-breaking space is not trimmed", inv, "X-Team", lambda v: v + "\u00a0"))
    c.append(with_field(full, "vertical tab is not trimmed", inv, "X-Team", lambda v: v + "\v"))
    c.append(change(full, "a parameter more", inv, query=full["query"] + "&c=3"))
    c.append(change(full, "a parameter less", inv, query="a=1"))
    c.append(change(full, "a parameter twice", inv, query=full["query"] + "&a=1"))
    c.append(change(full, "a needless escape in the path", inv, path="/v1/%6Frders/42"))
    c.append(change(full, "a last slash", inv, path=full["path"] + "/"))
    c.append(plus(full, "a signed header twice", inv, ("X-Team", "admin")))
    c.append(change(full, "values moved between fields", inv,
                    headers=[[k, {"Content-Type": "payments", "X-Team": "application/json"}.get(k, v)] for k, v in full["headers"]]))

    # the clock
    def at(seconds):
        return (AT + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for s, w in [(299, "ok"), (300, "ok"), (301, inv), (3600, inv), (86400, inv), (-299, "ok"), (-300, "ok"), (-301, inv), (-86400, inv)]:
        c.append(change(full, f"clock {s:+d} s", w, now=at(s)))
    for s, w in [(599, "ok"), (600, "ok"), (601, inv), (-300, "ok"), (-301, inv)]:
        c.append(change(pre, f"presigned, clock {s:+d} s", w, now=at(s)))
    for v in ["20261122T191724Z", "20261122T191722Z"]:
        c.append(with_field(full, f"date {v}", inv, "X-Amz-Date", lambda _: v))
    c.append(with_field(full, "date of another day", inv, "X-Amz-Date", lambda _: "20261123T191723Z"))
    for v in ["", "20261122", "20261122T191723", "2026-11-22T19:17:23Z", "20261322T191723Z", "20260230T191723Z",
              "20261122T241723Z", "20261122T196023Z", "20261122T191760Z", "20261122 191723Z", "2026112aT191723Z",
              "20261122T191723z", "Sun, 22 Nov 2026 19:17:23 GMT", "1795375043"]:
        c.append(with_field(full, f"malformed date {v!r}", inc, "X-Amz-Date", lambda _: v))
    c.append(without(full, "without a date", inc, "X-Amz-Date"))

    # the scope
    def scope(name, want, old, new, base=full):
        c.append(with_field(base, name, want, "Authorization", lambda v: v.replace(old, new, 1)))
    scope("scope of another region", inv, "eu-west-1", "eu-west-2")
    scope("scope of another service", inv, "vpc-lattice-svcs", "execute-api")
    scope("scope of another day", inv, "/20261122/", "/20261121/")
    scope("scope with another end", inv, "aws4_request", "aws5_request")
    scope("scope without an end", inc, "/aws4_request", "")
    scope("scope with a part more", inc, "/aws4_request", "/aws4_request/x")
    scope("scope with an empty part", inc, "/eu-west-1/", "//")
    scope("scope without a key", inc, KEY + "/", "/")
    scope("scope in capitals", inv, "eu-west-1", "EU-WEST-1")
    c.append(change(full, "verifier of another region", inv, region="us-east-1"))
    c.append(change(full, "verifier of another service", inv, service="execute-api"))

    # Authorization
    scope("algorithm of version 4a", inc, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
    scope("algorithm with another hash", inc, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")
    scope("algorithm in small letters", inc, "AWS4-HMAC-SHA256", "aws4-hmac-sha256")
    scope("without Credential", inc, "Credential=", "Cred=")
    scope("without SignedHeaders", inc, "SignedHeaders=", "Signed=")
    scope("without Signature", inc, "Signature=", "Sig=")
    scope("Signature in capitals", inc, "Signature=", "SIGNATURE=")
    scope("empty Signature", inc, "Signature=" + field(full, "Authorization")[1][-64:], "Signature=")
    scope("a parameter without a value", inc, "Credential=", "x, Credential=")
    c.append(with_field(full, "only the algorithm", inc, "Authorization", lambda v: "AWS4-HMAC-SHA256"))
    c.append(with_field(full, "version 2", inc, "Authorization", lambda v: "AWS " + KEY + ":frJIUN8DYpKDtOLCwo//yllqDzg="))
    c.append(with_field(full, "Signature twice", inc, "Authorization", lambda v: v + ", Signature=" + v[-64:]))
    c.append(with_field(full, "Credential twice", inc, "Authorization", lambda v: v + ", " + v.split(" ")[1].rstrip(",")))
    c.append(with_field(full, "signature too short", inv, "Authorization", lambda v: v[:-1]))
    c.append(with_field(full, "signature too long", inv, "Authorization", lambda v: v + "0"))
    c.append(with_field(full, "signature in capitals", inv, "Authorization", lambda v: v[:-64] + v[-64:].upper()))
    c.append(with_field(full, "signature of zeros", inv, "Authorization", lambda v: v[:-64] + "0" * 64))
    c.append(with_field(full, "Bearer is not for us", "unsigned", "Authorization", lambda v: "Bearer abc"))
    c.append(without(full, "without Authorization", "unsigned", "Authorization"))

    # SignedHeaders
    names = "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-team"
    assert names in field(full, "Authorization")[1]
    scope("SignedHeaders out of order", inc, "content-type;host;", "host;content-type;")
    scope("SignedHeaders with a double", inc, "host;", "host;host;")
    scope("SignedHeaders in capitals", inc, "content-type", "Content-Type")
    scope("SignedHeaders with an empty name", inc, "host;", "host;;")
    scope("SignedHeaders with a last semicolon", inc, "x-team", "x-team;")
    scope("SignedHeaders without host", inc, "host;", "")
    scope("SignedHeaders without x-team", inv, ";x-team", "")
    scope("SignedHeaders without x-amz-date", inv, ";x-amz-date", "")
    scope("SignedHeaders with one more that is absent", inc, ";x-team", ";x-team;x-zone")
    more = plus(full, "SignedHeaders with one more that is there", inv, ("X-Zone", "a"))
    field(more, "Authorization")[1] = field(more, "Authorization")[1].replace(";x-team", ";x-team;x-zone")
    c.append(more)

    # doubles
    c.append(plus(full, "two Authorization fields", inc, ("Authorization", field(full, "Authorization")[1])))
    c.append(plus(full, "Bearer beside the signature", inc, ("Authorization", "Bearer abc")))
    c.append(plus(full, "two X-Amz-Date fields", inc, ("X-Amz-Date", STAMP)))
    c.append(plus(full, "two X-Amz-Security-Token fields", inc, ("X-Amz-Security-Token", TOKEN)))
    c.append(plus(full, "two X-Amz-Content-Sha256 fields", inc, ("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")))
    c.append(plus(full, "two Host fields", inc, ("Host", HOST)))
    c.append(change(full, "header and query", inc, query="X-Amz-Algorithm=AWS4-HMAC-SHA256"))

    # presigned
    def query(name, want, old, new):
        assert old in pre["query"], old
        c.append(change(pre, name, want, query=pre["query"].replace(old, new, 1)))
    query("presigned, another parameter", inv, "a=1", "a=2")
    query("presigned, longer life", inv, "X-Amz-Expires=600", "X-Amz-Expires=601")
    query("presigned, no life", inc, "X-Amz-Expires=600", "X-Amz-Expires=0")
    query("presigned, life over a week", inc, "X-Amz-Expires=600", "X-Amz-Expires=604801")
    query("presigned, negative life", inc, "X-Amz-Expires=600", "X-Amz-Expires=-1")
    query("presigned, without a life", inc, "X-Amz-Expires=600", "x=1")
    query("presigned, another algorithm", inc, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512")
    query("presigned, without Credential", inc, "X-Amz-Credential", "X-Amz-Cred")
    query("presigned, without SignedHeaders", inc, "X-Amz-SignedHeaders", "X-Amz-Signed")
    query("presigned, without Signature", inc, "X-Amz-Signature", "X-Amz-Sig")
    query("presigned, without a date", inc, "X-Amz-Date", "X-Amz-Dat")
    query("presigned, another date", inv, "X-Amz-Date=20261122T191723Z", "X-Amz-Date=20261122T191724Z")
    query("presigned, broken escape", inc, "X-Amz-Credential=" + KEY + "%2F", "X-Amz-Credential=" + KEY + "%2")
    query("presigned, parameter twice", inc, "X-Amz-Date=" + STAMP, "X-Amz-Date=" + STAMP + "&X-Amz-Date=" + STAMP)
    c.append(change(pre, "presigned, another path", inv, path="/v1/order"))
    c.append(change(pre, "presigned, another method", inv, method="DELETE"))
    c.append(with_field(pre, "presigned, another host", inv, "Host", lambda v: "x" + v))
    c.append(change(pre, "presigned, a parameter more", inv, query=pre["query"] + "&z=1"))
    return c


def write(name, cases):
    names = [c["name"] for c in cases]
    assert len(names) == len(set(names)), [n for n in names if names.count(n) > 1]
    lines = ",\n".join(json.dumps(c, ensure_ascii=True, separators=(", ", ": ")) for c in cases)
    (HERE / name).write_text('{"generator": "botocore %s",\n "key": "%s", "secret": "%s",\n"cases": [\n%s\n]}\n' % (
        botocore.__version__, KEY, SECRET, lines))
    print(name, len(cases), "cases,", sum(c["want"] != "ok" for c in cases), "refused")


write("signing.json", signing())
write("verifying.json", verifying())
