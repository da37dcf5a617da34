"""docs/ledger-format.md and the verifier that was written from it (tests/verifier): the document's vectors, logs whose
hashes and signatures fit but which say what cannot be, and the gateway's own verifier beside it."""

import base64
import hmac
import json
import random
import subprocess

import pytest
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as xchacha_open

from auditor import TYPES, judge_with_wardstone
from ward import PATIENCE, program

import bodies
import cbor
import forge
import ledger_check
import merkle
import notes
import proofs
from log import Log
from refused import Refused
from tamper import flips, refused
from vectors import Vectors


@pytest.fixture(scope="module")
def written():
    return Vectors()


def hkdf(key, info):
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), info + b"\1", "sha256")


def test_the_documents_keys(written):
    subject_key, wrapping = bytes(range(0x40, 0x60)), bytes(range(0x80, 0xa0))
    key_id, sealed = bytes(range(0xa0, 0xb0)), written.data("sealed-body")
    assert merkle.sha256(hkdf(subject_key, b"wardstone commit")) == written.data("commitment")
    head = written.data("entry-2")[:32]
    assert xchacha_open(sealed[24:], head, sealed[:24], subject_key) == written.data("body-reading")
    assert proofs.disclose(proofs.parse_entry(written.data("entry-2")), sealed, written.data("subkey")) \
        == written.data("body-reading")
    wrapped = written.data("key-file")
    assert xchacha_open(wrapped[24:], b"wardstone key v1" + key_id, wrapped[:24], wrapping) == subject_key + b"stay-0421"
    value = hkdf(wrapping, b"wardstone keyring check")
    assert written.data("check-file") == value + merkle.sha256(value)
    kind, seed = written.texts["signing-key"].split()
    assert (kind, notes.unbase64(seed, "seed")) == ("wardstone-signing-key-v1", bytes(range(32)))
    assert written.key() == (written.signer().origin, written.data("public-key")) \
        and written.signer().verifier_key() == written.texts["verifier-key"].strip()


def test_the_documents_log(written):
    for name, entry_type in TYPES.items():
        body = written.data(f"body-{name}")
        assert cbor.encode(bodies.parse(entry_type, body)) == body
    for name, entry_type in (("alert-acknowledged", 6), ("alert-delivered", 6), ("silence-over", 12)):
        body = written.data(f"body-{name}")
        assert cbor.encode(bodies.parse(entry_type, body)) == body
    log, signer = written.log(), written.signer()
    leaves = [merkle.leaf_hash(entry) for entry, _ in log]
    assert leaves == [written.data(f"leaf-{i}") for i in range(5)]
    assert (forge.root(leaves), forge.root(leaves[:3])) == (written.data("root-5"), written.data("root-3"))
    inclusion, consistency = written.hashes("inclusion-2-5"), written.hashes("consistency-3-5")
    assert forge.inclusion_proof(leaves, 2) == inclusion and forge.consistency_proof(leaves, 3) == consistency
    merkle.check_inclusion(2, 5, leaves[2], inclusion, written.data("root-5"))
    merkle.check_consistency(3, 5, written.data("root-3"), written.data("root-5"), consistency)
    assert signer.note(5, forge.root(leaves)).decode() == written.texts["checkpoint"]
    proof = forge.prove_all(signer, log)[2]
    assert forge.format_proof(proof).decode() == written.texts["proof"]
    assert forge.format_proof(proof._replace(subkey=written.data("subkey"))).decode() == written.texts["proof-disclosed"]
    assert ledger_check.check_proof(written.texts["proof"].encode(), written.key()).members is None
    disclosed = ledger_check.check_proof(written.texts["proof-disclosed"].encode(), written.key())
    assert disclosed.members == bodies.parse(bodies.READING, written.data("body-reading"))


def test_published_merkle_proofs(vectors):
    """Good ones and bad ones, of other implementers of RFC 6962."""
    bad = 0
    for path in sorted((vectors / "rfc6962").glob("*/**/*.json")):
        case = json.loads(path.read_text())
        hashes = {name: base64.b64decode(case.get(name) or "") for name in ("leafHash", "root", "root1", "root2")}
        proof = [base64.b64decode(h) for h in case["proof"] or []]
        if "leafIdx" in case:
            verdict = refused(merkle.check_inclusion, case["leafIdx"], case["treeSize"], hashes["leafHash"], proof,
                              hashes["root"])
        else:
            verdict = refused(merkle.check_consistency, case["size1"], case["size2"], hashes["root1"], hashes["root2"],
                              proof)
        assert verdict == case["wantErr"], path
        bad += verdict
    assert bad > 100


# --- lies that are signed ---

SEAL = "seal"


class Ledger:
    """A log as a gateway would write and sign it, but for the lies that it is told: items are (type's name, options)."""

    ITEMS = (("clock", {}), ("config", {}), ("key", {"key_id": bytes(range(0xa0, 0xb0))}),
             ("reading", {"stream": 1, "key_id": bytes(range(0xa0, 0xb0)), "flags": proofs.SEALED}), ("gap", {}), (SEAL, {}),
             ("access", {}), (SEAL, {}))

    def __init__(self, written, items=ITEMS):
        self.written = written
        self.entries, self.leaves, self.bodies = [], [], []
        self.streams, self.seals, self.rules = {}, [], bytes(32)
        for name, options in items:
            self.append(name, **options)

    def append(self, name, stream=0, skip=0, change=None, body=None, **options):
        body = body or self.body(name, change)
        seq = self.streams.get(stream, 0) + skip
        self.streams[stream] = seq + 1
        entry = forge.entry(TYPES[name], body, seq, stream, **options)
        self.entries.append((entry, body))
        self.leaves.append(merkle.leaf_hash(entry))
        if name == "config":
            self.rules = cbor.decode(body)[6]
        if name == SEAL:
            self.seals.append(len(self.entries))

    def body(self, name, change):
        if name == "reading":
            return self.written.data("sealed-body")
        members = cbor.decode(self.written.data(f"body-{name}"))
        if name == SEAL:
            first = self.seals[-1] if self.seals else 0
            times = [cbor.decode(self.entries[i][1])[1] for i in (first, -1)]
            members |= {5: len(self.seals), 6: first, 7: len(self.entries) - first + 1, 8: first,
                        9: forge.root(self.leaves[:first]), 10: times[0], 11: times[1], 12: self.rules}
        return cbor.encode(members | (change or {}))

    def check(self, checkpoint=None):
        note = self.written.signer().note(*(checkpoint or (len(self.leaves), forge.root(self.leaves))))
        opened = notes.open_checkpoint(note, self.written.key())
        parsed = [proofs.parse_entry(entry) for entry, _ in self.entries]
        Log(self.written.key(), [proofs.Verified(i, entry, body, proofs.read_body(entry, body), opened)
                                 for i, (entry, (_, body)) in enumerate(zip(parsed, self.entries))])


def without(position):
    return Ledger.ITEMS[:position] + Ledger.ITEMS[position + 1:]


def altered(position, **options):
    name, known = Ledger.ITEMS[position]
    return *Ledger.ITEMS[:position], (name, known | options), *Ledger.ITEMS[position + 1:]


LIES = {
    "a key that did not begin": (without(2), "a key that has not begun"),
    "a key that begins after it was used": ((*Ledger.ITEMS[:2], Ledger.ITEMS[3], Ledger.ITEMS[2], *Ledger.ITEMS[4:]),
                                            "a key that has not begun"),
    "a KEY entry of another key": (altered(2, key_id=bytes(range(16))), "another key than its body"),
    "a missing entry of the gateway": (altered(4, skip=1), "a hole in stream 0"),
    "a missing entry of a device": (altered(3, skip=1), "a hole in stream 1"),
    "an entry told twice": (altered(4, skip=-1), "a hole in stream 0"),
    "an end without a SEAL": (without(7), "does not end with a SEAL"),
    "another height": (altered(7, change={5: 0}), "another height"),
    "another first entry": (altered(7, change={6: 5}), "other entries"),
    "another count": (altered(7, change={7: 1}), "other entries"),
    "another size before": (altered(7, change={8: 5}), "another tree"),
    "another root before": (altered(7, change={9: bytes(32)}), "another tree"),
    "a root before the first block": (altered(5, change={9: bytes(32)}), "another tree"),
    "another first time": (altered(5, change={10: 1}), "another time"),
    "another last time": (altered(7, change={11: 1}), "another time"),
    "other rules": (altered(7, change={12: bytes(32)}), "other rules"),
    "rules that were never in force": (without(1)[:4] + ((SEAL, {"change": {12: b"x" * 32}}),), "other rules"),
    "a body of another type": (altered(2, body=b"\xa0"), "member 1 is missing"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_signed_lie_is_refused(written, lie):
    Ledger(written).check()
    items, reason = LIES[lie]
    with pytest.raises(Refused, match=reason):
        Ledger(written, items).check()


def test_a_checkpoint_of_another_tree_is_refused(written):
    ledger = Ledger(written)
    ledger.check(checkpoint=(6, forge.root(ledger.leaves[:6])))
    for size, root in ((5, forge.root(ledger.leaves[:5])), (6, bytes(32)), (9, forge.root(ledger.leaves))):
        assert refused(ledger.check, (size, root)), size


def test_entries_of_two_logs_are_refused(written):
    """Signed by one key: two histories under one origin, or one entry of another epoch."""
    first, second = Ledger(written), Ledger(written, altered(6, change={5: 1001}))
    signer, later = written.signer(), forge.Signer(bytes(range(32)), "ward-3.example/2")

    def judge(proven):
        ledger_check.check_log([{"proof": forge.format_proof(p).decode()} for p in proven], written.key())

    honest = forge.prove_all(signer, first.entries)
    judge(honest + honest[:1])
    with pytest.raises(Refused, match="is there twice and differs"):
        judge(honest + forge.prove_all(signer, second.entries))
    with pytest.raises(Refused, match="with another root"):
        judge(honest[:-1] + forge.prove_all(signer, second.entries[:-1] + first.entries[-1:])[-1:])
    with pytest.raises(Refused, match="in the log ward-3.example/1"):
        judge(honest[:-1] + forge.prove_all(later, first.entries)[-1:])


def test_every_bit_of_a_signed_header_matters(written):
    """Hashes and signatures fit again: what is refused is what the header says. Nobody but the gateway knows when it
    sealed, so of three members any value has to be believed."""
    honest = Ledger(written)
    header, believed, count = honest.entries[-1][1], 0, 0
    for changed in flips(header):
        count += 1
        ledger = Ledger(written, Ledger.ITEMS[:-1])
        ledger.append(SEAL, body=changed)
        if not refused(ledger.check):
            before, after = cbor.decode(header), cbor.decode(changed)
            assert {k for k in before if before[k] != after[k]} <= {1, 2, 3}
            believed += 1
    print(f"{count} single-bit changes of a signed header: {count - believed} refused, {believed} of its own time")
    assert count > 900 and believed < 170


def test_both_verifiers_judge_alike(written, tmp_path):
    """Entries with bodies of one bit changed, hashed and signed anew: some are other bodies, most are none."""
    texts = []
    for name, entry_type in TYPES.items():
        for body in flips(written.data(f"body-{name}")):
            key_id = cbor.decode(written.data("body-key"))[7] if name == "key" else proofs.NO_KEY
            proof, = forge.prove_all(written.signer(), [(forge.entry(entry_type, body, 0, key_id=key_id), body)])
            if name != "key" or key_id in body:
                texts.append(forge.format_proof(proof))
    texts = random.Random(8).sample(texts, 250)
    ours = [not refused(ledger_check.check_proof, text, written.key()) for text in texts]
    assert 50 < sum(ours) < 220
    theirs = judge_with_wardstone(texts, written.signer().verifier_key(), tmp_path)
    assert [text for text, a, b in zip(texts, ours, theirs) if a != b] == []


ALERT = ["The alert:    SpO2Low (high priority): {}", "Subject:      stay-0421", "Summary:      SpO2 84.1 % in Bed 7"]
SILENCE = ["Rule:         SpO2*", "Subject:      stay-0421", "Label:        Bed 7", "Labels:       team=respiratory",
           "Priority:     low", "Priority:     medium", "Kind:         patient"]


@pytest.mark.parametrize("name, says", [
    ("alert", [ALERT[0].format("active at 2026-11-20T12:00:02.000Z"), *ALERT[1:]]),
    ("alert-acknowledged", [ALERT[0].format("acknowledged at 2026-11-20T12:00:08.000Z"), *ALERT[1:],
                            "Taken by:     uid:1000", "Note:         repositioned"]),
    ("alert-delivered", [ALERT[0].format("delivered at 2026-11-20T12:00:03.000Z"), *ALERT[1:],
                         "Note:         1-7/1", "Receiver:     pager"]),
    ("attribute", ["Attribute:    spo2_low is 86, says user 1000", "Subject:      stay-0421",
                   "Why:          COPD, target 88 to 92 %"]),
    ("silence", ["The silence:  5f1c0a93, from 2026-11-20T12:00:06.000Z until 2026-11-20T12:10:06.000Z", *SILENCE,
                 "Begun by:     uid:1000", "Why:          suction"]),
    ("silence-over", ["The silence:  5f1c0a93, over, was from 2026-11-20T12:00:06.000Z until 2026-11-20T12:10:06.000Z",
                      *SILENCE, "Why:          suction"]),
])
def test_wardstone_says_what_was_done_about_an_alert(written, tmp_path, name, says):
    path = tmp_path / "proof"
    path.write_bytes(single(written.signer(), TYPES[name.partition("-")[0]], written.data(f"body-{name}")))
    done = subprocess.run([program("wardstone"), "verify", path, "--key", written.signer().verifier_key()],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and [line.strip() for line in done.stdout.splitlines()[4:]] == says


# --- files that are none ---

def sign(signer, text, before=(), after=(), name=None):
    name = name or signer.origin
    ours = name, notes.key_hash(name, signer.public) + signer.key.sign(text.encode() + b"\n").signature
    return forge.format_note(text, [*before, ours, *after])


def single(signer, entry_type, body, subkey=None, **head):
    """A proof in a tree of one leaf."""
    proof, = forge.prove_all(signer, [(forge.entry(entry_type, body, 0, **head), body)])
    return forge.format_proof(proof._replace(subkey=subkey))


def odd_notes(signer, root):
    """(whether it is one, note) of a tree of one leaf."""
    origin, hint, text = signer.origin, signer.hint, f"{signer.origin}\n1\n{forge.encode64(root)}"
    good, stranger = sign(signer, text), forge.Signer(bytes(32), signer.origin)
    witness, bad = ("witness", bytes(68)), (origin, hint + bytes(64))
    yield from ((True, sign(signer, text + "\n" + line)) for line in ("extension", " ", "\x7f", "\u0085", "two\nlines"))
    yield from ((False, sign(signer, text + "\n" + line)) for line in ("", "a\n\nb", "a\tb", "a\0", "a\r"))
    room = 6144 - len(sign(signer, text + "\n"))
    yield from ((extra == 0, sign(signer, text + "\n" + "x" * (room + extra))) for extra in (0, 1))
    yield from ((ok, sign(signer, text, **{where: [line]}) if where else forge.format_note(text, [line]))
                for where in ("before", "after", None)
                for ok, line in ((where is not None, witness), (where is not None, ("w", bytes(5))), (False, bad),
                                 (False, ("w", bytes(4))), (False, ("w+", bytes(68))), (False, ("w\u00a0", bytes(68))),
                                 (False, ("", bytes(68)))))
    yield True, sign(signer, text, after=[(origin, hint + signer.key.sign(text.encode() + b"\n").signature)])
    yield from ((False, note) for note in (
        good[:-1], good + b"\n", good[:-1] + b" \n", good.replace("\u2014".encode(), b"-"), good.replace(b"\n\n", b"\n\n\n"),
        good.replace(b"\n", b"\r\n"), good.replace(b"ward", b"w\xffrd"), b"", (text + "\n\n").encode(), b"\n" + good,
        good.replace(b"=\n\n", b"\n\n"), stranger.note(1, root), sign(signer, text, name="ward-3.example/2")))
    yield from ((False, sign(signer, f"{origin}\n{size}\n{forge.encode64(root)}"))
                for size in ("0", "01", "+1", " 1", "", "-1", "1e0", "\uff11", "18446744073709551617"))
    yield from ((False, sign(signer, f"{origin}\n1\n{forge.encode64(value)}")) for value in (root[:31], root + b"x", b""))
    for name, ok in (("ward-3.example/2", True), ("ward-4.example/1", False), ("n" * 197 + "/1", False),
                     ("n" * 198 + "/1", False), ("a b/1", False), ("", False)):
        yield ok, forge.Signer(bytes(range(32)), name).note(1, root)


def odd_files(written):
    """(whether it is one, proof file)"""
    signer, clock, key_id = written.signer(), written.data("body-clock"), bytes(range(16))
    entry = forge.entry(TYPES["clock"], clock, 0)
    plain, = forge.prove_all(signer, [(entry, clock)])
    for ok, note in odd_notes(signer, merkle.leaf_hash(entry)):
        yield ok, forge.format_proof(plain._replace(note=note))
    for position, value, ok in ((0, 2, False), (1, 0, False), (1, 11, False), (2, 1, False), (3, 2, False), (3, 1, False),
                                (7, 9, True), (15, 9, True), (16, 9, True)):
        other = entry[:position] + bytes([value]) + entry[position + 1:]
        yield ok, forge.format_proof(forge.prove_all(signer, [(other, clock)])[0])
    yield from ((False, forge.format_proof(forge.prove_all(signer, [(e, clock)])[0])) for e in (entry[:63], entry + b"x"))
    yield from ((ok, single(signer, 5, body, flags=flags, key_id=key_id))
                for ok, body, flags in ((True, bytes(40), 1), (False, b"\xa0", 0)))
    yield from ((length <= 4096, single(signer, 1, bytes(length), flags=1, key_id=key_id)) for length in (40, 4096, 4097))
    yield from ((False, single(signer, 1, bytes(length), bytes(32), flags=1, key_id=key_id)) for length in (0, 39, 40))
    yield False, single(signer, TYPES["clock"], clock, bytes(32))
    whole = forge.prove_all(signer, written.log())[2]
    text = forge.format_proof(whole)
    lines = text.split(b"\n")
    yield True, text
    yield from ((False, forge.format_proof(whole._replace(hashes=tuple(hashes)))) for hashes in (
        whole.hashes[:-1], whole.hashes[1:], whole.hashes[::-1], (*whole.hashes, bytes(32)), (), [bytes(32)] * 70))
    yield from ((False, text.replace(b"index 2", line))
                for line in (b"index 02", b"index +2", b"index  2", b"index 18446744073709551618", b"Index 2", b"index 5"))
    yield from ((False, other) for other in (
        text.replace(b"@v1", b"@v2"), text.replace(b"\n", b"\r\n"), text + b"x", b"\n" + text, b"",
        text.replace(b"\n\n", b"\n", 1), text.replace(lines[3], lines[3] + b" "), b"\n".join(lines[:1] + lines[2:]),
        b"\n".join([lines[0], lines[2], lines[1], *lines[3:]]), b"\n".join(lines[:2] + lines[1:]),
        text.replace(lines[3], forge.encode64(bytes(31)).encode())))
    extra = {1: whole.entry, 2: whole.body}
    encoded = cbor.encode(extra)
    members = [{0: 1, **extra}, {1: whole.entry}, {**extra, 2: "text"}, {**extra, 3: bytes(31)}, {**extra, 3: True},
               {**extra, 4: b""}]
    wrong = [*map(cbor.encode, members), encoded + b"\0", encoded[:-1], b"\xbf" + encoded[1:] + b"\xff",
             b"\xb8\x02" + encoded[1:], b"\xc0" + encoded, b"", b"\x82" + encoded[1:]]
    yield from ((False, b"\n".join([lines[0], b"extra " + forge.encode64(w).encode(), *lines[2:]])) for w in wrong)


def test_files_that_are_no_proofs(written, tmp_path):
    expected, texts = zip(*odd_files(written))
    assert len(texts) > 120 and sum(expected) > 15
    ours = [not refused(ledger_check.check_proof, text, written.key()) for text in texts]
    assert [text for text, a, b in zip(texts, expected, ours) if a != b] == []
    theirs = judge_with_wardstone(texts, written.signer().verifier_key(), tmp_path)
    assert [text for text, a, b in zip(texts, expected, theirs) if a != b] == []


def test_verifier_keys_that_are_none(written):
    text = written.texts["verifier-key"].strip()
    name, hint, encoded = text.split("+", 2)
    public = notes.unbase64(encoded, "")
    other = forge.encode64(b"\2" + public[1:])
    for wrong in ("", name, f"{name}+{hint}", f"+{hint}+{encoded}", f"{name}+{hint[:-1]}0+{encoded}", text[:-1],
                  f"{name}+{hint}+{other}", f"{name}+{hint}+{forge.encode64(public + b'x')}", f"x{text}",
                  forge.Signer(bytes(32), "a b/1").verifier_key()):
        assert refused(notes.parse_key, wrong), wrong
