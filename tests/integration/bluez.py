"""A bus of its own with the fake of BlueZ (tests/ble/fake-bluez.c), and its control interface for tests.

    fake = Bluez(folder)
    fake.device("C0:00:00:00:00:01", "belt", "heart-rate", "battery")
    fake.start()
    gateway.environment.update(fake.environment)
    ...
    fake.sample("C0:00:00:00:00:01", "2a37")

What the methods and the devices' words mean is said in tests/ble/fake-control.c and fake-bluez.c."""

import os
import subprocess

from jeepney import DBusAddress, DBusErrorResponse, new_method_call
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg
from ward import BUILD, PATIENCE, end, program, wait_for

FAKE = DBusAddress("/org/wardstone/Fake", bus_name="org.wardstone.Fake", interface="org.wardstone.Fake1")
NEVER_RETURN = 2 ** 64 - 1

# Not <type>system</type>, which would ask for policies. Everybody may own and send everything.
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class Bus:
    """A D-Bus daemon in a folder, whose path must be short."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bus.conf").write_text(BUS.format(folder=folder))

    @property
    def address(self):
        return f"unix:path={self.folder}/bus"

    @property
    def environment(self):
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.address}

    def start(self):
        with open(self.folder / "bus.log", "ab") as log:
            self.process = subprocess.Popen(
                ["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def listens():
            assert self.process.poll() is None, (self.folder / "bus.log").read_text()
            return (self.folder / "bus").exists()
        wait_for("the bus listens", listens)

    def stop(self):
        if self.process:
            end(self.process)
            (self.folder / "bus").unlink(missing_ok=True)
        self.process = None


class Bluez:
    """The fake. Methods are those of its control interface; `devices` is read by start()."""

    def __init__(self, folder, build=BUILD):
        self.folder = folder / "bluez"
        self.build = build
        self.bus = Bus(self.folder)
        self.arguments = []
        self.process = self.connection = None

    @property
    def environment(self):
        return self.bus.environment

    def device(self, address, name, *words):
        self.arguments += ["--device", ",".join([f"{address}={name}", *words])]

    def devices(self, count, name, *words):
        """C0:00:00:00:00:01 and on."""
        self.arguments += ["--devices", ",".join([f"{count}={name}", *words])]

    def connections(self, most):
        self.arguments += ["--connections", str(most)]

    def start(self):
        self.bus.start()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [program("fake-bluez", self.build), *self.arguments], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **self.environment})
        said = self.process.stdout.readline()
        assert said == "ready\n", (self.folder / "log").read_text()
        self.connection = open_dbus_connection(bus=self.bus.address)

    def stop(self):
        """An orderly end is a clean one, also for the sanitizers."""
        if self.connection:
            self.connection.close()
        try:
            if self.process:
                status = end(self.process)
                self.process.stdout.close()
                assert status == 0, (self.folder / "log").read_text()
        finally:
            self.connection = self.process = None
            self.bus.stop()

    def call(self, method, signature="", *body, to=FAKE):
        """What a method returns: nothing, one value, or all of them."""
        message = new_method_call(to, method, signature or None, body)
        reply = unwrap_msg(self.connection.send_and_get_reply(message, timeout=PATIENCE))
        return reply[0] if len(reply) == 1 else reply or None

    # ---- values ----

    def notify(self, device, uuid, value):
        """Whether anybody is subscribed and was told."""
        return self.call("Notify", "ssay", device, uuid, bytes(value))

    def sample(self, device, uuid):
        """Waits until it is subscribed, then notifies the next value of tests/ble/profile.h."""
        wait_for(f"{device} {uuid} is subscribed", lambda: self.call("Sample", "ss", device, uuid))

    def stream(self, hz, count):
        self.call("Stream", "uu", hz, count)

    def advert(self, device, key, value):
        """key: a company as "0x0499", or the UUID of service data."""
        self.call("Advert", "ssay", device, key, bytes(value))

    # ---- devices ----

    def state(self, device):
        names = ("connected", "resolved", "paired", "bonded", "trusted", "clock", "notifying")
        return dict(zip(names, self.call("State", "s", device)))

    def wait_state(self, device, **wanted):
        wait_for(f"{device}: {wanted}", lambda: wanted.items() <= self.state(device).items())

    def wait_notifying(self, device, *uuids):
        wait_for(f"{device} is subscribed to {uuids}", lambda: all(
            any(n.startswith(f"0000{uuid}-") for n in self.state(device)["notifying"]) for uuid in uuids))

    def range(self, device, within):
        self.call("Range", "sb", device, within)

    def drop_link(self, device):
        self.call("DropLink", "s", device)

    def vanish(self, device):
        self.call("Vanish", "s", device)

    def stale(self, device, until="reconnect"):
        self.call("Stale", "ss", device, until)

    def add_record(self, device):
        self.call("AddRecord", "s", device)

    def set_clock(self, device, offset):
        self.call("SetClock", "sx", device, offset)

    def false_bond(self, device, on=True):
        self.call("FalseBond", "sb", device, on)

    # ---- faults ----

    def fail_next(self, point, error="org.bluez.Error.Failed", count=1):
        self.call("FailNext", "ssu", point, error, count)

    def hang(self, point, count=1):
        self.call("Hang", "su", point, count)

    def drop_at(self, point, count=1):
        self.call("DropAt", "su", point, count)

    def suppress_connected(self, on=True):
        self.call("SuppressConnected", "b", on)

    def stop_scan_silently(self, until="restart"):
        self.call("StopScanSilently", "s", until)

    def malformed(self, device, uuid, kind):
        self.call("Malformed", "sss", device, uuid, kind)

    # ---- adapter and daemon ----

    def adapter(self):
        return dict(zip(("powered", "discovering", "agent"), self.call("Adapter")))

    def remove_adapter(self):
        self.call("RemoveAdapter")

    def add_adapter(self, powered=True):
        self.call("AddAdapter", "b", powered)

    def restart(self, seconds=0.1):
        """As if bluetoothd were killed and started again; None: it stays away until come_back()."""
        self.call("Restart", "t", NEVER_RETURN if seconds is None else int(seconds * 1e6))

    def come_back(self):
        self.call("Return")

    # ---- what was done to it ----

    def counters(self):
        """Calls since clear(): {"C0:00:00:00:00:01 StartNotify 2a37": 1, "StartDiscovery": 1, ...}"""
        return self.call("Counters")

    def count(self, what):
        return self.counters().get(what, 0)

    def log(self):
        return self.call("Log")

    def clear(self):
        self.call("Clear")


def bluez_object(path, interface):
    """An object of the fake, for call(..., to=), as a central sees it."""
    return DBusAddress(path, bus_name="org.bluez", interface=interface)


__all__ = ["Bluez", "Bus", "DBusErrorResponse", "bluez_object"]
