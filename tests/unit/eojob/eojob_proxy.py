"""A proxy in front of the real S3 server, which makes what goes wrong on bad days."""

import contextlib
import http.client
import http.server
import socketserver
import threading
import time
from urllib.parse import urlsplit


class Proxy(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Passes requests on to `upstream`, except that `faults` are answered first, one each."""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.faults, self.requests, self.sent = urlsplit(upstream).netloc, [], 0, 0
        self.lock = threading.Lock()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with self.server.lock:
            self.server.requests += 1
            fault = self.server.faults.pop(0) if self.server.faults else None
        if isinstance(fault, (int, tuple)):
            status, after = fault if isinstance(fault, tuple) else (fault, "0")
            self.send_response(status)
            self.send_header("Retry-After", after)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection(self.server.upstream)
        upstream.request("GET", self.path, headers=dict(self.headers))
        answer = upstream.getresponse()
        body = fault if isinstance(fault, bytes) else answer.read()
        self.send_response(200 if isinstance(fault, bytes) else answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "trickle":
            trickle(self.wfile)
            return
        sent = body[:len(body) // 2] if fault == "cut" else body
        with self.server.lock:  # before the bytes go, for the client may look as soon as it has the last one
            self.server.sent += len(sent)
        self.wfile.write(sent)
        self.close_connection = True

    def log_message(self, *arguments):
        pass


def trickle(stream):
    """A byte now and then, until the other side has had enough."""
    with contextlib.suppress(OSError):
        while True:
            stream.write(b"x")
            stream.flush()
            time.sleep(0.01)
