"""Changes of single bits, which a verifier has to refuse."""

import forge
import notes
from refused import Refused


def refused(check, *arguments):
    try:
        check(*arguments)
    except Refused:
        return True
    return False


def flips(data):
    """The data with each of its bits changed, one at a time."""
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def changed_notes(note):
    """With each bit of the origin, size, root, key's name, key's hash and signature changed."""
    text, _, signature = note.decode().partition("\n\n")
    origin, size, root = text.split("\n")
    _, name, encoded = signature.split()
    parts = [origin.encode(), int(size).to_bytes(8, "big"), notes.unbase64(root, ""), name.encode(),
             notes.unbase64(encoded, "")]
    for number, part in enumerate(parts):
        for changed in flips(part):
            o, s, r, n, b = parts[:number] + [changed] + parts[number + 1:]
            yield b"%s\n%d\n%s\n\n\xe2\x80\x94 %s %s\n" % (
                o, int.from_bytes(s, "big"), forge.encode64(r).encode(), n, forge.encode64(b).encode())


def changed_proofs(proof):
    """With each bit changed of what a proof file holds beside the checkpoint: entry, body, subkey, index, hashes."""
    for name in ("entry", "body", "subkey"):
        for changed in flips(getattr(proof, name) or b""):
            yield proof._replace(**{name: changed})
    for changed in flips(proof.index.to_bytes(8, "big")):
        yield proof._replace(index=int.from_bytes(changed, "big"))
    for number, part in enumerate(proof.hashes):
        for changed in flips(part):
            yield proof._replace(hashes=(*proof.hashes[:number], changed, *proof.hashes[number + 1:]))
