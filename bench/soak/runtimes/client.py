# A client of Python's http.client, with connections that are kept, and of requests when it is installed.
import http.client, json, os, random, socket, sys, threading, time, zlib

try:
    import requests
except ImportError:
    requests = None

CFG = json.loads(os.environ["SOAK_CLIENT"])
LOCK = threading.Lock()


def pattern(nonce, size):
    out, have, i = [], 0, 0
    while have < size:
        line = b"%s %d\n" % (nonce.encode(), i)
        out.append(line)
        have += len(line)
        i += 1
    return b"".join(out)[:size]


def kind_of(e, status):
    if isinstance(e, socket.gaierror):
        return "resolve"
    if isinstance(e, (socket.timeout, TimeoutError)):
        return "timeout"
    if isinstance(e, ConnectionRefusedError):
        return "refused"
    if isinstance(e, http.client.IncompleteRead) or status:
        return "cut"
    if isinstance(e, http.client.RemoteDisconnected):
        return "closed"
    if isinstance(e, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    return "other"


def work(rng, rate):
    conns, session = {}, requests.Session() if requests else None
    if session:
        session.born = time.time_ns()
    services = sorted(CFG["services"])
    while True:
        time.sleep(rng.expovariate(rate))
        service = rng.choice(services)
        want = rng.choice(CFG["wants"]) if service == "mix" else ""
        nonce, size = "%016x" % rng.getrandbits(64), rng.randrange(4000)
        case = "static" if want == "nginx" else rng.choice(["echo", "sum"])
        path = "/%s?n=%s&size=%d" % ("echo" if case == "static" else case, nonce, size)
        rule = 0
        if service == "shift":
            rule = rng.randrange(CFG["rules"]) + 1
            path = "/r/%d%s" % (rule, path)
        data = pattern(nonce, size) if case == "sum" else None
        expected = b"%08x %d\n" % (zlib.crc32(data), size) if data is not None else pattern(nonce, size)
        c = {"client": "python", "service": service, "case": case, "want": want, "rule": rule, "status": 0, "from": "", "err": "", "text": ""}
        host, where = CFG["services"][service], ""
        c["start"] = time.time_ns()
        try:
            method = "POST" if data is not None else "GET"
            headers = {"x-want": want} if want else {}
            if session and rng.random() < 0.5:
                where = "requests"
                c["born"] = session.born
                r = session.request(method, "http://" + host + path, data=data, headers=headers, timeout=25)
                c["status"], fields, body = r.status_code, r.headers, r.content
            else:
                conn = conns.get(host)
                if conn is None or time.time() - conn.used > 40:  # Trellis closes what idles for a minute, and http.client does not look
                    conn = conns[host] = http.client.HTTPConnection(host, timeout=25)
                    conn.connect()
                    conn.born = time.time_ns()
                c["born"], conn.used = conn.born, time.time()
                where = "http.client %s" % (conn.sock.getsockname() if conn.sock else "",)
                conn.request(method, path, data, headers)
                r = conn.getresponse()
                c["status"], fields = r.status, r.headers
                body = r.read()
            c["from"] = fields.get("X-From") or ""
            if not c["from"]:
                c["text"] = body[:500].decode("latin1")
            elif want != "nginx" and fields.get("X-Nonce") != nonce:
                c["err"], c["text"] = "wrong", "the answer belongs to %s" % fields.get("X-Nonce")
            elif want and c["from"] != want:
                c["err"], c["text"] = "wrong", "%s answered" % c["from"]
            elif want != "nginx" and body != expected and c["status"] == 200:
                c["err"], c["text"] = "wrong", "%d bytes in place of %d, last %r" % (len(body), len(expected), body[-40:])
            elif want == "nginx" and body != pattern("static", len(body)):
                c["err"], c["text"] = "wrong", "nginx' file has other bytes"
        except Exception as e:
            inner = e
            while isinstance(inner, BaseException) and getattr(inner, "args", None) and isinstance(inner.args[-1], BaseException):
                inner = inner.args[-1]
            c["err"], c["text"] = kind_of(inner, c["status"]), repr(e)
            conns.pop(host, None)
        c["end"] = time.time_ns()
        if c["err"] or c["status"] >= 400:
            c["text"] = "%s %s: %s" % (where, path, c["text"])
        with LOCK:
            sys.stdout.write(json.dumps(c) + "\n")
            sys.stdout.flush()


for i in range(3):
    threading.Thread(target=work, args=(random.Random(CFG["seed"] * 10 + i), CFG["rate"] / 3), daemon=True).start()
sys.stdin.read()
os._exit(0)
