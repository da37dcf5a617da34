"""`tools/bench coap`: Wardstone against a CoAP server on the same library that answers at once and keeps nothing, in one
run.

Wardstone decodes SenML, evaluates 20 rules, encrypts, keeps a Merkle ledger and answers 2.04 after its fsync. What a
figure means stands beside it in docs/benchmarks.md."""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/integration"))
sys.path.insert(0, str(TOP / "tests/bench"))

from coap_peers import Peers, free_udp_port, listen_on_coap  # noqa: E402
from mqtt import memory, rules  # noqa: E402
from ward import Gateway, end, program, remove  # noqa: E402

SESSIONS = (1, 100, 1000)
DEVICES = 100  # more sessions share them: what they cost are sessions, not what is kept of a patient
PACED_SESSIONS = 100
PACED_RATE = 1000


class Answerer:
    """The limit."""

    def __init__(self):
        self.port = free_udp_port()
        self.process = subprocess.Popen([str(program("coap-answer")), str(self.port)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        end(self.process)


class Ward:
    """A gateway with so many devices, each of them with a subject."""

    def __init__(self, folder, devices):
        folder.mkdir()
        self.folder, self.port = folder, free_udp_port()
        self.gateway = Gateway(folder, 1)
        listen_on_coap(self.gateway, self.port, devices)
        self.gateway.rules = rules()

    def start(self, **options):
        self.gateway.start(**options)
        for device in self.gateway.devices:
            self.gateway.control("assign", device=device, subject=device.replace("load", "bed"))

    def accepted(self):
        return self.gateway.status()["verdicts"]["accepted"]

    def stop(self):
        self.gateway.stop()


class Bench:
    def __init__(self, folder, quick):
        self.folder, self.quick, self.serial = folder, quick, 0
        self.seconds = 3 if quick else 10

    def fresh(self, sessions):
        self.serial += 1
        return Ward(self.folder / str(self.serial), min(sessions, DEVICES))

    def load(self, port, sessions, **options):
        result = Peers(port, sessions, devices=min(sessions, DEVICES), **options).wait(600)
        assert result["acknowledged"] > 0 and result["refused"] == 0, result
        return result

    def limit(self, sessions, **options):
        server = Answerer()
        result = self.load(server.port, sessions, **options)
        server.stop()
        return result

    def started(self, sessions, **ledger):
        """Each device has sent a reading: the first of a subject waits for its key to be durable."""
        ward = self.fresh(sessions)
        ward.gateway.config["ledger"] = ledger
        ward.start()
        self.load(ward.port, sessions, count=1)
        return ward

    def ward(self, sessions, ledger=None, **options):
        ward = self.started(sessions, **(ledger or {}))
        result = self.load(ward.port, sessions, **options)
        ward.stop()
        return result

    def throughput(self):
        """Each session sends its next reading when the last is acknowledged."""
        result = {}
        for n in SESSIONS:
            pairs = [(self.limit(n, seconds=self.seconds)["rate"], self.ward(n, seconds=self.seconds)["rate"])
                     for _ in range(1 if self.quick else 3)]
            result[f"limit_rate_{n}"] = statistics.median(p[0] for p in pairs)
            result[f"rate_{n}"] = statistics.median(p[1] for p in pairs)
            result[f"ratio_{n}"] = result[f"rate_{n}"] / result[f"limit_rate_{n}"]
        result["fsync_rate"] = fsyncs_a_second(self.folder)
        return result

    def latency(self):
        """From when a reading is due to its 2.04, at 1,000 readings a second."""
        options = {"rate": PACED_RATE, "seconds": 15 if self.quick else 60}
        limit, ward = self.limit(PACED_SESSIONS, **options), self.ward(PACED_SESSIONS, **options)
        soon = self.ward(PACED_SESSIONS, ledger={"batch_age": "2ms"}, **options)
        return {"limit_p50_ms": limit["p50_ms"], "limit_p99_ms": limit["p99_ms"],
                "p50_ms": ward["p50_ms"], "p99_ms": ward["p99_ms"],
                "batch_age_2ms_p50_ms": soon["p50_ms"], "batch_age_2ms_p99_ms": soon["p99_ms"]}

    def paced(self):
        """System calls and memory, at 1,000 readings a second; and of one session that waits for each answer."""
        ward = self.started(PACED_SESSIONS)
        peers = Peers(ward.port, PACED_SESSIONS, rate=PACED_RATE)
        time.sleep(3)
        result = {f"{name}_per_reading": value for name, value in calls_per_reading(ward).items()}
        result["pss_mib"] = memory(ward.gateway.process.pid) / 1024
        peers.stop(120)
        peers = Peers(ward.port, 1)
        time.sleep(1)
        result["fsyncs_per_reading_1_session"] = calls_per_reading(ward).get("fsyncs")
        peers.stop(120)
        ward.stop()
        return result

    def instructions(self):
        """By callgrind: the difference of two runs that differ only in the number of readings."""
        few, many = 20, 120
        counts = []
        for n in (few, many):
            ward = self.fresh(PACED_SESSIONS)
            ward.gateway.config["ledger"] = {}
            # Workers are processes of their own, and valgrind does not know the system call that watches them.
            ward.gateway.config["chains"] = []
            out = ward.folder / "callgrind.out"
            command = ward.gateway.command
            ward.gateway.command = lambda *a, c=command, o=out: ["valgrind", "--tool=callgrind", f"--callgrind-out-file={o}", *c(*a)]
            ward.start()
            self.load(ward.port, PACED_SESSIONS, count=n, ack_timeout=10)
            ward.stop()
            counts.append(int(re.search(r"^summary: (\d+)", out.read_text(), re.M).group(1)))
        return (counts[1] - counts[0]) / ((many - few) * PACED_SESSIONS)


def fsyncs_a_second(folder, count=2000):
    """What the disk gives a writer who waits for each of 150 bytes: no single session can be faster."""
    with open(folder / "fsyncs", "wb", buffering=0) as f:
        begin = time.monotonic()
        for _ in range(count):
            f.write(bytes(150))
            os.fdatasync(f.fileno())
        return count / (time.monotonic() - begin)


def calls_per_reading(ward, seconds=5):
    """By strace, of all threads; nothing where it can't be run."""
    if not shutil.which("strace"):
        return {}
    with tempfile.NamedTemporaryFile("r") as out:
        s = subprocess.Popen(["strace", "-f", "-c", "-o", out.name, "-p", str(ward.gateway.process.pid)],
                             stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        readings = ward.accepted()
        time.sleep(seconds)
        s.send_signal(signal.SIGINT)
        s.wait(20)
        readings = ward.accepted() - readings
        rows = [line.split() for line in out.read().splitlines()]
    calls = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}
    syncs = calls.get("fsync", 0) + calls.get("fdatasync", 0)
    readings *= (seconds + 0.5) / seconds  # while strace counted
    return {"syscalls": calls["total"] / readings, "fsyncs": syncs / readings}


AIMS = {"ratio_100": (">=", 0.7), "ratio_1000": (">=", 0.7)}


def show(result):
    print(f"{'figure':30} {'measured':>14}   aim")
    for key, value in result.items():
        text = "not measured" if value is None else f"{value:,.4f}" if value < 1 else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        aim = " ".join(str(x) for x in AIMS[key]) if key in AIMS else ""
        print(f"{key:30} {text:>14}   {aim}")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench coap", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="shorter phases, rougher figures")
    parser.add_argument("--only", choices=["throughput", "latency", "paced", "instructions"])
    options = parser.parse_args()
    # On a disk: a file system in memory would sync nothing.
    folder = Path(tempfile.mkdtemp(prefix="ward-bench-", dir=os.environ.get("WARDSTONE_BENCH_DIR", "/var/tmp")))
    bench, result = Bench(folder, options.quick), {}
    try:
        if options.only in (None, "throughput"):
            result.update(bench.throughput())
        if options.only in (None, "latency"):
            result.update(bench.latency())
        if options.only in (None, "paced"):
            result.update(bench.paced())
        if options.only in (None, "instructions"):
            result["instructions_per_reading"] = bench.instructions()
    finally:
        remove(folder)
    if options.json:
        print(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
