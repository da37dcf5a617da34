"""CoAP by hand: datagrams as a test wants them, repeated, late or broken, which no library sends. RFC 7252, 7959."""

import json
import os
import secrets
import select
import socket
import subprocess
import time

import pytest

from ward import PATIENCE, TOP

CON, NON, ACK, RST = range(4)
GET, POST, PUT, DELETE = 1, 2, 3, 4
OBSERVE, URI_PATH, CONTENT_FORMAT, MAX_AGE, URI_QUERY, BLOCK1, SIZE1, NO_RESPONSE = 6, 11, 12, 14, 15, 27, 60, 258
SENML_JSON, SENML_CBOR, JSON = 110, 112, 50


def uint(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _extended(n):
    if n < 13:
        return n, b""
    if n < 269:
        return 13, bytes([n - 13])
    return 14, (n - 269).to_bytes(2, "big")


def encode(kind, code, mid, token=b"", options=(), payload=b""):
    """One datagram. options: (number, bytes or int) in any order."""
    out = bytearray([0x40 | kind << 4 | len(token), code]) + mid.to_bytes(2, "big") + token
    previous = 0
    for number, value in sorted(options, key=lambda o: o[0]):
        value = uint(value) if isinstance(value, int) else value
        delta, more = _extended(number - previous)
        length, longer = _extended(len(value))
        out += bytes([delta << 4 | length]) + more + longer + value
        previous = number
    return bytes(out + (b"\xff" + payload if payload else b""))


class Message:
    """One datagram that came."""

    def __init__(self, data):
        self.data = data
        self.kind, length = data[0] >> 4 & 3, data[0] & 15
        self.code = f"{data[1] >> 5}.{data[1] & 31:02}"
        self.mid = int.from_bytes(data[2:4], "big")
        self.token = data[4:4 + length]
        self.options, self.payload = [], b""
        at, number = 4 + length, 0
        while at < len(data):
            if data[at] == 0xFF:
                self.payload = data[at + 1:]
                break
            delta, size = data[at] >> 4, data[at] & 15
            at += 1
            sizes = []
            for value in (delta, size):
                if value == 13:
                    value, at = data[at] + 13, at + 1
                elif value == 14:
                    value, at = int.from_bytes(data[at:at + 2], "big") + 269, at + 2
                sizes.append(value)
            number += sizes[0]
            self.options.append((number, data[at:at + sizes[1]]))
            at += sizes[1]

    def option(self, number):
        """Its value as a number; None where it isn't there."""
        for n, value in self.options:
            if n == number:
                return int.from_bytes(value, "big")
        return None

    @property
    def text(self):
        return self.payload.decode()

    def __repr__(self):
        return f"<{self.kind} {self.code} mid {self.mid} {self.options} {self.payload!r}>"


class Client:
    """One source address, without any protocol of its own: nothing is repeated, nothing acknowledged."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, port))
        self.mid = secrets.randbelow(65536)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def next_mid(self):
        self.mid = (self.mid + 1) % 65536
        return self.mid

    def send(self, data):
        self.socket.send(data)
        return data

    def receive(self, seconds=PATIENCE):
        self.socket.settimeout(seconds)
        return Message(self.socket.recv(65536))

    def silence(self, seconds=0.5):
        """Nothing comes for so long."""
        self.socket.settimeout(seconds)
        try:
            raise AssertionError(f"came: {Message(self.socket.recv(65536))}")
        except TimeoutError:
            pass

    def request(self, payload=b"", device="d1", code=POST, kind=CON, form=SENML_JSON, options=(), path=None, mid=None,
                token=b"tk"):
        """The datagram of a request with a message id of its own."""
        path = ["d", device] if path is None else path
        wanted = [(URI_PATH, part.encode()) for part in path] + list(options)
        if form is not None:
            wanted.append((CONTENT_FORMAT, form))
        payload = payload.encode() if isinstance(payload, str) else payload
        return encode(kind, code, self.next_mid() if mid is None else mid, token, wanted, payload)

    def ask(self, *arguments, **named):
        """Sends a request and waits for its answer."""
        self.send(self.request(*arguments, **named))
        return self.receive()


def blocks(data, exponent=2):
    """(Block1, bytes) of each block of a payload."""
    size = 16 << exponent
    count = max(1, -(-len(data) // size))
    for n in range(count):
        more = n + 1 < count
        yield n << 4 | more << 3 | exponent, data[n * size:(n + 1) * size]


def coap_client(url, payload, *arguments, form=SENML_JSON, method="post", seconds=20):
    """libcoap's own client, once. Its output; an answer 4.xx or 5.xx is a line there."""
    run = subprocess.run(
        ["coap-client-openssl", "-m", method, "-B", str(seconds), "-t", str(form), "-e", payload, *arguments, url],
        capture_output=True, text=True, timeout=seconds + PATIENCE)
    return run.stdout + run.stderr


def pack(values, vital="hr", start=None):
    """One SenML pack of many records, a millisecond apart."""
    start = time.time() - 0.001 * len(values) if start is None else start
    return json.dumps([{"n": vital, "v": v, "t": start + 0.001 * i} for i, v in enumerate(values)])


class SecureClient(Client):
    """Datagrams through DTLS, by OpenSSL's own client. arguments: who it is."""

    def __init__(self, port, *arguments):
        self.mid = secrets.randbelow(65536)
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-dtls1_2", "-quiet", "-connect", f"127.0.0.1:{port}", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def send(self, data):
        self.process.stdin.write(data)
        return data

    def receive(self, seconds=PATIENCE):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            raise TimeoutError
        data = self.process.stdout.read(65536)
        if not data:
            raise ConnectionError(f"the session ended: {self.process.stderr.read()}")
        return Message(data)

    def silence(self, seconds=0.5):
        try:
            raise AssertionError(f"came: {self.receive(seconds)}")
        except TimeoutError:
            pass


class KeyClient(SecureClient):
    def __init__(self, port, identity, key, *arguments):
        super().__init__(port, "-psk_identity", identity, "-psk", key.hex(), "-cipher", "PSK", *arguments)


class Authority:
    """Certificates, for the time of a test."""

    def __init__(self, folder, name="authority"):
        folder.mkdir(exist_ok=True)
        self.folder, self.ca, self.ca_key = folder, folder / f"{name}.pem", folder / f"{name}.key"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                  "-keyout", self.ca_key, "-out", self.ca, "-subj", f"/CN={name}")

    @staticmethod
    def _run(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=PATIENCE)

    def issue(self, file, subject, days=2):
        """(certificate, key) for the subject."""
        cert, key, request = (self.folder / f"{file}.{end}" for end in ("pem", "key", "csr"))
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
                  "-subj", subject)
        self._run("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", days,
                  "-out", cert)
        return cert, key


class Library:
    """coap_peer.py, which speaks CoAP by another library."""

    def __init__(self, *arguments):
        done = subprocess.run([TOP / "tools/coap-deps"], stdout=subprocess.PIPE, text=True, timeout=400)
        if done.returncode == 77:
            pytest.skip(done.stdout.splitlines()[-1])
        done.check_returncode()
        self.process = subprocess.Popen(
            ["/usr/bin/python3", TOP / "tests/integration/coap_peer.py", *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1, env={**os.environ, "PYTHONPATH": str(TOP / "build/coap/python")})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def write(self, line):
        self.process.stdin.write(line + "\n")

    def read(self):
        return self.process.stdout.readline().strip()


class Server:
    """A device that is observed, without any protocol of its own. It knows who asked last, and with which token."""

    def __init__(self, port):
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.peer, self.token, self.mid = None, b"", secrets.randbelow(30000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, seconds):
        self.socket.settimeout(seconds)
        data, self.peer = self.socket.recvfrom(65536)
        return Message(data)

    def write(self, data):
        self.socket.sendto(data, self.peer)

    def receive(self, seconds=PATIENCE):
        """What comes next and is no request."""
        deadline = time.monotonic() + seconds
        while True:
            m = self.read(max(0.01, deadline - time.monotonic()))
            if m.code[0] != "0" or m.code == "0.00":
                return m

    def asked(self, seconds=PATIENCE):
        """The next registration."""
        deadline = time.monotonic() + seconds
        while True:
            m = self.read(max(0.01, deadline - time.monotonic()))
            if m.code == "0.01" and m.option(OBSERVE) == 0:
                self.token = m.token
                return m

    def answer(self, request, payload="", code=0x45, observe=1, max_age=None, form=SENML_JSON):
        options = [(CONTENT_FORMAT, form)] if code == 0x45 else []
        if observe is not None:
            options.append((OBSERVE, observe))
        if max_age is not None:
            options.append((MAX_AGE, max_age))
        self.write(encode(ACK, code, request.mid, request.token, options, payload.encode()))

    def notify(self, payload, observe, kind=NON, mid=None, token=None, options=()):
        if mid is None:
            self.mid += 1
        data = encode(kind, 0x45, self.mid if mid is None else mid, self.token if token is None else token,
                      [(OBSERVE, observe), (CONTENT_FORMAT, SENML_JSON), *options], payload.encode())
        self.write(data)
        return data


class KeyServer(Server):
    """The same behind DTLS, by OpenSSL's own server."""

    def __init__(self, port, key):
        self.token, self.mid = b"", secrets.randbelow(30000)
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-dtls1_2", "-quiet", "-nocert", "-accept", f"127.0.0.1:{port}", "-psk", key.hex(),
             "-cipher", "PSK"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def read(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            raise TimeoutError
        return Message(self.process.stdout.read(65536))

    def write(self, data):
        self.process.stdin.write(data)
