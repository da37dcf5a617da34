"""A real Ethereum node of one process on loopback, and how to talk to it."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from ports import free_port  # noqa: E402

PACKAGES = Path(__file__).resolve().parents[2] / "build/chain/node_modules"
ANVIL = PACKAGES / "@foundry-rs/anvil-linux-amd64/bin/anvil"
GANACHE = PACKAGES / "ganache/dist/node/cli.js"


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(error.get("message"))
        data = error.get("data")
        if isinstance(data, dict):
            data = data.get("result") or data.get("data")
        # What a call that reverted gave back.
        self.data = bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") else b""


def result_of(answer):
    if "error" in answer:
        raise RpcError(answer["error"])
    return answer["result"]


class Node:
    """engine: anvil or ganache, both as old as the oldest chain that the contract is meant for. They mine a block for
    each transaction and sign for their own accounts."""

    def __init__(self, engine, folder):
        self.port = free_port()
        port, environment = str(self.port), {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
        if engine == "anvil":
            command = [ANVIL, "--host", "127.0.0.1", "--port", port, "--hardfork", "london", "--silent"]
        else:
            command = [shutil.which("node"), GANACHE, "--server.host", "127.0.0.1", "--server.port", port,
                       "--chain.hardfork", "london", "--logging.quiet", "--miner.blockGasLimit", "30000000"]
        self.process = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def wait(self):
        deadline = time.monotonic() + 30
        while True:
            try:
                self.accounts = self.rpc("eth_accounts")
                return
            except OSError:
                assert self.process.poll() is None, "the node ended"
                assert time.monotonic() < deadline, "the node does not answer"
                time.sleep(0.05)

    def stop(self):
        self.process.kill()
        self.process.wait(10)

    def post(self, message):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/", json.dumps(message), {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def rpc(self, method, *params):
        return result_of(self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))

    def batch(self, method, many):
        """The answers to one method with many parameters, in their order."""
        answers = self.post([{"jsonrpc": "2.0", "id": i, "method": method, "params": p} for i, p in enumerate(many)])
        return sorted(answers, key=lambda answer: answer["id"])

    def keccak(self, data):
        return bytes.fromhex(self.rpc("web3_sha3", "0x" + data.hex())[2:])

    def receipt(self, name):
        """None where there is none yet; geth calls that an error while it begins."""
        try:
            return self.rpc("eth_getTransactionReceipt", name)
        except RpcError as e:
            if "indexing is in progress" not in str(e):
                raise
            return None

    def send(self, sender, data, to=None):
        transaction = {"from": sender, "data": "0x" + data.hex(), "gas": hex(6_000_000)}
        if to:
            transaction["to"] = to
        name = self.rpc("eth_sendTransaction", transaction)
        deadline = time.monotonic() + 60
        while not (receipt := self.receipt(name)):
            assert time.monotonic() < deadline, "the transaction is in no block"
            time.sleep(0.01)
        return receipt
