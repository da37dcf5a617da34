"""Ports for servers of tests, which several processes of pytest start side by side."""

import random
import socket
from pathlib import Path

FIRST = 10_000
given = set()


def own_range():
    """Ports that the kernel gives to nobody by itself: a server that is stopped for a while finds its port again,
    and no connection of another test has it meanwhile."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return range(FIRST, low) if low >= FIRST + 5_000 else None


def is_free(port, kind):
    with socket.socket(type=kind) as s:
        if kind == socket.SOCK_STREAM:  # else two may have it
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(kind=socket.SOCK_STREAM):
    """One that nobody listens on, and that was not given before by this process."""
    ports = own_range()
    for _ in range(1000 if ports else 0):
        port = random.SystemRandom().choice(ports)
        if port not in given and is_free(port, kind):
            given.add(port)
            return port
    with socket.socket(type=kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
