"""Bluetooth sensors: the daemon with a BlueZ that does as it is told. What each service says ends in the ledger; who is not
on the list is left alone."""

import time

import pytest
from ble_ward import BELT, METER, TAG, ble, fake  # noqa: F401
from ward import wait_for

SERVICES = [
    # service, characteristic, vital, the first two values
    ("heart-rate", "2a37", "hr", [60, 61]),
    ("thermometer", "2a1c", "temp", [36.5, 36.6]),
    ("oximeter", "2a5f", "spo2", [95, 96]),
    ("oximeter", "2a5e", "spo2", [95, 96]),
    ("blood-pressure", "2a35", "sbp", [110, 111]),
    ("scale", "2a9d", "weight", [70, 70.5]),
    ("battery", "2a19", "battery", [90, 89]),
]


@pytest.mark.parametrize("service, uuid, vital, values", SERVICES, ids=lambda v: str(v) if isinstance(v, str) else "")
def test_each_service_ends_in_the_ledger(ble, service, uuid, vital, values):
    ble.fake.device(BELT, "sensor", service)
    ble.device("sensor-1", BELT)
    ble.start()
    ble.fake.wait_notifying(BELT, uuid)
    if uuid != "2a19":  # the battery has been read already
        ble.fake.sample(BELT, uuid)
    else:
        ble.fake.sample(BELT, uuid)
    ble.fake.sample(BELT, uuid)
    for value in values:
        ble.wait_value(value, vital)
    assert ble.gateway.readings(vital=vital)[0]["device"] == "sensor-1"
    assert ble.counters()["malformed"] == 0
    ble.gateway.assert_ledger_verifies()


def test_a_sensor_with_all_services(ble):
    words = [s for s, *_ in SERVICES if s != "oximeter"] + ["oximeter"]
    ble.fake.device(BELT, "sensor", *dict.fromkeys(words))
    ble.device("sensor-1", BELT)
    ble.start()
    ble.fake.wait_notifying(BELT, *[u for _, u, *_ in SERVICES])
    ble.fake.stream(20, 10)
    wait_for("ten heart rates", lambda: len(ble.values("hr")) == 10)
    assert sorted(ble.values("hr")) == list(range(60, 70))


def test_who_is_not_listed_is_not_connected(ble):
    ble.belt()
    ble.fake.device(METER, "stranger", "heart-rate")
    ble.start()
    ble.fake.sample(BELT, "2a37")
    ble.gateway.wait_stored([60])
    assert ble.fake.count(f"{METER} Connect") == 0
    assert ble.counters()["unlisted"] >= 1


def test_the_name_does_not_matter(ble):
    ble.belt("late-name")
    ble.fake.device(METER, "belt", "heart-rate")
    ble.start()
    ble.fake.sample(BELT, "2a37")
    ble.gateway.wait_stored([60])
    assert not ble.fake.state(METER)["connected"]


def test_a_wrong_kind_of_address_is_not_it(ble):
    ble.belt("public", address_type="random")
    ble.fake.device(METER, "other", "heart-rate")
    ble.device("other-1", METER, address_type="random")
    ble.start()
    ble.fake.sample(METER, "2a37")
    ble.gateway.wait_stored([60])
    assert ble.fake.count(f"{BELT} Connect") == 0


def test_a_private_address_is_resolved_with_a_key(ble):
    # Core Specification, Vol 3, Part H, D.7: the sample data of ah().
    ble.fake.device("70:81:94:0D:FB:AA", "ring", "heart-rate")
    ble.device("ring-1", irk_file=ble.secret("irk", "ec0234a357c8ad05341010a60a397d9b"))
    ble.start()
    ble.fake.sample("70:81:94:0D:FB:AA", "2a37")
    ble.gateway.wait_stored([60])


def test_twenty_devices(ble):
    ble.options["connections"] = 20
    ble.fake.devices(20, "belt", "heart-rate")
    for i in range(1, 21):
        ble.device(f"belt-{i}", f"C0:00:00:00:00:{i:02X}")
    ble.start()
    for i in range(1, 21):
        ble.fake.wait_notifying(f"C0:00:00:00:00:{i:02X}", "2a37")
    ble.fake.stream(10, 20)
    wait_for("all of them", lambda: len(ble.values()) == 400)
    counts = {}
    for r in ble.gateway.readings(vital="hr"):
        counts[r["device"]] = counts.get(r["device"], 0) + 1
    assert counts == {f"belt-{i}": 20 for i in range(1, 21)}
    # everybody is there: nobody needs to be listened for
    wait_for("discovery has stopped", lambda: not ble.fake.adapter()["discovering"])


def test_an_alert_is_raised(ble, listener):
    ble.fake.device(BELT, "clip", "oximeter")
    ble.device("clip-1", BELT)
    ble.start()
    ble.fake.wait_notifying(BELT, "2a5f")
    ble.fake.notify(BELT, "2a5f", bytes([0, 80, 0, 60, 0]))
    listener.expect("the alert", lambda a: a.get("rule") == "SpO2Low")


def test_a_reload_changes_the_list(ble):
    ble.belt()
    ble.fake.device(METER, "other", "heart-rate")
    ble.start()
    ble.fake.sample(BELT, "2a37")
    ble.device("other-1", METER)
    ble.gateway.write_config()
    ble.gateway.control("reload")
    ble.fake.sample(METER, "2a37")
    ble.fake.sample(BELT, "2a37")
    ble.gateway.wait_stored([60, 60, 61])
    assert ble.fake.count(f"{BELT} Connect") == 1, "what did not change goes on"
    del ble.listed[0]
    ble.gateway.write_config()
    ble.gateway.control("reload")
    ble.fake.wait_state(BELT, connected=False)


# ---- the device's clock ----

YEARS = 9 * 365 * 86400


def test_a_clock_that_is_years_off_is_corrected(ble):
    ble.fake.device(BELT, "thermometer", "time", "thermometer", f"clock={-YEARS}")
    ble.device("thermometer-1", BELT)
    ble.start()
    before = time.time()
    ble.fake.sample(BELT, "2a1c")
    reading = wait_for("the reading", lambda: ble.gateway.readings(vital="temp"))[0]
    assert abs(reading["device_time_us"] / 1e6 - before) < 60
    assert abs(reading["device_clock_us"] / 1e6 + YEARS - before) < 60
    assert "time_skewed" not in reading["flags"]


def test_a_clock_that_is_right_is_believed(ble):
    ble.fake.device(BELT, "thermometer", "time", "thermometer")
    ble.device("thermometer-1", BELT)
    ble.start()
    ble.fake.sample(BELT, "2a1c")
    reading = wait_for("the reading", lambda: ble.gateway.readings(vital="temp"))[0]
    assert abs(reading["device_time_us"] / 1e6 - time.time()) < 60
    assert "device_clock_us" not in reading


def test_a_clock_that_nobody_can_read_is_not_believed(ble):
    ble.fake.device(BELT, "thermometer", "thermometer", f"clock={-YEARS}")
    ble.device("thermometer-1", BELT)
    ble.start()
    ble.fake.sample(BELT, "2a1c")
    reading = wait_for("the reading", lambda: ble.gateway.readings(vital="temp"))[0]
    assert "device_time_us" not in reading
    assert abs(reading["device_clock_us"] / 1e6 + YEARS - time.time()) < 60


@pytest.mark.parametrize("point", ["ReadValue", "malformed"])
def test_a_clock_that_fails_to_be_read_stops_nothing(ble, point):
    ble.fake.device(BELT, "thermometer", "time", "thermometer")
    ble.device("thermometer-1", BELT)
    ble.fake.start()
    if point == "malformed":
        ble.fake.fail_next("ReadValue", "malformed", 1)
    else:
        ble.fake.fail_next("ReadValue", "org.bluez.Error.Failed", 1)
    ble.gateway.start()
    ble.fake.sample(BELT, "2a1c")
    wait_for("the reading", lambda: ble.gateway.readings(vital="temp"))
    assert ble.counters()["clock_failures"] == 1


def test_a_clock_is_set_where_that_is_allowed(ble):
    ble.fake.device(BELT, "thermometer", "time", "thermometer", f"clock={-YEARS}")
    ble.fake.device(METER, "other", "time", "thermometer", f"clock={-YEARS}")
    ble.device("thermometer-1", BELT, set_time=True)
    ble.device("other-1", METER)
    ble.start()
    ble.fake.wait_notifying(METER, "2a1c")
    wait_for("it is set", lambda: abs(ble.fake.state(BELT)["clock"]) <= 2)
    assert ble.fake.state(METER)["clock"] == -YEARS

    def timed():
        """What comes before the clock was read again has no time of its own."""
        ble.fake.sample(BELT, "2a1c")
        return [r for r in ble.gateway.readings(vital="temp") if "device_time_us" in r]
    reading = wait_for("a reading with its time", timed)[0]
    assert abs(reading["device_time_us"] / 1e6 - time.time()) < 60
    assert ble.counters()["clocks_set"] == 1


def test_a_clock_that_can_not_be_set_is_corrected(ble):
    ble.fake.device(BELT, "thermometer", "time", "thermometer", f"clock={-YEARS}", "clock-locked")
    ble.device("thermometer-1", BELT, set_time=True)
    ble.start()
    ble.wait_counter("clock_failures")
    ble.fake.sample(BELT, "2a1c")
    reading = wait_for("the reading", lambda: ble.gateway.readings(vital="temp"))[0]
    assert abs(reading["device_time_us"] / 1e6 - time.time()) < 60
