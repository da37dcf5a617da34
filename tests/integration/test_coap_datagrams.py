"""CoAP as networks deliver it: repeated, late, broken, in pieces, too much of it."""

import contextlib
import json
import time

import pytest

from coap import (BLOCK1, CON, MAX_AGE, NON, RST, SIZE1, Client, Message, blocks, coap_client, pack)
from ward import packs, senml, wait_for

pytestmark = pytest.mark.timeout(240)


def counters(g):
    return g.source("coap")["counters"]


@pytest.mark.short
def test_a_retransmission_gets_the_same_answer_and_is_not_stored_again(coap, port):
    """Without a time in it nothing but the message id says that it is the same reading."""
    coap.start()
    with Client(port) as c:
        first = c.request(senml(value=70))
        c.send(first)
        answer = c.receive()
        assert answer.code == "2.04"
        for _ in range(3):
            c.send(first)
            assert c.receive().data == answer.data
        refused = c.request("{")
        c.send(refused)
        answer = c.receive()
        assert answer.code == "4.00"
        c.send(refused)
        assert c.receive().data == answer.data
    coap.wait_stored([70])
    assert counters(coap)["retransmissions"] == 4
    wait_for("what was refused is kept once", lambda: coap.control("quarantine"))
    assert len(coap.control("quarantine")) == 1


def test_a_retransmission_while_the_disk_works_is_not_handed_over_twice(coap_faulty, port):
    g = coap_faulty
    g.config["validation"] = {"slow_store": "30s"}
    g.start()
    g.set_fault("commit-delay-us", 1_500_000)
    with Client(port) as c:
        data = c.request(senml(value=71))
        for _ in range(3):
            c.send(data)
            time.sleep(0.1)
        g.set_fault("commit-delay-us", 0)
        assert c.receive().code == "2.04"
        c.silence()
    g.wait_stored([71])
    assert g.source("coap")["frames"] == 1


def test_a_message_id_that_comes_again_with_another_message_is_another_one(coap, port):
    """A device that began anew counts from the same number, from the same port."""
    coap.start()
    with Client(port) as c:
        for value in (72, 73, 74):
            assert c.ask(senml(value=value), mid=1).code == "2.04"
        assert c.ask(senml(value=75), mid=1, token=b"other").code == "2.04"
    coap.wait_stored([72, 73, 74, 75])


def test_what_is_not_confirmable_and_comes_twice_is_taken_once(coap, port):
    coap.start()
    with Client(port) as c:
        data = c.request(senml(value=76), kind=NON)
        c.send(data)
        assert c.receive().code == "2.04"
        c.send(data)
        c.silence()
    coap.wait_stored([76])


def test_messages_that_overtake_each_other_are_all_stored(coap, port):
    coap.start()
    payloads = packs(range(60, 80))
    with Client(port) as c:
        sent = [c.request(p, token=bytes([i])) for i, p in enumerate(payloads)]
        order = sent[10:] + sent[:10] + sent[5:15]
        for data in order:
            c.send(data)
        answered = {}
        while len(answered) < len(sent):
            m = c.receive()
            assert m.code == "2.04"
            answered[m.token] = m
    coap.wait_stored(range(60, 80))
    for i, data in enumerate(sent):
        assert answered[bytes([i])].mid == Message(data).mid


def test_the_same_message_ids_of_other_devices_are_theirs(coap, port):
    coap.start()
    with Client(port) as a, Client(port) as b:
        assert a.ask(senml(value=77), mid=7).code == "2.04"
        assert b.ask(senml(value=78), mid=7).code == "2.04"
    coap.wait_stored([77, 78])


# --- in blocks ---

def send_blocks(c, data, options=(), **named):
    """The answers to all blocks."""
    answers = []
    for n, (value, piece) in enumerate(blocks(data, named.pop("exponent", 2))):
        answers.append(c.ask(piece, options=[(BLOCK1, value), *(options if n == 0 else ())], **named))
        assert answers[-1].option(BLOCK1) == value or answers[-1].code[0] != "2"
    return answers


@pytest.mark.short
def test_a_payload_in_blocks_is_one_frame(coap, port):
    """Without Size1, too: libcoap's own assembly crashes there."""
    coap.start()
    data = pack(range(40, 80)).encode()
    with Client(port) as c:
        answers = send_blocks(c, data)
        assert [a.code for a in answers] == ["2.31"] * (len(answers) - 1) + ["2.04"]
        answers = send_blocks(c, pack([80, 81]).encode(), options=[(SIZE1, 60)], exponent=0, kind=NON)
        assert [a.code for a in answers] == ["2.31"] * (len(answers) - 1) + ["2.04"]
        # A single block that is also the last one.
        assert send_blocks(c, senml(value=82, time_s=time.time()).encode(), exponent=6)[0].code == "2.04"
    coap.wait_stored(range(40, 83))
    assert coap.source("coap")["frames"] == 3


def test_libcoaps_client_sends_blocks(coap, port):
    coap.start()
    assert coap_client(f"coap://127.0.0.1:{port}/d/d1", pack(range(40, 100)), "-b", "64").strip() == ""
    coap.wait_stored(range(40, 100))


def test_blocks_that_are_repeated_count_once(coap, port):
    coap.start()
    with Client(port) as c:
        for value, piece in blocks(pack(range(40, 60)).encode()):
            data = c.request(piece, options=[(BLOCK1, value)])
            c.send(data)
            answer = c.receive()
            c.send(data)
            assert c.receive().data == answer.data
        assert answer.code == "2.04"
    coap.wait_stored(range(40, 60))


def test_blocks_that_do_not_fit_together_are_refused(coap, port):
    coap.start()
    data = pack(range(40, 60)).encode()
    pieces = list(blocks(data))

    with Client(port) as c:
        def ask(n, piece=None, **named):
            return c.ask(pieces[n][1] if piece is None else piece, options=[(BLOCK1, pieces[n][0])], **named).code
        assert ask(3) == "4.08", "none came before"
        assert ask(0) == "2.31"
        assert ask(2) == "4.08", "one is missing"
        assert ask(1) == "4.08", "it is over"
        assert ask(0) == "2.31"
        assert ask(1, form=50) == "4.15"
        assert ask(1, form=112) == "4.08", "another format"
        assert ask(0) == "2.31"
        assert ask(1, piece=b"short") == "4.00"
        assert ask(0, piece=pieces[0][1] + b"more") == "4.00"
        assert ask(0) == "2.31"
        assert ask(0) == "2.31", "from the beginning again"
        for n in range(1, len(pieces)):
            code = ask(n)
        assert code == "2.04"
        # The highest number there is.
        assert c.ask(b"x" * 16, options=[(BLOCK1, (2**20 - 1) << 4 | 8)]).code == "4.13"
        assert c.ask(b"x" * 1024, options=[(BLOCK1, (2**20 - 1) << 4 | 6)]).code == "4.13"
    coap.wait_stored(range(40, 60))


def test_payloads_have_a_limit(coap, port):
    coap.config["coap"][0]["limits"] = {"payload": "1K"}
    coap.start()
    data = pack(range(40, 90)).encode()
    with Client(port) as c:
        answer = c.ask(data[:1100])
        assert (answer.code, answer.option(SIZE1)) == ("4.13", 1024)
        answers = send_blocks(c, data)
        assert (answers[16].code, answers[16].option(SIZE1)) == ("4.13", 1024)
        answer = c.ask(data[:64], options=[(BLOCK1, 0 << 4 | 8 | 2), (SIZE1, 4000)])
        assert (answer.code, answer.option(SIZE1)) == ("4.13", 1024)
    assert counters(coap)["transfers"] == 0


def test_transfers_have_limits(coap, port):
    coap.config["coap"][0]["limits"] = {"transfers": 3, "peer_transfers": 2}
    coap.start()
    begin = [(BLOCK1, 0 << 4 | 8 | 2)]
    with Client(port) as a, Client(port) as b:
        assert a.ask(b"[" * 64, options=begin).code == "2.31"
        assert a.ask(b"[" * 64, options=begin, device="d2").code == "2.31"
        answer = a.ask(b"[" * 64, options=begin, device="d3")
        assert (answer.code, answer.text) == ("5.03", "too many block-wise transfers")
        assert answer.option(MAX_AGE) in (1, 2)
        assert b.ask(b"[" * 64, options=begin).code == "2.31"
        assert b.ask(b"[" * 64, options=begin, device="d2").code == "5.03"
    assert counters(coap)["transfers"] == 3


# --- too much ---

def test_a_device_that_sends_too_often_is_told_to_wait(coap, port):
    coap.config["coap"][0]["limits"] = {"device_rate": 2}
    coap.start()
    with Client(port) as c, Client(port) as other:
        answers = [c.ask(senml(value=60 + i, time_s=time.time())) for i in range(12)]
        codes = [a.code for a in answers]
        assert codes[:4] == ["2.04"] * 4 and "4.29" in codes
        late = next(a for a in answers if a.code == "4.29")
        assert late.option(MAX_AGE) == 1 and late.text == "too many requests"
        assert other.ask(senml(value=99, time_s=time.time()), device="d2").code == "2.04", "each has its own"
        time.sleep(1)
        assert c.ask(senml(value=98, time_s=time.time())).code == "2.04"


def test_an_address_that_sends_too_often_is_told_to_wait(coap, port):
    coap.config["coap"][0]["limits"] = {"peer_rate": 5}
    coap.start()
    codes = []
    for i in range(20):
        with Client(port) as c:  # another port each time: the address counts
            c.send(c.request(senml(value=60 + i, time_s=time.time())))
            with contextlib.suppress(TimeoutError):
                codes.append(c.receive(1 if i < 10 else 0.05).code)
    assert codes[:10] == ["2.04"] * 10
    assert 1 <= codes.count("4.29") <= 2, "it is told so now and then: who knows whose address it is"
    assert counters(coap)["rate_limited"] >= 1


def test_what_waits_for_the_disk_has_a_limit(coap_faulty, port):
    g = coap_faulty
    g.config["validation"] = {"slow_store": "30s"}
    g.config["coap"][0]["limits"] = {"outstanding": 5}
    g.start()
    g.set_fault("commit-delay-us", 1_500_000)
    with Client(port) as c:
        for i in range(8):
            c.send(c.request(senml(value=60 + i, time_s=time.time()), token=bytes([i])))
        busy = [c.receive() for _ in range(3)]
        assert {(m.code, m.text) for m in busy} == {("5.03", "too many requests wait for the disk")}
        g.set_fault("commit-delay-us", 0)
        assert [c.receive().code for _ in range(5)] == ["2.04"] * 5
    g.wait_stored(range(60, 65))


def test_what_one_session_has_waiting_has_a_limit_too(coap_faulty, port):
    g = coap_faulty
    g.config["validation"] = {"slow_store": "30s"}
    g.start()
    g.set_fault("commit-delay-us", 1_500_000)
    with Client(port) as c:
        for i in range(40):
            c.send(c.request(senml(value=60 + i, time_s=time.time()), token=bytes([i])))
        assert [c.receive().code for _ in range(8)] == ["5.03"] * 8
        g.set_fault("commit-delay-us", 0)
        assert [c.receive().code for _ in range(32)] == ["2.04"] * 32


def test_the_oldest_session_goes_for_a_new_one(coap, port):
    coap.config["coap"][0]["limits"] = {"sessions": 4}
    coap.start()
    clients = [Client(port) for _ in range(10)]
    for i, c in enumerate(clients):
        assert c.ask(senml(value=60 + i, time_s=time.time())).code == "2.04"
    assert counters(coap)["sessions"] <= 5
    assert coap.source("coap")["connects"] == 10
    for i, c in enumerate(clients):
        assert c.ask(senml(value=70 + i, time_s=time.time())).code == "2.04"
        c.socket.close()
    coap.wait_stored(range(60, 80))


def test_more_than_a_batch_at_once_is_stored_whole(coap, port):
    """What fills the batch comes with what is read in the same turn."""
    coap.config["ledger"]["batch_readings"] = 3
    coap.config["coap"][0]["limits"] = {"device_rate": 1000, "peer_rate": 1000}
    coap.start()
    clients = [Client(port) for _ in range(10)]
    payloads = packs(range(1000, 1300), vital="hr")
    for i, p in enumerate(payloads):
        c = clients[i % 10]
        c.send(c.request(p, token=i.to_bytes(2, "big")))
    for c in clients:
        assert [c.receive().code for _ in range(30)] == ["2.04"] * 30
        c.socket.close()
    coap.wait_stored(range(1000, 1300))
    coap.assert_ledger_verifies()


# --- broken ---

@pytest.mark.short
def test_broken_datagrams_harm_nothing(coap, port, vectors):
    coap.start()
    cases = json.loads((vectors / "coap_pdu_short.json").read_text())["cases"]
    with Client(port) as c:
        for case in cases:
            with Client(port) as strange:
                strange.send(bytes.fromhex(case["hex"]))
                try:
                    m = strange.receive(0.3)
                except TimeoutError:
                    m = None
                if case["verdict"] == "reject":
                    assert m is None or m.kind == RST, (case, m)
                elif case["hex"].startswith("4001"):
                    assert m.code == "4.04", case
            assert c.ask(senml(value=70, time_s=time.time())).code == "2.04", case
    assert len(cases) >= 9


def test_all_lengths_and_bytes_of_a_request_harm_nothing(coap, port):
    coap.start()
    with Client(port) as c, Client(port) as strange:
        data = strange.request("{", options=[(BLOCK1, 8), (SIZE1, 100)], mid=1)
        for n in range(len(data)):
            strange.send(data[:n])
        for i in range(len(data)):
            for flip in (0x01, 0x0F, 0x10, 0x80, 0xF0, 0xFF):
                strange.send(data[:i] + bytes([data[i] ^ flip]) + data[i + 1:])
        strange.send(bytes(2000))
        strange.send(b"\xff" * 2000)
        assert c.ask(senml(value=70, time_s=time.time())).code == "2.04"
    coap.wait_stored([70])


def test_answers_that_nobody_asked_for_are_refused(coap, port):
    coap.start()
    with Client(port) as c:
        c.send(bytes([0x41, 0x45, 0, 9, 1]))  # 2.05, confirmable
        assert c.receive().kind == RST
        def ping():  # RFC 7252 4.3; libcoap answers at most four a second, and none in its first quarter of one
            c.send(bytes([0x40, 0, 0, 10]))
            with contextlib.suppress(TimeoutError):
                return c.receive(0.3).kind == RST
        wait_for("a ping is answered", ping)
        c.send(bytes([0x70, 0, 0, 11]))
        c.send(bytes([0x60, 0, 0, 12]))
        c.silence(0.3)
        assert c.ask(senml(value=71, time_s=time.time()), kind=CON).code == "2.04"
