"""The ladder of what is done about quiet links and scans, pairing that is wanted, and turns where there are more sensors than
connections."""

import bluez
from ble_ward import BELT, METER, ble, fake  # noqa: F401
from test_ble_faults import flows
from ward import wait_for


def make_habit(ble):  # noqa: F811
    """Values that come regularly, so that their absence means something."""
    ble.fake.wait_notifying(BELT, "2a37")
    ble.fake.stream(20, 8)
    wait_for("a habit", lambda: len(ble.values()) >= 8)


def stale(ble, until, **options):  # noqa: F811
    ble.options.update({"stale_after": "400ms", **options})
    ble.belt()
    ble.start()
    make_habit(ble)
    ble.fake.stale(BELT, until)


def comes_back(ble):  # noqa: F811
    before = len(ble.values())

    def came():
        ble.fake.call("Sample", "ss", BELT, "2a37")
        return len(ble.values()) > before
    wait_for("values flow again", came)


def test_a_stale_subscription_is_made_anew(ble):
    stale(ble, "resubscribe")
    comes_back(ble)
    assert ble.counters()["resubscribed"] >= 1
    assert ble.counters()["power_cycled"] == 0


def test_a_stale_link_is_made_anew(ble):
    stale(ble, "reconnect")
    comes_back(ble)
    counters = ble.counters()
    assert counters["resubscribed"] >= 1 and counters["reconnected"] >= 1


def test_a_stale_adapter_is_switched_off_and_on(ble):
    stale(ble, "power", power_cycle=True)
    ble.wait_alert("BluetoothFailed:belt-1")
    comes_back(ble)
    assert ble.counters()["power_cycled"] >= 1
    ble.wait_alert("BluetoothFailed:belt-1", active=False)


def test_an_adapter_is_not_switched_off_where_that_is_not_allowed(ble):
    stale(ble, "never")
    ble.wait_alert("BluetoothFailed:belt-1")
    assert ble.counters()["power_cycled"] == 0
    assert ble.fake.adapter()["powered"]


def test_an_adapter_that_serves_others_is_not_switched_off(ble):
    ble.options.update({"stale_after": "400ms", "power_cycle": True})
    ble.belt()
    ble.fake.device(METER, "other", "heart-rate")
    ble.device("other-1", METER)
    ble.start()
    ble.fake.wait_notifying(BELT, "2a37")
    ble.fake.wait_notifying(METER, "2a37")
    ble.fake.stream(20, 1000)
    wait_for("a habit", lambda: len(ble.values(device="belt-1")) >= 8)
    ble.fake.stale(BELT, "never")
    ble.wait_alert("BluetoothFailed:belt-1")
    assert ble.counters()["power_cycled"] == 0


def test_a_scan_that_stops_without_a_word_is_started_again(ble):
    ble.options["scan_silence"] = "500ms"
    ble.belt()
    ble.device("away-1", METER)
    ble.start()
    flows(ble)
    ble.fake.stop_scan_silently("restart")
    ble.wait_counter("discovery_restarted")
    ble.fake.drop_link(BELT)
    flows(ble)


def test_a_scan_that_stays_silent_ends_in_an_alert(ble):
    ble.options.update({"scan_silence": "500ms", "power_cycle": True})
    ble.fake.device(BELT, "tag", "heart-rate")
    ble.device("tag-1", BELT, mode="advert")
    ble.start()
    ble.wait_up()
    wait_for("it listens", lambda: ble.fake.adapter()["discovering"])
    ble.fake.stop_scan_silently("power")
    ble.wait_alert("BluetoothFailed:radio")
    ble.wait_counter("power_cycled")
    ble.wait_alert("BluetoothFailed:radio", active=False)


def test_a_device_that_can_not_be_connected_is_told_of(ble):
    ble.options.update({"retry_min": "300ms", "retry_max": "300ms"})
    ble.belt()
    ble.fake.start()
    ble.fake.fail_next("Connect", "org.bluez.Error.Failed", 20)
    ble.gateway.start()
    ble.wait_alert("BluetoothFailed:belt-1")
    assert ble.counters()["discovery_restarted"] >= 1
    flows(ble)
    ble.wait_alert("BluetoothFailed:belt-1", active=False)


# ---- pairing ----

def pair(ble, address=BELT):  # noqa: F811
    device = bluez.bluez_object(f"/org/bluez/hci0/dev_{address.replace(':', '_')}", "org.bluez.Device1")
    ble.fake.call("Pair", to=device)


def test_a_device_that_wants_a_bond_is_told_of(ble):
    ble.belt("sealed")
    ble.start()
    ble.wait_alert("BluetoothPairing:belt-1")
    before = ble.fake.count(f"{BELT} Connect")
    assert ble.fake.count(f"{BELT} Pair") == 0 and ble.fake.count("RegisterAgent") == 0
    pair(ble)
    flows(ble)
    ble.wait_alert("BluetoothPairing:belt-1", active=False)
    assert before <= 3, "it is not tried again and again"


def test_without_the_bond_that_is_required_it_is_not_connected(ble):
    ble.belt(pair="required")
    ble.start()
    ble.wait_alert("BluetoothPairing:belt-1")
    assert ble.fake.count(f"{BELT} Connect") == 0
    pair(ble)
    flows(ble)


def test_a_bond_ends_an_alert_of_the_run_before(ble):
    ble.belt("sealed")
    ble.start()
    ble.wait_alert("BluetoothPairing:belt-1")
    ble.gateway.stop()
    pair(ble)
    ble.gateway.start()
    ble.wait_counter("streaming")
    ble.wait_alert("BluetoothPairing:belt-1", active=False)


# ---- turns ----

def test_more_sensors_than_connections(ble):
    ble.options.update({"connections": 3, "spot_quiet": "300ms", "spot_hold": "500ms", "spot_pause": "100ms"})
    ble.fake.devices(9, "clip", "heart-rate")
    ble.fake.connections(3)
    ble.device("monitor", "C0:00:00:00:00:01")
    for i in range(2, 10):
        ble.device(f"clip-{i}", f"C0:00:00:00:00:{i:02X}", mode="spot")
    ble.start()
    ble.fake.wait_notifying(BELT, "2a37")
    ble.fake.stream(10, 600)
    wait_for("everybody had a turn", lambda: len({r["device"] for r in ble.gateway.readings(vital="hr")}) == 9)
    turns = [ble.fake.count(f"C0:00:00:00:00:{i:02X} Connect") for i in range(2, 10)]
    assert max(turns) - min(turns) <= 2, turns
    assert ble.fake.count(f"{BELT} Connect") == 1, "a monitor keeps its connection"
    assert ble.counters()["connect_failures"] == 0, "never more than there are"


def test_a_spot_check_device_that_has_said_all_is_let_go(ble):
    ble.options.update({"spot_quiet": "300ms", "spot_pause": "1h"})
    ble.belt(mode="spot")
    ble.start()
    ble.fake.sample(BELT, "2a37")
    ble.fake.wait_state(BELT, connected=False)
    assert ble.values() == [60]
