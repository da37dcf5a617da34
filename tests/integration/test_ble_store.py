"""Bluetooth when the store fails or is slow: alerts go on, and what a device keeps is fetched again."""

import pytest
from ble_ward import BELT, METER, BleGateway, fake  # noqa: F401
from test_ble_records import bond, numbers, wait_numbers
from ward import wait_for


@pytest.fixture
def ble(faulty, fake):  # noqa: F811
    g = BleGateway(faulty, fake)
    yield g
    faulty.stop()


def test_alerts_go_on_without_a_store(ble, listener):
    ble.fake.device(BELT, "clip", "oximeter")
    ble.device("clip-1", BELT)
    ble.start()
    ble.fake.sample(BELT, "2a5f")
    ble.wait_value(95, "spo2")
    ble.gateway.set_fault("commit-error", 1)
    ble.fake.sample(BELT, "2a5f")  # its commit fails
    ble.wait_alert("StoreFailed")
    ble.fake.notify(BELT, "2a5f", bytes([0, 80, 0, 60, 0]))
    listener.expect("the alert", lambda a: a.get("rule") == "SpO2Low")
    ble.gateway.set_fault("commit-error", 0)
    ble.wait_alert("StoreFailed", active=False)
    ble.fake.sample(BELT, "2a5f")
    ble.wait_value(97, "spo2")
    assert 80 not in ble.values("spo2"), "what came live is evaluated and not stored"
    ble.gateway.assert_ledger_verifies()


def test_records_that_were_not_stored_are_fetched_again(ble):
    ble.fake.device(METER, "meter", "glucose", "records=20")
    ble.device("meter-1", METER)
    ble.fake.start()
    bond(ble)
    ble.gateway.start()
    wait_numbers(ble, range(1, 21))
    ble.gateway.set_fault("commit-error", 1)
    ble.fake.add_record(METER)
    ble.fake.add_record(METER)
    ble.fake.drop_link(METER)
    ble.wait_alert("StoreFailed")
    wait_for("they were evaluated", lambda: ble.counters()["records"] >= 22)
    ble.gateway.set_fault("commit-error", 0)
    ble.wait_alert("StoreFailed", active=False)
    wait_numbers(ble, range(1, 23))


def test_what_comes_while_a_batch_is_written_waits(ble):
    ble.gateway.config["ledger"].update({"batch_readings": 5})
    ble.gateway.config["validation"] = {"slow_store": "30s"}
    ble.fake.devices(10, "belt", "heart-rate")
    ble.options["connections"] = 10
    for i in range(1, 11):
        ble.device(f"belt-{i}", f"C0:00:00:00:00:{i:02X}")
    ble.start()
    for i in range(1, 11):
        ble.fake.wait_notifying(f"C0:00:00:00:00:{i:02X}", "2a37")
    ble.gateway.set_fault("commit-delay-us", 100000)
    ble.fake.stream(20, 20)
    wait_for("all are stored", lambda: len(ble.values()) == 200)
    counters = ble.counters()
    assert counters["queued_live"] == 0 and counters["queued_dropped"] == 0
    assert ble.source()["acknowledged"] == 200


def test_a_queue_that_is_full_stops_no_alert(ble, listener):
    ble.gateway.config["ledger"].update({"batch_readings": 2})
    ble.gateway.config["validation"] = {"slow_store": "60s"}
    ble.fake.devices(40, "belt", "heart-rate")
    ble.options["connections"] = 40
    ble.gateway.rules = {"groups": [{"name": "tests", "rules": [
        {"alert": "HrHigh", "expr": "hr > 200", "latch": False, "labels": {"priority": "high"}}]}]}
    for i in range(1, 41):
        ble.device(f"belt-{i}", f"C0:00:00:00:00:{i:02X}")
    ble.start()
    for i in range(1, 41):
        ble.fake.wait_notifying(f"C0:00:00:00:00:{i:02X}", "2a37")
    ble.gateway.set_fault("commit-delay-us", 5000000)
    ble.fake.stream(50, 40)
    ble.wait_counter("queued_live")
    ble.fake.notify(BELT, "2a37", bytes([0, 210]))
    listener.expect("the alert", lambda a: a.get("rule") == "HrHigh")
    ble.gateway.set_fault("commit-delay-us", 0)
