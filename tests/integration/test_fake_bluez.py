"""The fake of BlueZ itself, as a central sees it: what other tests believe of it."""

import pytest
from bluez import Bluez, DBusErrorResponse, bluez_object
from jeepney import MatchRule, message_bus, new_method_call
from jeepney.low_level import HeaderFields
from ward import PATIENCE, wait_for

BELT, METER = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
ADAPTER = "/org/bluez/hci0"
BELT_PATH, METER_PATH = (f"{ADAPTER}/dev_{a.replace(':', '_')}" for a in (BELT, METER))

pytestmark = pytest.mark.short


@pytest.fixture
def fake(folder):
    one = Bluez(folder)
    one.device(BELT, "belt", "heart-rate", "battery")
    one.device(METER, "meter", "glucose", "time", "records=5", "clock=-315360000")
    one.start()
    rule = MatchRule(type="signal", sender="org.bluez")
    one.connection.send_and_get_reply(message_bus.AddMatch(rule))
    # jeepney does not know who owns a name
    with one.connection.filter(MatchRule(type="signal"), bufsize=1000) as one.signals:
        yield one
        one.stop()


def adapter(fake, method, signature="", *body):
    return fake.call(method, signature, *body, to=bluez_object(ADAPTER, "org.bluez.Adapter1"))


def device(fake, method, path=BELT_PATH):
    return fake.call(method, to=bluez_object(path, "org.bluez.Device1"))


def objects(fake):
    return fake.call("GetManagedObjects", to=bluez_object("/", "org.freedesktop.DBus.ObjectManager"))


def signals_until(fake, wanted):
    """(member, path, body) of each signal, up to the first for which wanted() holds."""
    seen = []
    while not seen or not wanted(*seen[-1]):
        message = fake.connection.recv_until_filtered(fake.signals, timeout=PATIENCE)
        fields = message.header.fields
        seen.append((fields[HeaderFields.member], fields[HeaderFields.path], message.body))
    return seen


def property_became(name, value=True):
    return lambda member, path, body: member == "PropertiesChanged" and body[1].get(name, (0, None))[1] == value


def attribute(fake, path, uuid):
    def found():
        for where, interfaces in objects(fake).items():
            attributes = interfaces.get("org.bluez.GattCharacteristic1", {})
            if where.startswith(path) and attributes.get("UUID", ("s", ""))[1].startswith(f"0000{uuid}-"):
                return where
        return None
    return bluez_object(wait_for(f"{path} has {uuid}", found), "org.bluez.GattCharacteristic1")


def connect(fake, path=BELT_PATH):
    if not fake.adapter()["discovering"]:
        adapter(fake, "StartDiscovery")
    device(fake, "Connect", path)
    wait_for("services are resolved",
             lambda: objects(fake)[path]["org.bluez.Device1"]["ServicesResolved"][1])


def pair(fake, path):
    device(fake, "Pair", path)


def test_devices_are_seen_by_who_scans(fake):
    assert BELT_PATH not in objects(fake)
    adapter(fake, "SetDiscoveryFilter", "a{sv}", {"Transport": ("s", "le"), "UUIDs": (
        "as", ["0000180d-0000-1000-8000-00805f9b34fb"])})
    adapter(fake, "StartDiscovery")
    seen = objects(fake)
    assert seen[BELT_PATH]["org.bluez.Device1"]["Address"] == ("s", BELT)
    assert "ManufacturerData" not in seen[BELT_PATH]["org.bluez.Device1"]
    assert METER_PATH not in seen  # the filter is for hearts
    with pytest.raises(DBusErrorResponse, match="InProgress"):
        adapter(fake, "StartDiscovery")
    adapter(fake, "StopDiscovery")


def test_signals_come_in_bluez_order(fake):
    connect(fake)
    seen = signals_until(fake, property_became("ServicesResolved"))
    order = [(m, next(iter(b[1]), "")) for m, p, b in seen if p == BELT_PATH or m == "InterfacesAdded"]
    assert ("PropertiesChanged", "Connected") in order
    assert order.index(("PropertiesChanged", "Connected")) < max(
        i for i, (member, _) in enumerate(order) if member == "InterfacesAdded")
    assert order[-1] == ("PropertiesChanged", "ServicesResolved")

    fake.drop_link(BELT)
    seen = signals_until(fake, property_became("Connected", False))
    removed = [i for i, (member, _, _) in enumerate(seen) if member == "InterfacesRemoved"]
    assert removed and max(removed) < len(seen) - 1


def test_connected_can_go_without_saying(fake):
    fake.suppress_connected()
    connect(fake)
    seen = signals_until(fake, property_became("ServicesResolved"))
    assert not any("Connected" in b[1] for m, _, b in seen if m == "PropertiesChanged")


def test_values_reach_who_subscribed(fake):
    connect(fake)
    heart = attribute(fake, BELT_PATH, "2a37")
    assert not fake.notify(BELT, "2a37", b"\x00\x48")
    fake.call("StartNotify", to=heart)
    fake.sample(BELT, "2a37")
    seen = signals_until(fake, lambda m, p, b: m == "PropertiesChanged" and "Value" in b[1])
    assert bytes(seen[-1][2][1]["Value"][1])[:2] == b"\x16\x3c"
    assert fake.count(f"{BELT} StartNotify 2a37") == 1

    fake.stale(BELT, until="reconnect")
    assert not fake.notify(BELT, "2a37", b"\x00\x48")
    device(fake, "Disconnect")
    connect(fake)
    fake.call("StartNotify", to=attribute(fake, BELT_PATH, "2a37"))
    assert fake.notify(BELT, "2a37", b"\x00\x48")


def test_disconnecting_takes_a_while(fake):
    connect(fake)
    heart = attribute(fake, BELT_PATH, "2a37")
    serial = next(fake.connection.outgoing_serial)
    fake.connection.send(new_method_call(bluez_object(BELT_PATH, "org.bluez.Device1"), "Disconnect"), serial=serial)
    device(fake, "Connect")
    with pytest.raises(DBusErrorResponse, match="NotConnected"):
        fake.call("StartNotify", to=heart)
    fake.wait_state(BELT, connected=False)
    connect(fake)


def test_a_link_that_goes_ends_what_was_under_way(fake):
    connect(fake)
    heart = attribute(fake, BELT_PATH, "2a37")
    fake.drop_at("StartNotify")
    with pytest.raises(DBusErrorResponse, match="0x0e"):
        fake.call("StartNotify", to=heart)
    assert not fake.state(BELT)["connected"]


def test_secrets_want_a_bond(fake):
    connect(fake, METER_PATH)
    with pytest.raises(DBusErrorResponse, match="0x0e"):
        fake.call("StartNotify", to=attribute(fake, METER_PATH, "2a18"))
    assert not fake.state(METER)["connected"]

    fake.false_bond(METER)
    pair(fake, METER_PATH)
    assert fake.state(METER)["paired"] and not fake.state(METER)["bonded"]
    with pytest.raises(DBusErrorResponse, match="0x0e"):
        fake.call("StartNotify", to=attribute(fake, METER_PATH, "2a18"))

    fake.false_bond(METER, False)
    pair(fake, METER_PATH)
    assert fake.state(METER)["bonded"]
    fake.call("StartNotify", to=attribute(fake, METER_PATH, "2a18"))


def test_stored_records(fake):
    adapter(fake, "StartDiscovery")
    pair(fake, METER_PATH)
    measurement, control = (attribute(fake, METER_PATH, uuid) for uuid in ("2a18", "2a52"))

    def request(value):
        fake.call("WriteValue", "aya{sv}", bytes(value), {}, to=control)
        seen = signals_until(fake, lambda m, p, b: p == control.object_path and "Value" in b[1])
        values = [(p, bytes(b[1]["Value"][1])) for m, p, b in seen if m == "PropertiesChanged" and "Value" in b[1]]
        return [v for p, v in values if p == measurement.object_path], values[-1][1]

    with pytest.raises(DBusErrorResponse, match="0xfd"):
        request([1, 1])
    fake.call("StartNotify", to=measurement)
    fake.call("StartNotify", to=control)
    records, response = request([1, 1])
    assert [r[1] for r in records] == [1, 2, 3, 4, 5] and response == bytes([6, 0, 1, 1])
    assert len(records[0]) == 15 and records[0][12:14] == bytes([90, 0xb0])  # 90e-5 kg/L
    records, response = request([1, 3, 1, 4, 0])
    assert [r[1] for r in records] == [4, 5] and response == bytes([6, 0, 1, 1])
    assert request([4, 1]) == ([], bytes([5, 0, 5, 0]))
    assert request([1, 3, 1, 9, 0]) == ([], bytes([6, 0, 1, 6]))
    assert request([3, 0]) == ([], bytes([6, 0, 3, 1]))
    fake.add_record(METER)
    assert request([4, 1]) == ([], bytes([5, 0, 6, 0]))


def test_clock_is_read_and_set(fake):
    connect(fake, METER_PATH)
    clock = attribute(fake, METER_PATH, "2a2b")
    value = bytes(fake.call("ReadValue", "a{sv}", {}, to=clock))
    assert len(value) == 10
    fake.call("WriteValue", "aya{sv}", bytes([0xEA, 7, 11, 20, 8, 15, 30, 5, 0, 1]), {}, to=clock)
    assert bytes(fake.call("ReadValue", "a{sv}", {}, to=clock))[:6] == bytes([0xEA, 7, 11, 20, 8, 15])


def test_faults_are_used_up(fake):
    adapter(fake, "StartDiscovery")
    fake.fail_next(f"Connect@{BELT}", "org.bluez.Error.InProgress", 1)
    with pytest.raises(DBusErrorResponse, match="InProgress"):
        device(fake, "Connect")
    fake.drop_at("connecting")
    with pytest.raises(DBusErrorResponse, match="le-connection-abort-by-local"):
        device(fake, "Connect")
    fake.drop_at("resolving")
    device(fake, "Connect")
    wait_for("the link is lost", lambda: fake.log().count(f"{BELT} disconnected") == 2)
    connect(fake)
    assert fake.count(f"{BELT} Connect") == 4


def test_the_daemon_comes_back_empty(fake):
    connect(fake)
    signals_until(fake, property_became("ServicesResolved"))
    fake.restart(None)
    with pytest.raises(DBusErrorResponse, match="ServiceUnknown"):
        objects(fake)
    fake.come_back()
    wait_for("the adapter is back", lambda: ADAPTER in objects(fake))
    assert BELT_PATH not in objects(fake)
    assert not fake.adapter()["discovering"]
    connect(fake)


def test_adapter_goes_and_comes(fake):
    connect(fake)
    fake.remove_adapter()
    assert ADAPTER not in objects(fake) and BELT_PATH not in objects(fake)
    fake.add_adapter()
    assert objects(fake)[ADAPTER]["org.bluez.Adapter1"]["Powered"] == ("b", True)


def test_scan_stops_silently(fake):
    adapter(fake, "StartDiscovery")
    fake.stop_scan_silently("restart")
    fake.vanish(BELT)
    assert fake.adapter()["discovering"]
    fake.advert(BELT, "0x0499", b"\x05")
    assert BELT_PATH not in objects(fake)
    adapter(fake, "StopDiscovery")
    adapter(fake, "StartDiscovery")
    assert objects(fake)[BELT_PATH]["org.bluez.Device1"]["ManufacturerData"] == (
        "a{qv}", {0x0499: ("ay", b"\x05")})


@pytest.mark.parametrize("kind", [
    "string", "numbers", "nested", "none", "empty", "twice", "interface", "body", "no-body", "huge"])
def test_malformed_values_are_sent(fake, kind):
    connect(fake)
    path = attribute(fake, BELT_PATH, "2a37").object_path
    fake.malformed(BELT, "2a37", kind)
    signals_until(fake, lambda m, p, b: p == path and m == "PropertiesChanged")


@pytest.mark.parametrize("kind", [
    "manufacturer-string", "manufacturer-keys", "manufacturer-values", "service-values", "rssi", "connected", "added",
    "added-properties", "removed"])
def test_malformed_adverts_are_sent(fake, kind):
    adapter(fake, "StartDiscovery")
    fake.malformed(BELT, "", kind)
    member = {"added": "InterfacesAdded", "added-properties": "InterfacesAdded", "removed": "InterfacesRemoved"}
    signals_until(fake, lambda m, p, b: m == member.get(kind, "PropertiesChanged"))
