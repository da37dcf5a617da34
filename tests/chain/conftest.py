"""Fixtures: `anvil`, and `chain`, which is one engine after the other. Each is one process for all tests."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/verifier"))

from contract import Contract  # noqa: E402
from node import ANVIL, Node  # noqa: E402


@pytest.fixture(scope="session")
def packages():
    done = subprocess.run([TOP / "tools/chain-deps"], stdout=subprocess.PIPE, text=True, timeout=400)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout
    return TOP / "build/chain"


def run_node(engine):
    if engine == "anvil" and not ANVIL.exists():
        pytest.skip("there is no anvil for this kind of machine")
    folder = Path(tempfile.mkdtemp(prefix="chain-", dir="/tmp"))
    try:
        node = Node(engine, folder)
        yield node
        node.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def anvil(packages):
    yield from run_node("anvil")


@pytest.fixture(scope="session", params=["anvil", "ganache"])
def chain(packages, request):
    if request.param == "anvil":
        yield request.getfixturevalue("anvil")
    else:
        yield from run_node(request.param)


@pytest.fixture
def contract(chain):
    return Contract(chain, chain.accounts[:2])


@pytest.fixture
def numbers():
    """Chance that is the same in each run."""
    return random.Random(6962)


@pytest.fixture
def vectors():
    data = os.environ.get("WARDSTONE_DATA")
    if not data or not (Path(data) / "vectors/rfc6962").is_dir():
        pytest.skip("no test vectors: WARDSTONE_DATA is not set or has none")
    return Path(data) / "vectors/rfc6962"
