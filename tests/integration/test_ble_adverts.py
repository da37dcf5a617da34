"""Readings that need no connection: adverts of devices on the list."""

import json
import time

import pytest
from ble_ward import METER, TAG, ble, fake  # noqa: F401
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from ward import wait_for

# BTHome v2 (https://bthome.io/format): temperature 0x02 (0.01), packet number 0x00.
BTHOME = "fcd2"


def bthome(packet, centi):
    return bytes([0x40, 0x00, packet, 0x02]) + centi.to_bytes(2, "little", signed=True)


@pytest.fixture
def tag(ble):  # noqa: F811
    ble.fake.device(TAG, "tag", "hidden")
    return ble


def values(ble):  # noqa: F811
    return sorted(r["value"] for r in ble.gateway.readings(vital="ambient_temp"))


def listening(ble):  # noqa: F811
    wait_for("it listens", lambda: ble.fake.adapter()["discovering"])


def test_an_advert_ends_in_the_ledger_once(tag):
    tag.device("tag-1", TAG, mode="advert")
    tag.start()
    listening(tag)
    for packet, value in ((1, 2150), (1, 2150), (2, 2160), (2, 2160), (3, 2170)):
        tag.fake.advert(TAG, BTHOME, bthome(packet, value))
    wait_for("three readings", lambda: values(tag) == [21.5, 21.6, 21.7])
    assert tag.counters()["adverts_repeated"] == 2
    assert tag.fake.count(f"{TAG} Connect") == 0
    tag.gateway.assert_ledger_verifies()


def test_the_same_data_later_is_a_new_measurement(tag):
    tag.options["advert_repeat"] = "200ms"
    tag.device("tag-1", TAG, mode="advert")
    tag.start()
    listening(tag)
    plain = bytes([0x40, 0x02]) + (2150).to_bytes(2, "little")
    tag.fake.advert(TAG, BTHOME, plain)
    tag.fake.advert(TAG, BTHOME, plain)
    wait_for("one", lambda: values(tag) == [21.5])
    time.sleep(0.3)
    tag.fake.advert(TAG, BTHOME, plain)
    wait_for("two", lambda: values(tag) == [21.5, 21.5])


def test_ruuvi(tag, vectors):
    cases = json.loads((vectors / "hci_adv_reports.json").read_text())
    tag.device("tag-1", TAG, mode="advert")
    tag.start()
    listening(tag)
    assert cases
    # RAWv2, the specification's valid data
    tag.fake.advert(TAG, "0x0499", bytes.fromhex("0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"))
    wait_for("its temperature", lambda: values(tag) == [24.3])


def test_who_is_not_listed_is_not_heard(tag):
    tag.fake.device(METER, "other", "hidden")
    tag.device("tag-1", TAG, mode="advert")
    tag.start()
    listening(tag)
    tag.fake.advert(METER, BTHOME, bthome(1, 1000))
    tag.fake.advert(TAG, BTHOME, bthome(1, 2150))
    wait_for("one", lambda: values(tag) == [21.5])
    assert not tag.gateway.control("quarantine")


def sealed(key, address, counter, plain):
    """BTHome v2, encryption: AES-CCM over address, UUID, info byte and counter."""
    count = counter.to_bytes(4, "little")
    nonce = bytes.fromhex(address.replace(":", "")) + b"\xd2\xfc" + b"\x41" + count
    out = AESCCM(key, tag_length=4).encrypt(nonce, plain, None)
    return b"\x41" + out[:-4] + count + out[-4:]


def test_encrypted_adverts_and_replays(tag):
    key = bytes(range(16))
    tag.device("tag-1", TAG, mode="advert", key_file=tag.secret("bindkey", key.hex()))
    tag.start()
    listening(tag)

    def temperature(counter, centi):
        return sealed(key, TAG, counter, bytes([0x02]) + centi.to_bytes(2, "little"))
    tag.fake.advert(TAG, BTHOME, temperature(100, 2150))
    tag.fake.advert(TAG, BTHOME, temperature(101, 2160))
    wait_for("two", lambda: values(tag) == [21.5, 21.6])
    forged = bytearray(temperature(5000, 3000))
    forged[-1] ^= 1
    tag.fake.advert(TAG, BTHOME, bytes(forged))
    tag.fake.advert(TAG, BTHOME, temperature(100, 2150))
    tag.wait_counter("adverts_replayed")
    tag.fake.advert(TAG, BTHOME, bthome(1, 4000))  # anybody can send that in its name
    tag.fake.advert(TAG, BTHOME, temperature(102, 2170))
    wait_for("three", lambda: values(tag) == [21.5, 21.6, 21.7])
    # also after a restart
    tag.gateway.stop()
    tag.gateway.start()
    wait_for("it listens", lambda: tag.fake.count("StartDiscovery") == 2)
    tag.fake.advert(TAG, BTHOME, temperature(101, 2160))
    tag.wait_counter("adverts_replayed")
    tag.fake.advert(TAG, BTHOME, temperature(103, 2180))
    wait_for("four", lambda: values(tag) == [21.5, 21.6, 21.7, 21.8])
