"""chain-ethereum in its worker against a real node: what it anchors, and what becomes of what is cut short."""

import threading

import pytest

from evm import OTHER, OTHER_KEY, SENDER, Anvil, Chain, ChainWorker, Ganache, Log, Proxy, require_packages
from ward import wait_for

EAGAIN, EINVAL, EBADMSG = -11, -22, -74
GWEI = 10**9


@pytest.fixture(scope="module", autouse=True)
def packages():
    require_packages()


@pytest.fixture
def anvil(folder):
    node = Anvil(folder)
    yield node
    node.stop()


@pytest.fixture
def chain(anvil):
    return Chain(anvil)


@pytest.fixture
def proxy(anvil):
    p = Proxy(anvil)
    yield p
    p.close()


@pytest.fixture
def log():
    return Log(300)


@pytest.fixture
def kept():
    """What the gateway has on disk for the connector."""
    return {}


@pytest.fixture
def start(folder, chain, kept):
    """Starts a worker with the contract's settings and others; all are ended."""
    workers = []

    def go(on_save=None, finality="instant", **more):
        worker = ChainWorker(chain.settings(folder, finality=finality, **more), kept, on_save=on_save)
        workers.append(worker)
        assert worker.opened["r"] == 0, worker.opened
        return worker
    yield go
    for worker in workers:
        worker.close()


def assert_is(reply, log, size, pending=0, final=None):
    assert reply["r"] == 0, reply
    assert (reply["size"], reply["pending_size"]) == (size, pending)
    assert reply["final_size"] == (size if final is None else final)
    assert reply["root"] == (log.root(size).hex() if size else "00" * 32)


def assert_nothing_stuck(chain):
    assert chain.node.pending() == []
    assert chain.node.nonce(SENDER, "pending") == chain.node.nonce(SENDER)


def refused(reply, r, *texts):
    assert reply["r"] == r, reply
    for text in texts:
        assert text in reply["error"], reply


# --- in order ---


def test_each_anchor_is_one_transaction_with_a_receipt(start, chain, log):
    worker = start()
    assert_is(worker.head(), log, 0)
    assert worker.head()["receipt"] == ""
    sizes = [1, 2, 7, 64, 65, 300]
    for old, size in zip([0] + sizes, sizes):
        reply = worker.anchored(log, old, size)
        assert_is(reply, log, size)
        name, block = reply["receipt"].split(" block ")
        receipt = chain.node.rpc("eth_getTransactionReceipt", name)
        assert int(receipt["blockNumber"], 16) == int(block)
    assert chain.anchors() == [(1, size, log.root(size)) for size in sizes]
    assert chain.node.nonce(SENDER) == len(sizes)


def test_the_receipt_outlives_the_worker(start, log):
    reply = start().anchored(log, 0, 9)
    assert start().head() == {**reply, "id": 1}


def test_what_the_chain_has_is_not_sent_again(start, chain, log):
    worker = start()
    assert_is(worker.anchored(log, 0, 9), log, 9)
    assert_is(worker.anchored(log, 0, 9), log, 9)
    assert chain.node.nonce(SENDER) == 1


def test_a_later_epoch_begins_anew_and_ends_the_earlier_one(start, chain, log):
    worker, other = start(), Log(40, seed=2)
    worker.anchored(log, 0, 30)
    assert_is(worker.head(epoch=2), other, 0)
    assert_is(worker.anchored(other, 0, 20, epoch=2), other, 20)
    assert chain.head() == (2, 20, other.root(20))
    refused(worker.head(epoch=1), EBADMSG, "followed by epoch 2")
    refused(worker.anchor(log, 30, 40), EBADMSG)


def test_legacy_transactions(start, chain, log):
    assert_is(start(type="legacy", gas_price="50gwei").anchored(log, 0, 9), log, 9)
    block = chain.node.rpc("eth_getBlockByNumber", "latest", True)
    assert block["transactions"][0]["type"] == "0x0"


def test_gas_that_is_free_takes_no_funds(folder, kept, log):
    node = Anvil(folder, "--gas-price", "0", "--base-fee", "0")
    try:
        chain = Chain(node)
        node.rpc("anvil_setBalance", node.accounts[SENDER], "0x0")
        node.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        worker = ChainWorker(chain.settings(folder, finality="instant", type="legacy", gas_price=0), kept)
        assert_is(worker.anchored(log, 0, 9), log, 9)
        worker.close()
    finally:
        node.stop()


# --- another engine ---


def test_ganache(folder, kept, log):
    node = Ganache(folder)
    try:
        chain = Chain(node)
        worker = ChainWorker(chain.settings(folder, finality={"confirmations": 2}), kept)
        assert_is(worker.head(), log, 0)
        assert_is(worker.anchored(log, 0, 9), log, 9, final=0)
        assert_is(worker.anchored(log, 9, 20), log, 20, final=9)
        refused(worker.anchor(Log(300, seed=1, common=10), 20, 40), EBADMSG, "NotConsistent")
        worker.kill()
        worker.close()
        worker = ChainWorker(chain.settings(folder, finality="instant", type="legacy"), kept)
        node.rpc("miner_stop")
        assert_is(worker.anchor(log, 20, 30), log, 20, pending=30)
        assert_is(worker.poll(), log, 20, pending=30)
        spend_nonce(chain, 2, gasPrice=hex(190 * GWEI))
        node.rpc("miner_start")
        assert_is(worker.settle(), log, 20)
        assert_is(worker.anchored(log, 20, 30), log, 30)
        node.rpc("evm_setAccountBalance", node.accounts[SENDER], hex(1000))
        refused(worker.anchor(log, 30, 40), EINVAL, "1000 wei")
        worker.close()
        assert chain.anchors() == [(1, size, log.root(size)) for size in (9, 20, 30)]
        assert_nothing_stuck(chain)
    finally:
        node.stop()


# --- finality ---


def test_confirmations_make_it_final(start, chain, log):
    worker = start(finality={"confirmations": 3})
    assert_is(worker.anchored(log, 0, 9), log, 9, final=0)
    chain.node.mine()
    assert_is(worker.poll(), log, 9, final=0)
    chain.node.mine()
    assert_is(worker.poll(), log, 9, final=9)
    assert_is(worker.anchored(log, 9, 20), log, 20, final=9)
    chain.node.mine(2)
    assert_is(worker.poll(), log, 20)


def test_a_tag_makes_it_final(start, chain, log):
    worker = start(finality={"tag": "finalized"})
    assert_is(worker.anchored(log, 0, 9), log, 9, final=0)
    wait_for("the tag reaches it", lambda: chain.node.mine(16) or worker.poll()["final_size"] == 9)


def test_a_node_without_the_tag_is_said(start, proxy, log):
    proxy.rule = lambda method, params: (
        {"error": {"code": -32602, "message": "unknown block tag"}} if params and params[0] == "finalized" else None)
    worker = start(finality={"tag": "finalized"}, endpoints=[proxy.url])
    refused(worker.head(), EINVAL, "finalized", "proof of stake")


def test_a_node_without_old_states_still_tells_what_was_final(start, chain, proxy, log):
    worker = start(finality={"confirmations": 3}, endpoints=[proxy.url])
    worker.anchored(log, 0, 9)
    chain.node.mine(2)
    assert_is(worker.poll(), log, 9)
    proxy.rule = lambda method, params: (
        {"error": {"code": -32000, "message": "missing trie node"}}
        if method == "eth_call" and params[1] != "latest" else None)
    assert_is(worker.anchored(log, 9, 20), log, 20, final=9)
    chain.node.mine(2)
    assert_is(worker.poll(), log, 20)


def test_what_was_final_is_looked_up_and_not_remembered(start, chain, proxy, log):
    """A reorganisation beyond what the operator held possible, and the same sizes in later blocks."""
    worker = start(finality={"confirmations": 3}, endpoints=[proxy.url])
    chain.node.mine(5)
    worker.anchored(log, 0, 9)
    chain.node.mine(2)
    assert_is(worker.poll(), log, 9)
    chain.node.rpc("anvil_reorg", 3, [])
    for old, size in [(0, 9), (9, 20)]:
        chain.send("anchor", chain.id, 1, old, size, log.root(size), log.consistency(old, size),
                   sender=chain.node.accounts[SENDER])
    proxy.rule = lambda method, params: (
        {"error": {"code": -32000, "message": "missing trie node"}}
        if method == "eth_call" and params[1] != "latest" else None)
    assert_is(worker.poll(), log, 20, final=0)


# --- killed in the middle ---


def test_killed_before_the_save(start, chain, log):
    def on_save(worker):
        worker.kill()
        return False
    worker = start(on_save=on_save)
    with pytest.raises((OSError, ValueError)):
        worker.anchor(log, 0, 9)
    again = start()
    assert_is(again.head(), log, 0)
    assert_is(again.anchored(log, 0, 12), log, 12)
    assert chain.anchors() == [(1, 12, log.root(12))]
    assert_nothing_stuck(chain)


def test_killed_after_the_save(start, chain, log):
    worker = start(on_save=lambda w: w.kill())
    with pytest.raises((OSError, ValueError)):
        worker.anchor(log, 0, 9)
    again = start()
    assert again.head()["r"] == 0
    assert_is(again.settle(), log, 9)
    assert_is(again.anchored(log, 9, 12), log, 12)
    assert chain.anchors() == [(1, 9, log.root(9)), (1, 12, log.root(12))]
    assert chain.node.nonce(SENDER) == 2
    assert_nothing_stuck(chain)


def test_killed_after_the_sending(start, chain, proxy, log):
    held = threading.Event()
    proxy.rule = lambda method, params: held if method == "eth_sendRawTransaction" else None
    worker = start(endpoints=[proxy.url])
    worker.anchor_unanswered(log, 0, 9)
    grant_until(worker, lambda: chain.node.nonce(SENDER) == 1)
    worker.kill()
    held.set()
    reply = start().head()
    assert_is(reply, log, 9)
    assert reply["receipt"].startswith("0x")
    assert chain.node.nonce(SENDER) == 1


def grant_until(worker, condition):
    """Serves the worker's requests while a call is under way, until the condition holds."""
    worker.socket.settimeout(0.05)

    def served():
        try:
            worker.receive()
        except TimeoutError:
            pass
        return condition()
    wait_for("the call has come so far", served)


def test_killed_before_the_receipt(start, chain, log):
    chain.node.automine(False)
    worker = start()
    assert_is(worker.anchor(log, 0, 9), log, 0, pending=9)
    worker.kill()
    assert_is(start().head(), log, 0, pending=9)
    chain.node.mine()
    assert_is(start().head(), log, 9)
    assert chain.node.nonce(SENDER) == 1
    assert_nothing_stuck(chain)


def test_a_block_that_comes_while_it_is_asked_is_seen(start, chain, proxy, log):
    """Between the question for the receipt and the one for the head."""
    chain.node.automine(False)
    worker = start(endpoints=[proxy.url])
    worker.anchor(log, 0, 9)
    head = "0x" + chain.data("head", chain.id).hex()
    proxy.rule = lambda method, params: (
        chain.node.mine() if method == "eth_call" and params[0]["data"] == head else None)
    reply = worker.poll()
    assert_is(reply, log, 9)
    assert reply["receipt"].startswith("0x")


def test_nothing_new_is_sent_while_something_is_pending(start, chain, log):
    chain.node.automine(False)
    worker = start()
    worker.anchor(log, 0, 9)
    assert_is(worker.anchor(log, 0, 20), log, 0, pending=9)
    assert len(chain.node.pending()) == 1
    chain.node.mine()
    assert_is(worker.poll(), log, 9)


# --- answers that are lost ---


@pytest.mark.parametrize("says, sent", [("lose", 0), ("mute", 1), ("twice", 1)])
def test_doubt_about_the_sending_is_settled(start, chain, proxy, log, says, sent):
    worker = start(endpoints=[proxy.url])
    proxy.rule = lambda method, params: says if method == "eth_sendRawTransaction" else None
    first = worker.anchor(log, 0, 9)
    if says == "twice":
        assert first["r"] == 0
        assert_is(worker.settle(), log, 9)
    else:
        refused(first, EAGAIN)
        assert chain.node.nonce(SENDER) == sent
        proxy.rule = lambda method, params: None
        worker.head()
        assert_is(worker.settle(), log, 9)
    assert chain.anchors() == [(1, 9, log.root(9))]
    assert chain.node.nonce(SENDER) == 1
    assert_nothing_stuck(chain)


@pytest.mark.parametrize("says", ["lose", "mute"])
def test_whichever_answer_is_lost_nothing_is_anchored_twice(start, chain, proxy, log, says):
    """The n-th call of all that an anchor takes, for each n."""
    size, n = 0, 0
    worker = start(endpoints=[proxy.url])
    while True:
        calls = 0

        def rule(method, params):
            nonlocal calls
            calls += 1
            return says if calls == n + 1 else None
        proxy.rule = rule
        reply = worker.anchor(log, size, size + 5)
        done = calls <= n
        proxy.rule = lambda method, params: None
        if reply["r"] != 0:
            assert worker.head()["r"] == 0
            have = worker.settle()
            if have["size"] == size:
                worker.anchor(log, size, size + 5)
        size += 5
        assert_is(worker.settle(), log, size)
        if done:
            break
        n += 1
    assert n > 10
    assert chain.anchors() == [(1, s, log.root(s)) for s in range(5, size + 1, 5)]
    assert chain.node.nonce(SENDER) == size // 5
    assert_nothing_stuck(chain)


def test_a_node_that_keeps_silent_is_given_up_in_time(start, proxy, log):
    """Well before the gateway would kill the worker."""
    never = threading.Event()
    assert_is(start().anchored(log, 0, 9), log, 9)
    worker = start(endpoints=[proxy.url], timeout="300ms")
    proxy.rule = lambda method, params: never
    refused(worker.head(), EAGAIN)
    refused(worker.poll(), EAGAIN)
    refused(worker.anchor(log, 9, 20), EAGAIN)
    never.set()
    proxy.rule = lambda method, params: None
    assert wait_for("it answers again", lambda: worker.head()["r"] == 0)
    assert_is(start().head(), log, 9)


def test_another_endpoint_takes_over(start, chain, anvil, log):
    worker = start(endpoints=["http://127.0.0.1:1", f"http://127.0.0.1:{anvil.port}"])
    assert_is(worker.anchored(log, 0, 9), log, 9)


# --- the node ---


def test_the_node_restarts(start, chain, log):
    worker = start()
    worker.anchored(log, 0, 9)
    chain.node.stop()
    refused(worker.head(), EAGAIN)
    chain.node.start()
    assert_is(worker.head(), log, 9)
    assert_is(worker.anchored(log, 9, 20), log, 20)


def test_a_node_that_forgot_what_waited_is_told_again(start, chain, log):
    chain.node.automine(False)
    worker = start()
    assert_is(worker.anchor(log, 0, 9), log, 0, pending=9)
    waiting = chain.node.pending()
    chain.node.rpc("anvil_dropAllTransactions")
    assert chain.node.pending() == []
    assert_is(worker.poll(), log, 0, pending=9)
    assert chain.node.pending() == waiting
    chain.node.mine()
    assert_is(worker.poll(), log, 9)
    assert chain.node.nonce(SENDER) == 1


def test_a_chain_that_began_anew_has_no_contract(start, chain, log):
    worker = start()
    worker.anchored(log, 0, 9)
    chain.node.reset()
    refused(worker.head(), EINVAL, "no contract", "deployed")
    again = Chain(chain.node)
    assert again.address == chain.address
    assert_is(worker.head(), log, 0)
    assert_is(worker.anchored(log, 0, 12), log, 12)
    assert again.head() == (1, 12, log.root(12))
    assert_nothing_stuck(again)


@pytest.mark.parametrize("depth", [1, 3])
def test_what_a_reorganisation_took_is_anchored_again(start, chain, log, depth):
    worker = start(finality={"confirmations": 5})
    chain.node.mine(5)
    assert_is(worker.anchored(log, 0, 9), log, 9, final=0)
    chain.node.mine(depth - 1)
    chain.node.rpc("anvil_reorg", depth, [])
    assert chain.head() == (0, 0, bytes(32))
    reply = worker.poll()
    assert reply["r"] == 0
    assert reply["pending_size"] == 9 or reply["size"] == 9
    assert_is(worker.settle(), log, 9, final=0)
    assert chain.head() == (1, 9, log.root(9))
    assert chain.node.nonce(SENDER) == 1
    chain.node.mine(5)
    assert_is(worker.poll(), log, 9)


def test_what_a_reorganisation_took_is_pending_until_it_is_back(start, chain, log):
    worker = start(finality={"confirmations": 5})
    chain.node.mine(5)
    assert_is(worker.anchored(log, 0, 9), log, 9, final=0)
    chain.node.automine(False)
    chain.node.rpc("anvil_reorg", 1, [])
    assert_is(worker.poll(), log, 0, pending=9)
    assert_is(worker.anchor(log, 0, 12), log, 0, pending=9)
    chain.node.mine()
    assert_is(worker.poll(), log, 9, final=0)
    assert chain.node.nonce(SENDER) == 1


def test_a_reorganisation_that_took_more_than_the_last(start, chain, log):
    worker = start(finality={"confirmations": 8})
    chain.node.mine(5)
    for old, size in [(0, 5), (5, 9), (9, 14)]:
        worker.anchored(log, old, size)
    chain.node.rpc("anvil_reorg", 2, [])
    assert chain.head() == (1, 5, log.root(5))
    assert_is(worker.settle(), log, 5, final=0)
    assert_is(worker.anchored(log, 5, 14), log, 14, final=0)
    assert chain.anchors() == [(1, 5, log.root(5)), (1, 14, log.root(14))]
    assert_nothing_stuck(chain)


# --- fees ---


def fee_of(chain, name):
    return int(chain.node.rpc("eth_getTransactionByHash", name)["maxFeePerGas"], 16)


def test_what_waits_too_long_is_replaced(start, chain, log):
    chain.node.automine(False)
    worker = start(replace_after="1s")
    worker.anchor(log, 0, 9)
    [first] = chain.node.pending()
    fee = fee_of(chain, first)
    wait_for("it is replaced", lambda: worker.poll() and chain.node.pending() != [first])
    [second] = chain.node.pending()
    assert fee_of(chain, second) * 8 >= fee * 9
    worker.kill()
    chain.node.mine()
    reply = start().head()
    assert_is(reply, log, 9)
    assert reply["receipt"].startswith(second)
    assert chain.node.nonce(SENDER) == 1


def test_the_replaced_one_may_win(start, chain, proxy, log):
    """The replacement never reaches the node."""
    chain.node.automine(False)
    worker = start(replace_after="1s", endpoints=[proxy.url])
    worker.anchor(log, 0, 9)
    [first] = chain.node.pending()
    proxy.rule = lambda method, params: "lose" if method == "eth_sendRawTransaction" else None
    wait_for("it would be replaced", lambda: worker.poll()["r"] == EAGAIN)
    chain.node.mine()
    reply = worker.poll()
    assert_is(reply, log, 9)
    assert reply["receipt"].startswith(first)


def test_a_replacement_that_is_refused_changes_nothing(start, chain, proxy, log):
    chain.node.automine(False)
    worker = start(replace_after="1s", endpoints=[proxy.url])
    worker.anchor(log, 0, 9)
    [first] = chain.node.pending()
    proxy.rule = lambda method, params: (
        {"error": {"code": -32000, "message": "replacement transaction underpriced"}}
        if method == "eth_sendRawTransaction" else None)
    sent = proxy.count("eth_sendRawTransaction")

    def tried():
        assert_is(worker.poll(), log, 0, pending=9)
        return proxy.count("eth_sendRawTransaction") > sent + 1
    wait_for("it would be replaced", tried)
    chain.node.mine()
    reply = worker.poll()
    assert_is(reply, log, 9)
    assert reply["receipt"].startswith(first)
    assert chain.node.nonce(SENDER) == 1


def test_a_chain_without_a_base_fee_takes_legacy_ones(start, chain, proxy, log):
    def rule(method, params):
        if method != "eth_getBlockByNumber":
            return None
        block = chain.node.rpc(method, *params)
        del block["baseFeePerGas"]
        return {"result": block}
    proxy.rule = rule
    refused(start(endpoints=[proxy.url]).anchor(log, 0, 9), EINVAL, "type: legacy")
    assert_is(start(endpoints=[proxy.url], type="legacy").anchored(log, 0, 9), log, 9)


def test_fees_end_at_the_limits(start, chain, log):
    chain.node.automine(False)
    worker = start(replace_after="1s", max_fee="3gwei", max_priority_fee="1100000000wei")
    chain.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    worker.anchor(log, 0, 9)
    [first] = chain.node.pending()

    def said():
        assert_is(worker.poll(), log, 0, pending=9)
        return "the settings allow no more" in worker.logged()
    wait_for("it says why it pays no more", said)
    assert chain.node.pending() == [first]
    chain.node.mine()
    assert_is(worker.poll(), log, 9)


def test_gas_above_the_limit_is_waited_out(start, chain, log):
    worker = start(max_fee="50gwei")
    chain.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(400 * GWEI))
    chain.node.mine()
    refused(worker.anchor(log, 0, 9), EAGAIN, "gas costs", "max_fee")
    assert chain.node.nonce(SENDER, "pending") == 0
    chain.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    chain.node.mine()
    assert_is(worker.anchored(log, 0, 9), log, 9)


def test_a_node_that_wants_more_is_asked_again_later(start, chain, proxy, log):
    worker = start(endpoints=[proxy.url])
    proxy.rule = lambda method, params: (
        {"error": {"code": -32000, "message": "transaction underpriced"}}
        if method == "eth_sendRawTransaction" else None)
    refused(worker.anchor(log, 0, 9), EAGAIN, "underpriced")
    assert_is(worker.head(), log, 0)
    proxy.rule = lambda method, params: None
    assert_is(worker.anchored(log, 0, 12), log, 12)
    assert chain.node.nonce(SENDER) == 1


# --- another sender with the same key ---


def spend_nonce(chain, nonce, **more):
    account = chain.node.accounts[SENDER]
    return chain.node.rpc("eth_sendTransaction",
                          {"from": account, "to": account, "nonce": hex(nonce), "gas": hex(21000), **more})


def test_a_nonce_that_another_took_is_not_waited_for(start, chain, log):
    chain.node.automine(False)
    worker = start()
    worker.anchor(log, 0, 9)
    spend_nonce(chain, 0, maxFeePerGas=hex(100 * GWEI), maxPriorityFeePerGas=hex(50 * GWEI))
    chain.node.mine()
    assert chain.node.nonce(SENDER) == 1
    assert_is(worker.settle(), log, 0)
    assert_is(worker.anchor(log, 0, 12), log, 0, pending=12)
    chain.node.mine()
    assert_is(worker.poll(), log, 12)
    assert chain.anchors() == [(1, 12, log.root(12))]
    assert_nothing_stuck(chain)


def test_a_node_that_still_shows_what_cannot_come_is_not_believed(start, chain, proxy, log):
    chain.node.automine(False)
    worker = start(endpoints=[proxy.url])
    worker.anchor(log, 0, 9)
    waiting = chain.node.rpc("eth_getTransactionByHash", chain.node.pending()[0])
    proxy.rule = lambda method, params: {"result": waiting} if method == "eth_getTransactionByHash" else None
    assert_is(worker.poll(), log, 0, pending=9)
    spend_nonce(chain, 0, maxFeePerGas=hex(100 * GWEI), maxPriorityFeePerGas=hex(50 * GWEI))
    chain.node.mine()
    assert_is(worker.settle(), log, 0)


def test_a_receipt_that_comes_after_its_nonce_is_waited_for(start, chain, proxy, log):
    worker = start(endpoints=[proxy.url])
    proxy.rule = lambda method, params: {"result": None} if method == "eth_getTransactionReceipt" else None
    reply = worker.anchor(log, 0, 9)
    assert (reply["size"], reply["pending_size"]) == (9, 9)
    proxy.rule = lambda method, params: None
    reply = worker.poll()
    assert_is(reply, log, 9)
    assert reply["receipt"].startswith("0x")


def test_others_that_wait_come_first(start, chain, log):
    chain.node.automine(False)
    spend_nonce(chain, 0)
    worker = start()
    assert_is(worker.anchor(log, 0, 9), log, 0, pending=9)
    chain.node.mine()
    assert_is(worker.poll(), log, 9)
    assert chain.node.nonce(SENDER) == 2


def test_a_gap_before_it_is_closed(start, chain, log):
    chain.node.automine(False)
    other = spend_nonce(chain, 0)
    worker = start()
    worker.anchor(log, 0, 9)
    chain.node.rpc("anvil_dropTransaction", other)
    assert_is(worker.settle(), log, 0)
    assert_is(worker.anchor(log, 0, 12), log, 0, pending=12)
    chain.node.mine(2)
    assert worker.settle()["size"] == 12
    assert chain.head() == (1, 12, log.root(12))
    chain.node.mine()
    assert_nothing_stuck(chain)


def test_one_that_is_refused_in_its_block_is_made_anew(start, chain, proxy, log):
    """Somebody else anchors with the same key, from the same old size, in the same block, and the node didn't foresee
    it."""
    proxy.rule = lambda method, params: {"result": hex(200000)} if method == "eth_estimateGas" else None
    chain.node.automine(False)
    chain.node.rpc("eth_sendTransaction", {
        "from": chain.node.accounts[SENDER], "to": chain.address, "gas": hex(500000),
        "data": "0x" + chain.data("anchor", chain.id, 1, 0, 4, log.root(4), []).hex()})
    worker = start(endpoints=[proxy.url])
    assert_is(worker.anchor(log, 0, 9), log, 0, pending=9)
    chain.node.mine()
    assert_is(worker.poll(), log, 4)
    chain.node.automine(True)
    assert_is(worker.anchored(log, 4, 9), log, 9)
    worker.kill()
    assert "WrongOldSize" in worker.close()


def test_one_that_fails_again_and_again_is_paused(start, chain, proxy, log):
    worker = start(endpoints=[proxy.url], gas_margin=0)
    proxy.rule = lambda method, params: {"result": hex(60000)} if method == "eth_estimateGas" else None

    def outcome():
        reply = worker.anchor(log, 0, 9)
        assert reply["r"] != 0 or reply["pending_size"] == 9
        while reply["r"] == 0 and reply["pending_size"]:
            reply = worker.poll()
        return reply
    for _ in range(2):
        assert outcome()["r"] in (0, EAGAIN)
        assert chain.head() == (0, 0, bytes(32))
    refused(outcome(), EINVAL, "failed in block", "gas_margin")
    assert chain.node.nonce(SENDER) == 3
    proxy.rule = lambda method, params: None
    assert_is(start().anchored(log, 0, 9), log, 9)


# --- what an operator has to change ---


def test_another_chain(start, chain, log):
    worker = start()
    worker.anchored(log, 0, 9)
    chain.node.stop()
    chain.node.start("--chain-id", "4711")
    refused(worker.head(), EINVAL, "31337")
    chain.node.stop()
    chain.node.start("--chain-id", "31337")
    assert_is(worker.head(), log, 9)


def test_a_contract_that_is_gone_or_another(start, chain, log):
    worker = start()
    code = chain.node.rpc("eth_getCode", chain.address, "latest")
    chain.node.rpc("anvil_setCode", chain.address, "0x")
    refused(worker.head(), EINVAL, "no contract", "chain 31337")
    refused(worker.anchor(log, 0, 9), EINVAL, "no contract")
    chain.node.rpc("anvil_setCode", chain.address, "0x60006000fd")
    refused(worker.head(), EINVAL, "not WardstoneAnchors")
    chain.node.rpc("anvil_setCode", chain.address, "0x60206000f3")
    refused(worker.head(), EINVAL, "not WardstoneAnchors")
    assert chain.node.nonce(SENDER) == 0
    chain.node.rpc("anvil_setCode", chain.address, code)
    assert_is(worker.anchored(log, 0, 9), log, 9)


def test_a_gateway_that_is_not_registered(start, chain, log):
    worker = start()
    worker.name = "other-ward.example"
    refused(worker.head(), EINVAL, "does not know 'other-ward.example'", chain.node.accounts[SENDER][2:6])
    refused(worker.anchor(log, 0, 9), EINVAL, "register")
    assert chain.node.nonce(SENDER) == 0


def test_another_account_than_the_registered_one(start, folder, chain, log):
    key = folder / "other-key"
    key.write_text(OTHER_KEY)
    key.chmod(0o600)
    worker = start(key={"key_file": str(key)})
    refused(worker.head(), EINVAL, "rotate")
    chain.send("rotate", chain.id, chain.node.accounts[OTHER], bytes(range(32)))
    assert_is(worker.anchored(log, 0, 9), log, 9)


def test_a_gateway_that_was_revoked(start, chain, log):
    worker = start()
    worker.anchored(log, 0, 9)
    chain.send("revoke", chain.id)
    refused(worker.head(), EINVAL, "revoked")
    refused(worker.anchor(log, 9, 12), EINVAL, "revoked")
    assert chain.node.nonce(SENDER) == 1


def test_another_public_key(start, chain, log):
    worker = start(public_key="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    refused(worker.head(), EINVAL, "public key", "rotate")
    chain.send("rotate", chain.id, chain.node.accounts[SENDER], bytes([1] * 32))
    refused(worker.head(), EINVAL, "public key")
    assert_is(start(public_key="AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").anchored(log, 0, 9), log, 9)


def test_an_account_without_funds(start, chain, log):
    worker, account = start(), chain.node.accounts[SENDER]
    chain.node.rpc("anvil_setBalance", account, hex(1000))
    refused(worker.anchor(log, 0, 9), EINVAL, "1000 wei", "send it more")
    refused(worker.head(), EINVAL, "1000 wei")
    assert chain.node.nonce(SENDER, "pending") == 0
    chain.node.rpc("anvil_setBalance", account, hex(10**18))
    assert_is(worker.head(), log, 0)
    assert_is(worker.anchored(log, 0, 9), log, 9)


def test_an_account_that_is_not_permitted(start, chain, proxy, log):
    worker = start(endpoints=[proxy.url])
    proxy.rule = lambda method, params: (
        {"error": {"code": -32007, "message": "Sender account not authorized to send transactions"}}
        if method == "eth_sendRawTransaction" else None)
    refused(worker.anchor(log, 0, 9), EINVAL, "not authorized")
    proxy.rule = lambda method, params: None
    assert_is(worker.anchored(log, 0, 9), log, 9)


# --- contradictions ---


def test_a_forked_log_is_a_contradiction_and_costs_nothing(start, chain, log):
    fork = Log(300, seed=1, common=10)
    worker = start()
    worker.anchored(log, 0, 20)
    refused(worker.anchor(fork, 0, 20), EBADMSG, "another root")
    refused(worker.anchor(fork, 20, 40), EBADMSG, "NotConsistent")
    assert chain.node.nonce(SENDER) == 1


def test_an_old_size_that_is_not_the_chains_is_asked_for_again(start, log):
    worker = start()
    worker.anchored(log, 0, 20)
    refused(worker.anchor(log, 10, 40), EAGAIN, "has size 20")


# --- settings and what is kept ---


def test_what_was_of_another_contract_is_not_followed(start, folder, chain, kept, log):
    chain.node.automine(False)
    start().anchor(log, 0, 9)
    chain.node.rpc("anvil_dropAllTransactions")
    chain.node.automine(True)
    other = Chain(chain.node)
    worker = start(contract=other.address)
    assert_is(worker.head(), log, 0)
    assert_is(worker.anchored(log, 0, 12), log, 12)
    assert (chain.head()[1], other.head()[1]) == (0, 12)


def test_a_damaged_state_is_settled_by_the_contract(start, chain, kept, log):
    start().anchored(log, 0, 9)
    kept["state"] = "Z2FyYmFnZQ=="
    worker = start()
    reply = worker.head()
    assert_is(reply, log, 9)
    assert reply["receipt"].startswith("block ")
    assert_is(worker.anchored(log, 9, 12), log, 12)


def test_secrets_are_neither_kept_nor_logged(start, kept, log):
    worker = start()
    worker.anchored(log, 0, 9)
    worker.kill()
    text = worker.close() + str(kept)
    assert "59c6995e" not in text.lower()


@pytest.mark.parametrize("change, text", [
    ({"chain_id": None}, "chain_id"),
    ({"chain_id": 0}, "chain_id"),
    ({"contract": "0x1234"}, "contract: expected"),
    ({"contract": "0x5fbDB2315678afecb367f032d93F642f64180aA3"}, "checksum"),
    ({"endpoints": []}, "endpoints"),
    ({"endpoints": ["http://chain.example"]}, "insecure"),
    ({"endpoints": ["https://anna:secret@chain.example"]}, "below basic"),
    ({"endpoints": ["ftp://chain.example"]}, "https"),
    ({"finality": None}, "finality"),
    ({"finality": "soon"}, "confirmations"),
    ({"finality": {"confirmations": 0}}, "confirmations"),
    ({"finality": {"tag": "latest"}}, "finalized"),
    ({"type": "blob"}, "eip1559 or legacy"),
    ({"gas_price": "1gwei"}, "gas_price: not of type eip1559"),
    ({"max_fee": 5}, "with its unit"),
    ({"max_fee": "99999999999gwei"}, "with its unit"),
    ({"replace_after": "1ms"}, "replace_after"),
    ({"gas_margin": -1}, "gas_margin"),
    ({"timeout": "1m"}, "timeout"),
    ({"key": {}}, "key"),
    ({"key": {"key_file": "/nonexistent"}}, "No such file"),
    ({"public_key": "AAAA"}, "public_key"),
    ({"fee": "1gwei"}, "fee"),
])
def test_bad_settings_are_explained(folder, chain, change, text):
    settings = {k: v for k, v in {**chain.settings(folder, finality="instant"), **change}.items() if v is not None}
    worker = ChainWorker(settings, {})
    refused(worker.opened, EINVAL, text)
    assert "secret" not in worker.opened["error"]
    worker.close()
