"""Texts of others are cut to fit. What comes of that must be UTF-8 still: an alert whose text is none can't be told, and
everything that is queued behind it would wait for ever."""

import time

import pytest

from hook import Hook, status
from ward import senml, wait_for

# Wherever something is cut, it is in the middle of a character of one of the two.
LONG = ("é" * 90, "a" + "é" * 90)


def active(gateway, rule):
    return [a for a in gateway.control("alerts") if a["rule"] == rule]


def expect_told(gateway, broker, listener, rule):
    """The alert of that rule comes, and one of a patient after it."""
    wait_for(f"{rule} is active", lambda: active(gateway, rule))
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    for name in (rule, "SpO2Low"):
        listener.expect(name, lambda m: m.get("rule") == name and m["state"] == "active")


@pytest.mark.parametrize("text", LONG, ids=["even", "odd"])
def test_what_a_device_sends_stops_no_alert(gateway, broker, listener, text):
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", ['[{"n":"spo2","v":97,"%s_":1}]' % text])
    expect_told(gateway, broker, listener, "MessageRefused")


@pytest.mark.parametrize("text", LONG, ids=["even", "odd"])
def test_a_mistake_in_a_rule_stops_no_alert(gateway, broker, listener, text):
    gateway.start()
    gateway.wait_connected()
    gateway.rules = {"groups": [{"name": "tests", "rules": [], text: 1}]}
    gateway.write_config()
    gateway.process.send_signal(1)
    expect_told(gateway, broker, listener, "ReloadRefused")


@pytest.mark.parametrize("text", LONG, ids=["even", "odd"])
def test_a_receiver_is_in_the_status_whatever_its_server_says(gateway, broker, text):
    hook = Hook()
    hook.answer = status(503, text[:70].encode())
    hook.start()
    gateway.config["receivers"] = [{"name": "pagers", "plugin": "notify-webhook", "config": {"url": hook.url}}]
    try:
        gateway.start()
        gateway.wait_connected()
        broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
        wait_for("it is refused", lambda: hook.requests)
        wait_for("the status says why", lambda: [r for r in gateway.status()["receivers"]
                                                 if r["name"] == "pagers" and "HTTP status 503: " in r["reason"]])
    finally:
        gateway.stop()
        hook.stop()
