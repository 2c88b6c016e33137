# A target on port 8080 whose answers tell what it got, or break off. /hash: length and SHA-256 of the body.
# /zeros/N: N MiB. /cut: half of an answer, by length or (/cut/chunks) in chunks.
import hashlib, http.server
class Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def body(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while n := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(n)
                self.rfile.readline()
            while self.rfile.readline().strip(): pass
            return
        left = int(self.headers.get("content-length", 0))
        while left and (b := self.rfile.read(min(left, 1 << 16))):
            left -= len(b)
            yield b
    def answer(self, text):
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def do_POST(self):
        n, h = 0, hashlib.sha256()
        for b in self.body():
            n += len(b)
            h.update(b)
        self.answer(f"{n} {h.hexdigest()}".encode())
    do_PUT = do_POST
    def do_GET(self):
        if self.path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            self.close_connection = True
        elif self.path == "/cut/chunks":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            self.close_connection = True
        elif self.path.startswith("/zeros/"):
            n = int(self.path[7:])
            self.send_response(200)
            self.send_header("content-length", str(n << 20))
            self.end_headers()
            for _ in range(n if self.command == "GET" else 0):
                self.wfile.write(bytes(1 << 20))
        else:
            self.answer(b"ok")
    do_HEAD = do_GET
http.server.ThreadingHTTPServer(("", 8080), Target).serve_forever()
