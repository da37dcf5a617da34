"""A gateway with all it needs, for tests: a private broker, a daemon in folders of its own, and a caregiver who listens.

Everything runs on loopback at free ports and in a temporary folder; every wait is bounded; every process is ended by
its id."""

import base64
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import yaml

TOP = Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests"))

from ports import free_port  # noqa: E402

BUILD = Path(os.environ.get("WARDSTONE_BUILD") or TOP / "build/gcc")
FAULTS_BUILD = Path(os.environ.get("WARDSTONE_FAULTS_BUILD") or TOP / "build/faults")
DATA = Path(os.environ["WARDSTONE_DATA"]) if os.environ.get("WARDSTONE_DATA") else None

# Long enough for a sanitizer build on a busy machine; a wait ends as soon as what it waits for is there.
PATIENCE = 40 * int(os.environ.get("WARDSTONE_PATIENCE", "1"))

RULES = {
    "groups": [{
        "name": "tests",
        "rules": [
            {"alert": "SpO2Low", "expr": "spo2 < 90", "latch": False, "labels": {"priority": "high"},
             "annotations": {"summary": "SpO2 {{ value }} % in {{ subject.label }}"}},
        ],
    }]
}


def program(name, build=BUILD):
    """The program of that name in a build folder."""
    for found in sorted(build.rglob(name)):
        if found.is_file() and os.access(found, os.X_OK):
            return found
    raise FileNotFoundError(f"{build} has no program {name}: build it first")


def wait_for(what, condition, seconds=PATIENCE):
    """The first true value of condition(), looked at every 30 ms."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.03)


def end(process, sig=signal.SIGTERM):
    """Ends one process of ours and returns its exit status; one that does not listen is killed. Said again now and then:
    Mosquitto forgets a signal that comes before its loop has begun."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.kill()
            process.wait(PATIENCE)
            raise AssertionError(f"process {process.pid} did not end by {sig.name}")
        process.send_signal(sig)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
    return process.returncode


class Broker:
    """A Mosquitto that keeps what is not delivered, as a gateway's broker does."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None
        (folder / "data").mkdir(parents=True)
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
            f"persistence_location {folder}/data/\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
            "set_tcp_nodelay true\n")

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(["mosquitto", "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log)
        log.close()
        wait_for("the broker listens", self.listens)

    def listens(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            end(self.process)
        self.process = None

    def publish(self, topic, payloads, qos=1):
        """Returns once the broker has acknowledged all of them (one line each)."""
        text = "".join(p + "\n" for p in payloads)
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", str(qos), "-t", topic, "-l"],
                       input=text, text=True, check=True, timeout=PATIENCE)


class Listener:
    """Someone who subscribes: messages as (topic, decoded JSON or text), in order. Of a notice, each of its alerts
    counts as one that was seen, with the notice's key and kind."""

    def __init__(self, port, topic):
        self.messages = queue.Queue()
        self.seen = []
        self.notices = []
        self.process = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", topic, "-t", "listener/ready",
             "-F", "%t\t%p"], stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        ready = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", "listener/ready", "-m", "1"]

        def subscribed():
            subprocess.run(ready, check=True, timeout=PATIENCE)
            try:
                return self.messages.get(timeout=0.2)
            except queue.Empty:
                return None
        wait_for("the listener is subscribed", subscribed)

    def _read(self):
        for line in self.process.stdout:
            topic, _, payload = line.rstrip("\n").partition("\t")
            try:
                self.messages.put((topic, json.loads(payload)))
            except ValueError:
                self.messages.put((topic, payload))

    def expect(self, what, matches, seconds=PATIENCE):
        """The first message, of those seen already and those to come, whose JSON object matches."""
        for message in self.seen:
            if matches(message):
                return message
        deadline = time.monotonic() + seconds
        while True:
            try:
                topic, message = self.messages.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not within {seconds} s: {what}; came: {self.seen}") from None
            if topic == "listener/ready" or not isinstance(message, dict):
                continue
            new = self._alerts(message)
            self.seen += new
            for message in new:
                if matches(message):
                    return message

    def _alerts(self, message):
        if "alerts" not in message or "key" not in message:
            return [message]
        self.notices.append(message)
        return [{**alert, "key": message["key"], "kind": message["kind"]} for alert in message["alerts"]]

    def close(self):
        end(self.process)


class ControlError(Exception):
    """The daemon answered with an error."""


class Gateway:
    """One wardstoned with its configuration. Tests change `config`, `devices` and `rules` before start()."""

    def __init__(self, folder, broker_port, build=BUILD):
        self.folder = folder
        self.build = build
        self.etc, self.state = folder / "etc", folder / "state"
        self.log = folder / "log"
        self.process = None
        self.environment = {}
        (self.etc / "rules.d").mkdir(parents=True)
        self.write_key("signing-key", "wardstone-signing-key-v1")
        self.write_key("key-encryption-key", "wardstone-key-encryption-key-v1")
        plugins = folder / "plugins"
        plugins.mkdir()
        for library in build.rglob("plugins/**/*.so"):
            (plugins / library.name).symlink_to(library)
        self.config = {
            "gateway": {"name": "test-ward.example"},
            "state_dir": str(self.state),
            "control": {"socket": str(folder / "control.sock")},
            "devices": "devices.yaml",
            "rules": "rules.d",
            "mqtt": [{
                "name": "local", "host": "127.0.0.1", "port": broker_port, "client_id": "wardstone-test",
                "topics": [{"filter": "ward/+/senml", "device": "ward/{device}/senml", "format": "senml+json"}],
            }],
            "ledger": {"block_age": "200ms", "batch_age": "20ms"},
            "chains": [{"name": "local", "plugin": "chain-file", "config": {"file": str(folder / "anchors.ndjson")}}],
            "receivers": [{
                "name": "ward", "plugin": "notify-mqtt", "min_priority": "technical",
                "config": {"host": "127.0.0.1", "port": broker_port, "prefix": "alerts"},
            }],
            "plugins": {"dir": str(plugins), "worker": str(program("wardstone-worker", build))},
        }
        self.devices = ["d1", "d2"]
        self.rules = RULES

    def write_key(self, name, kind):
        path = self.etc / name
        path.write_text(f"{kind} {base64.b64encode(secrets.token_bytes(32)).decode()}\n")
        path.chmod(0o600)

    @property
    def config_path(self):
        return self.etc / "wardstone.yaml"

    def write_config(self):
        self.config_path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        (self.etc / "devices.yaml").write_text(yaml.safe_dump({"devices": [d if isinstance(d, dict) else {"id": d} for d in self.devices]}))
        (self.etc / "rules.d/tests.yaml").write_text(yaml.safe_dump(self.rules, sort_keys=False))

    def command(self, *arguments):
        return [str(program("wardstoned", self.build)), "--config", str(self.config_path), *arguments]

    def run(self, *arguments):
        """For starts that must fail, and for --check: runs to the end."""
        return subprocess.run(self.command(*arguments), env={**os.environ, **self.environment}, capture_output=True,
                              text=True, timeout=PATIENCE)

    def start(self, write=True):
        """Returns when the daemon has said READY=1."""
        if write:
            self.write_config()
        path = self.folder / "notify.sock"
        path.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        self.notified = []
        self.reader = threading.Thread(target=self._read_notifications, args=(self.notify, self.notified), daemon=True)
        self.reader.start()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": str(path), **self.environment})
        self.expect_notification("READY=1")

    @staticmethod
    def _read_notifications(notify, notified):
        """As the service manager does: always reading, because sd_notify() waits for room."""
        while message := notify.recv(4096):
            notified += message.decode().split("\n")

    def expect_notification(self, line):
        """Waits until the daemon has told the service manager so, since its start."""
        def told():
            assert self.process.poll() is None, f"exit status {self.process.returncode}:\n{self.text()}"
            return line in self.notified
        wait_for(f"the daemon says {line}", told)

    def _forget(self):
        self.process = None
        self.notify.shutdown(socket.SHUT_RDWR)  # ends the reader's recv()
        self.reader.join(PATIENCE)
        self.notify.close()

    def text(self):
        """The log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        """An orderly stop must be a clean one: a leak or a race that a sanitizer saw is an exit status too."""
        if self.process:
            status = end(self.process)
            self._forget()
            assert status == 0, f"exit status {status} after SIGTERM:\n{self.text()}"

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self._forget()

    def control(self, op, **arguments):
        """All rows of one operation on the control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(self.config["control"]["socket"])
            s.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
            rows = []
            with s.makefile("r") as lines:
                for line in lines:
                    row = json.loads(line)
                    if "error" in row:
                        raise ControlError(row["error"])
                    if row.get("end"):
                        return rows
                    rows.append(row)
        raise ControlError(f"{op}: the answer has no end")

    def status(self):
        return self.control("status")[0]

    def cli(self, *arguments, check=True):
        return subprocess.run(
            [str(program("wardstone", self.build)), "--socket", self.config["control"]["socket"], *arguments],
            capture_output=True, text=True, check=check, timeout=PATIENCE)

    def readings(self, **arguments):
        return self.control("readings", **{"limit": 100000, **arguments})

    def wait_stored(self, values, vital="hr"):
        """Waits until exactly these values are in the ledger, each once."""
        want = sorted(float(v) for v in values)

        def stored():
            got = sorted(r["value"] for r in self.readings(vital=vital))
            assert len(got) <= len(want), f"stored more than was sent: {len(got)} of {len(want)}"
            return got == want
        wait_for(f"{len(want)} readings are stored", stored)

    def source(self, name="local"):
        return next(s for s in self.status()["sources"] if s["name"] == name)

    def wait_connected(self, up=True, name="local"):
        wait_for(f"source up: {up}", lambda: self.source(name)["up"] is up)

    def entry_types(self):
        """Types of all entries of sealed blocks, in order."""
        types = []
        for height in range(self.status()["ledger"]["height"]):
            types += [e["type"] for e in self.control("block", height=height)[0]["entries"]]
        return types

    def technical_alerts(self):
        return [a for a in self.control("alerts") if a["priority"] == "technical" and a["state"] == "active"]

    def assert_ledger_verifies(self):
        report = self.control("verify")[-1]
        assert report["bad"] == 0, report
        assert report["entries"] > 0, report


def senml(vital="hr", value=72, time_s=None, **extra):
    """One SenML pack with one record; times in seconds make measurements distinct."""
    record = {"n": vital, "v": value, **extra}
    if time_s is not None:
        record["t"] = time_s
    return json.dumps([record])


def packs(values, vital="hr", start=None):
    """Packs whose times lie a millisecond apart and end now, so that each is a measurement of its own."""
    values = list(values)
    start = time.time() - 0.001 * len(values) if start is None else start
    return [senml(vital, v, start + 0.001 * i) for i, v in enumerate(values)]


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
