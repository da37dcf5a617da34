"""The daemon as a service: from a reading to a proof, readiness, watchdog, orderly stop, one at a time."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from ward import BUILD, PATIENCE, packs, program, senml, wait_for

pytestmark = pytest.mark.timeout(240)


@pytest.mark.short
@pytest.mark.threads
def test_a_reading_raises_an_alert_is_sealed_forwarded_and_proven(gateway, broker, listener, folder):
    gateway.start()
    gateway.wait_connected()
    gateway.control("assign", device="d1", subject="stay-1", kind="patient", label="Bed 1")
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])

    alert = listener.expect("an alert", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "active")
    assert alert["priority"] == "high"
    assert alert["subject"] == "stay-1"
    assert "Bed 1" in alert["summary"] and "85" in alert["summary"]

    reading = wait_for("the reading is stored", lambda: gateway.readings(vital="spo2"))[0]
    assert (reading["subject"], reading["device"], reading["value"]) == ("stay-1", "d1", 85)
    wait_for("its block is sealed",
             lambda: gateway.status()["ledger"].get("checkpoint_size", 0) > reading["index"])
    wait_for("its checkpoint is forwarded",
             lambda: gateway.status()["chains"][0]["anchored_size"] > reading["index"])
    anchors = [json.loads(line) for line in (folder / "anchors.ndjson").read_text().splitlines()]
    assert anchors[-1]["size"] > reading["index"]

    proof = folder / "proof"
    gateway.cli("prove", str(reading["index"]), "-o", str(proof))
    key = gateway.control("checkpoint")[0]["verifier_key"]
    verify = [str(program("wardstone")), "verify", str(proof), "--key", key]
    assert subprocess.run(verify, timeout=PATIENCE).returncode == 0
    changed = bytearray(proof.read_bytes())
    at = changed.rindex(b"\n") - 12
    changed[at] = ord("A") if changed[at] != ord("A") else ord("B")
    proof.write_bytes(changed)
    assert subprocess.run(verify, capture_output=True, timeout=PATIENCE).returncode == 1

    broker.publish("ward/d1/senml", [senml("spo2", 97, time.time())])
    listener.expect("the alert's end", lambda m: m.get("id") == alert["id"] and m.get("state") == "resolved")
    gateway.assert_ledger_verifies()
    types = gateway.entry_types()
    for wanted in ("CLOCK", "CONFIG", "KEY", "ASSIGN", "READING", "ALERT", "SEAL"):
        assert wanted in types


@pytest.mark.short
@pytest.mark.threads
def test_a_stop_loses_nothing_and_a_restart_goes_on(gateway, broker):
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs(range(40, 140)))
    gateway.wait_stored(range(40, 140))
    before = gateway.status()["ledger"]["size"]
    gateway.stop()
    broker.publish("ward/d1/senml", packs(range(140, 200)))
    gateway.start()
    gateway.wait_stored(range(40, 200))
    head = gateway.status()["ledger"]
    assert head["size"] > before and head["epoch"] == 1
    gateway.assert_ledger_verifies()


def test_a_killed_daemon_leaves_no_workers_and_goes_on(gateway, broker):
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs(range(40, 90)))
    gateway.wait_stored(range(40, 90))
    workers = children(gateway.process.pid)
    assert len(workers) == 2, "one worker a connector"
    gateway.kill()
    wait_for("the workers are gone", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
    gateway.start()
    gateway.wait_stored(range(40, 90))
    assert gateway.status()["ledger"]["epoch"] == 1
    gateway.assert_ledger_verifies()


def children(pid):
    text = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, timeout=PATIENCE).stdout
    return [int(word) for word in text.split()]


def test_a_worker_that_dies_is_started_again(gateway, broker, listener):
    gateway.start()
    gateway.wait_connected()
    first = set(children(gateway.process.pid))
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    wait_for("two new workers", lambda: len(set(children(gateway.process.pid)) - first) == 2)
    broker.publish("ward/d1/senml", [senml("spo2", 80, time.time())])
    listener.expect("an alert", lambda m: m.get("rule") == "SpO2Low")


def test_the_watchdog_is_fed(gateway):
    gateway.environment["WATCHDOG_USEC"] = "400000"
    gateway.start()
    gateway.expect_notification("WATCHDOG=1")


def test_a_second_daemon_on_the_same_state_is_refused(gateway):
    gateway.start()
    second = gateway.run()
    assert second.returncode == 1
    assert str(gateway.state) in second.stderr
    assert gateway.status()["state"] == "ok"


def test_socket_and_state_are_not_for_everybody(gateway):
    gateway.start()
    mode = stat.S_IMODE(os.stat(gateway.config["control"]["socket"]).st_mode)
    assert mode & stat.S_IRWXO == 0, oct(mode)
    assert stat.S_IMODE(gateway.state.stat().st_mode) == 0o700


def test_an_unknown_device_is_kept_in_quarantine(gateway, broker):
    gateway.config["quarantine"] = {"limit": 10}
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/stranger/senml", packs(range(60, 80)))
    broker.publish("ward/d1/senml", ["not JSON at all"] + packs([61]))
    gateway.wait_stored([61])
    kept = gateway.control("quarantine", limit=100)
    assert len(kept) == 10
    assert kept[-1]["device"] == "d1" or kept[0]["device"] == "d1"
    assert {row["device"] for row in kept} == {"d1", "stranger"}
    status = gateway.status()
    assert status["verdicts"]["unknown_device"] == 20
    assert status["verdicts"]["malformed"] == 1
    assert any("stranger" in a["summary"] for a in gateway.technical_alerts())


def test_a_reading_belongs_to_whom_the_device_was_assigned(gateway, broker):
    gateway.start()
    gateway.wait_connected()
    gateway.control("assign", device="d1", subject="stay-1", kind="patient", label="Bed 1")
    early = time.time() - 60
    broker.publish("ward/d1/senml", [senml("hr", 61, time.time())])
    gateway.wait_stored([61])
    gateway.control("assign", device="d1", subject="stay-2", kind="patient", label="Bed 2")
    broker.publish("ward/d1/senml", [senml("hr", 62, early), senml("hr", 63, time.time())])
    gateway.wait_stored([61, 62, 63])
    owners = {r["value"]: r["subject"] for r in gateway.readings(vital="hr")}
    assert owners[61] == "stay-1" and owners[63] == "stay-2"
    assert owners[62] not in ("stay-1", "stay-2"), "measured before the device came to its present subject"


def test_the_same_measurement_twice_is_stored_once(gateway, broker):
    gateway.start()
    gateway.wait_connected()
    pack = packs([70, 71, 72])
    broker.publish("ward/d1/senml", pack)
    broker.publish("ward/d1/senml", pack)
    gateway.wait_stored([70, 71, 72])
    wait_for("duplicates are counted", lambda: gateway.status()["verdicts"]["duplicate"] == 3)
    gateway.stop()
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", pack + packs([73]))
    gateway.wait_stored([70, 71, 72, 73])


def test_the_unit_file_names_what_the_daemon_needs():
    """The sandbox must leave what the daemon uses; the exposure level is counted by tools/lint."""
    unit = (BUILD / "systemd/wardstoned.service").read_text()
    for wanted in ("Type=notify", "WatchdogSec=", "LoadCredential=signing-key:", "LoadCredential=key-encryption-key:",
                   "ExecReload=kill -HUP $MAINPID", "Restart=on-failure"):
        assert wanted in unit
    assert re.search(r"^ExecStart=/\S+/wardstoned --config /\S+/wardstone.yaml$", unit, re.M)
    assert "ProtectClock" not in re.sub(r"^#.*$", "", unit, flags=re.M)


IN_A_NAMESPACE = ("mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && "
                  'mount --bind "$0" /run/systemd/journal && exec "$@"')


def test_the_journal_gets_fields_to_search_by(gateway, broker, folder):
    journal = folder / "journal"
    journal.mkdir()
    inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    inbox.bind(str(journal / "socket"))
    inbox.settimeout(PATIENCE)
    probe = subprocess.run(["unshare", "--mount", "sh", "-c", IN_A_NAMESPACE, str(journal), "true"], capture_output=True)
    if probe.returncode != 0:
        pytest.skip("no mount namespace here")
    command = gateway.command
    gateway.command = lambda *a: ["unshare", "--mount", "sh", "-c", IN_A_NAMESPACE, str(journal), *command(*a)]
    gateway.log.touch()
    where = gateway.log.stat()
    gateway.environment["JOURNAL_STREAM"] = f"{where.st_dev}:{where.st_ino}"
    gateway.start()
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])

    def next_entry():
        return dict(line.split("=", 1) for line in inbox.recv(65536).decode().splitlines() if "=" in line)

    def wanted(entry):
        return entry.get("WARDSTONE_EVENT") == "alert" and entry.get("WARDSTONE_RULE") == "SpO2Low"
    entry = next_entry()
    while not wanted(entry):
        entry = next_entry()
    assert entry["WARDSTONE_STATE"] == "active" and entry["WARDSTONE_PRIORITY"] == "high"
    assert entry["WARDSTONE_SUBJECT"] == "device:d1" and entry["PRIORITY"] == "5"
    assert entry["MESSAGE"].startswith("alert SpO2Low raised")
    inbox.close()
