"""A plugin in its worker, driven as the daemon drives it."""

import json
import os
import socket
import subprocess
import tempfile

from ward import PATIENCE, program


class PluginWorker:
    """A wardstone-worker with its socket as descriptor 3. What the plugin says unasked is kept in `said`."""

    def __init__(self, plugin, config, **open_with):
        self.last_id = 0
        self.said = []
        self.log = tempfile.TemporaryFile("w+")
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        os.set_inheritable(theirs.fileno(), True)
        command = f'exec "$0" test "$1" 3<&{theirs.fileno()}'
        self.process = subprocess.Popen(["bash", "-c", command, program("wardstone-worker"), plugin],
                                        pass_fds=[theirs.fileno()], stderr=self.log)
        theirs.close()
        self.opened = self.ask({"id": 0, "op": "open", "config": config, **open_with})

    def send(self, message):
        self.socket.send(json.dumps(message).encode())

    def receive(self):
        """The next message that is a reply."""
        while True:
            message = json.loads(self.socket.recv(65536))
            if "said" not in message:
                return message
            self.said.append(message["said"])

    def expect_said(self):
        """The oldest thing said that no one has asked for yet."""
        if not self.said:
            self.said.append(json.loads(self.socket.recv(65536))["said"])
        return self.said.pop(0)

    def ask(self, message):
        self.send(message)
        return self.receive()

    def call(self, op, **arguments):
        self.last_id += 1
        return self.ask({"id": self.last_id, "op": op, **arguments})

    def deliver(self, notice):
        return self.call("deliver", notice=notice)

    def refresh(self, *alerts, first=True, last=True):
        return self.call("refresh", gateway="test-ward.example", first=first, last=last, alerts=list(alerts))

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def logged(self):
        """What the plugin logged until now."""
        return os.pread(self.log.fileno(), 1 << 20, 0).decode()

    def close(self):
        """Returns what the plugin logged. One that was not killed before must end in order."""
        killed = self.process.returncode is not None
        self.socket.close()
        assert self.process.wait(PATIENCE) == 0 or killed, self.logged()
        return self.logged()


def alert(state="active", ident="a1b2", **more):
    return {"id": ident, "rule": "SpO2Low", "state": state, "transition": "raised", "priority": "high", **more}


def notice(*alerts, key="a1b2:raised", more=0):
    return {"key": key, "kind": "alert" if len(alerts) == 1 else "group", "gateway": "test-ward.example",
            "priority": "high", "summary": "SpO2 85 % in 3B", "alerts": list(alerts), "more": more}
