# Asks a URL as many callers: the instance's role, signed in good and bad ways, and nobody. Prints one JSON
# object, caller to [status, body].
import http.client, json, sys, urllib.parse
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
url = sys.argv[1]
own = botocore.session.Session().get_credentials().get_frozen_credentials()
role = Credentials(own.access_key, own.secret_key, own.token)
def signed(creds, method="GET", body=None, hashed=False, region="eu-west-1", **extra):
    headers = {"host": urllib.parse.urlsplit(url).netloc, **extra}
    if not hashed:
        headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    r = AWSRequest(method, url, data=body, headers=headers)
    SigV4Auth(creds, "vpc-lattice-svcs", region).add_auth(r)
    return method, dict(r.headers.items()), body
def send(method, headers, body):
    u = urllib.parse.urlsplit(url)
    c = http.client.HTTPConnection(u.netloc, timeout=10)
    c.request(method, u.path + "?" + u.query, body=body, headers=headers)
    r = c.getresponse()
    text = r.read().decode()
    return [r.status, "" if r.status in (200, 404) else text]
good = signed(role)
torn = dict(good[1], Authorization=good[1]["Authorization"][:-4] + "0000")
small = signed(role, "POST", b"x" * 1000, hashed=True)
large = signed(role, "POST", b"x" * ((1 << 20) + 1), hashed=True)
cases = {
    "anonymous": ("GET", {}, None),
    "signed": good,
    "hashed": small,
    "hashed, another body": (small[0], small[1], b"y" * 1000),
    "hashed, too large": large,
    "bad signature": ("GET", torn, None),
    "unknown key": signed(Credentials("AKIA0000000000000000", "secret")),
    "torn token": signed(Credentials(own.access_key, own.secret_key, own.token[:-8] + "AAAAAAAA")),
    "wrong region": signed(role, region="us-east-1"),
}
print(json.dumps({k: send(*v) for k, v in cases.items()}))
