"""What every chain plugin has to do, put to one of them: `tools/conformance PLUGIN.so --config FILE`.

The plugin runs in a wardstone-worker, as under the gateway, and is killed, stopped and lied to as a gateway's life would.
It must be ready to anchor for the gateway NAME, whose public key is printed by --public-key: with chain-ethereum, that
gateway is registered with this key. The chain may have earlier epochs of NAME; each case takes the next one.

Exit status 0 where all cases hold, 1 where one does not, with the reason of each that failed."""

import argparse
import base64
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/integration"), str(TOP / "tests/chain"), str(TOP / "tests/verifier")]

from chain_worker import ChainWorker  # noqa: E402
from logs import Log  # noqa: E402

import forge  # noqa: E402

SEED = bytes(range(7, 39))
NAME = "conformance.example"
OK, RETRY, CONFIGURATION, CONTRADICTED = 0, -11, -22, -74
RECEIPT_MAX = 255
ZEROS = "00" * 32


class Broken(Exception):
    """The plugin does not keep to the interface; the text says in what."""


def hold(condition, what, *details):
    if not condition:
        raise Broken(" ".join([what, *map(str, details)]))


class Worker(ChainWorker):
    """Gives up at the gateway's deadline, and looks at the form of each reply."""

    def __init__(self, subject, on_save=None):
        self.subject = subject
        super().__init__(subject.plugin, subject.config, subject.kept, subject.name, on_save, state_dir=str(subject.folder))
        hold(self.opened["r"] == OK, "open() with the given config fails:", self.opened.get("error"))
        self.socket.settimeout(subject.deadline)

    def note(self, log, size, epoch):
        return forge.Signer(SEED, f"{self.name}/{epoch}").note(size, log.root(size)).decode()

    def call(self, op, **arguments):
        try:
            reply = super().call(op, **arguments)
        except TimeoutError:
            raise Broken(f"{op}() is not answered within {self.subject.deadline} s: the gateway kills it") from None
        except (OSError, ValueError):
            status = self.process.wait(5)
            raise Broken(f"{op}() ends the process (exit status {status}): {self.logged()[-300:]}") from None
        check_form(op, reply)
        return reply

    def settle(self, epoch=1):
        end = time.monotonic() + self.subject.patience
        while True:
            reply = self.poll(epoch)
            if reply["r"] == OK and reply["pending_size"] == 0:
                return reply
            hold(time.monotonic() < end, f"after {self.subject.patience} s a checkpoint is still pending:", reply)
            time.sleep(0.05)


def check_form(op, reply):
    """Of a reply; what the worker itself refuses ("impossible head") comes as a failure with that text."""
    hold(reply["r"] in (OK, RETRY, CONFIGURATION, CONTRADICTED), f"{op}() gives a result that there is not:", reply)
    if reply["r"] != OK:
        hold(reply.get("error"), f"{op}() fails without a text for the operator")
        hold("impossible head" not in reply["error"], f"{op}():", reply["error"])
        return
    hold(reply["final_size"] <= reply["size"], f"{op}(): final_size is above size:", reply)
    hold((reply["root"] == ZEROS) == (reply["size"] == 0), f"{op}(): a root without a size, or none with one:", reply)
    hold(reply["pending_size"] == 0 or reply["pending_size"] > reply["final_size"],
         f"{op}(): pending is what is final already:", reply)
    hold(len(reply["receipt"].encode()) <= RECEIPT_MAX, f"{op}(): the receipt is too long")


class Subject:
    """The plugin, the chain behind it, and what the gateway keeps for it."""

    def __init__(self, plugin, config, folder, name=NAME, deadline=10.0, patience=60.0, first_epoch=1, kills=6, seed=1):
        self.plugin, self.folder, self.name = plugin, folder, name
        self.deadline, self.patience, self.kills = deadline, patience, kills
        self.config = {**config, "public_key": base64.b64encode(forge.Signer(SEED, name).public).decode()}
        self.kept, self.epoch, self.chance = {}, first_epoch - 1, random.Random(seed)
        self.workers = []

    def start(self, on_save=None):
        worker = Worker(self, on_save)
        self.workers.append(worker)
        return worker

    def restart(self, worker):
        """As the gateway does after any failure: killed, and another one in its place."""
        worker.kill()
        return self.start()

    def log(self, size=120, common=0):
        """A new one, in the next epoch."""
        self.epoch += 1
        return Log(size, seed=self.epoch, common=common)

    def done(self):
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
            worker.socket.close()
        self.workers.clear()


def expect(reply, log, size):
    hold(reply["r"] == OK, f"size {size} was to be there, and the answer is", reply)
    hold(reply["size"] == size, f"the chain was to have size {size}:", reply)
    hold(reply["root"] == (log.root(size).hex() if size else ZEROS), "the root is not the one that was anchored:", reply)


def bring(s, worker, log, old_size, size):
    expect(worker.anchored(log, old_size, size, s.epoch), log, size)


def expect_refused(s, worker, log, size, reply, *results):
    """Refused in one of these ways, and the chain is as it was."""
    hold(reply["r"] in results, "what does not fit is not refused as it should be:", reply)
    expect(worker.head(s.epoch), log, size)


# --- cases: each takes the subject; its first line says what has to hold ---


def unknown_settings(s):
    """Settings that it does not know are refused by open()."""
    s.config["no_such_setting"] = 1
    try:
        Worker(s).kill()
    except Broken as e:
        hold("no_such_setting" in str(e), "the refusal does not name the setting:", e)
        return
    finally:
        del s.config["no_such_setting"]
    raise Broken("an unknown setting is taken")


def nothing_yet(s):
    """Of a log that it never heard of, head() and poll() tell size 0."""
    log, worker = s.log(), s.start()
    for reply in (worker.head(s.epoch), worker.poll(s.epoch)):
        expect(reply, log, 0)
        hold(reply["pending_size"] == reply["final_size"] == 0, "something is final or pending of a new log:", reply)


def anchors_follow(s):
    """Checkpoints are anchored one after the other, with a receipt; head() and poll() tell the same."""
    log, worker, old_size = s.log(), s.start(), 0
    for size in (1, 2, 3, 7, 8, 64, 120):
        bring(s, worker, log, old_size, size)
        reply = worker.head(s.epoch)
        expect(reply, log, size)
        hold(reply["receipt"], "there is no receipt")
        expect(worker.poll(s.epoch), log, size)
        old_size = size


def again(s):
    """What the chain has already is accepted again, also by a process that did not send it."""
    log, worker = s.log(), s.start()
    bring(s, worker, log, 0, 9)
    bring(s, worker, log, 0, 9)
    bring(s, s.restart(worker), log, 0, 9)


def outlives_the_process(s):
    """What was accepted is there after a kill, and after an orderly end, which takes less than a second."""
    log, worker = s.log(), s.start()
    bring(s, worker, log, 0, 9)
    worker = s.restart(worker)
    expect(worker.head(s.epoch), log, 9)
    worker.socket.close()
    try:
        hold(worker.process.wait(1) == 0, "close() does not end in order:", worker.process.returncode)
    except Exception as e:
        raise Broken(f"close() takes longer than a second, or fails: {e}") from None
    worker = s.start()
    expect(worker.head(s.epoch), log, 9)
    bring(s, worker, log, 9, 20)


def other_root(s):
    """Another root at the size that the chain has is a contradiction."""
    log, worker = s.log(), s.start()
    bring(s, worker, log, 0, 20)
    fork = Log(120, seed=1000 + s.epoch, common=10)
    expect_refused(s, worker, log, 20, worker.anchor(fork, 0, 20, s.epoch), CONTRADICTED)


def no_extension(s):
    """A checkpoint that does not extend what the chain has is a contradiction, whichever proof comes with it."""
    log, worker = s.log(), s.start()
    bring(s, worker, log, 0, 20)
    fork = Log(120, seed=1000 + s.epoch, common=10)
    expect_refused(s, worker, log, 20, worker.anchor(fork, 20, 40, s.epoch), CONTRADICTED)
    good = worker.anchor_arguments(log, 20, 40, s.epoch)
    proof = good["proof"]
    for bad in ([], proof[:-1], proof[1:], proof[::-1], proof + [ZEROS], [ZEROS] * len(proof)):
        expect_refused(s, worker, log, 20, worker.call("anchor", **{**good, "proof": bad}), CONTRADICTED)
    bring(s, worker, log, 20, 40)


def other_old_size(s):
    """An old size that is not the chain's is refused, so that the gateway asks again."""
    log, worker = s.log(), s.start()
    bring(s, worker, log, 0, 20)
    for old_size in (0, 10):
        expect_refused(s, worker, log, 20, worker.anchor(log, old_size, 40, s.epoch), RETRY, CONTRADICTED)
    bring(s, worker, log, 20, 40)


def earlier_epoch(s):
    """Once a later epoch has begun, the earlier one is over."""
    old, worker = s.log(), s.start()
    before = s.epoch
    bring(s, worker, old, 0, 20)
    log = s.log()
    expect(worker.head(s.epoch), log, 0)
    bring(s, worker, log, 0, 9)
    for reply in (worker.head(before), worker.anchor(old, 20, 40, before)):
        hold(reply["r"] == CONTRADICTED, "an earlier epoch goes on beside the later one:", reply)
    expect(worker.head(s.epoch), log, 9)


def odd_arguments(s):
    """What no gateway sends is refused and ends nothing."""
    log, worker = s.log(), s.start()
    bring(s, worker, log, 0, 9)
    good = worker.anchor_arguments(log, 9, 20, s.epoch)
    for origin in ("", "/", "no-epoch", f"{s.name}/", f"{s.name}/0x1", f"{s.name}/99999999999999999999999", "x" * 255 + "/1"):
        for reply in (worker.call("head", origin=origin), worker.call("anchor", **{**good, "origin": origin})):
            hold(reply["r"] != OK, f"the origin '{origin[:30]}' is taken")
    for change in ({"proof": [ZEROS] * 64}, {"size": 2**63 - 1}, {"old_size": 2**62, "size": 2**62 + 1}):
        reply = worker.call("anchor", **{**good, **change})
        expect_refused(s, worker, log, 9, reply, RETRY, CONFIGURATION, CONTRADICTED)
    bring(s, worker, log, 9, 20)


def after_a_kill(s, worker, log, old_size, size):
    """The next process knows or finds out what became of it, and one anchor more at most makes it whole."""
    worker = s.restart(worker)
    reply = worker.head(s.epoch)
    hold(reply["r"] == OK, "head() after a kill fails:", reply)
    reply = worker.settle(s.epoch)
    hold(reply["size"] in (old_size, size), f"after a kill it is neither {old_size} nor {size}:", reply)
    expect(reply, log, reply["size"])
    if reply["size"] == old_size:
        bring(s, worker, log, old_size, size)
    expect(worker.head(s.epoch), log, size)
    return worker


def killed_in_anchor(s):
    """Killed at any moment of anchor(), it is anchored once in the end."""
    log, worker = s.log(), s.start()
    began = time.monotonic()
    bring(s, worker, log, 0, 1)
    takes = time.monotonic() - began
    for size in range(1, s.kills + 1):
        worker.anchor_unanswered(log, size, size + 1, s.epoch)
        serve_for(worker, takes * 1.2 * s.chance.random())
        worker = after_a_kill(s, worker, log, size, size + 1)


def serve_for(worker, seconds):
    """Answers the requests of the call under way for so long; the call's own reply may come."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        worker.socket.settimeout(left)
        try:
            worker.receive()
        except TimeoutError:
            pass
        except (OSError, ValueError):
            return


def killed_in_questions(s):
    """Killed at any moment of head() and poll(), nothing is lost."""
    log, worker = s.log(), s.start()
    bring(s, worker, log, 0, 9)
    for op in ("head", "poll") * (s.kills // 2 + 1):
        worker.send({"id": 99, "op": op, "origin": f"{s.name}/{s.epoch}"})
        serve_for(worker, 0.02 * s.chance.random())
        worker = s.restart(worker)
        expect(worker.head(s.epoch), log, 9)
    bring(s, worker, log, 9, 20)


def killed_around_a_save(s):
    """Killed before or after what it saves is on disk, it is anchored once in the end."""
    def before(worker):
        worker.kill()
        return False

    def after(worker):
        worker.kill()
    log, size = s.log(), 0
    for on_save in (before, after, after, before):
        worker = s.start(on_save)
        worker.anchor_unanswered(log, size, size + 5, s.epoch)
        try:
            worker.receive()
        except (OSError, ValueError):
            pass
        if worker.saves == 0:
            return  # it keeps nothing
        after_a_kill(s, worker, log, size, size + 5).kill()
        size += 5


def refused_save(s):
    """Where the gateway cannot keep what it saves, it sends nothing, says so, and goes on when it can."""
    log = s.log()
    worker = s.start(lambda w: {"r": -5, "error": "the disk is full"})
    reply = worker.anchor(log, 0, 9, s.epoch)
    if worker.saves == 0:
        return  # it keeps nothing
    hold(reply["r"] == RETRY, "it goes on though nothing was kept:", reply)
    worker.on_save = None
    expect(worker.head(s.epoch), log, 0)
    time.sleep(0.5)  # for what it might have sent all the same
    expect(worker.settle(s.epoch), log, 0)
    bring(s, worker, log, 0, 9)


def damaged_state(s):
    """Whatever load() gives back, the chain is asked and believed."""
    log, worker = s.log(), s.start()
    bring(s, worker, log, 0, 9)
    if "state" not in s.kept:
        return  # it keeps nothing
    for garbage in (b"", b"\0", b"garbage", os.urandom(32 * 1024), base64.b64decode(s.kept["state"])[:-1]):
        s.kept["state"] = base64.b64encode(garbage).decode()
        worker = s.restart(worker)
        expect(worker.head(s.epoch), log, 9)
    bring(s, worker, log, 9, 20)


def slow(s):
    """A process that the machine leaves standing for a second in the middle of a call finishes it afterwards."""
    log, worker, size = s.log(), s.start(), 0
    for delay in (0.0, 0.002, 0.01):
        worker.anchor_unanswered(log, size, size + 5, s.epoch)
        serve_for(worker, delay)
        os.kill(worker.process.pid, signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (worker.process.pid, signal.SIGCONT)).start()
        time.sleep(1.1)
        serve_for(worker, 1.0)
        worker.socket.settimeout(s.deadline)
        size += 5
        expect(worker.settle(s.epoch), log, size)


def slow_disk(s):
    """A gateway that takes a second to save is waited for."""
    log = s.log()
    worker = s.start(lambda w: time.sleep(1))
    bring(s, worker, log, 0, 9)


def hung(s):
    """One that hangs in the middle of a call is killed by the gateway; the next process goes on from there."""
    log, worker, size = s.log(), s.start(), 0
    for delay in (0.0, 0.005, 0.02):
        worker.anchor_unanswered(log, size, size + 5, s.epoch)
        serve_for(worker, delay)
        os.kill(worker.process.pid, signal.SIGSTOP)
        time.sleep(0.3)
        worker = after_a_kill(s, worker, log, size, size + 5)
        size += 5


CASES = (unknown_settings, nothing_yet, anchors_follow, again, outlives_the_process, other_root, no_extension, other_old_size,
         earlier_epoch, odd_arguments, killed_in_anchor, killed_in_questions, killed_around_a_save, refused_save,
         damaged_state, slow, slow_disk, hung)


def run(subject, cases=CASES, say=print):
    """The names of the cases that do not hold."""
    broken = []
    for case in cases:
        try:
            case(subject)
            say(f"ok      {case.__name__}: {case.__doc__}")
        except Exception as e:
            broken.append(case.__name__)
            if isinstance(e, Broken):
                say(f"BROKEN  {case.__name__}: {case.__doc__}\n        {e}")
            else:
                say(f"BROKEN  {case.__name__}: {case.__doc__}\n        {traceback.format_exc()}")
        finally:
            subject.done()
    return broken


def main():
    parser = argparse.ArgumentParser(prog="tools/conformance", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plugin", nargs="?", help="the plugin's shared object")
    parser.add_argument("--config", type=Path, help="a JSON file with what is below `config` of the chain")
    parser.add_argument("--name", default=NAME, help="of the gateway that anchors (%(default)s)")
    parser.add_argument("--first-epoch", type=int, default=1, help="above those that the chain has of NAME")
    parser.add_argument("--patience", type=float, default=60, help="seconds until an anchor is in a block (%(default)s)")
    parser.add_argument("--kills", type=int, default=20, help="in the middle of anchor(), at random moments (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--public-key", action="store_true", help="print the gateway's public key in base64, and end")
    options = parser.parse_args()
    if options.public_key:
        print(base64.b64encode(forge.Signer(SEED, options.name).public).decode())
        return 0
    if not options.plugin:
        parser.error("which plugin?")
    config = json.loads(options.config.read_text()) if options.config else {}
    folder = Path(tempfile.mkdtemp(prefix="conformance-", dir="/tmp"))
    try:
        broken = run(Subject(Path(options.plugin).resolve(), config, folder, options.name, patience=options.patience,
                             first_epoch=options.first_epoch, kills=options.kills, seed=options.seed))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(CASES) - len(broken)} cases hold, {len(broken)} do not")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
