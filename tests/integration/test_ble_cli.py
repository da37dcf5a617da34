"""`wardstone ble`: an operator finds, pairs and forgets sensors, with the daemon or without."""

import os
import subprocess

import pytest
from ble_ward import BELT, METER, ble, fake  # noqa: F401
from test_ble_faults import flows
from ward import PATIENCE, program


@pytest.fixture
def cli(fake):  # noqa: F811
    def run(*arguments, typed="", status=0):
        done = subprocess.run([program("wardstone"), "ble", *arguments], env={**os.environ, **fake.environment},
                              input=typed, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
    return run


def test_scan_shows_who_is_heard(fake, cli):  # noqa: F811
    fake.device(BELT, "belt", "heart-rate")
    fake.device(METER, "meter", "glucose")
    fake.start()
    out = cli("scan", "--for", "500ms")
    assert BELT in out and METER in out and "belt" in out
    assert not fake.adapter()["discovering"]


def test_a_passkey_is_asked_for(fake, cli):  # noqa: F811
    fake.device(BELT, "belt", "heart-rate", "sealed", "passkey=123456")
    fake.start()
    assert "bonded and trusted" in cli("pair", BELT, typed="123456\n")
    state = fake.state(BELT)
    assert state["bonded"] and state["trusted"]
    assert BELT in cli("list")
    assert fake.adapter()["agent"] == "", "the agent is gone with the command"


@pytest.mark.parametrize("typed", ["654321\n", "1234567\n", "abc\n", ""])
def test_a_wrong_passkey_makes_no_bond(fake, cli, typed):  # noqa: F811
    fake.device(BELT, "belt", "heart-rate", "passkey=123456")
    fake.start()
    cli("pair", BELT, typed=typed, status=1)
    assert not fake.state(BELT)["bonded"]


def test_just_works_takes_a_yes(fake, cli):  # noqa: F811
    fake.device(BELT, "belt", "heart-rate")
    fake.start()
    assert "--yes" in cli("pair", BELT, status=1)
    assert not fake.state(BELT)["bonded"]
    cli("pair", BELT, "--yes")
    assert fake.state(BELT)["bonded"]


def test_paired_is_not_bonded(fake, cli):  # noqa: F811
    fake.device(BELT, "belt", "heart-rate")
    fake.start()
    fake.false_bond(BELT)
    assert "keeps no bond" in cli("pair", BELT, "--yes", status=1)


def test_forget_and_trust(fake, cli):  # noqa: F811
    fake.device(BELT, "belt", "heart-rate")
    fake.start()
    assert "knows no device" in cli("trust", BELT, status=1)
    cli("pair", BELT, "--yes")
    cli("forget", BELT)
    assert BELT not in cli("list")
    cli("scan", "--for", "300ms")
    cli("trust", BELT)
    assert fake.state(BELT)["trusted"]


def test_it_says_what_is_wrong(fake, cli):  # noqa: F811
    fake.device(BELT, "belt", "heart-rate")
    fake.start()
    assert "expected an address" in cli("pair", "belt", status=2)
    assert "expected scan" in cli("find", status=2)
    assert "was not heard" in cli("pair", METER, "--timeout", "500ms", status=1)
    assert "no adapter hci7" in cli("list", "--adapter", "hci7", status=1)
    fake.restart(None)
    assert "bluetoothd does not run" in cli("list", status=1)
    fake.come_back()


def test_the_daemon_goes_on_with_what_was_paired(ble, cli):  # noqa: F811
    ble.belt("sealed", "passkey=42")
    ble.start()
    ble.wait_alert("BluetoothPairing:belt-1")
    cli("pair", BELT, typed="000042\n")
    flows(ble)
    ble.wait_alert("BluetoothPairing:belt-1", active=False)
