"""A chain for chain-ethereum: an anvil that can be stopped, reset and held back, and a proxy that loses answers.

Keys are those of anvil's test accounts, which everybody knows."""

import http.client
import json
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

import chain_worker
from ward import BUILD, PATIENCE, TOP, end

sys.path[:0] = [str(TOP / "tests/chain"), str(TOP / "tests/verifier")]

import abi  # noqa: E402
from contract import Contract  # noqa: E402
from logs import Log  # noqa: E402
from node import ANVIL, GANACHE, Node, free_port  # noqa: E402

ADMIN, SENDER, OTHER = range(3)  # of anvil's accounts
SENDER_KEY = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
OTHER_KEY = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
NAME = "test-ward.example"
PUBLIC_KEY = bytes(range(32))

__all__ = ["ADMIN", "SENDER", "OTHER", "SENDER_KEY", "OTHER_KEY", "NAME", "PUBLIC_KEY", "Anvil", "Chain", "ChainWorker",
           "Ganache", "Log", "Proxy", "plugin_path", "require_packages", "worker_of"]


def require_packages():
    done = subprocess.run([TOP / "tools/chain-deps"], stdout=subprocess.PIPE, text=True, timeout=400)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout
    if not ANVIL.exists():
        pytest.skip("there is no anvil for this kind of machine")


def plugin_path(build=BUILD):
    return next(build.rglob("chain-ethereum.so"))


def worker_of(gateway):
    """The process id of the connector's worker, or None."""
    for child in Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split():
        try:
            if b"chain-ethereum" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        except OSError:
            pass
    return None


class Anvil(Node):
    """With its state in a file, written when it is stopped and read when it is started."""

    def __init__(self, folder, *options):
        self.folder, self.options, self.port, self.process = folder, options, free_port(), None
        self.start()

    def start(self, *options):
        command = [ANVIL, "--host", "127.0.0.1", "--port", str(self.port), "--state", self.folder / "anvil.json",
                   "--hardfork", "london", "--silent", *self.options, *options]
        self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL,
                                        env={**os.environ, "HOME": str(self.folder), "TMPDIR": str(self.folder)})
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        if self.process and self.process.poll() is None:
            end(self.process, signal.SIGINT)

    def reset(self):
        """The same port and another history: none."""
        self.stop()
        (self.folder / "anvil.json").unlink(missing_ok=True)
        self.start()

    def mine(self, blocks=1):
        self.rpc("anvil_mine", hex(blocks))

    def automine(self, on):
        self.rpc("evm_setAutomine", on)

    def block_number(self):
        return int(self.rpc("eth_blockNumber"), 16)

    def pending(self):
        """Hashes of the transactions that wait."""
        return self.rpc("eth_getBlockByNumber", "pending", False)["transactions"]

    def nonce(self, account, tag="latest"):
        return int(self.rpc("eth_getTransactionCount", self.accounts[account], tag), 16)


class Ganache(Node):
    """Another engine, with the same accounts."""

    def __init__(self, folder):
        self.port = free_port()
        self.process = subprocess.Popen(
            [shutil.which("node"), GANACHE, "--server.host", "127.0.0.1", "--server.port", str(self.port),
             "--chain.hardfork", "london", "--chain.chainId", "31337", "--logging.quiet",
             "--miner.blockGasLimit", "30000000",
             "--wallet.mnemonic", "test test test test test test test test test test test junk"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder)})
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        if self.process.poll() is None:
            end(self.process)

    def pending(self):
        return self.rpc("eth_getBlockByNumber", "pending", False)["transactions"]

    def nonce(self, account, tag="latest"):
        return int(self.rpc("eth_getTransactionCount", self.accounts[account], tag), 16)


class Chain(Contract):
    """The contract with one gateway in it."""

    def __init__(self, node, key=PUBLIC_KEY, name=NAME):
        super().__init__(node, [node.accounts[ADMIN]])
        self.name, self.id = name, node.keccak(name.encode())
        self.send("register", name, node.accounts[SENDER], key)

    def head(self):
        """epoch, size and root."""
        return tuple(self.call("head", self.id)[:3])

    def logs(self):
        return self.node.rpc("eth_getLogs", {"address": self.address, "fromBlock": "0x0", "toBlock": "latest"})

    def anchors(self):
        """(epoch, size, root) of each event, in order."""
        events = [self.event(log) for log in self.logs()]
        return [(e["epoch"], e["size"], e["root"]) for name, e in events if name == "Anchored"]

    def settings(self, folder, **more):
        key = folder / "chain-key"
        key.write_text(SENDER_KEY + "\n")
        key.chmod(0o600)
        return {"endpoints": [f"http://127.0.0.1:{self.node.port}"], "contract": self.address, "chain_id": 31337,
                "key": {"key_file": str(key)}, **more}


class ChainWorker(chain_worker.ChainWorker):
    """With chain-ethereum in it."""

    def __init__(self, config, kept, name=NAME, on_save=None):
        super().__init__(plugin_path(), config, kept, name, on_save)


class Proxy:
    """Stands between the plugin and the node. rule(method, params) may say for each call:
    "lose": the node never hears of it; "mute": it does, and the answer is lost; "twice": it hears it twice;
    an event: the answer waits for it; a dictionary: {"result": ...} or {"error": ...} in place of the node's.
    context: of TLS; authorization: the header without which it answers with status 401."""

    def __init__(self, node, context=None, authorization=None):
        self.node, self.rule, self.calls = node, lambda method, params: None, []
        self.context, self.authorization = context, authorization
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                proxy.handle(self)

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            allow_reuse_address, daemon_threads = True, True

            def handle_error(self, request, client_address):
                """Who does not get through TLS is what is tested."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def forward(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=PATIENCE)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def handle(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        message = json.loads(body)
        self.calls.append(message["method"])
        says = self.rule(message["method"], message.get("params"))
        request.close_connection = True
        try:
            if self.authorization and request.headers["Authorization"] != self.authorization:
                request.send_error(401)
                return
            if says == "lose":
                return
            answer = self.answer(message, body, says)
            if says == "mute":
                return
            if isinstance(says, threading.Event):
                says.wait(PATIENCE)
            request.send_response(200)
            request.send_header("Content-Type", "application/json")
            request.send_header("Connection", "close")
            request.send_header("Content-Length", str(len(answer)))
            request.end_headers()
            request.wfile.write(answer)
        except OSError:
            pass  # the node or the plugin is gone, as intended

    def answer(self, message, body, says):
        if isinstance(says, dict):
            return json.dumps({"jsonrpc": "2.0", "id": message["id"], **says}).encode()
        if says == "twice":
            self.forward(body)
        return self.forward(body)

    def count(self, method):
        return self.calls.count(method)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
