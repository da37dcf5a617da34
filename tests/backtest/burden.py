#!/usr/bin/python3
"""The alarm burden of rules on public recordings, as the Markdown tables of docs/backtest.md.

    burden.py [--rules PATH]... [--wardstone PROGRAM] [--update FILE]

Recordings are those of WARDSTONE_DATA (bidmc, sepsis2019B). Without --rules, the default rules of configs/rules.d. --update
writes the tables between the lines `<!-- burden -->` and `<!-- /burden -->` of a document."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
ACKNOWLEDGE = "5m"  # after which somebody acknowledges an alert
RECORDINGS = (
    ("bidmc", "*.csv", "BIDMC: one value a second, 8 minutes each", []),
    ("sepsis2019B", "*.psv", "Challenge 2019, set B: one value an hour", ["--label", "SepsisLabel", "--horizon", "12h"]),
)
PRIORITIES = ("high", "medium", "low", "technical")


def replay(program, rules, files, *arguments):
    """({rule: row}, total) of one replay."""
    command = [program, "backtest", "--json", "--quiet", "--acknowledge-after", ACKNOWLEDGE, *arguments]
    command += [a for path in rules for a in ("--rules", path)] + ["--csv", *files]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {r["rule"]: r for r in rows if r["type"] == "rule"}, rows[-1]


def rate(v):
    return "-" if v is None else f"{v:.0f}" if v >= 10 else f"{v:.1f}" if v >= 1 else f"{v:.2f}" if v > 0 else "0"


def share(v):
    return "-" if v is None else f"{100 * v:.0f} %"


def duration(seconds):
    if seconds is None:
        return "-"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def table(titles, lines):
    yield "| " + " | ".join(titles) + " |"
    yield "|---|" + "---:|" * (len(titles) - 1)
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def per_day(total, priority):
    return rate(total[priority] / total["days"])


def tables(program, rules, files, title, labels):
    tuned, tuned_total = replay(program, rules, files, *labels)
    raw, raw_total = replay(program, rules, files, "--without-holdoff", *labels)
    yield f"### {title}"
    yield ""
    yield f"{tuned_total['subjects']} recordings, {tuned_total['days']:.{0 if tuned_total['days'] >= 10 else 2}f} days."
    yield ""
    yield from table(
        ["alerts a patient-day", "as they are", "without hold-off"],
        [[p, per_day(tuned_total, p), per_day(raw_total, p)] for p in PRIORITIES] +
        [["**all**", f"**{rate(tuned_total['per_day'])}**", f"**{rate(raw_total['per_day'])}**"]])
    yield ""
    titles = ["rule", "a day", "without hold-off", "median", "90 %"]
    if labels:
        titles += ["found", "lead", "false", "false a day"]
    lines = []
    for name, row in tuned.items():
        if row["raised"] == raw[name]["raised"] == 0:
            continue
        line = [name, rate(row["per_day"]), rate(raw[name]["per_day"]), duration(row["median_s"]), duration(row["p90_s"])]
        if labels:
            line += [share(row["sensitivity"]), duration(row["lead_s"]), share(row["false_alarm_rate"]),
                     rate(row["false_per_day"])]
        lines.append(line)
    yield from table(titles, lines)
    quiet = [name for name, row in tuned.items() if row["raised"] == raw[name]["raised"] == 0]
    if quiet:
        yield ""
        yield f"Never raised: {', '.join(quiet)}."
    if labels:
        yield ""
        yield (f"{tuned_total['labelled']} of the {tuned_total['subjects']} stays came to sepsis. All rules but technical ones "
               f"together found {share(tuned_total['sensitivity'])} of them, {duration(tuned_total['lead_s'])} before the label "
               f"(median), and raised an alert in {share(tuned_total['false_alarm_rate'])} of the others, "
               f"{rate(tuned_total['false_per_day'])} a day.")
    yield ""


def update(path, text):
    begin, end = "<!-- burden -->\n", "<!-- /burden -->"
    before, found, rest = path.read_text().partition(begin)
    _, also, after = rest.partition(end)
    if not found or not also:
        sys.exit(f"{path} has no lines {begin.strip()} and {end}")
    path.write_text(before + begin + text + end + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", action="append", metavar="PATH")
    parser.add_argument("--wardstone", default="wardstone", metavar="PROGRAM")
    parser.add_argument("--update", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rules = arguments.rules or [TOP / "configs/rules.d"]
    data = Path(os.environ.get("WARDSTONE_DATA", ""))
    if not os.environ.get("WARDSTONE_DATA") or not (data / "bidmc").is_dir():
        sys.exit("WARDSTONE_DATA is not set to a folder with the recordings")
    lines = []
    for folder, pattern, title, labels in RECORDINGS:
        lines += tables(arguments.wardstone, rules, sorted((data / folder).glob(pattern)), title, labels)
    text = "\n".join(lines) + "\n"
    if arguments.update:
        update(arguments.update, text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
