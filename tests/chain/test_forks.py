"""Equivocation: what may be reported, what is recorded, and what is refused, on each engine."""

import pytest

from logs import Log, Ward
from test_contract import ZERO, refused

NOTE_A, NOTE_B = b"the one note", b"the other note"


@pytest.fixture
def ward(contract):
    ward = Ward(contract)
    ward.anchor(0, 9)
    ward.anchor(9, 20)
    return ward


def report(ward, size, root, other_size, other_root, proof, notes=(NOTE_A, NOTE_B), epoch=1):
    # By somebody whom the contract does not know.
    return ward.contract.send("reportFork", ward.id, epoch, size, root, *notes, other_size, other_root, proof,
                              sender=ward.contract.node.accounts[5])


def count(ward):
    return ward.contract.call("forkCount", ward.id)[0]


def test_two_roots_of_one_size(contract, ward):
    other = Log(64, seed=1, common=7)
    receipt = report(ward, 9, ward.log.root(9), 9, other.root(9), [])
    (name, event), = contract.events_of(receipt)
    hashes = [contract.node.keccak(note) for note in (NOTE_A, NOTE_B)]
    assert name == "ForkReported" and count(ward) == 1
    fork = contract.call("fork", ward.id, 0)
    assert fork[:4] == [event.pop("id"), *hashes, int(receipt["blockNumber"], 16)] and fork[4] > 0
    assert event == {"gateway": ward.id, "epoch": 1, "size": 9, "root": ward.log.root(9), "otherSize": 9,
                     "otherRoot": other.root(9), "anchoredA": True, "anchoredB": False, "noteA": NOTE_A, "noteB": NOTE_B}
    # It is evidence for those who read it, and stops nobody.
    ward.anchor(20, 21)


@pytest.mark.parametrize("size, other_size", [(8, 9), (9, 10), (9, 20), (9, 64), (16, 20), (16, 64), (32, 33), (20, 31)])
def test_an_inconsistent_pair(contract, ward, size, other_size):
    """Each of the two logs can have the smaller one, and the larger tree's proof shows what it had there."""
    other = Log(64, seed=1, common=7)
    for a, b in ((ward.log, other), (other, ward.log)):
        args = size, a.root(size), other_size, b.root(other_size)
        report(ward, *args, b.fork_proof(size, other_size))
        # The same proof shows nothing against the log that it is of.
        assert refused(report, ward, size, b.root(size), *args[2:], b.fork_proof(size, other_size)) == "NoFork"
    assert count(ward) == 2


def test_what_is_no_fork(ward):
    other = Log(64, seed=1, common=7)
    a, b = ward.log.root(9), other.root(20)
    proof = other.fork_proof(9, 20)
    assert refused(report, ward, 9, a, 9, a, []) == "NoFork"
    assert refused(report, ward, 9, a, 9, other.root(9), [ZERO]) == "NoFork"
    assert refused(report, ward, 0, a, 0, b, []) == refused(report, ward, 0, a, 20, b, proof) == "NoFork"
    assert refused(report, ward, 20, b, 9, a, proof) == "NoFork"
    # A proof that fails shows nothing: anybody can make one.
    for bad in ([], proof[:-1], proof[1:], proof + [ZERO], [ZERO] + proof, proof[::-1], [ZERO] * len(proof),
                ward.log.fork_proof(9, 20)):
        assert refused(report, ward, 9, a, 20, b, bad) == "NoFork"
    # A walk that ends below the root, and one that goes on above it.
    assert refused(report, ward, 9, a, 64, other.root(16), other.fork_proof(9, 16)) == "NoFork"
    assert refused(report, ward, 9, a, 20, ZERO, proof + [ZERO]) == "NoFork"
    # RFC 6962's proof from a perfect tree lacks the node that would tell.
    assert refused(report, ward, 16, ward.log.root(16), 20, b, other.consistency(16, 20)) == "NoFork"
    # Logs that have not parted yet.
    assert refused(report, ward, 5, ward.log.root(5), 20, b, other.fork_proof(5, 20)) == "NoFork"
    assert count(ward) == 0


def test_a_note_may_be_missing_only_where_its_checkpoint_is_anchored(contract, ward):
    other = Log(64, seed=1, common=7)
    same_size = 9, ward.log.root(9), 9, other.root(9), []
    assert refused(report, ward, *same_size, notes=(NOTE_A, b"")) == "BadNote"
    assert refused(report, ward, *same_size, notes=(b"", NOTE_B), epoch=2) == "BadNote"
    report(ward, *same_size, notes=(b"", NOTE_B))
    below = 8, other.root(8), 9, ward.log.root(9), ward.log.fork_proof(8, 9)
    assert refused(report, ward, *below, notes=(b"", NOTE_B)) == "BadNote"
    (_, event), = contract.events_of(report(ward, *below, notes=(NOTE_A, b"")))
    assert (event["anchoredA"], event["anchoredB"]) == (False, True)
    # Neither is anchored, but both were seen.
    (_, event), = contract.events_of(report(ward, 33, ward.log.root(33), 33, other.root(33), []))
    assert (event["anchoredA"], event["anchoredB"]) == (False, False)


def test_notes_are_bounded(contract, ward):
    other = Log(64, seed=1, common=7)
    pair = 9, ward.log.root(9), 9, other.root(9), []
    assert refused(report, ward, *pair, notes=(NOTE_A, b"n" * 6145)) == "BadNote"
    assert refused(report, ward, *pair, notes=(b"n" * 6145, NOTE_B)) == "BadNote"
    (_, event), = contract.events_of(report(ward, *pair, notes=(b"m" * 6144, b"n" * 6144)))
    assert (event["noteA"], event["noteB"]) == (b"m" * 6144, b"n" * 6144)


def test_a_report_again_changes_nothing_but_takes_no_other_ones_place(contract, ward):
    other = Log(64, seed=1, common=7)
    pair = 9, ward.log.root(9), 9, other.root(9), []
    report(ward, *pair, notes=(b"false", b"notes"))
    report(ward, *pair)
    first = [contract.call("fork", ward.id, i) for i in range(2)]
    assert contract.events_of(report(ward, *pair)) == [] and count(ward) == 2
    assert [contract.call("fork", ward.id, i) for i in range(2)] == first


def test_of_gateways_that_are_or_were(contract, ward):
    other = Log(64, seed=1, common=7)
    pair = 9, ward.log.root(9), 9, other.root(9), []
    contract.send("revoke", ward.id)
    report(ward, *pair)
    ward.id = ZERO
    assert refused(report, ward, *pair) == "NotRegistered"
