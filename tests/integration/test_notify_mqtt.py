"""notify-mqtt in its worker, driven as the daemon drives it, against a real broker."""

import copy
import json
import subprocess
import time
from pathlib import Path

import pytest

from plugin_worker import PluginWorker, alert, notice
from ward import PATIENCE, Broker, Listener, program, wait_for

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def start():
    workers = []

    def make(**config):
        config = {"host": "127.0.0.1", "prefix": "alerts", **config}
        workers.append(PluginWorker(program("notify-mqtt.so"), config))
        return workers[-1]
    yield make
    for w in workers:
        w.close()


def retained(broker, topic="alerts/state/#"):
    """Retained messages as a new subscriber gets them."""
    found = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", topic, "--retained-only",
                            "-W", "1", "-F", "%t %p"], capture_output=True, text=True, timeout=PATIENCE)
    return found.stdout.splitlines()


def shown(broker):
    """The alerts that a new subscriber sees, by id."""
    return {line.partition(" ")[0].rpartition("/")[2]: json.loads(line.partition(" ")[2]) for line in retained(broker)}


def deliver(worker, state="active", ident="a1b2", **more):
    """A notice of one alert."""
    return worker.deliver(notice(alert(state, ident, **more), key=f"{ident}:{state}"))


def publish(broker, topic, text, *options):
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", topic, "-m", text,
                    *options], check=True, timeout=PATIENCE)


@pytest.mark.short
def test_a_notice_arrives_before_deliver_returns_and_its_alert_is_kept_until_it_is_resolved(start, broker, listener):
    worker = start(port=broker.port)
    assert worker.opened == {"id": 0, "r": 0, "refresh": True}
    sent = notice(alert(value=85.5), key="a1b2:raised")
    assert worker.deliver(sent) == {"id": 1, "r": 0}
    listener.expect("the notice", lambda m: m.get("key") == "a1b2:raised")
    assert listener.notices == [sent]
    assert shown(broker) == {"a1b2": alert(value=85.5)}

    assert deliver(worker, "acknowledged", who="webhook:anna")["r"] == 0
    assert shown(broker)["a1b2"]["who"] == "webhook:anna"
    assert deliver(worker, "resolved")["r"] == 0
    listener.expect("the end", lambda m: m.get("key") == "a1b2:resolved")
    assert shown(broker) == {}


def test_each_alert_of_a_group_has_its_state(start, broker, listener):
    worker = start(port=broker.port)
    assert deliver(worker, ident="c")["r"] == 0
    several = notice(alert(ident="a"), alert("acknowledged", "b"), alert("resolved", "c"), key="group-1", more=2)
    of_none = notice(key="digest-1", more=7)
    assert worker.deliver(several)["r"] == 0
    assert sorted(shown(broker)) == ["a", "b"]
    assert worker.deliver(of_none)["r"] == 0
    assert deliver(worker, ident="last")["r"] == 0
    listener.expect("the last one", lambda m: m.get("key") == "last:active")
    assert listener.notices[1:3] == [several, of_none]


def test_a_broker_that_comes_late_gets_the_alert(start, folder):
    broker = Broker(folder / "late")
    worker = start(port=broker.port, timeout="300ms")
    assert worker.opened["r"] == 0
    reply = deliver(worker)
    assert reply["r"] < 0
    assert "Connection refused" in reply["error"]
    broker.start()
    try:
        wait_for("the alert is taken", lambda: deliver(worker)["r"] == 0)
        assert len(retained(broker)) == 1
    finally:
        broker.stop()


@pytest.mark.short
def test_a_restarted_broker_gets_the_next_alert(start, broker):
    worker = start(port=broker.port, timeout="9s")
    assert deliver(worker)["r"] == 0
    for n in range(3):
        broker.stop()
        broker.start()
        assert deliver(worker, ident=f"n{n}")["r"] == 0, n
    assert len(retained(broker)) == 4


def test_an_alert_that_a_dead_connection_swallowed_is_sent_again_once(start, broker):
    """The broker's process is stopped, so the alert waits in the socket; then it is killed."""
    worker = start(port=broker.port, timeout="500ms")
    assert deliver(worker)["r"] == 0
    subprocess.run(["kill", "-STOP", str(broker.process.pid)], check=True)
    reply = deliver(worker, ident="swallowed")
    assert reply["r"] < 0 and "did not acknowledge" in reply["error"]
    subprocess.run(["kill", "-KILL", str(broker.process.pid)], check=True)
    broker.process.wait(PATIENCE)
    broker.start()
    listener = Listener(broker.port, "alerts/events")
    try:
        wait_for("the alert is taken", lambda: deliver(worker, ident="swallowed")["r"] == 0)
        deliver(worker, ident="next")
        listener.expect("the next one", lambda m: m.get("key") == "next:active")
        assert [m["key"] for m in listener.seen].count("swallowed:active") <= 1
    finally:
        listener.close()


def test_what_the_broker_does_not_permit_is_said(start, folder):
    broker = Broker(folder / "strict")
    (folder / "strict/acl").write_text("topic read #\n")
    with open(folder / "strict/mosquitto.conf", "a") as f:
        f.write(f"acl_file {folder}/strict/acl\n")
    broker.start()
    try:
        reply = deliver(start(port=broker.port))
        assert reply["r"] < 0
        assert "the broker refuses it: Not authorized" in reply["error"]
    finally:
        broker.stop()


def test_a_password_comes_from_a_file_that_others_cannot_read(start, folder):
    broker = Broker(folder / "strict")
    passwords, secret = folder / "strict/passwords", folder / "secret"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "gateway", "correct horse"], check=True)
    conf = folder / "strict/mosquitto.conf"
    conf.write_text(conf.read_text().replace("allow_anonymous true", f"allow_anonymous false\npassword_file {passwords}"))
    secret.write_text("correct horse\n")
    secret.chmod(0o644)
    broker.start()
    try:
        settings = {"port": broker.port, "username": "gateway", "password_file": str(secret)}
        opened = start(**settings).opened
        assert opened["r"] < 0 and "chmod 0600" in opened["error"]
        secret.chmod(0o600)
        assert deliver(start(**settings))["r"] == 0
        reply = deliver(start(port=broker.port, timeout="1s"))
        assert "the broker refuses: " in reply["error"] and "uthori" in reply["error"]
    finally:
        broker.stop()


def test_tls_with_a_client_certificate(start, folder):
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=PATIENCE)

    ca, ca_key = folder / "ca.pem", folder / "ca-key.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test CA",
            "-keyout", ca_key, "-out", ca, "-days", "2")
    for name in "broker", "gateway":
        (folder / "ext").write_text("subjectAltName = IP:127.0.0.1\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", folder / f"{name}-key.pem", "-out", folder / f"{name}.csr")
        openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
                "-extfile", folder / "ext", "-out", folder / f"{name}.pem", "-days", "2")
    broker = Broker(folder / "tls")
    with open(folder / "tls/mosquitto.conf", "a") as f:
        f.write(f"cafile {ca}\ncertfile {folder}/broker.pem\nkeyfile {folder}/broker-key.pem\n"
                "require_certificate true\n")
    broker.start()
    try:
        tls = {"ca": str(ca), "cert": str(folder / "gateway.pem"), "key": str(folder / "gateway-key.pem")}
        assert deliver(start(port=broker.port, tls=tls))["r"] == 0
        reply = deliver(start(port=broker.port, tls={"ca": str(ca)}, timeout="1s"))
        assert reply["r"] < 0 and "no connection" in reply["error"]
    finally:
        broker.stop()


@pytest.mark.parametrize("settings, text", [
    ({"hots": "x"}, "hots"),
    ({"host": 7}, "config: "),
    ({"port": 70000}, "port: expected"),
    ({"prefix": "alerts/#"}, "can't begin a topic"),
    ({"timeout": "1h"}, "timeout: "),
    ({"keepalive": "1s"}, "keepalive: "),
    ({"tls": {"cert": "x"}}, "tls: "),
    ({"tls": {"ca": "x", "cert": "x"}}, "belong together"),
    ({"acknowledge": {}}, "acknowledge: "),
    ({"acknowledge": {"keys_file": "k", "tpoic": "x"}}, "tpoic"),
    ({"acknowledge": {"keys_file": "k", "topic": "x/+"}}, "acknowledge: topic: 'x/+'"),
    ({"password_file": "/nonexistent"}, "username: missing"),
    ({"username": "u", "password_file": "/nonexistent"}, "/nonexistent: No such file"),
    ({"username": "u", "credential": "x"}, "LoadCredential"),
])
def test_bad_settings_are_explained(start, settings, text):
    opened = start(**settings).opened
    assert opened["r"] < 0
    assert text in opened["error"]


@pytest.mark.parametrize("bad", [
    {}, {"key": "k"}, {"alerts": []}, {"key": "", "alerts": []}, {"key": 7, "alerts": []}, {"key": "k" * 128, "alerts": []},
    *({"key": "k", "alerts": [a]} for a in (
        7, {"id": "a"}, {"id": "", "state": "active"}, {"id": "a/b", "state": "active"}, {"id": "#", "state": "active"},
        {"id": 7, "state": "active"}, {"id": "a" * 101, "state": "active"})),
    {"key": "k", "alerts": [alert()] * 65},
])
def test_a_notice_that_does_not_fit_topics_is_refused(start, bad):
    reply = start(port=1).deliver(bad)
    assert reply["r"] < 0
    assert "a notice needs a key" in reply["error"]


def test_signals_to_the_group_do_not_end_it(start, broker):
    worker = start(port=broker.port)
    for name in "TERM", "INT", "HUP":
        subprocess.run(["kill", f"-{name}", str(worker.process.pid)], check=True)
    assert deliver(worker)["r"] == 0
    assert worker.process.poll() is None


# --- refresh: the broker shows what is the case ---


@pytest.mark.short
def test_a_refresh_restores_what_the_broker_lost_and_removes_what_is_over(start, broker):
    publish(broker, "alerts/state/over", json.dumps(alert(ident="over")), "-r")
    publish(broker, "alerts/state/no-json", "of an earlier version", "-r")
    worker = start(port=broker.port)
    assert worker.refresh(alert(ident="a"), alert("acknowledged", "b"))["r"] == 0
    assert shown(broker) == {"a": alert(ident="a"), "b": alert("acknowledged", "b")}
    # what somebody else changed or removed meanwhile
    publish(broker, "alerts/state/a", "{}", "-r")
    publish(broker, "alerts/state/b", "", "-r")
    assert worker.refresh(alert(ident="a"), alert("acknowledged", "b"))["r"] == 0
    assert shown(broker) == {"a": alert(ident="a"), "b": alert("acknowledged", "b")}
    assert worker.refresh()["r"] == 0
    assert shown(broker) == {}


def test_a_refresh_publishes_nothing_where_all_is_well(start, broker, listener):
    worker = start(port=broker.port)
    assert deliver(worker)["r"] == 0
    for _ in range(3):
        assert worker.refresh(alert())["r"] == 0
    assert deliver(worker, ident="last")["r"] == 0
    listener.expect("the last one", lambda m: m["id"] == "last" and "key" not in m)
    assert [m["id"] for m in listener.seen if "key" not in m] == ["a1b2", "last"]


def test_a_broker_that_lost_its_memory_shows_all_again(start, folder):
    broker = Broker(folder / "forgetful")
    conf = folder / "forgetful/mosquitto.conf"
    conf.write_text(conf.read_text().replace("persistence true\n", "persistence false\n"))
    broker.start()
    try:
        worker = start(port=broker.port, timeout="9s")
        for ident in "a", "b":
            assert deliver(worker, ident=ident)["r"] == 0
        assert sorted(shown(broker)) == ["a", "b"]
        broker.process.kill()
        broker.process.wait(PATIENCE)
        broker.start()
        assert shown(broker) == {}
        assert worker.refresh(alert(ident="a"), alert(ident="b"))["r"] == 0
        assert sorted(shown(broker)) == ["a", "b"]
    finally:
        broker.stop()


def test_a_worker_that_was_killed_leaves_nothing_behind_that_is_over(start, broker):
    first = start(port=broker.port)
    assert deliver(first, ident="a")["r"] == 0
    assert deliver(first, ident="b")["r"] == 0
    first.kill()
    second = start(port=broker.port)
    assert second.refresh(alert(ident="b"))["r"] == 0
    assert list(shown(broker)) == ["b"]


def test_hundreds_of_alerts_in_parts(start, broker):
    many = [alert(ident=f"n{i}") for i in range(300)]
    for i in range(0, 200):
        many[i]["note"] = "old"
    worker = start(port=broker.port)
    for state in many, many[:150], []:
        parts = [state[i:i + 32] for i in range(0, len(state), 32)] or [[]]
        for i, part in enumerate(parts):
            assert worker.refresh(*part, first=i == 0, last=i == len(parts) - 1)["r"] == 0
        assert sorted(shown(broker)) == sorted(a["id"] for a in state)


def test_a_notice_between_two_parts_knows_better_than_the_refresh(start, broker):
    worker = start(port=broker.port)
    assert deliver(worker, ident="ends")["r"] == 0
    assert worker.refresh(alert(ident="stays"), last=False)["r"] == 0
    assert deliver(worker, ident="new")["r"] == 0
    assert deliver(worker, "resolved", ident="ends")["r"] == 0
    assert worker.refresh(alert(ident="ends"), first=False)["r"] == 0
    assert sorted(shown(broker)) == ["new", "stays"]


def test_parts_of_a_refresh_that_failed_remove_nothing(start, folder):
    broker = Broker(folder / "late")
    worker = start(port=broker.port, timeout="300ms")
    broker.start()
    publish(broker, "alerts/state/a", json.dumps(alert(ident="a")), "-r")
    broker.stop()
    assert worker.refresh(alert(ident="a"), last=False)["r"] < 0
    broker.start()
    try:
        wait_for("it is connected", lambda: deliver(worker, ident="b")["r"] == 0)
        assert worker.refresh(alert(ident="b"), first=False)["r"] == 0
        assert sorted(shown(broker)) == ["a", "b"]
        assert worker.refresh(alert(ident="b"))["r"] == 0
        assert sorted(shown(broker)) == ["b"]
    finally:
        broker.stop()


def test_what_the_broker_does_not_let_us_read_is_said(start, folder):
    """A file of access rules refuses no subscription, but keeps messages back; this module of Mosquitto's refuses."""
    module = next(Path("/usr/lib").rglob("mosquitto_dynamic_security.so"), None)
    if module is None:
        pytest.skip("mosquitto_dynamic_security.so is not here")
    broker = Broker(folder / "strict")
    (folder / "strict/rules.json").write_text(json.dumps({
        "defaultACLAccess": {"publishClientSend": True, "publishClientReceive": True, "subscribe": False}}))
    with open(folder / "strict/mosquitto.conf", "a") as f:
        f.write(f"plugin {module}\nplugin_opt_config_file {folder}/strict/rules.json\n")
    broker.start()
    try:
        worker = start(port=broker.port)
        assert deliver(worker)["r"] == 0
        reply = worker.refresh(alert())
        assert reply["r"] < 0
        assert "refuses to let alerts/state/+ be read: Not authorized" in reply["error"]
    finally:
        broker.stop()


@pytest.mark.parametrize("bad", [[7], [{"id": "a"}], [{"id": "a/b", "state": "active"}], [alert()] * 65])
def test_a_refresh_that_does_not_fit_topics_is_refused(start, bad):
    reply = start(port=1).refresh(*bad)
    assert reply["r"] < 0
    assert "a refresh needs alerts" in reply["error"]


# --- through the daemon ---


def test_the_daemon_loses_no_notice_while_the_broker_is_away(gateway, broker, folder):
    other = Broker(folder / "channel")
    other.start()
    gateway.config["receivers"][0]["config"]["port"] = other.port
    gateway.rules = copy.deepcopy(gateway.rules)
    gateway.rules["groups"][0]["rules"][0]["latch"] = False
    carer = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(other.port), "-q", "1", "-c", "-i", "carer", "-t",
             "alerts/events"]
    subprocess.run([*carer, "-E"], check=True, timeout=PATIENCE)  # from now on the broker keeps all for the carer
    gateway.start()
    gateway.wait_connected()
    gateway.control("assign", device="d1", subject="stay-1", kind="patient", label="Bed 1")

    def rows(transition):
        return [r for r in gateway.control("alerts", all=True, limit=1000)
                if r["rule"] == "SpO2Low" and r["transition"] == transition]
    for n in range(6):
        if n == 2:
            other.stop()
        if n == 4:
            other.start()
        for value in 85, 97:
            broker.publish("ward/d1/senml", [json.dumps([{"n": "spo2", "v": value, "t": time.time()}])])
        wait_for("it came and went", lambda: len(rows("resolved")) == n + 1)
    told = {f"{r['id']}:{r['transition']}" for r in rows("raised") + rows("resolved")}
    assert len(told) == 12
    # that one was raised is given up, and on record, once it is resolved and nobody could be told
    given_up = {r["note"].split(": ")[0] for r in rows("undelivered")}
    assert given_up <= {f"{r['id']}:raised" for r in rows("raised")}

    def delivered():
        return {r["note"] for r in rows("delivered")}
    wait_for("all others are delivered", lambda: told <= delivered() | given_up)

    received = subprocess.run([*carer, "-W", "2"], capture_output=True, text=True, timeout=PATIENCE).stdout
    notices = [json.loads(line) for line in received.splitlines()]
    assert {n["key"] for n in notices} == delivered()
    by_key = {n["key"]: n for n in notices}
    assert all(n == by_key[n["key"]] for n in notices)  # what comes twice is the same
    assert shown(other) == {}
    other.stop()
