"""What restarts and reloads do to alerts that nothing else would end, and to what waits to be told."""

import json
import time

import yaml

from hook import Hook, status
from ward import free_port, senml, wait_for

LIFE = ("raised", "acknowledged", "latched", "reraised", "resolved")


def active(gateway, rule):
    return [a for a in gateway.control("alerts") if a["rule"] == rule]


def recorded(gateway, rule, transition):
    rows = gateway.control("alerts", all=True, limit=1000)
    return [r for r in reversed(rows) if r["rule"] == rule and r["transition"] == transition]


def wait_recorded(gateway, rule, transition):
    return wait_for(f"{rule} is {transition}", lambda: recorded(gateway, rule, transition))


def wait_over(gateway, rule):
    wait_for(f"{rule} is over", lambda: not active(gateway, rule))


def webhook(name, url, **more):
    return {"name": name, "plugin": "notify-webhook", "min_priority": "technical", **more,
            "config": {"url": url, "timeout": "2s"}}


def reload(gateway):
    gateway.write_config()
    gateway.control("reload")


def rule(name, expr, priority, **more):
    return {"alert": name, "expr": expr, "labels": {"priority": priority}, **more}


def test_a_refused_reload_is_forgotten_with_a_start_and_with_a_good_one(gateway, broker):
    gateway.start()
    gateway.wait_connected()
    good = gateway.rules
    for begin_anew in (True, False):
        gateway.rules = {"groups": [{"name": "tests", "rules": [rule("Broken", "spo2 <", "high")]}]}
        gateway.write_config()
        gateway.process.send_signal(1)
        wait_for("the reload is refused", lambda: active(gateway, "ReloadRefused"))
        wait_for("it is in the ledger", lambda: recorded(gateway, "ReloadRefused", "raised"))
        gateway.rules = good
        if begin_anew:
            gateway.kill()
            gateway.start()
        else:
            reload(gateway)
        wait_over(gateway, "ReloadRefused")
    wait_for("both ends are in the ledger", lambda: len(recorded(gateway, "ReloadRefused", "resolved")) == 2)


def test_a_receiver_that_is_taken_away_leaves_nothing_behind(gateway, broker, listener):
    gateway.config["receivers"].insert(0, webhook("pagers", f"http://127.0.0.1:{free_port()}/"))
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    raised = wait_recorded(gateway, "SpO2Low", "raised")[0]
    wait_for("the receiver fails", lambda: active(gateway, "ReceiverFailed:pagers"))
    broker.publish("ward/d2/senml", [senml("spo2", 84, time.time())])
    wait_for("two alerts", lambda: len(active(gateway, "SpO2Low")) == 2)

    del gateway.config["receivers"][0]
    reload(gateway)
    given_up = wait_recorded(gateway, "SpO2Low", "undelivered")
    assert {(r["receiver"], r["id"]) for r in given_up} >= {("pagers", raised["id"])}
    wait_over(gateway, "ReceiverFailed:pagers")
    broker.publish("ward/d1/senml", [senml("spo2", 97, time.time())])
    broker.publish("ward/d2/senml", [senml("spo2", 97, time.time())])
    listener.expect("the end", lambda m: m.get("id") == raised["id"] and m.get("state") == "resolved")
    wait_over(gateway, "SpO2Low")
    # ... and one that comes in its place has its own notices.
    assert [r["name"] for r in gateway.status()["receivers"]] == ["ward"]
    gateway.kill()
    gateway.start()
    assert active(gateway, "SpO2Low") == [] and active(gateway, "ReceiverFailed:pagers") == []


def test_alerts_of_a_device_that_is_taken_out_of_the_configuration_end(gateway, broker, listener):
    gateway.start()
    gateway.wait_connected()
    for n, device in enumerate(("d1", "d2")):
        broker.publish(f"ward/{device}/senml", [senml("spo2", 85, time.time())])
        raised = wait_for("the alert", lambda: [a for a in active(gateway, "SpO2Low")
                                                if a["subject"] == f"device:{device}"])[0]
        wait_for("it is in the ledger", lambda: len(recorded(gateway, "SpO2Low", "raised")) == n + 1)
        listener.expect("it is told", lambda m: m.get("id") == raised["id"] and m.get("state") == "active")
        gateway.devices.remove(device)
        if device == "d1":
            reload(gateway)
        else:
            gateway.devices.append("d3")
            gateway.kill()
            gateway.start()
        listener.expect("its end", lambda m: m.get("id") == raised["id"] and m.get("state") == "resolved")
        wait_over(gateway, "SpO2Low")


def test_an_end_that_is_held_back_is_told_after_a_kill(gateway, broker):
    hook = Hook()
    hook.start()
    gateway.config["receivers"].append(webhook("pagers", hook.url, rate={"notices": 1, "per": "5s"}))
    gateway.config["alerts"] = {"group_interval": "0s"}
    gateway.rules = {"groups": [{"name": "tests", "rules": [rule("HrHigh", "hr > 120", "medium")]}]}
    try:
        gateway.start()
        gateway.wait_connected()
        broker.publish("ward/d1/senml", [senml("hr", 130, time.time())])
        hook.expect("the alert", lambda n: any(a["rule"] == "HrHigh" for a in n["alerts"]))
        broker.publish("ward/d1/senml", [senml("hr", 80, time.time())])
        wait_recorded(gateway, "HrHigh", "resolved")
        time.sleep(0.3)  # its state, too
        assert not [r for r in hook.requests for a in r.notice["alerts"] if a["state"] == "resolved"], "it is held"
        gateway.kill()
        gateway.start()
        hook.expect("its end", lambda n: any(a["rule"] == "HrHigh" and a["state"] == "resolved" for a in n["alerts"]))
        wait_for("that is on record", lambda: recorded(gateway, "HrHigh", "delivered"))
    finally:
        gateway.stop()
        hook.stop()
