"""Hostile packets through a real broker while the daemon is subscribed: it survives and good messages still arrive."""

import json
import socket
import subprocess

import pytest

from ward import packs

pytestmark = pytest.mark.timeout(240)

MQTT_VERSIONS = {3: b"\x00\x06MQIsdp\x03", 4: b"\x00\x04MQTT\x04", 5: b"\x00\x04MQTT\x05"}


def connect_packet(version, name):
    body = MQTT_VERSIONS[version] + b"\x02\x00\x0a" + (b"\x00" if version == 5 else b"")
    body += len(name).to_bytes(2, "big") + name.encode()
    return bytes([0x10, len(body)]) + body


def packet(text):
    """Some cases end in half a byte."""
    digits = "".join(text.split())
    return bytes.fromhex(digits[:len(digits) // 2 * 2])


def play(port, test, name):
    """Sends what the test case says; what the broker answers is the broker's own matter."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        try:
            if test.get("connect", True):
                s.sendall(connect_packet(test.get("ver", 4), name))
                s.recv(64)
            for message in test["msgs"]:
                if message["type"] == "send":
                    s.sendall(packet(message["payload"]))
            s.shutdown(socket.SHUT_WR)
            s.settimeout(0.02)
            s.recv(4096)
        except OSError:
            pass


def test_hostile_packets_harm_nothing(gateway, broker, vectors):
    files = sorted((vectors / "mqtt-packets").glob("*.json"))
    assert files
    # So that what the vectors publish ("topic", "payload") reaches the daemon as well.
    gateway.config["mqtt"][0]["topics"].append({"filter": "+", "device": "{device}", "format": "senml+json"})
    gateway.devices.append("topic")
    gateway.start()
    gateway.wait_connected()
    pid, values, played = gateway.process.pid, [], 0
    for number, path in enumerate(files):
        for group in json.loads(path.read_text()):
            for test in group["tests"]:
                play(broker.port, test, f"hostile-{played}")
                played += 1
        values.append(60 + number)
        broker.publish("ward/d1/senml", packs([values[-1]]))
    assert played > 300
    gateway.wait_stored(values)
    assert gateway.process.poll() is None and gateway.process.pid == pid
    status = gateway.status()
    assert status["sources"][0]["connects"] == 1, "the daemon's own connection was not disturbed"
    assert status["verdicts"]["malformed"] > 0, "the vectors' own messages reached the decoder"
    gateway.assert_ledger_verifies()


@pytest.mark.short
def test_hostile_json_is_refused_and_stalls_nothing(gateway, broker, vectors):
    """Each file of JSONTestSuite as a payload: all are acknowledged, none is stored."""
    files = sorted((vectors / "JSONTestSuite").glob("*.json"))
    assert files
    gateway.start()
    gateway.wait_connected()
    for path in files:
        if path.stat().st_size > 0:
            subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", "ward/d1/senml", "-f", path],
                           check=True, timeout=30)
    broker.publish("ward/d1/senml", packs([77]))
    gateway.wait_stored([77])
    assert len(gateway.readings()) == 1
    status = gateway.status()
    assert status["sources"][0]["connects"] == 1
    assert status["verdicts"]["malformed"] + status["verdicts"].get("no_value", 0) > len(files) // 2
    gateway.assert_ledger_verifies()
