"""`tools/crash --kills N --source chain`: kills the connector's worker and the daemon at random moments while blocks are
sealed ten times a second and anchored on a real node (anvil) that makes its blocks when it likes.

In the end the contract has the ledger's head, each anchored checkpoint is one of the ledger's and was anchored once, no
transaction of the gateway's account was sent for nothing, and none is stuck. With --fault anchor-save-lost the daemon
does not write what the connector saves before it sends: then something has to be wrong, else this test could not fail."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from anchoring import public_key
from evm import SENDER, Anvil, Chain, Proxy, worker_of
from node import ANVIL
from ward import BUILD, FAULTS_BUILD, TOP, Broker, Gateway, packs, program, remove, wait_for

LONGEST_STREAK = 4  # of workers that are killed without their daemon, which waits longer after each


class Blocks(threading.Thread):
    """The chain goes on by itself, now and then so late that the connector raises its fee."""

    def __init__(self, node, seed):
        super().__init__(daemon=True)
        self.node, self.chance, self.stopping = node, random.Random(seed), threading.Event()

    def run(self):
        while not self.stopping.is_set():
            self.stopping.wait(self.chance.choice([0.02, 0.1, 0.3, 0.5, 1.5]))
            self.node.mine()

    def stop(self):
        self.stopping.set()
        self.join()


def estimate_as_others(node):
    """A rule for the proxy: gas is estimated on the newest block, as geth and Besu do. Anvil's own estimate counts what
    waits as done, and so refuses what would be sent twice."""
    def rule(method, params):
        if method != "eth_estimateGas":
            return None
        answer = node.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": [params[0], "latest"]})
        return {name: answer[name] for name in ("result", "error") if name in answer}
    return rule


class Readings(threading.Thread):
    def __init__(self, broker):
        super().__init__(daemon=True)
        self.broker, self.count, self.stopping = broker, 0, threading.Event()

    def run(self):
        while not self.stopping.wait(0.05):
            self.broker.publish("ward/d1/senml", packs([60 + self.count % 40]))
            self.count += 1

    def stop(self):
        self.stopping.set()
        self.join()


def rounds(gateway, chain, kills, chance):
    streak = 0
    for kill in range(kills):
        time.sleep(chance.uniform(0.0, 0.8))
        if streak < LONGEST_STREAK and chance.random() < 0.5:
            streak += 1
            what = "worker"
            os.kill(wait_for("there is a worker", lambda: worker_of(gateway)), signal.SIGKILL)
        else:
            streak = 0
            what = "daemon"
            gateway.kill()
            gateway.start(write=False)
        print(f"kill {kill + 1}/{kills}: {what}, {chain.head()[1]} entries anchored", flush=True)


def settle(gateway, chain):
    """Until the contract has what the ledger has; says what it lacks where it never does."""
    def settled():
        ledger, connector = gateway.status()["ledger"], gateway.status()["chains"][0]
        return ledger["size"] > 0 and ledger["checkpoint_size"] == ledger["size"] == connector["anchored_size"] and \
            chain.head()[1] == ledger["size"] and chain.node.nonce(SENDER, "pending") == chain.node.nonce(SENDER)
    wait_for("the contract has what the ledger has", settled, 120)


def sealed(gateway):
    """The root at each size that the ledger signed."""
    rows = [gateway.control("block", height=h)[0] for h in range(gateway.status()["ledger"]["height"])]
    return {row["size"]: bytes.fromhex(row["root"]) for row in rows}


def judge(gateway, chain):
    """What is wrong, in words."""
    wrong = []
    anchors, roots, sent = chain.anchors(), sealed(gateway), chain.node.nonce(SENDER)
    sizes = [size for _, size, _ in anchors]
    if sizes != sorted(set(sizes)):
        wrong.append("an anchor is there twice, or out of order")
    if any(roots.get(size) != root for _, size, root in anchors):
        wrong.append("something is anchored that the ledger never was")
    if sent != len(anchors):
        wrong.append(f"{sent} transactions for {len(anchors)} anchors")
    print(f"{len(anchors)} anchors of {len(roots)} blocks in {sent} transactions")
    return wrong


def verify(gateway):
    done = subprocess.run([program("wardstone", gateway.build), "verify", "--all", "--config", gateway.config_path],
                          capture_output=True, text=True, timeout=300)
    return [] if done.returncode == 0 else [f"the ledger does not verify: {done.stdout}{done.stderr}"]


def prepare(folder, broker, node, proxy, fault):
    gateway = Gateway(folder, broker.port, build=FAULTS_BUILD if fault else BUILD)
    chain = Chain(node, key=public_key(gateway))
    gateway.config["ledger"] = {"block_age": "100ms", "batch_age": "20ms"}
    gateway.config["chains"] = [{"name": "consortium", "plugin": "chain-ethereum", "config": chain.settings(
        folder, endpoints=[proxy.url], finality={"confirmations": 2}, replace_after="1s")}]
    if fault:
        (folder / "faults").mkdir()
        (folder / "faults" / fault).write_text("1")
        gateway.environment["WARDSTONE_FAULTS"] = str(folder / "faults")
    return gateway, chain


def campaign(gateway, chain, broker, kills, seed):
    blocks, readings = Blocks(chain.node, seed), Readings(broker)
    gateway.start()
    chain.node.automine(False)
    blocks.start()
    readings.start()
    try:
        rounds(gateway, chain, kills, random.Random(seed))
        readings.stop()
        settle(gateway, chain)
    finally:
        readings.stop()
        blocks.stop()
    wrong = judge(gateway, chain)
    gateway.stop()
    return wrong + verify(gateway)


def run(kills, seed, fault):
    done = subprocess.run([TOP / "tools/chain-deps"], stdout=subprocess.PIPE, text=True, timeout=400)
    if done.returncode == 77 or not ANVIL.exists():
        print(done.stdout.strip() or "there is no anvil for this kind of machine")
        return 77
    folder = Path(tempfile.mkdtemp(prefix="ward-crash-", dir="/var/tmp"))
    broker = Broker(folder / "broker")
    broker.start()
    node, gateway = Anvil(folder), None
    proxy = Proxy(node)
    proxy.rule = estimate_as_others(node)
    try:
        gateway, chain = prepare(folder, broker, node, proxy, fault)
        wrong = campaign(gateway, chain, broker, kills, seed)
    except AssertionError as e:
        wrong = [str(e)]
    finally:
        if gateway and gateway.process:
            gateway.kill()
        proxy.close()
        node.stop()
        broker.stop()
        text = gateway.text() if gateway else ""
        remove(folder)
    print(f"seed {seed}: {kills} kills, {'; '.join(wrong) if wrong else 'the chain has what the ledger has'}")
    if wrong:
        print(text[-4000:], file=sys.stderr)
    return 1 if wrong else 0
