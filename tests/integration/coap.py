"""CoAP by hand: datagrams as a test wants them, repeated, late or broken, which no library sends. RFC 7252, 7959."""

import json
import secrets
import socket
import subprocess
import time

from ward import PATIENCE

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
