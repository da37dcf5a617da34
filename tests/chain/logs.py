"""Logs to anchor, and gateways that do."""

import forge
import merkle


class Log:
    """Leaves that follow from a seed: two logs of different seeds share the first `common` of them."""

    def __init__(self, size, seed=0, common=0):
        self.leaves = [merkle.leaf_hash(b"%d %d" % (seed if i >= common else 0, i)) for i in range(size)]

    def root(self, size):
        return forge.root(self.leaves[:size])

    def consistency(self, old_size, size):
        return forge.consistency_proof(self.leaves[:size], old_size) if old_size else []

    def fork_proof(self, old_size, size):
        """Which root the log had at old_size: with the first node also where the old tree is perfect."""
        return forge.consistency_proof(self.leaves[:size], old_size, whole=False)


class Ward:
    """A registered gateway and its log."""

    KEY = bytes(range(32))

    def __init__(self, contract, name="ward-3.example", log=None, sender=None):
        self.contract, self.log = contract, log or Log(64)
        self.name, self.id = name, contract.node.keccak(name.encode())
        self.sender = sender or contract.node.accounts[3]
        self.registered = contract.send("register", name, self.sender, self.KEY)

    def anchor(self, old_size, size, epoch=1, log=None, root=None, proof=None, sender=None):
        log = log or self.log
        return self.contract.send("anchor", self.id, epoch, old_size, size, log.root(size) if root is None else root,
                                  log.consistency(old_size, size) if proof is None else proof,
                                  sender=sender or self.sender)

    def head(self):
        return self.contract.call("head", self.id)
