"""chain-ethereum and `wardstone chain` at a node that wants to know who asks: TLS with certificates on both sides, a password,
a token; and keys that the service manager hands over."""

import json
import subprocess

import pytest

from evm import SENDER_KEY, Anvil, Chain, ChainWorker, Log, Proxy, require_packages
from hook import Authority, basic, secret
from ward import PATIENCE, program

EAGAIN, EINVAL = -11, -22


@pytest.fixture
def chain(folder):
    require_packages()
    node = Anvil(folder)
    yield Chain(node)
    node.stop()


@pytest.fixture
def at(chain):
    """A proxy before the node; all are ended."""
    proxies = []

    def make(**options):
        proxies.append(Proxy(chain.node, **options))
        return proxies[-1]
    yield make
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def outcome(folder, chain):
    """Anchors one more, and returns the reply and what was logged."""
    log, sizes = Log(40), [0]

    def go(endpoint, **settings):
        worker = ChainWorker(chain.settings(folder, finality="instant", endpoints=[endpoint], **settings), {})
        if worker.opened["r"]:
            return worker.opened, worker.close()
        reply = worker.anchored(log, sizes[-1], sizes[-1] + 5)
        if reply["r"] == 0:
            assert (reply["size"], chain.head()[1]) == (sizes[-1] + 5, sizes[-1] + 5)
            sizes.append(sizes[-1] + 5)
        return reply, worker.close()
    return go


def wardstone(*arguments):
    return subprocess.run([program("wardstone"), *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE)


def test_certificates_on_both_sides(folder, chain, at, outcome):
    ours, others = Authority(folder / "ours"), Authority(folder / "others")
    proxy = at(context=ours.server_context(clients=True))
    cert, key = ours.certificate("gateway")
    tls = {"ca": str(ours.ca), "cert": cert, "key": key}
    assert outcome(proxy.url, tls=tls)[0]["r"] == 0
    strange_cert, strange_key = others.certificate("gateway")
    for bad in ({"ca": str(ours.ca)}, {"ca": str(ours.ca), "cert": strange_cert, "key": strange_key},
                {**tls, "ca": str(others.ca)}, None):
        calls = len(proxy.calls)
        reply, _ = outcome(proxy.url, **({"tls": bad} if bad else {}))
        assert reply["r"] in (EAGAIN, EINVAL) and reply["error"], reply
        assert len(proxy.calls) == calls  # nothing was asked of it
    assert outcome(proxy.url, tls=tls)[0]["r"] == 0

    status = ["chain", "status", chain.name, "--json", "--chain", proxy.url, "--contract", chain.address]
    done = wardstone(*status, "--ca", ours.ca, "--cert", cert, "--cert-key", key)
    assert done.returncode == 0 and json.loads(done.stdout)["head"]["size"] == 10, done.stderr
    assert wardstone(*status, "--ca", ours.ca).returncode == 1
    assert wardstone(*status, "--ca", others.ca, "--cert", cert, "--cert-key", key).returncode == 1


def test_a_certificate_for_another_host(folder, at, outcome):
    ours = Authority(folder / "ours")
    proxy = at(context=ours.server_context(alternative="DNS:elsewhere.example"))
    assert outcome(proxy.url, tls={"ca": str(ours.ca)})[0]["r"] in (EAGAIN, EINVAL)
    assert proxy.calls == []


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_who_asks_is_said(folder, chain, at, outcome, kind):
    right, wrong = secret(folder, "right", "s3cret-of-ours\n"), secret(folder, "wrong", "not-the-s3cret\n")
    if kind == "basic":
        proxy = at(authorization=basic("ward7", "s3cret-of-ours"))
        settings = {path: {"basic": {"username": "ward7", "password_file": path}} for path in (right, wrong)}
        options = ["--username", "ward7", "--password-file"]
    else:
        proxy = at(authorization="Bearer s3cret-of-ours")
        settings = {path: {"token_file": path} for path in (right, wrong)}
        options = ["--token-file"]
    reply, logged = outcome(proxy.url, **settings[right])
    assert reply["r"] == 0 and "s3cret" not in logged
    for other in (settings[wrong], {}):
        reply, logged = outcome(proxy.url, **other)
        assert reply["r"] in (EAGAIN, EINVAL) and "401" in reply["error"], reply
        assert "s3cret" not in reply["error"] + logged
    status = ["chain", "status", chain.name, "--chain", proxy.url, "--contract", chain.address]
    assert wardstone(*status, *options, right).returncode == 0
    done = wardstone(*status, *options, wrong)
    assert done.returncode == 1 and "401" in done.stderr and "s3cret" not in done.stderr


def test_secrets_from_the_service_manager(folder, at, outcome, monkeypatch):
    credentials = folder / "credentials"
    credentials.mkdir()
    secret(credentials, "chain-key", SENDER_KEY + "\n")
    secret(credentials, "node-token", "s3cret-of-ours\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    proxy = at(authorization="Bearer s3cret-of-ours")
    settings = {"key": {"credential": "chain-key"}, "credential": "node-token"}
    assert outcome(proxy.url, **settings)[0]["r"] == 0
    reply, _ = outcome(proxy.url, **{**settings, "key": {"credential": "no-such-key"}})
    assert reply["r"] == EINVAL and "no-such-key" in reply["error"]


def test_keys_that_others_may_read_are_refused(folder, chain, outcome):
    path = secret(folder, "open-key", SENDER_KEY, mode=0o644)
    reply, _ = outcome(f"http://127.0.0.1:{chain.node.port}", key={"key_file": path})
    assert reply["r"] == EINVAL and "open-key" in reply["error"], reply
