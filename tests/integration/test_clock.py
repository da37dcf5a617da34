"""A wall clock that steps by years: nothing stops, the ledger says so, order stays."""

import time

import pytest

from ward import packs, senml, wait_for

pytestmark = pytest.mark.timeout(240)

YEAR_US = 365 * 86400 * 1_000_000


@pytest.mark.parametrize("years", [12, -12])
def test_a_step_is_recorded_and_readings_and_alerts_go_on(faulty, broker, listener, years):
    faulty.start()
    faulty.wait_connected()
    broker.publish("ward/d1/senml", [senml("hr", 70), senml("hr", 71)])
    faulty.wait_stored([70, 71])
    clocks = faulty.entry_types().count("CLOCK")

    faulty.set_fault("clock-offset-us", years * YEAR_US)
    wait_for("the step is in the ledger", lambda: faulty.entry_types().count("CLOCK") > clocks)
    # What comes now is of the new time: without a device time, then with one that fits the old time only.
    broker.publish("ward/d1/senml", [senml("hr", 72)])
    broker.publish("ward/d1/senml", [senml("hr", 73, time.time())])
    faulty.wait_stored([70, 71, 72, 73])
    if years > 0:
        # Twelve years back is further than skew_past, and then the device's time is late, not skewed ahead.
        stored = {r["value"]: r for r in faulty.readings(vital="hr")}
        assert stored[73]["flags"], "a device that is years behind is flagged"
    broker.publish("ward/d1/senml", [senml("spo2", 80)])
    listener.expect("an alert", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "active")

    broker.publish("ward/d1/senml", [senml("spo2", 97)])
    listener.expect("its end", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "resolved")
    faulty.assert_ledger_verifies()


@pytest.mark.parametrize("years", [12, -12])
def test_a_step_between_two_runs(faulty, broker, years):
    faulty.start()
    faulty.wait_connected()
    broker.publish("ward/d1/senml", packs(range(60, 80)))
    faulty.wait_stored(range(60, 80))
    faulty.stop()
    faulty.set_fault("clock-offset-us", years * YEAR_US)
    faulty.start()
    faulty.wait_connected()
    assert faulty.status()["ledger"]["epoch"] == 1
    broker.publish("ward/d1/senml", [senml("hr", 80), senml("hr", 81)])
    faulty.wait_stored(range(60, 82))
    indexes = {r["value"]: r["index"] for r in faulty.readings(vital="hr")}
    assert max(indexes[v] for v in range(60, 80)) < indexes[80] < indexes[81]
    wait_for("the boot and the step are in the ledger", lambda: faulty.entry_types().count("CLOCK") == 2)
    faulty.assert_ledger_verifies()


@pytest.mark.short
def test_a_step_back_and_forth(faulty, broker):
    """Decades back and then right again, as when a box without a battery clock starts and finds its time server."""
    faulty.set_fault("clock-offset-us", -40 * YEAR_US)
    faulty.start()
    faulty.wait_connected()
    broker.publish("ward/d1/senml", [senml("hr", 60)])
    faulty.wait_stored([60])
    clocks = faulty.entry_types().count("CLOCK")
    faulty.set_fault("clock-offset-us", 0)
    wait_for("the step is in the ledger", lambda: faulty.entry_types().count("CLOCK") > clocks)
    broker.publish("ward/d1/senml", packs(range(61, 70)))
    faulty.wait_stored(range(60, 70))
    faulty.stop()
    faulty.start()
    faulty.wait_stored(range(60, 70))
    faulty.assert_ledger_verifies()
