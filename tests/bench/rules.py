"""`tools/bench rules`: instructions that a reading takes in rules and alerts, by callgrind, and memory a subject.

Instructions do not wobble: one run is enough, on a busy machine too. What a figure means stands in docs/benchmarks.md."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/integration"))

from ward import program  # noqa: E402

SUBJECTS = (1, 50, 500)
# What is printed above each table, and the numbers of rules.
SETS = {
    "one": ("one rule uses the vital of the reading, the others use 14 other vitals", (1, 20, 300)),
    "spread": ("the rules are spread over 15 vitals", (1, 20, 300)),
    "all": ("all rules use the vital of the reading", (1, 20, 300)),
    "windows": ("mean, min, max, stddev, zscore and median over 1m and 10m in turn", (12, 300)),
}


def measure(set_, rules, subjects):
    with tempfile.TemporaryDirectory(prefix="ward-bench-") as folder:
        out = Path(folder) / "callgrind.out"
        r = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=drive*", f"--callgrind-out-file={out}",
             program("bench-rules"), set_, str(rules), str(subjects)],
            capture_output=True, text=True, timeout=1200)
        assert r.returncode == 0, r.stderr
        result = json.loads(r.stdout)
        instructions = int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M).group(1))
    assert instructions > 0 and result["events"] == 0
    return {
        "set": set_, "rules": rules, "subjects": subjects,
        "instructions_per_reading": instructions / result["readings"],
        "outcomes_per_reading": result["outcomes"] / result["readings"],
        "bytes_per_subject": result["memory"] / subjects,
    }


def show(cells, subjects):
    print("Instructions a reading (times those of one rule and one subject), by rules and subjects")
    for set_, (text, counts) in SETS.items():
        print(f"\n{set_}: {text}")
        print(f"{'rules':>6} {'evaluated':>10}" + "".join(f"{n:>14} subj." for n in subjects) + f"{'bytes a subject':>18}")
        for rules in counts:
            row = [c for c in cells if c["set"] == set_ and c["rules"] == rules]
            if row:
                print(f"{rules:>6} {row[-1]['outcomes_per_reading']:>10.1f}" +
                      "".join(f"{c['instructions_per_reading']:>10,.0f} {'(%.2f)' % c['ratio']:>9}" for c in row) +
                      f"{row[-1]['bytes_per_subject']:>18,.0f}")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench rules", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="without the largest numbers of subjects")
    options = parser.parse_args()
    subjects = SUBJECTS[:-1] if options.quick else SUBJECTS
    wanted = [(s, rules, n) for s, (_, counts) in SETS.items() for rules in counts for n in subjects]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        cells = list(pool.map(lambda w: measure(*w), wanted))
    for c in cells:
        c["ratio"] = c["instructions_per_reading"] / cells[0]["instructions_per_reading"]
    if options.json:
        print(json.dumps({"cells": cells}))
    else:
        show(cells, subjects)


if __name__ == "__main__":
    main()
