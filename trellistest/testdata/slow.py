# A target on port 8080 that takes its time for every answer but that of a health check.
import http.server, time
class Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self):
        if self.path != "/healthz":
            time.sleep(0.3)
        self.send_response(200)
        self.send_header("content-length", "7")
        self.end_headers()
        self.wfile.write(b"orders\n")
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Server(("", 8080), Target).serve_forever()
