"""Asks the instance metadata in the ways that metadata options open and close, and prints what is answered as JSON."""
import json
import socket
import sys

import requests

IP_MINTTL = 21  # packets that have come further than this allows are lost
v4, v6 = "http://169.254.169.254/latest/", "http://[fd00:ec2::254]/latest/"
session = requests.Session()


def asked(method, url, **headers):
    """The status of an answer, with its text when it is good."""
    try:
        answer = session.request(method, url, headers={"x-aws-ec2-metadata-" + k.replace("_", "-"): v for k, v in headers.items()}, timeout=1)
    except requests.exceptions.RequestException:
        return "lost"
    return answer.text if answer.ok else answer.status_code


def token(hops):
    """Whether a token reaches who is so many hops away."""
    with socket.create_connection(("169.254.169.254", 80)) as s:
        s.setsockopt(socket.IPPROTO_IP, IP_MINTTL, hops)
        s.settimeout(1)
        s.sendall(b"PUT /latest/api/token HTTP/1.1\r\nHost: metadata\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nConnection: close\r\n\r\n")
        try:
            return s.recv(4096).split(b" ")[1].decode()
        except TimeoutError:
            return "lost"


held = asked("PUT", v4 + "api/token", token_ttl_seconds="60")
out = {
    "without a token": asked("GET", v4 + "meta-data/mac/"),
    "with a made-up token": asked("GET", v4 + "meta-data/mac", token="AAAA"),
    "by IPv6": asked("GET", v6 + "meta-data/mac", token=str(held)),
    "a token": held if isinstance(held, int) else len(held) > 20,
    "hops": {hops: token(int(hops)) for hops in sys.argv[1:]},
}
for path in ("meta-data/mac", "meta-data/tags/instance", "meta-data/tags/instance/Name", "meta-data/tags/instance/empty", "user-data"):
    out[path] = asked("GET", v4 + path, token=str(held))
print(json.dumps(out))
