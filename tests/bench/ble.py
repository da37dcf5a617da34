"""`tools/bench ble`: what a notification costs, and a ward's worth of them in real time, through the fake of BlueZ.

Each notification is a signal on the bus; Wardstone decodes it, evaluates four rules, encrypts and keeps it. What a figure
means stands beside it in docs/benchmarks.md."""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/integration"))

from ble_ward import BleGateway  # noqa: E402
from bluez import Bluez  # noqa: E402
from ward import Gateway, remove, wait_for  # noqa: E402

DEVICES, HZ = 50, 10
RULES = {"groups": [{"name": "bench", "rules": [
    {"alert": "Low", "expr": "hr < 20", "latch": False, "labels": {"priority": "high"}},
    {"alert": "High", "expr": "hr > 220", "labels": {"priority": "high"}},
    {"alert": "Rising", "expr": "delta(hr, 10m) > 500", "labels": {"priority": "low"}},
    {"alert": "Silent", "expr": "absent(hr, 10m)", "labels": {"priority": "technical"}}]}]}


class Ward:
    """A gateway and the fake, with so many belts that are all subscribed to."""

    def __init__(self, folder, devices, wrap=None):
        folder.mkdir()
        self.fake = Bluez(folder)
        self.fake.devices(devices, "belt", "heart-rate")
        self.gateway = Gateway(folder, 1)
        # Workers are processes of their own, and valgrind does not know the system call that watches them.
        self.gateway.config["receivers"], self.gateway.config["chains"] = [], []
        self.gateway.config["ledger"] = {}
        self.gateway.rules = RULES
        self.ble = BleGateway(self.gateway, self.fake)
        self.ble.options["connections"] = devices
        self.addresses = [f"C0:00:00:00:00:{i:02X}" for i in range(1, devices + 1)]
        for i, address in enumerate(self.addresses):
            self.ble.device(f"belt-{i}", address)
        if wrap:
            command = self.gateway.command
            self.gateway.command = lambda *a: [*wrap, *command(*a)]
            # all that is slower then
            self.ble.options.update({"call_timeout": "30s", "connect_timeout": "30s", "resolve_timeout": "30s"})
        self.ble.start()
        wait_for("all are subscribed to", lambda: self.ble.counters()["streaming"] == devices, 120)

    def taken(self):
        """Notifications that were decoded and accepted, with all that they carry."""
        status = self.gateway.status()
        assert set(k for k, v in status["verdicts"].items() if v) <= {"accepted"}, status["verdicts"]
        return status["sources"][0]["frames"]

    def stop(self):
        self.gateway.stop()
        self.fake.stop()


def instructions(folder):
    """By callgrind: the difference of two runs that differ only in the number of notifications."""
    few, many = 1000, 6000
    counts = []
    for n in (few, many):
        out = folder / f"callgrind.{n}"
        ward = Ward(folder / str(n), 1, ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"])
        ward.fake.stream(250, n)
        deadline = time.monotonic() + 300
        while ward.taken() < n and time.monotonic() < deadline:
            time.sleep(4)  # each look costs instructions too
        assert ward.taken() == n
        ward.stop()
        counts.append(int(re.search(r"^summary: (\d+)", out.read_text(), re.M).group(1)))
    return (counts[1] - counts[0]) / (many - few)


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def real_time(folder, seconds):
    """50 devices at 10 Hz: how many came, how far behind the last was, and what share of a processor it took."""
    ward = Ward(folder / "real", DEVICES)
    count = seconds * HZ
    before, begin = processor_seconds(ward.gateway.process.pid), time.monotonic()
    ward.fake.stream(HZ, count)
    wait_for("all are sent", lambda: ward.fake.count(f"{ward.addresses[0]} sent 2a37") == count, seconds + 60)
    sent_at = time.monotonic()
    sent = sum(v for k, v in ward.fake.counters().items() if k.endswith(" sent 2a37"))
    wait_for("all are taken", lambda: ward.taken() >= sent, 60)
    behind = time.monotonic() - sent_at
    share = (processor_seconds(ward.gateway.process.pid) - before) / (time.monotonic() - begin)
    wait_for("all are in the ledger", lambda: ward.ble.source()["acknowledged"] >= sent, 60)
    counters, taken = ward.ble.counters(), ward.taken()
    ward.stop()
    return {"devices": DEVICES, "hz": HZ, "notifications_sent": sent, "notifications_lost": sent - taken,
            "evaluated_without_store": counters["queued_live"], "behind_s": behind, "processor_share": share}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench ble", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="shorter phases, rougher figures")
    parser.add_argument("--only", choices=["real-time", "instructions"])
    options = parser.parse_args()
    # On a disk: a file system in memory would make its syncs free.
    folder = Path(tempfile.mkdtemp(prefix="ward-bench-", dir=os.environ.get("WARDSTONE_BENCH_DIR", "/var/tmp")))
    result = {}
    try:
        if options.only in (None, "real-time"):
            result.update(real_time(folder, 10 if options.quick else 60))
        if options.only in (None, "instructions"):
            result["instructions_per_notification"] = instructions(folder)
    finally:
        remove(folder)
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:30} {value:>14,.3f}" if isinstance(value, float) and value < 100 else f"{key:30} {value:>14,.0f}")


if __name__ == "__main__":
    main()
