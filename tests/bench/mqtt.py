"""`tools/bench mqtt`: Wardstone against a trivial QoS 1 subscriber on the same broker, in one run.

Wardstone decodes SenML, evaluates 20 rules, encrypts, keeps a Merkle ledger and acknowledges after its fsync; the
trivial subscriber counts. What a figure means stands beside it in docs/benchmarks.md."""

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

from ward import Broker, Gateway, end, program, remove, wait_for  # noqa: E402

DEVICES = 100
LOAD = None  # path of mqtt-load


def rules(count=20):
    """20 rules, four of them on the vital that is measured; or more, the others spread over its windows and 8 vitals."""
    list_ = [{"alert": "Low", "expr": "spo2 < 90", "latch": False, "labels": {"priority": "high"}},
             {"alert": "Low2", "expr": "spo2 < 80 and hr > 130", "labels": {"priority": "high"}},
             {"alert": "High", "expr": "spo2 > 101", "labels": {"priority": "low"}},
             {"alert": "Silent", "expr": "absent(spo2, 10m)", "labels": {"priority": "technical"}}]
    others = ["hr", "rr", "temp", "sbp", "dbp", "map", "pulse", "glucose"]
    for vital in others:
        list_.append({"alert": f"{vital}High", "expr": f"{vital} > 1000", "for": "10s"})
        list_.append({"alert": f"{vital}Low", "expr": f"{vital} < -1000", "keep_firing_for": "30s"})
    for i in range(len(list_), count):
        vital = ["spo2", *others][i % 9]
        list_.append({"alert": f"More{i}", "for": "10s",
                      "expr": f"mean({vital}, {1 + i % 10}m) > {1000 + i} or delta({vital}, 10m) > {1000 + i}"})
    return {"groups": [{"name": "bench", "rules": list_}]}


class Bench:
    def __init__(self, folder, quick):
        self.folder = folder
        self.quick = quick
        self.count = 60_000 if quick else 300_000
        self.serial = 0

    def fresh(self):
        """A broker and a configured gateway in folders of their own."""
        self.serial += 1
        folder = self.folder / str(self.serial)
        folder.mkdir()
        broker = Broker(folder / "broker")
        broker.start()
        gateway = Gateway(folder, broker.port)
        gateway.devices = [f"load-{i:03d}" for i in range(DEVICES)]
        gateway.rules = rules()
        gateway.config["ledger"] = {}
        return broker, gateway

    def start(self, gateway):
        gateway.start()
        for i in range(DEVICES):
            gateway.control("assign", device=f"load-{i:03d}", subject=f"bed-{i:03d}", label=f"Bed {i}")
        wait_for("the source is up", lambda: gateway.control("status")[0]["sources"][0]["up"])

    def publish(self, broker, count, rate=0, first=0, wait=True):
        p = subprocess.Popen([LOAD, "publish", str(broker.port), str(count), str(rate), str(DEVICES), str(first)],
                             stdout=subprocess.PIPE, text=True)
        if wait:
            out, _ = p.communicate(timeout=600)
            assert p.returncode == 0, "the publisher failed"
            return json.loads(out)
        return p

    def accepted(self, gateway):
        return gateway.control("status")[0]["verdicts"]["accepted"]

    def rate_until(self, gateway, count):
        """Readings a second from the first accepted to the last."""
        first = last = None
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            t, n = time.monotonic(), self.accepted(gateway)
            if n > 0 and first is None:
                first = (t, n)
            if n >= count:
                last = (t, n)
                break
            time.sleep(0.02)
        assert last and last[0] > first[0], "the readings did not arrive"
        return (last[1] - first[1]) / (last[0] - first[0])

    def limit(self):
        broker, _ = self.fresh()
        s = subprocess.Popen([LOAD, "subscribe", str(broker.port), str(self.count)], stdout=subprocess.PIPE, text=True)
        assert s.stdout.readline() == "ready\n"
        self.publish(broker, self.count)
        result = json.loads(s.stdout.readline())
        end(s)
        broker.stop()
        return result["rate"]

    def saturated(self):
        broker, gateway = self.fresh()
        self.start(gateway)
        p = self.publish(broker, self.count, wait=False)
        rate = self.rate_until(gateway, self.count)
        p.communicate(timeout=60)
        gateway.stop()
        broker.stop()
        return rate

    def drain(self):
        broker, gateway = self.fresh()
        self.start(gateway)
        gateway.stop()
        self.publish(broker, self.count)
        gateway.start(write=False)
        rate = self.rate_until(gateway, self.count)
        gateway.stop()
        broker.stop()
        return rate

    def paced(self):
        """Memory, bytes and fsyncs at 1,000 readings a second."""
        broker, gateway = self.fresh()
        self.start(gateway)
        pid = gateway.process.pid
        seconds = 15 if self.quick else 60
        p = self.publish(broker, (seconds + 20) * 1000, rate=1000, wait=False)
        time.sleep(5)
        before = (written(pid), self.accepted(gateway))
        time.sleep(seconds)
        after = (written(pid), self.accepted(gateway))
        pss = memory(pid)
        readings, syncs = self.accepted(gateway), count_syncs(pid, 5)
        readings = self.accepted(gateway) - readings
        p.communicate(timeout=60)
        gateway.stop()
        broker.stop()
        return {
            "pss_mib": pss / 1024,
            "bytes_per_reading": (after[0] - before[0]) / (after[1] - before[1]),
            "fsyncs_per_reading": syncs / readings if syncs is not None else None,
        }

    def latency(self, count=20, prefix="alert"):
        """From publish to the alert at its receiver, at 1,000 readings a second."""
        broker, gateway = self.fresh()
        gateway.rules = rules(count)
        self.start(gateway)
        seconds = 15 if self.quick else 60
        r = subprocess.run([LOAD, "alerts", str(broker.port), "1000", str(seconds), str(DEVICES), "alerts/events"],
                           capture_output=True, text=True, timeout=seconds + 60)
        gateway.stop()
        broker.stop()
        assert r.returncode == 0, r.stderr
        values = sorted(float(line) for line in r.stdout.split())
        assert len(values) > 50, r.stderr
        return {f"{prefix}_p50_ms": values[len(values) // 2], f"{prefix}_p99_ms": values[int(len(values) * 0.99)],
                f"{prefix}_max_ms": values[-1], f"{prefix}_count": len(values)}

    def instructions(self):
        """Of a backlog, by callgrind: the difference of two runs that differ only in the number of readings."""
        few, many = 2000, 12000
        counts = []
        for n in (few, many):
            broker, gateway = self.fresh()
            # Workers are processes of their own, and valgrind does not know the system call that watches them.
            gateway.config["receivers"], gateway.config["chains"] = [], []
            self.start(gateway)
            gateway.stop()
            self.publish(broker, n)
            out = gateway.folder / "callgrind.out"
            command = gateway.command
            gateway.command = lambda *a, c=command, o=out: ["valgrind", "--tool=callgrind", f"--callgrind-out-file={o}", *c(*a)]
            gateway.start(write=False)
            deadline = time.monotonic() + 300
            while self.accepted(gateway) < n and time.monotonic() < deadline:
                time.sleep(2)  # each look costs instructions too
            gateway.stop()
            broker.stop()
            counts.append(int(re.search(r"^summary: (\d+)", out.read_text(), re.M).group(1)))
        return (counts[1] - counts[0]) / (many - few)


def written(pid):
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise AssertionError("no write_bytes")


def memory(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("no Pss")


def count_syncs(pid, seconds):
    """fsync and fdatasync calls of the daemon, by strace; None where it can't be run."""
    if not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile("r") as out:
        s = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", out.name, "-p", str(pid)],
                             stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        s.send_signal(signal.SIGINT)
        s.wait(20)
        return sum("sync(" in line for line in out)


AIMS = {"ratio": (">=", 0.8), "drain_rate": (">", 100_000), "alert_p99_ms": ("<", 3), "alert_300_rules_p99_ms": ("<", 3), "pss_mib": ("<", 12),
        "bytes_per_reading": ("<", 500), "instructions_per_reading": ("<", 25_000)}


def show(result):
    print(f"{'figure':26} {'measured':>14}   aim")
    for key, value in result.items():
        text = "not measured" if value is None else f"{value:,.4f}" if value < 1 else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
        aim = " ".join(str(x) for x in AIMS[key]) if key in AIMS else ""
        print(f"{key:26} {text:>14}   {aim}")


def main():
    global LOAD
    parser = argparse.ArgumentParser(prog="tools/bench mqtt", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="shorter phases, rougher figures")
    parser.add_argument("--only", choices=["throughput", "drain", "paced", "latency", "latency-300", "instructions"])
    options = parser.parse_args()
    LOAD = str(program("mqtt-load"))
    # On a disk: a file system in memory would count no bytes.
    folder = Path(tempfile.mkdtemp(prefix="ward-bench-", dir=os.environ.get("WARDSTONE_BENCH_DIR", "/var/tmp")))
    bench, result = Bench(folder, options.quick), {}
    try:
        if options.only in (None, "throughput"):
            pairs = [(bench.limit(), bench.saturated()) for _ in range(1 if options.quick else 3)]
            result["limit_rate"] = statistics.median(p[0] for p in pairs)
            result["rate"] = statistics.median(p[1] for p in pairs)
            result["ratio"] = result["rate"] / result["limit_rate"]
        if options.only in (None, "drain"):
            result["drain_rate"] = bench.drain()
        if options.only in (None, "latency"):
            result.update(bench.latency())
        if options.only in (None, "latency-300"):
            result.update(bench.latency(300, "alert_300_rules"))
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
