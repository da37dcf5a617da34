#!/usr/bin/python3
"""A second opinion on what is anchored on an Ethereum-family chain: written from docs/ethereum.md and
docs/ledger-format.md alone, it shares no code with the gateway, nor with its tools.

    chain.py FILE --chain URL --contract ADDRESS [--chain-id N] [--confirmations N | --tag finalized]
             [--evidence FILE] [--artifact FILE | --code HASH]

Prints one JSON object with the outcome. Exit status 0: proven; 1: not."""

import argparse
import json
import sys
import urllib.request
from pathlib import Path
from typing import NamedTuple

import merkle
import notes
import proofs
from refused import Refused, require

ARTIFACT = Path(__file__).resolve().parents[2] / "plugins/chain-ethereum/contract/WardstoneAnchors.json"
NOBODY = bytes(20)
# What notes.open_checkpoint() says of a checkpoint that is well made, and not by this key.
WRONG_KEY = ("a checkpoint without a signature by this key", "a signature that does not fit the checkpoint")


# --- Keccak-256, with the padding of Keccak's submission ---

LANES = 1 << 64
ROTATIONS = {(0, 0): 0}
ROUND_CONSTANTS = []


def rotate(lane, by):
    return (lane << by | lane >> 64 - by) % LANES if by else lane


def tables():
    x, y = 1, 0
    for t in range(24):
        ROTATIONS[x, y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    register = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << (1 << j) - 1
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        ROUND_CONSTANTS.append(constant)


tables()


def permute(a):
    for constant in ROUND_CONSTANTS:
        column = [a[x, 0] ^ a[x, 1] ^ a[x, 2] ^ a[x, 3] ^ a[x, 4] for x in range(5)]
        spread = [column[x - 1] ^ rotate(column[(x + 1) % 5], 1) for x in range(5)]
        b = {(y, (2 * x + 3 * y) % 5): rotate(a[x, y] ^ spread[x], ROTATIONS[x, y]) for x, y in a}
        a = {(x, y): b[x, y] ^ ~b[(x + 1) % 5, y] % LANES & b[(x + 2) % 5, y] for x, y in b}
        a[0, 0] ^= constant
    return a


def keccak256(data):
    rate = 136
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % rate))
    padded[-1] |= 0x80
    state = {(x, y): 0 for x in range(5) for y in range(5)}
    for block in range(0, len(padded), rate):
        for i in range(rate // 8):
            state[i % 5, i // 5] ^= int.from_bytes(padded[block + 8 * i:block + 8 * i + 8], "little")
        state = permute(state)
    return b"".join(state[i % 5, i // 5].to_bytes(8, "little") for i in range(4))


# --- the contract, through a node ---

def number(value):
    return value.to_bytes(32, "big")


def word(data, i):
    require(len(data) >= 32 * i + 32, "an answer that is too short")
    return data[32 * i:32 * i + 32]


def integer(data, i):
    return int.from_bytes(word(data, i), "big")


def unhex(text):
    require(isinstance(text, str) and text.startswith("0x"), "an answer that is not hexadecimal")
    return bytes.fromhex(text[2:])


def dynamic(data, i):
    at = integer(data, i)
    require(at % 32 == 0 and at < len(data), "an answer whose parts lie outside")
    length = integer(data, at // 32)
    require(at + 32 + length <= len(data), "an answer whose parts lie outside")
    return data[at + 32:at + 32 + length]


class Event(NamedTuple):
    block: int
    transaction: str
    topics: list
    data: bytes


class Contract:
    def __init__(self, url, address):
        self.url, self.address = url, address
        self.chain_id = int(self.rpc("eth_chainId"), 16)
        self.newest = int(self.rpc("eth_blockNumber"), 16)

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer = json.load(answer)
        require("error" not in answer, f"{method}: the node refuses: {answer.get('error')}")
        return answer["result"]

    def view(self, signature, *words):
        data = keccak256(signature.encode())[:4] + b"".join(words)
        return unhex(self.rpc("eth_call", {"to": self.address, "data": "0x" + data.hex()}, hex(self.newest)))

    def code(self):
        return unhex(self.rpc("eth_getCode", self.address, hex(self.newest)))

    def block(self, name):
        return self.rpc("eth_getBlockByNumber", name if isinstance(name, str) else hex(name), False)

    def events(self, signature, *topics, first=0, last=None):
        last = self.newest if last is None else last
        names = ["0x" + t.hex() for t in (keccak256(signature.encode()), *topics)]
        logs = self.rpc("eth_getLogs", {"address": self.address, "fromBlock": hex(first), "toBlock": hex(last), "topics": names})
        return [Event(int(log["blockNumber"], 16), log["transactionHash"], [unhex(t) for t in log["topics"]], unhex(log["data"]))
                for log in logs]


# --- the verdict ---

class Settled(Exception):
    """args: the outcome, and why."""


def settle(outcome, why):
    raise Settled(outcome, why)


class Verdict:
    def __init__(self, options):
        self.options = options
        self.contract = Contract(options.chain, options.contract)
        self.found = {"chain_id": self.contract.chain_id, "contract": options.contract}

    def run(self):
        try:
            for step in (self.check_contract, self.check_proof, self.check_anchor, self.check_receipt, self.check_finality):
                step()
            self.found.update(proven=True, outcome="proven")
        except Settled as e:
            outcome, why = e.args
            self.found.update(proven=False, outcome=outcome, reason=why)
        if hasattr(self, "checkpoint"):
            self.count_forks()
        return self.found

    def check_contract(self):
        o = self.options
        if o.chain_id and o.chain_id != self.contract.chain_id:
            settle("other-chain", f"the node is of chain {self.contract.chain_id}")
        code = self.contract.code()
        if not code:
            settle("no-contract", "nothing is at the address")
        known = o.code or keccak256(unhex(json.loads(o.artifact.read_text())["deployedBytecode"])).hex()
        if keccak256(code).hex() != known.lower().removeprefix("0x"):
            settle("other-code", "another contract is at the address")

    def keys(self):
        """All that the gateway ever had, the present one first."""
        yield self.public
        for event in self.contract.events("Registered(bytes32,string,address,bytes32)", self.gateway):
            yield word(event.data, 2)
        for event in self.contract.events("Rotated(bytes32,address,bytes32)", self.gateway):
            yield word(event.data, 1)

    def open_checkpoint(self, origin):
        for public in self.keys():
            try:
                return notes.open_checkpoint(self.proof.note, notes.Key(origin, public)), public
            except Refused as e:
                if str(e) not in WRONG_KEY:
                    settle("invalid", str(e))
        settle("other-key", "none of the gateway's keys has signed the checkpoint")

    def check_proof(self):
        try:
            self.proof = proofs.parse_proof(self.options.file.read_bytes())
            entry = proofs.parse_entry(self.proof.entry)
            require(merkle.sha256(self.proof.body) == entry.body_hash, "a body that is not the entry's")
            origin = notes.decode_text(self.proof.note).split("\n")[0]
            self.name, slash, epoch = origin.rpartition("/")
            require(slash and self.name, "an origin without an epoch")
            self.epoch = notes.undecimal(epoch, "epoch")
        except Refused as e:
            settle("invalid", str(e))
        self.gateway = keccak256(self.name.encode())
        info = self.contract.view("gatewayInfo(bytes32)", self.gateway)
        if word(info, 1)[12:] == NOBODY:
            settle("unregistered", "the contract does not know the gateway")
        self.public = word(info, 2)
        checkpoint, self.signer = self.open_checkpoint(origin)
        try:
            found = proofs.verify_proof(self.proof, notes.Key(origin, self.signer))
        except Refused as e:
            settle("invalid", str(e))
        self.checkpoint = checkpoint
        self.found.update(gateway=self.name, active=integer(info, 3) == 1, index=found.index, size=checkpoint.size,
                          present_key=self.signer == self.public)

    def anchored(self, size):
        answer = self.contract.view("anchored(bytes32,uint64,uint64)", self.gateway, number(self.epoch), number(size))
        return word(answer, 0), integer(answer, 1), integer(answer, 2)

    def check_anchor(self):
        c = self.checkpoint
        self.size = c.size
        self.root, self.block, self.time = self.anchored(c.size)
        if self.block == 0:
            self.check_bridge()
        elif self.root != c.root:
            settle("contradicted", "the chain has another root for this size")

    def bridge(self):
        rows = json.loads(self.options.evidence.read_text())["consistency"] if self.options.evidence else []
        fitting = [r for r in rows if r["origin"] == self.checkpoint.origin and r["from"] == self.checkpoint.size]
        if fitting:
            return min(fitting, key=lambda row: row["to"])
        anchored = self.contract.events("Anchored(bytes32,uint64,uint64,bytes32,uint64)", self.gateway, number(self.epoch))
        if any(integer(event.data, 0) >= self.checkpoint.size for event in anchored):
            settle("unlinked", "something larger is anchored, and nothing shows that the checkpoint is part of it")
        settle("not-anchored", "nothing as large as the checkpoint is anchored")

    def check_bridge(self):
        row = self.bridge()
        self.root, self.block, self.time = self.anchored(row["to"])
        if self.block == 0:
            settle("not-anchored", "the consistency proof leads to what is not anchored")
        try:
            merkle.check_consistency(self.checkpoint.size, row["to"], self.checkpoint.root, self.root,
                                     [bytes.fromhex(h) for h in row["proof"]])
        except Refused as e:
            settle("inconsistent", str(e))
        self.size = row["to"]

    def check_receipt(self):
        header = self.contract.block(self.block)
        require(header and int(header["timestamp"], 16) == self.time, "a node that contradicts itself")
        for event in self.contract.events("Anchored(bytes32,uint64,uint64,bytes32,uint64)", self.gateway,
                                          number(self.epoch), first=self.block, last=self.block):
            if integer(event.data, 0) == self.size:
                receipt = self.contract.rpc("eth_getTransactionReceipt", event.transaction)
                require(int(receipt["status"], 16) == 1 and receipt["blockHash"] == header["hash"],
                        "a node that contradicts itself")
                self.found["transaction"] = event.transaction
        self.found.update(anchor=self.size, root=self.root.hex(), block=self.block)

    def check_finality(self):
        o = self.options
        if self.contract.newest - self.block + 1 < o.confirmations:
            settle("not-final", "too few blocks above the anchor")
        if o.tag:
            header = self.contract.block(o.tag)
            if not header or int(header["number"], 16) < self.block:
                settle("not-final", f"not {o.tag} yet")

    # --- forks ---

    def is_of_gateway(self, event, size, root, anchored, note):
        if integer(event.data, anchored):
            return True
        for public in (self.public, self.signer):
            try:
                c = notes.open_checkpoint(dynamic(event.data, note), notes.Key(self.checkpoint.origin, public))
            except Refused:
                continue
            if (c.size, c.root) == (integer(event.data, size), word(event.data, root)) and \
                    c.origin == f"{self.name}/{int.from_bytes(event.topics[2], 'big')}":
                return True
        return False

    def count_forks(self):
        count = integer(self.contract.view("forkCount(bytes32)", self.gateway), 0)
        reports = self.contract.events("ForkReported(bytes32,uint64,bytes32,uint64,bytes32,uint64,bytes32,bool,bool,bytes,bytes)",
                                       self.gateway)
        self.found.update(forks=count, forks_shown=sum(
            self.is_of_gateway(r, 0, 1, 4, 6) and self.is_of_gateway(r, 2, 3, 5, 7) for r in reports))


def main():
    parser = argparse.ArgumentParser(description="Verifies a proof of a Wardstone gateway against a chain.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--chain", required=True, help="URL of a node's JSON-RPC")
    parser.add_argument("--contract", required=True)
    parser.add_argument("--chain-id", type=int)
    parser.add_argument("--confirmations", type=int, default=0)
    parser.add_argument("--tag", choices=("finalized", "safe"))
    parser.add_argument("--evidence", type=Path)
    parser.add_argument("--artifact", type=Path, default=ARTIFACT)
    parser.add_argument("--code", help="Keccak-256 of the contract's code, in place of the artifact's")
    try:
        found = Verdict(parser.parse_args()).run()
    except (Refused, OSError, ValueError, KeyError, TypeError) as e:
        print(f"chain: cannot judge: {e}", file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0 if found["proven"] else 1


if __name__ == "__main__":
    sys.exit(main())
