"""A bad configuration starts nothing and says where; a reload that finds one keeps the old."""

import copy
import re
import signal
import subprocess
import time

import pytest

from ward import TOP, ControlError, packs, program, senml, wait_for

pytestmark = pytest.mark.timeout(120)


def edit(gateway, name, old, new):
    path = gateway.etc / name
    text = path.read_text()
    assert text.count(old) >= 1, f"{old!r} is not in {name}:\n{text}"
    path.write_text(text.replace(old, new, 1))


MISTAKES = {
    "unknown key": ("wardstone.yaml", "state_dir:", "state_dri: x\nstate_dir:", "wardstone.yaml", "state_dri"),
    "key given twice": ("wardstone.yaml", "state_dir:", "state_dir: x\nstate_dir:", "wardstone.yaml", "state_dir"),
    "wrong type": ("wardstone.yaml", "block_age: 200ms", "block_age: [1]", "wardstone.yaml", "block_age"),
    "no duration": ("wardstone.yaml", "block_age: 200ms", "block_age: soon", "wardstone.yaml", "block_age"),
    "out of range": ("wardstone.yaml", "batch_age: 20ms", "batch_age: 3h", "wardstone.yaml", "batch_age"),
    "not YAML": ("wardstone.yaml", "gateway:", "gateway: {", "wardstone.yaml", ""),
    "bad pattern": ("wardstone.yaml", "ward/{device}/senml", "room/{device}/senml", "wardstone.yaml", "ward/+/senml"),
    "bad filter": ("wardstone.yaml", "filter: ward/+/senml", "filter: ward/#/senml", "wardstone.yaml", "ward/#/senml"),
    "unknown format": ("wardstone.yaml", "senml+json", "senml+xml", "wardstone.yaml", "senml+xml"),
    "unknown map": ("wardstone.yaml", "format: senml+json", "format: json\n    map: nothing", "wardstone.yaml", "nothing"),
    "duplicate device": ("devices.yaml", "- id: d2", "- id: d1", "devices.yaml", "d1"),
    "bad device name": ("devices.yaml", "- id: d2", "- id: ../d2", "devices.yaml", "../d2"),
    "bad expression": ("rules.d/tests.yaml", "spo2 < 90", "spo2 <", "tests.yaml", ""),
    "unknown vital": ("rules.d/tests.yaml", "spo2 < 90", "sp02 < 90", "tests.yaml", "spo2"),
    "bad priority": ("rules.d/tests.yaml", "priority: high", "priority: hihg", "tests.yaml", "hihg"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_has_a_place_and_starts_nothing(gateway, mistake):
    name, old, new, where, what = MISTAKES[mistake]
    gateway.write_config()
    edit(gateway, name, old, new)
    runs = [gateway.run(), gateway.run("--check"),
            gateway.cli("check", "--config", str(gateway.config_path), check=False)]
    for run in runs:
        assert run.returncode == 1, run
        message = run.stderr
        assert re.search(rf"{re.escape(where)}:[1-9]\d*:[1-9]\d*: ", message), message
        assert what in message
    assert not gateway.state.exists(), "nothing is started"
    assert not (gateway.folder / "control.sock").exists()


@pytest.mark.parametrize("missing", ["wardstone.yaml", "devices.yaml", "rules.d", "signing-key", "key-encryption-key"])
def test_a_missing_file_is_named(gateway, missing):
    gateway.write_config()
    path = gateway.etc / missing
    path.rename(gateway.folder / "elsewhere")
    run = gateway.run()
    assert run.returncode == 1
    assert missing in run.stderr
    assert not (gateway.state / "ledger").exists()


def test_a_key_that_others_can_read_is_refused(gateway):
    gateway.write_config()
    (gateway.etc / "signing-key").chmod(0o644)
    run = gateway.run()
    assert run.returncode == 1
    assert "signing-key" in run.stderr


def test_a_right_configuration_passes(gateway):
    gateway.write_config()
    assert gateway.run("--check").returncode == 0
    assert gateway.cli("check", "--config", str(gateway.config_path)).returncode == 0
    assert not gateway.state.exists()


def test_the_production_example_passes(gateway):
    password = gateway.folder / "mqtt-password"
    password.write_text("secret\n")
    password.chmod(0o600)
    gateway.write_config()
    text = (TOP / "configs/wardstone.yaml").read_text()
    (gateway.etc / "wardstone.yaml").write_text(text.replace("/etc/wardstone/mqtt-password", str(password)))
    (gateway.etc / "devices.yaml").write_text((TOP / "configs/devices.yaml").read_text())
    for rules in (TOP / "configs/rules.d").glob("*.yaml"):
        (gateway.etc / "rules.d" / rules.name).write_text(rules.read_text())
    (gateway.etc / "rules.d/tests.yaml").unlink()
    run = gateway.run("--check")
    assert run.returncode == 0, run.stderr


def test_wrong_arguments_are_told_apart():
    run = subprocess.run([program("wardstoned"), "--nonsense"], capture_output=True, text=True, timeout=30)
    assert run.returncode == 2
    assert "nonsense" in run.stderr


def test_a_reload_that_finds_a_mistake_keeps_the_old(gateway, broker, listener):
    gateway.start()
    gateway.wait_connected()
    edit(gateway, "rules.d/tests.yaml", "spo2 < 90", "spo2 <")
    gateway.process.send_signal(signal.SIGHUP)
    wait_for("the refusal is logged with its place",
             lambda: re.search(r"tests\.yaml:\d+:\d+: ", gateway.text()))
    with pytest.raises(ControlError, match=r"tests\.yaml:\d+:\d+: "):
        gateway.control("reload")
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    listener.expect("an alert by the old rule", lambda m: m.get("rule") == "SpO2Low")


def test_a_reload_takes_new_devices_and_rules(gateway, broker, listener):
    gateway.start()
    gateway.wait_connected()
    gateway.devices.append("d3")
    gateway.rules = {"groups": [{"name": "new", "rules": [{"alert": "HeartRateHigh", "expr": "hr > 130"}]}]}
    gateway.write_config()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.expect_notification("RELOADING=1")
    wait_for("the device is known", lambda: any(d["device"] == "d3" for d in gateway.control("devices")))
    broker.publish("ward/d3/senml", [senml("hr", 150, time.time()), senml("spo2", 80, time.time())])
    listener.expect("an alert by the new rule", lambda m: m.get("rule") == "HeartRateHigh")
    wait_for("both readings are stored", lambda: len(gateway.readings()) == 2)
    wait_for("the change is in the ledger", lambda: gateway.entry_types().count("CONFIG") == 2)
    assert not any(a["rule"] == "SpO2Low" for a in gateway.control("alerts"))


def test_a_reload_refuses_what_cannot_change(gateway, broker):
    gateway.start()
    for section, key, value, name in [("gateway", "name", "another.example", "gateway.name"),
                                      ("control", "group", "root", "control.group"),
                                      ("validation", "skew_past", "1d", "validation"),
                                      ("validation", "identities", 8192, "validation"),
                                      ("quarantine", "limit", 10, "quarantine.limit")]:
        before = copy.deepcopy(gateway.config)
        gateway.config.setdefault(section, {})[key] = value
        gateway.write_config()
        with pytest.raises(ControlError, match=f"'{name}' can't be changed"):
            gateway.control("reload")
        gateway.config = before
        gateway.write_config()
        gateway.control("reload")
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs([70]))
    gateway.wait_stored([70])
