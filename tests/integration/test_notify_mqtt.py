"""notify-mqtt in its worker, driven as the daemon drives it, against a real broker."""

import json
import os
import socket
import subprocess

import pytest

from ward import PATIENCE, Broker, Listener, program, wait_for

pytestmark = pytest.mark.timeout(240)


class Worker:
    """A wardstone-worker with its socket as descriptor 3."""

    def __init__(self, config):
        self.last_id = 0
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        os.set_inheritable(theirs.fileno(), True)
        command = f'exec "$0" test "$1" 3<&{theirs.fileno()}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, program("wardstone-worker"), program("notify-mqtt.so")], pass_fds=[theirs.fileno()])
        theirs.close()
        self.opened = self.ask({"id": 0, "op": "open", "config": config})

    def send(self, message):
        self.socket.send(json.dumps(message).encode())

    def receive(self):
        return json.loads(self.socket.recv(65536))

    def ask(self, message):
        self.send(message)
        return self.receive()

    def deliver(self, **event):
        self.last_id += 1
        return self.ask({"id": self.last_id, "op": "deliver", "event": event})

    def close(self):
        self.socket.close()
        assert self.process.wait(PATIENCE) == 0


@pytest.fixture
def start():
    workers = []

    def make(**config):
        workers.append(Worker({"host": "127.0.0.1", "prefix": "alerts", **config}))
        return workers[-1]
    yield make
    for w in workers:
        w.close()


def retained(broker, topic="alerts/state/#"):
    """Retained messages as a new subscriber gets them."""
    found = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", topic, "--retained-only",
                            "-W", "1", "-F", "%t %p"], capture_output=True, text=True, timeout=PATIENCE)
    return found.stdout.splitlines()


def event(state="active", **more):
    return {"id": "a1b2", "rule": "SpO2Low", "state": state, "priority": "high", **more}


@pytest.mark.short
def test_an_event_arrives_before_deliver_returns_and_its_state_is_kept_while_it_is_active(start, broker, listener):
    worker = start(port=broker.port)
    assert worker.opened["r"] == 0
    assert worker.deliver(**event(value=85.5)) == {"id": 1, "r": 0}
    assert listener.expect("the event", lambda m: m["state"] == "active")["value"] == 85.5
    (line,) = retained(broker)
    topic, _, payload = line.partition(" ")
    assert (topic, json.loads(payload)["rule"]) == ("alerts/state/a1b2", "SpO2Low")

    assert worker.deliver(**event("resolved"))["r"] == 0
    listener.expect("the end", lambda m: m["state"] == "resolved")
    assert retained(broker) == []


def test_a_broker_that_comes_late_gets_the_alert(start, folder):
    broker = Broker(folder / "late")
    worker = start(port=broker.port, timeout="300ms")
    assert worker.opened["r"] == 0
    reply = worker.deliver(**event())
    assert reply["r"] < 0
    assert "Connection refused" in reply["error"]
    broker.start()
    try:
        wait_for("the alert is taken", lambda: worker.deliver(**event())["r"] == 0)
        assert len(retained(broker)) == 1
    finally:
        broker.stop()


@pytest.mark.short
def test_a_restarted_broker_gets_the_next_alert(start, broker):
    worker = start(port=broker.port, timeout="9s")
    assert worker.deliver(**event())["r"] == 0
    for n in range(3):
        broker.stop()
        broker.start()
        assert worker.deliver(**event(id=f"n{n}"))["r"] == 0, n
    assert len(retained(broker)) == 4


def test_an_alert_that_a_dead_connection_swallowed_is_sent_again_once(start, broker):
    """The broker's process is stopped, so the alert waits in the socket; then it is killed."""
    worker = start(port=broker.port, timeout="500ms")
    assert worker.deliver(**event())["r"] == 0
    subprocess.run(["kill", "-STOP", str(broker.process.pid)], check=True)
    reply = worker.deliver(**event(id="swallowed"))
    assert reply["r"] < 0 and "did not acknowledge" in reply["error"]
    subprocess.run(["kill", "-KILL", str(broker.process.pid)], check=True)
    broker.process.wait(PATIENCE)
    broker.start()
    listener = Listener(broker.port, "alerts/events")
    try:
        wait_for("the alert is taken", lambda: worker.deliver(**event(id="swallowed"))["r"] == 0)
        worker.deliver(**event(id="next"))
        listener.expect("the next one", lambda m: m["id"] == "next")
        assert [m["id"] for m in listener.seen].count("swallowed") <= 1
    finally:
        listener.close()


def test_what_the_broker_does_not_permit_is_said(start, folder):
    broker = Broker(folder / "strict")
    (folder / "strict/acl").write_text("topic read #\n")
    with open(folder / "strict/mosquitto.conf", "a") as f:
        f.write(f"acl_file {folder}/strict/acl\n")
    broker.start()
    try:
        reply = start(port=broker.port).deliver(**event())
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
        assert start(**settings).deliver(**event())["r"] == 0
        reply = start(port=broker.port, timeout="1s").deliver(**event())
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
        assert start(port=broker.port, tls=tls).deliver(**event())["r"] == 0
        reply = start(port=broker.port, tls={"ca": str(ca)}, timeout="1s").deliver(**event())
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
    ({"password_file": "/nonexistent"}, "username: missing"),
    ({"username": "u", "password_file": "/nonexistent"}, "/nonexistent: No such file"),
    ({"username": "u", "credential": "x"}, "LoadCredential"),
])
def test_bad_settings_are_explained(start, settings, text):
    opened = start(**settings).opened
    assert opened["r"] < 0
    assert text in opened["error"]


@pytest.mark.parametrize("bad", [{}, {"id": "a"}, {"id": "", "state": "active"}, {"id": "a/b", "state": "active"},
                                 {"id": "#", "state": "active"}, {"id": 7, "state": "active"}])
def test_an_event_without_an_id_is_refused(start, bad):
    reply = start(port=1).deliver(**bad)
    assert reply["r"] < 0
    assert "needs an id" in reply["error"]


def test_signals_to_the_group_do_not_end_it(start, broker):
    worker = start(port=broker.port)
    for name in "TERM", "INT", "HUP":
        subprocess.run(["kill", f"-{name}", str(worker.process.pid)], check=True)
    assert worker.deliver(**event())["r"] == 0
    assert worker.process.poll() is None
