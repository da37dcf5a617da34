"""A ledger that was damaged, rolled back or signed by another key: a new epoch or a refusal, never two histories."""

import shutil

import pytest

from ward import packs, wait_for

pytestmark = pytest.mark.timeout(240)

BEFORE = range(40, 140)


@pytest.fixture
def used(gateway, broker):
    """A gateway that has stored readings, sealed them, and is stopped."""
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs(BEFORE))
    gateway.wait_stored(BEFORE)
    gateway.stop()
    return gateway


def store(gateway, broker, values):
    gateway.wait_connected()
    broker.publish("ward/d1/senml", packs(values))
    wait_for("new readings are stored",
             lambda: set(map(float, values)) <= {r["value"] for r in gateway.readings(vital="hr")})


def assert_new_epoch(gateway, broker):
    head = gateway.status()["ledger"]
    assert head["epoch"] == 2
    assert list(gateway.state.glob("ledger.epoch-1.*")), "the old database is kept"
    assert any("epoch" in a["summary"] for a in gateway.technical_alerts()), gateway.technical_alerts()
    store(gateway, broker, [150, 151])
    wait_for("a block of the new epoch", lambda: "GAP" in gateway.entry_types())
    assert gateway.entry_types()[0] == "GAP", "the first entry names the old checkpoint"
    assert gateway.control("checkpoint")[0]["origin"].endswith("/2")
    gateway.assert_ledger_verifies()
    chain = gateway.status()["chains"][0]
    assert chain["health"] != "contradicted", chain


def database(gateway, suffix):
    files = sorted((gateway.state / "ledger").glob("*" + suffix), key=lambda p: p.stat().st_size)
    assert files, f"no {suffix} file in the database"
    return files[-1]


def test_a_flipped_byte_begins_a_new_epoch(used, broker):
    path = database(used, ".log")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x20
    path.write_bytes(data)
    used.start()
    assert_new_epoch(used, broker)


def test_a_flipped_byte_in_a_table_begins_a_new_epoch(used, broker):
    """A restart turns the database's log into a table."""
    used.start()
    used.stop()
    path = database(used, ".ldb")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x01
    path.write_bytes(data)
    used.start()
    assert_new_epoch(used, broker)
    salvaged = {r["value"] for r in used.readings(vital="hr")}
    assert salvaged, "what can be read is carried over"


def test_a_truncated_log_begins_a_new_epoch(used, broker):
    """The tail of the log was acknowledged and signed for: a database without it is behind the checkpoint."""
    path = database(used, ".log")
    path.write_bytes(path.read_bytes()[:-200])
    used.start()
    assert_new_epoch(used, broker)
    assert len(used.readings(vital="hr")) > len(BEFORE) // 2, "what can be read is carried over"


def test_a_second_recovery_keeps_what_the_first_one_took_over(used, broker):
    def kinds():
        types = used.entry_types()
        return {kind: types.count(kind) for kind in ("KEY", "CONFIG", "CLOCK", "READING")}
    used.start()
    before = kinds()
    for epoch in (2, 3, 4):
        used.stop()
        path = database(used, ".log")
        path.write_bytes(path.read_bytes()[:-200])
        used.start()
        used.wait_connected()
        store(used, broker, [200 + epoch])
        wait_for("it is sealed", lambda e=epoch: used.status()["ledger"]["epoch"] == e and
                 used.status()["ledger"]["checkpoint_size"] > 10)
        after = kinds()
        assert after["KEY"] >= before["KEY"] and after["READING"] >= before["READING"] - 20 * (epoch - 1), (before, after)
        assert after["CLOCK"] >= 1 and after["CONFIG"] >= before["CONFIG"], (before, after)
        used.assert_ledger_verifies()


def test_a_missing_database_begins_a_new_epoch(used, broker):
    shutil.rmtree(used.state / "ledger")
    used.start()
    head = used.status()["ledger"]
    assert head["epoch"] == 2
    assert any("epoch" in a["summary"] for a in used.technical_alerts())
    store(used, broker, [150])
    used.assert_ledger_verifies()


def test_a_missing_table_begins_a_new_epoch(used, broker):
    used.start()
    used.stop()
    database(used, ".ldb").unlink()
    used.start()
    assert_new_epoch(used, broker)


def test_a_restored_backup_begins_a_new_epoch(used, broker, folder):
    shutil.copytree(used.state / "ledger", folder / "backup")
    used.start()
    store(used, broker, range(160, 190))
    used.stop()
    shutil.rmtree(used.state / "ledger")
    shutil.copytree(folder / "backup", used.state / "ledger")
    used.start()
    assert_new_epoch(used, broker)
    kept = {r["value"] for r in used.readings(vital="hr")}
    assert set(map(float, BEFORE)) <= kept, "what the backup held is carried over"


@pytest.mark.parametrize("key, kind", [("signing-key", "wardstone-signing-key-v1"),
                                       ("key-encryption-key", "wardstone-key-encryption-key-v1")])
def test_a_wrong_key_is_refused(used, key, kind):
    before = {p: p.read_bytes() for p in used.state.rglob("*") if p.is_file() and p.name != "LOG"}
    used.write_key(key, kind)
    run = used.run()
    assert run.returncode == 1
    assert "wrong key" in run.stderr.lower() or "another key" in run.stderr.lower(), run.stderr
    for path in (used.state / "checkpoint", *(used.state / "keys").iterdir()):
        assert before[path] == path.read_bytes(), "nothing is changed"
    assert not list(used.state.glob("ledger.epoch-*"))
