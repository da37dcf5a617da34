"""The command without a daemon: what works offline, how it refuses, and how it shows what a daemon would answer."""

import base64
import json
import os
import re
import socket
import stat
import subprocess
import threading

import pytest

from ward import DATA, TOP, Broker, program

pytestmark = pytest.mark.short


def run(*arguments, stdin=b"", **environment):
    env = {**os.environ, "WARDSTONE_SOCKET": "/nonexistent/control.sock", **environment}
    done = subprocess.run([program("wardstone"), *map(str, arguments)], input=stdin, capture_output=True, timeout=60,
                          env=env)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


class Answers:
    """Stands in for the daemon's socket: one canned answer to each client, in turn."""

    def __init__(self, path, *answers):
        self.path = path
        self.requests = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.thread = threading.Thread(target=self._serve, args=(answers,), daemon=True)
        self.thread.start()

    def _serve(self, answers):
        for answer in answers:
            client, _ = self.server.accept()
            with client:
                self.requests.append(json.loads(client.makefile().readline()))
                client.sendall(answer if isinstance(answer, bytes) else
                               "".join(json.dumps(row) + "\n" for row in answer).encode())

    def run(self, *arguments):
        done = run("--socket", self.path, *arguments)
        self.thread.join(10)
        self.server.close()
        return done


# --- how it is called ---

COMMANDS = ["init", "check", "status", "top", "tail", "readings", "alerts", "ack", "silence", "silences", "unsilence",
            "subjects", "devices", "quarantine", "assign", "release", "set", "block", "checkpoint", "prove", "verify",
            "decode", "test-rules", "backtest", "sim", "reload"]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command):
    status, out, err = run(command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: wardstone {command} ")
    assert command in run("help")[1]
    assert run("help", command)[1] == out


@pytest.mark.parametrize("arguments, says", [
    ([], "Usage:"),
    (["statsu"], 'did you mean "status"?'),
    (["status", "--nonsense"], "unknown option --nonsense"),
    (["status", "more"], "takes no operands"),
    (["readings", "--from", "yesterday"], "--from: expected a time"),
    (["readings", "--limit", "-1"], "--limit: expected a whole number"),
    (["readings", "--limit"], "needs an argument"),
    (["readings", "--csv", "--json"], "choose one"),
    (["block", "first"], "HEIGHT: expected a whole number"),
    (["assign", "oximeter-01"], "too few operands: expected DEVICE SUBJECT"),
    (["assign", "a", "b", "--kind", "device"], "expected patient or asset"),
    (["ack"], "too few operands: expected ALERT"),
    (["ack", "5f1"], "ALERT: expected an alert's id or at least 4 characters of it"),
    (["silence", "--why", "suction", "--rule", "SpO2*"], "--for: expected how long"),
    (["silence", "--for", "0s", "--why", "suction", "--rule", "SpO2*"], "--for: expected how long"),
    (["silence", "--for", "ever", "--why", "suction", "--rule", "SpO2*"], "--for: expected a duration"),
    (["silence", "--for", "10m", "--rule", "SpO2*"], "--why: expected a reason"),
    (["silence", "--for", "10m", "--why", "suction"], "which alerts? (all of them: --rule '*')"),
    (["silence", "--for", "10m", "--why", "suction", "--priority", "urgent"], "expected high, medium, low or technical"),
    (["silence", "--for", "10m", "--why", "suction", "--labels", "team"], "--labels: expected NAME=VALUE,..."),
    (["silence", "--for", "10m", "--why", "suction", "--labels", "team=a,=b"], "--labels: expected NAME=VALUE,..."),
    (["silence", "--for", "10m", "--why", "suction", "--labels", "team=a,"], "--labels: expected NAME=VALUE,..."),
    (["unsilence"], "too few operands: expected SILENCE"),
    (["set", "stay-1"], "too few operands: expected SUBJECT NAME=VALUE..."),
    (["set", "stay-1", "ward"], "expected NAME=VALUE, such as ward=7 (NAME= takes it away)"),
    (["set", "stay-1", "=7"], "expected NAME=VALUE"),
    (["set", "stay-1", "ward=7", "ward=8"], '"ward" is given twice'),
    (["set", "stay-1", f"{'a' * 24}=7"], "at most 23 characters"),
    (["set", "stay-1", "ward=7", "--kind", "device"], "expected patient or asset"),
    (["verify"], "expected a FILE"),
    (["decode"], "--format is needed"),
    (["decode", "--format", "xml"], "expected senml+json"),
    (["decode", "--format", "json"], "needs --map"),
    (["decode", "--format", "gatt:2A38"], 'got "gatt:2A38": did you mean "gatt:2A'),
    (["decode", "--format", "gatt:2A38"], "gatt:2A37, gatt:2A5E"),
    (["decode", "--format", "bthome", "--key", "k"], "--key and --address go together"),
    (["decode", "--format", "bthome", "--address", "A4:C1:38:00:11:22"], "--key and --address go together"),
    (["decode", "--format", "bthome", "--key", "k", "--address", "A4:C1:38:00:11"], "--address: expected six pairs"),
    (["decode", "--format", "bthome", "--key", "k", "--address", "A4-C1-38-00-11-22"], "--address: expected six pairs"),
    (["decode", "--format", "bthome", "--key", "k", "--address", "A4:C1:38:00:11:2g"], "--address: expected six pairs"),
    (["decode", "--format", "gatt:2A37", "--key", "k", "--address", "A4:C1:38:00:11:22"], "--key is for adverts"),
    (["test-rules"], "too few operands: expected FILE..."),
    (["backtest", "a.csv"], "--csv is needed"),
    (["backtest", "--csv", "a.csv"], "--rules or --print is needed"),
    (["backtest", "--csv", "--rules", "a.yaml"], "too few operands"),
    (["backtest", "--csv", "a.csv", "--rules", ""], "--rules: must not be empty"),
    (["backtest", "--csv", "a.csv", *["--print", "hr"] * 33], "--print: given more than 32 times"),
    (["backtest", "--csv", "a.csv", "-r", "a.yaml", "--interval", "1h"], "--interval needs --print"),
    (["backtest", "--csv", "a.csv", "-r", "a.yaml", "--kind", "device"], "expected patient or asset"),
    (["sim", "--rate", "0"], "--rate: expected a number from"),
    (["sim", "--csv"], "expected at least one FILE"),
    (["sim", "--topic", "ward/+/senml"], "expected {device}"),
    (["sim", "--patients", "2", "--deteriorate", "3"], "only 2 patients"),
    (["init", "--name", ".hidden"], "--name"),
])
def test_wrong_usage_is_explained_with_status_2(arguments, says):
    status, out, err = run(*arguments)
    assert status == 2 and out == ""
    assert says in err


def test_without_a_daemon_it_says_what_to_look_at():
    status, out, err = run("status")
    assert status == 1 and out == ""
    assert "is wardstoned running? (systemctl status wardstoned)" in err


def test_output_that_can_not_be_written_is_a_failure():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program("wardstone"), "help"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert b"can't write the output" in done.stderr


# --- init and check ---

def init(folder):
    return run("init", "--dir", folder / "etc", "--state", folder / "state", "--name", "ward-7")


def test_init_makes_what_the_daemon_needs(folder):
    status, out, err = init(folder)
    assert (status, err) == (0, "")
    for name in ("signing-key", "key-encryption-key"):
        assert stat.S_IMODE((folder / "etc" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "state").stat().st_mode) == 0o700
    label, key = (folder / "etc/key-encryption-key").read_text().split()
    assert label == "wardstone-key-encryption-key-v1" and len(base64.b64decode(key)) == 32
    verifier = (folder / "etc/verifier-key").read_text().strip()
    assert verifier.startswith("ward-7/1+") and verifier in out
    status, out, err = run("check", "--config", folder / "etc/wardstone.yaml")
    assert (status, err) == (0, "")
    assert re.search(r"wardstone\.yaml: \d+ rules in \d+ files, 8 devices: ok\n$", out)


def test_init_never_overwrites(folder):
    init(folder)
    files = [p for p in (folder / "etc").rglob("*") if p.is_file()]
    before = {p: p.read_bytes() for p in files}
    (folder / "etc/devices.yaml").unlink()
    status, out, _ = init(folder)
    assert status == 0
    assert out.count("kept ") == len(files) - 1 and "made     " + str(folder / "etc/devices.yaml") in out
    assert {p: p.read_bytes() for p in files} == before


def test_two_gateways_have_different_keys(folder):
    keys = []
    for name in ("a", "b"):
        (folder / name).mkdir()
        init(folder / name)
        keys.append([(folder / name / "etc" / k).read_text() for k in ("signing-key", "key-encryption-key")])
    assert keys[0][0] != keys[1][0] and keys[0][1] != keys[1][1]


def test_check_names_the_place_of_a_mistake(folder):
    init(folder)
    path = folder / "etc/wardstone.yaml"
    lines = path.read_text().splitlines()
    lines.append("chanis: []")
    path.write_text("\n".join(lines) + "\n")
    status, out, err = run("check", "--config", path)
    assert status == 1 and out == ""
    assert f"wardstone.yaml:{len(lines)}:1: " in err
    assert run("check", "--config", folder / "none.yaml")[0] == 1


# --- decode ---

def test_decode_shows_readings_in_the_gateways_units():
    pack = [{"bt": 1764000000.5, "n": "temp", "u": "[degF]", "v": 98.6}, {"n": "spo2", "u": "/", "v": 0.97},
            {"n": "mood", "v": 1}]
    status, out, err = run("decode", "--format", "senml+json", stdin=json.dumps(pack).encode())
    assert (status, err) == (0, "")
    temp, spo2, mood = rows(out)
    assert temp["vital"] == "temp" and temp["unit"] == "Cel" and temp["value"] == pytest.approx(37)
    assert temp["device_time"] == "2025-11-24T16:00:00.500Z" and temp["flags"] == []
    assert spo2["vital"] == "spo2" and spo2["unit"] == "%" and spo2["value"] == pytest.approx(97)
    assert mood["vital"] is None and mood["problem"] == "unknown_vital" and mood["name"] == "mood"


def test_decode_flags_what_is_implausible():
    status, out, _ = run("decode", "--format", "senml+json", stdin=b'[{"n":"hr","u":"beat/min","v":900}]')
    assert status == 0 and rows(out)[0]["flags"] == ["implausible"]


def test_decode_reads_hexadecimal():
    # [{"n": "hr", "u": "beat/min", "v": 71}] with SenML's numbers for labels
    status, out, _ = run("decode", "--format", "senml+cbor", "--hex",
                         stdin=b"81 A3 00 62 6872 01 68 626561742F6D696E 02 18 47\n")
    assert status == 0
    assert rows(out)[0]["vital"] == "hr" and rows(out)[0]["value"] == 71
    assert run("decode", "--format", "senml+cbor", "--hex", stdin=b"81a")[0] == 1
    assert run("decode", "--format", "senml+cbor", "--hex", stdin=b"8g")[0] == 1


@pytest.mark.parametrize("payload", [b"", b"{", b"[", b'[{"n":"hr","v":1}', b'{"n":"hr"}', b"\xff\xfe", b"[" + b" " * 65536])
def test_decode_refuses_with_status_1_and_a_reason(payload):
    status, out, err = run("decode", "--format", "senml+json", stdin=payload)
    assert status == 1 and out == ""
    assert err.startswith("wardstone decode: ") and err.count("\n") == 1


def test_decode_uses_a_map(folder):
    maps = folder / "maps.yaml"
    maps.write_text("maps:\n  climate:\n    readings:\n      - {pointer: /t, vital: ambient_temp, unit: '[degF]'}\n")
    arguments = ["decode", "--format", "json", "--map-file", maps, "--map"]
    status, out, err = run(*arguments, "climate", stdin=b'{"t": "68"}')
    assert (status, err) == (0, "")
    assert rows(out)[0]["vital"] == "ambient_temp" and rows(out)[0]["value"] == pytest.approx(20)
    status, _, err = run(*arguments, "weather", stdin=b"{}")
    assert status == 1 and 'no map "weather"' in err


def test_decode_reads_characteristics_and_adverts():
    status, out, err = run("decode", "--format", "gatt:2a1c", "--hex", stdin=b"00 6e0100ff")
    assert (status, err) == (0, "") and '"value":36.6,' in out, "a decimal stays one"
    status, out, _ = run("decode", "--format", "gatt:2A37", stdin=b"\x04\x55")
    assert status == 0 and rows(out) == [{"vital": "hr", "value": 85, "unit": "/min", "device_time": None,
                                          "flags": ["sensor_off"], "name": "hr"}]
    status, out, _ = run("decode", "--format", "gatt:2A1C", "--hex", stdin=b"00 ffff7f00")
    assert status == 0 and rows(out)[0]["problem"] == "no_value" and rows(out)[0]["value"] is None
    status, out, err = run("decode", "--format", "gatt:2A37", "--hex", stdin=b"00")
    assert status == 1 and out == "" and err == "wardstone decode: Heart Rate Measurement: the value ends before its last field\n"
    status, out, _ = run("decode", "--format", "svc:FCD2", "--hex", stdin=b"40 0007 2e34")
    assert status == 0 and rows(out)[0]["seq"] == 7
    status, out, err = run("decode", "--format", "adv:0499", "--hex", stdin=b"03")
    assert status == 1 and "data format 3: expected 5" in err


def test_decode_takes_a_bind_key_from_a_file_alone(folder):
    # encrypted with this key for this address
    payload, address = b"41 b799ca24b78bc9d5af11 01000080 d2c20792", "c0:ff:ee:12:34:56"
    key = folder / "bind-key"
    key.write_text("101112131415161718191a1b1c1d1e1f\n")
    key.chmod(0o600)
    arguments = ["decode", "--format", "bthome", "--hex", "--address", address, "--key", key]
    status, out, err = run(*arguments, stdin=payload)
    assert (status, err) == (0, "")
    assert [(row["vital"], row["value"], row["seq"]) for row in rows(out)] == [
        ("battery", 93, 0x80000001), ("ambient_temp", 25.06, 0x80000001), ("humidity", 50.55, 0x80000001)]
    status, _, err = run(*arguments, stdin=b"40 015d")
    assert status == 1 and "not encrypted, though the device has a key" in err
    for text, says in (("1011", "2 bytes: expected 16"), ("x" * 32, "no hexadecimal digit"), ("1" * 300, str(key))):
        key.write_text(text)
        status, out, err = run(*arguments, stdin=payload)
        assert status == 1 and out == "" and says in err and str(key) in err and text not in err
    key.chmod(0o644)
    status, _, err = run(*arguments, stdin=payload)
    assert status == 1 and str(key) in err


# --- what a daemon answers ---

READING = {"index": 7, "subject": "stay-1", "device": "sim-01", "vital": "spo2", "value": 88.5, "unit": "%",
           "time": "2026-11-20T08:15:30.250Z", "time_us": 1795162530250000, "flags": ["late", "weak_signal"]}


def test_readings_as_table_json_and_csv(folder):
    answer = [READING, {"end": True}]
    server = Answers(folder / "a", answer)
    status, out, _ = server.run("readings", "--subject", "stay-1", "--from", "2026-11-20T08:00:00Z", "--newest")
    assert status == 0
    assert server.requests == [{"op": "readings", "subject": "stay-1", "from": "2026-11-20T08:00:00.000Z", "limit": 100,
                                "newest": True}]
    title, line = out.splitlines()
    assert line.split() == ["7", "2026-11-20T08:15:30.250Z", "stay-1", "sim-01", "spo2", "88.5", "%", "late,weak_signal"]
    assert title.index("SUBJECT") == line.index("stay-1") and title.index("FLAGS") == line.index("late")

    status, out, _ = Answers(folder / "b", answer).run("readings", "--json")
    assert status == 0 and rows(out) == [READING]
    status, out, _ = Answers(folder / "c", answer).run("readings", "--csv")
    assert status == 0
    assert out.splitlines()[1] == '7,2026-11-20T08:15:30.250Z,,stay-1,sim-01,spo2,88.5,%,"late,weak_signal",'


def test_a_refusal_is_shown_as_the_daemon_says_it(folder):
    status, out, err = Answers(folder / "a", [{"error": "no such device: x", "code": 2}]).run("assign", "x", "stay-1")
    assert (status, out, err) == (1, "", "wardstone assign: no such device: x\n")


@pytest.mark.parametrize("answer", [b"", b'{"index":1}\n', b'{"index":', b"nonsense\n", b"[1]\n"])
def test_an_answer_that_breaks_off_is_a_failure(folder, answer):
    status, _, err = Answers(folder / "a", answer).run("devices")
    assert status == 1 and "the daemon" in err


def test_nothing_from_outside_steers_the_terminal(folder):
    row = {"time_us": 1, "device": "\x1b[2Jx", "origin": "a\u009b31mb", "reason": "line\r\nbreak\x7f", "payload": ""}
    status, out, _ = Answers(folder / "a", [row, {"end": True}]).run("quarantine")
    assert status == 0
    assert "?[2Jx" in out and "a?31mb" in out and "line??break?" in out
    assert not set(out) & {chr(c) for c in [*range(0, 10), *range(11, 32), *range(127, 160)]}


BOARD = [
    {"subject": "stay-9", "label": "Bed 9", "kind": "patient", "devices": ["sim-09"], "alerts": [],
     "vitals": {"hr": {"value": 71, "unit": "/min", "time_us": 1, "age_s": 2.5, "flags": []},
                "spo2": {"value": 97, "unit": "%", "time_us": 1, "age_s": 130, "flags": []}}},
    {"subject": "stay-10", "label": "Bed 10", "kind": "patient", "devices": [],
     "alerts": [{"rule": "SensorSilent", "priority": "technical", "since_us": 1},
                {"rule": "SpO2Low", "priority": "high", "since_us": 1}],
     "vitals": {"spo2": {"value": 84, "unit": "%", "time_us": 1, "age_s": 0, "flags": ["weak_signal"]}}},
    {"subject": "stay-2", "label": "", "kind": "patient", "devices": [], "alerts": [], "vitals": {}},
]
STATUS = {"name": "ward-7", "version": "0.1.0", "origin": "ward-7/1", "uptime_s": 90061.5, "state": "ok",
          "clock": {"synchronised": False, "boot": 3}, "alerts": {"active": 2, "acknowledged": 1, "silences": 1, "shed": 0},
          "ledger": {"size": 1234, "height": 5, "epoch": 1, "pruned_size": 0, "bytes": 1572864, "open_entries": 0,
                     "checkpoint_size": 1230},
          "sources": [{"name": "local", "kind": "mqtt", "up": False, "reason": "refused", "frames": 3}],
          "verdicts": {"accepted": 1200, "duplicate": 0, "unknown_vital": 4},
          "quarantine": {"count": 4, "limit": 1000, "shed": 0}, "chains": [], "receivers": [], "subjects": 3,
          "devices": 8, "rules": 6, "commits": {"batches": 10, "entries": 1234, "failed": 0}}
END = {"end": True}


def test_top_once_puts_the_worst_first(folder):
    status, out, err = Answers(folder / "a", [*BOARD, END], [STATUS, END]).run("top", "--once")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"ward-7  ok  \S+Z \(unsynchronised\)  2 alerts  3 subjects  1234 en.*", lines[0])
    assert lines[1].split() == ["SUBJECT", "HR", "SpO2"]
    assert lines[2].split() == ["Bed", "10", "-", "84?0s"]
    assert lines[3].startswith("  high: SpO2Low ") and "technical: SensorSilent" in lines[3]
    assert lines[4].split() == ["Bed", "9", "71", "2s", "97", "2m"]
    assert lines[5].split() == ["stay-2", "-", "-"]
    assert all(len(line) <= 80 for line in lines) and "\x1b" not in out


def test_top_puts_what_somebody_takes_care_of_behind(folder):
    alerts = {"taken": [{"rule": "SpO2Low", "priority": "high", "since_us": 1, "state": "acknowledged"}],
              "quiet": [{"rule": "HrHigh", "priority": "medium", "since_us": 1, "state": "active", "silence": "5f1c"}],
              "ended": [{"rule": "RrLow", "priority": "high", "since_us": 1, "state": "acknowledged", "ended": "then"},
                        {"rule": "HrLow", "priority": "low", "since_us": 1, "state": "active"}]}
    board = [{"subject": name, "label": "", "kind": "patient", "devices": [], "vitals": {}, "alerts": rows}
             for name, rows in alerts.items()]
    status, out, _ = Answers(folder / "a", [*board, END], [STATUS, END]).run("top", "--once")
    lines = [re.sub(r" \d+d\b", "", line.rstrip()) for line in out.splitlines()[2:]]
    assert (status, lines) == (0, [
        "ended", "  low: HrLow  high: RrLow (ended, acknowledged)",
        "taken", "  high: SpO2Low (acknowledged)",
        "quiet", "  medium: HrHigh (silenced)"])


ALERT = {"id": "5f1c0a93" * 4, "rule": "SpO2Low", "priority": "high", "state": "acknowledged", "transition": "acknowledged",
         "subject": "stay-1", "label": "Bed 1", "value": 84.5, "since_us": 0, "time_us": 61000000, "who": "uid:1000",
         "note": "repositioned", "labels": {"team": "resp"}, "summary": "SpO2 84.5 %"}


def test_alerts_as_they_are_and_as_they_were(folder):
    status, out, _ = Answers(folder / "a", [ALERT, END]).run("alerts")
    head, line = (re.split(r"  +", text.strip()) for text in out.splitlines())
    assert status == 0 and dict(zip(head, line)) == {
        "ALERT": "5f1c0a93", "SINCE": "1970-01-01T00:00:00.000Z", "PRIORITY": "high", "STATE": "acknowledged",
        "TRANSITION": "acknowledged", "WHO": "uid:1000", "RULE": "SpO2Low", "SUBJECT": "stay-1", "LABEL": "Bed 1",
        "VALUE": "84.5", "SILENCE": "SpO2 84.5 %"}, "nothing is silenced, so the summary comes next"
    server = Answers(folder / "b", [{**ALERT, "transition": "delivered", "receiver": "pager"}, END])
    status, out, _ = server.run("alerts", "--all", "-n", "5")
    assert server.requests == [{"op": "alerts", "all": True, "limit": 5}]
    assert out.split("\n")[1].split() == [
        "1970-01-01T00:01:01.000Z", "5f1c0a93", "high", "delivered", "acknowledged", "uid:1000", "SpO2Low", "stay-1", "84.5",
        "pager", "repositioned", "SpO2", "84.5", "%"]


@pytest.mark.parametrize("state, says", [
    ("acknowledged", "SpO2Low of stay-1: acknowledged\n"),
    ("resolved", "SpO2Low of stay-1: acknowledged, and resolved: its condition had ended before\n"),
])
def test_ack_says_what_became_of_it(folder, state, says):
    server = Answers(folder / "a", [{"alert": ALERT["id"], "rule": "SpO2Low", "subject": "stay-1", "state": state}, END])
    assert server.run("ack", "5f1c", "--note", "repositioned") == (0, says, "")
    assert server.requests == [{"op": "acknowledge", "alert": "5f1c", "note": "repositioned"}]


def test_silences_are_asked_for_and_shown(folder):
    server = Answers(folder / "a", [{"silence": "77", "until": "2026-11-20T12:10:00.000Z", "until_us": 1}, END])
    status, out, _ = server.run("silence", "--for", "10m", "--why", "suction", "--rule", "SpO2*", "--subject", "stay-1",
                                "--label", "Bed 1", "--priority", "low", "--labels", "team=resp")
    assert (status, out) == (0, "silence 77: until 2026-11-20T12:10:00.000Z; to end it before: wardstone unsilence 77\n")
    assert server.requests == [{"op": "silence", "for_us": 600000000, "why": "suction", "rule": "SpO2*",
                                "subject": "stay-1", "label": "Bed 1", "priority": "low", "labels": "team=resp"}]
    silence = {"silence": "77", "rule": "SpO2*", "subject": "stay-1", "label": "", "priorities": ["low", "medium"],
               "labels": "", "from_us": 0, "until_us": 600000000, "who": "uid:0", "why": "suction"}
    assert Answers(folder / "b", [silence, END]).run("silences")[1].splitlines()[1].split() == [
        "77", "1970-01-01T00:10:00.000Z", "SpO2*", "stay-1", "low,medium", "uid:0", "suction"]
    assert Answers(folder / "c", [END]).run("silences") == (0, "", "nothing is silenced\n")
    server = Answers(folder / "d", [{"silence": "77"}, END])
    assert server.run("unsilence", "77") == (0, "silence 77: ended\n", "")
    assert server.requests == [{"op": "unsilence", "silence": "77"}]


def test_subjects_and_what_is_said_of_them(folder):
    subject = {"subject": "stay-1", "label": "Bed 1", "kind": "patient", "devices": ["d1", "d2"],
               "attributes": {"spo2_low": "86", "ward": "7"}}
    assert Answers(folder / "a", [subject, END]).run("subjects")[1].splitlines()[1] == \
        "stay-1   Bed 1  patient  d1,d2    spo2_low=86,ward=7"
    server = Answers(folder / "b", [{"subject": "stay-1", "attributes": subject["attributes"]}, END])
    assert server.run("set", "stay-1", "spo2_low=86", "team=", "--why", "COPD")[1] == "stay-1: spo2_low=86,ward=7\n"
    assert server.requests == [{"op": "set", "subject": "stay-1", "attributes": {"spo2_low": "86", "team": ""},
                                "why": "COPD"}]
    server = Answers(folder / "c", [{"subject": "fridge-1", "attributes": {}}, END])
    assert server.run("set", "fridge-1", "a=", "--kind", "asset") == (0, "fridge-1: no attributes\n", "")
    assert server.requests[0]["kind"] == "asset"


def test_status_fits_one_screen(folder):
    status, out, _ = Answers(folder / "a", [STATUS, END]).run("status")
    assert status == 0
    assert out.startswith("ward-7: ok, up 1d, version 0.1.0, clock not synchronised\n")
    assert "1234 entries, 5 blocks, 1.5 MiB on disk; checkpoint at 1230" in out
    assert "readings:    1200 accepted, 4 unknown_vital\n" in out
    assert "refused" in out


@pytest.mark.parametrize("bad, expected", [(0, 0), (2, 1)])
def test_verify_all_tells_by_its_status(folder, bad, expected):
    result = {"entries": 1234, "blocks": 5, "bad": bad, "first_fault": "entry 7: body hash" if bad else "", "pruned": 0,
              "sealed_bodies_opened": 1200, "erased": 0}
    status, out, _ = Answers(folder / "a", [{"done": 1, "total": 1234}, result, END]).run("verify", "--all")
    assert status == expected
    assert out.startswith("NOT VERIFIED: 1234 entries" if bad else "verified: 1234 entries")
    assert ("entry 7: body hash" in out) == bool(bad)


def test_prove_keeps_a_disclosed_reading_private(folder):
    for name, extra, mode in (("open", [], 0o644), ("closed", ["--disclose"], 0o600)):
        proof = folder / f"{name}.proof"
        server = Answers(folder / name, [{"index": 7, "proof": "the proof\n"}, END])
        status, _, _ = server.run("prove", "7", "-o", proof, *extra)
        assert status == 0 and proof.read_text() == "the proof\n"
        assert stat.S_IMODE(proof.stat().st_mode) == mode
        assert server.requests[0]["disclose"] == bool(extra)


# --- verify, on the vectors of docs/ledger-format.md (a daemon's own proofs are verified where a daemon runs) ---

def vector(name):
    text = (TOP / "docs/ledger-format.md").read_text()
    return re.search(rf"^```text vector={name}\n(.*?)^```", text, re.MULTILINE | re.DOTALL).group(1)


@pytest.fixture
def proven(folder):
    """Paths of the sealed and the disclosed proof, and the arguments that give the key."""
    for name in ("proof", "proof-disclosed", "verifier-key"):
        (folder / name).write_text(vector(name))
    return folder / "proof", folder / "proof-disclosed", ["--key-file", folder / "verifier-key"]


def test_verify_says_what_a_proof_proves(proven):
    sealed, disclosed, key = proven
    status, out, err = run("verify", sealed, *key)
    assert (status, err) == (0, "")
    assert out.startswith(f"{sealed}: verified\n  Entry 2 is a READING") and "of the ledger ward-3.example/1" in out
    assert "sealed and not disclosed" in out
    status, out, err = run("verify", disclosed, "--key", vector("verifier-key").strip())
    assert (status, err) == (0, "")
    assert "The reading: " in out and "not disclosed" not in out


def test_verify_json_holds_the_reading_where_it_is_disclosed(proven):
    sealed, disclosed, key = proven
    one, two = (rows(run("verify", path, *key, "--json")[1])[0] for path in (sealed, disclosed))
    assert one["verified"] and (one["index"], one["type"], one["origin"], one["size"]) == (2, "READING",
                                                                                          "ward-3.example/1", 5)
    assert "reading" not in one
    assert set(two["reading"]) == {"device", "vital", "value", "unit", "time", "device_time", "device_clock", "flags",
                                   "synchronised"}
    assert two["reading"]["device_clock"] is None


def test_verify_refuses_any_change(proven):
    sealed, _, key = proven
    text = sealed.read_text()
    for old, new in (("index 2", "index 3"), ("M3Hn", "M3Ho"), ("\n5\n", "\n6\n"), ("a3rQ", "a3rR"), ("ogFY", "ogFZ"),
                     ("UnS1DZi", "UnS1DZj")):
        assert old in text
        sealed.write_text(text.replace(old, new, 1))
        status, out, err = run("verify", sealed, *key)
        assert status == 1 and out == "" and f"{sealed}: not verified: " in err


def test_verify_refuses_another_key(proven, folder):
    init(folder)
    status, _, err = run("verify", proven[0], "--key-file", folder / "etc/verifier-key")
    assert status == 1 and "not verified" in err


def test_verify_needs_a_proof_and_a_key(proven, folder):
    status, _, err = run("verify", folder / "none", *proven[2])
    assert status == 1 and "No such file" in err
    status, _, err = run("verify", proven[0], "--key", "nonsense")
    assert status == 1 and "verifier key" in err


# --- sim ---

def listen(broker, count):
    """Collects that many messages in the background."""
    process = subprocess.Popen(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", "ward/#",
                                "-C", str(count), "-W", "40", "-F", "%t\t%p", "-i", "listener", "-c"],
                               stdout=subprocess.PIPE, text=True)
    return process


def subscribe(broker):
    """A session that the broker keeps messages for."""
    subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", "ward/#", "-i",
                    "listener", "-c", "-E"], check=True, timeout=40)


def collect(broker, count):
    out, _ = listen(broker, count).communicate(timeout=60)
    return [(topic, json.loads(pack)) for topic, _, pack in (line.partition("\t") for line in out.splitlines())]


def test_sim_publishes_a_ward(broker):
    subscribe(broker)
    status, out, _ = run("sim", "--port", broker.port, "--patients", 3, "--speed", 50, "--duration", "1s", "--deteriorate",
                         2, "--seed", 7)
    assert (status, out) == (0, "150 published, 150 acknowledged\n")
    messages = collect(broker, 150)
    assert {topic for topic, _ in messages} == {f"ward/sim-0{i}/senml" for i in (1, 2, 3)}
    assert {r["n"] for r in messages[0][1]} == {"hr", "spo2", "rr", "temp", "sbp", "dbp"}
    last = {topic: {r["n"]: r["v"] for r in pack} for topic, pack in messages}
    assert last["ward/sim-02/senml"]["spo2"] < 88 < last["ward/sim-01/senml"]["spo2"]


def test_sim_replays_recordings(broker, folder):
    csv = folder / "one.csv"
    csv.write_text("Time [s], HR, PULSE, RESP, SpO2\n0,94,93,25,97\n1,94,NaN,0,\n2,,,,\n3,0,0,0,96\n")
    minutes = folder / "two.csv"
    minutes.write_text("minute,HR [bpm],NBPSys [mmHg],what\n0,80.5,120,1\n")
    subscribe(broker)
    status, out, _ = run("sim", "--port", broker.port, "--csv", csv, minutes, "--speed", 100)
    assert (status, out) == (0, "4 published, 4 acknowledged\n")
    seen = [(topic[5:11], {r["n"]: r["v"] for r in pack}) for topic, pack in collect(broker, 4)]
    assert seen == [("sim-01", {"hr": 94, "pulse": 93, "rr": 25, "spo2": 97}), ("sim-02", {"hr": 80.5, "sbp": 120}),
                    ("sim-01", {"hr": 94}), ("sim-01", {"spo2": 96})]


def test_sim_replays_real_recordings(broker):
    if DATA is None or not (DATA / "bidmc").is_dir():
        pytest.skip("no recordings: WARDSTONE_DATA does not name a folder with bidmc/")
    files = sorted((DATA / "bidmc").glob("*_Numerics.csv"))[:5]
    status, out, _ = run("sim", "--port", broker.port, "--csv", *files, "--speed", 1000)
    published, _, acknowledged = out.partition(" published, ")
    assert status == 0 and acknowledged == f"{published} acknowledged\n" and int(published) > 2000


def test_sim_says_when_there_is_no_broker(folder):
    broker = Broker(folder / "never")
    status, _, err = run("sim", "--port", broker.port, "--duration", "1s")
    assert status == 1 and "no MQTT broker" in err


def test_sim_refuses_a_recording_that_it_can_not_read(folder):
    for text in ("", "a,b\n1,2\n", "Time [s], colour\n0,80\n"):
        (folder / "bad.csv").write_text(text)
        status, _, err = run("sim", "--csv", folder / "bad.csv")
        assert status == 1 and "bad.csv:1: " in err
