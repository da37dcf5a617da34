"""A gateway whose source is Bluetooth, on a bus of its own with the fake of BlueZ (bluez.py). Test files import the
fixtures `ble` (not started) and `fake`."""

import pytest
import yaml
from bluez import Bluez
from ward import wait_for

BELT = "C0:00:00:00:00:01"
METER = "C0:00:00:00:00:02"
TAG = "C0:00:00:00:00:03"


class BleGateway:
    """Adds a Bluetooth source to a gateway, and devices with their `ble:`."""

    def __init__(self, gateway, fake):
        self.gateway, self.fake = gateway, fake
        gateway.environment.update(fake.environment)
        del gateway.config["mqtt"]
        self.options = {"name": "radio", "retry_min": "100ms", "retry_max": "400ms", "call_timeout": "1s",
                        "connect_timeout": "2s", "resolve_timeout": "1s", "scan_silence": "1h"}
        gateway.config["ble"] = [self.options]
        self.listed = []
        write = gateway.write_config

        def write_config():
            write()
            (gateway.etc / "devices.yaml").write_text(yaml.safe_dump({"devices": self.listed}))
        gateway.write_config = write_config

    def device(self, name, address=None, **settings):
        """Lists a device."""
        self.listed.append({"id": name, "ble": {**({"address": address} if address else {}), **settings}})

    def belt(self, *words, **settings):
        """One heart rate belt, in the fake and on the list."""
        self.fake.device(BELT, "belt", "heart-rate", *words)
        self.device("belt-1", BELT, **settings)

    def start(self):
        self.fake.start()
        self.gateway.start()

    def secret(self, name, hexadecimal):
        path = self.gateway.etc / name
        path.write_text(hexadecimal + "\n")
        path.chmod(0o600)
        return str(path)

    def source(self):
        return self.gateway.status()["sources"][0]

    def counters(self):
        return self.source()["counters"]

    def wait_counter(self, name, at_least=1):
        wait_for(f"{name} is {at_least}", lambda: self.counters()[name] >= at_least)

    def wait_up(self, up=True):
        wait_for(f"the source is {'up' if up else 'down'}", lambda: self.source()["up"] is up)

    def values(self, vital="hr", **arguments):
        return [r["value"] for r in self.gateway.readings(vital=vital, **arguments)]

    def wait_value(self, value, vital="hr"):
        wait_for(f"{vital} {value} is stored", lambda: value in self.values(vital))

    def alerts(self):
        return [a["rule"] for a in self.gateway.technical_alerts()]

    def wait_alert(self, name, active=True):
        wait_for(f"{name} is {active}", lambda: (name in self.alerts()) is active)


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
