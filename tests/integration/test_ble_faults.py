"""Bluetooth when things go wrong: errors on each call, links that drop in each state, signals that do not come or are not
what they should be, the adapter and bluetoothd going and coming back. In the end readings flow again."""

import subprocess

import pytest
from ble_ward import BELT, METER, ble, fake  # noqa: F401
from ward import wait_for


def flows(ble, address=BELT, uuid="2a37", vital="hr"):
    """A new value comes through."""
    before = len(ble.values(vital))
    try:
        ble.fake.sample(address, uuid)
    except AssertionError:
        raise AssertionError(f"{ble.fake.log()} {ble.source()}") from None
    wait_for("a new value is stored", lambda: len(ble.values(vital)) > before)


ERRORS = ["org.bluez.Error.Failed", "org.bluez.Error.InProgress", "org.bluez.Error.NotReady",
          "org.bluez.Error.NotConnected", "org.freedesktop.DBus.Error.UnknownObject", "malformed"]
CALLS = ["GetManagedObjects", "SetDiscoveryFilter", "StartDiscovery", "Connect", "StartNotify", "ReadValue"]


@pytest.mark.parametrize("call", CALLS)
def test_an_error_on_each_call(ble, call):
    ble.belt("battery")
    ble.fake.start()
    for error in ERRORS:
        ble.fake.fail_next(call, error)
    ble.gateway.start()
    flows(ble)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_hangs(ble, call):
    ble.belt("battery")
    ble.fake.start()
    ble.fake.hang(call)
    ble.gateway.start()
    flows(ble)


def test_services_that_are_never_resolved(ble):
    ble.belt()
    ble.fake.start()
    ble.fake.hang("resolving")
    ble.gateway.start()
    flows(ble)
    assert ble.fake.count(f"{BELT} Connect") == 2


def test_connecting_is_tried_again(ble):
    ble.belt()
    ble.fake.start()
    ble.fake.fail_next("Connect", "org.bluez.Error.Failed", 5)
    ble.gateway.start()
    flows(ble)
    assert ble.counters()["connect_failures"] == 5


def test_connected_is_not_signalled(ble):
    ble.belt()
    ble.fake.start()
    ble.fake.suppress_connected()
    ble.gateway.start()
    flows(ble)
    ble.fake.drop_link(BELT)
    flows(ble)


@pytest.mark.parametrize("point", ["connecting", "connected", "resolving", "resolved", "Connect", "StartNotify",
                                   "ReadValue"])
def test_the_link_drops_in_each_state(ble, point):
    ble.belt("battery", "time")
    ble.fake.start()
    ble.fake.drop_at(point)
    ble.gateway.start()
    flows(ble)
    ble.fake.wait_notifying(BELT, "2a37", "2a19")


def test_a_subscription_is_made_anew_after_each_reconnection(ble):
    ble.belt()
    ble.start()
    for _ in range(3):
        flows(ble)
        ble.fake.drop_link(BELT)
    flows(ble)
    assert ble.fake.count(f"{BELT} StartNotify 2a37") == 4
    ble.gateway.assert_ledger_verifies()


def test_out_of_range_and_back(ble):
    ble.belt()
    ble.start()
    flows(ble)
    ble.fake.range(BELT, False)
    ble.fake.wait_state(BELT, connected=False)
    ble.wait_counter("connect_failures", 2)
    ble.fake.range(BELT, True)
    flows(ble)


def test_the_object_goes_and_comes_back(ble):
    ble.belt()
    ble.start()
    flows(ble)
    ble.fake.vanish(BELT)
    flows(ble)


def test_the_adapter_is_unplugged_and_comes_back(ble):
    ble.belt()
    ble.start()
    flows(ble)
    ble.fake.remove_adapter()
    ble.wait_up(False)
    ble.wait_alert("SourceDown:radio")
    ble.fake.add_adapter()
    ble.wait_up()
    flows(ble)
    ble.wait_alert("SourceDown:radio", active=False)
    wait_for("the gap is sealed", lambda: ble.gateway.entry_types().count("GAP") >= 1)


def test_an_adapter_that_is_off_stays_off(ble):
    ble.belt()
    ble.start()
    flows(ble)
    ble.fake.remove_adapter()
    ble.fake.add_adapter(powered=False)
    ble.wait_up(False)
    assert "off" in ble.source()["reason"]
    assert ble.fake.count("Set Powered") == 0


def test_an_adapter_that_is_off_is_switched_on_where_that_is_allowed(ble):
    ble.options["power_cycle"] = True
    ble.belt()
    ble.start()
    flows(ble)
    ble.fake.remove_adapter()
    ble.fake.add_adapter(powered=False)
    flows(ble)


def test_bluetoothd_is_restarted(ble):
    ble.belt()
    ble.start()
    for _ in range(3):
        flows(ble)
        ble.fake.restart(0.1)
        ble.fake.wait_state(BELT, connected=False)
    flows(ble)
    assert ble.counters()["daemon_restarts"] == 3


def test_bluetoothd_is_not_there_at_first(ble):
    ble.belt()
    ble.fake.start()
    ble.fake.restart(None)
    ble.gateway.start()
    ble.wait_alert("SourceDown:radio")
    assert "bluetoothd does not run" in ble.source()["reason"]
    ble.fake.come_back()
    flows(ble)


def test_the_bus_is_not_there_at_first(ble):
    ble.belt()
    ble.gateway.start()
    ble.wait_up(False)
    ble.fake.start()
    flows(ble)


MALFORMED = ["string", "numbers", "nested", "none", "empty", "twice", "interface", "body", "no-body", "huge"]
MALFORMED_DEVICE = ["manufacturer-string", "manufacturer-keys", "manufacturer-values", "service-values", "rssi",
                    "connected", "added", "added-properties", "removed"]


def test_malformed_signals_harm_nothing(ble):
    ble.belt()
    ble.start()
    flows(ble)
    for kind in MALFORMED:
        ble.fake.malformed(BELT, "2a37", kind)
    for kind in MALFORMED_DEVICE:
        ble.fake.malformed(BELT, "", kind)
    flows(ble)
    assert ble.values() == [60, 61]
    assert ble.counters()["malformed"] >= 12
    assert ble.fake.count(f"{BELT} Connect") == 1


def test_values_that_are_none_are_set_aside(ble):
    ble.belt()
    ble.start()
    flows(ble)
    ble.fake.notify(BELT, "2a37", b"\x01")
    wait_for("it is in quarantine", lambda: ble.gateway.control("quarantine"))
    flows(ble)


def test_somebody_elses_signals_are_not_believed(ble):
    ble.belt()
    ble.start()
    flows(ble)
    path = "/org/bluez/hci0/dev_C0_00_00_00_00_01/service0010/char0011"
    for _ in range(3):
        subprocess.run(["busctl", f"--address={ble.fake.bus.address}", "emit", path, "org.freedesktop.DBus.Properties",
                        "PropertiesChanged", "sa{sv}as", "org.bluez.GattCharacteristic1", "1", "Value", "ay", "2", "0",
                        "200", "0"], check=True)
    names = subprocess.run(["busctl", f"--address={ble.fake.bus.address}", "list", "--no-legend"], check=True,
                           capture_output=True, text=True).stdout.split("\n")
    daemon = next(line.split()[0] for line in names if "wardstoned" in line)
    subprocess.run(["busctl", f"--address={ble.fake.bus.address}", "emit", f"--destination={daemon}", path,
                    "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", "org.bluez.GattCharacteristic1",
                    "1", "Value", "ay", "2", "0", "200", "0"], check=True)
    ble.wait_counter("foreign")
    flows(ble)
    assert ble.values() == [60, 61]


def test_the_gateway_is_killed_and_started_again(ble):
    ble.belt()
    ble.start()
    flows(ble)
    ble.gateway.kill()
    ble.gateway.start()
    ble.wait_counter("streaming")
    flows(ble)
    assert ble.values() == [60, 61]
