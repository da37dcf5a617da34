"""notify-webhook with a receiver of one's own: a real HTTP server that checks, refuses, hangs, is killed and comes back."""

import json
import time

import pytest

from hook import KEY, Authority, Hook, basic, secret, status
from plugin_worker import PluginWorker, alert, notice
from ward import program, senml, wait_for

pytestmark = pytest.mark.timeout(240)

RETRY, CONFIGURATION = -11, -22  # -EAGAIN, -EINVAL


@pytest.fixture
def hook():
    one = Hook()
    one.start()
    yield one
    one.stop()


@pytest.fixture
def start():
    workers = []

    def make(url, **config):
        workers.append(PluginWorker(program("notify-webhook.so"), {"url": url, **config}))
        return workers[-1]
    yield make
    for w in workers:
        w.close()


@pytest.mark.short
def test_a_notice_arrives_whole_and_signed_before_deliver_returns(start, hook, folder):
    worker = start(hook.url, hmac={"key_file": secret(folder, "key", KEY + "\n")}, headers={"X-Ward": "7 B"})
    sent = notice(alert(value=85.5, note="Zimmer 7, Tür"), key="a1b2:raised", more=0)
    sent["not known yet"] = {"x": [1]}
    assert worker.opened["r"] == 0
    assert worker.deliver(sent) == {"id": 1, "r": 0}
    assert worker.deliver(notice(alert("resolved"), key="a1b2:resolved"))["r"] == 0
    first, second = hook.requests
    assert (first.path, first.notice) == ("/alerts", sent)
    assert (first.key, second.key) == ("a1b2:raised", "a1b2:resolved")
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["X-Ward"] == "7 B"
    assert "Authorization" not in first.headers
    first.assert_signed()
    second.assert_signed()
    with pytest.raises(AssertionError):
        first.assert_signed("another key of 32 characters ...")
    assert first.peer == second.peer, "the connection is kept"


def test_without_a_key_nothing_is_signed(start, hook):
    assert start(hook.url).deliver(notice(alert()))["r"] == 0
    assert "Wardstone-Signature" not in hook.requests[0].headers


@pytest.mark.parametrize("code, r", [
    (200, 0), (201, 0), (299, 0), (408, RETRY), (425, RETRY), (429, RETRY), (500, RETRY), (503, RETRY), (599, RETRY),
    (400, CONFIGURATION), (401, CONFIGURATION), (404, CONFIGURATION), (409, CONFIGURATION), (410, CONFIGURATION),
])
def test_what_an_answer_means(start, hook, code, r):
    hook.answer = status(code, b"because\r\nof the moon")
    reply = start(hook.url).deliver(notice(alert()))
    assert reply["r"] == r
    if r:
        assert reply["error"] == f"HTTP status {code}: because  of the moon"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(start, hook, code):
    hook.answer = status(code, Location=f"http://127.0.0.1:{hook.port}/elsewhere")
    reply = start(hook.url).deliver(notice(alert()))
    assert reply["r"] == CONFIGURATION
    assert reply["error"] == f"HTTP status {code} (redirects are not followed)"
    assert [r.path for r in hook.requests] == ["/alerts"]


@pytest.mark.short
def test_a_server_that_is_killed_and_brought_back_misses_nothing(start, hook):
    worker = start(hook.url)
    assert worker.deliver(notice(alert(), key="a:raised"))["r"] == 0
    for n in range(3):
        hook.kill()
        reply = worker.deliver(notice(alert(), key=f"b{n}:raised"))
        assert reply["r"] == RETRY and "127.0.0.1" in reply["error"], reply
        hook.start()
        assert worker.deliver(notice(alert(), key=f"b{n}:raised"))["r"] == 0
    assert hook.keys == ["a:raised", "b0:raised", "b1:raised", "b2:raised"]


def test_an_idle_connection_that_the_server_closed_is_no_failure(start, hook):
    worker = start(hook.url)
    for n in range(3):
        assert worker.deliver(notice(alert(), key=f"a{n}:raised"))["r"] == 0
        hook.kill()
        hook.start()
    assert hook.keys == ["a0:raised", "a1:raised", "a2:raised"]


def test_a_lost_answer_comes_again_with_the_same_key(start, hook, folder):
    worker = start(hook.url, hmac={"key_file": secret(folder, "key", KEY)})

    def drop(handler):
        handler.close_connection = True
    hook.answer = drop
    assert worker.deliver(notice(alert()))["r"] == RETRY
    hook.answer = None
    assert worker.deliver(notice(alert()))["r"] == 0
    assert len(hook.requests) >= 2
    assert {(r.key, r.body) for r in hook.requests} == {("a1b2:raised", hook.requests[0].body)}
    for request in hook.requests:
        request.assert_signed()


def hang(handler):
    time.sleep(3)


def drip(handler):
    """A status line that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 ")
    for _ in range(300):
        handler.wfile.write(b"O")
        time.sleep(0.01)


def gibberish(handler):
    handler.wfile.write(b"220 mail.example ESMTP\r\n")
    handler.close_connection = True


@pytest.mark.parametrize("answer", [hang, drip])
def test_a_server_that_does_not_answer_is_given_up(start, hook, answer):
    hook.answer = answer
    worker = start(hook.url, timeout="500ms")
    reply = worker.deliver(notice(alert()))
    assert reply["r"] == RETRY and "timed out" in reply["error"]
    hook.answer = None
    assert worker.deliver(notice(alert()))["r"] == 0


@pytest.mark.parametrize("code, r", [(200, 0), (500, RETRY)])
def test_an_endless_answer_is_cut_and_its_status_counts(start, hook, code, r):
    poured = []

    def pour(handler):
        handler.send_response(code)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while len(poured) < 100000:
            handler.wfile.write(b"x" * 4096)
            poured.append(4096)
    hook.answer = pour
    reply = start(hook.url).deliver(notice(alert()))
    assert reply["r"] == r
    assert sum(poured) < 100e6, "beyond what sockets buffer nothing is read"
    assert len(reply.get("error", "")) < 300


def test_a_server_that_speaks_something_else_is_tried_again(start, hook):
    hook.answer = gibberish
    assert start(hook.url).deliver(notice(alert()))["r"] == RETRY


@pytest.mark.parametrize("code, r", [(200, 0), (404, CONFIGURATION)])
def test_the_status_counts_where_the_rest_is_late(start, hook, code, r):
    def begin(handler):
        handler.send_response(code)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.flush()
        time.sleep(3)
    hook.answer = begin
    assert start(hook.url, timeout="500ms").deliver(notice(alert()))["r"] == r


def test_tokens_and_passwords_come_from_files(start, hook, folder):
    assert start(hook.url, token_file=secret(folder, "token", "s3cr3t\n")).deliver(notice(alert()))["r"] == 0
    assert hook.requests[-1].headers["Authorization"] == "Bearer s3cr3t"
    config = {"username": "ward", "password_file": secret(folder, "password", "correct: hörse\n")}
    assert start(hook.url, basic=config).deliver(notice(alert()))["r"] == 0
    assert hook.requests[-1].headers["Authorization"] == basic("ward", "correct: hörse")


def test_secrets_come_from_credentials(start, hook, folder, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    secret(folder, "token", "s3cr3t")
    secret(folder, "key", KEY)
    worker = start(hook.url, credential="token", hmac={"credential": "key"})
    assert worker.deliver(notice(alert()))["r"] == 0
    assert hook.requests[0].headers["Authorization"] == "Bearer s3cr3t"
    hook.requests[0].assert_signed()


def test_a_proxy_of_the_environment_sees_nothing(start, hook, monkeypatch):
    proxy = Hook()
    proxy.start()
    try:
        for name in "http_proxy", "https_proxy", "all_proxy", "ALL_PROXY":
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert start(hook.url).deliver(notice(alert()))["r"] == 0
        assert len(hook.requests) == 1 and not proxy.requests
    finally:
        proxy.stop()


def test_tls_trusts_the_named_ca_alone(start, folder):
    ours, other = Authority(folder / "ours"), Authority(folder / "other")
    hook = Hook(ours.server_context())
    hook.start()
    try:
        assert start(hook.url, tls={"ca": str(ours.ca)}).deliver(notice(alert()))["r"] == 0
        for tls in {"ca": str(other.ca)}, {}:
            reply = start(hook.url, tls=tls, insecure=True).deliver(notice(alert()))
            assert reply["r"] == CONFIGURATION and "certificate" in reply["error"], reply
        assert len(hook.requests) == 1
    finally:
        hook.stop()


def test_tls_looks_at_the_name(start, folder):
    authority = Authority(folder / "ca")
    hook = Hook(authority.server_context(alternative="DNS:elsewhere.example"))
    hook.start()
    try:
        reply = start(hook.url, tls={"ca": str(authority.ca)}).deliver(notice(alert()))
        assert reply["r"] == CONFIGURATION and "127.0.0.1" in reply["error"], reply
    finally:
        hook.stop()


def test_tls_with_a_client_certificate(start, folder):
    authority = Authority(folder / "ca")
    hook = Hook(authority.server_context(clients=True))
    hook.start()
    try:
        cert, key = authority.certificate("gateway")
        tls = {"ca": str(authority.ca), "cert": cert, "key": key}
        assert start(hook.url, tls=tls).deliver(notice(alert()))["r"] == 0
        assert start(hook.url, tls={"ca": str(authority.ca)}).deliver(notice(alert()))["r"] == RETRY
    finally:
        hook.stop()


@pytest.mark.parametrize("settings, text", [
    ({"url": 7}, "config: "),
    ({"ulr": "x"}, "ulr"),
    ({"url": "http://192.0.2.1/"}, "http only to this machine"),
    ({"url": "http://localhost.example/"}, "http only to this machine"),
    ({"url": "http://127.0.0.1@192.0.2.1/"}, "below basic"),
    ({"url": "https://user:secret@192.0.2.1/"}, "below basic"),
    ({"url": "ftp://127.0.0.1/"}, "expected https"),
    ({"url": "127.0.0.1/x"}, "url: "),
    ({"url": "https://"}, "url: "),
    ({"url": "https://127.0.0.1/#x"}, "nothing may follow"),
    ({"url": "https://127.0.0.1/?x", "format": "alertmanager"}, "nothing may follow"),
    ({"format": "xml"}, "format: "),
    ({"timeout": "0s"}, "timeout: "),
    ({"timeout": "9s"}, "timeout: "),
    ({"tls": {"cert": "x"}}, "belong together"),
    ({"tls": {"ca": "/nonexistent"}}, "/nonexistent: No such file"),
    ({"tls": {"cas": "x"}}, "tls: "),
    ({"token_file": "/nonexistent"}, "token: /nonexistent: No such file"),
    ({"token_file": "x", "credential": "x"}, "not both"),
    ({"credential": "x"}, "LoadCredential"),
    ({"basic": {"password_file": "x"}}, "username"),
    ({"basic": {"username": "u"}}, "is missing"),
    ({"basic": {"username": "u:v", "password_file": "x"}}, "colon"),
    ({"basic": {"username": "u", "password_file": "x"}, "token_file": "x"}, "exclude"),
    ({"hmac": {}}, "hmac: "),
    ({"hmac": {"key_file": "x"}, "format": "alertmanager"}, "hmac: "),
    ({"headers": ["X: y"]}, "headers: "),
    ({"headers": {"X-A": "b\r\nX-C: d"}}, "headers: 'X-A'"),
    ({"headers": {"Idempotency-Key": "1"}}, "headers: 'Idempotency-Key'"),
    ({"headers": {"X-A": 7}}, "headers: 'X-A'"),
])
def test_bad_settings_are_explained(start, settings, text):
    opened = start(**{"url": "http://127.0.0.1:1/", **settings}).opened
    assert opened["r"] == CONFIGURATION
    assert text in opened["error"]


@pytest.mark.parametrize("url", ["http://localhost:1/", "http://127.1:1/", "http://[::1]:1/", "https://192.0.2.1/"])
def test_plain_http_stays_on_this_machine(start, url):
    assert start(url).opened["r"] == 0


def test_insecure_permits_plain_http_elsewhere(start):
    assert start("http://192.0.2.1/", insecure=True).opened["r"] == 0


@pytest.mark.parametrize("text, mode, error", [
    ("s3cr3t", 0o644, "chmod 0600"), ("", 0o600, "one line"), ("a\r\n", 0o600, "one line"), ("a\nb", 0o600, "one line"),
    ("a\0b", 0o600, "one line"),
])
def test_a_secret_is_one_line_that_others_cannot_read(start, folder, text, mode, error):
    opened = start("http://127.0.0.1:1/", token_file=secret(folder, "token", text, mode)).opened
    assert opened["r"] == CONFIGURATION and error in opened["error"]
    assert "s3cr3t" not in json.dumps(opened)


@pytest.mark.parametrize("bad", [{"key": 7}, {"key": ""}, {"key": "a\r\nX: y"}, {"key": "a" * 300}, {"gateway": 7},
                                 {"alerts": {}}])
def test_what_is_no_notice_is_refused(start, hook, bad):
    worker = start(hook.url)
    assert worker.deliver({**notice(alert()), **bad})["r"] == CONFIGURATION
    assert worker.deliver({})["r"] == CONFIGURATION
    assert not hook.requests


def test_there_is_nothing_to_refresh(start, hook):
    assert start(hook.url).call("refresh", gateway="g", first=True, last=True, alerts=[alert()])["r"] == 0
    assert not hook.requests


def webhook(hook, **more):
    return {"name": "pagers", "plugin": "notify-webhook", "min_priority": "technical",
            "config": {"url": hook.url, "timeout": "2s", **more}}


def about(rule, state):
    return lambda n: any(a["rule"] == rule and a["state"] == state for a in n["alerts"])


def test_the_daemon_loses_no_notice_while_receiver_and_daemon_are_killed(gateway, broker, hook, folder):
    key = {"key_file": secret(folder, "key", KEY)}
    gateway.config["receivers"].append(webhook(hook, hmac=key))
    gateway.start()
    gateway.wait_connected()
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    first = hook.expect("the first alert", about("SpO2Low", "active"))
    first.assert_signed()
    assert first.notice["gateway"] == "test-ward.example"

    hook.kill()
    broker.publish("ward/d2/senml", [senml("spo2", 84, time.time())])
    wait_for("the second is in the ledger",
             lambda: [a["rule"] for a in gateway.control("alerts")].count("SpO2Low") == 2)
    gateway.kill()
    gateway.start()
    broker.publish("ward/d1/senml", [senml("spo2", 97, time.time())])
    hook.start()
    second = hook.expect("the second alert", lambda n: about("SpO2Low", "active")(n) and n["key"] != first.key)
    hook.expect("the end of the first", about("SpO2Low", "resolved"))
    ids = {a["id"] for r in hook.requests for a in r.notice["alerts"] if a["rule"] == "SpO2Low"}
    assert ids == {first.notice["alerts"][0]["id"], second.notice["alerts"][0]["id"]}
    for key in {r.key for r in hook.requests}:
        told = [r.notice["alerts"] for r in hook.requests if r.key == key]
        assert all([a["id"] for a in t] == [a["id"] for a in told[0]] for t in told), "one key, one thing told"
