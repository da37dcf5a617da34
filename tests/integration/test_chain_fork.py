"""A gateway that forks its ledger: a restored backup, in a build that leaves out the rule that this begins a new epoch. The
gateway notices it itself; whatever it or who has its keys sends, the contract refuses, and anybody can report the two."""

import base64
import json
import shutil

import pytest

from anchoring import expect_anchored, kick, ledger_head, public_key, status
from evm import OTHER, SENDER, Anvil, Chain, require_packages
from test_chain_ethereum_gateway import connect
from ward import wait_for

import proofs
from contract import Refused


@pytest.fixture
def chain(folder, faulty):
    require_packages()
    node = Anvil(folder)
    c = Chain(node, key=public_key(faulty))
    connect(faulty, c)
    yield c
    node.stop()


def grow(gateway, broker, size):
    """A checkpoint of more entries than that."""
    return wait_for("there is more", lambda: kick(broker) or (ledger_head(gateway)[0] > size and ledger_head(gateway)))


def checkpoint(gateway):
    """The newest: size, root, signed note."""
    note = gateway.control("checkpoint")[0]["note"]
    lines = note.split("\n")
    return int(lines[1]), base64.b64decode(lines[2]), note.encode()


def proof_between(gateway, old_size, size):
    row, = gateway.control("consistency", **{"from": old_size, "to": size})
    return [bytes.fromhex(h) for h in row["proof"]]


def refused(send, *arguments):
    with pytest.raises(Refused) as e:
        send(*arguments)
    return e.value.args[0]


def anchored_twice_over(gateway, broker, chain):
    """What a backup has, and what was anchored after it, whose size is no power of two."""
    backup = gateway.folder / "backup"
    gateway.start()
    grow(gateway, broker, 0)
    expect_anchored(gateway, chain)
    gateway.stop()
    shutil.copytree(gateway.state / "ledger", backup)
    gateway.start()
    old, _ = ledger_head(gateway)
    size = old
    while size == old or size & (size - 1) == 0:
        size, _ = grow(gateway, broker, size)
    expect_anchored(gateway, chain)
    proof = gateway.folder / "before.tlog-proof"

    def is_anchored():
        gateway.cli("prove", str(gateway.readings()[0]["index"]), "-o", str(proof))
        note = proofs.parse_proof(proof.read_bytes()).note.decode()
        return chain.call("anchored", chain.id, 1, int(note.split("\n")[1]))[1] > 0
    wait_for("a proof to a checkpoint that is anchored", is_anchored)
    gateway.stop()
    return backup, proof


def test_a_restored_backup_that_goes_on_in_its_epoch(faulty, broker, chain):
    gateway = faulty
    backup, proof_file = anchored_twice_over(gateway, broker, chain)
    _, size, root = chain.head()
    shutil.rmtree(gateway.state / "ledger")
    backup.rename(gateway.state / "ledger")
    gateway.set_fault("same-epoch", 1)
    gateway.start()
    assert gateway.status()["ledger"]["epoch"] == 1

    # Noticed where it happens, though this build went on signing.
    wait_for("it is noticed", lambda: status(gateway)["health"] == "contradicted")
    assert any(a["rule"] == "ChainContradicted:consortium" for a in gateway.technical_alerts())
    grow(gateway, broker, size)
    other_size, other_root, other_note = checkpoint(gateway)
    proof = proof_between(gateway, size, other_size)
    done = gateway.cli("chain", "resubmit", check=False)
    assert done.returncode == 1 and "consortium: " in done.stderr, done.stderr
    assert chain.head() == (1, size, root)

    # With the account's key, past the connector: both ways to begin are refused, in a block.
    def anchor(old_size, proof):
        chain.send("anchor", chain.id, 1, old_size, other_size, other_root, proof, sender=chain.node.accounts[SENDER])
    assert refused(anchor, size, proof) == "NotConsistent"
    assert refused(anchor, 0, []) == "WrongOldSize"
    assert chain.head() == (1, size, root)

    # Two signed checkpoints that exclude each other: reported by somebody whom the contract does not know.
    chain.send("reportFork", chain.id, 1, size, root, b"", other_note, other_size, other_root, proof,
               sender=chain.node.accounts[OTHER])
    assert chain.call("forkCount", chain.id) == [1]
    found = verdict(gateway, chain, proof_file)
    assert (found["outcome"], found["forks"], found["forks_shown"]) == ("proven", 1, 1)


def verdict(gateway, chain, proof):
    done = gateway.cli("verify", str(proof), "--chain", f"http://127.0.0.1:{chain.node.port}", "--contract", chain.address,
                       "--json", check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_with_the_rule_it_is_a_new_epoch_and_no_fork(faulty, broker, chain):
    """The same backup in the same build, with the rule: a log of its own, which the contract takes."""
    gateway = faulty
    backup, _ = anchored_twice_over(gateway, broker, chain)
    shutil.rmtree(gateway.state / "ledger")
    backup.rename(gateway.state / "ledger")
    gateway.start()
    assert gateway.status()["ledger"]["epoch"] == 2
    wait_for("the new epoch is anchored", lambda: chain.head() == (2, *ledger_head(gateway)))
    assert status(gateway)["health"] != "contradicted"
