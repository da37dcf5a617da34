"""WardstoneAnchors on a node: its functions by name, its errors as exceptions, its events as dictionaries."""

import json
from pathlib import Path

import abi
from node import RpcError

ARTIFACT = Path(__file__).resolve().parents[2] / "plugins/chain-ethereum/contract/WardstoneAnchors.json"


class Refused(Exception):
    """args: the error's name and what it carries."""


class Contract:
    def __init__(self, node, admins):
        artifact = json.loads(ARTIFACT.read_text())
        self.node, self.admin = node, node.accounts[0]
        self.functions, self.errors, self.events = {}, {}, {}
        for item in artifact["abi"]:
            kinds = [i["type"] for i in item["inputs"]]
            name = item.get("name")
            signature = node.keccak(f"{name}({','.join(kinds)})".encode())
            if item["type"] == "function":
                self.functions[name] = signature[:4], kinds, [o["type"] for o in item["outputs"]]
            elif item["type"] == "error":
                self.errors[signature[:4]] = name, kinds
            elif item["type"] == "event":
                self.events[signature] = name, item["inputs"]
        creation = bytes.fromhex(artifact["bytecode"][2:]) + abi.encode(["address[]"], [admins])
        self.deployment = node.send(self.admin, creation)
        self.address = self.deployment["contractAddress"]
        if int(self.deployment["status"], 16) == 0:
            raise Refused("constructor")

    def data(self, function, *args):
        selector, kinds, _ = self.functions[function]
        return selector + abi.encode(kinds, args)

    def request(self, function, *args, sender=None):
        return {"from": sender or self.admin, "to": self.address, "data": "0x" + self.data(function, *args).hex(),
                "gas": hex(6_000_000)}

    def refusal(self, data):
        name, kinds = self.errors[data[:4]]
        return Refused(name, *abi.decode(kinds, data[4:]))

    def call(self, function, *args, sender=None):
        """What it would answer, as a list; nothing is changed."""
        try:
            answer = self.node.rpc("eth_call", self.request(function, *args, sender=sender), "latest")
        except RpcError as e:
            raise self.refusal(e.data) from None
        return abi.decode(self.functions[function][2], bytes.fromhex(answer[2:]))

    def send(self, function, *args, sender=None):
        """The receipt of a transaction. What is refused is sent all the same, and has to fail there too."""
        try:
            self.call(function, *args, sender=sender)
        except Refused:
            assert int(self.receipt(function, *args, sender=sender)["status"], 16) == 0
            raise
        receipt = self.receipt(function, *args, sender=sender)
        assert int(receipt["status"], 16) == 1
        return receipt

    def receipt(self, function, *args, sender=None):
        return self.node.send(sender or self.admin, self.data(function, *args), self.address)

    def events_of(self, receipt):
        return [self.event(log) for log in receipt["logs"]]

    def event(self, log):
        topics = [bytes.fromhex(t[2:]) for t in log["topics"]]
        name, inputs = self.events[topics[0]]
        plain = [i for i in inputs if not i["indexed"]]
        values = dict(zip((i["name"] for i in plain),
                          abi.decode([i["type"] for i in plain], bytes.fromhex(log["data"][2:]))))
        for i, topic in zip((i for i in inputs if i["indexed"]), topics[1:]):
            values[i["name"]] = abi.decode_word(i["type"], topic)
        return name, values
