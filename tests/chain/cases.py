"""Consistency proofs, good ones and forged ones, and who judges them."""

import struct
import subprocess
from typing import NamedTuple

import merkle
from logs import Log

SIZE_MAX = 2**64 - 1
BATCH = 250


class Case(NamedTuple):
    old_size: int
    old_root: bytes
    size: int
    root: bytes
    proof: tuple


def steps(old_size, size):
    """How the verifier walks from old_size to size: whether the old tree is perfect, so itself the first node, and at each
    step whether the proof's node is on the left. Two pairs of sizes with the same steps cannot be told apart by a proof:
    a tree's size is bound to its root by the checkpoint's signature alone."""
    fn, sn, walk = old_size - 1, size - 1, []
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    while sn:
        left = fn & 1 == 1 or fn == sn
        walk.append(left)
        if left:
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    return old_size & (old_size - 1) == 0, tuple(walk)


def steps_or_none(old_size, size):
    return steps(old_size, size) if 0 < old_size < size <= SIZE_MAX else None


def small(numbers, log):
    """From a real tree, by RFC 6962's own definition of a proof."""
    size = numbers.randrange(2, len(log.leaves) + 1)
    old_size = numbers.randrange(1, size)
    return Case(old_size, log.root(old_size), size, log.root(size), tuple(log.consistency(old_size, size)))


def of_sizes(numbers, old_size, size):
    """Of trees that nobody has the leaves for: the roots are those that follow from nodes made up."""
    perfect, walk = steps(old_size, size)
    node, path = numbers.randbytes(32), [numbers.randbytes(32) for _ in walk]
    old_root = root = node
    for left, sibling in zip(walk, path):
        if left:
            old_root, root = merkle.node_hash(sibling, old_root), merkle.node_hash(sibling, root)
        else:
            root = merkle.node_hash(root, sibling)
    return Case(old_size, old_root, size, root, tuple(path if perfect else [node, *path]))


def large(numbers):
    size = numbers.randrange(2, 2**numbers.randrange(2, 65))
    perfect = 1 << numbers.randrange((size - 1).bit_length())
    return of_sizes(numbers, numbers.choice((numbers.randrange(1, size), perfect)), size)


def good(numbers, count):
    log = Log(130)
    return [small(numbers, log) if i % 2 else large(numbers) for i in range(count)]


# --- forgeries: each takes a good case and returns a bad one, or None where it has nothing to change ---

def flip(numbers, data):
    bit = numbers.randrange(256)
    return data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


def flip_proof(numbers, c):
    i = numbers.randrange(len(c.proof))
    return c._replace(proof=c.proof[:i] + (flip(numbers, c.proof[i]),) + c.proof[i + 1:])


def flip_root(numbers, c):
    which = numbers.choice(("root", "old_root"))
    return c._replace(**{which: flip(numbers, getattr(c, which))})


def truncate(numbers, c):
    cut = numbers.randrange(1, len(c.proof) + 1)
    return c._replace(proof=numbers.choice((c.proof[cut:], c.proof[:-cut])))


def drop(numbers, c):
    i = numbers.randrange(len(c.proof))
    return c._replace(proof=c.proof[:i] + c.proof[i + 1:])


def extend(numbers, c):
    more = [numbers.choice((bytes(32), numbers.randbytes(32), c.old_root, c.root, numbers.choice(c.proof)))
            for _ in range(numbers.choice((1, 1, 2, 3, 70)))]
    at = numbers.choice((0, len(c.proof), numbers.randrange(len(c.proof) + 1)))
    return c._replace(proof=c.proof[:at] + tuple(more) + c.proof[at:])


def swap(numbers, c):
    if len(c.proof) < 2:
        return None
    i, j = numbers.sample(range(len(c.proof)), 2)
    proof = list(c.proof)
    proof[i], proof[j] = proof[j], proof[i]
    return c._replace(proof=tuple(proof))


def swap_roots(numbers, c):
    return c._replace(old_root=c.root, root=c.old_root)


def swap_sizes(numbers, c):
    return c._replace(old_size=c.size, size=c.old_size)


def replace(numbers, c):
    i = numbers.randrange(len(c.proof))
    other = numbers.choice((bytes(32), c.old_root, c.root, numbers.randbytes(32)))
    return None if c.proof[i] == other else c._replace(proof=c.proof[:i] + (other,) + c.proof[i + 1:])


def wrong_size(numbers, c):
    which = numbers.choice(("size", "old_size"))
    n = getattr(c, which)
    n = numbers.choice((0, n - 1, n + 1, n // 2, 2 * n, n ^ 1 << numbers.randrange(n.bit_length() + 1), SIZE_MAX))
    other = c._replace(**{which: min(n, SIZE_MAX)})
    if steps_or_none(other.old_size, other.size) == steps(c.old_size, c.size):
        return None
    return other


def equal_sizes(numbers, c):
    """Between equal sizes there is nothing to prove: neither different roots nor a proof of anything fit."""
    n = numbers.choice((c.old_size, c.size))
    return numbers.choice((c, c._replace(proof=()), c._replace(old_root=c.root)))._replace(old_size=n, size=n)


def other_log(numbers, c):
    """A proof that holds, in a log that is not this one."""
    log = Log(min(c.size, 64), seed=numbers.randrange(1, 2**32))
    old_size = min(c.old_size, len(log.leaves) - 1)
    return Case(old_size, c.old_root, len(log.leaves), log.root(len(log.leaves)),
                tuple(log.consistency(old_size, len(log.leaves))))


FORGERIES = (flip_proof, flip_root, truncate, drop, extend, swap, swap_roots, swap_sizes, replace, wrong_size, equal_sizes,
             other_log)


def forged(numbers, count):
    """(forgery's name, case), as many of each kind."""
    log, found = Log(130), []
    while len(found) < count:
        c = small(numbers, log) if numbers.randrange(2) else large(numbers)
        forgery = FORGERIES[len(found) % len(FORGERIES)]
        bad = forgery(numbers, c)
        if bad and bad != c:
            found.append((forgery.__name__, bad))
    return found


# --- judges ---

def by_contract(contract, cases):
    """The contract's verdicts; each is a call on the chain, none is refused."""
    verdicts = []
    for at in range(0, len(cases), BATCH):
        requests = [(contract.request("consistent", *c), "latest") for c in cases[at:at + BATCH]]
        for answer in contract.node.batch("eth_call", requests):
            assert answer["result"][:-1] == "0x" + "0" * 63, answer
            verdicts.append(int(answer["result"], 16) == 1)
    return verdicts


def by_ledger(program, cases):
    """The verdicts of src/ledger/merkle.c."""
    data = b"".join(struct.pack("=QQ32s32sQ", c.old_size, c.size, c.old_root, c.root, len(c.proof)) + b"".join(c.proof)
                    for c in cases)
    done = subprocess.run([program], input=data, stdout=subprocess.PIPE, check=True, timeout=60)
    verdicts = [{b"1": True, b"0": False}[line] for line in done.stdout.split()]
    assert len(verdicts) == len(cases)
    return verdicts
