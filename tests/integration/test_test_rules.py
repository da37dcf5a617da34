"""test-rules: tests of rules, run in virtual time."""

import re

import pytest

from test_cli_offline import run
from ward import TOP

pytestmark = pytest.mark.short

RULES = """
groups:
  - name: adult
    match: {kind: patient}
    limits: {spo2_low: 90}
    rules:
      - alert: SpO2Low
        expr: spo2 < spo2_low
        for: 10s
        keep_firing_for: 20s
        latch: true
        labels: {priority: high}
        annotations: {summary: "SpO2 {{ value }} % in {{ subject.label }}"}
      - alert: SpO2Silent
        expr: absent(spo2, 30s)
        latch: false
  - name: ward
    match: {kind: patient}
    freshness: {temp: 1h}
    rules:
      - alert: Outbreak
        expr: count(temp > 38 by ward) >= 2
        latch: false
"""

TEST = """
rule_files: [rules.yaml]
tests:
  - name: SpO2 low for 10 s
    subjects: {bed-7: {kind: patient, label: Bed 7}}
    interval: 1s
    series:
      - {vital: spo2, values: "97x30 91x5 88x20 _x5 97x31"}
    acknowledge: [{at: 50s, alert: SpO2Low}]
    alerts:
      - {at: 45s, alert: SpO2Low, state: active, subject: bed-7, summary: "SpO2 88 % in Bed 7"}
      - {at: 50s, alert: SpO2Low, state: acknowledged}
      - {at: 1m20s, alert: SpO2Low, state: resolved}
    expect:
      - {at: 30s, expr: "mean(spo2, 10s)", value: 96.4, within: 0.01}
      - {at: 20s, expr: spo2 < 90, value: false}
      - {at: 20s, expr: hr, value: unknown}
"""


@pytest.fixture
def check(folder):
    """Runs one file of tests against RULES."""
    (folder / "rules.yaml").write_text(RULES)

    def check(text):
        (folder / "tests.yaml").write_text(text)
        return run("test-rules", folder / "tests.yaml")
    return check


def one(*lines):
    return "rule_files: [rules.yaml]\ntests:\n  - name: it\n" + "".join(f"    {line}\n" for line in lines)


def test_what_comes_as_expected_passes(check, folder):
    assert check(TEST) == (0, f"ok     {folder}/tests.yaml:4: SpO2 low for 10 s\n1 passed, 0 failed\n", "")


@pytest.mark.parametrize("old, new, says", [
    ("at: 45s", "at: 44s", "! 44s SpO2Low active bed-7 | 45s SpO2Low active bed-7 <- another time"),
    ("88 % in", "89 % in", "expected summary: SpO2 89 % in Bed 7 actual summary: SpO2 88 % in Bed 7"),
    ("      - {at: 1m20s, alert: SpO2Low, state: resolved}\n", "",
     "! - | 1m20s SpO2Low resolved bed-7 <- not expected"),
    ("state: resolved}", "state: resolved}\n      - {at: 1m25s, alert: SpO2Silent, state: active}",
     "! 1m25s SpO2Silent active | - <- missing"),
    ("subject: bed-7, ", "subject: bed-8, ", "! 45s SpO2Low active bed-8 | - <- missing"),
    ("at: 50s, alert: SpO2Low}", "at: 40s, alert: SpO2Low}", "40s: nothing to acknowledge: SpO2Low is not active"),
    ("value: 96.4", "value: 96.5", "30s: mean(spo2, 10s) is 96.4"),
    ("value: unknown", "value: 0", "20s: hr is unknown, expected 0"),
    ("value: false", "value: true", "20s: spo2 < 90 is 0, expected 1"),
    ("88x20", "88x9 91 88x10", "<- missing"),
])
def test_what_differs_is_shown(check, old, new, says):
    assert old in TEST
    status, out, err = check(TEST.replace(old, new, 1))
    assert (status, err) == (1, "")
    assert out.startswith("FAILED ") and out.endswith("0 passed, 1 failed\n")
    assert says in " ".join(out.split())


def test_nothing_is_expected_where_nothing_is_said(check):
    assert check(one("series: [{vital: spo2, values: '97x60'}]"))[0] == 0
    status, out, _ = check(one("series: [{vital: spo2, values: '80x60'}]"))
    assert status == 1 and "SpO2Low active patient  <- not expected" in out


def test_latched_and_raised_again(check):
    status, out, err = check(one("series: [{vital: spo2, values: '88x15 97x65 88x15 97x15'}]",
                                 "acknowledge: [{at: 90s, alert: SpO2Low}]", "alerts:",
                                 "  - {at: 10s, alert: SpO2Low, state: active}",
                                 "  - {at: 35s, alert: SpO2Low, state: latched}",
                                 "  - {at: 80s, alert: SpO2Low, state: reraised}",
                                 "  - {at: 90s, alert: SpO2Low, state: acknowledged}"))
    assert (status, err) == (0, ""), out


def test_a_test_goes_on_until_the_last_thing_that_it_names(check):
    silent = ["series: [{vital: spo2, values: 97x10}]", "alerts: [{at: 39s, alert: SpO2Silent, state: active}]"]
    assert check(one(*silent))[0] == 0
    assert check(one(silent[0]))[0] == 0  # ends at 9 s


def test_attributes_change_limits(check):
    series = "series: [{vital: spo2, values: 88x40}]"
    raised = "alerts: [{at: 10s, alert: SpO2Low, state: active}]"
    status, out, _ = check(one(series, raised))
    assert status == 0, out
    assert check(one(series, "subjects: {a: {attributes: {spo2_low: 86}}}"))[0] == 0
    status, out, _ = check(one(series, "set: [{at: 5s, attributes: {spo2_low: 86}}]"))
    assert status == 0, out
    status, out, _ = check(one(series, "set: [{at: 5s, attributes: {spo2_low: 86}}, {at: 20s, attributes: {spo2_low: ''}}]",
                               raised.replace("10s", "30s")))
    assert status == 0, out


def test_rules_across_subjects(check):
    status, out, err = check(one(
        "interval: 1m", "subjects:", *(f"  p{i}: {{attributes: {{ward: {i // 2}}}}}" for i in range(4)), "series:",
        "  - {subject: p0, vital: temp, values: 37+1x2}", "  - {subject: p1, vital: temp, values: 37 37 37 39}",
        "  - {subject: p2, vital: temp, values: 39}",
        "alerts: [{at: 3m, alert: Outbreak, state: active, subject: 'group:ward:0'}]"))
    assert (status, err) == (0, ""), out


def test_several_files_and_their_sum(check, folder):
    check(TEST)
    (folder / "more.yaml").write_text(TEST.replace("45s", "46s") + TEST.split("tests:\n")[1])
    status, out, err = run("test-rules", folder / "tests.yaml", folder / "more.yaml", folder / "none.yaml")
    assert status == 1
    assert [line.split()[0] for line in out.splitlines() if line[0] not in " "] == ["ok", "FAILED", "ok", "2"]
    assert out.endswith("2 passed, 2 failed\n") and "none.yaml: No such file" in err


@pytest.mark.parametrize("lines, place, says", [
    (["series: [{vital: spo2, values: 97x30 88x}]"], "4:44", "expected a value (97), a repetition"),
    (["series: [{vital: sp02, values: 97}]"], "4:22", "did you mean 'spo2'"),
    (["series: [{vital: spo2, values: [97]}]"], "4:36", "expected a text"),
    (["series: []", "alerts: [{at: 1s, alert: SpO2Lwo, state: active}]"], "5:30", "did you mean 'SpO2Low'"),
    (["series: []", "alerts: [{at: 1s, alert: SpO2Low, state: raised}]"], "5:46", "expected one of: active, resolved"),
    (["series: []", "alerts: [{at: soon, alert: SpO2Low, state: active}]"], "5:19", "expected a duration"),
    (["series: []", "alerts: [{at: 1s, alert: SpO2Low}]"], "5:14", "key 'state' is missing"),
    (["series: []", "expect: [{at: 1s, expr: 'mean(spo2)', value: 1}]"], "5:29", "expr: "),
    (["series: []", "expect: [{at: 1s, expr: spo2, value: high}]"], "5:42", "expected a number, true, false or unknown"),
    (["subjects: {a b: {}}", "series: []"], "4:16", "subject 'a b'"),
    (["subjects: {a: {}, b: {}}", "series: [{vital: spo2, values: 97}]"], "5:14", "key 'subject' is missing"),
    (["subjects: {a: {}}", "series: [{subject: b, vital: spo2, values: 97}]"], "5:24", "unknown subject 'b'"),
    (["subjects: {a: {attributes: {Low: 1}}}", "series: []"], "4:33", "attribute 'Low'"),
    (["serie: []"], "4:5", "did you mean 'series'"),
    (["interval: 0s", "series: []"], "4:15", "expected a duration from"),
])
def test_mistakes_have_their_place(check, folder, lines, place, says):
    status, out, err = check(one(*lines))
    assert (status, out) == (1, "0 passed, 1 failed\n")
    assert err.startswith(f"{folder}/tests.yaml:{place}: ") and says in err
    line, caret = err.splitlines()[1:3]
    assert caret.index("^") == 7 + int(place.split(":")[1]) and line[8:] == "    " + lines[int(place.split(":")[0]) - 4]


def test_mistakes_of_the_rules_are_shown_too(check, folder):
    (folder / "rules.yaml").write_text(RULES.replace("spo2 < spo2_low", "spo2 < spo2_lwo"))
    status, _, err = run("test-rules", folder / "tests.yaml")
    assert status == 1
    check(TEST)
    status, _, err = run("test-rules", folder / "tests.yaml")
    assert status == 1 and err.startswith(f"{folder}/rules.yaml:8:22: ") and "^" in err
    assert "did you mean 'spo2_low'" in err


def test_the_example_of_the_documentation(folder):
    page = (TOP / "docs/rules.md").read_text()
    rules = re.search(r"```yaml\n(groups:.*?)```", page, re.DOTALL).group(1)
    section = page.split("## Testing rules")[1]
    example = re.search(r"```yaml\n(rule_files:.*?)```", section, re.DOTALL).group(1)
    failed = re.search(r"```\n(FAILED .*?)```", section, re.DOTALL).group(1)
    (folder / "ward.yaml").write_text(rules)
    (folder / "tests.yaml").write_text(example)
    assert run("test-rules", folder / "tests.yaml")[0] == 0
    other = example.replace("45s", "44s").replace("      - {at: 1m30s, alert: SpO2Low, state: resolved}\n", "")
    (folder / "tests.yaml").write_text(other)
    assert run("test-rules", folder / "tests.yaml")[1] == failed.replace("tests.yaml", f"{folder}/tests.yaml")
