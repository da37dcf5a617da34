"""A consortium of four: geth nodes that seal blocks in turn (Clique), each in a network namespace of its own, with a switch in
between whose cables can be pulled. Nothing of it is seen by the machine's own network: each node's JSON-RPC is on its
namespace's loopback, and reached over a port of ours on which a Plug stands."""

import ctypes
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evm import Node
from node import RpcError
from ports import free_port
from ward import PATIENCE, TOP, end, wait_for

GETH = TOP / "build/geth/geth"
CHAIN_ID = 7704
PERIOD = 1  # seconds a block
STUCK = 10  # without a block
SIGNERS = 4
PASSWORD = "of the test"
RICH = hex(10**24)
RPC_PORT = 8545
CLONE_NEWNET = 0x40000000


def require_geth():
    done = subprocess.run([TOP / "tools/geth-deps"], stdout=subprocess.PIPE, text=True, timeout=1000)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout


def ip(*arguments, check=True):
    return subprocess.run(["ip", *map(str, arguments)], check=check, capture_output=True, text=True, timeout=PATIENCE)


def connected_in(namespace, port):
    """A socket to that namespace's loopback. Only the calling thread goes there."""
    with open(f"/run/netns/{namespace}") as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


class Plug:
    """A port on our loopback that leads to one in a namespace."""

    def __init__(self, namespace, port):
        self.namespace, self.target, self.port = namespace, port, free_port()
        self.server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            there = connected_in(self.namespace, self.target)
        except OSError:
            client.close()  # the node is not there
            return
        back = threading.Thread(target=self.pump, args=(there, client), daemon=True)
        back.start()
        self.pump(client, there)

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


class Switch:
    """A bridge in a namespace of its own, and a namespace with one cable to it for each signer."""

    def __init__(self, count):
        self.names = [f"ward{os.getpid()}-{i}" for i in range(count)]
        self.hub = f"ward{os.getpid()}-hub"
        self.made = []
        try:
            self.make()
        except (subprocess.CalledProcessError, FileNotFoundError) as e:
            self.remove()
            pytest.skip(f"no network namespaces can be made here: {getattr(e, 'stderr', e)}".strip())

    def make(self):
        for name in (self.hub, *self.names):
            ip("netns", "add", name)
            self.made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.hub, "link", "add", "switch", "type", "bridge")
        ip("-n", self.hub, "link", "set", "switch", "up")
        for i, name in enumerate(self.names):
            ip("-n", self.hub, "link", "add", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", self.hub, "link", "set", f"port{i}", "master", "switch", "up")
            ip("-n", name, "address", "add", f"{address(i)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")

    def plug(self, i, inside):
        ip("-n", self.hub, "link", "set", f"port{i}", "up" if inside else "down")

    def remove(self):
        for name in self.made:
            ip("netns", "delete", name, check=False)


def address(i):
    return f"10.77.0.{i + 1}"


class Signer(Node):
    def __init__(self, folder, i, namespace, genesis, keys, consortium):
        self.folder, self.i, self.namespace = folder, i, namespace
        self.consortium = consortium
        self.process = None
        folder.mkdir()
        (folder / "password").write_text(PASSWORD)
        self.accounts = list(keys)
        for address, key in keys.items():
            self.import_key(address, key)
        self.geth("init", genesis)
        self.plug = Plug(namespace, RPC_PORT)
        self.port = self.plug.port

    def geth(self, *arguments):
        done = subprocess.run([GETH, "--datadir", self.folder, *map(str, arguments)], capture_output=True, text=True,
                              timeout=PATIENCE, env={**os.environ, "HOME": str(self.folder)})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def import_key(self, address, key):
        (self.folder / "key").write_text(key)
        text = self.geth("account", "import", "--lightkdf", "--password", self.folder / "password", self.folder / "key")
        (self.folder / "key").unlink()
        assert address[2:] in text.lower()

    def start(self):
        command = ["ip", "netns", "exec", self.namespace, GETH, "--datadir", self.folder, "--networkid", CHAIN_ID,
                   "--nodiscover", "--netrestrict", "10.77.0.0/24", "--nat", f"extip:{address(self.i)}",
                   "--syncmode", "full", "--gcmode", "archive", "--ipcdisable", "--authrpc.port", "0", "--verbosity", "2", "--cache", "64", "--maxpeers", 20,
                   "--http", "--http.addr", "127.0.0.1", "--http.port", RPC_PORT, "--http.api", "eth,net,web3,admin,miner,debug",
                   "--miner.etherbase", self.accounts[0], "--unlock", ",".join(self.accounts), "--password",
                   self.folder / "password", "--allow-insecure-unlock", "--rpc.txfeecap", "0"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, "HOME": str(self.folder)})
        wait_for("the node answers", self.answers)
        self.enode = self.rpc("admin_nodeInfo")["enode"]

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            return self.rpc("eth_chainId") == hex(CHAIN_ID)
        except (OSError, ValueError):
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            end(self.process)

    def close(self):
        self.stop()
        self.plug.close()

    def block_number(self):
        return int(self.rpc("eth_blockNumber"), 16)

    def block_hash(self, number):
        block = self.rpc("eth_getBlockByNumber", hex(number), False)
        return block and block["hash"]

    def peers(self):
        return int(self.rpc("net_peerCount"), 16)

    def nonce(self, account, tag="latest"):
        # Any node's, also where the first is cut off.
        return int(self.rpc("eth_getTransactionCount", self.consortium.accounts[account], tag), 16)


class Consortium:
    """Keys by their addresses; the last is the gateway's, the others the signers'. accounts: the first signer's, who is the
    admin, and the gateway's."""

    def __init__(self, folder, keys):
        self.folder, self.signers = folder, []
        addresses = list(keys)
        self.accounts = [addresses[0], addresses[-1]]
        self.switch, self.away, self.stopping = Switch(SIGNERS), set(), threading.Event()
        self.watch = threading.Thread(target=self.unlock_when_stuck, daemon=True)
        try:
            self.write_genesis(addresses)
            with ThreadPoolExecutor(SIGNERS) as pool:
                own = [{a: keys[a]} for a in addresses[:SIGNERS]]
                own[0][addresses[-1]] = keys[addresses[-1]]
                self.signers = list(pool.map(self.make_signer, range(SIGNERS), own))
                list(pool.map(Signer.start, self.signers))
            self.introduce()
        except BaseException:
            self.close()
            raise

    def make_signer(self, i, keys):
        return Signer(self.folder / f"signer{i}", i, self.switch.names[i], self.folder / "genesis.json", keys, self)

    def write_genesis(self, addresses):
        forks = ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul",
                 "berlin", "london")
        signers = sorted(a[2:] for a in addresses[:SIGNERS])
        (self.folder / "genesis.json").write_text(json.dumps({
            "config": {"chainId": CHAIN_ID, **{f"{fork}Block": 0 for fork in forks},
                       "clique": {"period": PERIOD, "epoch": 30000}},
            "difficulty": "1", "gasLimit": hex(30_000_000), "baseFeePerGas": hex(10**9),
            "extradata": "0x" + "00" * 32 + "".join(signers) + "00" * 65,
            "alloc": {a: {"balance": RICH} for a in addresses}}))

    def introduce(self):
        """There is no discovery. Of each two one calls the other: geth drops both calls where they cross, and takes half a
        minute until the next."""
        for i, one in enumerate(self.signers):
            for other in self.signers[:i]:
                one.rpc("admin_addPeer", other.enode)
        wait_for("all are connected", lambda: all(s.peers() == SIGNERS - 1 for s in self.signers), 2 * PATIENCE)
        for signer in self.signers:  # not before: each would begin a chain of its own
            signer.rpc("miner_start")
        self.watch.start()

    def unlock_when_stuck(self):
        """Clique can lock itself: where signers have sealed beside each other on several branches of the same weight, each
        waits for the others. Whoever operates one sets the heads back, and so is done here."""
        seen, since = 0, time.monotonic()
        while not self.stopping.wait(1):
            try:
                present = [s for i, s in enumerate(self.signers) if i not in self.away and s.process.poll() is None]
                height = max(s.block_number() for s in present)
                if height != seen:
                    seen, since = height, time.monotonic()
                elif time.monotonic() - since > STUCK:
                    for signer in present:
                        signer.rpc("debug_setHead", hex(max(height - 3, 0)))
                    seen, since = 0, time.monotonic()
            except (OSError, ValueError, RpcError, http.client.HTTPException):
                pass  # one is being stopped or started

    def restart(self, i):
        """One that was stopped is there again, and has what the others have."""
        signer = self.signers[i]
        signer.start()
        for other in self.signers:
            if other is not signer:
                signer.rpc("admin_addPeer", other.enode)
        height = max(s.block_number() for s in self.signers)
        wait_for("it has caught up", lambda: signer.block_number() > height, 2 * PATIENCE)
        signer.rpc("miner_start")

    def cut_off(self, i):
        self.away.add(i)
        self.switch.plug(i, False)

    def join(self, i):
        self.switch.plug(i, True)
        self.away.discard(i)

    def agree(self):
        """All have the same chain up to the lowest of their heads; returns its number, or None."""
        height = min(s.block_number() for s in self.signers)
        return height if len({s.block_hash(height) for s in self.signers}) == 1 else None

    def keystore(self):
        """The gateway's key, as geth keeps it."""
        mark = self.accounts[1][2:]
        return next(p for p in (self.signers[0].folder / "keystore").iterdir() if p.name.endswith(mark))

    def logs(self):
        return "".join((s.folder / "log").read_text()[-1500:] for s in self.signers if (s.folder / "log").exists())

    def close(self):
        self.stopping.set()
        if self.watch.is_alive():
            self.watch.join(PATIENCE)
        for signer in self.signers:
            signer.close()
        self.switch.remove()
