"""Measurements that a glucose meter keeps: fetched once and not twice."""

import time

import pytest
from ble_ward import METER, ble, fake  # noqa: F401
from ward import wait_for


@pytest.fixture
def meter(ble):  # noqa: F811
    def start(records, *words, **settings):
        ble.fake.device(METER, "meter", "time", "glucose", *words, f"records={records}")
        ble.device("meter-1", METER, **settings)
        ble.fake.start()
        bond(ble)
        ble.gateway.start()
        return ble
    ble.meter = start
    return ble


def bond(ble):  # noqa: F811
    """As an operator did before."""
    import bluez
    path = "/org/bluez/hci0"
    adapter = bluez.bluez_object(path, "org.bluez.Adapter1")
    ble.fake.call("SetDiscoveryFilter", "a{sv}", {}, to=adapter)
    ble.fake.call("StartDiscovery", to=adapter)
    device = bluez.bluez_object(f"{path}/dev_{METER.replace(':', '_')}", "org.bluez.Device1")
    ble.fake.call("Pair", to=device)
    ble.fake.call("StopDiscovery", to=adapter)
    ble.fake.call("Disconnect", to=device)
    assert ble.fake.state(METER)["bonded"]


def numbers(ble):  # noqa: F811
    return sorted(r["seq"] for r in ble.gateway.readings(vital="glucose"))


def racp(ble):  # noqa: F811
    """What was asked: (operation, operator, number)."""
    return [tuple(line.split()[2:]) for line in ble.fake.log() if " RACP " in line]


def wait_numbers(ble, wanted):  # noqa: F811
    try:
        wait_for(f"records {wanted}", lambda: numbers(ble) == list(wanted))
    except AssertionError:
        raise AssertionError(f"{numbers(ble)} {ble.fake.log()} {ble.source()}") from None


def test_all_are_fetched_once(meter):
    meter.meter(30)
    wait_numbers(meter, range(1, 31))
    meter.fake.drop_link(METER)
    wait_for("it is asked for what is new", lambda: ("01", "03", "31") in racp(meter))
    meter.fake.add_record(METER)
    meter.fake.drop_link(METER)
    wait_numbers(meter, range(1, 32))
    meter.gateway.assert_ledger_verifies()
    assert ("02", "01", "-1") not in racp(meter), "nothing is ever deleted"


def test_a_restart_fetches_nothing_again(meter):
    meter.meter(30)
    wait_numbers(meter, range(1, 31))
    meter.gateway.stop()
    meter.fake.add_record(METER)
    meter.fake.clear()
    meter.gateway.start()
    wait_numbers(meter, range(1, 32))
    assert racp(meter)[0] == ("01", "03", "31")
    assert ("01", "01", "-1") not in racp(meter)


def test_a_kill_fetches_nothing_again(meter):
    meter.meter(40)
    wait_for("some have come", lambda: len(numbers(meter)) > 10)
    meter.gateway.kill()
    meter.gateway.start()
    wait_numbers(meter, range(1, 41))


def test_a_link_that_drops_in_between(meter):
    meter.fake.device(METER, "meter", "glucose", "records=40")
    meter.device("meter-1", METER)
    meter.fake.start()
    bond(meter)
    meter.gateway.start()
    wait_for("some have come", lambda: len(numbers(meter)) > 3)
    meter.fake.drop_at("report")
    wait_numbers(meter, range(1, 41))


def test_new_records_are_asked_for_while_it_is_connected(meter):
    meter.options["records_every"] = "300ms"
    meter.meter(3)
    wait_numbers(meter, range(1, 4))
    meter.fake.add_record(METER)
    wait_numbers(meter, range(1, 5))
    assert meter.counters()["links_lost"] == 0


@pytest.mark.parametrize("call", ["WriteValue"])
@pytest.mark.parametrize("error", ["org.bluez.Error.Failed", "org.bluez.Error.InProgress", "malformed", "hang"])
def test_an_error_of_the_control_point(meter, call, error):
    meter.fake.device(METER, "meter", "glucose", "records=5")
    meter.device("meter-1", METER)
    meter.fake.start()
    bond(meter)
    if error == "hang":
        meter.fake.hang(call)
    else:
        meter.fake.fail_next(call, error)
    meter.gateway.start()
    wait_numbers(meter, range(1, 6))


def test_the_clock_is_set_after_the_records_have_come(meter):
    offset = -9 * 365 * 86400
    meter.meter(5, f"clock={offset}", set_time=True)
    wait_numbers(meter, range(1, 6))
    wait_for("the clock is set", lambda: abs(meter.fake.state(METER)["clock"]) <= 2)
    for r in meter.gateway.readings(vital="glucose"):
        assert abs(r["device_time_us"] / 1e6 - time.time()) < 600, "corrected by what was measured before"
        assert abs(r["device_clock_us"] / 1e6 + -offset - time.time()) < 600
    meter.fake.add_record(METER)
    meter.fake.drop_link(METER)
    wait_numbers(meter, range(1, 7))
    newest = max(meter.gateway.readings(vital="glucose"), key=lambda r: r["seq"])
    assert "device_clock_us" not in newest
    assert abs(newest["device_time_us"] / 1e6 - time.time()) < 60
