"""Bluetooth sensors: the daemon with a BlueZ that does as it is told."""

import time

import pytest
import yaml
from bluez import Bluez
from ward import wait_for

BELT = "C0:00:00:00:00:01"


class BleGateway:
    """Adds a Bluetooth source to a gateway, and devices with their `ble:`."""

    def __init__(self, gateway, fake):
        self.gateway, self.fake = gateway, fake
        gateway.environment.update(fake.environment)
        del gateway.config["mqtt"]
        self.options = {"name": "radio", "retry_min": "100ms", "retry_max": "500ms", "call_timeout": "1s",
                        "connect_timeout": "2s", "resolve_timeout": "1s"}
        gateway.config["ble"] = [self.options]
        self.listed = []
        write = gateway.write_config

        def write_config():
            write()
            (gateway.etc / "devices.yaml").write_text(yaml.safe_dump({"devices": self.listed}))
        gateway.write_config = write_config

    def device(self, id, address=None, **ble):
        self.listed.append({"id": id, "ble": {**({"address": address} if address else {}), **ble}})

    def start(self):
        self.fake.start()
        self.gateway.start()

    def counters(self):
        return self.gateway.status()["sources"][0]["counters"]


@pytest.fixture
def fake(folder):
    f = Bluez(folder)
    yield f
    f.stop()


@pytest.fixture
def ble(gateway, fake):
    g = BleGateway(gateway, fake)
    yield g
    gateway.stop()


def test_a_heart_rate_ends_in_the_ledger(ble):
    ble.fake.device(BELT, "belt", "heart-rate", "battery")
    ble.device("belt-1", BELT)
    ble.start()
    ble.fake.sample(BELT, "2a37")
    ble.fake.sample(BELT, "2a37")
    ble.gateway.wait_stored([60, 61])
    ble.gateway.wait_stored([90], vital="battery")
    print(ble.gateway.status()["sources"], ble.fake.log())
