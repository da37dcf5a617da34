"""CoAP over DTLS: an identity is a device, and no other one."""

import socket
import struct
import time

import pytest

from coap import GET, Authority, Client, KeyClient, SecureClient, coap_client
from ward import free_port, senml, wait_for

pytestmark = pytest.mark.timeout(240)

KEY, OTHER = b"a key of sixteen.", b"and another one of its own"


@pytest.fixture
def secured(coap, port):
    """A gateway with coaps only, and keys of two devices."""
    coap.keys = coap.etc / "coap-keys"
    coap.config["coap"] = [{"name": "coap", "secure": {"address": "127.0.0.1", "port": port, "psk_file": str(coap.keys)}}]

    def write_keys(**identities):
        coap.keys.write_text("# identity device key\n\n" + "".join(
            f"{identity} {device} {key.hex()}\n" for identity, (device, key) in identities.items()))
        coap.keys.chmod(0o600)
    coap.write_keys = write_keys
    write_keys(bed1=("d1", KEY), bed2=("d2", OTHER))
    return coap


@pytest.mark.short
def test_an_identity_speaks_for_its_device_and_no_other(secured, port):
    secured.start()
    good = senml(value=60, time_s=time.time())
    with KeyClient(port, "bed1", KEY) as c:
        assert c.ask(good).code == "2.04"
        assert c.ask(senml(value=61, time_s=time.time()), path=["d"]).code == "2.04"
        answer = c.ask(senml(value=62, time_s=time.time()), device="d2")
        assert (answer.code, answer.text) == ("4.03", "this identity is another device's")
        assert c.ask(senml(value=62, time_s=time.time()), device="nobody").code == "4.03"
        assert c.ask(code=GET, path=[".well-known", "core"], form=None).code == "2.05"
    secured.wait_stored([60, 61])
    assert {r["device"] for r in secured.readings(vital="hr")} == {"d1"}
    assert secured.source("coap")["counters"]["forbidden"] == 2


def test_libcoaps_client_with_a_key(secured, port):
    secured.start()
    url = f"coaps://127.0.0.1:{port}/d"
    assert coap_client(url, senml(value=63, time_s=time.time()), "-u", "bed2", "-k", OTHER.decode()).strip() == ""
    secured.wait_stored([63])
    assert secured.readings(vital="hr")[0]["device"] == "d2"


def test_wrong_keys_and_unknown_identities_get_nowhere(secured, port):
    secured.start()
    for identity, key in (("bed1", OTHER), ("nobody", KEY), ("bed1" * 40, KEY)):
        with KeyClient(port, identity, key) as c:
            c.send(c.request(senml(value=64)))
            with pytest.raises((TimeoutError, ConnectionError, BrokenPipeError)):
                c.receive(2)
    with Client(port) as c:  # without DTLS at all
        c.send(c.request(senml(value=64)))
        c.silence()
    assert secured.readings(vital="hr") == []
    assert secured.source("coap")["counters"]["unknown_identities"] >= 1
    with KeyClient(port, "bed1", KEY) as c:
        assert c.ask(senml(value=65, time_s=time.time())).code == "2.04"


def reload(g):
    g.control("reload")


def is_over(client):
    """The session ended: nothing is answered on it any more."""
    try:
        client.send(client.request(senml(value=99, time_s=time.time())))
        client.receive(1)
    except (TimeoutError, ConnectionError, BrokenPipeError):
        return True
    return False


@pytest.mark.short
def test_keys_are_read_again(secured, port):
    secured.start()
    new = b"a key that is newer"
    with KeyClient(port, "bed1", KEY) as one, KeyClient(port, "bed2", OTHER) as two:
        assert one.ask(senml(value=66, time_s=time.time())).code == "2.04"
        assert two.ask(senml(value=67, time_s=time.time()), device="d2").code == "2.04"
        secured.write_keys(bed1=("d1", new), bed2=("d2", OTHER))
        reload(secured)
        assert is_over(one), "its key is another one now"
        assert two.ask(senml(value=68, time_s=time.time()), path=["d"]).code == "2.04", "its key is the same"
        assert secured.source("coap")["counters"]["sessions_closed"] == 1
        with KeyClient(port, "bed1", KEY) as old:
            assert is_over(old)
        with KeyClient(port, "bed1", new) as fresh:
            assert fresh.ask(senml(value=69, time_s=time.time())).code == "2.04"
        secured.write_keys(bed1=("d1", new))
        reload(secured)
        assert is_over(two), "its identity is gone"
    secured.wait_stored([66, 67, 68, 69])


def test_a_session_can_not_be_taken_up_again_with_a_key_that_is_gone(secured, port, folder):
    secured.start()
    ticket = folder / "session"
    with KeyClient(port, "bed1", KEY, "-sess_out", str(ticket)) as c:
        assert c.ask(senml(value=70, time_s=time.time())).code == "2.04"
        wait_for("a session is kept", ticket.exists)
    secured.write_keys(bed1=("d1", OTHER))
    reload(secured)
    with KeyClient(port, "bed1", KEY, "-sess_in", str(ticket)) as c:
        assert is_over(c)
    secured.wait_stored([70])


def test_a_file_that_is_wrong_is_refused_with_its_line(secured):
    for text, message in (("bed1 d1\n", "1:1: expected an identity, a device and a key"),
                          ("# fine\nbed1 d1 00112233\n", "2:1: the key of 'bed1': expected 32 to 128 hexadecimal"),
                          (f"a d1 {KEY.hex()}\nb d1 {KEY.hex()}\n", "2:1: device 'd1' has two identities"),
                          (f"a d1 {KEY.hex()}\na d2 {KEY.hex()}\n", "2:1: identity 'a' stands there twice")):
        secured.keys.write_text(text)
        secured.write_config()
        run = secured.run("--check")
        assert run.returncode == 1 and message in run.stderr, run.stderr
        assert KEY.hex() not in run.stderr and "00112233" not in run.stderr
    secured.write_keys(bed1=("d1", KEY))
    secured.keys.chmod(0o644)
    assert "others may read" in secured.run("--check").stderr


def test_a_reload_with_wrong_keys_changes_nothing(secured, port):
    secured.start()
    with KeyClient(port, "bed1", KEY) as c:
        assert c.ask(senml(value=71, time_s=time.time())).code == "2.04"
        secured.keys.write_text("rubbish\n")
        with pytest.raises(Exception, match="expected an identity"):
            reload(secured)
        assert c.ask(senml(value=72, time_s=time.time())).code == "2.04"
    with KeyClient(port, "bed2", OTHER) as c:
        assert c.ask(senml(value=73, time_s=time.time()), device="d2").code == "2.04"


def test_a_device_with_a_key_can_not_be_spoken_for_without(secured, port):
    plain = free_port(socket.SOCK_DGRAM)
    secured.config["coap"][0]["plain"] = {"port": plain}
    secured.devices = ["d1", "d2", "d3", {"id": "d4", "coap": {"identity": "cert-4"}}]
    secured.start()
    with Client(plain) as c:
        for device in ("d1", "d2", "d4"):
            answer = c.ask(senml(value=74, time_s=time.time()), device=device)
            assert (answer.code, answer.text) == ("4.01", "this device has an identity: use coaps")
        assert c.ask(senml(value=75, time_s=time.time()), device="d3").code == "2.04"
    secured.wait_stored([75])


def test_handshakes_have_a_limit_and_those_that_stand_go_on(secured, port):
    secured.config["coap"][0]["limits"] = {"handshakes": 5}
    secured.start()
    hello = bytes.fromhex("16feff0000000000000000002f010000230000000000000023fefd" + "00" * 32 + "00000002c0a80100")
    with KeyClient(port, "bed1", KEY) as c:
        assert c.ask(senml(value=76, time_s=time.time())).code == "2.04"
        for _ in range(200):
            with Client(port) as strange:
                strange.send(hello)
                strange.send(b"\x16\xfe\xfd" + bytes(100))
        assert c.ask(senml(value=77, time_s=time.time())).code == "2.04"
    secured.wait_stored([76, 77])


def test_a_device_that_began_anew_on_the_same_port_gets_in(secured, port):
    secured.start()
    own = f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    with KeyClient(port, "bed1", KEY, "-bind", own) as c:
        assert c.ask(senml(value=78, time_s=time.time())).code == "2.04"
    # It was killed, and said nothing. It tries for as long as it takes until its old session isn't in use any more.
    with KeyClient(port, "bed1", KEY, "-bind", own) as c:
        assert c.ask(senml(value=79, time_s=time.time())).code == "2.04"
    assert secured.source("coap")["counters"]["returned"] == 1
    secured.wait_stored([78, 79])


def test_a_session_in_use_is_not_ended_by_a_strangers_hello(secured, port):
    secured.start()
    own = free_port(socket.SOCK_DGRAM)
    hello = bytes.fromhex("16feff0000000000000000002f010000230000000000000023fefd" + "00" * 32 + "00000002c0a80100")
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError:
        pytest.skip("only root can forge a source")
    forged = struct.pack("!HHHH", own, port, 8 + len(hello), 0) + hello
    with raw, KeyClient(port, "bed1", KEY, "-bind", f"127.0.0.1:{own}") as c:
        assert c.ask(senml(value=80, time_s=time.time())).code == "2.04"
        raw.sendto(forged, ("127.0.0.1", 0))
        assert c.ask(senml(value=81, time_s=time.time())).code == "2.04"
        assert secured.source("coap")["counters"]["returned"] == 0
        time.sleep(5.5)
        raw.sendto(forged, ("127.0.0.1", 0))
        wait_for("it is closed where it was not used", lambda: secured.source("coap")["counters"]["returned"] == 1)
        assert is_over(c)


# --- certificates ---

@pytest.fixture
def certified(coap, port, folder):
    """A gateway with coaps by certificate; d2 shows itself with another name than its own."""
    authority = coap.authority = Authority(folder / "certificates")
    cert, key = authority.issue("gateway", "/CN=gateway.example")
    coap.config["coap"] = [{"name": "coap", "secure": {
        "address": "127.0.0.1", "port": port, "ca": str(authority.ca), "cert": str(cert), "key": str(key)}}]
    coap.devices = ["d1", {"id": "d2", "coap": {"identity": "bed-2.hospital.example"}}]
    return coap


def certificate_client(g, port, cert, key):
    return SecureClient(port, "-cert", str(cert), "-key", str(key), "-CAfile", str(g.authority.ca),
                        "-verify_return_error")


@pytest.mark.short
def test_a_certificate_speaks_for_the_device_that_it_names(certified, port):
    certified.start()
    one, two, three = (certified.authority.issue(f, s) for f, s in (
        ("one", "/O=Hospital/CN=d1"), ("two", "/CN=bed-2.hospital.example"), ("three", "/CN=d2")))
    with certificate_client(certified, port, *one) as c:
        assert c.ask(senml(value=60, time_s=time.time())).code == "2.04"
        assert c.ask(senml(value=61, time_s=time.time()), device="d2").code == "4.03"
    with certificate_client(certified, port, *two) as c:
        assert c.ask(senml(value=62, time_s=time.time()), path=["d"]).code == "2.04"
    with certificate_client(certified, port, *three) as c:
        answer = c.ask(senml(value=63, time_s=time.time()), device="d2")
        assert (answer.code, answer.text) == ("4.01", "this identity is no device's"), "d2 has another name"
    cert, key = one
    url = f"coaps://127.0.0.1:{port}/d/d1"
    assert coap_client(url, senml(value=64, time_s=time.time()), "-c", str(cert), "-j", str(key), "-C",
                       str(certified.authority.ca), "-n").strip() == ""
    certified.wait_stored([60, 62, 64])
    assert sorted((r["device"], r["value"]) for r in certified.readings(vital="hr")) == [
        ("d1", 60), ("d1", 64), ("d2", 62)]


def test_certificates_of_others_and_none_get_nowhere(certified, port, folder):
    certified.start()
    stranger = Authority(folder / "elsewhere", "elsewhere")
    cert, key = stranger.issue("d1", "/CN=d1")
    with SecureClient(port, "-cert", str(cert), "-key", str(key)) as c:
        assert is_over(c)
    with SecureClient(port) as c:
        assert is_over(c)
    two = certified.authority.issue("twice", "/CN=d1/CN=d2")
    with certificate_client(certified, port, *two) as c:
        assert c.ask(senml(value=65, time_s=time.time())).code == "4.01", "it names two"
    assert certified.readings(vital="hr") == []


def test_both_ways_at_once(certified, port):
    keys = certified.etc / "keys"
    keys.write_text(f"bed1 d1 {KEY.hex()}\n")
    keys.chmod(0o600)
    certified.config["coap"][0]["secure"]["psk_file"] = str(keys)
    certified.start()
    with KeyClient(port, "bed1", KEY) as c:
        assert c.ask(senml(value=66, time_s=time.time())).code == "2.04"
    with certificate_client(certified, port, *certified.authority.issue("two", "/CN=bed-2.hospital.example")) as c:
        assert c.ask(senml(value=67, time_s=time.time()), device="d2").code == "2.04"
    with certificate_client(certified, port, *certified.authority.issue("one", "/CN=d1")) as c:
        assert c.ask(senml(value=68, time_s=time.time())).code == "2.04"
    certified.wait_stored([66, 67, 68])
