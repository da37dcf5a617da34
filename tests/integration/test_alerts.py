"""Alerts over kills: the evidence holds each raise and each end once, whatever happens in between."""

import time

from ward import senml, wait_for


def is_rule(rule, state):
    return lambda m: m.get("rule") == rule and m.get("state") == state


LIFE = ("raised", "acknowledged", "latched", "reraised", "resolved")


def history(gateway, rule):
    """(state, id) of each change of the alert in the ledger, oldest first."""
    rows = gateway.control("alerts", all=True, limit=1000)
    return [(r["state"], r["id"]) for r in reversed(rows) if r["rule"] == rule and r["transition"] in LIFE]


def start(gateway):
    gateway.start()
    gateway.wait_connected()
    if not any(d["subject"] for d in gateway.control("devices")):
        gateway.control("assign", device="d1", subject="stay-1", kind="patient", label="Bed 1")


def test_an_active_alert_survives_a_kill_and_ends_once(gateway, broker, listener):
    start(gateway)
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    raised = listener.expect("the alert", is_rule("SpO2Low", "active"))
    wait_for("it is in the ledger", lambda: history(gateway, "SpO2Low"))
    for _ in range(3):
        gateway.kill()
        start(gateway)
        active = [a for a in gateway.control("alerts") if a["rule"] == "SpO2Low"]
        assert [(a["id"], a["subject"], a["label"]) for a in active] == [(raised["id"], "stay-1", "Bed 1")]
    broker.publish("ward/d1/senml", [senml("spo2", 84, time.time())])
    broker.publish("ward/d1/senml", [senml("spo2", 97, time.time())])
    ended = listener.expect("its end", is_rule("SpO2Low", "resolved"))
    assert ended["id"] == raised["id"]
    wait_for("its end is in the ledger", lambda: len(history(gateway, "SpO2Low")) == 2)
    gateway.kill()
    start(gateway)
    assert history(gateway, "SpO2Low") == [("active", raised["id"]), ("resolved", raised["id"])]
    gateway.assert_ledger_verifies()


def test_a_kill_in_the_middle_of_a_for_is_not_noticed(gateway, broker, listener):
    gateway.rules = {"groups": [{"name": "tests", "rules": [
        {"alert": "SpO2Low", "expr": "spo2 < 90", "for": "4s", "labels": {"priority": "high"}}]}]}
    start(gateway)
    measured = time.time()
    broker.publish("ward/d1/senml", [senml("spo2", 85, measured)])
    wait_for("the reading is stored", lambda: gateway.readings(vital="spo2"))
    gateway.kill()
    start(gateway)
    raised = listener.expect("the alert", is_rule("SpO2Low", "active"))
    assert abs(raised["since_us"] / 1e6 - measured) < 0.001, "true since the reading, not since the start"
    assert time.time() - measured >= 4, "and not before its time"
    wait_for("it is in the ledger", lambda: history(gateway, "SpO2Low") == [("active", raised["id"])])


def test_released_devices_leave_no_alert_behind(gateway, broker, listener):
    start(gateway)
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    raised = listener.expect("the alert", is_rule("SpO2Low", "active"))
    gateway.control("release", device="d1")
    ended = listener.expect("its end", is_rule("SpO2Low", "resolved"))
    assert ended["id"] == raised["id"]
    broker.publish("ward/d1/senml", [senml("spo2", 99, time.time())])
    wait_for("the next reading is the device's own",
             lambda: [r["subject"] for r in gateway.readings(vital="spo2")] == ["stay-1", "device:d1"])
