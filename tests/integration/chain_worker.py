"""A chain plugin in its worker, with the gateway's side of save() and load()."""

from plugin_worker import PluginWorker
from ward import wait_for


class ChainWorker(PluginWorker):
    """What was saved outlives it in `kept`, a dictionary of the test's. on_save may kill the worker instead: before it is
    kept by returning False, afterwards by doing it itself; a dictionary is the answer in place of the gateway's."""

    def __init__(self, plugin, config, kept, name, on_save=None, **open_with):
        self.kept, self.name, self.on_save = kept, name, on_save
        self.saves = 0
        super().__init__(plugin, config, **open_with)

    def receive(self):
        while True:
            message = super().receive()
            if "request" not in message:
                return message
            self.send({"answer": self.grant(message["request"])})

    def grant(self, request):
        if request["op"] == "load":
            return {"r": 0, "state": self.kept.get("state", "")}
        self.saves += 1
        says = self.on_save(self) if self.on_save else None
        if isinstance(says, dict):
            return says
        if says is not False:
            self.kept["state"] = request["state"]
        return {"r": 0}

    def head(self, epoch=1):
        return self.call("head", origin=f"{self.name}/{epoch}")

    def poll(self, epoch=1):
        return self.call("poll", origin=f"{self.name}/{epoch}")

    def note(self, log, size, epoch):
        """The signed checkpoint; not looked at by a plugin that does not read it."""
        return "not looked at"

    def anchor_arguments(self, log, old_size, size, epoch=1):
        return {"origin": f"{self.name}/{epoch}", "note": self.note(log, size, epoch), "old_size": old_size, "size": size,
                "root": log.root(size).hex(), "proof": [h.hex() for h in log.consistency(old_size, size)]}

    def anchor(self, log, old_size, size, epoch=1):
        return self.call("anchor", **self.anchor_arguments(log, old_size, size, epoch))

    def anchored(self, log, old_size, size, epoch=1):
        """anchor(), and what became of it where the node took a moment to put it into a block."""
        reply = self.anchor(log, old_size, size, epoch)
        return self.settle(epoch) if reply["r"] == 0 and reply["pending_size"] else reply

    def anchor_unanswered(self, log, old_size, size, epoch=1):
        self.send({"id": 99, "op": "anchor", **self.anchor_arguments(log, old_size, size, epoch)})

    def settle(self, epoch=1):
        """Polls until nothing is pending, and returns what the chain has then."""
        def settled():
            reply = self.poll(epoch)
            return reply if reply["r"] == 0 and reply["pending_size"] == 0 else None
        return wait_for("nothing is pending", settled)
