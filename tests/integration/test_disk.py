"""A store that fails stops acknowledgements, not alerts."""

import contextlib
import subprocess
import threading
import time

import pytest

from ward import ControlError, packs, senml, wait_for

pytestmark = pytest.mark.timeout(240)


def fill(path):
    """Leaves no byte free."""
    with open(path / "filler", "wb", buffering=0) as f:
        for size in (1 << 20, 4096):
            try:
                while True:
                    f.write(bytes(size))
            except OSError:
                pass


def test_alerts_arrive_with_the_disk_full_and_nothing_acknowledged_is_lost(gateway, broker, listener, small_disk):
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs(range(40, 60)))
    gateway.wait_stored(range(40, 60))

    fill(small_disk)
    # Enough to outgrow what the database's file still has room for in its last page.
    later = [60 + i / 10 for i in range(600)]
    broker.publish("ward/d1/senml", packs(later))
    listener.expect("a technical alert", lambda m: m.get("priority") == "technical" and m.get("state") == "active")
    assert gateway.status()["state"] == "store-down"
    broker.publish("ward/d2/senml", [senml("spo2", 83, time.time())])
    listener.expect("an alert with the disk full", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "active")

    (small_disk / "filler").unlink()
    wait_for("the store works again", lambda: gateway.status()["state"] != "store-down")
    gateway.wait_stored(list(range(40, 60)) + later)
    wait_for("the reading behind the alert is stored", lambda: len(gateway.readings(vital="spo2")) == 1)
    gateway.assert_ledger_verifies()
    wait_for("the failure is in the ledger", lambda: "GAP" in gateway.entry_types())


@pytest.mark.short
def test_alerts_arrive_while_each_commit_fails(faulty, broker, listener):
    faulty.start()
    faulty.wait_connected()
    faulty.set_fault("commit-error", 1)
    broker.publish("ward/d1/senml", packs([70, 71, 72]))
    wait_for("the store is down", lambda: faulty.status()["state"] == "store-down")
    broker.publish("ward/d1/senml", [senml("spo2", 82, time.time())])
    listener.expect("an alert", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "active")
    assert faulty.status()["sources"][0]["acknowledged"] == 0
    faulty.set_fault("commit-error", 0)
    wait_for("the store works again", lambda: faulty.status()["state"] == "ok")
    faulty.wait_stored([70, 71, 72])
    faulty.assert_ledger_verifies()


def test_alerts_do_not_wait_for_a_slow_disk(faulty, broker, listener):
    faulty.config["validation"] = {"slow_store": "200ms"}
    faulty.start()
    faulty.wait_connected()
    faulty.set_fault("commit-delay-us", 8_000_000)
    broker.publish("ward/d1/senml", packs([70]))
    broker.publish("ward/d1/senml", [senml("spo2", 82, time.time())])
    listener.expect("an alert", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "active")
    assert faulty.readings(vital="spo2") == [], "the alert came before its reading was on the disk"
    faulty.set_fault("commit-delay-us", 0)
    faulty.wait_stored([70])
    faulty.wait_stored([82], vital="spo2")


def test_alerts_do_not_wait_for_a_commit_that_no_reading_is_in(faulty, broker, listener):
    faulty.config["validation"] = {"slow_store": "200ms"}
    faulty.config["ledger"]["batch_readings"] = 1
    faulty.start()
    faulty.wait_connected()
    faulty.set_fault("commit-delay-us", 15_000_000)

    def silence():
        with contextlib.suppress(ControlError):  # it is not recorded in time
            faulty.control("silence", for_us=60_000_000, why="test", subject="stay-9")
    asking = threading.Thread(target=silence, daemon=True)
    asking.start()
    wait_for("the silence is begun", lambda: faulty.control("silences"))
    time.sleep(0.1)  # and its batch closed
    size = faulty.status()["ledger"]["size"]
    for device in ("d1", "d2"):
        broker.publish(f"ward/{device}/senml", [senml("spo2", 82, time.time())])
        listener.expect("an alert", lambda m, device=device: m.get("subject") == f"device:{device}")
    assert faulty.status()["ledger"]["size"] == size, "the alerts came before the silence was on the disk"
    faulty.set_fault("commit-delay-us", 0)
    asking.join(40)
    faulty.wait_stored([82, 82], vital="spo2")


def test_a_disk_that_is_always_slow_gets_on(faulty, broker):
    faulty.config["validation"] = {"slow_store": "200ms"}
    faulty.start()
    faulty.wait_connected()
    faulty.set_fault("commit-delay-us", 500_000)
    broker.publish("ward/d1/senml", packs(range(40, 90)))
    faulty.wait_stored(range(40, 90))
    broker.publish("ward/d1/senml", packs(range(90, 140)))
    faulty.wait_stored(range(40, 140))
    wait_for("all are acknowledged", lambda: faulty.status()["sources"][0]["acknowledged"] >= 100)


def test_a_state_folder_that_cannot_be_written_is_named(gateway, folder):
    gateway.write_config()
    gateway.state.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", gateway.state], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        run = gateway.run()
    finally:
        subprocess.run(["umount", gateway.state], check=True)
    assert run.returncode == 1
    assert str(gateway.state) in run.stderr and "Read-only file system" in run.stderr


def test_the_ledger_stays_within_its_size_budget(gateway, broker):
    """Content goes, oldest first, once it is anchored; entries and proofs stay."""
    gateway.config["ledger"] |= {"size_budget": "16M", "block_entries": 512}
    gateway.start()
    gateway.wait_connected()
    values = [40 + i / 1000 for i in range(60000)]
    for first in range(0, len(values), 10000):
        broker.publish("ward/d1/senml", packs(values[first:first + 10000]))
    wait_for("all are stored", lambda: gateway.status()["ledger"]["size"] >= len(values), 120)
    wait_for("anchored", lambda: gateway.status()["chains"][0]["anchored_size"] >= len(values), 60)
    assert gateway.status()["ledger"]["bytes"] < 24 << 20
    gateway.assert_ledger_verifies()
