"""The default rules: their tests, what `wardstone init` makes of them, and what the simulated ward brings up."""

import json
import subprocess

import pytest
import yaml

from test_cli_offline import init, run
from ward import TOP, program

pytestmark = pytest.mark.short

RULES = sorted((TOP / "configs/rules.d").glob("*.yaml"))
TESTS = sorted((TOP / "configs/rules-tests").glob("*.yaml"))


def rules():
    return [r for file in RULES for g in yaml.safe_load(file.read_text())["groups"] for r in g["rules"]]


def transitions():
    """{alert: states that some test expects of it}"""
    states = {}
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for alert in test.get("alerts", []):
                states.setdefault(alert["alert"], set()).add(alert["state"])
    return states


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_each_does_what_its_tests_say(file):
    status, out, err = run("test-rules", file)
    assert (status, err) == (0, ""), out


def test_each_is_tested_from_its_beginning_to_its_end():
    states = transitions()
    missing = [r["alert"] for r in rules() if not {"active", "resolved"} <= states.get(r["alert"], set())]
    assert missing == [] and len(rules()) >= 30


def test_each_file_of_rules_has_its_file_of_tests():
    assert [f.name for f in TESTS] == [f.name for f in RULES]


def test_each_tells_people_what_and_of_whom():
    assert [r["alert"] for r in rules() if "{{ subject.label }}" not in r["annotations"]["summary"]] == []


def test_init_writes_the_same_files(folder):
    assert init(folder)[0] == 0
    made = {f.name: f.read_text() for f in (folder / "etc/rules.d").iterdir()}
    assert made == {f.name: f.read_text() for f in RULES}


@pytest.mark.parametrize("path", [TOP / "configs/demo/rules.d", *RULES], ids=lambda path: path.name)
def test_each_file_holds_by_itself(path):
    status, out, err = run("check", path)
    assert (status, err) == (0, ""), out


def test_the_simulated_ward_brings_up_an_alert_within_a_minute(folder, broker):
    """What somebody sees who tries `wardstone init` and `wardstone sim`."""
    listener = subprocess.Popen(["mosquitto_sub", "-p", str(broker.port), "-t", "ward/+/senml", "-F", "%t\t%p", "-W", "40"],
                                stdout=subprocess.PIPE, text=True)
    try:
        status, _, err = run("sim", "--port", broker.port, "--patients", 3, "--deteriorate", 2, "--speed", 20, "--duration",
                             "4s")
    finally:
        listener.terminate()
        out, _ = listener.communicate(timeout=30)
    assert status == 0, err
    rows = {}
    for line in out.splitlines():
        topic, payload = line.split("\t")
        records = json.loads(payload)
        rows.setdefault(topic.split("/")[1], []).append({r["n"]: r["v"] for r in records})
    for device, values in rows.items():
        with open(folder / f"{device}.csv", "w") as f:
            f.write("time,hr,spo2,rr\n")
            f.writelines(f"{s},{v['hr']},{v['spo2']},{v['rr']}\n" for s, v in enumerate(values))
    status, out, err = run("backtest", "--json", "--csv", *sorted(folder.glob("sim-*.csv")), "--rules",
                           TOP / "configs/rules.d")
    assert (status, err) == (0, "")
    raised = [json.loads(line) for line in out.splitlines()]
    raised = {(r["subject"], r["rule"]): r["time_s"] for r in raised if r["type"] == "event" and r["transition"] == "raised"}
    assert raised.get(("sim-02", "SpO2Low"), 99) < 60
    assert {subject for subject, _ in raised} == {"sim-02"}
