"""CoAP with thousands of peers, and over a network that loses, doubles and reorders datagrams: what was confirmed is in
the ledger once, and what the daemon keeps of its peers stays within limits."""

from collections import Counter
from pathlib import Path

import pytest

from coap_peers import BadNetwork, Peers, free_udp_port, listen_on_coap, recorded
from ward import wait_for

pytestmark = pytest.mark.timeout(300)

SESSIONS = 5000
DEVICES = 250  # shared by twenty sessions each: what is tried here are peers
SUBJECTS = 25  # a key of each is made durable with its first reading


@pytest.fixture
def peers(folder):
    """Starts coap-load; peers(port, sessions, options...)."""
    started = []

    def start(port, sessions, **options):
        started.append(Peers(port, sessions, folder / f"journal-{len(started)}", **options))
        return started[-1]
    yield start
    for one in started:
        one.close()


def start(gateway, devices, **limits):
    port = free_udp_port()
    listen_on_coap(gateway, port, devices, **limits)
    gateway.start()
    for i, device in enumerate(gateway.devices):
        gateway.control("assign", device=device, subject=f"bed-{i % SUBJECTS}")
    return port


def counters(gateway):
    return gateway.status()["sources"][0]["counters"]


def pss_kib(gateway):
    for line in Path(f"/proc/{gateway.process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("no Pss")


def assert_confirmed(load, count):
    result = load.wait(150)
    assert result["acknowledged"] == count and result["refused"] == 0, result
    return result


def assert_recorded(gateway, *loads):
    """Each reading was confirmed once and is in the ledger once, and no other is."""
    confirmed = sum((load.confirmed() for load in loads), start=Counter())
    assert set(confirmed.values()) == {1}
    assert recorded(gateway) == confirmed


def test_five_thousand_peers(gateway, peers):
    port = start(gateway, DEVICES, sessions=SESSIONS)
    memory, loads = [pss_kib(gateway)], []
    for _ in range(3):
        loads.append(peers(port, SESSIONS, devices=DEVICES, count=1))
        assert_confirmed(loads[-1], SESSIONS)
        memory.append(pss_kib(gateway))
    assert_recorded(gateway, *loads)
    # The first wave takes about 2.5 KiB a session, and devices and subjects what they take; those that follow come from
    # other ports and replace the old sessions.
    assert memory[1] - memory[0] < 32 * 1024, memory
    assert memory[3] - memory[2] < 4 * 1024, memory


def test_limits_are_kept(gateway, peers):
    many, sessions, outstanding = 2000, 400, 100
    port = start(gateway, DEVICES, sessions=sessions, outstanding=outstanding)
    load = peers(port, many, devices=DEVICES, count=1)
    seen = []

    def is_over():
        seen.append(counters(gateway))
        return load.process.poll() is not None
    wait_for("all are confirmed", is_over, 150)
    assert assert_confirmed(load, many)["unavailable"] > 0
    assert_recorded(gateway, load)
    # Sessions whose answers wait for the disk are not idle.
    assert max(c["sessions"] for c in seen) <= sessions + outstanding, seen[-1]
    assert max(c["outstanding"] for c in seen) <= outstanding, seen[-1]
    assert seen[-1]["outstanding_full"] > 0


def test_silent_sessions_are_forgotten(faulty, peers):
    faulty.set_fault("coap-session-seconds", 3)
    port = start(faulty, 200)
    load = peers(port, 200, count=3)
    assert_confirmed(load, 600)
    assert counters(faulty)["sessions"] == 200
    wait_for("the sessions are forgotten", lambda: counters(faulty)["sessions"] == 0)
    again = peers(port, 200, count=1)
    assert_confirmed(again, 200)
    assert_recorded(faulty, load, again)


@pytest.mark.short
def test_datagrams_lost_doubled_and_out_of_order(gateway, peers):
    port = start(gateway, 50)
    network = BadNetwork(port, seed=20261130)
    network.start()
    load = peers(network.port, 200, devices=50, count=25, ack_timeout=0.2)
    result = assert_confirmed(load, 5000)
    network.stop()
    assert all(network.counts[what] > 500 for what in ("lost", "doubled", "delayed")), network.counts
    assert result["retransmitted"] > 500, result
    assert counters(gateway)["retransmissions"] > 500
    assert_recorded(gateway, load)
    gateway.assert_ledger_verifies()
