"""A gateway anchors with a consortium of four geth nodes, of which one is stopped and one is cut off from the others."""

import subprocess
import time

import pytest

from anchoring import expect_anchored, kick, ledger_head, publish, public_key, status
from clique import CHAIN_ID, PASSWORD, Consortium, require_geth
from evm import NAME, SENDER_KEY, Chain
from ward import TOP, wait_for

pytestmark = [pytest.mark.consortium, pytest.mark.timeout(1500)]  # with the time to build geth

# Of anvil's test accounts, which everybody knows.
KEYS = {"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266": "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc": "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
        "0x90f79bf6eb2c4f870365e785982e1f101e93b906": "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
        "0x15d34aaf54267db7d7c367839aaf71a00a2c6a65": "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
        "0x70997970c51812dc3a010c7d01b50e0d17dc79c8": SENDER_KEY}
CONFIRMATIONS = 4


@pytest.fixture
def consortium(folder):
    require_geth()
    c = Consortium(folder, KEYS)
    yield c
    print(c.logs())
    c.close()


@pytest.fixture
def chain(consortium, gateway):
    node = consortium.signers[0]
    node.accounts = consortium.accounts
    c = Chain(node, key=public_key(gateway))
    password = gateway.folder / "chain-password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    endpoints = [f"http://127.0.0.1:{s.port}" for s in consortium.signers[:2]]
    settings = c.settings(gateway.folder, endpoints=endpoints, chain_id=CHAIN_ID, finality={"confirmations": CONFIRMATIONS},
                          key={"keystore": str(consortium.keystore()), "password_file": str(password)})
    gateway.config["chains"] = [{"name": "consortium", "plugin": "chain-ethereum", "config": settings}]
    return c


def test_one_is_stopped_and_one_is_cut_off(consortium, chain, gateway, broker):
    first, second, _, fourth = consortium.signers
    gateway.start()
    publish(broker, 5)
    gateway.wait_stored(range(60, 65))
    expect_anchored(gateway, chain)

    # Three of four go on.
    fourth.stop()
    had = ledger_head(gateway)[0]
    wait_for("there is more", lambda: kick(broker) or ledger_head(gateway)[0] > had)
    expect_anchored(gateway, chain, at_least=had + 1)
    consortium.restart(3)

    # The one that the gateway talks to is alone: it can't seal three blocks in a row, so nothing of it can become final.
    consortium.cut_off(0)
    wait_for("it stands still", lambda: stands_still(first))
    height = first.block_number()
    had = ledger_head(gateway)[0]
    wait_for("there is more", lambda: kick(broker) or ledger_head(gateway)[0] > had)
    wait_for("it waits", lambda: status(gateway)["pending_size"] > 0)
    wait_for("the others go on", lambda: second.block_number() > height + 2 * CONFIRMATIONS)
    assert status(gateway)["anchored_size"] <= had and first.block_number() <= height + 1
    consortium.join(0)
    wait_for("it is there again", lambda: first.block_number() > height + CONFIRMATIONS, 120)

    sizes = expect_anchored(gateway, chain, at_least=had + 1)
    assert chain.node.nonce(1) == len(sizes)
    wait_for("all four have one chain", lambda: consortium.agree())
    heads = set()
    for signer in consortium.signers:
        chain.node = signer
        heads.add(chain.head())
    assert heads == {(1, *ledger_head(gateway))}
    verify(gateway, chain, consortium)


def stands_still(node):
    height = node.block_number()
    time.sleep(3)
    return node.block_number() == height


def verify(gateway, chain, consortium):
    """By both verifiers, at a node that the gateway does not use."""
    proof = gateway.folder / "a.tlog-proof"
    gateway.cli("prove", str(gateway.readings()[0]["index"]), "-o", str(proof))
    options = [str(proof), "--chain", f"http://127.0.0.1:{consortium.signers[2].port}", "--contract", chain.address,
               "--confirmations", str(CONFIRMATIONS)]
    done = gateway.cli("verify", *options, "--chain-id", str(CHAIN_ID), check=False)
    assert done.returncode == 0 and f"The gateway {NAME}" in done.stdout, done.stdout + done.stderr
    done = subprocess.run(["/usr/bin/python3", TOP / "tests/verifier/chain.py", *options], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
