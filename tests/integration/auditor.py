"""An auditor's two tools: `wardstone verify`, and the verifier under tests/verifier, which this makes importable."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from ward import PATIENCE, TOP, program

sys.path.insert(0, str(TOP / "tests/verifier"))

VERIFIER = TOP / "tests/verifier/ledger_check.py"
TYPES = {"reading": 1, "key": 2, "seal": 3, "gap": 4, "alert": 6, "assign": 7, "clock": 8, "config": 9, "access": 10,
         "attribute": 11, "silence": 12}


def wardstone_verifies(path, key):
    done = subprocess.run([program("wardstone"), "verify", path, "--key", key], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.returncode in (0, 1) and "Sanitizer" not in done.stderr, done.stderr
    return done.returncode == 0


def judge_with_wardstone(texts, key, folder):
    """The verdict on each proof."""
    def judge(numbered):
        path = folder / f"judged-{numbered[0]}"
        path.write_bytes(numbered[1])
        return wardstone_verifies(path, key)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(judge, enumerate(texts)))
