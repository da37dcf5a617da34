"""backtest: recordings replayed through rules in virtual time."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest

from test_cli_offline import rows, run
from ward import DATA, TOP, program

sys.path.insert(0, str(TOP / "tests/backtest"))
import news2  # noqa: E402

pytestmark = pytest.mark.short

RULES = """
groups:
  - name: g
    freshness: {temp: 2h, sbp: 2h}
    rules:
      - alert: Low
        expr: spo2 < 90
        for: 10s
        keep_firing_for: 20s
        latch: false
        labels: {priority: high}
        annotations: {summary: "SpO2 {{ value }} % in {{ subject.label }}"}
      - {alert: Hot, expr: temp > 39, latch: true, reraise_after: never, labels: {priority: medium}}
      - {alert: Never, expr: hr > 300, labels: {priority: low}}
"""


def recording(values, title="spo2", start=0, step=1):
    return f"time,{title}\n" + "".join(f"{start + step * i},{v}\n" for i, v in enumerate(values))


@pytest.fixture
def replay(folder):
    """Writes recordings and replays them."""
    (folder / "rules.yaml").write_text(RULES)

    def replay(*arguments, **recordings):
        for name, text in recordings.items():
            (folder / f"{name}.csv").write_text(text)
        return run("backtest", "--csv", *[folder / f"{name}.csv" for name in recordings], "--rules",
                   folder / "rules.yaml", *arguments)
    return replay


def test_what_people_see(replay):
    bed = recording([97] * 30 + [88] * 30 + [97] * 60)
    status, out, err = replay(bed_7=bed)
    assert (status, err) == (0, "")
    raised, resolved, measured, _, titles, low, hot, never, _, total = out.splitlines()
    assert raised.split(None, 4) == ["40s", "bed_7", "raised", "high", "Low: SpO2 88 % in bed_7"]
    assert resolved.split(None, 4)[:4] == ["1m20s", "bed_7", "resolved", "high"]
    assert measured == "1 recording, 0.00 monitored days; values: spo2 120"
    assert titles.split() == ["RULE", "PRIORITY", "RAISED", "AGAIN", "PER", "DAY", "MEDIAN", "P90"]
    assert low.split() == ["Low", "high", "1", "0", "720", "40s", "40s"]  # in two minutes
    assert never.split() == ["Never", "low", "0", "0", "0", "-", "-"]
    assert total == "1 alerts, 720 a monitored day: high 1, medium 0, low 0, technical 0"
    assert replay("--quiet", bed_7=bed)[1].splitlines()[0] == measured


def test_what_programs_read(replay):
    status, out, err = replay("--json", bed_7=recording([97] * 30 + [88] * 30 + [97] * 60))
    assert (status, err) == (0, "")
    raised, resolved, low, hot, never, total = rows(out)
    assert raised == {"type": "event", "time": "40s", "time_s": 40, "subject": "bed_7", "transition": "raised",
                      "priority": "high", "rule": "Low", "summary": "SpO2 88 % in bed_7", "value": 88}
    assert (resolved["time_s"], resolved["transition"]) == (80, "resolved")
    assert low == {"type": "rule", "rule": "Low", "priority": "high", "raised": 1, "again": 0, "per_day": 720,
                   "median_s": 40, "p90_s": 40}
    assert (never["raised"], never["median_s"]) == (0, None)
    assert total["values"] == {"spo2": 120} and total["days"] == pytest.approx(120 / 86400)
    assert (total["subjects"], total["raised"], total["high"], total["technical"]) == (1, 1, 1, 0)


def events(out, kind="event"):
    return [r for r in rows(out) if r["type"] == kind]


def timeline(out):
    return [(e["time_s"], e["rule"], e["transition"]) for e in events(out)]


def test_without_holdoff_each_dip_counts(replay):
    flapping = recording([97, 88, 88, 97] * 5)
    assert timeline(replay("--json", a=flapping)[1]) == []
    out = replay("--json", "--without-holdoff", a=flapping)[1]
    assert timeline(out) == [(4 * i + t, "Low", what) for i in range(5) for t, what in ((1, "raised"), (3, "resolved"))]


def test_somebody_acknowledges(replay):
    hot = recording([39.5] * 3 + [37] * 5, "temp", step=600)
    assert [t for *_, t in timeline(replay("--json", a=hot)[1])] == ["raised", "latched"]
    out = replay("--json", "--acknowledge-after", "5m", a=hot)[1]
    assert timeline(out) == [(0, "Hot", "raised"), (300, "Hot", "acknowledged"), (1800, "Hot", "resolved")]


def test_each_recording_is_a_ward_of_its_own(replay):
    low = recording([88] * 15)
    status, out, _ = replay("--json", a=low, b=low)
    assert [(e["subject"], e["time_s"]) for e in events(out)] == [("a", 10), ("b", 10)]
    assert events(out, "total")[0]["subjects"] == 2


def test_dates_stay_dates(replay):
    text = "timestamp,spo2\n" + "".join(f"2026-11-20T08:15:{s:02}Z,88\n" for s in range(20))
    assert events(replay("--json", a=text)[1])[0]["time"] == "2026-11-20T08:15:10.000Z"


def test_what_the_gateway_exports_can_be_replayed(replay):
    text = ("index,time,device_time_us,subject,device,vital,value,unit,flags,seq\r\n" +
            "".join(f'{s},2026-11-20T08:15:{s:02}.000Z,,stay-1,d1,spo2,88,%,,\r\n' for s in range(20)))
    assert [t for *_, t in timeline(replay("--json", a=text)[1])] == ["raised"]


# --- labels ---

def labelled(hot_hours, label_from, hours=24):
    lines = ["hour,temp,Sepsis"]
    for h in range(hours):
        lines.append(f"{h},{39.5 if h in hot_hours else 37},{int(label_from is not None and h >= label_from)}")
    return "\n".join(lines) + "\n"


def test_labels_tell_whom_rules_find(replay):
    cases = {
        "found_4h_before": labelled({16, 17}, 20),
        "found_2h_late": labelled({22}, 20),
        "too_early": labelled({1}, 20),
        "missed": labelled(set(), 20),
        "false_alarm": labelled({3, 10}, None),
        "quiet": labelled(set(), None),
    }
    arguments = ["--label", "Sepsis", "--horizon", "6h", "--acknowledge-after", "10m"]
    status, out, err = replay("--json", *arguments, **cases)
    assert (status, err) == (0, "")
    low, hot, never, total = [r for r in rows(out) if r["type"] != "event"]
    assert (hot["found"], hot["sensitivity"], hot["lead_s"]) == (2, 0.5, 3600)  # between 4 h before and 2 h after
    assert (hot["alarmed"], hot["false_alarm_rate"], hot["false_per_day"]) == (1, 0.5, pytest.approx(1))
    assert (low["found"], low["sensitivity"], low["lead_s"], low["alarmed"]) == (0, 0, None, 0)
    assert (total["labelled"], total["subjects"], total["sensitivity"]) == (4, 6, 0.5)
    out = replay("--quiet", *arguments, **cases)[1]
    assert out.splitlines()[4].split() == ["Hot", "medium", "5", "0", "0.83", "1h", "1h36m", "50", "%", "1h", "50", "%",
                                           "1.0"]
    assert out.splitlines()[-1] == ("Sepsis: 4 of 6 recordings; any rule but technical ones found 50 % of them, 1h before "
                                    "(median), and alarmed for 50 % of the others, 1.0 times a day")


# --- expressions ---

def values(out):
    return [(r["time_s"], r["expression"], r["value"]) for r in events(out, "value")]


def test_expressions_are_printed_when_they_change(replay):
    out = replay("--json", "--print", "spo2 < 90", "--print", "max(spo2, 3s)", a=recording([97, 97, 88, 88, 88, 88]))[1]
    assert values(out) == [(0, "spo2 < 90", 0), (0, "max(spo2, 3s)", 97), (2, "spo2 < 90", 1), (4, "max(spo2, 3s)", 88)]
    assert "2s        a  spo2 < 90 = 1\n" in replay("-p", "spo2 < 90", a=recording([97, 97, 88]))[1]


def test_or_at_each_interval(replay):
    out = replay("--json", "--print", "spo2", "--interval", "30s", a="time,spo2\n0,97\n1,96\n45,90\n200,91\n")[1]
    assert values(out) == [(0, "spo2", 97), (30, "spo2", 96), (60, "spo2", 90), (90, "spo2", 90), (120, "spo2", None),
                           (150, "spo2", None), (180, "spo2", None)]


def test_expressions_are_those_of_the_last_group(replay):
    hourly = recording([37, 38], "temp", step=3600)
    out = replay("--json", "--print", "temp", "--interval", "30m", a=hourly)[1]
    assert [v for *_, v in values(out)] == [37, 37, 38]  # fresh for two hours, not for a minute


# --- what goes wrong ---

@pytest.mark.parametrize("text, says", [
    ("time,spo2\n1,97\n2,high\n", "a.csv:3: 'high': expected a number for spo2"),
    ("spo2\n97\n", "a.csv:1: no column is the time"),
    ("", "a.csv:1: expected a header line"),
])
def test_mistakes_of_recordings(replay, text, says):
    status, _, err = replay(a=text)
    assert status == 1 and says in err


def test_mistakes_of_the_question(replay, folder):
    status, _, err = replay("--print", "mean(spo2)", a=recording([97]))
    assert status == 1 and err.startswith('wardstone backtest: --print "mean(spo2)": ')
    status, _, err = run("backtest", "--csv", folder / "none.csv", "--rules", folder / "rules.yaml")
    assert status == 1 and "none.csv: No such file" in err
    (folder / "rules.yaml").write_text(RULES.replace("spo2 < 90", "sp02 < 90"))
    status, _, err = replay(a=recording([97]))
    assert status == 1 and f"{folder}/rules.yaml:7:15: " in err and "^" in err


def test_what_is_not_measured_is_no_value(replay):
    out = replay("--json", a=recording([97, 0, "", "NaN", 130, 97]))[1]
    total = events(out, "total")[0]
    assert total["values"] == {"spo2": 3} and total["implausible"] == 1


def test_a_map_says_which_column_is_what(replay, folder):
    (folder / "map.yaml").write_text("time: {column: t, unit: min}\ncolumns:\n  - {column: T, vital: temp, unit: degF}\n")
    out = replay("--json", "--map", folder / "map.yaml", a="t,T\n0,98.6\n1,104\n")[1]
    assert timeline(out) == [(60, "Hot", "raised")]


def test_memory_does_not_grow_with_the_recording(replay, folder):
    def peak(seconds):
        with open(folder / "long.csv", "w") as f:
            f.write("time,spo2,hr\n")
            f.writelines(f"{s},{88 if s // 60 % 2 else 97},70\n" for s in range(seconds))
        with open(os.devnull, "w") as null:
            process = subprocess.Popen([program("wardstone"), "backtest", "--quiet", "--csv", folder / "long.csv", "--rules",
                                        folder / "rules.yaml", "-p", "median(hr, 10m) > 100"], stdout=null, stderr=null)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
        assert status == 0
        return usage.ru_maxrss
    replay(a=recording([97]))
    short, long = peak(2_000), peak(400_000)
    assert long - short < 2048, (short, long)  # KiB


# --- recordings of patients ---

needs_data = pytest.mark.skipif(DATA is None or not (DATA / "bidmc").is_dir(), reason="WARDSTONE_DATA is not there")


def without_progress(err):
    """What a long run says of its progress comes after five seconds: on a busy machine, or not at all."""
    return re.sub(r"^\d+ of \d+ [a-z]+, \d+ %, \d+/s, \S+ left\n", "", err, flags=re.M)


@needs_data
def test_episodes_of_real_monitors_are_those_that_one_counts_by_hand(folder):
    (folder / "rules.yaml").write_text(
        "groups:\n  - name: g\n    rules:\n      - {alert: Low, expr: spo2 <= 92, latch: false}\n"
        "      - {alert: Slow, expr: rr <= 10, latch: false}\n")
    files = sorted((DATA / "bidmc").glob("*.csv"))
    expected = []
    for file in files:
        with open(file, newline="") as f:
            lines = csv.DictReader(f, skipinitialspace=True)
            was = {}
            for line in lines:
                for rule, column, limit in (("Slow", "RESP", 10), ("Low", "SpO2", 92)):
                    if line[column] in ("", "0", "NaN"):
                        continue
                    now = float(line[column]) <= limit
                    if now != was.get(rule, False):
                        expected.append((file.stem, float(line["Time [s]"]), rule, "raised" if now else "resolved"))
                    was[rule] = now
    status, out, err = run("backtest", "--json", "--csv", *files, "--rules", folder / "rules.yaml")
    assert (status, err) == (0, "")
    got = [(e["subject"], e["time_s"], e["rule"], e["transition"]) for e in events(out)]
    assert len(expected) > 50 and sorted(got) == sorted(expected)


NEWS2_RULES = """
groups:
  - name: news2
    freshness: {rr: 4h, spo2: 4h, sbp: 4h, hr: 4h, temp: 4h}
    assume: {acvpu: 0, o2: 0}
    rules:
      - {alert: Emergency, expr: news2() >= 7, latch: false}
"""


@needs_data
def test_news2_agrees_with_the_chart_on_all_stays(folder):
    (folder / "rules.yaml").write_text(NEWS2_RULES)
    files = sorted((DATA / "sepsis2019B").glob("*.psv"))
    assert len(files) == 240
    expressions = {"news2()": news2.total, "news2_any()": news2.largest,
                   **{f"news2_{p}()": (lambda parts, p=p: parts[p]) for p in news2.PARTS}}
    prints = [a for e in expressions for a in ("--print", e)]
    status, out, err = run("backtest", "--json", "--quiet", "--csv", *files, "--rules", folder / "rules.yaml", "--interval",
                           "1h", *prints)
    assert (status, without_progress(err)) == (0, "")
    got = {(r["subject"], r["time_s"] / 3600, r["expression"]): r["value"] for r in events(out, "value")}
    expected, halves, totals = {}, 0, 0
    for file in files:
        for hour, parts, half in news2.stay(file, 4):
            expected |= {(file.stem, hour, e): of(parts) for e, of in expressions.items()}
            halves += half
            totals += news2.total(parts) is not None
    wrong = [(key, got.get(key), value) for key, value in expected.items() if got.get(key, -1) != value]
    assert wrong == [] and len(got) == len(expected)
    assert totals > 5000 and halves > 100, (totals, halves)


@needs_data
@pytest.mark.parametrize("pattern", ["bidmc/*.csv", "sepsis2019B/*.psv", "challenge2012a/*.txt", "wfdb-numerics/*.csv"])
def test_formats_of_public_recordings_are_known(pattern):
    files = sorted(DATA.glob(pattern))
    assert files
    if pattern.startswith("challenge"):
        files = [f for f in files if f.stem.isdigit()]
    status, out, err = run("backtest", "--json", "--quiet", "--csv", *files, "--rules", TOP / "configs/rules.d")
    assert (status, without_progress(err)) == (0, "")
    total = rows(out)[-1]
    assert total["subjects"] == len(files) and total["values"]["hr"] > 40 and total["days"] > 0


@needs_data
def test_the_tables_of_the_documentation_can_be_made(folder):
    document = folder / "backtest.md"
    document.write_text((TOP / "docs/backtest.md").read_text())
    done = subprocess.run([TOP / "tests/backtest/burden.py", "--wardstone", program("wardstone"), "--update", document],
                          env={**os.environ, "WARDSTONE_DATA": str(DATA)}, capture_output=True, text=True, timeout=120)
    assert (done.returncode, without_progress(done.stderr)) == (0, "")
    before, tables, after = re.split("<!-- /?burden -->\n", document.read_text())
    assert before.endswith("\n\n") and "Sources:" in after
    assert "31 recordings, 0.17 days." in tables and "240 recordings, 465 days." in tables
    assert tables.count("| **all** |") == 2 and "80 of the 240 stays came to sepsis." in tables
