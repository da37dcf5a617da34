#!/usr/bin/python3
"""NEWS2 by hand: what the chart says of hourly recordings, written from the chart alone and as plainly as possible, to be
compared with what the gateway says of them.

National Early Warning Score (NEWS) 2. Royal College of Physicians, London 2017, chart 1. Values between two steps of the
chart are rounded to the nearest, a half upwards. Consciousness is taken as alert and breathing as on air: the recordings
say neither.

    news2.py FILE.psv...     prints hour, total and parts of each stay
"""

import csv
import sys
from decimal import ROUND_FLOOR, Decimal

PARTS = ("rr", "spo2", "o2", "sbp", "pulse", "acvpu", "temp")
COLUMNS = {"Resp": "rr", "O2Sat": "spo2", "SBP": "sbp", "HR": "pulse", "Temp": "temp"}

# (lowest, highest, score), both ends included
CHART = {
    "rr": [(0, 8, 3), (9, 11, 1), (12, 20, 0), (21, 24, 2), (25, 999, 3)],
    "spo2": [(0, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)],
    "sbp": [(0, 90, 3), (91, 100, 2), (101, 110, 1), (111, 219, 0), (220, 999, 3)],
    "pulse": [(0, 40, 3), (41, 50, 1), (51, 90, 0), (91, 110, 1), (111, 130, 2), (131, 999, 3)],
    "temp": [("0.0", "35.0", 3), ("35.1", "36.0", 1), ("36.1", "38.0", 0), ("38.1", "39.0", 1), ("39.1", "99.9", 2)],
}


def charted(part, value):
    """As somebody would write it down: whole numbers, temperature in tenths."""
    step = Decimal("0.1") if part == "temp" else Decimal(1)
    return (value / step + Decimal("0.5")).to_integral_value(ROUND_FLOOR) * step


def score(part, value):
    written = charted(part, value)
    for low, high, points in CHART[part]:
        if Decimal(low) <= written <= Decimal(high):
            return points
    raise ValueError(f"{part} {value} is not on the chart")


def stay(path, fresh_hours):
    """[(hour, parts, half)]: for each hour, the score of each part, None where its last value is fresh_hours old or was
    never there; half: whether one of the values ends in a half step."""
    last = {}  # part -> (hour, value)
    hours = []
    with open(path, newline="") as f:
        rows = {int(row["ICULOS"]): row for row in csv.DictReader(f, delimiter="|")}
    for hour in range(min(rows), max(rows) + 1):
        for column, part in COLUMNS.items():
            text = rows.get(hour, {}).get(column, "NaN")
            if text != "NaN":
                last[part] = (hour, Decimal(text))
        fresh = {part: value for part, (seen, value) in last.items() if hour - seen < fresh_hours}
        parts = {part: score(part, fresh[part]) if part in fresh else None for part in COLUMNS.values()}
        # nothing is said of a patient of whom nothing was ever measured
        parts["o2"] = parts["acvpu"] = 0 if last else None
        half = any(v * (10 if part == "temp" else 1) % 1 == Decimal("0.5") for part, v in fresh.items())
        hours.append((hour, parts, half))
    return hours


def total(parts):
    return None if None in parts.values() else sum(parts.values())


def largest(parts):
    """3 is the chart's red score, whatever else is unknown."""
    known = [p for p in parts.values() if p is not None]
    if 3 in known:
        return 3
    return None if None in parts.values() else max(known)


def main():
    for path in sys.argv[1:]:
        for hour, parts, _ in stay(path, 4):
            print(path, hour, total(parts), *(f"{p}={parts[p]}" for p in PARTS))


if __name__ == "__main__":
    main()
