"""Published vectors of Bluetooth devices through `wardstone decode`: what is read and what is refused."""

import json
import subprocess

import pytest

from ward import program

pytestmark = pytest.mark.short

# What `wardstone decode` calls it, and its factor in the catalogue's unit.
GATT_KEYS = {"bpm": ("hr", 1), "temperature": ("temp", 1), "systolic": ("sbp", 1), "diastolic": ("dbp", 1), "map": ("map", 1),
             "pulse": ("pulse", 1), "spo2": ("spo2", 1), "pai": ("pi", 1), "weight": ("weight", 1), "conc": ("glucose", 100000 / 18.0156)}
GATT_FLAGS = {"hr-nocontact": {"sensor_off"}, "bp-full": {"questionable"}, "glu-kgl": {"invalid"}}
ADVERT_KEYS = {"hr_bpm": ("hr", 1), "temperature_C": ("ambient_temp", 1), "temperature": ("ambient_temp", 1), "rh_pct": ("humidity", 1),
               "humidity": ("humidity", 1), "pressure_Pa": ("pressure", 0.01), "pressure": ("pressure", 1),
               "battery_pct": ("battery", 1), "battery": ("battery", 1)}
BTHOME_NAMES = {"Battery": "battery", "Temperature": "ambient_temp", "Humidity": "humidity", "Pressure": "pressure"}
# All others are read; tests/unit/test-ble-vectors.c says why these are not.
BTHOME_REFUSED = {
    "test_encryption_key_needed": "there is no key", "test_encryption_downgrade_fails": "not encrypted, though",
    "test_has_incorrect_version": "version 7", "test_incorrect_bindkey_length": "there is no key",
    "test_bindkey_verified_can_be_unset": "not encrypted with this key",
    "test_downgrade_detected_flag_v2": "not encrypted with this key",
    "test_too_short_encryption_advertisement": "expected more than 8",
    "test_bthome_invalid_object_payload_data_length": "ends before"}
ADVERTS_READ = {"test_atc_atc1441", "test_atc_custom", "test_atc_custom_v2_9", "test_atc_custom_ext", "test_atc_custom_encrypted",
                "test_ruuvitag_v5"}
PAYLOADS_READ = {"polar-h10-adv", "ruuvi-gw-mqtt", "ruuvi-rawv2-valid", "bthome-v2-plain", "bthome-v2-encrypted", "atc1441-hci"}


class Decoder:
    def __init__(self, folder):
        self.key = folder / "bind-key"

    def run(self, form, payload, *arguments, digits=True):
        done = subprocess.run([program("wardstone"), "decode", "--format", form, *(["--hex"] if digits else []), *arguments],
                              input=payload, capture_output=True, text=True, timeout=60)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def advert(self, form, payload, key, address):
        """With a key from a file, where there is one."""
        if not key:
            return self.run(form, payload)
        self.key.write_text(key + "\n")
        self.key.chmod(0o600)
        digits = address.replace(":", "")
        colons = ":".join(digits[i:i + 2] for i in range(0, 12, 2))
        return self.run(form, payload, "--key", self.key, "--address", colons)


@pytest.fixture
def decoder(folder):
    return Decoder(folder)


def load(vectors, name):
    return json.loads((vectors / name).read_text())


def check_values(rows, expect, keys):
    found = {row["vital"]: row for row in rows if row["vital"]}
    for key, (vital, factor) in keys.items():
        # A Ruuvi tag says volts; the percent are what another program makes of them.
        if key not in expect or (vital == "battery" and vital not in found):
            continue
        value = float(expect[key]) * factor
        # Its humidity comes in steps of 0.0025 %; the program that the vectors are from rounds it to two digits.
        if vital == "humidity" and "Ruuvi" in expect.get("firmware", ""):
            assert found[vital]["value"] == pytest.approx(value, abs=0.005)
            continue
        assert found[vital]["value"] == (value if factor == 1 else pytest.approx(value)), key
    for key in ("seq", "packet"):
        if str(expect.get(key, "-")).isdigit():
            assert all(row["seq"] == int(expect[key]) for row in rows)


def test_health_characteristics(decoder, vectors):
    cases = load(vectors, "gatt_vectors.json")["characteristics"]
    assert len(cases) >= 14
    for case in cases:
        expect = case["expect"]
        status, rows, err = decoder.run("gatt:" + case["characteristic"][2:], case["hex"])
        if expect == "reject":
            assert status == 1 and rows == [] and "ends before its last field" in err, case["id"]
            continue
        assert (status, err) == (0, ""), case["id"]
        check_values(rows, expect, GATT_KEYS)
        for row in rows:
            assert set(row["flags"]) - {"implausible"} == GATT_FLAGS.get(case["id"], set()), case["id"]
            if "time" in expect and not expect["time"].startswith("0000") and "offset_min" not in expect:
                assert row["device_time"] == expect["time"] + ".000Z"
        if case["id"] == "glu-required-only":
            assert rows[0]["value"] is None and rows[0]["problem"] == "no_value" and rows[0]["seq"] == 1
        if case["id"] == "glu-kgl":
            assert rows[0]["device_time"] == "2019-02-27T11:05:30.000Z"
        assert [row["value"] for row in rows if row["vital"] == "rr_interval"] == [n / 1.024 for n in expect.get("rr_1024", [])]


def test_bthome(decoder, vectors):
    cases = load(vectors, "bthome_v2_cases.json")["cases"]
    assert len(cases) > 60
    for case in cases:
        status, rows, err = decoder.advert("bthome", case["service_data_hex"], case["bindkey"], case["address"])
        if case["test"] in BTHOME_REFUSED:
            assert status == 1 and rows == [] and BTHOME_REFUSED[case["test"]] in err, case["test"]
            continue
        assert (status, err) == (0, ""), case["test"]
        for item in case["expected"]:
            vital = BTHOME_NAMES.get(item["name"].rstrip(" 12"))
            if vital:
                assert float(item["value"].rstrip(")")) in [row["value"] for row in rows if row["vital"] == vital], case["test"]
        assert all(not row.get("problem") for row in rows)
        if case["bindkey"]:
            counter = int.from_bytes(bytes.fromhex(case["service_data_hex"])[-8:-4], "little")
            assert all(row["seq"] == counter for row in rows)


def structures(data):
    """(format, payload) of what an advert holds of manufacturer data and service data."""
    while len(data) >= 2:
        length, kind = data[0], data[1]
        if kind in (0x16, 0xFF) and length > 2:
            code = int.from_bytes(data[2:4], "little")
            yield f"{'svc' if kind == 0x16 else 'adv'}:{code:04X}", data[4:length + 1]
        data = data[length + 1:]


def report(event):
    """The data of an HCI event with one legacy or extended report."""
    at = 28 if event[3] == 0x0D else 13
    return event[at + 1:at + 1 + event[at]]


def read_structures(decoder, data, expect, key=None, address=None):
    """How many structures of an advert were read; all others are formats that the command does not know."""
    read = 0
    for form, payload in structures(data):
        status, rows, err = decoder.advert(form, payload.hex(), key, address)
        if status == 2:
            assert "--format: expected senml+json" in err and f'got "{form}"' in err
            continue
        assert (status, err) == (0, "") and rows
        check_values(rows, expect, ADVERT_KEYS)
        read += 1
    return read


def test_adverts_on_the_air(decoder, vectors):
    cases = load(vectors, "hci_adv_reports.json")["cases"]
    assert len(cases) > 50
    for case in cases:
        data = report(bytes.fromhex(case["hci_event_hex"]))
        read = read_structures(decoder, data, case["expected"], case["key"], case["expected"].get("mac", "").strip('"'))
        assert read == (case["test"] in ADVERTS_READ), case["test"]


def test_payloads_of_real_devices(decoder, folder, vectors):
    cases = load(vectors, "device_payloads.json")
    assert len(cases) >= 14
    read = set()
    for case in cases:
        kind, expect, data = case["kind"], case["expect"], bytes.fromhex(case.get("hex", ""))
        if kind == "BLE manufacturer data":
            data = bytes([len(data) + 1, 0xFF]) + data
        elif kind == "BLE manufacturer payload":
            data = bytes([len(data) + 3, 0xFF, 0x99, 0x04]) + data
        elif kind.startswith("BLE service data FCD2"):
            data = bytes([len(data) + 3, 0x16, 0xD2, 0xFC]) + data
        elif kind.startswith("HCI LE"):
            data = report(data)
        elif kind == "MQTT JSON wrapping a BLE advert":
            data = bytes.fromhex(case["payload"]["data"])
        elif kind != "BLE manufacturer AD structure":
            continue
        if read_structures(decoder, data, expect, case.get("key"), case.get("mac")):
            read.add(case["id"])
    assert read == PAYLOADS_READ

    maps = folder / "maps.yaml"
    maps.write_text("maps:\n  climate:\n    readings:\n      - {pointer: /temperature, vital: ambient_temp}\n"
                    "      - {pointer: /humidity, vital: humidity}\n")
    by_id = {case["id"]: case for case in cases}
    arguments = ["--map-file", maps, "--map", "climate"]
    climate = by_id["z2m-wsdcgq01lm"]
    status, rows, _ = decoder.run("json", json.dumps(climate["payload"]), *arguments, digits=False)
    assert status == 0
    check_values(rows, climate["expect"], ADVERT_KEYS)
    status, rows, err = decoder.run("json", by_id["z2m-bridge-state"]["payload"], *arguments, digits=False)
    assert status == 1 and rows == [] and err.startswith("wardstone decode: ")
