"""The test vectors of docs/ledger-format.md, read from the document."""

import re
from pathlib import Path

import forge
import notes

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/ledger-format.md"


class Vectors:
    def __init__(self):
        found = re.findall(r"```text vector=(\S+)\n(.*?)```", DOCUMENT.read_text(), re.S)
        self.texts = dict(found)
        assert len(self.texts) == len(found) > 30

    def data(self, name):
        return bytes.fromhex("".join(self.texts[name].split()))

    def hashes(self, name):
        return [bytes.fromhex(line) for line in self.texts[name].split()]

    def signer(self):
        return forge.Signer(bytes(range(32)), "ward-3.example/1")

    def key(self):
        return notes.parse_key(self.texts["verifier-key"].strip())

    def log(self):
        """(entry, body) of each."""
        names = ("body-clock", "body-key", "sealed-body", "body-gap", "body-seal")
        return [(self.data(f"entry-{i}"), self.data(name)) for i, name in enumerate(names)]
