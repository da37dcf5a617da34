"""The artifact that is handed out follows from the source."""

import json
import os
import subprocess

from conftest import TOP
from contract import ARTIFACT


def test_the_artifact_is_what_the_compiler_makes_of_the_source(packages, tmp_path):
    """In another folder and from another one: nothing of where it was made is in it."""
    again = tmp_path / "again.json"
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in ("build.js", "WardstoneAnchors.sol"):
        (copy / name).write_bytes((ARTIFACT.parent / name).read_bytes())
    subprocess.run(["node", copy / "build.js", again], cwd=tmp_path, check=True, timeout=120,
                   env={**os.environ, "NODE_PATH": str(packages / "node_modules")})
    assert again.read_bytes() == ARTIFACT.read_bytes()


def test_the_compiler_and_its_settings():
    artifact = json.loads(ARTIFACT.read_text())
    wanted = json.loads((ARTIFACT.parent / "package.json").read_text())["dependencies"]["solc"]
    assert artifact["compiler"].startswith(wanted + "+commit.")
    assert artifact["settings"]["evmVersion"] == "london" and artifact["settings"]["optimizer"]["enabled"]
    assert artifact["settings"]["metadata"]["bytecodeHash"] == "none"
    # EIP-170
    assert len(artifact["deployedBytecode"]) // 2 - 1 <= 24576


def test_the_packages_name_no_server():
    lock = json.loads((ARTIFACT.parent / "package-lock.json").read_text())["packages"]
    assert not any("resolved" in p for p in lock.values())
    assert all("integrity" in p or p.get("inBundle") for name, p in lock.items() if name)


def test_what_is_on_the_chain_is_the_artifact(contract):
    code = contract.node.rpc("eth_getCode", contract.address, "latest")
    assert code == json.loads(ARTIFACT.read_text())["deployedBytecode"]
    assert str(TOP) not in ARTIFACT.read_text()
