"""tests/conformance: the plugins here hold every case, and one that breaks a promise is found by the case for it."""

import os
import subprocess
import sys

import pytest

from evm import SENDER, Anvil, Chain, plugin_path, require_packages
from ward import BUILD, PATIENCE, TOP

sys.path.insert(0, str(TOP / "tests/conformance"))

import chain as conformance  # noqa: E402

pytestmark = pytest.mark.timeout(240)


def failing(subject, *names):
    cases = [case for case in conformance.CASES if not names or case.__name__ in names]
    assert cases
    return conformance.run(subject, cases)


def test_chain_file(folder):
    subject = conformance.Subject(next(BUILD.rglob("chain-file.so")), {}, folder)
    assert failing(subject) == []


@pytest.mark.parametrize("how", ["instant", "blocks"])
def test_chain_ethereum(folder, how):
    """On a node that makes a block of each transaction, and on one that makes a block a second whatever there is."""
    require_packages()
    node = Anvil(folder)
    try:
        key = conformance.forge.Signer(conformance.SEED, conformance.NAME).public
        chain = Chain(node, key=key, name=conformance.NAME)
        names = ()
        if how == "blocks":
            node.rpc("evm_setIntervalMining", 1)
            names = "again", "killed_in_anchor", "killed_around_a_save", "refused_save", "hung"
        subject = conformance.Subject(plugin_path(), chain.settings(folder, finality="instant"), folder, kills=4)
        assert failing(subject, *names) == []
        assert node.nonce(SENDER, "pending") == node.nonce(SENDER) == len(chain.anchors())
    finally:
        node.stop()


def wayward(folder, flaw="", **options):
    config = {"behind": str(next(BUILD.rglob("chain-file.so"))), "flaw": flaw}
    return conformance.Subject(next(BUILD.rglob("wayward.so")), config, folder, kills=3, patience=1, **options)


def test_a_plugin_that_keeps_state_and_all_promises(folder):
    assert failing(wayward(folder)) == []


@pytest.mark.parametrize("flaw, case", [
    ("takes-any-setting", "unknown_settings"),
    ("no-receipt", "anchors_follow"),
    ("wrong-root", "anchors_follow"),
    ("final-early", "anchors_follow"),
    ("crashes", "nothing_yet"),
    ("hangs", "nothing_yet"),
    ("repeats-not", "again"),
    ("forgets", "outlives_the_process"),
    ("volatile", "outlives_the_process"),
    ("volatile", "killed_in_anchor"),
    ("lingers", "outlives_the_process"),
    ("forks", "other_root"),
    ("forks", "no_extension"),
    ("vague", "other_root"),
    ("vague", "no_extension"),
    ("vague", "earlier_epoch"),
    ("stuck", "killed_around_a_save"),
    ("ignores-save", "refused_save"),
    ("trusts-state", "damaged_state"),
    ("impatient", "slow_disk"),
])
def test_a_broken_promise_is_found(folder, flaw, case):
    subject = wayward(folder, flaw, deadline=2 if flaw == "hangs" else PATIENCE)
    assert failing(subject, case) == [case]


def test_the_command(folder):
    """As an author calls it: what holds, what not, and the exit status."""
    def run(flaw):
        (folder / "config.json").write_text(conformance.json.dumps(
            {"behind": str(next(BUILD.rglob("chain-file.so"))), "flaw": flaw}))
        return subprocess.run(["/usr/bin/python3", TOP / "tests/conformance/chain.py", next(BUILD.rglob("wayward.so")),
                               "--config", folder / "config.json", "--kills", "1", "--patience", "1"],
                              env={**os.environ, "WARDSTONE_BUILD": str(BUILD)}, capture_output=True, text=True, timeout=200)
    done = run("no-receipt")
    assert done.returncode == 1 and "BROKEN  anchors_follow" in done.stdout and "there is no receipt" in done.stdout
    assert f"{len(conformance.CASES) - 1} cases hold, 1 do not" in done.stdout
