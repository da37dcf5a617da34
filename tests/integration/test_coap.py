"""Readings over CoAP: what each request is answered, and that 2.04 means stored."""

import json
import socket
import threading
import time

import cbor2
import pytest

from coap import (BLOCK1, CONTENT_FORMAT, DELETE, GET, JSON, MAX_AGE, NO_RESPONSE, NON, OBSERVE, RST, SENML_CBOR, URI_QUERY,
                  Client, coap_client, pack)
from ward import senml, wait_for

pytestmark = pytest.mark.timeout(240)


@pytest.mark.short
def test_a_reading_is_stored_when_it_is_answered(coap, port):
    coap.start()
    with Client(port) as c:
        for value in range(60, 70):
            assert c.ask(senml(value=value, time_s=time.time())).code == "2.04"
            assert value in [r["value"] for r in coap.readings(vital="hr")], "answered, but not in the ledger"
    assert coap.source("coap")["acknowledged"] == 10
    coap.assert_ledger_verifies()


def test_libcoaps_own_client_gets_its_answers(coap, port):
    coap.start()
    url = f"coap://127.0.0.1:{port}/d/d1"
    assert coap_client(url, senml(value=61, time_s=time.time())).strip() == ""
    assert coap_client(url, senml(value=62, time_s=time.time()), method="put").strip() == ""
    assert "4.00" in coap_client(url, "{")
    assert "4.04" in coap_client(f"coap://127.0.0.1:{port}/d/nobody", senml(value=63))
    found = coap_client(f"coap://127.0.0.1:{port}/.well-known/core", "", method="get")
    assert '</d>;rt="wardstone.readings";ct="110 112 50"' in found
    coap.wait_stored([61, 62])


def test_each_format_is_read(coap, port):
    coap.config["maps"] = {"own": {"readings": [{"pointer": "/t", "vital": "ambient_temp"}]},
                           "other": {"readings": [{"pointer": "/pulse", "vital": "hr"}]}}
    coap.config["coap"][0]["map"] = "own"
    coap.devices = ["d1", {"id": "d2", "coap": {"map": "other", "format": "senml+cbor"}}]
    coap.start()
    record = cbor2.dumps([{0: "hr", 2: 64, 6: time.time()}])
    with Client(port) as c:
        assert c.ask(senml(value=63, time_s=time.time())).code == "2.04"
        assert c.ask(record, form=SENML_CBOR).code == "2.04"
        assert c.ask(json.dumps({"t": 21.5}), form=JSON).code == "2.04"
        assert c.ask(json.dumps({"pulse": 65}), form=JSON, device="d2").code == "2.04"
        assert c.ask(cbor2.dumps([{0: "hr", 2: 66, 6: time.time()}]), form=None, device="d2").code == "2.04"
        answer = c.ask(senml(value=67), form=None)
        assert (answer.code, answer.text) == ("4.15", "expected Content-Format 110, 112 or 50")
        assert c.ask(senml(value=67), form=60).code == "4.15"
    coap.wait_stored([63, 64, 65, 66])
    coap.wait_stored([21.5], vital="ambient_temp")


def test_json_without_a_map_is_not_understood(coap, port):
    coap.start()
    with Client(port) as c:
        answer = c.ask(json.dumps({"t": 21.5}), form=JSON)
        assert (answer.code, answer.text) == ("4.15", "no map for this device's JSON")


@pytest.mark.short
def test_what_is_wrong_is_said(coap, port):
    coap.start()
    good = senml(value=70, time_s=time.time())
    with Client(port) as c:
        def answer(*arguments, **named):
            got = c.ask(*arguments, **named)
            return got.code, got.text
        assert answer("[{") == ("4.00", "not well-formed JSON, or cut off")
        assert answer(senml("hr", 70, u="furlong")) == ("4.00", "unknown_unit")
        assert answer(senml("humour", 70)) == ("4.00", "unknown_vital")
        assert answer(good, device="nobody") == ("4.04", "unknown device")
        assert answer(good, path=["elsewhere"]) == ("4.04", "expected /d/<device>")
        assert answer(good, path=["d", "d1", "more"]) == ("4.04", "expected /d/<device>")
        assert answer(good, path=["d", "a/b"]) == ("4.04", "expected /d/<device>")
        assert answer(good, path=["d", "x" * 64]) == ("4.04", "expected /d/<device>")
        assert answer(good, path=["d"]) == ("4.00", "expected /d/<device>")
        assert answer(good, path=["d", ""]) == ("4.00", "expected /d/<device>")
        assert answer("", code=GET) == ("4.05", "expected POST or PUT")
        assert answer("", code=DELETE) == ("4.05", "expected POST or PUT")
        assert answer("", code=5) == ("4.05", "expected POST or PUT")
        assert answer(good, path=[".well-known", "core"]) == ("4.05", "expected GET")
        assert answer(good, options=[(BLOCK1, 7)]) == ("4.00", "block size 7 is reserved")
        assert answer(good, options=[(1, b"x")]) == ("4.02", "option 1")
        assert answer(good, options=[(5, b"")]) == ("4.02", "option 5")
        # libcoap's own answers
        assert c.ask(good, options=[(65001, b"x")]).code == "4.02"
        assert c.ask(good, options=[(BLOCK1, b"\0\0\0\0")]).kind == RST
        assert c.ask(good, options=[(35, b"coap://elsewhere")]).code == "5.05"
        # What is elective is passed over, and so is what means nothing here.
        assert c.ask(good, options=[(OBSERVE, 0), (URI_QUERY, b"a=b"), (65000, b"x"), (14, b"x" * 4)]).code == "2.04"
    coap.wait_stored([70])
    assert coap.control("quarantine")


def test_a_pack_that_is_refused_in_part_is_stored_for_the_rest(coap, port):
    coap.start()
    now = time.time()
    records = [{"n": "hr", "v": 71, "t": now}, {"n": "humour", "v": 1, "t": now},
               {"n": "spo2", "v": 97, "u": "%", "t": now}]
    with Client(port) as c:
        answer = c.ask(json.dumps(records))
        assert (answer.code, answer.text) == ("2.04", "1 of 3 refused: unknown_vital")
        assert answer.option(CONTENT_FORMAT) == 0
    coap.wait_stored([71])
    coap.wait_stored([97], vital="spo2")


def test_what_is_not_confirmable_is_stored_and_answered_likewise(coap, port):
    coap.start()
    with Client(port) as c:
        answer = c.ask(senml(value=72, time_s=time.time()), kind=NON, token=b"abc")
        assert (answer.kind, answer.code, answer.token) == (NON, "2.04", b"abc")
        assert c.ask("{", kind=NON).kind == NON
    coap.wait_stored([72])


def test_who_wants_no_answer_gets_none(coap, port):
    """RFC 7967: confirmable ones are acknowledged all the same, after the commit."""
    coap.start()
    with Client(port) as c:
        c.send(c.request(senml(value=73, time_s=time.time()), kind=NON, options=[(NO_RESPONSE, 26)]))
        coap.wait_stored([73])
        answer = c.ask(senml(value=74, time_s=time.time()), options=[(NO_RESPONSE, 2)])
        assert (answer.kind, answer.code, answer.token, answer.payload) == (2, "0.00", b"", b"")
        assert c.ask("{", options=[(NO_RESPONSE, 2)]).code == "4.00"
        c.silence()
    coap.wait_stored([73, 74])


def test_no_answer_leaves_before_the_disk_has_it(coap_faulty, port):
    g = coap_faulty
    g.config["validation"] = {"slow_store": "30s"}
    g.start()
    g.set_fault("commit-delay-us", 1_500_000)
    with Client(port) as c, Client(port) as other:
        c.send(c.request(senml(value=75, time_s=time.time())))
        c.silence(0.5)
        # Reading goes on meanwhile; this one is in the next batch.
        other.send(other.request(senml(value=76, time_s=time.time())))
        wait_for("both wait", lambda: g.source("coap")["counters"]["outstanding"] == 2)
        assert c.receive().code == "2.04"
        assert {r["value"] for r in g.readings(vital="hr")} == {75}
        other.silence(0.3)
        g.set_fault("commit-delay-us", 0)
        assert other.receive().code == "2.04"
    g.wait_stored([75, 76])


def test_a_fault_that_acknowledges_early_is_seen(coap_faulty, port):
    """The test above would notice."""
    g = coap_faulty
    g.config["validation"] = {"slow_store": "30s"}
    g.start()
    g.set_fault("ack-early", 1)
    g.set_fault("commit-delay-us", 1_500_000)
    with Client(port) as c:
        assert c.ask(senml(value=75, time_s=time.time())).code == "2.04"
        assert g.readings(vital="hr") == []
    g.set_fault("commit-delay-us", 0)
    g.wait_stored([75])


@pytest.mark.short
def test_a_store_that_fails_is_said_and_alerts_go_on(coap_faulty, port, listener):
    g = coap_faulty
    g.start()
    g.set_fault("commit-error", 1)
    with Client(port) as c:
        answer = c.ask(senml(value=77, time_s=time.time()))  # outstanding when it failed
        assert answer.code == "5.03"
        assert 2 <= answer.option(MAX_AGE) <= 8
        wait_for("the store is down", lambda: g.status()["state"] == "store-down")
        answer = c.ask(senml("spo2", 82, time.time()))
        assert (answer.code, answer.text) == ("5.03", "readings can't be stored now")
        listener.expect("an alert", lambda m: m.get("rule") == "SpO2Low" and m.get("state") == "active")
        assert c.ask("{").code == "4.00", "what is wrong is wrong now as well"
        assert g.source("coap")["acknowledged"] == 0
        g.set_fault("commit-error", 0)
        wait_for("the store works again", lambda: g.status()["state"] == "ok")
        assert c.ask(senml(value=78, time_s=time.time())).code == "2.04"
    # The batch that failed may have come through in the end: nobody was told that it did.
    assert {r["value"] for r in g.readings(vital="hr")} - {77} == {78}
    g.assert_ledger_verifies()


def test_a_slow_disk_is_said_too(coap_faulty, port):
    g = coap_faulty
    g.config["validation"] = {"slow_store": "200ms"}
    g.start()
    g.set_fault("commit-delay-us", 3_000_000)
    with Client(port) as c:
        payload = senml(value=79, time_s=time.time())
        assert c.ask(payload).code == "5.03"
        g.set_fault("commit-delay-us", 0)
        wait_for("the store works again", lambda: g.status()["state"] == "ok")
        assert c.ask(payload).code == "2.04"
    g.wait_stored([79])


def test_a_kill_loses_nothing_that_was_answered(coap, port):
    coap.start()
    answered, stop = [], threading.Event()

    def send():
        with Client(port) as c:
            value = 1000
            while not stop.is_set():
                c.send(c.request(senml("glucose", value / 100, time.time(), u="mmol/L")))
                try:
                    if c.receive(1).code == "2.04":
                        answered.append(value / 100)
                except (TimeoutError, ConnectionRefusedError):
                    pass
                value += 1
    sender = threading.Thread(target=send)
    sender.start()
    for n in range(3):
        before = len(answered)
        wait_for("some are answered", lambda before=before: len(answered) > before + 20)
        coap.kill()
        coap.start(write=False)
        coap.wait_connected(name="coap")
    stop.set()
    sender.join()
    stored = {r["value"] for r in coap.readings(vital="glucose")}
    missing = [v for v in answered if v not in stored]
    assert not missing
    coap.assert_ledger_verifies()


def test_the_box_starts_without_the_address_and_takes_it_later(coap, port):
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        coap.start()
        wait_for("why it is down", lambda: "Address already in use" in coap.source("coap")["reason"])
        assert any(a["rule"] == "SourceDown:coap" for a in coap.technical_alerts())
    coap.wait_connected(name="coap")
    with Client(port) as c:
        assert c.ask(senml(value=80, time_s=time.time())).code == "2.04"


def test_a_group_is_heard_and_not_answered(coap, port):
    coap.config["coap"][0]["plain"] |= {"address": "0.0.0.0", "multicast": "224.0.1.187"}
    coap.start()
    if not coap.source("coap")["up"]:
        pytest.skip(f"no multicast here: {coap.source('coap')['reason']}")
    with Client(port) as c:
        c.socket.close()
        c.socket = socket.socket(type=socket.SOCK_DGRAM)
        c.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        try:
            c.socket.connect(("224.0.1.187", port))
            c.send(c.request(senml(value=81, time_s=time.time()), kind=NON))
        except OSError as e:
            pytest.skip(f"no multicast here: {e}")
        coap.wait_stored([81])
        c.send(c.request("", kind=NON, code=GET, path=[".well-known", "core"], form=None))
        c.send(c.request("{", kind=NON))
        wait_for("all came", lambda: coap.source("coap")["counters"]["multicast"] == 3)
        c.silence()


def test_a_reload_keeps_what_waits(coap, port):
    coap.start()
    with Client(port) as c:
        assert c.ask(senml(value=82, time_s=time.time())).code == "2.04"
        coap.devices = ["d1", "d2", "d3"]
        coap.write_config()
        coap.control("reload")
        assert c.ask(senml(value=83, time_s=time.time()), device="d3").code == "2.04"
        coap.config["coap"][0]["limits"] = {"payload": "1K"}  # another source in its place, on the same port
        coap.write_config()
        coap.control("reload")
        coap.wait_connected(name="coap")
        assert c.ask(pack(range(60, 83))).code == "4.13"
    coap.wait_stored([82, 83])
