"""`tools/bench chain`: what anchoring costs, on a real node (anvil) beside it.

Time from sending to the receipt and to final, gas by the size of the log, an outage of 10,000 blocks, and the worker's
memory. What a figure means stands in docs/benchmarks.md."""

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/integration"))

from anchoring import public_key  # noqa: E402
from evm import SENDER, Anvil, Chain, ChainWorker, Log, worker_of  # noqa: E402
from node import ANVIL  # noqa: E402
from ward import Broker, Gateway, packs, remove, wait_for  # noqa: E402

import cases  # noqa: E402

POLL = 1.0  # seconds: the gateway's own interval
PHASES = ("latency", "blocks", "gas", "outage")


def median_ms(seconds):
    return statistics.median(seconds) * 1000


def memory_kib(pid):
    """(present, most) resident, and the share of it that is the process's own."""
    status = Path(f"/proc/{pid}/status").read_text()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {"rss_kib": int(re.search(r"VmRSS:\s+(\d+)", status).group(1)),
            "peak_kib": int(re.search(r"VmHWM:\s+(\d+)", status).group(1)),
            "pss_kib": int(re.search(r"^Pss:\s+(\d+)", rollup, re.M).group(1))}


def latency(folder, count):
    """Blocks at once: what the connector itself takes, from anchor() to the receipt, all its questions included."""
    node = Anvil(folder)
    try:
        chain, log, times = Chain(node), Log(count + 1), []
        worker = ChainWorker(chain.settings(folder, finality="instant"), {})
        for size in range(1, count + 1):
            began = time.perf_counter()
            reply = worker.anchored(log, size - 1, size)
            times.append(time.perf_counter() - began)
            assert reply["r"] == 0 and reply["final_size"] == size, reply
        memory = memory_kib(worker.process.pid)
        worker.close()
        return {"connector_ms": median_ms(times), "connector_most_ms": max(times) * 1000, "anchors": count, "worker": memory}
    finally:
        node.stop()


def blocks(folder, count, confirmations=3):
    """A block a second, and polled each second, as the gateway does."""
    node = Anvil(folder, "--block-time", "1")
    try:
        chain, log, receipts, finals = Chain(node), Log(count + 1), [], []
        worker = ChainWorker(chain.settings(folder, finality={"confirmations": confirmations}), {})
        for size in range(1, count + 1):
            began, seen = time.perf_counter(), None
            reply = worker.anchor(log, size - 1, size)
            while reply["final_size"] < size:
                assert reply["r"] == 0, reply
                if seen is None and reply["size"] == size:
                    seen = time.perf_counter() - began
                time.sleep(POLL)
                reply = worker.poll()
            finals.append(time.perf_counter() - began)
            receipts.append(seen if seen is not None else finals[-1])
        worker.close()
        return {"block_s": 1, "confirmations": confirmations, "anchors": count, "send_to_receipt_ms": median_ms(receipts),
                "send_to_final_ms": median_ms(finals)}
    finally:
        node.stop()


def gas(folder):
    """Of logs that nobody has the leaves for: what the contract sees is the proof."""
    node = Anvil(folder)
    try:
        chain, chance, rows = Chain(node), random.Random(6962), []
        for epoch, power in enumerate((2, 3, 4, 5, 6, 7, 8, 9, 12, 15), 1):
            c = cases.of_sizes(chance, 10**power, 10**power + 10**power // 100 + 1)
            account = node.accounts[SENDER]
            chain.send("anchor", chain.id, epoch, 0, c.old_size, c.old_root, [], sender=account)
            receipt = chain.send("anchor", chain.id, epoch, c.old_size, c.size, c.root, c.proof, sender=account)
            rows.append({"size": c.old_size, "hashes": len(c.proof), "gas": int(receipt["gasUsed"], 16)})
        return rows
    finally:
        node.stop()


def outage(folder, count):
    """A daemon that has sealed so many blocks while the node was away: what its return costs."""
    broker, node = Broker(folder / "broker"), Anvil(folder)
    broker.start()
    gateway = Gateway(folder, broker.port)
    try:
        chain = Chain(node, key=public_key(gateway))
        gateway.config["ledger"] = {"block_entries": 2, "block_age": "100ms", "batch_age": "1ms"}
        gateway.config["chains"] = [{"name": "consortium", "plugin": "chain-ethereum",
                                     "config": chain.settings(folder, finality="instant")}]
        gateway.start()
        wait_for("the first block is anchored", lambda: chain.head()[1] > 0)
        node.stop()
        away = gateway.status()["chains"][0]["anchored_size"]
        began = time.perf_counter()
        while gateway.status()["ledger"]["height"] < count:
            broker.publish("ward/d1/senml", packs(random.randrange(50, 90) for _ in range(500)))
        sealed_s = time.perf_counter() - began
        blocks_missed = gateway.status()["ledger"]["height"]
        wait_for("all is sealed", lambda: gateway.status()["ledger"]["open_entries"] == 0)
        missed = gateway.status()["ledger"]["size"]
        node.start()
        began = time.perf_counter()
        done = gateway.cli("chain", "resubmit", check=False)
        wait_for("the chain has it all", lambda: gateway.status()["chains"][0]["anchored_size"] >= missed)
        took = time.perf_counter() - began
        assert done.returncode == 0, done.stderr
        anchored = [log for log in chain.logs() if chain.event(log)[0] == "Anchored"]
        after = next(i for i, log in enumerate(anchored) if chain.event(log)[1]["size"] >= missed)
        had = next(i for i, log in enumerate(anchored) if chain.event(log)[1]["size"] > away)
        receipt = node.rpc("eth_getTransactionReceipt", anchored[after]["transactionHash"])
        return {"blocks": blocks_missed, "entries": missed, "sealing_s": sealed_s, "catch_up_ms": took * 1000,
                "transactions": after - had + 1,
                "gas": int(receipt["gasUsed"], 16), "worker": memory_kib(worker_of(gateway))}
    finally:
        gateway.stop()
        broker.stop()
        node.stop()


def show(r):
    if "latency" in r:
        x = r["latency"]
        print(f"connector, blocks at once: {x['connector_ms']:.1f} ms an anchor, at most {x['connector_most_ms']:.0f} ms "
              f"(median of {x['anchors']})")
        print(f"worker after {x['anchors']} anchors: {x['worker']['rss_kib']:,} KiB resident, {x['worker']['pss_kib']:,} KiB "
              f"its share, {x['worker']['peak_kib']:,} KiB at most")
    if "blocks" in r:
        x = r["blocks"]
        print(f"a block a second, {x['confirmations']} confirmations: {x['send_to_receipt_ms']:,.0f} ms from sending to the "
              f"receipt, {x['send_to_final_ms']:,.0f} ms to final (medians of {x['anchors']})")
    if "gas" in r:
        print(f"\n{'entries':>20} {'hashes':>7} {'gas':>9} {'ratio':>6}")
        for row in r["gas"]:
            print(f"{row['size']:>20,} {row['hashes']:>7} {row['gas']:>9,} {row['gas'] / r['gas'][0]['gas']:>6.2f}")
    if "outage" in r:
        x = r["outage"]
        print(f"\noutage of {x['blocks']:,} blocks with {x['entries']:,} entries: for them {x['transactions']} transaction"
              f"{'' if x['transactions'] == 1 else 's'} of {x['gas']:,} gas, {x['catch_up_ms']:,.0f} ms from the node's return "
              f"until all is final; worker {x['worker']['rss_kib']:,} KiB resident, {x['worker']['peak_kib']:,} KiB at most")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench chain", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer anchors, an outage of 500 blocks")
    parser.add_argument("--only", choices=PHASES, help="one phase")
    options = parser.parse_args()
    done = subprocess.run([TOP / "tools/chain-deps"], stdout=subprocess.PIPE, text=True)
    if done.returncode or not ANVIL.exists():
        sys.exit(done.stdout.strip() or "there is no anvil for this kind of machine")
    work = {"latency": lambda f: latency(f, 20 if options.quick else 200), "blocks": lambda f: blocks(f, 3 if options.quick else 20),
            "gas": gas, "outage": lambda f: outage(f, 500 if options.quick else 10_000)}
    result = {}
    for phase in [options.only] if options.only else PHASES:
        folder = Path(tempfile.mkdtemp(prefix="ward-bench-", dir="/var/tmp"))
        try:
            result[phase] = work[phase](folder)
        finally:
            remove(folder)
    if options.json:
        print(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
