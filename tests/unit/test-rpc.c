/* The client among several nodes: which one it asks, and what it says when none answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "rpc.h"
#include "host-fixture.h"
#include "node-fixture.h"

enum { NODES = 3 };

typedef struct Fixture {
        TestHost host;
        StandIn nodes[NODES];
        Rpc rpc;
} Fixture;

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof *f);

        assert_non_null(f);
        f->host = test_host();
        for (size_t i = 0; i < NODES; i++)
                stand_in_start(&f->nodes[i], GOOD);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        rpc_close(&f->rpc); /* first: it is what a silent node waits for */
        for (size_t i = 0; i < NODES; i++)
                stand_in_stop(&f->nodes[i]);
        free(f);
        return 0;
}

static void open_client(Fixture *f, size_t count, const char *timeout, const RpcOptions *more) {
        RpcOptions o = *more;

        o.count = count;
        o.chain_id = STAND_IN_CHAIN;
        for (size_t i = 0; i < count; i++)
                o.endpoints[i] = f->nodes[i].url;
        assert_int_equal(duration_parse(timeout, &o.transfer.timeout_us), 0);
        assert_int_equal(rpc_open(&f->rpc, &f->host.host, &o), WARDSTONE_OK);
}

/* One round with one call. */
static int ask_once(Fixture *f, int64_t patience_us, RpcError *ret) {
        uint64_t v = 0;
        Stamp now = { 0 };

        clock_now(&now);
        rpc_begin(&f->rpc, now.mono_us + patience_us);
        int r = rpc_gas_price(&f->rpc, &v, ret);
        assert_true(r != WARDSTONE_OK || v == 7);
        return r;
}

static int ask(Fixture *f) {
        RpcError e;

        return ask_once(f, 20 * USEC_PER_SEC, &e);
}

static int calls_of(Fixture *f, size_t node) {
        return atomic_load(&f->nodes[node].calls);
}

static void the_first_node_is_asked(void **state) {
        Fixture *f = *state;

        open_client(f, 3, "5s", &(RpcOptions){ 0 });
        assert_int_equal(ask(f), WARDSTONE_OK);
        assert_int_equal(ask(f), WARDSTONE_OK);
        assert_int_equal(calls_of(f, 0), 2);
        assert_int_equal(calls_of(f, 1) + calls_of(f, 2), 0);
}

/* Whatever the first does wrong: the second answers at once and is asked from then on. */
static void a_bad_node_is_left(void **state) {
        static const Mood moods[] = { NONSENSE, UNAVAILABLE, BUSY, FORBIDDEN, TOO_LONG, OTHER_CHAIN,
                OTHER_NUMBER };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(moods); i++) {
                atomic_store(&f->nodes[0].mood, (int) moods[i]);
                open_client(f, 2, "5s", &(RpcOptions){ 0 });
                assert_int_equal(ask(f), WARDSTONE_OK);
                int asked = calls_of(f, 0);
                assert_int_equal(ask(f), WARDSTONE_OK);
                assert_int_equal(calls_of(f, 0), asked);
                assert_int_equal(calls_of(f, 1), 2 * (int) (i + 1));
                rpc_close(&f->rpc);
        }
}

static void a_silent_or_dead_node_is_left(void **state) {
        Fixture *f = *state;

        atomic_store(&f->nodes[0].mood, (int) SILENT);
        stand_in_stop(&f->nodes[1]);
        open_client(f, 3, "300ms", &(RpcOptions){ 0 });
        assert_int_equal(ask(f), WARDSTONE_OK);
        assert_int_equal(calls_of(f, 2), 1);
}

static void the_first_node_gets_another_chance(void **state) {
        Fixture *f = *state;

        atomic_store(&f->nodes[0].mood, (int) NONSENSE);
        open_client(f, 2, "5s", &(RpcOptions){ 0 });
        assert_int_equal(ask(f), WARDSTONE_OK);
        atomic_store(&f->nodes[0].mood, (int) GOOD);
        assert_int_equal(ask(f), WARDSTONE_OK);
        assert_int_equal(calls_of(f, 0), 0);
        f->rpc.back_us = 0; /* a minute later */
        assert_int_equal(ask(f), WARDSTONE_OK);
        assert_int_equal(ask(f), WARDSTONE_OK);
        assert_int_equal(calls_of(f, 0), 2);
        assert_int_equal(calls_of(f, 1), 2);
}

/* A round that silent nodes have used up: the next one begins with who was not asked. */
static void nobody_is_starved_by_silence(void **state) {
        Fixture *f = *state;
        RpcError e;

        atomic_store(&f->nodes[0].mood, (int) SILENT);
        open_client(f, 2, "5s", &(RpcOptions){ 0 });
        assert_int_equal(ask_once(f, 200 * USEC_PER_MSEC, &e), WARDSTONE_RETRY);
        assert_non_null(strstr(f->host.text, "127.0.0.1"));
        assert_int_equal(calls_of(f, 1), 0);
        assert_int_equal(ask_once(f, 3 * USEC_PER_SEC, &e), WARDSTONE_OK); /* less than node 0's time */
        assert_int_equal(calls_of(f, 1), 1);
}

static void who_failed_is_said_without_secrets(void **state) {
        Fixture *f = *state;

        atomic_store(&f->nodes[0].mood, (int) UNAVAILABLE);
        atomic_store(&f->nodes[1].mood, (int) OTHER_CHAIN);
        open_client(f, 2, "5s", &(RpcOptions){ 0 });
        assert_int_equal(ask(f), WARDSTONE_RETRY);
        assert_non_null(strstr(f->host.text, "HTTP status 503"));
        assert_non_null(strstr(f->host.text, "it is of chain 1338, expected 1337"));
        assert_null(strstr(f->host.text, "hidden"));
        /* an operator's matter only where it is one for each of them */
        atomic_store(&f->nodes[0].mood, (int) FORBIDDEN);
        assert_int_equal(ask(f), WARDSTONE_CONFIGURATION);
        assert_int_equal(calls_of(f, 1), 0);
}

static void a_node_may_become_one_of_another_chain(void **state) {
        Fixture *f = *state;

        open_client(f, 1, "5s", &(RpcOptions){ 0 });
        assert_int_equal(ask(f), WARDSTONE_OK);
        atomic_store(&f->nodes[0].mood, (int) OTHER_CHAIN);
        assert_int_equal(ask(f), WARDSTONE_CONFIGURATION);
        assert_int_equal(calls_of(f, 0), 1);
}

static void a_refusal_is_an_answer(void **state) {
        Fixture *f = *state;
        RpcError e;

        atomic_store(&f->nodes[0].mood, (int) REFUSING);
        open_client(f, 2, "5s", &(RpcOptions){ 0 });
        assert_int_equal(ask_once(f, 20 * USEC_PER_SEC, &e), RPC_REFUSED);
        assert_int_equal(e.refusal, RPC_NONCE_LOW);
        assert_int_equal(calls_of(f, 1), 0);
        assert_int_equal(rpc_refused(&f->rpc, "eth_gasPrice", &e), WARDSTONE_RETRY);
        assert_string_equal(f->host.text, "eth_gasPrice: nonce too low (-32000)");
        e.refusal = RPC_FUNDS;
        assert_int_equal(rpc_refused(&f->rpc, "eth_gasPrice", &e), WARDSTONE_CONFIGURATION);
}

static void it_logs_in(void **state) {
        Fixture *f = *state;
        char path[] = "/tmp/test-rpc.XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "s3cret\n", 7), 7);
        assert_int_equal(close(fd), 0);
        open_client(f, 1, "5s", &(RpcOptions){ .token_file = path });
        assert_int_equal(ask(f), WARDSTONE_OK);
        assert_non_null(strstr(f->nodes[0].request, "Authorization: Bearer s3cret\r\n"));
        rpc_close(&f->rpc);
        open_client(f, 1, "5s", &(RpcOptions){ .username = "ward7", .password_file = path });
        assert_int_equal(ask(f), WARDSTONE_OK);
        assert_non_null(strstr(f->nodes[0].request, "Authorization: Basic d2FyZDc6czNjcmV0\r\n"));
        assert_int_equal(unlink(path), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_first_node_is_asked, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_bad_node_is_left, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_silent_or_dead_node_is_left, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_first_node_gets_another_chance, set_up, tear_down),
                cmocka_unit_test_setup_teardown(nobody_is_starved_by_silence, set_up, tear_down),
                cmocka_unit_test_setup_teardown(who_failed_is_said_without_secrets, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_node_may_become_one_of_another_chain, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_refusal_is_an_answer, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_logs_in, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
