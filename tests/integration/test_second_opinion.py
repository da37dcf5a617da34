"""The ledger judged by a verifier that shares no code with the gateway (tests/verifier, written from
docs/ledger-format.md): it accepts what the daemon wrote and refuses every change of it."""

import json
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from auditor import TYPES, VERIFIER, judge_with_wardstone, wardstone_verifies
from ward import Broker, Gateway, packs, remove, senml, wait_for

import bodies
import cbor
import forge
import ledger_check
import merkle
import notes
import proofs
from log import BLOCK_FIELDS
from refused import Refused
from tamper import changed_notes, changed_proofs, flips, refused

pytestmark = pytest.mark.timeout(240)

DISCLOSED = ("reading", "alert", "attribute")


# --- what a daemon wrote ---

class Evidence(NamedTuple):
    rows: list  # an export
    anchors: list
    checkpoint_file: bytes
    verifier_key: str
    log: ledger_check.Log
    files: dict  # by the name of a type, as `wardstone prove` wrote them

    @property
    def key(self):
        return notes.parse_key(self.verifier_key)


def settle(ward):
    def settled():
        ledger = ward.status()["ledger"]
        return ledger["open_entries"] == 0 and ledger["checkpoint_size"] == ledger["size"] > 0 and ledger
    return wait_for("all is sealed", settled)


def export(ward):
    """What an auditor collects: all entries, all blocks, the newest checkpoint."""
    while True:
        head, = ward.control("checkpoint")
        rows = [row for index in range(head["size"]) for row in ward.control("prove", index=index)]
        rows += [row for height in range(head["height"] + 1) for row in ward.control("block", height=height)]
        if ward.control("checkpoint") == [head]:
            return rows + [head]


def live(ward, broker):
    """Something of each kind, and a crash in the middle of a block."""
    ward.start()
    ward.wait_connected()
    ward.cli("assign", "d1", "stay-1", "--label", "Bed 1")
    ward.cli("set", "stay-1", "ward=7", "--why", "admitted")
    ward.cli("silence", "--for", "10m", "--why", "drill", "--rule", "Fast")
    broker.publish("ward/d1/senml", packs(range(60, 70)))
    ward.wait_stored(range(60, 70))
    broker.publish("ward/d1/senml", [senml("spo2", 80)])
    wait_for("an alert", lambda: ward.control("alerts"))
    ward.cli("readings", "--subject", "stay-1")
    settle(ward)
    ward.rules = {"groups": [{"name": "others", "rules": [{"alert": "Fast", "expr": "hr > 190"}]}]}
    ward.write_config()
    ward.control("reload")
    ward.cli("release", "d1")
    broker.publish("ward/d2/senml", packs(range(70, 80)))
    ward.wait_stored(range(60, 80))
    ward.kill()
    ward.start()


def disclose(ward):
    """Everything once to an older checkpoint and disclosed, and a file of each type."""
    rows = [row for index in range(settle(ward)["size"]) for row in ward.control("prove", index=index, disclose=True)]
    key = notes.parse_key(ward.cli("checkpoint", "--key").stdout.strip())
    verified = [ledger_check.check_proof(row["proof"].encode(), key) for row in rows]
    files = {}
    for name, entry_type in TYPES.items():
        index = next(v.index for v in verified if v.entry.type == entry_type)
        for options in ([], ["--disclose"]) if name in DISCLOSED else ([],):
            path = ward.folder / "-".join([name, *options])
            ward.cli("prove", str(index), *options, "-o", str(path))
            files[path.name] = path
    return rows, files


def anchors(ward, note):
    path = Path(ward.config["chains"][0]["config"]["file"])
    return wait_for("the newest checkpoint is anchored", lambda: path.exists() and [
        rows for rows in [ledger_check.rows_of(path)] if rows[-1]["note"] == note])[0]


def collect(ward):
    rows, files = disclose(ward)
    settle(ward)
    rows += export(ward)
    key = rows[-1]["verifier_key"]
    return Evidence(rows, anchors(ward, rows[-1]["note"]), (ward.state / "checkpoint").read_bytes(), key,
                    ledger_check.check_log(rows, notes.parse_key(key)), files)


@pytest.fixture(scope="module")
def evidence():
    folder = Path(tempfile.mkdtemp(prefix="ward-", dir="/tmp"))
    broker = Broker(folder / "broker")
    ward = Gateway(folder, broker.port)
    try:
        broker.start()
        live(ward, broker)
        yield collect(ward)
    finally:
        try:
            ward.stop()
        finally:
            broker.stop()
            sys.stderr.write(ward.text()[-6000:])
            remove(folder)


def test_it_accepts_what_the_daemon_wrote(evidence, tmp_path):
    log = evidence.log
    assert {v.entry.type for v in log.entries} == set(TYPES.values())
    assert len(log.headers) > 2 and len({header[12] for header in log.headers}) == 2, "rules changed between blocks"
    assert len({v.checkpoint.size for v in [ledger_check.check_proof(row["proof"].encode(), evidence.key)
                                            for row in evidence.rows if "proof" in row]}) > 1
    assert sorted(v.members[8] for v in log.entries if v.entry.type == bodies.READING) == list(range(60, 81))
    assert notes.open_checkpoint(evidence.checkpoint_file, evidence.key) == log.entries[-1].checkpoint
    assert all([log.check_anchor(row) for row in evidence.anchors])
    for name, path in evidence.files.items():
        done = subprocess.run([VERIFIER, "proof", path, "--key", evidence.verifier_key], capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stderr)
        assert wardstone_verifies(path, evidence.verifier_key), name
    for name, rows in (("export", evidence.rows), ("anchors", evidence.anchors)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = subprocess.run([VERIFIER, "log", "--export", tmp_path / "export", "--anchors", tmp_path / "anchors", "--key",
                           evidence.verifier_key], capture_output=True, text=True)
    assert done.returncode == 0 and f"{len(log.entries)} entries" in done.stdout, done.stderr


def test_each_checkpoint_extends_those_before(evidence):
    roots = evidence.log.roots
    leaves = [merkle.leaf_hash(v.entry.data) for v in evidence.log.entries]
    pairs = flipped = 0
    for first in filter(None, roots):
        for second in (size for size in roots if size >= first):
            proof = forge.consistency_proof(leaves[:second], first)
            merkle.check_consistency(first, second, roots[first], roots[second], proof)
            pairs += 1
            for wrong in (proof[1:], proof[:-1], proof + [bytes(32)]):
                assert wrong == proof or refused(merkle.check_consistency, first, second, roots[first], roots[second], wrong)
            for number, part in enumerate([roots[first], roots[second], *proof]):
                for changed in flips(part):
                    parts = [roots[first], roots[second], *proof]
                    parts[number] = changed
                    assert refused(merkle.check_consistency, first, second, parts[0], parts[1], parts[2:])
                    flipped += 1
    print(f"{pairs} pairs of checkpoints are consistent; {flipped} single-bit changes of roots and proofs refused")
    assert pairs > 5 and flipped > 3000


# --- single bits ---

def test_every_single_bit_matters(evidence, tmp_path):
    """Of proofs of every type: of the decoded parts. Then of one file as it is."""
    changed = []
    for path in evidence.files.values():
        text = path.read_bytes()
        proof = proofs.parse_proof(text)
        assert forge.format_proof(proof) == text
        changed += [forge.format_proof(c) for c in changed_proofs(proof)]
    changed += [forge.format_proof(proof._replace(note=note)) for note in changed_notes(proof.note)]
    changed += flips(evidence.files["reading---disclose"].read_bytes())
    key = evidence.key
    accepted = [text for text in changed if not refused(ledger_check.check_proof, text, key)]
    print(f"{len(changed)} single-bit changes of {len(evidence.files)} proofs: {len(changed) - len(accepted)} refused")
    assert not accepted and len(changed) > 30000
    sample = random.Random(8).sample(changed, 250)
    assert not any(judge_with_wardstone(sample, evidence.verifier_key, tmp_path)), "wardstone verify accepts one"
    accepted = [note for note in [*changed_notes(evidence.checkpoint_file), *flips(evidence.checkpoint_file)]
                if not refused(notes.open_checkpoint, note, key)]
    assert not accepted, "the checkpoint file"


def test_every_bit_of_a_shown_block_matters(evidence):
    """The operation `block` is the same header again: it must not say anything else than the SEAL."""
    other, row = [next(r for r in evidence.rows if "entries" in r and r["height"] == height) for height in (0, 1)]
    evidence.log.check_block(row)
    for change in ({"synchronised": not row["synchronised"]}, {"height": len(evidence.log.headers)},
                   {"entries": row["entries"][:-1]}, {"entries": other["entries"]},
                   {name: other[name] for name in ("note", "origin", "size", "root")}):
        assert refused(evidence.log.check_block, {**row, **change}), change
    count = 0
    for name in (*BLOCK_FIELDS, "size", "root", "origin", "note"):
        for changed in changed_values(row[name]):
            assert refused(evidence.log.check_block, {**row, name: changed}), (name, changed)
            count += 1
    print(f"{count} single-bit changes of a block's fields refused")
    assert count > 3000


def changed_values(value):
    if isinstance(value, int):
        return [struct.unpack(">q", c)[0] for c in flips(struct.pack(">q", value))]
    return [c.decode() for c in flips(value.encode()) if is_text(c)]


def is_text(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_an_incomplete_export_is_refused(evidence):
    proven = [row for row in evidence.rows if "proof" in row]
    head, older = evidence.rows[-1], next(row for row in evidence.rows if "entries" in row)
    missing = [row for row in proven if row["index"] != 5]
    for rows, reason in (([], "without entries"), (missing, "entry 5 is missing"),
                         ([row for row in proven if row["index"] < head["size"] - 1], "does not end with a SEAL"),
                         ([*proven, {**older, "verifier_key": "", "entries": None}], None)):
        rows = [{k: v for k, v in row.items() if v is not None} for row in rows]
        with pytest.raises(Refused, match=reason or "newest checkpoint is of another size"):
            ledger_check.check_log(rows, evidence.key)


# --- a later epoch ---

def test_a_later_epoch_says_what_it_took_over(gateway, broker):
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs(range(60, 70)))
    gateway.wait_stored(range(60, 70))
    settle(gateway)
    old = gateway.control("checkpoint")[0]["note"]
    gateway.stop()
    table = max((gateway.state / "ledger").glob("*.log"), key=lambda path: path.stat().st_size)
    table.write_bytes(table.read_bytes()[:-200])
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs([70]))
    wait_for("a new reading", lambda: any(r["value"] == 70 for r in gateway.readings()))
    settle(gateway)
    rows = export(gateway)
    key = notes.parse_key(rows[-1]["verifier_key"])
    log = ledger_check.check_log(rows, key)
    recovery = log.entries[0].members
    assert log.origin.endswith("/2") and recovery[11] == old and recovery[10] > 10
    assert {log.check_anchor(row) for row in anchors(gateway, rows[-1]["note"])} == {False, True}, "both epochs"

    seed = notes.unbase64((gateway.etc / "signing-key").read_text().split()[1], "seed")
    signer = forge.Signer(seed, log.origin)
    block = [(v.entry.data, v.body) for v in log.entries[:log.seal_indexes[0] + 1]]

    def judge(entries):
        ledger_check.check_log([{"proof": forge.format_proof(p).decode()} for p in forge.prove_all(signer, entries)], key)

    judge(block)
    stranger = forge.Signer(bytes(32), "test-ward.example/1").note(1, bytes(32)).decode()
    for change, reason in (({10: recovery[10] - 1}, "hole in stream"), ({10: recovery[10] + 1}, "fewer entries"),
                           ({5: 0}, "does not begin with a recovery"), ({11: stranger}, "without a signature"),
                           ({11: signer.note(1, bytes(32)).decode()}, "not before this one")):
        body = cbor.encode(recovery | change)
        with pytest.raises(Refused, match=reason):
            judge([(block[0][0][:32] + merkle.sha256(body), body), *block[1:]])
    (gap, _), (clock, _), (config, body) = block[:3]
    assert gap[4:8] == clock[4:8] == config[4:8] == bytes(4), "all of stream 0"
    behind = (int.from_bytes(gap[8:16], "big") + 1).to_bytes(8, "big")
    for seq, reason in ((gap[8:16], "has two entries"), (clock[8:16], "has two entries"), (behind, "from behind")):
        with pytest.raises(Refused, match=reason):
            judge([*block[:2], (config[:8] + seq + config[16:], body), *block[3:]])
