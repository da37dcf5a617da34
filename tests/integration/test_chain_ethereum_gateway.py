"""The real daemon anchors on a real chain: kills, outages and reorganisations in between, and in the end the contract
has what the ledger has, each of it once."""

import json
import os
import random
import signal
import time

import pytest

from anchoring import expect_anchored, kick, ledger_head, publish, public_key, status
from evm import SENDER, Anvil, Chain, require_packages, worker_of
from ward import packs, senml, wait_for


@pytest.fixture(scope="module", autouse=True)
def packages():
    require_packages()


@pytest.fixture
def anvil(folder):
    node = Anvil(folder)
    yield node
    node.stop()


@pytest.fixture
def chain(anvil, gateway):
    """The gateway's contract, and the gateway told of it."""
    c = Chain(anvil, key=public_key(gateway))
    connect(gateway, c)
    return c


def connect(gateway, chain, finality="instant", **more):
    gateway.config["chains"] = [{"name": "consortium", "plugin": "chain-ethereum",
                                 "config": chain.settings(gateway.folder, finality=finality, **more)}]


def kill_worker(gateway):
    worker = worker_of(gateway)
    if worker:
        os.kill(worker, signal.SIGKILL)


def test_what_is_read_is_anchored_and_stays_so(gateway, broker, chain):
    gateway.start()
    publish(broker, 5)
    gateway.wait_stored(range(60, 65))
    expect_anchored(gateway, chain)
    assert " block " in status(gateway)["receipt"] and status(gateway)["receipt"].startswith("0x")
    gateway.stop()
    gateway.start()
    wait_for("the receipt is known again", lambda: status(gateway)["receipt"].startswith("0x"))
    sizes = expect_anchored(gateway, chain)
    assert chain.node.nonce(SENDER) == len(sizes)  # no transaction said again what was anchored
    gateway.assert_ledger_verifies()


def test_an_outage_costs_one_transaction(gateway, broker, chain):
    gateway.start()
    publish(broker, 2)
    expect_anchored(gateway, chain)
    chain.node.stop()
    wait_for("the node is missed", lambda: kick(broker) or status(gateway)["health"] == "unreachable")
    seen, _ = ledger_head(gateway)
    height = gateway.status()["ledger"]["height"]
    wait_for("there are many blocks", lambda: kick(broker) or gateway.status()["ledger"]["height"] > height + 10)
    assert any("ChainUnreachable:consortium" in a["rule"] for a in gateway.technical_alerts())
    missed, _ = ledger_head(gateway)
    chain.node.start()
    sizes = expect_anchored(gateway, chain, at_least=missed)
    assert [size for size in sizes if seen < size < missed] == []  # the first one after the outage has all of it
    assert chain.node.nonce(SENDER) == len(sizes)


def behind(gateway):
    return [a for a in gateway.technical_alerts() if a["rule"] == "ChainBehind:consortium"]


def test_what_waits_too_long_is_an_alert(gateway, broker, chain):
    """Also over a restart, and until what the ledger has is final; readings and alerts go on all the while."""
    connect(gateway, chain)
    gateway.config["chains"][0]["behind_after"] = "2s"
    chain.node.stop()
    gateway.start()
    publish(broker, 2)
    gateway.wait_stored(range(60, 62))
    [alert] = wait_for("it is said", lambda: behind(gateway))
    assert "consortium" in alert["summary"] and "2s" in alert["summary"]
    row = status(gateway)
    assert row["lag"] > 0 and row["lag_us"] > 2e6
    wait_for("it is recorded", lambda: any(a["id"] == alert["id"] for a in gateway.control("alerts", all=True)))
    gateway.kill()
    gateway.start()
    assert [a["id"] for a in wait_for("it goes on", lambda: behind(gateway))] == [alert["id"]]
    wait_for("its age counts on", lambda: status(gateway)["lag_us"] > row["lag_us"])
    broker.publish("ward/d1/senml", [senml("spo2", 80, time.time())])
    wait_for("alerts go on", lambda: any(a["rule"] == "SpO2Low" for a in gateway.control("alerts")))
    chain.node.start()
    wait_for("it is over", lambda: not behind(gateway))
    expect_anchored(gateway, chain)
    wait_for("nothing waits", lambda: status(gateway)["lag"] == status(gateway)["lag_us"] == 0)


def test_resubmit_does_not_wait_for_the_next_try(gateway, broker, chain):
    account = chain.node.accounts[SENDER]
    chain.node.rpc("anvil_setBalance", account, "0x0")
    gateway.start()
    publish(broker, 2)
    wait_for("it says what it lacks", lambda: "send it more" in status(gateway)["reason"])
    done = gateway.cli("chain", "resubmit", check=False)
    assert done.returncode == 1 and "send it more" in done.stderr, done.stderr
    chain.node.rpc("anvil_setBalance", account, hex(10**18))
    done = gateway.cli("chain", "resubmit", "consortium", "--json", check=False)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["anchored_size"] > 0 and row["receipt"].startswith("0x")
    sizes = expect_anchored(gateway, chain)
    assert chain.node.nonce(SENDER) == len(sizes)
    done = gateway.cli("chain", "resubmit", "other", check=False)
    assert done.returncode == 1 and "no chain is named 'other'" in done.stderr


def test_resubmit_says_how_far_it_is(gateway, broker, chain):
    chain.node.automine(False)
    gateway.start()
    publish(broker, 2)
    wait_for("it is under way", lambda: chain.node.pending())
    done = gateway.cli("chain", "resubmit", "--timeout", "6s", check=False)
    assert done.returncode == 1 and "under way" in done.stderr and "not final yet" in done.stderr, done.stderr
    chain.node.automine(True)
    chain.node.mine()
    assert gateway.cli("chain", "resubmit", check=False).returncode == 0
    expect_anchored(gateway, chain)


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_any_moment(gateway, broker, chain, seed):
    """Of the worker, the daemon and the node, while blocks come every 100 ms and what is final lags."""
    chance = random.Random(seed)
    connect(gateway, chain, finality={"confirmations": 2}, replace_after="1s")
    chain.node.rpc("evm_setIntervalMining", 1)
    gateway.start()
    for i in range(8):
        publish(broker, 3)
        time.sleep(chance.random())
        what = chance.choice(["worker", "worker", "daemon", "node"])
        if what == "worker":
            kill_worker(gateway)
        elif what == "daemon":
            gateway.kill()
            gateway.start()
        else:
            chain.node.stop()
            time.sleep(chance.random())
            chain.node.start()
            chain.node.rpc("evm_setIntervalMining", 1)
    expect_anchored(gateway, chain)
    gateway.assert_ledger_verifies()


def test_a_reorganisation_is_anchored_again(gateway, broker, chain):
    connect(gateway, chain, finality={"confirmations": 6})
    chain.node.mine(5)
    gateway.start()
    publish(broker, 3)
    gateway.wait_stored(range(60, 63))
    wait_for("it is anchored", lambda: chain.head()[1] == ledger_head(gateway)[0] > 0)
    newest = chain.logs()[-1]
    size = chain.event(newest)[1]["size"]
    assert status(gateway)["anchored_size"] < size
    chain.node.rpc("anvil_reorg", 2, [])
    assert newest["blockHash"] not in [log["blockHash"] for log in chain.logs()]
    wait_for("it is anchored again", lambda: chain.head()[1] >= size)
    wait_for("it is final", lambda: chain.node.mine() or 0 < status(gateway)["anchored_size"] == ledger_head(gateway)[0])
    expect_anchored(gateway, chain)


def test_what_an_operator_has_to_change_is_said_and_waited_for(gateway, broker, chain):
    connect(gateway, chain, chain_id=1)
    gateway.start()
    publish(broker, 1)
    wait_for("it says so", lambda: "expected 1" in status(gateway)["reason"])
    failures = status(gateway)["failures"]
    time.sleep(3)
    publish(broker, 1)
    assert status(gateway)["failures"] == failures
    assert chain.node.nonce(SENDER) == 0
