"""The Merkle tree of RFC 6962, its proofs verified as in RFC 9162."""

import hashlib

from refused import require


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\0" + entry)


def node_hash(left, right):
    return sha256(b"\1" + left + right)


class Tree:
    """Grows leaf by leaf and keeps the roots of the complete subtrees, largest first."""

    def __init__(self):
        self.size = 0
        self.peaks = []

    def append(self, leaf):
        self.peaks.append(leaf)
        self.size += 1
        size = self.size
        while size % 2 == 0:
            right, left = self.peaks.pop(), self.peaks.pop()
            self.peaks.append(node_hash(left, right))
            size //= 2

    def root(self):
        if not self.peaks:
            return sha256(b"")
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def require_hashes(*hashes):
    require(all(len(h) == 32 for h in hashes), "a hash that is not 32 bytes")


def check_inclusion(index, size, leaf, proof, root):
    """RFC 9162 2.1.3.2"""
    require_hashes(leaf, root, *proof)
    require(index < size, "an index that is not in the tree")
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        require(last > 0, "an inclusion proof that is too long")
        if at % 2 == 1 or at == last:
            found = node_hash(sibling, found)
            while at % 2 == 0 and at > 0:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    require(last == 0, "an inclusion proof that is too short")
    require(found == root, "an inclusion proof that leads to another root")


def check_consistency(first, second, first_root, second_root, proof):
    """RFC 9162 2.1.4.2"""
    require(0 < first <= second, "sizes between which nothing can be proven")
    if first == second:
        require(not proof and first_root == second_root, "equal sizes with other roots, or with a proof")
        return
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    require(path, "a consistency proof that is too short")
    at, last = first - 1, second - 1
    while at % 2 == 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        require(last > 0, "a consistency proof that is too long")
        if at % 2 == 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while at % 2 == 0 and at > 0:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    require(last == 0, "a consistency proof that is too short")
    require(old == first_root and new == second_root, "a consistency proof that leads to another root")
