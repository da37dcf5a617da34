"""The command with a running gateway: from a simulated patient to a proof that someone else checks."""

import json

import pytest

from ward import wait_for


@pytest.fixture
def ward(gateway):
    """A gateway that has watched two simulated patients, the second of whom deteriorates."""
    gateway.devices = ["sim-01", "sim-02"]
    gateway.start()
    gateway.wait_connected()
    gateway.cli("assign", "sim-01", "stay-1", "--label", "Bed 1")
    gateway.cli("assign", "sim-02", "stay-2", "--label", "Bed 2")
    port = str(gateway.config["mqtt"][0]["port"])
    gateway.cli("sim", "--port", port, "--patients", "2", "--speed", "40", "--duration", "1s", "--deteriorate", "2")
    wait_for("all is stored", lambda: len(gateway.readings(vital="hr")) == 80)
    return gateway


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def verify(ward, *arguments, check=True):
    # the key of this gateway alone, as an auditor has it
    key = ward.cli("checkpoint", "--key").stdout.strip()
    return ward.cli("verify", *arguments, "--key", key, check=check)


@pytest.mark.short
def test_a_reading_is_shown_proven_and_verified(ward):
    reading = rows(ward.cli("readings", "--subject", "stay-2", "--vital", "spo2", "--newest", "--limit", "1", "--json"))[0]
    assert reading["device"] == "sim-02" and reading["value"] < 90
    path = ward.folder / "proof"
    wait_for("its block is sealed", lambda: ward.cli("prove", str(reading["index"]), "--disclose", "-o", str(path),
                                                     check=False).returncode == 0)
    proven = rows(verify(ward, str(path), "--json"))[0]
    assert proven["index"] == reading["index"] and proven["reading"]["value"] == reading["value"]
    text = path.read_text()
    path.write_text(text.replace(f"index {reading['index']}", f"index {reading['index'] - 1}"))
    assert verify(ward, str(path), check=False).returncode == 1


def test_the_board_shows_the_alert(ward):
    board = wait_for("the alert is on the board", lambda: [
        lines for lines in [ward.cli("top", "--once").stdout.splitlines()] if any("SpO2Low" in line for line in lines)])[0]
    assert board[2].startswith("Bed 2") and "high: SpO2Low" in board[3] and board[4].startswith("Bed 1")
    alert, = rows(ward.cli("alerts", "--json"))
    assert (alert["rule"], alert["subject"], alert["priority"]) == ("SpO2Low", "stay-2", "high")


def test_every_view_answers(ward):
    wait_for("a block", lambda: ward.status()["ledger"]["height"] > 0)
    for command in (["status"], ["devices"], ["alerts", "--all"], ["quarantine"], ["block", "0"], ["checkpoint"],
                    ["reload"], ["release", "sim-01"]):
        done = ward.cli(*command)
        assert done.stdout or "empty" in done.stderr, command
        rows(ward.cli(*command, "--json"))
    lines = ward.cli("readings", "--csv", "--limit", "0").stdout.splitlines()
    assert len(lines) == 1 + len(ward.readings())


def test_the_ledger_verifies_with_and_without_the_daemon(ward):
    assert ward.cli("verify", "--all").stdout.startswith("verified: ")
    directly = ["verify", "--all", "--config", str(ward.config_path)]
    busy = ward.cli(*directly, check=False)
    assert busy.returncode == 1 and "a daemon has the ledger open" in busy.stderr
    ward.stop()
    assert ward.cli(*directly).stdout.startswith("verified: ")


def test_a_ledger_without_a_block_says_when_the_first_comes(gateway, broker):
    gateway.config["ledger"]["block_age"] = "90500ms"
    gateway.start()
    done = gateway.cli("checkpoint", check=False)
    assert done.returncode == 1 and "within 90500ms" in done.stderr, done.stderr
