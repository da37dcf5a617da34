"""Fixtures: `broker` (running), `gateway` (configured, not started), `listener` (on the alerts)."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ward import DATA, FAULTS_BUILD, Broker, Gateway, Listener, free_port, remove, wait_for


def pytest_configure(config):
    config.addinivalue_line("markers", "short: also run on the sanitizer builds")
    config.addinivalue_line("markers", "threads: also run under the thread sanitizer")
    config.addinivalue_line("markers", "consortium: takes nodes that have to be built: run on request only")


@pytest.fixture
def folder():
    # Not pytest's own: a UNIX socket's path has room for 107 characters.
    path = Path(tempfile.mkdtemp(prefix="ward-", dir="/tmp"))
    yield path
    remove(path)


@pytest.fixture
def broker(folder):
    b = Broker(folder / "broker")
    b.start()
    yield b
    b.stop()


def serve(folder, broker, **options):
    g = Gateway(folder, broker.port, **options)
    try:
        yield g
    finally:
        try:
            g.stop()
        finally:
            sys.stderr.write(g.text()[-6000:])


@pytest.fixture
def gateway(folder, broker):
    yield from serve(folder, broker)


@pytest.fixture
def faulty(folder, broker):
    """A gateway built with fault switches; set_fault(name, value) throws them."""
    faults = folder / "faults"
    faults.mkdir()
    for g in serve(folder, broker, build=FAULTS_BUILD):
        g.environment["WARDSTONE_FAULTS"] = str(faults)

        def set_fault(name, value):
            # Replaced whole: the daemon may read at any moment.
            (faults / "new").write_text(str(value))
            (faults / "new").rename(faults / name)
        g.set_fault = set_fault
        yield g


@pytest.fixture
def listener(broker):
    one = Listener(broker.port, "alerts/#")
    yield one
    one.close()


@pytest.fixture
def small_disk(folder):
    """A file system of 12 MB for the state; size(n) changes it."""
    path = folder / "state"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", path], capture_output=True,
                             text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture
def vectors():
    if DATA is None or not (DATA / "vectors").is_dir():
        pytest.skip("no test vectors: WARDSTONE_DATA does not name a folder with vectors/")
    return DATA / "vectors"


@pytest.fixture
def port():
    """Of CoAP."""
    return free_port(socket.SOCK_DGRAM)


def add_coap(g, port):
    g.config["coap"] = [{"name": "coap", "plain": {"port": port}}]
    # For what begins right after the daemon said that it is ready.
    start = g.start

    def start_and_wait(**options):
        start(**options)
        wait_for("the source has begun", lambda: g.source("coap")["reason"] != "connecting")
    g.start = start_and_wait
    return g


@pytest.fixture
def coap(gateway, port):
    """A gateway that also takes CoAP."""
    return add_coap(gateway, port)


@pytest.fixture
def coap_faulty(faulty, port):
    return add_coap(faulty, port)
