"""Devices that are servers: registered, heard, and asked anew."""

import socket
import time

import pytest

from coap import ACK, CON, NON, RST, SENML_JSON, KeyServer, Library, Server
from ward import free_port, senml, wait_for

pytestmark = pytest.mark.timeout(240)

KEY = b"a key of sixteen."


def stamped(value, vital="hr"):
    return senml(vital, value, time.time())


def observed(port, **more):
    return {"id": "d1", "coap": {"observe": f"coap://127.0.0.1:{port}/vitals", **more}}


@pytest.fixture
def device_port():
    return free_port(socket.SOCK_DGRAM)


@pytest.fixture
def watcher(coap, device_port):
    """A gateway that observes d1, and listens to nobody."""
    coap.config["coap"] = [{"name": "coap"}]
    coap.devices = [observed(device_port), "d2"]
    return coap


@pytest.fixture
def faulty_watcher(coap_faulty, device_port):
    coap_faulty.config["coap"] = [{"name": "coap"}]
    coap_faulty.config["validation"] = {"slow_store": "30s"}
    coap_faulty.devices = [observed(device_port), "d2"]
    return coap_faulty


def counters(g):
    return g.source("coap")["counters"]


def lost(g):
    return [a for a in g.technical_alerts() if a["rule"] == "ObserveLost:d1"]


def test_another_librarys_server_is_observed(watcher, device_port):
    with Library("serve", device_port) as device:
        assert device.read() == "ready"
        watcher.start()
        assert device.read() == "asked 0"
        for value in (60, 61, 62):
            device.write(stamped(value))
            wait_for("it is stored", lambda value=value: value in [r["value"] for r in watcher.readings(vital="hr")])
    watcher.wait_stored([60, 61, 62])


def test_another_librarys_server_is_asked_anew_after_its_restart(watcher, device_port):
    watcher.devices = [observed(device_port, silence="2s"), "d2"]
    for value in (63, 64):
        with Library("serve", device_port) as device:
            assert device.read() == "ready"
            if value == 63:
                watcher.start()
            assert device.read() == "asked 0"
            device.write(stamped(value))
            wait_for("it is stored", lambda value=value: value in [r["value"] for r in watcher.readings(vital="hr")])
    assert counters(watcher)["silences"] >= 1


def test_another_librarys_client_gets_its_answers(coap, port):
    coap.start()
    with Library("send", f"coap://127.0.0.1:{port}/d/d1", SENML_JSON) as client:
        for line, answer in ((stamped(65), "2.04"), ("[{", "4.00 not well-formed JSON, or cut off"),
                             (" " * 3000 + stamped(66), "2.04")):  # that one in blocks
            client.write(line)
            assert client.read() == answer
    coap.wait_stored([65, 66])


@pytest.mark.short
def test_a_registration_brings_readings(watcher, device_port):
    with Server(device_port) as device:
        watcher.start()
        request = device.asked()
        assert [v for n, v in request.options if n == 11] == [b"vitals"]
        device.answer(request, stamped(60), observe=5)
        device.notify(stamped(61), 6)
        device.notify(stamped(62), 7, kind=CON)
        answer = device.receive()
        assert (answer.kind, answer.code, answer.mid) == (ACK, "0.00", device.mid)
        watcher.wait_stored([60, 61, 62])
        assert watcher.source("coap")["frames"] == 3


def test_what_overtook_is_stale(watcher, device_port):
    with Server(device_port) as device:
        watcher.start()
        device.answer(device.asked(), stamped(60), observe=2**24 - 2)
        device.notify(stamped(62), 2**24 - 1)
        device.notify(stamped(61), 2**24 - 2)
        device.notify(stamped(64), 1)  # it went round
        device.notify(stamped(63), 0)
        device.notify(stamped(64), 1)
        device.notify(stamped(65), 2, kind=CON)
        assert device.receive().kind == ACK
        watcher.wait_stored([60, 62, 64, 65])
        assert counters(watcher)["stale"] == 3


def test_a_notification_is_acknowledged_after_the_disk_has_it(faulty_watcher, device_port):
    g = faulty_watcher
    with Server(device_port) as device:
        g.start()
        device.answer(device.asked(), stamped(60), observe=5)
        g.wait_stored([60])
        g.set_fault("commit-delay-us", 1_500_000)
        data = device.notify(stamped(61), 6, kind=CON)
        with pytest.raises(TimeoutError):
            device.receive(0.5)
        device.write(data)  # it is repeated meanwhile
        g.set_fault("commit-delay-us", 0)
        assert device.receive().kind == ACK
        assert [r["value"] for r in g.readings(vital="hr")] == [60, 61]
    assert g.source("coap")["frames"] == 2


def test_what_is_wrong_is_set_aside_and_acknowledged(watcher, device_port):
    with Server(device_port) as device:
        watcher.start()
        device.answer(device.asked(), stamped(60), observe=5)
        device.notify("{", 6, kind=CON)
        assert device.receive().kind == ACK
        wait_for("it is set aside", lambda: watcher.control("quarantine"))
        assert watcher.control("quarantine")[0]["origin"] == "coap://127.0.0.1/vitals"
        device.notify(stamped(61), 7, options=[(23, 8)])  # the first of more blocks
        wait_for("it is said", lambda: lost(watcher))


def test_a_store_that_fails_acknowledges_nothing_and_asks_anew(faulty_watcher, device_port, listener):
    g = faulty_watcher
    with Server(device_port) as device:
        g.start()
        device.answer(device.asked(), stamped(60), observe=5)
        g.wait_stored([60])
        g.set_fault("commit-error", 1)
        device.notify(stamped(61), 6, kind=CON)
        wait_for("the store is down", lambda: g.status()["state"] == "store-down")
        device.notify(stamped(82, "spo2"), 7, kind=CON)
        listener.expect("an alert", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "active")
        with pytest.raises(TimeoutError):
            device.receive(0.5)
        g.set_fault("commit-error", 0)
        device.answer(device.asked(), stamped(62), observe=8)
        wait_for("what it has now is stored", lambda: 62 in [r["value"] for r in g.readings(vital="hr")])


def test_a_notification_that_nobody_asked_for_is_reset(watcher, device_port):
    with Server(device_port) as device:
        watcher.start()
        device.answer(device.asked(), stamped(60), observe=5)
        watcher.wait_stored([60])
        device.notify(stamped(61), 6, token=b"old", kind=NON)
        assert device.receive().kind == RST
        device.notify(stamped(61), 6, token=b"old", kind=CON)
        assert device.receive().kind == RST
    watcher.wait_stored([60])


@pytest.mark.short
def test_a_device_that_refuses_is_asked_again_and_said(watcher, device_port):
    with Server(device_port) as device:
        watcher.start()
        device.answer(device.asked(), code=0x84, observe=None)  # 4.04
        wait_for("an alert says so", lambda: lost(watcher))
        assert "4.04" in lost(watcher)[0]["summary"]
        request = device.asked()
        device.write(bytes([0x70, 0]) + request.mid.to_bytes(2, "big"))  # a reset
        device.answer(device.asked(), stamped(60), observe=5)
        wait_for("the alert is over", lambda: not lost(watcher))
    watcher.wait_stored([60])
    assert counters(watcher)["registrations"] == 3


def test_a_device_that_is_not_there_is_asked_until_it_is(watcher, device_port):
    watcher.start()
    wait_for("an alert says so", lambda: lost(watcher))
    with Server(device_port) as device:
        device.answer(device.asked(), stamped(60), observe=5)
        watcher.wait_stored([60])
        wait_for("the alert is over", lambda: not lost(watcher))


def test_silence_is_asked_about(watcher, device_port):
    watcher.devices = [observed(device_port, silence="1s")]
    with Server(device_port) as device:
        watcher.start()
        first = device.asked()
        device.answer(first, stamped(60), observe=5)
        second = device.asked()
        assert second.token == first.token, "the same registration (RFC 7641 3.3.1)"
        device.answer(second, stamped(61), observe=6)
        watcher.wait_stored([60, 61])


def test_a_restart_registers_anew(watcher, device_port):
    with Server(device_port) as device:
        watcher.start()
        device.answer(device.asked(), stamped(60), observe=5)
        watcher.wait_stored([60])
        watcher.kill()
        watcher.start(write=False)
        device.answer(device.asked(), stamped(61), observe=6)
        watcher.wait_stored([60, 61])


def test_a_reload_begins_and_ends_observing(watcher, device_port):
    other = free_port(socket.SOCK_DGRAM)
    with Server(device_port) as device, Server(other) as another:
        watcher.start()
        device.answer(device.asked(), stamped(60), observe=5)
        watcher.wait_stored([60])
        watcher.devices = [observed(device_port), {"id": "d2", "coap": {"observe": f"coap://127.0.0.1:{other}/vitals"}}]
        watcher.write_config()
        watcher.control("reload")
        another.answer(another.asked(), stamped(61), observe=5)
        device.notify(stamped(62), 6, kind=CON)
        assert device.receive().kind == ACK, "it goes on as it was"
        watcher.wait_stored([60, 61, 62])
        watcher.devices = ["d1", "d2"]
        watcher.write_config()
        watcher.control("reload")
        another.notify(stamped(63), 6, kind=CON)
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            assert another.receive(1).kind == RST
            raise TimeoutError
    watcher.wait_stored([60, 61, 62])


def test_a_device_is_observed_through_dtls(watcher, device_port):
    key = watcher.etc / "d1.key"
    key.write_text(KEY.hex() + "\n")
    key.chmod(0o600)
    watcher.devices = [{"id": "d1", "coap": {"observe": f"coaps://127.0.0.1:{device_port}/vitals?unit=std",
                                             "identity": "Client_identity", "key_file": str(key)}}]
    with KeyServer(device_port, KEY) as device:
        watcher.start()
        request = device.asked()
        assert [v for n, v in request.options if n in (11, 15)] == [b"vitals", b"unit=std"]
        device.answer(request, stamped(60), observe=5)
        watcher.wait_stored([60])  # what is written before would go into one datagram
        device.notify(stamped(61), 6, kind=CON)
        assert device.receive().kind == ACK
    watcher.wait_stored([60, 61])
