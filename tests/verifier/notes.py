"""Checkpoints: signed notes, and the verifier keys that they are checked with."""

import base64
import re
from typing import NamedTuple

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from merkle import require_hashes, sha256
from refused import Refused, require

NOTE_MAX, ORIGIN_MAX = 6144, 199
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
DECIMAL = re.compile(r"0|[1-9][0-9]*", re.ASCII)


class Key(NamedTuple):
    name: str
    public: bytes

    @property
    def gateway(self):
        return gateway_of(self.name)


class Checkpoint(NamedTuple):
    origin: str
    size: int
    root: bytes


def gateway_of(origin):
    """The public key is the same in all epochs, the key's name is not."""
    return origin.rpartition("/")[0]


def unbase64(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(f"{what}: not base64") from None
    # Unused bits, which the decoder overlooks, must be zero.
    require(base64.b64encode(data).decode() == text, f"{what}: not the one base64 of its bytes")
    return data


def undecimal(text, what):
    require(DECIMAL.fullmatch(text) and int(text) < 2**64, f"{what}: not a decimal number")
    return int(text)


def decode_text(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused("text that is not UTF-8") from None


def valid_name(name):
    return name and "+" not in name and not any(c.isspace() for c in name)


def key_hash(name, public):
    return sha256(name.encode() + b"\n\1" + public)[:4]


def parse_key(text):
    """<key name>+<key hash>+<base64 of 01 || public key>"""
    name, hexadecimal, encoded = (text.split("+", 2) + ["", ""])[:3]
    data = unbase64(encoded, "verifier key")
    require(valid_name(name) and len(data) == 33 and data[0] == 1, "verifier key: not of an Ed25519 key")
    require(key_hash(name, data[1:]).hex() == hexadecimal, "verifier key: its hash is of another key")
    return Key(name, data[1:])


def signatures(lines):
    """(key name, key hash, signature) of each line."""
    require(lines, "a checkpoint without a signature")
    for line in lines:
        dash, name, encoded = (line.split(" ") + ["", ""])[:3]
        require(line == f"{dash} {name} {encoded}" and dash == "\u2014" and valid_name(name),
                "a signature line that is none")
        blob = unbase64(encoded, "signature")
        require(len(blob) >= 5, "a signature line without a signature")
        yield name, blob[:4], blob[4:]


def verify_signature(public, text, signature):
    try:
        VerifyKey(public).verify(text, signature)
    except (BadSignatureError, ValueError):
        raise Refused("a signature that does not fit the checkpoint") from None


def open_checkpoint(data, key):
    """The checkpoint of a note (bytes) that the gateway of this key has signed."""
    require(len(data) <= NOTE_MAX, "a checkpoint that is too long")
    note = decode_text(data)
    require(not CONTROL.search(note), "a control character in a checkpoint")
    text, blank, rest = note.partition("\n\n")
    require(blank and rest.endswith("\n"), "a checkpoint without signatures, or cut off")
    origin, size, root = (text.split("\n") + ["", ""])[:3]
    require(origin and len(origin.encode()) <= ORIGIN_MAX, "a checkpoint without an origin")
    checkpoint = Checkpoint(origin, undecimal(size, "tree size"), unbase64(root, "root"))
    require_hashes(checkpoint.root)
    ours = [signature for name, hint, signature in signatures(rest[:-1].split("\n"))
            if name == origin and hint == key_hash(origin, key.public)]
    require(ours, "a checkpoint without a signature by this key")
    for signature in ours:
        verify_signature(key.public, text.encode() + b"\n", signature)
    require(gateway_of(origin) == key.gateway, f"a checkpoint of {origin}, with the key of {key.name}")
    return checkpoint
