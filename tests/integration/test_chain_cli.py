"""`wardstone chain` and `wardstone verify --chain` on a real node, and a second verifier that shares no code with them
(tests/verifier/chain.py): both give the same verdict on what is good, forged, not anchored yet, of another contract and
forked."""

import json
import subprocess
import time

import pytest

from evm import ADMIN, OTHER, SENDER, Anvil, Contract, require_packages
from ward import PATIENCE, TOP, packs, program, wait_for

import forge
import merkle
import notes
import proofs
from vectors import Vectors

pytestmark = pytest.mark.timeout(240)

ADMIN_KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
OTHER_KEY = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
NAME = "ward-3.example"
SEED, NEW_SEED = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture(scope="module", autouse=True)
def packages():
    require_packages()


@pytest.fixture
def anvil(folder):
    node = Anvil(folder)
    yield node
    node.stop()


def url(node):
    return f"http://127.0.0.1:{node.port}"


def key_file(folder, text=ADMIN_KEY):
    path = folder / f"key-{text[:4]}"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def wardstone(*arguments):
    done = subprocess.run([program("wardstone"), *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done


# --- ledgers that no daemon wrote, so that they can lie ---

class Ledger:
    """20 entries, signed as a gateway would; two of different seeds of leaves share the first `common` of them."""

    def __init__(self, epoch=1, seed=SEED, common=20, name=NAME):
        entries = Vectors().log() * 4
        entries[common:] = reversed(entries[common:])
        self.entries, self.signer = entries, forge.Signer(seed, f"{name}/{epoch}")
        self.leaves = [merkle.leaf_hash(entry) for entry, _ in entries]
        self.epoch = epoch

    def root(self, size):
        return forge.root(self.leaves[:size])

    def proof(self, index, size):
        return forge.prove_all(self.signer, self.entries[:size])[index]

    def consistency(self, old_size, size):
        return forge.consistency_proof(self.leaves[:size], old_size) if old_size else []

    def note(self, size):
        return self.signer.note(size, self.root(size))

    def evidence(self, old_size, size):
        return {"consistency": [{"origin": self.signer.origin, "from": old_size, "to": size,
                                 "proof": [h.hex() for h in self.consistency(old_size, size)]}]}


class Consortium:
    """The contract, with one gateway, and two auditors who are asked for their verdict."""

    def __init__(self, folder, node):
        self.folder, self.node = folder, node
        self.contract = Contract(node, [node.accounts[ADMIN]])
        self.id = node.keccak(NAME.encode())
        self.contract.send("register", NAME, node.accounts[SENDER], Ledger().signer.public)

    def anchor(self, ledger, old_size, size):
        return self.contract.send("anchor", self.id, ledger.epoch, old_size, size, ledger.root(size),
                                  ledger.consistency(old_size, size), sender=self.node.accounts[SENDER])

    def judge(self, proof, *options, contract=None, evidence=None):
        """What both say of a proof (or of the bytes of a file)."""
        path = self.folder / "a.tlog-proof"
        path.write_bytes(proof if isinstance(proof, bytes) else forge.format_proof(proof))
        options = [path, "--chain", url(self.node), "--contract", contract or self.contract.address, *map(str, options)]
        if evidence:
            (self.folder / "evidence").write_text(json.dumps(evidence))
            options += ["--evidence", self.folder / "evidence"]
        first = wardstone("verify", *options, "--json", "--socket", self.folder / "nobody")
        second = subprocess.run(["/usr/bin/python3", TOP / "tests/verifier/chain.py", *options], capture_output=True,
                                text=True, timeout=PATIENCE)
        assert first.stdout and second.stdout, (first.stderr, second.stderr)
        ours, theirs = json.loads(first.stdout), json.loads(second.stdout)
        assert ours["outcome"] == theirs["outcome"], (ours, theirs)
        for status, row in (first.returncode, ours), (second.returncode, theirs):
            assert row["proven"] is (status == 0) is (row["outcome"] == "proven") and status in (0, 1)
        for name in ("forks", "forks_shown", "gateway", "active", "present_key", "index", "size"):
            assert ours.get(name) == theirs.get(name), (name, ours, theirs)
        if "anchor" in ours and "anchor" in theirs:
            anchor = ours["anchor"]
            assert [anchor[n] for n in ("size", "root", "block", "transaction")] == \
                [theirs[n] for n in ("anchor", "root", "block", "transaction")]
        return ours


@pytest.fixture
def consortium(folder, anvil):
    return Consortium(folder, anvil)


@pytest.fixture
def ledger():
    return Ledger()


def test_what_is_anchored_is_proven(consortium, ledger):
    consortium.anchor(ledger, 0, 5)
    receipt = consortium.anchor(ledger, 5, 13)
    found = consortium.judge(ledger.proof(3, 13), "--chain-id", 31337)
    assert found["outcome"] == "proven" and found["present_key"] and found["forks"] == 0
    assert found["anchor"]["transaction"] == receipt["transactionHash"]
    assert found["anchor"]["size"] == 13 and found["account"].lower() == consortium.node.accounts[SENDER].lower()
    # An older checkpoint was anchored itself, and a revoked gateway's evidence stays.
    consortium.contract.send("revoke", consortium.id)
    found = consortium.judge(ledger.proof(3, 5))
    assert found["outcome"] == "proven" and found["anchor"]["size"] == 5 and not found["active"]


def test_what_is_not_anchored_yet_is_not_proven(consortium, ledger):
    assert consortium.judge(ledger.proof(3, 7))["outcome"] == "not-anchored"
    consortium.anchor(ledger, 0, 5)
    assert consortium.judge(ledger.proof(3, 7))["outcome"] == "not-anchored"
    # Another epoch's anchors say nothing of this one's, also where they are larger.
    consortium.anchor(Ledger(epoch=2), 0, 20)
    assert consortium.judge(ledger.proof(3, 7))["outcome"] == "not-anchored"


def test_a_consistency_proof_leads_to_a_later_anchor(consortium, ledger):
    consortium.anchor(ledger, 0, 5)
    consortium.anchor(ledger, 5, 13)
    consortium.anchor(ledger, 13, 20)
    proof = ledger.proof(3, 7)
    found = consortium.judge(proof)
    assert found["outcome"] == "unlinked" and "--evidence" in found["reason"]
    for size in 13, 20:
        found = consortium.judge(proof, evidence=ledger.evidence(7, size))
        assert (found["outcome"], found["anchor"]["size"]) == ("proven", size)
    assert consortium.judge(proof, evidence=ledger.evidence(7, 14))["outcome"] == "not-anchored"
    assert consortium.judge(proof, evidence=ledger.evidence(6, 13))["outcome"] == "unlinked"


def test_forged_files_are_refused(consortium, ledger):
    consortium.anchor(ledger, 0, 13)
    good = ledger.proof(3, 13)
    assert consortium.judge(good)["outcome"] == "proven"
    forged = [
        good._replace(index=4),
        good._replace(entry=ledger.entries[4][0], body=ledger.entries[4][1]),
        good._replace(body=good.body + b"\0"),
        good._replace(hashes=(*good.hashes[:-1], bytes(32))),
        good._replace(note=good.note.replace(NAME.encode() + b"/1", NAME.encode(), 1)),
        forge.format_proof(good)[:-1],
        b"nothing of the kind\n",
    ]
    for proof in forged:
        assert consortium.judge(proof)["outcome"] == "invalid"
    root = forge.encode64(ledger.root(13)).encode()
    resized = good._replace(note=good.note.replace(b"\n13\n", b"\n12\n"))
    assert root in good.note
    for proof in resized, Ledger(seed=NEW_SEED).proof(3, 13):
        assert consortium.judge(proof)["outcome"] == "other-key"


def test_a_forked_ledger_is_contradicted(consortium, ledger):
    other = Ledger(common=6)
    consortium.anchor(ledger, 0, 5)
    consortium.anchor(ledger, 5, 13)
    assert other.root(5) == ledger.root(5) and other.root(13) != ledger.root(13)
    assert consortium.judge(other.proof(3, 13))["outcome"] == "contradicted"
    # Where its size was not anchored, nothing leads to what was.
    assert consortium.judge(other.proof(3, 9))["outcome"] == "unlinked"
    for evidence in other.evidence(9, 13), ledger.evidence(9, 13):
        assert consortium.judge(other.proof(3, 9), evidence=evidence)["outcome"] == "inconsistent"


def test_reports_of_forks_are_judged(consortium, ledger):
    other, stranger = Ledger(common=6), Ledger(common=6, seed=NEW_SEED)
    consortium.anchor(ledger, 0, 13)

    def report(size, root, note, other_note):
        consortium.contract.send("reportFork", consortium.id, 1, size, ledger.root(size), note, other_note, size, root, [],
                                 sender=consortium.node.accounts[OTHER])

    def forks():
        found = consortium.judge(ledger.proof(3, 13))
        assert found["outcome"] == "proven"
        return found["forks"], found["forks_shown"]
    assert forks() == (0, 0)
    report(13, other.root(13), b"", stranger.note(13))  # of another key
    report(13, other.root(13), b"", other.signer.note(12, other.root(13)))  # of another size
    report(13, other.root(13), b"", other.signer.note(13, other.root(12)))  # of another root
    report(13, other.root(13), b"", Ledger(epoch=2, common=6).note(13))     # of another epoch
    assert forks() == (4, 0)
    report(13, other.root(13), b"", other.note(13))
    assert forks() == (5, 1)
    report(12, other.root(12), ledger.note(12), other.note(12))
    assert forks() == (6, 2)
    assert "2 of them are shown to be true" in wardstone(
        "verify", consortium.folder / "a.tlog-proof", "--chain", url(consortium.node), "--contract",
        consortium.contract.address).stdout


def test_a_rotated_key_still_counts_for_its_checkpoints(consortium, ledger):
    consortium.anchor(ledger, 0, 5)
    newer = Ledger(seed=NEW_SEED)
    third = forge.Signer(bytes(range(2, 34)), f"{NAME}/1").public
    for public in newer.signer.public, third:
        consortium.contract.send("rotate", consortium.id, consortium.node.accounts[SENDER], public)
    consortium.anchor(newer, 5, 13)
    for one, size in (ledger, 5), (newer, 13):
        found = consortium.judge(one.proof(3, size))
        assert found["outcome"] == "proven" and found["present_key"] is False
    # A file that is not the ledger's is none for any of the keys.
    assert consortium.judge(ledger.proof(3, 5)._replace(index=2))["outcome"] == "invalid"
    assert consortium.judge(Ledger(seed=bytes(32)).proof(3, 5))["outcome"] == "other-key"


def test_the_key_that_was_given_counts_too(consortium, ledger):
    consortium.anchor(ledger, 0, 5)
    consortium.judge(ledger.proof(3, 5))
    options = ["verify", consortium.folder / "a.tlog-proof", "--chain", url(consortium.node), "--contract",
               consortium.contract.address, "--json", "--key"]
    assert wardstone(*options, ledger.signer.verifier_key()).returncode == 0
    done = wardstone(*options, Ledger(seed=NEW_SEED).signer.verifier_key())
    assert done.returncode == 1 and json.loads(done.stdout)["outcome"] == "other-key"
    done = wardstone(*options, Ledger(name="ward-4.example").signer.verifier_key())
    assert done.returncode == 1 and json.loads(done.stdout)["outcome"] == "other-key"


def test_another_contract_gateway_or_chain(consortium, ledger):
    consortium.anchor(ledger, 0, 5)
    proof, node = ledger.proof(3, 5), consortium.node
    assert consortium.judge(Ledger(name="ward-4.example").proof(3, 5))["outcome"] == "unregistered"
    assert consortium.judge(proof, contract=Contract(node, [node.accounts[ADMIN]]).address)["outcome"] == "unregistered"
    assert consortium.judge(proof, contract=node.accounts[OTHER])["outcome"] == "no-contract"
    assert consortium.judge(proof, "--chain-id", 1)["outcome"] == "other-chain"
    # Says what a good one says, and checks nothing: only its code tells.
    code = bytearray.fromhex(node.rpc("eth_getCode", consortium.contract.address, "latest")[2:]) + b"\0"
    node.rpc("anvil_setCode", consortium.contract.address, "0x" + code.hex())
    assert consortium.judge(proof)["outcome"] == "other-code"
    found = consortium.judge(proof, "--code", "0x" + node.keccak(bytes(code)).hex())
    assert found["outcome"] == "proven" and found["code_known"] is False


def test_finality_as_it_was_asked_for(consortium, ledger):
    consortium.anchor(ledger, 0, 5)
    proof = ledger.proof(3, 5)
    assert consortium.judge(proof, "--confirmations", 1)["outcome"] == "proven"
    assert consortium.judge(proof, "--confirmations", 2)["outcome"] == "not-final"
    assert consortium.judge(proof, "--tag", "finalized")["outcome"] == "not-final"
    consortium.node.mine()
    assert consortium.judge(proof, "--confirmations", 2)["outcome"] == "proven"
    consortium.node.mine(100)
    assert consortium.judge(proof, "--tag", "finalized")["outcome"] == "proven"


def test_the_verdict_in_words(consortium, ledger):
    consortium.anchor(ledger, 0, 13)
    consortium.judge(ledger.proof(3, 13))
    options = ["verify", consortium.folder / "a.tlog-proof", "--chain", url(consortium.node), "--contract"]
    done = wardstone(*options, consortium.contract.address)
    assert done.returncode == 0, done.stderr
    for text in ("proven", f"The gateway {NAME}", "By whom", "Since when", "What is not proven", "on chain 31337",
                 "Entry 3 is a GAP", "no finality was asked for", "Ed25519"):
        assert text in done.stdout, text
    done = wardstone(*options, consortium.node.accounts[OTHER])
    assert done.returncode == 1 and "NOT PROVEN (no-contract)" in done.stdout


def test_wrong_usage_and_absent_nodes(folder, anvil):
    proof = folder / "a.tlog-proof"
    proof.write_bytes(forge.format_proof(Ledger().proof(3, 5)))
    address = anvil.accounts[OTHER]
    for options in (["--chain", url(anvil)], ["--contract", address], ["--chain", "ftp://x", "--contract", address],
                    ["--chain", url(anvil), "--contract", address, "--tag", "latest"],
                    ["--chain", url(anvil), "--contract", address, "--tag", "safe", "--confirmations", "1"],
                    ["--chain", "http://me:secret@127.0.0.1", "--contract", address],
                    ["--chain", "http://10.0.0.1", "--contract", address, "--token-file", "x"]):
        assert wardstone("verify", proof, *options).returncode == 2, options
    done = wardstone("verify", proof, "--chain", url(anvil), "--contract", address[:-1])
    assert done.returncode != 0 and "address" in done.stderr
    anvil.stop()
    done = wardstone("verify", proof, "--chain", url(anvil), "--contract", address)
    assert done.returncode == 1 and done.stdout == "" and "connect" in done.stderr.lower()


# --- with a daemon ---

@pytest.fixture
def ward(gateway, broker):
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs(range(70, 80)))
    gateway.wait_stored(range(70, 80))
    return gateway


def settled(ward):
    """The size, once nothing was written for twice as long as a block waits for more."""
    last = [0, 0.0]

    def sealed():
        ledger = ward.status()["ledger"]
        if ledger["size"] != last[0]:
            last[:] = ledger["size"], time.monotonic()
        return ledger["open_entries"] == 0 and ledger["checkpoint_size"] == ledger["size"] > 0 and \
            time.monotonic() - last[1] > 0.4 and ledger["size"]
    return wait_for("all is sealed", sealed)


class Operator:
    """Who sets up the contract for a daemon, with the command alone."""

    def __init__(self, folder, node, ward):
        self.folder, self.node, self.ward = folder, node, ward
        self.name = ward.config["gateway"]["name"]
        self.id = node.keccak(self.name.encode())
        deployed = self.run("deploy", "--key-file", key_file(folder))
        self.address = deployed["contract"]
        self.contract = Contract(node, [node.accounts[ADMIN]])
        self.contract.address = self.address

    def call(self, *arguments):
        return self.ward.cli("chain", *map(str, arguments), "--chain", url(self.node), check=False)

    def run(self, *arguments):
        done = self.call(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def register(self, key=ADMIN_KEY, action="register", sender=None):
        verifier_key = self.ward.cli("checkpoint", "--key").stdout.strip()
        return self.call(action, self.name, "--contract", self.address, "--sender", sender or self.node.accounts[SENDER],
                         "--verifier-key", verifier_key, "--key-file", key_file(self.folder, key))

    def anchor(self, old_size, size):
        row, = self.ward.control("consistency", **{"from": old_size, "to": size})
        c = notes.open_checkpoint(row["note"].encode(), notes.parse_key(self.ward.control("checkpoint")[0]["verifier_key"]))
        assert c.size == size
        self.contract.send("anchor", self.id, 1, old_size, size, c.root, [bytes.fromhex(h) for h in row["proof"]],
                           sender=self.node.accounts[SENDER])

    def status(self):
        return self.run("status", "--contract", self.address)


@pytest.fixture
def operator(folder, anvil, ward):
    return Operator(folder, anvil, ward)


def test_deploy_and_register(operator):
    assert operator.status()["registered"] is False
    refused = operator.register(OTHER_KEY)
    assert refused.returncode == 1 and "NotAdmin" in refused.stderr
    done = operator.register()
    assert done.returncode == 0 and "registered" in done.stdout, done.stderr
    name, sender, public, active = operator.contract.call("gatewayInfo", operator.id)
    assert (name, sender, active) == (operator.name, operator.node.accounts[SENDER].lower(), True)
    assert public == notes.parse_key(operator.ward.control("checkpoint")[0]["verifier_key"]).public
    assert "nothing to do" in operator.register().stdout
    refused = operator.register(sender=operator.node.accounts[OTHER])
    assert refused.returncode == 1 and "AlreadyRegistered" in refused.stderr
    assert operator.register(action="rotate", sender=operator.node.accounts[OTHER]).returncode == 0
    assert operator.contract.call("gatewayInfo", operator.id)[1] == operator.node.accounts[OTHER].lower()
    assert operator.call("revoke", operator.name, "--contract", operator.address, "--key-file",
                         key_file(operator.folder)).returncode == 0
    assert operator.contract.call("gatewayInfo", operator.id)[3] is False
    assert "REVOKED" in operator.call("status", "--contract", operator.address).stdout


def test_deploying_waits_for_a_block_and_says_so(folder, anvil, ward):
    anvil.automine(False)
    deploy = ["chain", "deploy", "--chain", url(anvil), "--key-file", str(key_file(folder)), "--timeout", "1s"]
    done = ward.cli(*deploy, check=False)
    assert done.returncode == 1 and "in no block yet" in done.stderr and anvil.pending()[0] in done.stderr


def test_status_compares_chain_and_ledger(operator):
    assert operator.register().returncode == 0
    size = settled(operator.ward)
    status = operator.status()
    assert status["lag"] == size and "head" not in status
    operator.anchor(0, size)
    status = operator.status()
    assert (status["lag"], status["same_ledger"], status["head"]["size"]) == (0, "yes", size)
    assert [row["size"] for row in status["last"]] == [size] and status["connectors"][0]["name"] == "local"
    words = operator.call("status", "--contract", operator.address).stdout
    assert "0 of them wait for an anchor" in words and "same ledger: yes" in words


def test_status_tells_another_ledger_of_that_name(operator):
    assert operator.register().returncode == 0
    size = settled(operator.ward)

    def anchor(epoch, size):
        operator.contract.send("anchor", operator.id, epoch, 0, size, bytes(range(32)), [],
                               sender=operator.node.accounts[SENDER])
        return operator.status()["same_ledger"]
    assert anchor(1, size) == "no: the ledger has another root"
    assert anchor(2, 3) == "no: the chain has a later epoch"


def test_an_auditor_needs_the_proof_and_the_evidence(operator, broker):
    ward = operator.ward
    assert operator.register().returncode == 0
    first = settled(ward)
    operator.anchor(0, first)
    reading, between = ward.folder / "reading.tlog-proof", ward.folder / "between.tlog-proof"
    ward.cli("prove", str(ward.readings()[0]["index"]), "--disclose", "-o", str(reading))
    prove_at = proofs.parse_proof(reading.read_bytes())
    assert f"\n{first}\n".encode() in prove_at.note or settled(ward) > first
    broker.publish("ward/d1/senml", packs(range(80, 83)))
    ward.wait_stored(range(70, 83))
    middle = settled(ward)
    ward.cli("prove", str(ward.readings()[-1]["index"]), "--disclose", "-o", str(between))
    broker.publish("ward/d1/senml", packs(range(83, 86)))
    ward.wait_stored(range(70, 86))
    evidence = ward.folder / "evidence.json"
    refused = operator.call("export", evidence, "--contract", operator.address, "--proof", between)
    assert refused.returncode == 1 and "anchored yet" in refused.stderr
    last = settled(ward)
    assert first < middle < last
    operator.anchor(first, last)

    verify = ["verify", str(between), "--chain", url(operator.node), "--contract", operator.address]
    # The gateway itself can be asked, and any other auditor has the file.
    assert ward.cli(*verify, "--json").returncode == 0
    assert operator.call("export", evidence, "--contract", operator.address, "--proof", between, "--proof",
                         reading).returncode == 0
    written = json.loads(evidence.read_text())
    assert [a["size"] for a in written["anchors"]] == [first, last] and written["chain_id"] == 31337
    key = notes.parse_key(written["verifier_key"])
    for anchor in written["anchors"]:
        c = notes.open_checkpoint(anchor["note"].encode(), key)
        assert (c.size, c.root.hex()) == (anchor["size"], anchor["root"])
    ward.stop()
    done = wardstone(*verify)
    assert done.returncode == 1 and "unlinked" in done.stdout
    done = wardstone(*verify, "--evidence", evidence)
    assert done.returncode == 0 and f"The first {last} entries are anchored there" in done.stdout, done.stdout
    second = subprocess.run(["/usr/bin/python3", TOP / "tests/verifier/chain.py", *verify[1:], "--evidence", evidence],
                            capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 0 and json.loads(second.stdout)["anchor"] == last, second.stderr
