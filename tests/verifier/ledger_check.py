#!/usr/bin/python3
"""A second opinion on Wardstone's ledger: written from docs/ledger-format.md alone, it shares no code with the gateway.

    ledger_check.py proof FILE --key VERIFIER_KEY
    ledger_check.py log --export FILE --key VERIFIER_KEY [--anchors FILE]

An export is what these commands print, in any order: `wardstone prove INDEX --json` of every entry up to a checkpoint,
`wardstone block HEIGHT --json` of blocks and `wardstone checkpoint --json`. The anchors are chain-file's. Exit status 0:
all is as it should be; 1: not, and the reason on standard error."""

import argparse
import json
import sys
from pathlib import Path

import notes
import proofs
from log import Log
from refused import Refused


def check_proof(data, key):
    return proofs.verify_proof(proofs.parse_proof(data), key)


def rows_of(path):
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except ValueError as e:
        raise Refused(f"{path}: {e}") from None


def check_log(rows, key, anchors=()):
    """The log that the rows of an export make up, and that the anchors (rows too) agree with."""
    log = Log(key, [check_proof(row["proof"].encode(), key) for row in rows if "proof" in row])
    for row in rows:
        if "entries" in row:
            log.check_block(row)
        elif "verifier_key" in row:
            log.check_head(row)
    for row in anchors:
        log.check_anchor(row)
    return log


def main():
    parser = argparse.ArgumentParser(description="Verifies proofs and logs of a Wardstone gateway.")
    commands = parser.add_subparsers(dest="command", required=True)
    proof = commands.add_parser("proof", help="one proof file")
    proof.add_argument("file", type=Path)
    log = commands.add_parser("log", help="a whole log")
    log.add_argument("--export", type=Path, required=True)
    log.add_argument("--anchors", type=Path)
    for command in (proof, log):
        command.add_argument("--key", required=True, help="the gateway's verifier key")
    o = parser.parse_args()
    try:
        key = notes.parse_key(o.key)
        if o.command == "proof":
            found = check_proof(o.file.read_bytes(), key)
            print(f"entry {found.index} is one of the first {found.checkpoint.size} of {found.checkpoint.origin}")
        else:
            found = check_log(rows_of(o.export), key, rows_of(o.anchors) if o.anchors else ())
            print(f"{len(found.entries)} entries in {len(found.headers)} blocks of {found.origin} are as they were signed")
    except (Refused, OSError) as e:
        print(f"ledger_check: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
