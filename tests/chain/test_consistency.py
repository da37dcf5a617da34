"""The contract's check of consistency proofs: right, and the same as the ledger's own, whatever is put to it."""

import base64
import json
import os
from collections import Counter
from pathlib import Path

import pytest

import cases
from cases import Case
from contract import Contract
from logs import Log, Ward
from test_contract import refused

BUILD = Path(os.environ.get("WARDSTONE_BUILD") or Path(__file__).resolve().parents[2] / "build/gcc")
FORGED = 10_000
FORGED_BY_TRANSACTION = 480


@pytest.fixture
def ledger():
    program = BUILD / "tests/chain/merkle-check"
    assert program.exists(), "merkle-check is not built"
    return program


@pytest.fixture(scope="module")
def judge(anvil):
    return Contract(anvil, anvil.accounts[:1])


def hash_of(text):
    """Shorter ones are placeholders of vectors in which the hash does not matter; none where there is no 32 bytes' room."""
    data = base64.b64decode(text or "")
    return data.ljust(32, b"\0") if 0 < len(data) <= 32 else None


def published(vectors):
    """(file, whether it is good, case)"""
    for path in sorted((vectors / "consistency").glob("**/*.json")):
        v = json.loads(path.read_text())
        proof = tuple(hash_of(h) for h in v["proof"] or [])
        yield path, not v["wantErr"], Case(v["size1"], hash_of(v.get("root1")), v["size2"], hash_of(v.get("root2")), proof)


def test_published_proofs(contract, ledger, vectors):
    every = list(published(vectors))
    # What the ABI cannot say never reaches the contract.
    said = [(path, good, c) for path, good, c in every if None not in (c.old_root, c.root, *c.proof)]
    assert len(every) > 60 and not any(good for _, good, c in every if None in (c.old_root, c.root, *c.proof))
    assert sum(good for _, good, _ in said) > 3
    only = [c for _, _, c in said]
    print(f"{len(every)} files, {len(only)} of them of 32-byte hashes")
    for (path, good, _), on_chain, here in zip(said, cases.by_contract(contract, only), cases.by_ledger(ledger, only)):
        assert on_chain == here == good, path


def test_all_published_proofs_up_to_eight_leaves(contract, ledger, vectors):
    v = json.loads((vectors / "all_proofs_size1to8.json").read_text())
    roots = [bytes.fromhex(root) for root in v["roots"]]
    every = [Case(p["first"], roots[p["first"]], p["second"], roots[p["second"]], tuple(map(bytes.fromhex, p["proof"])))
             for p in v["consistency"] if p["first"] > 0]
    assert len(every) > 30
    assert all(cases.by_contract(contract, every)) and all(cases.by_ledger(ledger, every))


def test_good_proofs_of_small_trees(judge, ledger):
    """Each pair of sizes, by RFC 6962's own definition."""
    log = Log(40)
    roots = {n: log.root(n) for n in range(1, 41)}
    every = [Case(m, roots[m], n, roots[n], tuple(log.consistency(m, n))) for n in roots for m in range(1, n + 1)]
    assert len(every) == 820
    assert all(cases.by_contract(judge, every)) and all(cases.by_ledger(ledger, every))


def test_good_proofs_of_any_size(judge, ledger, numbers):
    every = cases.good(numbers, 1000)
    assert max(len(c.proof) for c in every) > 60 and max(c.size for c in every) > 2**63
    assert all(cases.by_contract(judge, every)) and all(cases.by_ledger(ledger, every))


def test_forged_proofs(judge, ledger, numbers):
    """None is accepted by either, so both agree on each."""
    forged = cases.forged(numbers, FORGED)
    print(*(f"{kind} {n}" for kind, n in sorted(Counter(kind for kind, _ in forged).items())), sep=", ")
    every = [c for _, c in forged]
    for verdicts in (cases.by_contract(judge, every), cases.by_ledger(ledger, every)):
        assert len(verdicts) == FORGED
        assert [forged[i] for i, accepted in enumerate(verdicts) if accepted] == []


def test_forged_proofs_on_each_engine(contract, ledger, numbers):
    """A shorter set, with good ones in between."""
    every = [c for _, c in cases.forged(numbers, 200)] + cases.good(numbers, 100)
    numbers.shuffle(every)
    verdicts = cases.by_contract(contract, every)
    assert verdicts == cases.by_ledger(ledger, every) and sum(verdicts) == 100


def test_sizes_that_walk_alike_cannot_be_told_apart_by_a_proof(judge, ledger):
    """Why a root alone says nothing: in the walk from 4, the right half of 8 leaves and of 7 is one node each. The signed
    checkpoint ties a size to its root; here both judges have to be equally short of sight."""
    log = Log(8)
    alike = [Case(4, log.root(4), n, log.root(8), tuple(log.consistency(4, 8))) for n in (5, 6, 7, 8, 9)]
    assert {cases.steps(4, n) for n in (5, 6, 7)} == {cases.steps(4, 8)} != {cases.steps(4, 9)}
    assert cases.by_contract(judge, alike) == cases.by_ledger(ledger, alike) == [True, True, True, True, False]


def test_forged_proofs_are_refused_by_anchor(anvil, judge, numbers):
    """The same through the function that matters, from heads that are really on the chain."""
    heads = {}
    for bad in (c for _, c in cases.forged(numbers, 2 * FORGED_BY_TRANSACTION)):
        if 0 < bad.old_size < bad.size and len(heads) < FORGED_BY_TRANSACTION:
            heads.setdefault((bad.old_size, bad.old_root), []).append(bad)
    ward = Ward(judge, "ward-forged")
    for epoch, ((old_size, old_root), several) in enumerate(heads.items(), 1):
        judge.receipt("anchor", ward.id, epoch, 0, old_size, old_root, [], sender=ward.sender)
        for bad in several:
            call = "anchor", ward.id, epoch, old_size, bad.size, bad.root, bad.proof
            assert refused(judge.call, *call, sender=ward.sender) == "NotConsistent"
        assert ward.head()[:3] == [epoch, old_size, old_root]
    assert len(heads) > 300
