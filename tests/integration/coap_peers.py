"""Many CoAP devices, and a network that loses, doubles and reorders what they send."""

import heapq
import itertools
import json
import random
import select
import socket
import subprocess
import threading
import time
from collections import Counter

from ward import PATIENCE, end, program


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def device_names(count):
    """What coap-load calls its devices."""
    return [f"load-{i:04d}" for i in range(count)]


def listen_on_coap(gateway, port, devices, **limits):
    """A gateway with CoAP as its only source, nobody to tell, and no limit on how often one address speaks."""
    del gateway.config["mqtt"]
    gateway.config["receivers"] = []
    gateway.config["coap"] = [{"name": "peers", "plain": {"address": "127.0.0.1", "port": port}, "observe": False,
                               "limits": {"device_rate": 1e6, "peer_rate": 1e6, **limits}}]
    gateway.devices = device_names(devices)


class Peers:
    """One coap-load: sessions that send readings until each is confirmed. `result` is what it said at its end."""

    def __init__(self, port, sessions, journal=None, **options):
        self.journal = journal
        self.result = None
        command = [str(program("coap-load")), "--port", str(port), "--sessions", str(sessions)]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        if journal:
            command += ["--journal", str(journal)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def wait(self, seconds=PATIENCE):
        """Until all is confirmed."""
        out, _ = self.process.communicate(timeout=seconds)
        assert out, f"coap-load: exit status {self.process.returncode}"
        self.result = json.loads(out)
        assert self.process.returncode == 0, self.result
        return self.result

    def stop(self, seconds=PATIENCE):
        """Nothing new; returns when all that was under way is confirmed."""
        self.process.terminate()
        return self.wait(seconds)

    def close(self):
        """For a test that failed."""
        if self.process.poll() is None:
            end(self.process)

    def confirmed(self):
        """(device, time in us) of each reading that was confirmed, as often as it was."""
        whole = self.journal.read_text().rpartition("\n")[0]
        pairs = (line.split() for line in whole.splitlines())
        return Counter((device, int(time_us)) for device, time_us in pairs)


def recorded(gateway):
    """(device, time in us) of each reading in the ledger, as often as it is there."""
    command = [str(program("wardstone", gateway.build)), "--socket", gateway.config["control"]["socket"]]
    out = subprocess.run([*command, "readings", "--limit", "0", "--json"], capture_output=True, text=True, check=True,
                         timeout=300).stdout
    readings = (json.loads(line) for line in out.splitlines())
    return Counter((r["device"], r["device_time_us"]) for r in readings)


class BadNetwork(threading.Thread):
    """Between devices and a server: of each direction's datagrams some are lost, some come twice, some late. Each device
    keeps an address of its own. What it did is counted."""

    def __init__(self, server_port, seed, lose=0.1, double=0.2, delay=0.3, delay_max=0.3):
        super().__init__(daemon=True)
        self.rng = random.Random(seed)
        self.lose, self.double, self.delay, self.delay_max = lose, double, delay, delay_max
        self.server = ("127.0.0.1", server_port)
        self.front = self._socket()
        self.front.bind(("127.0.0.1", 0))
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.port = self.front.getsockname()[1]
        self.poll = select.epoll()
        self.poll.register(self.front, select.EPOLLIN)
        self.back = {}  # device address -> socket towards the server
        self.devices = {}  # descriptor of that -> (socket, device address)
        self.waiting = []  # (due, number, send, datagram)
        self.numbers = itertools.count()
        self.counts = Counter()
        self.stopping = False

    @staticmethod
    def _socket():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setblocking(False)
        return s

    def run(self):
        while not self.stopping:
            for fd, _ in self.poll.poll(self._patience()):
                self._take(fd)
            self._send_due()
        for s, _ in self.devices.values():
            s.close()
        self.front.close()
        self.poll.close()

    def stop(self):
        self.stopping = True
        self.join(PATIENCE)

    def _patience(self):
        return min(0.05, max(0.0, self.waiting[0][0] - time.monotonic())) if self.waiting else 0.05

    def _take(self, fd):
        while True:
            try:
                if fd == self.front.fileno():
                    datagram, address = self.front.recvfrom(2048)
                    self._pass_on(self._towards_server(address).send, datagram)
                else:
                    s, address = self.devices[fd]
                    datagram = s.recv(2048)
                    self._pass_on(lambda d, a=address: self.front.sendto(d, a), datagram)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue

    def _towards_server(self, address):
        if address not in self.back:
            s = self._socket()
            s.connect(self.server)
            self.back[address] = s
            self.devices[s.fileno()] = (s, address)
            self.poll.register(s, select.EPOLLIN)
        return self.back[address]

    def _pass_on(self, send, datagram):
        self.counts["passed"] += 1
        if self.rng.random() < self.lose:
            self.counts["lost"] += 1
            return
        copies = 1
        while self.rng.random() < self.double and copies < 4:
            self.counts["doubled"] += 1
            copies += 1
        for _ in range(copies):
            late = self.rng.random() < self.delay
            self.counts["delayed"] += late
            due = time.monotonic() + (self.rng.uniform(0, self.delay_max) if late else 0)
            heapq.heappush(self.waiting, (due, next(self.numbers), send, datagram))
            self.counts["sent"] += 1

    def _send_due(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, send, datagram = heapq.heappop(self.waiting)
            try:
                send(datagram)
            except (BlockingIOError, ConnectionRefusedError):
                pass  # one more that was lost
