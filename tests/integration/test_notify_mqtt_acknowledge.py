"""Acknowledgements that come back over MQTT: from people with a key, once, and only fresh ones."""

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import time

import pytest

from plugin_worker import PluginWorker, alert, notice
from ward import PATIENCE, program, senml, wait_for

pytestmark = pytest.mark.timeout(240)

TOPIC = "alerts/acknowledge"


def utc(seconds):
    """That many seconds from now, RFC 3339."""
    at = time.time() + seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03}Z"


class Person:
    def __init__(self, name):
        self.name = name
        self.key = secrets.token_bytes(32)

    def line(self):
        return f"{self.name} {base64.b64encode(self.key).decode()}\n"

    def acknowledge(self, ident="a1b2", note=None, seconds=0.0, **changes):
        """The message as docs/plugins.md says; changes are made after the mac."""
        when = utc(seconds)
        mac = hmac.new(self.key, f"{ident}\n{self.name}\n{when}\n{note or ''}".encode(), hashlib.sha256).hexdigest()
        message = {"id": ident, "who": self.name, "time": when, "mac": mac}
        if note is not None:
            message["note"] = note
        return json.dumps({**message, **changes})


@pytest.fixture
def anna():
    return Person("anna")


@pytest.fixture
def keys(folder, anna):
    path = folder / "people"
    path.write_text("# who may acknowledge\n" + anna.line())
    path.chmod(0o600)
    return path


@pytest.fixture
def start(broker):
    workers = []

    def make(**config):
        config = {"host": "127.0.0.1", "port": broker.port, "prefix": "alerts", "timeout": "9s", **config}
        workers.append(PluginWorker(program("notify-mqtt.so"), config))
        assert workers[-1].opened["r"] == 0, workers[-1].opened
        # with the reply the broker has granted what was subscribed to
        assert workers[-1].refresh()["r"] == 0
        return workers[-1]
    yield make
    for w in workers:
        w.close()


def publish(broker, message, *options, topic=TOPIC):
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", topic,
                    "-s" if message else "-n", *options], input=message, text=True, check=True, timeout=PATIENCE)


@pytest.mark.short
def test_who_has_a_key_acknowledges(start, broker, keys, anna):
    worker = start(acknowledge={"keys_file": str(keys)})
    publish(broker, anna.acknowledge(note="on my way"))
    assert worker.expect_said() == {"op": "acknowledge", "alert": "a1b2", "who": "anna", "note": "on my way"}
    publish(broker, anna.acknowledge(note="zu Bett 3\nGrüße €"))
    assert worker.expect_said()["note"] == "zu Bett 3 Grüße €"
    publish(broker, anna.acknowledge())
    assert worker.expect_said()["note"] == ""


@pytest.mark.short
def test_all_others_are_refused_and_nothing_else_suffers(start, broker, keys, anna):
    worker = start(acknowledge={"keys_file": str(keys)})
    once = anna.acknowledge("seen")
    publish(broker, once)
    assert worker.expect_said()["alert"] == "seen"
    mallory, other_anna = Person("mallory"), Person("anna")
    bad = [
        once,                                              # replayed
        mallory.acknowledge(),                             # unknown
        other_anna.acknowledge(),                          # with another key
        anna.acknowledge(who="mallory"), mallory.acknowledge(who="anna"),
        anna.acknowledge(id="other"), anna.acknowledge(note="mine").replace("mine", "forged"),
        anna.acknowledge(time=utc(1)), anna.acknowledge(mac="0" * 64), anna.acknowledge(mac="zz"),
        anna.acknowledge(seconds=-125), anna.acknowledge(seconds=125),
        anna.acknowledge(more=1), "", "{", "[]", "7", "null", '{"id":{}}', "\x00", "\u20ac" * 1000, "[" * 5000,
        json.dumps({"id": "a" * 100_000}),
    ]
    for message in bad:
        publish(broker, message)
    assert worker.deliver(notice(alert()))["r"] == 0
    publish(broker, anna.acknowledge("good"))
    assert worker.expect_said()["alert"] == "good"
    assert worker.said == []
    log = worker.close()
    assert "acknowledgement refused (1 since the start): " in log and "by anna: came before" in log
    assert log.count("acknowledgement refused") < 5
    assert base64.b64encode(anna.key).decode() not in log


def test_an_acknowledgement_is_not_good_again_after_a_restart(start, broker, keys, anna):
    first = start(acknowledge={"keys_file": str(keys)})
    once = anna.acknowledge("once")
    publish(broker, once, "-r")  # retained: the broker repeats it to whoever comes
    assert first.expect_said()["alert"] == "once"
    first.kill()
    second = start(acknowledge={"keys_file": str(keys)})
    publish(broker, once)
    publish(broker, anna.acknowledge("next"))
    assert second.expect_said()["alert"] == "next"


def test_a_broker_that_comes_back_brings_acknowledgements_again(start, broker, keys, anna):
    worker = start(acknowledge={"keys_file": str(keys)})
    for n in range(3):
        broker.process.kill()
        broker.process.wait(PATIENCE)
        broker.start()
        assert worker.refresh(alert())["r"] == 0
        publish(broker, anna.acknowledge(f"n{n}"))
        assert worker.expect_said()["alert"] == f"n{n}"


def test_another_topic(start, broker, keys, anna):
    worker = start(acknowledge={"keys_file": str(keys), "topic": "ward/7/ack"})
    publish(broker, anna.acknowledge("default"))
    publish(broker, anna.acknowledge("chosen"), topic="ward/7/ack")
    assert worker.expect_said()["alert"] == "chosen"


def test_keys_are_given_and_taken_while_it_runs(start, broker, keys, anna):
    worker, bert = start(acknowledge={"keys_file": str(keys)}), Person("bert")
    keys.write_text(bert.line())
    publish(broker, anna.acknowledge("gone"))
    publish(broker, bert.acknowledge("new"))
    assert worker.expect_said()["alert"] == "new"


def test_a_keys_file_that_is_not_there_does_not_keep_alerts(start, broker, keys, anna):
    keys.unlink()
    worker = start(acknowledge={"keys_file": str(keys)})
    assert worker.deliver(notice(alert()))["r"] == 0
    publish(broker, anna.acknowledge("too early"))
    wait_for("that one is refused", lambda: "no acknowledgement is taken: " in worker.logged())
    keys.write_text(anna.line())
    keys.chmod(0o644)
    publish(broker, anna.acknowledge("open to all"))
    wait_for("that one is refused", lambda: "chmod 0600" in worker.logged())
    keys.chmod(0o600)
    publish(broker, anna.acknowledge("good"))
    assert worker.expect_said()["alert"] == "good"
    worker.close()


def test_without_the_setting_nobody_is_listened_to(start, broker, anna):
    worker = start()
    publish(broker, anna.acknowledge())
    assert worker.deliver(notice(alert()))["r"] == 0
    assert worker.said == []


# --- the whole way ---


@pytest.mark.short
def test_an_alert_is_acknowledged_over_mqtt_for_good(gateway, broker, listener, keys, anna):
    gateway.config["receivers"][0]["config"]["acknowledge"] = {"keys_file": str(keys)}
    gateway.start()
    gateway.wait_connected()
    gateway.control("assign", device="d1", subject="stay-1", kind="patient", label="Bed 1")
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    raised = listener.expect("the alert", lambda m: m.get("rule") == "SpO2Low" and m["state"] == "active")

    publish(broker, anna.acknowledge("no-such-alert"))
    publish(broker, Person("anna").acknowledge(raised["id"]))
    publish(broker, anna.acknowledge(raised["id"], note="on my way"))
    told = listener.expect("everybody is told", lambda m: m.get("transition") == "acknowledged" and "key" in m)
    assert (told["id"], told["who"], told["note"]) == (raised["id"], "ward:anna", "on my way")

    def acknowledged():
        return [(a["state"], a["who"]) for a in gateway.control("alerts") if a["id"] == raised["id"]]
    assert acknowledged() == [("acknowledged", "ward:anna")]
    wait_for("the log says what was refused", lambda: "acknowledgement refused" in gateway.text())

    def recorded():
        return [r["who"] for r in gateway.control("alerts", all=True, limit=1000)
                if r["id"] == raised["id"] and r["transition"] == "acknowledged"]
    wait_for("it is in the ledger", recorded)
    assert recorded() == ["ward:anna"]
    gateway.kill()
    gateway.start()
    assert acknowledged() == [("acknowledged", "ward:anna")]


def test_a_long_name_is_cut_between_characters(gateway, broker, listener, keys):
    """RECEIVER:NAME is at most 63 bytes: with "ward:" in front the last character of the name has no room."""
    person = Person("a" + "é" * 31)
    keys.write_text(person.line())
    gateway.config["receivers"][0]["config"]["acknowledge"] = {"keys_file": str(keys)}
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    raised = listener.expect("the alert", lambda m: m.get("rule") == "SpO2Low" and m["state"] == "active")
    publish(broker, person.acknowledge(raised["id"]))
    told = listener.expect("everybody is told", lambda m: m.get("transition") == "acknowledged" and "key" in m)
    assert told["who"] == "ward:a" + "é" * 28


def test_what_the_broker_forgot_is_shown_again_by_the_daemon(gateway, broker, listener):
    gateway.start()
    gateway.wait_connected()
    gateway.control("assign", device="d1", subject="stay-1", kind="patient", label="Bed 1")
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    raised = listener.expect("the alert", lambda m: m.get("rule") == "SpO2Low")
    publish(broker, json.dumps(alert(ident="ghost")), "-r", topic="alerts/state/ghost")
    publish(broker, "", "-r", topic=f"alerts/state/{raised['id']}")
    # each start of a channel's process begins with a refresh
    gateway.kill()
    gateway.start()

    def shown():
        found = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "alerts/state/+",
                                "--retained-only", "-W", "1", "-F", "%t"], capture_output=True, text=True,
                               timeout=PATIENCE)
        return found.stdout.split()
    wait_for("the broker shows what is the case", lambda: shown() == [f"alerts/state/{raised['id']}"])
