#!/usr/bin/env python3
"""Signs the requests that it reads with curl (libcurl's --aws-sigv4), which only signs what it sends: a server of our own
takes the requests down. See ../../signers/signers_test.go for the form of both."""
import io
import json
import socket
import sys
import threading

import pycurl


def record(server, taken):
    """Takes down one request for each connection and answers it."""
    while True:
        conn, _ = server.accept()
        with conn:
            data = b""
            while b"\r\n\r\n" not in data:
                more = conn.recv(65536)
                if not more:
                    break
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            headers = [line.split(":", 1) for line in lines[1:]]
            length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
            while len(body) < length:
                body += conn.recv(65536)
            taken.append((lines[0], [[k, v.removeprefix(" ")] for k, v in headers]))
            conn.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def sign(job, case, port, taken):
    if case["presign"]:
        return {"name": case["name"], "error": "curl does not presign"}
    host, _, at = case["host"].partition(":")
    c = pycurl.Curl()
    c.setopt(pycurl.URL, ("http://" + case["host"] + case["target"]).encode())
    c.setopt(pycurl.CONNECT_TO, ["%s:%s:127.0.0.1:%d" % (host, at or "80", port)])
    c.setopt(pycurl.TIMEOUT, 30)
    c.setopt(pycurl.USERPWD, job["key"] + ":" + job["secret"])
    c.setopt(pycurl.AWS_SIGV4, "aws:amz:" + job["region"] + ":" + job["service"])
    c.setopt(pycurl.CUSTOMREQUEST, case["method"])
    c.setopt(pycurl.NOBODY, case["method"] == "HEAD")
    c.setopt(pycurl.WRITEDATA, io.BytesIO())
    headers = ["X-Amz-Date: " + job["time"], "Expect:"]
    if case["token"]:
        headers.append("X-Amz-Security-Token: " + case["token"])
    if case["payload"] == "unsigned":
        headers.append("X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
    headers += [k + ": " + v if v else k + ";" for k, v in case["headers"]]
    if case["body"]:
        c.setopt(pycurl.POSTFIELDS, case["body"].encode())
    c.setopt(pycurl.HTTPHEADER, [h.encode() for h in headers])
    try:
        c.perform()
    except pycurl.error as e:
        return {"name": case["name"], "error": str(e.args[1])}
    line, fields = taken.pop()
    path, _, query = line.split(" ")[1].partition("?")
    return {"name": case["name"], "path": path, "query": query, "headers": fields}


job = json.load(sys.stdin)
server = socket.create_server(("127.0.0.1", 0))
taken = []
threading.Thread(target=record, args=(server, taken), daemon=True).start()
cases = [sign(job, c, server.getsockname()[1], taken) for c in job["cases"]]
json.dump({"generator": next(p for p in pycurl.version.split() if p.startswith("libcurl")), "cases": cases}, sys.stdout)
