"""notify-smtp with a real SMTP server, with and without STARTTLS and AUTH, killed and brought back."""

import email
import email.policy
import json
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from hook import Authority, secret
from plugin_worker import PluginWorker, alert, notice
from ward import PATIENCE, end, free_port, program, senml, wait_for

pytestmark = pytest.mark.timeout(240)

RETRY, CONFIGURATION = -11, -22  # -EAGAIN, -EINVAL


class Sink:
    def __init__(self, folder, **options):
        self.folder, self.options, self.port, self.process = folder, options, free_port(), None
        folder.mkdir()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["/usr/bin/python3", Path(__file__).with_name("smtp_sink.py"), self.folder, str(self.port),
                 json.dumps(self.options)], stdout=log, stderr=log)

        def listens():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        wait_for("the sink listens", listens)

    def behave(self, **behaviour):
        (self.folder / "new").write_text(json.dumps(behaviour))
        (self.folder / "new").rename(self.folder / "behaviour.json")

    def kill(self):
        end(self.process, signal.SIGKILL)
        self.process = None

    def stop(self):
        if self.process:
            self.kill()

    @property
    def kept(self):
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.mail"))]

    @property
    def mails(self):
        return [email.message_from_string(k["content"], policy=email.policy.default) for k in self.kept]

    @property
    def keys(self):
        return [m["X-Wardstone-Key"] for m in self.mails]


@pytest.fixture
def make_sink(folder):
    sinks = []

    def make(**options):
        sinks.append(Sink(folder / f"sink{len(sinks)}", **options))
        sinks[-1].start()
        return sinks[-1]
    yield make
    for s in sinks:
        s.stop()


@pytest.fixture
def sink(make_sink):
    return make_sink()


@pytest.fixture
def start():
    workers = []

    def make(**config):
        config = {"host": "127.0.0.1", "tls": "none", "from": "gateway@hospital.example", "to": ["duty@hospital.example"],
                  **config}
        workers.append(PluginWorker(program("notify-smtp.so"), config))
        return workers[-1]
    yield make
    for w in workers:
        if w.process.poll() is None:
            w.close()


def low(state="active", transition="raised", **more):
    return alert(state, **{"transition": transition, "subject": "stay-1", "label": "Bed 7", "summary": "SpO2 85 % in Bed 7",
                           "since": "2026-11-20T08:15:30.123Z", "time": "2026-11-20T08:15:40.123Z", "value": 85, **more})


@pytest.mark.short
def test_a_mail_arrives_that_a_client_can_read(start, sink):
    worker = start(port=sink.port, to=["duty@hospital.example", "biomed@hospital.example"], subject_prefix="[Süd 7] ")
    assert worker.opened["r"] == 0
    odd = low(note=".\r\n.hidden\n=?UTF-8?Q?x?= " + "Tür " * 60)
    sent = {**notice(odd, more=3), "summary": "Körpertemperatur 39,5 °C in Bett 7 – " + "Zimmer " * 20}
    assert worker.deliver(sent) == {"id": 1, "r": 0}
    (kept,), (mail,) = sink.kept, sink.mails
    assert kept["from"] == "gateway@hospital.example"
    assert kept["to"] == ["duty@hospital.example", "biomed@hospital.example"]
    assert not mail.defects and not any(header.defects for header in mail.values())
    assert mail["Subject"] == "[Süd 7] " + sent["summary"]
    assert [a.addr_spec for a in mail["To"].addresses] == kept["to"]
    assert mail["Date"].datetime.isoformat() == "2026-11-20T08:15:40+00:00"
    assert (mail["X-Wardstone-Key"], mail["Auto-Submitted"]) == ("a1b2:raised", "auto-generated")
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content()
    assert text.startswith(sent["summary"].rstrip())
    assert "note: .  .hidden =?UTF-8?Q?x?= Tür Tür" in text
    assert "3 more were held back" in text
    assert "value: 85\n" in text.replace("\r\n", "\n")
    assert max(len(line) for line in kept["content"].split("\r\n")) <= 78


def test_mails_of_one_alert_are_one_thread(start, sink):
    worker = start(port=sink.port)
    for key, told in [("a1b2:raised", low()), ("a1b2:escalated-2", low(transition="escalated")),
                      ("a1b2:resolved", low("resolved", "resolved"))]:
        assert worker.deliver(notice(told, key=key))["r"] == 0
    first, *others = sink.mails
    assert first["In-Reply-To"] is None
    assert len({m["Message-ID"] for m in sink.mails}) == 3
    for mail in others:
        assert mail["In-Reply-To"] == mail["References"] == first["Message-ID"]


def test_no_text_makes_a_header_or_a_recipient(start, sink):
    bad = "x\r\nBcc: thief@example.org\r\nSubject: other\r\n\r\n"
    sent = {**notice(low(rule=bad, summary=bad, label=bad)), "summary": bad}
    assert start(port=sink.port).deliver(sent)["r"] == 0
    (kept,), (mail,) = sink.kept, sink.mails
    assert kept["to"] == ["duty@hospital.example"]
    assert mail["Bcc"] is None and len(mail.get_all("Subject")) == 1
    for name, text in ("key", bad), ("gateway", bad):
        assert start(port=sink.port).deliver({**notice(low()), name: text})["r"] == CONFIGURATION
    assert len(sink.kept) == 1


@pytest.mark.short
def test_a_server_that_is_killed_and_brought_back_misses_nothing(start, sink):
    worker = start(port=sink.port)
    assert worker.deliver(notice(low(), key="a:raised"))["r"] == 0
    for n in range(3):
        sink.kill()
        reply = worker.deliver(notice(low(), key=f"b{n}:raised"))
        assert reply["r"] == RETRY and reply["error"], reply
        sink.start()
        assert worker.deliver(notice(low(), key=f"b{n}:raised"))["r"] == 0
    assert sink.keys == ["a:raised", "b0:raised", "b1:raised", "b2:raised"]


@pytest.mark.parametrize("fault", ["die", "hang"])
def test_a_mail_whose_answer_was_lost_comes_again_as_the_same_mail(start, sink, fault):
    worker = start(port=sink.port, timeout="800ms")
    sink.behave(**{fault: True})
    assert worker.deliver(notice(low()))["r"] == RETRY
    sink.behave()
    if fault == "die":
        sink.process.wait(PATIENCE)
        sink.start()
    assert worker.deliver(notice(low()))["r"] == 0
    first, second = sink.kept
    assert first["content"] == second["content"], "so a client sees one"


@pytest.mark.parametrize("behaviour, r, text", [
    ({"data": "451 4.3.0 try later"}, RETRY, "the server refuses: 451 4.3.0 try later"),
    ({"data": "552 5.3.4 too big"}, CONFIGURATION, "552 5.3.4"),
    ({"rcpt": {"duty@hospital.example": "450 4.2.1 greylisted"}}, RETRY, "450 4.2.1"),
    ({"rcpt": {"duty@hospital.example": "550 5.1.1 nobody"}}, CONFIGURATION, "550 5.1.1 nobody"),
])
def test_what_a_refusal_means(start, sink, behaviour, r, text):
    sink.behave(**behaviour)
    worker = start(port=sink.port)
    reply = worker.deliver(notice(low()))
    assert reply["r"] == r and text in reply["error"], reply
    sink.behave()
    assert worker.deliver(notice(low()))["r"] == 0


def test_one_dead_mailbox_does_not_stop_the_others(start, sink):
    sink.behave(rcpt={"gone@hospital.example": "550 5.1.1 no such user"})
    worker = start(port=sink.port, to=["gone@hospital.example", "duty@hospital.example"])
    assert worker.deliver(notice(low()))["r"] == 0
    assert sink.kept[0]["to"] == ["duty@hospital.example"]
    assert "not all of it: 550 5.1.1 no such user" in worker.close()


def test_starttls_with_authentication(start, make_sink, folder):
    authority, other = Authority(folder / "ca"), Authority(folder / "other")
    certificate, key = authority.certificate("sink")
    sink = make_sink(certificate=certificate, key=key, username="ward", password="correct: hörse")
    password = secret(folder, "password", "correct: hörse\n")
    config = {"port": sink.port, "tls": "starttls", "ca": str(authority.ca), "username": "ward", "password_file": password}
    assert start(**config).deliver(notice(low()))["r"] == 0
    assert [(k["tls"], k["authenticated"]) for k in sink.kept] == [(True, True)]

    reply = start(**{**config, "password_file": secret(folder, "wrong", "wrong")}).deliver(notice(low()))
    assert reply["r"] == CONFIGURATION and "535" in reply["error"], reply
    reply = start(**{**config, "ca": str(other.ca)}).deliver(notice(low()))
    assert reply["r"] == CONFIGURATION and "certificate" in reply["error"], reply
    reply = start(port=sink.port, tls="starttls", ca=str(authority.ca)).deliver(notice(low()))
    assert reply["r"] == CONFIGURATION and "530" in reply["error"], reply
    assert len(sink.kept) == 1


def test_a_server_without_starttls_gets_neither_password_nor_mail(start, sink, folder):
    config = {"username": "ward", "password_file": secret(folder, "password", "secret")}
    reply = start(port=sink.port, tls="starttls", **config).deliver(notice(low()))
    assert reply["r"] == CONFIGURATION and "STARTTLS" in reply["error"], reply
    assert not sink.kept


def test_implicit_tls(start, make_sink, folder):
    authority = Authority(folder / "ca")
    certificate, key = authority.certificate("sink")
    sink = make_sink(certificate=certificate, key=key, implicit=True)
    assert start(port=sink.port, tls="implicit", ca=str(authority.ca)).deliver(notice(low()))["r"] == 0
    assert sink.kept[0]["tls"]


class Script:
    """A server that says what it is told to: for each first word of a command an answer, None for silence."""

    def __init__(self, greeting, **answers):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.greeting, self.answers = greeting, answers
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                with connection, connection.makefile("rwb") as lines:
                    self.say(lines, self.greeting)
                    mail = False
                    for line in lines:
                        word = line.split()[0].decode().upper() if line.strip() else ""
                        if not mail or word == ".":
                            self.say(lines, self.answers.get(word, "250 fine"))
                        mail = (mail or word == "DATA") and word != "."
        except OSError:
            pass  # closed by the test, or by the other side

    @staticmethod
    def say(lines, answer):
        if answer:
            lines.write(answer.encode() + b"\r\n")
            lines.flush()

    def close(self):
        self.listener.close()


@pytest.mark.parametrize("greeting, answers, r, text", [
    (None, {}, RETRY, "time"),
    ("220 here", {"EHLO": None}, RETRY, "time"),
    ("220 here", {"RCPT": None}, RETRY, "time"),
    ("220 here", {"RCPT": "550 no", "QUIT": None}, CONFIGURATION, "550 no"),
    ("220 here", {"DATA": "354 go on", ".": None}, RETRY, "time"),
    ("220 here", {"DATA": "354 go on", "QUIT": None}, 0, ""),
    ("421 4.3.2 busy", {}, RETRY, "421 4.3.2 busy"),
    ("554 no service", {}, CONFIGURATION, "554 no service"),
    ("hello", {}, RETRY, ""),
])
def test_a_server_that_is_not_as_it_should_be(start, greeting, answers, r, text):
    script = Script(greeting, **answers)
    try:
        reply = start(port=script.port, timeout="1s").deliver(notice(low()))
        assert reply["r"] == r and text in reply.get("error", ""), reply
    finally:
        script.close()


@pytest.mark.parametrize("settings, text", [
    ({"hots": "x"}, "hots"),
    ({"host": 7}, "config: "),
    ({"host": "mail.hospital.example"}, "none only to this machine"),
    ({"host": "a b", "tls": "starttls"}, "host: "),
    ({"host": "mail/x", "tls": "starttls"}, "host: "),
    ({"host": "", "tls": "starttls"}, "host: "),
    ({"port": 70000}, "port: expected"),
    ({"tls": "yes"}, "tls: expected"),
    ({"tls": "starttls", "ca": "/nonexistent"}, "/nonexistent: No such file"),
    ({"timeout": "1h"}, "timeout: "),
    ({"username": "u"}, "belong together"),
    ({"password_file": "x"}, "belong together"),
    ({"username": "u", "password_file": "/nonexistent"}, "/nonexistent: No such file"),
    ({"username": "u", "credential": "x"}, "LoadCredential"),
    ({"from": "Ward 7 <ward@example.org>"}, "is no address"),
    ({"from": None}, "config: "),
    ({"to": []}, "1 to 32 addresses"),
    ({"to": "duty@example.org"}, "1 to 32 addresses"),
    ({"to": ["duty@example.org\r\nRCPT TO:<other@example.org>"]}, "is no address"),
    ({"to": [7]}, "is no address"),
    ({"to": [f"a{i}@b" for i in range(33)]}, "1 to 32 addresses"),
    ({"subject_prefix": "a\r\nBcc: b@c"}, "subject_prefix: "),
])
def test_bad_settings_are_explained(start, settings, text):
    opened = start(**settings).opened
    assert opened["r"] == CONFIGURATION
    assert text in opened["error"]


@pytest.mark.parametrize("settings", [{"host": "::1"}, {"host": "[::1]"}, {"host": "localhost"},
                                      {"host": "192.0.2.1", "insecure": True}, {"host": "192.0.2.1", "tls": "implicit"}])
def test_good_settings_are_taken(start, settings):
    assert start(**settings).opened["r"] == 0


def test_the_daemon_loses_no_mail_while_server_and_daemon_are_killed(gateway, broker, sink):
    gateway.config["receivers"].append({
        "name": "biomed", "plugin": "notify-smtp", "min_priority": "technical",
        "config": {"host": "127.0.0.1", "port": sink.port, "tls": "none", "timeout": "2s",
                   "from": "gateway@hospital.example", "to": ["duty@hospital.example"]}})
    gateway.start()
    gateway.wait_connected()

    def raised():
        return {m["Message-ID"] for m in sink.mails if "alert: SpO2Low" in m.get_content() and not m["In-Reply-To"]}
    broker.publish("ward/d1/senml", [senml("spo2", 85, time.time())])
    wait_for("the first mail", lambda: len(raised()) == 1)
    sink.kill()
    broker.publish("ward/d2/senml", [senml("spo2", 84, time.time())])
    wait_for("the second is in the ledger",
             lambda: [a["rule"] for a in gateway.control("alerts")].count("SpO2Low") == 2)
    gateway.kill()
    gateway.start()
    sink.start()
    wait_for("the second mail", lambda: len(raised()) == 2)
    for key in set(sink.keys):
        assert len({k["content"] for k, m in zip(sink.kept, sink.mails) if m["X-Wardstone-Key"] == key}) == 1
