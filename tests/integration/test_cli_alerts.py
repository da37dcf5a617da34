"""What caregivers do from the command: acknowledge, silence, set attributes; and what the ledger and the board say of it.
What was answered is durable: the daemon may be killed right after."""

import json
import os
import time

import pytest

from ward import senml, wait_for

WHO = f"uid:{os.getuid()}"


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def ward(gateway):
    gateway.start()
    gateway.wait_connected()
    gateway.cli("assign", "d1", "stay-1", "--label", "Bed 1")
    return gateway


def again(ward):
    ward.kill()
    ward.start()
    ward.wait_connected()


def alerts(ward, *arguments):
    return [a for a in rows(ward.cli("alerts", "--json", *arguments)) if a["rule"] == "SpO2Low"]


def history(ward):
    """Oldest first."""
    return alerts(ward, "--all", "--limit", "1000")[::-1]


def recorded(ward, transition):
    return wait_for(f"{transition} is in the ledger", lambda: [r for r in history(ward) if r["transition"] == transition])


def desaturate(ward, broker, value=85):
    broker.publish("ward/d1/senml", [senml("spo2", value, time.time())])
    return wait_for("the alert", lambda: alerts(ward))[0]


def failed(done, status=1):
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("wardstone "), done.stderr
    return done.stderr


def wait_sealed(ward, kind, count):
    wait_for(f"{count} entries {kind}", lambda: ward.entry_types().count(kind) == count)


# --- ack ---

def test_an_alert_is_acknowledged_once(ward, broker):
    alert = desaturate(ward, broker)
    assert (alert["state"], alert["transition"], "ended" in alert) == ("active", "raised", False)
    line = ward.cli("alerts").stdout.splitlines()[1].split()
    assert line[0] == alert["id"][:8] and line[2:5] == ["high", "active", "raised"]
    done = ward.cli("ack", line[0], "--note", "repositioned")
    assert done.stdout == "SpO2Low of stay-1: acknowledged\n"
    taken, = alerts(ward)
    assert (taken["id"], taken["state"], taken["who"]) == (alert["id"], "acknowledged", WHO)
    acknowledged, = recorded(ward, "acknowledged")
    assert (acknowledged["id"], acknowledged["who"], acknowledged["note"]) == (alert["id"], WHO, "repositioned")
    assert any("high: SpO2Low" in text and "(acknowledged)" in text
               for text in ward.cli("top", "--once").stdout.splitlines())
    assert "acknowledged" in failed(ward.cli("ack", alert["id"], check=False))
    assert len([r for r in history(ward) if r["transition"] == "acknowledged"]) == 1


def test_the_history_tells_of_the_whole_life(ward, broker):
    alert = desaturate(ward, broker)
    ward.cli("ack", alert["id"])
    again(ward)
    kept, = alerts(ward)
    assert (kept["id"], kept["state"], kept["who"]) == (alert["id"], "acknowledged", WHO)
    broker.publish("ward/d1/senml", [senml("spo2", 98, time.time())])
    wait_for("it ends", lambda: not alerts(ward))
    recorded(ward, "resolved")  # over is it a moment before that is in the ledger
    life = wait_for("its deliveries are recorded", lambda: [h for h in [history(ward)] if sum(
        r["transition"] == "delivered" for r in h) >= 2])[0]
    assert {r["id"] for r in life} == {alert["id"]}
    assert [(r["transition"], r["state"]) for r in life if r["transition"] not in ("delivered", "held")] == [
        ("raised", "active"), ("acknowledged", "acknowledged"), ("resolved", "resolved")]
    assert {r["receiver"] for r in life if r["transition"] == "delivered"} == {"ward"}
    assert "delivered" in ward.cli("alerts", "--all").stdout
    ward.assert_ledger_verifies()


def test_what_is_no_alert_is_not_acknowledged(ward, broker):
    desaturate(ward, broker)
    assert "is active; wardstone alerts lists them" in failed(ward.cli("ack", "ffffffffffffffff", check=False))
    assert alerts(ward)[0]["state"] == "active"


# --- silences ---

def test_of_what_is_silenced_nobody_is_told(ward, broker):
    until = ward.cli("silence", "--for", "10m", "--why", "suction", "--subject", "stay-1", "--rule", "SpO2*")
    name = until.stdout.split()[1].rstrip(":")
    silence, = rows(ward.cli("silences", "--json"))
    assert (silence["silence"], silence["rule"], silence["subject"], silence["who"], silence["why"]) == (
        name, "SpO2*", "stay-1", WHO, "suction")
    assert silence["until_us"] - silence["from_us"] == 600 * 10**6
    alert = desaturate(ward, broker)
    assert (alert["state"], alert["silence"]) == ("active", name)
    assert [(r["id"], r["note"]) for r in recorded(ward, "silenced")] == [(alert["id"], name)]
    assert not [r for r in history(ward) if r["transition"] == "delivered"]
    assert any("(silenced)" in text for text in ward.cli("top", "--once").stdout.splitlines())
    again(ward)
    assert [s["silence"] for s in rows(ward.cli("silences", "--json"))] == [name]
    assert ward.cli("unsilence", name).stdout == f"silence {name}: ended\n"
    assert "nothing is silenced" in ward.cli("silences").stderr
    assert "silence" not in alerts(ward)[0]
    failed(ward.cli("unsilence", name, check=False))
    wait_sealed(ward, "SILENCE", 2)
    ward.assert_ledger_verifies()


def test_a_silence_ends_by_itself(ward, broker):
    ward.cli("silence", "--for", "5s", "--why", "cable", "--label", "Bed 1")
    assert len(rows(ward.cli("silences", "--json"))) == 1
    wait_for("it is over", lambda: not rows(ward.cli("silences", "--json")))
    wait_sealed(ward, "SILENCE", 2)
    assert "silence" not in desaturate(ward, broker)
    assert recorded(ward, "delivered"), "somebody is told"


def test_a_silence_is_of_what_it_names(ward, broker):
    ward.cli("silence", "--for", "10m", "--why", "drill", "--priority", "low")
    ward.cli("silence", "--for", "10m", "--why", "drill", "--subject", "stay-2")
    ward.cli("silence", "--for", "10m", "--why", "drill", "--labels", "team=respiratory")
    assert "silence" not in desaturate(ward, broker)
    listed = rows(ward.cli("silences", "--json"))
    assert [s["priorities"] for s in listed if s["priorities"]] == [["low"]]
    assert [s["labels"] for s in listed if s["labels"]] == ["team=respiratory"]


@pytest.mark.parametrize("arguments, says", [
    (["--for", "25h", "--rule", "*"], "within 1d"),
    (["--for", "1h", "--rule", "R" * 64], "too long"),
    (["--for", "1h", "--rule", "*", "--why", "w" * 160], "why: longer than 159 bytes"),
])
def test_a_silence_that_can_not_be_is_refused(ward, arguments, says):
    assert says in failed(ward.cli("silence", "--why", "night", *arguments, check=False))
    assert rows(ward.cli("silences", "--json")) == []


# --- attributes ---

def subject(ward, name):
    return next((s for s in rows(ward.cli("subjects", "--json")) if s["subject"] == name), None)


def test_attributes_are_set_kept_and_taken_away(ward):
    done = ward.cli("set", "stay-1", "ward=7", "spo2_low=86", "--why", "COPD")
    assert done.stdout == "stay-1: spo2_low=86,ward=7\n"
    assert subject(ward, "stay-1") == {"subject": "stay-1", "label": "Bed 1", "kind": "patient", "devices": ["d1"],
                                       "attributes": {"spo2_low": "86", "ward": "7"}}
    again(ward)
    assert subject(ward, "stay-1")["attributes"] == {"spo2_low": "86", "ward": "7"}
    assert ward.cli("set", "stay-1", "ward=").stdout == "stay-1: spo2_low=86\n"
    again(ward)
    assert subject(ward, "stay-1")["attributes"] == {"spo2_low": "86"}
    wait_sealed(ward, "ATTRIBUTE", 3)
    ward.assert_ledger_verifies()


def test_an_asset_is_made_before_it_has_a_device(ward):
    ward.cli("set", "fridge-1", "ward=7", "--kind", "asset")
    assert subject(ward, "fridge-1") == {"subject": "fridge-1", "label": "", "kind": "asset", "devices": [],
                                         "attributes": {"ward": "7"}}
    assert "fridge-1" in ward.cli("subjects").stdout
    assert ward.cli("set", "fridge-1", "zone=b").stdout == "fridge-1: ward=7,zone=b\n", "a patient only where it is new"


@pytest.mark.parametrize("arguments", [
    ["stay-1", "ok=1", "Ward=7"], ["stay-1", "ok=1", "ward=a b"], ["stay-1", "ok=1", f"ward={'7' * 32}"],
    ["stay-1", "ok=1", "--kind", "asset"], ["stay 1", "ok=1"],
    ["stay-1", *(f"a{i}=1" for i in range(16))],
])
def test_attributes_that_can_not_be_change_nothing(ward, arguments):
    ward.cli("set", "stay-1", "ward=6")
    failed(ward.cli("set", *arguments, check=False))
    assert subject(ward, "stay-1")["attributes"] == {"ward": "6"}
