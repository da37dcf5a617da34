"""A whole log: every entry with its body, the blocks, the checkpoints."""

import bodies
import merkle
import notes
from refused import require

# The members of a SEAL's body under the names that the operation `block` gives them.
BLOCK_FIELDS = {"height": 5, "first": 6, "count": 7, "previous_size": 8, "previous_root": 9, "first_us": 10, "last_us": 11,
                "rules": 12, "seal_us": 1, "boot": 3}


def epoch_of(origin):
    return notes.undecimal(origin.rpartition("/")[2], "epoch")


class Log:
    """Refuses what does not hold together as soon as it is built."""

    def __init__(self, key, verified):
        """verified: all entries, each with the checkpoint that it was proven to, in any order; one may be there again, for
        example to an older checkpoint and disclosed."""
        self.key = key
        self.entries = self.merge(verified)
        require(self.entries, "a log without entries")
        self.origin = self.entries[0].checkpoint.origin
        self.headers = []
        self.seal_indexes = []
        self.roots = {0: merkle.sha256(b"")}  # by size, where a block ends
        self.taken_over = 0  # entries of the epoch before that are still to come
        self.taken = set()  # streams and sequences of these and of the recovery
        self.streams = {}  # the next sequence of each
        self.keys = set()
        self.rules = bytes(32)
        self.read()
        for one in verified:
            self.check_checkpoint(one.checkpoint)

    @staticmethod
    def merge(verified):
        entries = {}
        for one in verified:
            same = entries.setdefault(one.index, one)
            require(same.entry == one.entry, f"entry {one.index} is there twice and differs")
            if same.members is None:
                entries[one.index] = one
        return [entries[index] for index in sorted(entries)]

    def read(self):
        tree = merkle.Tree()
        for index, one in enumerate(self.entries):
            require(one.index == index, f"entry {index} is missing")
            if index == 0 and epoch_of(self.origin) > 1:
                self.begin_later_epoch(one)
            if self.taken_over > 0 and index > 0 and one.entry.type != bodies.SEAL:
                self.take_over(one.entry)
            else:
                self.take(one)
            tree.append(merkle.leaf_hash(one.entry.data))
            if one.entry.type == bodies.SEAL:
                self.roots[tree.size] = tree.root()
        require(len(self.entries) in self.roots, "the log does not end with a SEAL")
        require(self.taken_over == 0, "fewer entries than were taken over")

    def begin_later_epoch(self, one):
        require(one.entry.type == bodies.GAP and one.members[5] == bodies.RECOVERY and one.entry.stream == 0,
                "a later epoch that does not begin with a recovery")
        if 11 in one.members:
            old = notes.open_checkpoint(one.members[11].encode(), self.key)
            require(epoch_of(old.origin) < epoch_of(self.origin), "a recovery from an epoch that is not before this one")
        self.taken_over = one.members.get(10, 0)
        self.streams[0] = one.entry.seq
        self.taken.add((0, one.entry.seq))

    def take_over(self, entry):
        """What the epoch before has recorded."""
        self.taken_over -= 1
        place = entry.stream, entry.seq
        require(place not in self.taken, f"stream {entry.stream} has two entries {entry.seq}")
        self.taken.add(place)
        if entry.stream == 0:
            require(entry.seq < self.streams[0], "an entry was taken over from behind the recovery")
        else:
            self.streams[entry.stream] = max(self.streams.get(entry.stream, 0), entry.seq + 1)
        if entry.type == bodies.KEY:
            self.keys.add(entry.key_id)

    def take(self, one):
        """The next entry that this epoch has recorded itself."""
        entry = one.entry
        require(entry.seq == self.streams.get(entry.stream, 0), f"a hole in stream {entry.stream} at entry {one.index}")
        self.streams[entry.stream] = entry.seq + 1
        require(not entry.sealed or entry.key_id in self.keys, f"entry {one.index} is sealed by a key that has not begun")
        if entry.type == bodies.KEY:
            self.keys.add(entry.key_id)
        elif entry.type == bodies.CONFIG:
            self.rules = one.members[6]
        elif entry.type == bodies.SEAL:
            self.take_seal(one)

    def take_seal(self, one):
        header = one.members
        first = self.seal_indexes[-1] + 1 if self.seal_indexes else 0
        where = f"the header of block {len(self.headers)}"
        require(header[5] == len(self.headers), f"{where} has another height")
        require(header[6] == first and header[7] == one.index - first + 1, f"{where} is of other entries")
        require(header[8] == first and header[9] == self.roots[first], f"{where} names another tree before it")
        for member, index in ((10, first), (11, max(first, one.index - 1))):
            # The time in a body that stays sealed is not for us to know.
            other = self.entries[index]
            require(other.members is None or other.members[1] == header[member],
                    f"{where} has another time than entry {other.index}")
        require(header[12] == self.rules, f"{where} names other rules than the CONFIG entry before it")
        self.headers.append(header)
        self.seal_indexes.append(one.index)

    def check_checkpoint(self, checkpoint):
        require(checkpoint.origin == self.origin, f"a checkpoint of {checkpoint.origin} in the log {self.origin}")
        require(checkpoint.size in self.roots, f"a checkpoint of size {checkpoint.size}, where no block ends")
        require(checkpoint.root == self.roots[checkpoint.size], f"a checkpoint with another root at {checkpoint.size}")

    def open_note(self, row):
        """A note that is shown with the fields that it is made of."""
        checkpoint = notes.open_checkpoint(row["note"].encode(), self.key)
        require((row["origin"], row["size"], row["root"]) == (checkpoint.origin, checkpoint.size, checkpoint.root.hex()),
                "a checkpoint that is shown as another one")
        return checkpoint

    def check_head(self, row):
        checkpoint = self.open_note(row)
        self.check_checkpoint(checkpoint)
        require(checkpoint.size == len(self.entries), "the newest checkpoint is of another size")

    def check_anchor(self, row):
        """A line of chain-file's; other epochs are other logs."""
        checkpoint = self.open_note(row)
        if checkpoint.origin != self.origin:
            return False
        self.check_checkpoint(checkpoint)
        return True

    def check_block(self, row):
        height = row["height"]
        require(height in range(len(self.headers)), "a block that is not in the log")
        header = self.headers[height]
        for name, member in BLOCK_FIELDS.items():
            held = header[member].hex() if isinstance(header[member], bytes) else header[member]
            require(row[name] == held, f"block {height} is shown with another {name}")
        require(row["synchronised"] == header.get(4, False), f"block {height} is shown with another clock")
        checkpoint = self.open_note(row)
        self.check_checkpoint(checkpoint)
        require(checkpoint.size == self.seal_indexes[height] + 1, f"block {height} has another's checkpoint")
        shown = [(e["index"], e["stream"], e["seq"], e["bytes"]) for e in row["entries"]]
        held = self.entries[header[6]:header[6] + header[7]]
        require(shown == [(v.index, v.entry.stream, v.entry.seq, len(v.body)) for v in held],
                f"block {height} is shown with other entries")
