"""What the broker may do to the gateway: be absent, restart, vanish for a while."""

import time

import pytest

from ward import Broker, Gateway, Listener, packs, senml, wait_for

pytestmark = pytest.mark.timeout(240)


def test_the_broker_may_be_absent_at_start(folder):
    broker = Broker(folder / "broker")
    gateway = Gateway(folder, broker.port)
    try:
        gateway.start()
        source = gateway.status()["sources"][0]
        assert source["up"] is False
        wait_for("a reason", lambda: gateway.status()["sources"][0]["reason"])
        broker.start()
        gateway.wait_connected()
        broker.publish("ward/d1/senml", packs([70]))
        gateway.wait_stored([70])
    finally:
        try:
            gateway.stop()
        finally:
            broker.stop()


@pytest.mark.short
def test_nothing_is_lost_over_restarts_of_the_broker(gateway, broker):
    gateway.start()
    gateway.wait_connected()
    sent = []
    for turn in range(3):
        values = range(40 + 50 * turn, 90 + 50 * turn)
        broker.publish("ward/d1/senml", packs(values))
        sent += values
        broker.stop()
        gateway.wait_connected(up=False)
        broker.start()
        gateway.wait_connected()
    broker.publish("ward/d1/senml", packs([200]))
    gateway.wait_stored(sent + [200])
    wait_for("the source's absence is in the ledger", lambda: gateway.entry_types().count("GAP") >= 3)
    gateway.assert_ledger_verifies()


def test_a_backlog_is_drained_in_order(gateway, broker):
    """The daemon is away, the broker keeps 5000 messages; then none is missing and a late one comes last."""
    gateway.start()
    gateway.wait_connected()
    gateway.stop()
    values = [40 + i / 100 for i in range(5000)]
    broker.publish("ward/d1/senml", packs(values))
    gateway.start()
    gateway.wait_stored(values)
    indexes = {r["value"]: r["index"] for r in gateway.readings(vital="hr")}
    assert [indexes[v] for v in values] == sorted(indexes.values())
    gateway.assert_ledger_verifies()


def test_alerts_wait_for_the_receiver_and_are_not_lost(gateway, broker):
    """The receiver's broker is the one that restarts: what was raised meanwhile is delivered after."""
    second = Broker(gateway.folder / "second")
    gateway.config["receivers"][0]["config"]["port"] = second.port
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", [senml("spo2", 84, time.time())])
    wait_for("the alert is active", lambda: gateway.status()["alerts"]["active"] >= 1)
    second.start()
    listener = Listener(second.port, "alerts/#")
    try:
        listener.expect("the alert", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "active")
    finally:
        listener.close()
        second.stop()
