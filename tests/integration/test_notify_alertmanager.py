"""notify-webhook with Debian's Prometheus Alertmanager, which tells a receiver of its own."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from hook import Hook, secret, status
from plugin_worker import PluginWorker, alert, notice
from ward import FAULTS_BUILD, PATIENCE, end, free_port, program, senml, wait_for

pytestmark = pytest.mark.timeout(240)

RETRY, CONFIGURATION = -11, -22  # -EAGAIN, -EINVAL


class Alertmanager:
    def __init__(self, folder, told):
        self.folder, self.port, self.process = folder, free_port(), None
        folder.mkdir()
        (folder / "alertmanager.yml").write_text(yaml.safe_dump({
            "route": {"receiver": "told", "group_by": ["alert_id"], "group_wait": "0s", "group_interval": "1s",
                      "repeat_interval": "1h"},
            "receivers": [{"name": "told", "webhook_configs": [{"url": told.url, "send_resolved": True}]}]}))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["prometheus-alertmanager", f"--config.file={self.folder}/alertmanager.yml",
                 f"--storage.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
                 "--cluster.listen-address="], stdout=log, stderr=log)
        wait_for("Alertmanager is ready", self.is_ready)

    def is_ready(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return urllib.request.urlopen(f"{self.url}/-/ready", timeout=PATIENCE).status == 200
        except OSError:
            return False

    def kill(self):
        end(self.process, signal.SIGKILL)
        self.process = None

    def stop(self):
        if self.process:
            self.kill()

    def alerts(self):
        """What is active, by the labels."""
        return json.load(urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=PATIENCE))


@pytest.fixture
def told():
    """Whom Alertmanager tells."""
    one = Hook()
    one.start()
    yield one
    one.stop()


@pytest.fixture
def alertmanager(folder, told):
    one = Alertmanager(folder / "alertmanager", told)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def start():
    workers = []

    def make(url, plugin=None, **config):
        config = {"url": url, "format": "alertmanager", **config}
        workers.append(PluginWorker(plugin or program("notify-webhook.so"), config))
        return workers[-1]
    yield make
    for w in workers:
        w.close()


def ago(seconds):
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def low(state="active", ident="a1b2", **more):
    """An alert whose condition began a minute ago."""
    return alert(state, ident, **{"subject": "stay-1", "label": "Bed 7", "summary": "SpO2 85 % in Bed 7",
                                  "labels": {"floor": "3", "on-call": "resp"}, "since": ago(60), "time": ago(0), **more})


def refresh(worker, *alerts, first=True, last=True):
    return worker.call("refresh", gateway="test-ward.example", first=first, last=last, alerts=list(alerts))


def seconds_left(row):
    return (datetime.fromisoformat(row["endsAt"]) - datetime.now(timezone.utc)).total_seconds()


def expect_told(told, state, ident="a1b2"):
    """Alertmanager's own notification of the alert in that state."""
    def find():
        return next((a for r in list(told.requests) for a in r.notice["alerts"]
                     if (a["status"], a["labels"]["alert_id"]) == (state, ident)), None)
    return wait_for(f"{ident} is told as {state}", find)


@pytest.mark.short
def test_an_alert_is_shown_and_told_and_is_over(start, alertmanager, told):
    worker = start(alertmanager.url + "/")
    assert worker.deliver(notice(low()))["r"] == 0
    (row,) = alertmanager.alerts()
    assert row["labels"] == {"alertname": "SpO2Low", "alert_id": "a1b2", "gateway": "test-ward.example", "subject": "stay-1",
                             "label": "Bed 7", "priority": "high", "severity": "critical", "floor": "3", "on_call": "resp"}
    assert row["annotations"] == {"id": "a1b2", "state": "active", "summary": "SpO2 85 % in Bed 7", "place": "Bed 7"}
    assert 240 < seconds_left(row) <= 301
    assert expect_told(told, "firing")["fingerprint"] == row["fingerprint"]

    assert worker.deliver(notice(low("acknowledged", transition="acknowledged", who="uid:7", note="coming")))["r"] == 0
    (acknowledged,) = alertmanager.alerts()
    assert acknowledged["fingerprint"] == row["fingerprint"]
    assert acknowledged["annotations"]["who"] == "uid:7" and acknowledged["annotations"]["note"] == "coming"

    assert worker.deliver(notice(low("resolved", transition="resolved")))["r"] == 0
    wait_for("it is over", lambda: alertmanager.alerts() == [])
    assert expect_told(told, "resolved")["fingerprint"] == row["fingerprint"]


def test_a_refresh_keeps_it_and_a_move_to_another_bed_does_not_double_it(start, alertmanager, told):
    worker = start(alertmanager.url)
    assert worker.deliver(notice(low()))["r"] == 0
    (row,) = alertmanager.alerts()
    time.sleep(1.1)
    moved = {"label": "Bed 9", "summary": "SpO2 85 % in Bed 9"}
    assert refresh(worker, low(**moved))["r"] == 0
    assert refresh(worker, low(**moved), first=True, last=False)["r"] == 0
    assert refresh(worker, low(ident="other"), first=False, last=True)["r"] == 0
    kept, _ = sorted(alertmanager.alerts(), key=lambda r: r["labels"]["alert_id"])
    assert (kept["fingerprint"], kept["startsAt"]) == (row["fingerprint"], row["startsAt"])
    assert kept["endsAt"] > row["endsAt"]
    assert kept["annotations"]["place"] == "Bed 9"
    assert worker.deliver(notice(low("resolved", transition="resolved", **moved)))["r"] == 0
    wait_for("the other is left", lambda: [r["labels"]["alert_id"] for r in alertmanager.alerts()] == ["other"])
    assert expect_told(told, "resolved")["fingerprint"] == row["fingerprint"]


@pytest.mark.short
def test_an_alertmanager_that_is_killed_and_brought_back_shows_all_again(start, alertmanager, told):
    worker = start(alertmanager.url)
    assert worker.deliver(notice(low(ident="a"), low(ident="b"), key="group-1"))["r"] == 0
    before = {r["labels"]["alert_id"]: r["fingerprint"] for r in alertmanager.alerts()}
    assert sorted(before) == ["a", "b"]
    alertmanager.kill()
    assert worker.deliver(notice(low(ident="c"), key="c:raised"))["r"] == RETRY
    assert refresh(worker, low(ident="a"), low(ident="b"))["r"] == RETRY
    alertmanager.start()
    assert alertmanager.alerts() == []
    assert worker.deliver(notice(low(ident="c"), key="c:raised"))["r"] == 0
    assert refresh(worker, *(low(ident=i) for i in "abc"))["r"] == 0
    after = {r["labels"]["alert_id"]: r["fingerprint"] for r in alertmanager.alerts()}
    assert sorted(after) == ["a", "b", "c"] and before.items() <= after.items()

    # another process of the plugin knows nothing of what was told before
    worker = start(alertmanager.url)
    assert refresh(worker, *(low(ident=i) for i in "abc"))["r"] == 0
    assert {r["labels"]["alert_id"]: r["fingerprint"] for r in alertmanager.alerts()} == after


def test_what_a_whole_refresh_does_not_name_is_forgotten(start, alertmanager):
    """So memory holds what is active and no more."""
    worker = start(alertmanager.url)
    assert worker.deliver(notice(low()))["r"] == 0
    assert refresh(worker, low(ident="other"), last=False)["r"] == 0
    assert worker.deliver(notice(low(label="Bed 9")))["r"] == 0
    assert refresh(worker, low(ident="other"))["r"] == 0
    assert worker.deliver(notice(low(label="Bed 10")))["r"] == 0
    labels = [r["labels"]["label"] for r in alertmanager.alerts() if r["labels"]["alert_id"] == "a1b2"]
    assert sorted(labels) == ["Bed 10", "Bed 7"]


def test_a_digest_of_nothing_is_nothing(start, alertmanager):
    worker = start(alertmanager.url)
    assert worker.deliver(notice(key="digest-1", more=7))["r"] == 0
    assert refresh(worker)["r"] == 0
    assert alertmanager.alerts() == []


def test_another_service_at_the_address_is_said(start, alertmanager):
    reply = start(alertmanager.url + "/elsewhere").deliver(notice(low()))
    assert reply["r"] == CONFIGURATION and "404" in reply["error"]


@pytest.mark.parametrize("offset_s", [-7200, 7200])
def test_a_gateway_with_a_wrong_clock_is_heard_all_the_same(start, alertmanager, folder, monkeypatch, offset_s):
    """Two hours behind, an end in five minutes would be over before it came, and Alertmanager would say 200."""
    secret(folder, "clock-offset-us", str(offset_s * 1000000))
    monkeypatch.setenv("WARDSTONE_FAULTS", str(folder))
    worker = start(alertmanager.url, program("notify-webhook.so", FAULTS_BUILD))
    wrong = {"since": ago(60 - offset_s), "time": ago(-offset_s)}
    assert worker.deliver(notice(low(**wrong)))["r"] == 0
    (row,) = alertmanager.alerts()
    assert 200 < seconds_left(row) <= 302
    assert refresh(worker, low(**wrong))["r"] == 0
    assert len(alertmanager.alerts()) == 1
    assert worker.deliver(notice(low("resolved", **wrong)))["r"] == 0
    wait_for("it is over", lambda: alertmanager.alerts() == [])


def test_a_clock_that_is_nearly_right_is_left_alone(start):
    other = Hook()
    other.start()
    try:
        worker = start(f"http://127.0.0.1:{other.port}")
        assert worker.deliver(notice(low()))["r"] == 0
        assert len(other.requests) == 1

        def late(handler):
            handler.send_response_only(200)
            handler.send_header("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600)))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        other.answer = late
        assert worker.deliver(notice(low()))["r"] == 0
        first, last = (seconds_left(r.notice[0]) for r in other.requests[1:])
        assert first < 301 and 3800 < last < 3901, "told again in its time"
        other.answer = status(200)
    finally:
        other.stop()


@pytest.mark.parametrize("bad", [{"rule": 7}, {"since": None}, {"state": []}, {"priority": 1}])
def test_an_alert_that_lacks_something_is_refused(start, alertmanager, bad):
    assert start(alertmanager.url).deliver(notice(low(**bad)))["r"] == CONFIGURATION
    assert alertmanager.alerts() == []


def test_a_refresh_that_names_no_gateway_is_refused(start, alertmanager):
    worker = start(alertmanager.url)
    assert worker.call("refresh", first=True, last=True, alerts=[low()])["r"] < 0
    assert alertmanager.alerts() == []


def kill_worker(gateway, name):
    """Kills the process of one connector."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
    (pid,) = [int(p) for p in children if Path(f"/proc/{p}/cmdline").read_bytes().split(b"\0")[1] == name.encode()]
    os.kill(pid, signal.SIGKILL)


def test_the_daemon_shows_all_again_after_kills(gateway, broker, alertmanager, told):
    gateway.config["receivers"].append({"name": "router", "plugin": "notify-webhook", "min_priority": "technical",
                                        "config": {"url": alertmanager.url, "format": "alertmanager", "timeout": "2s"}})
    gateway.start()
    gateway.wait_connected()
    gateway.control("assign", device="d1", subject="stay-1", kind="patient", label="Bed 1")
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])

    def shown():
        return [r for r in alertmanager.alerts() if r["labels"]["alertname"] == "SpO2Low"]
    (row,) = wait_for("it is shown", shown)
    assert (row["labels"]["subject"], row["labels"]["label"]) == ("stay-1", "Bed 1")

    alertmanager.kill()
    alertmanager.start()
    assert not shown()
    kill_worker(gateway, "router")
    (again,) = wait_for("it is shown again", shown)
    assert again["labels"] == row["labels"]

    gateway.kill()
    alertmanager.kill()
    alertmanager.start()
    gateway.start()
    (again,) = wait_for("it is shown after a kill of both", shown)
    assert again["labels"] == row["labels"]
    broker.publish("ward/d1/senml", [senml("spo2", 97, time.time())])
    wait_for("it is over", lambda: not shown())
    expect_told(told, "resolved", row["labels"]["alert_id"])
