"""Entries and proof files."""

from typing import NamedTuple, Optional

from nacl.bindings import crypto_aead_chacha20poly1305_ietf_decrypt
from nacl.exceptions import CryptoError

import bodies
import cbor
import merkle
import notes
from refused import Refused, require

SEALED = 1
HEAD, ENTRY = 32, 64
NO_KEY = bytes(16)


class Entry(NamedTuple):
    data: bytes
    type: int
    sealed: bool
    stream: int
    seq: int
    key_id: bytes
    body_hash: bytes

    @property
    def head(self):
        return self.data[:HEAD]


class Proof(NamedTuple):
    index: int
    entry: bytes
    body: bytes
    subkey: Optional[bytes]
    hashes: tuple
    note: bytes


class Verified(NamedTuple):
    index: int
    entry: Entry
    body: bytes
    members: Optional[dict]  # None: sealed and not disclosed
    checkpoint: notes.Checkpoint


def parse_entry(data):
    require(len(data) == ENTRY, "an entry that is not 64 bytes")
    version, entry_type, flags = data[0], data[1], int.from_bytes(data[2:4], "big")
    entry = Entry(data, entry_type, flags == SEALED, int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:16], "big"),
                  data[16:32], data[32:])
    require(version == 1, "an entry of another version")
    require(bodies.READING <= entry_type <= bodies.SILENCE, "an entry of an unknown type")
    require(flags in (0, SEALED), "an entry with an unknown flag")
    require(not entry.sealed or entry.key_id != NO_KEY, "a sealed entry without a key")
    return entry


def disclose(entry, body, subkey):
    """The plain body: 24 bytes of nonce, of which the subkey stands for the first 16."""
    require(len(body) >= 24 + 16, "a sealed body that is too short")
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(body[24:], entry.head, bytes(4) + body[16:24], subkey)
    except CryptoError:
        raise Refused("a body that the subkey does not open") from None


def read_body(entry, body, subkey=None):
    """The members of an entry's body; None where it stays sealed."""
    require(len(body) <= bodies.BODY_MAX, "a body that is too long")
    require(merkle.sha256(body) == entry.body_hash, "a body that is not the entry's")
    require(entry.sealed or subkey is None, "a subkey for a body that is not sealed")
    if entry.sealed and subkey is None:
        return None
    members = bodies.parse(entry.type, disclose(entry, body, subkey) if entry.sealed else body)
    require(entry.type != bodies.KEY or members[7] == entry.key_id, "a KEY entry of another key than its body")
    return members


def labelled(line, label):
    name, _, value = line.partition(" ")
    require(name == label, f"a proof without its line {label}")
    return value


def parse_proof(data):
    head, blank, note = data.partition(b"\n\n")
    lines = notes.decode_text(head).split("\n")
    require(blank and len(lines) >= 3 and lines[0] == "c2sp.org/tlog-proof@v1", "not a proof file")
    extra = cbor.decode(notes.unbase64(labelled(lines[1], "extra"), "extra"))
    require({1, 2} <= extra.keys() <= {1, 2, 3} and all(type(v) is bytes for v in extra.values()),
            "an extra line with other members")
    require(len(extra.get(3, bytes(32))) == 32, "a subkey that is not 32 bytes")
    hashes = tuple(notes.unbase64(line, "hash") for line in lines[3:])
    return Proof(notes.undecimal(labelled(lines[2], "index"), "index"), extra[1], extra[2], extra.get(3), hashes, note)


def verify_proof(proof, key):
    entry = parse_entry(proof.entry)
    members = read_body(entry, proof.body, proof.subkey)
    checkpoint = notes.open_checkpoint(proof.note, key)
    merkle.check_inclusion(proof.index, checkpoint.size, merkle.leaf_hash(entry.data), proof.hashes, checkpoint.root)
    return Verified(proof.index, entry, proof.body, members, checkpoint)
