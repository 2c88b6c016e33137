# A target of Python's http.server: a thread for each connection, which ends when it idles for 2 seconds.
import http.server, os, time, urllib.parse, zlib

NAME = os.environ["SOAK_NAME"]
HOST, PORT = os.environ["SOAK_LISTEN"].rsplit(":", 1)


def pattern(nonce, size):
    out, have, i = [], 0, 0
    while have < size:
        line = b"%s %d\n" % (nonce.encode(), i)
        out.append(line)
        have += len(line)
        i += 1
    return b"".join(out)[:size]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 2
    wbufsize = 65536

    def log_message(self, *args):
        pass

    def head(self, status, q, *fields):
        self.send_response(status)
        self.send_header("X-From", NAME)
        self.send_header("X-Nonce", q.get("n", ""))
        if "close" in q:
            self.send_header("Connection", "close")
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        q = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/code":
            return self.head(int(q["code"]), q)
        body = b"ok\n" if url.path == "/healthz" else pattern(q.get("n", ""), int(q.get("size", 0)))
        time.sleep(int(q.get("ms", 0)) / 1000)
        if "chunked" not in q:
            self.head(200, q, ("Content-Length", len(body)))
            if self.command != "HEAD":
                self.wfile.write(body)
            return
        self.head(200, q, ("Transfer-Encoding", "chunked"))
        for at in range(0, len(body), 1000):
            part = body[at : at + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    do_HEAD = do_GET

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            left = int(self.headers.get("Content-Length", 0))
            while left > 0:
                part = self.rfile.read(min(left, 65536))
                if not part:
                    raise ConnectionError("the body is cut short")
                left -= len(part)
                yield part
            return
        while True:
            n = int(self.rfile.readline().split(b";")[0], 16)
            if n == 0:
                while self.rfile.readline().strip():
                    pass
                return
            yield self.rfile.read(n)
            self.rfile.readline()

    def do_POST(self):
        q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        crc = n = 0
        for part in self.read_body():
            crc, n = zlib.crc32(part, crc), n + len(part)
        text = b"%08x %d\n" % (crc, n)
        self.head(200, q, ("Content-Length", len(text)))
        self.wfile.write(text)

    do_PUT = do_POST


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


Server((HOST, int(PORT)), Handler).serve_forever()
