"""What the contract does and what it refuses, on each engine."""

import pytest

from contract import Contract, Refused
from logs import Log, Ward

NOBODY = "0x" + "00" * 20
ZERO = bytes(32)


def refused(call, *args, **options):
    """The error's name, and what it carries where it carries something."""
    with pytest.raises(Refused) as e:
        call(*args, **options)
    return e.value.args[0] if len(e.value.args) == 1 else e.value.args


@pytest.fixture
def ward(contract):
    return Ward(contract)


# --- admins ---

def test_admins_come_and_go_but_never_all(contract):
    first, second, third = contract.node.accounts[:3]
    assert contract.call("adminCount") == [2] and contract.call("isAdmin", third) == [False]
    assert refused(contract.send, "setAdmin", third, True, sender=third) == "NotAdmin"
    assert contract.events_of(contract.send("setAdmin", third, True)) == [("AdminSet", {"admin": third, "on": True})]
    assert contract.events_of(contract.send("setAdmin", third, True)) == []
    assert contract.call("adminCount") == [3]
    contract.send("setAdmin", first, False, sender=third)
    assert refused(contract.send, "setAdmin", first, True, sender=first) == "NotAdmin"
    assert contract.events_of(contract.send("setAdmin", first, False, sender=third)) == []
    contract.send("setAdmin", third, False, sender=third)
    assert refused(contract.send, "setAdmin", second, False, sender=second) == "LastAdmin"
    assert contract.call("adminCount") == [1] and contract.call("isAdmin", second) == [True]


def test_the_first_admins(chain):
    first, second = chain.accounts[:2]
    for admins in ([], [NOBODY], [first, NOBODY]):
        assert refused(Contract, chain, admins) == "constructor"
    twice = Contract(chain, [first, second, first])
    assert twice.call("adminCount") == [2]
    assert [e for e, _ in twice.events_of(twice.deployment)] == ["AdminSet", "AdminSet"]
    assert refused(twice.send, "setAdmin", NOBODY, True) == "ZeroValue"


def test_only_admins_change_gateways(contract, ward):
    for call in (("register", "ward-4", ward.sender, ward.KEY), ("rotate", ward.id, ward.sender, ward.KEY),
                 ("revoke", ward.id), ("setAdmin", ward.sender, True)):
        assert refused(contract.send, *call, sender=ward.sender) == "NotAdmin"


# --- gateways ---

def test_register(contract, ward):
    assert contract.events_of(ward.registered) == [
        ("Registered", {"gateway": ward.id, "name": ward.name, "sender": ward.sender, "publicKey": ward.KEY})]
    assert contract.call("gatewayInfo", ward.id) == [ward.name, ward.sender, ward.KEY, True]
    assert contract.call("gatewayInfo", ZERO) == ["", NOBODY, ZERO, False]
    assert contract.call("head", ward.id) == contract.call("head", ZERO) == [0, 0, ZERO, 0, 0]
    assert refused(contract.send, "register", ward.name, ward.sender, ward.KEY) == "AlreadyRegistered"
    assert refused(contract.send, "register", "ward-4", NOBODY, ward.KEY) == "ZeroValue"
    assert refused(contract.send, "register", "ward-4", ward.sender, ZERO) == "ZeroValue"


def test_names_are_those_of_the_configuration(contract):
    sender = contract.node.accounts[3]
    for name in ("", ".", ".ward", "ward/1", "ward 3", "ward+3", "ward\n", "wärd", "ward@3", "ward[3", "ward`", "ward{",
                 "ward,", "ward;", "w" * 64):
        assert refused(contract.call, "register", name, sender, Ward.KEY) == "BadName", name
    for name in ("w", "Ward-3.example", "azAZ09._:-", "w" * 63):
        contract.send("register", name, sender, Ward.KEY)


def test_rotate(contract, ward):
    other, key = contract.node.accounts[4], bytes(reversed(ward.KEY))
    ward.anchor(0, 5)
    assert contract.events_of(contract.send("rotate", ward.id, other, key)) == [
        ("Rotated", {"gateway": ward.id, "sender": other, "publicKey": key})]
    assert contract.call("gatewayInfo", ward.id) == [ward.name, other, key, True]
    assert refused(ward.anchor, 5, 9) == "NotSender"
    ward.anchor(5, 9, sender=other)
    assert refused(contract.send, "rotate", ward.id, NOBODY, key) == "ZeroValue"
    assert refused(contract.send, "rotate", ward.id, other, ZERO) == "ZeroValue"
    assert refused(contract.send, "rotate", ZERO, other, key) == "NotRegistered"


def test_revoked_is_for_good_and_keeps_what_was_anchored(contract, ward):
    ward.anchor(0, 5)
    head = ward.head()
    assert contract.events_of(contract.send("revoke", ward.id)) == [("Revoked", {"gateway": ward.id})]
    assert refused(ward.anchor, 5, 9) == refused(ward.anchor, 0, 5) == "Revoked_"
    assert refused(contract.send, "revoke", ward.id) == "Revoked_"
    assert refused(contract.send, "rotate", ward.id, ward.sender, ward.KEY) == "Revoked_"
    assert refused(contract.send, "register", ward.name, ward.sender, ward.KEY) == "AlreadyRegistered"
    assert refused(contract.send, "revoke", ZERO) == "NotRegistered"
    assert contract.call("gatewayInfo", ward.id)[3] is False and ward.head() == head


# --- anchors ---

def test_anchor(contract, ward):
    for old_size, size in ((0, 5), (5, 8), (8, 9), (9, 64)):
        receipt = ward.anchor(old_size, size)
        root, number = ward.log.root(size), int(receipt["blockNumber"], 16)
        time = int(contract.node.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)["timestamp"], 16)
        assert contract.events_of(receipt) == [
            ("Anchored", {"gateway": ward.id, "epoch": 1, "size": size, "root": root, "oldSize": old_size})]
        assert ward.head() == [1, size, root, number, time]
        assert contract.call("anchored", ward.id, 1, size) == [root, number, time]
    assert contract.call("anchored", ward.id, 1, 5)[0] == ward.log.root(5)
    assert contract.call("anchored", ward.id, 1, 6) == contract.call("anchored", ward.id, 2, 5) == [ZERO, 0, 0]


def test_who_may_anchor(contract, ward):
    for account in (contract.admin, contract.node.accounts[4]):
        assert refused(ward.anchor, 0, 5, sender=account) == "NotSender"
    ward.id = ZERO
    assert refused(ward.anchor, 0, 5) == "NotRegistered"


def test_the_head_again_changes_nothing(contract, ward):
    ward.anchor(0, 5)
    ward.anchor(5, 9)
    head = ward.head()
    for old_size, proof in ((5, None), (0, []), (9, []), (7, [ZERO])):
        assert contract.events_of(ward.anchor(old_size, 9, proof=proof)) == []
        assert ward.head() == head
    # Said again, but not by the same.
    assert refused(ward.anchor, 5, 9, sender=contract.admin) == "NotSender"
    ward.anchor(9, 12)


def test_what_does_not_follow_is_refused(contract, ward):
    assert refused(ward.anchor, 3, 5) == ("WrongOldSize", 0)
    assert refused(ward.anchor, 0, 0) == "NotLarger"
    assert refused(ward.anchor, 0, 5, proof=[ZERO]) == "NotConsistent"
    ward.anchor(0, 5)
    ward.anchor(5, 9)
    head = ward.head()
    for old_size in (0, 5, 8, 10):
        assert refused(ward.anchor, old_size, 12, proof=[]) == ("WrongOldSize", 9)
    assert refused(ward.anchor, 5, 8) == ("WrongOldSize", 9)
    assert refused(ward.anchor, 9, 8, proof=[]) == "NotLarger"
    assert refused(ward.anchor, 9, 0, proof=[]) == "NotLarger"
    assert refused(ward.anchor, 5, 9, root=ward.log.root(8)) == "NotConsistent"
    assert refused(ward.anchor, 9, 12, proof=[]) == "NotConsistent"
    assert refused(ward.anchor, 9, 12, root=ward.log.root(13)) == "NotConsistent"
    assert ward.head() == head


def test_a_forked_log_is_refused(contract, ward):
    other = Log(64, seed=1, common=7)
    ward.anchor(0, 9)
    for size in (9, 10, 16, 40, 64):
        assert refused(ward.anchor, 9, size, log=other) == "NotConsistent"
    ward.anchor(9, 10)


def test_epochs(contract, ward):
    later, latest = Log(32, seed=2), Log(32, seed=3)
    ward.anchor(0, 9)
    assert refused(ward.anchor, 9, 12, epoch=2, log=later) == ("WrongOldSize", 0)
    ward.anchor(0, 4, epoch=2, log=later)
    assert ward.head()[:3] == [2, 4, later.root(4)]
    assert refused(ward.anchor, 9, 12) == refused(ward.anchor, 0, 9) == ("EarlierEpoch", 2)
    ward.anchor(4, 9, epoch=2, log=later)
    ward.anchor(0, 9, epoch=7, log=latest)
    assert refused(ward.anchor, 9, 12, epoch=6, log=later) == ("EarlierEpoch", 7)
    assert ward.head()[:3] == [7, 9, latest.root(9)]
    # Each epoch's log stays, and none is another's.
    roots = [contract.call("anchored", ward.id, epoch, 9)[0] for epoch in (1, 2, 7)]
    assert roots == [log.root(9) for log in (ward.log, later, latest)]


def test_a_failed_beginning_does_not_begin_an_epoch(contract, ward):
    ward.anchor(0, 9)
    assert refused(ward.anchor, 0, 4, epoch=2, proof=[ZERO]) == "NotConsistent"
    assert ward.head()[:2] == [1, 9]
    ward.anchor(9, 12)


def test_gateways_do_not_see_each_other(contract, ward):
    other = Ward(contract, "ward-4", Log(32, seed=4), contract.node.accounts[4])
    ward.anchor(0, 9)
    assert refused(ward.anchor, 9, 12, sender=other.sender) == "NotSender"
    other.anchor(0, 9)
    assert [w.head()[2] for w in (ward, other)] == [ward.log.root(9), other.log.root(9)]


def test_the_largest_numbers(contract, ward):
    last = 2**64 - 1
    ward.anchor(0, last, epoch=last, root=b"r" * 32, proof=[])
    assert ward.head()[:3] == [last, last, b"r" * 32]
    assert refused(ward.anchor, 0, 1, epoch=last - 1) == ("EarlierEpoch", last)


def test_the_log_of_anchors_by_an_indexer(contract, ward):
    """All that a gateway anchored in an epoch is found by two topics."""
    ward.anchor(0, 5)
    ward.anchor(5, 9)
    ward.anchor(0, 3, epoch=2)
    name = next(topic for topic, (event, _) in contract.events.items() if event == "Anchored")
    topics = ["0x" + topic.hex() for topic in (name, ward.id, (1).to_bytes(32, "big"))]
    logs = contract.node.rpc("eth_getLogs", {"address": contract.address, "fromBlock": "0x0", "toBlock": "latest",
                                             "topics": topics})
    assert [contract.event(log)[1]["size"] for log in logs] == [5, 9]


def test_no_money_is_taken(contract, ward):
    request = contract.request("revoke", ward.id)
    assert "error" not in contract.node.batch("eth_call", [(request, "latest")])[0]
    assert "error" in contract.node.batch("eth_call", [({**request, "value": "0x1"}, "latest")])[0]
