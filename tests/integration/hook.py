"""An HTTP server that alerts are posted to: keeps what comes, answers as it is told, can be killed and brought back."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import struct
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ward import PATIENCE, free_port, wait_for

KEY = "a key of 32 characters or so ..."


class Request:
    def __init__(self, handler, body):
        self.path, self.headers, self.body = handler.path, handler.headers, body
        self.peer = handler.client_address

    @property
    def key(self):
        return self.headers["Idempotency-Key"]

    @property
    def notice(self):
        return json.loads(self.body)

    def assert_signed(self, key=KEY):
        """As docs/plugins.md tells the authors of receivers to do it."""
        parts = dict(part.split("=", 1) for part in self.headers["Wardstone-Signature"].split(","))
        expected = hmac.new(key.encode(), parts["t"].encode() + b"." + self.body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(parts["v1"], expected)
        assert abs(time.time() - int(parts["t"])) < 300


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """Connections that end in the middle are what is tested."""


class Hook:
    """`answer(handler)` writes what is answered; without one it is status 204."""

    def __init__(self, context=None):
        self.port = free_port()
        self.context = context
        self.requests = []
        self.answer = None
        self.server = None
        self.connections = []

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}/alerts"

    def start(self):
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                hook.connections.append(self.request)
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.requests.append(Request(self, body))
                if hook.answer:
                    hook.answer(self)
                else:
                    self.send_response(204)
                    self.end_headers()

            def do_GET(self):
                hook.requests.append(Request(self, b""))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        if self.context:
            self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def kill(self):
        """As for a process that is killed: the port is closed, connections are reset."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            except OSError:
                pass
        self.server, self.connections = None, []

    def stop(self):
        if self.server:
            self.kill()

    @property
    def keys(self):
        return [r.key for r in self.requests]

    def expect(self, what, matches, seconds=PATIENCE):
        """The first request whose notice matches."""
        return wait_for(what, lambda: next((r for r in list(self.requests) if matches(r.notice)), None), seconds)


def status(code, body=b"", **headers):
    """An answer."""
    def answer(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    return answer


def secret(folder, name, text, mode=0o600):
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class Authority:
    """A CA of one's own, and certificates of it for 127.0.0.1."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.ca = folder / "ca.pem"
        self.openssl("req", "-x509", *self.new_key, "-subj", "/CN=test CA", "-keyout", folder / "ca-key.pem", "-out",
                     self.ca, "-days", "2")

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=PATIENCE)

    def certificate(self, name, alternative="IP:127.0.0.1"):
        """Paths of certificate and key."""
        at = self.folder / name
        at.with_suffix(".ext").write_text(f"subjectAltName = {alternative}\n")
        self.openssl("req", *self.new_key, "-subj", f"/CN={name}", "-keyout", f"{at}-key.pem", "-out", f"{at}.csr")
        self.openssl("x509", "-req", "-in", f"{at}.csr", "-CA", self.ca, "-CAkey", self.folder / "ca-key.pem",
                     "-CAcreateserial", "-extfile", at.with_suffix(".ext"), "-out", f"{at}.pem", "-days", "2")
        return f"{at}.pem", f"{at}-key.pem"

    def server_context(self, clients=False, alternative="IP:127.0.0.1"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate("server", alternative))
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context
