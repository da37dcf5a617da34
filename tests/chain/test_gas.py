"""What each operation costs, measured, printed, and held to the table of docs/ethereum.md. The figures follow from the code
and the rules of the chain (london) alone, so they are the same in each run."""

import cases
from conftest import TOP
from contract import Contract
from logs import Log, Ward

NOTE = 200  # bytes of a checkpoint

# Where a log of so many leaves goes on: (old size, size).
GROWTH = ((1_000, 1_100), (100_000, 101_000), (1_000_000, 1_001_000), (1_000_000, 1_100_000), (100_000_000, 100_010_000))


def gas(receipt):
    return int(receipt["gasUsed"], 16)


def grown(ward, numbers, epoch, old_size, size):
    c = cases.of_sizes(numbers, old_size, size)
    ward.anchor(0, old_size, epoch, root=c.old_root, proof=[])
    return f"`anchor` from {old_size} to {size}: {len(c.proof)} hashes", gas(
        ward.anchor(old_size, size, epoch, root=c.root, proof=c.proof))


def measure(anvil, numbers):
    contract = Contract(anvil, anvil.accounts[:3])
    ward = Ward(contract)
    yield "deploy, with three admins", gas(contract.deployment)
    yield "`setAdmin`, another one", gas(contract.send("setAdmin", anvil.accounts[5], True))
    yield "`register`", gas(ward.registered)
    yield "`rotate`", gas(contract.send("rotate", ward.id, ward.sender, bytes(reversed(ward.KEY))))
    yield "`anchor`, the gateway's first", gas(ward.anchor(0, 5))
    yield "`anchor`, a later epoch's first", gas(ward.anchor(0, 5, 2))
    for epoch, (old_size, size) in enumerate(GROWTH, 3):
        yield grown(ward, numbers, epoch, old_size, size)
    _, size, root, _, _ = ward.head()
    yield "`anchor`, the head once more", gas(ward.anchor(0, size, epoch, root=root, proof=[]))
    c = cases.of_sizes(numbers, size, size + 1000)
    yield f"`anchor`, refused as not consistent: {len(c.proof)} hashes", gas(contract.receipt(
        "anchor", ward.id, epoch, size, c.size, c.root, c.proof, sender=ward.sender))
    other, notes = Log(64, seed=1), (b"a" * NOTE, b"b" * NOTE)
    yield "`reportFork`, two roots of one size", gas(contract.send(
        "reportFork", ward.id, 1, 5, ward.log.root(5), *notes, 5, other.root(5), []))
    yield "`reportFork`, an inconsistent pair: 6 hashes", gas(contract.send(
        "reportFork", ward.id, 1, 5, ward.log.root(5), *notes, 40, other.root(40), other.fork_proof(5, 40)))
    yield "`revoke`", gas(contract.send("revoke", ward.id))


def test_gas(anvil, numbers):
    table = "".join(f"| {what} | {amount:,} |\n" for what, amount in measure(anvil, numbers))
    print(table)
    assert table in (TOP / "docs/ethereum.md").read_text()
