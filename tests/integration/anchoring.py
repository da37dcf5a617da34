"""A gateway that anchors: what it says of it, and what has to hold in the end."""

import base64
import time

import nacl.signing

from evm import SENDER
from ward import packs, senml, wait_for


def public_key(gateway):
    """Of its log."""
    seed = base64.b64decode((gateway.etc / "signing-key").read_text().split()[1])
    return bytes(nacl.signing.SigningKey(seed).verify_key)


def status(gateway):
    return gateway.status()["chains"][0]


def ledger_head(gateway):
    """Size and root of the newest checkpoint; (0, nothing) before the first block is sealed."""
    if gateway.status()["ledger"]["checkpoint_size"] == 0:
        return 0, b""
    lines = gateway.control("checkpoint")[0]["note"].split("\n")
    return int(lines[1]), base64.b64decode(lines[2])


def publish(broker, n, device="d1"):
    broker.publish(f"ward/{device}/senml", packs(range(60, 60 + n)))


def expect_anchored(gateway, chain, at_least=1):
    """The contract has the ledger's newest checkpoint, of at least so many entries, the gateway knows, and nothing of its
    account waits. Looked at as a whole until it is so: an alert's end may make one more block at any moment."""
    def anchored():
        size, root = ledger_head(gateway)
        return size >= at_least and chain.head()[1:] == (size, root) and status(gateway)["anchored_size"] == size and \
            chain.node.nonce(SENDER, "pending") == chain.node.nonce(SENDER)
    wait_for("the contract has what the ledger has", anchored)
    sizes = [size for _, size, _ in chain.anchors()]
    assert sizes == sorted(set(sizes))
    return sizes


def kick(broker):
    broker.publish("ward/d1/senml", [senml("hr", 70, time.time())])
