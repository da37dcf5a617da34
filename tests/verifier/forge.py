"""Writes what a gateway would write, and what it never should: for tests of verifiers."""

import base64
import hashlib

from nacl.signing import SigningKey

import cbor
import merkle
import notes
import proofs


def encode64(data):
    return base64.b64encode(data).decode()


def entry(entry_type, body, seq, stream=0, key_id=proofs.NO_KEY, flags=0):
    head = bytes([1, entry_type]) + flags.to_bytes(2, "big") + stream.to_bytes(4, "big") + seq.to_bytes(8, "big") + key_id
    return head + hashlib.sha256(body).digest()


def format_note(text, signatures):
    """text without its last newline; signatures as (key name, key hash || signature)."""
    return (text + "\n\n" + "".join(f"\u2014 {name} {encode64(blob)}\n" for name, blob in signatures)).encode()


def format_proof(proof):
    extra = {1: proof.entry, 2: proof.body}
    if proof.subkey is not None:
        extra[3] = proof.subkey
    lines = ["c2sp.org/tlog-proof@v1", f"extra {encode64(cbor.encode(extra))}", f"index {proof.index}",
             *map(encode64, proof.hashes), "", ""]
    return "\n".join(lines).encode() + proof.note


class Signer:
    def __init__(self, seed, origin):
        self.key = SigningKey(seed)
        self.origin = origin
        self.public = self.key.verify_key.encode()
        self.hint = notes.key_hash(origin, self.public)

    def verifier_key(self):
        return f"{self.origin}+{self.hint.hex()}+{encode64(bytes([1]) + self.public)}"

    def note(self, size, root):
        text = f"{self.origin}\n{size}\n{encode64(root)}"
        return format_note(text, [(self.origin, self.hint + self.key.sign(text.encode() + b"\n").signature)])


def root(leaves):
    tree = merkle.Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def split(size):
    """The largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(leaves, index):
    """RFC 6962 2.1.1"""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return inclusion_proof(leaves[:k], index) + [root(leaves[k:])]
    return inclusion_proof(leaves[k:], index - k) + [root(leaves[:k])]


def consistency_proof(leaves, first, whole=True):
    """RFC 6962 2.1.2"""
    if first == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if first <= k:
        return consistency_proof(leaves[:k], first, whole) + [root(leaves[k:])]
    return consistency_proof(leaves[k:], first - k, False) + [root(leaves[:k])]


def prove_all(signer, entries):
    """A proof of each (entry, body) to one checkpoint of them all."""
    leaves = [merkle.leaf_hash(data) for data, _ in entries]
    note = signer.note(len(leaves), root(leaves))
    return [proofs.Proof(i, data, body, None, tuple(inclusion_proof(leaves, i)), note)
            for i, (data, body) in enumerate(entries)]
