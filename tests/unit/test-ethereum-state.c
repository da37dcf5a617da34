/* What chain-ethereum keeps over crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "state.h"

/* As large as it gets. */
static void make(State *s) {
        Sent *t = &s->sent;

        *s = (State){ .reverts = 2 };
        *t = (Sent){ .stage = SENT_MINED,
                .chain_id = INT64_MAX,
                .size = INT64_MAX - 1,
                .nonce = 4711,
                .gas_limit = 100000,
                .fee = INT64_MAX - 2,
                .tip = 1,
                .data_len = SENT_DATA_MAX,
                .raw_len = SENT_RAW_MAX,
                .sent_us = INT64_C(1795162800000000),
                .attempt_count = SENT_ATTEMPTS_MAX,
                .block = 12 };
        memset(t->contract.bytes, 0xc0, ADDRESS_SIZE);
        memset(t->sender.bytes, 0x5e, ADDRESS_SIZE);
        memset(t->origin, 'o', sizeof t->origin - 1);
        memset(t->data, 0xda, sizeof t->data);
        memset(t->raw, 0x4a, sizeof t->raw);
        memset(t->mined.bytes, 0x11, SHA256_SIZE);
        for (size_t i = 0; i < t->attempt_count; i++)
                memset(t->attempts[i].bytes, (int) i, SHA256_SIZE);
}

static void what_is_written_is_read(void **state) {
        char text[STATE_TEXT_MAX];
        State s, back;
        size_t len;

        make(&s);
        assert_int_equal(state_format(&s, text, &len), 0);
        memset(&back, 0xff, sizeof back);
        assert_int_equal(state_parse(text, len, &back), 0);
        assert_int_equal(back.reverts, s.reverts);
        assert_int_equal(back.sent.stage, s.sent.stage);
        assert_int_equal(back.sent.chain_id, s.sent.chain_id);
        assert_memory_equal(&back.sent.contract, &s.sent.contract, sizeof s.sent.contract);
        assert_memory_equal(&back.sent.sender, &s.sent.sender, sizeof s.sent.sender);
        assert_string_equal(back.sent.origin, s.sent.origin);
        assert_int_equal(back.sent.size, s.sent.size);
        assert_int_equal(back.sent.nonce, s.sent.nonce);
        assert_int_equal(back.sent.gas_limit, s.sent.gas_limit);
        assert_int_equal(back.sent.fee, s.sent.fee);
        assert_int_equal(back.sent.tip, s.sent.tip);
        assert_int_equal(back.sent.data_len, s.sent.data_len);
        assert_memory_equal(back.sent.data, s.sent.data, s.sent.data_len);
        assert_int_equal(back.sent.raw_len, s.sent.raw_len);
        assert_memory_equal(back.sent.raw, s.sent.raw, s.sent.raw_len);
        assert_int_equal(back.sent.sent_us, s.sent.sent_us);
        assert_int_equal(back.sent.attempt_count, s.sent.attempt_count);
        assert_memory_equal(back.sent.attempts, s.sent.attempts, sizeof s.sent.attempts);
        assert_int_equal(back.sent.block, s.sent.block);
        assert_memory_equal(&back.sent.mined, &s.sent.mined, sizeof s.sent.mined);
}

static void nothing_sent_is_kept_too(void **state) {
        const State s = { .reverts = 1 };
        char text[STATE_TEXT_MAX];
        State back;
        size_t len;

        assert_int_equal(state_format(&s, text, &len), 0);
        assert_int_equal(state_parse(text, len, &back), 0);
        assert_int_equal(back.reverts, 1);
        assert_int_equal(back.sent.stage, SENT_NOTHING);
        assert_int_equal(state_parse("", 0, &back), 0);
        assert_int_equal(back.reverts, 0);
        assert_int_equal(back.sent.stage, SENT_NOTHING);
}

/* Each byte of a small one made another: refused, or a state that can be written again. */
static void damage_is_refused_or_harmless(void **state) {
        char text[STATE_TEXT_MAX], damaged[STATE_TEXT_MAX], again[STATE_TEXT_MAX];
        unsigned refused = 0;
        size_t len, n;
        State s, back;

        make(&s);
        s.sent.data_len = s.sent.raw_len = 8;
        s.sent.attempt_count = 1;
        assert_int_equal(state_format(&s, text, &len), 0);
        for (size_t i = 0; i < len; i++) {
                memcpy(damaged, text, len);
                damaged[i] ^= 0x10;
                int r = state_parse(damaged, len, &back);
                if (r == 0)
                        assert_int_equal(state_format(&back, again, &n), 0);
                else
                        assert_int_equal(r, -EBADMSG);
                refused += r != 0;
                assert_int_equal(state_parse(text, i + 1 < len && i > 0 ? i : 1, &back), -EBADMSG);
        }
        assert_in_range(refused, 1, len);
}

static void values_that_cannot_be_are_refused(void **state) {
        static const char *const changes[][2] = {
                { "\"version\":1", "\"version\":2" },
                { "\"stage\":\"mined\"", "\"stage\":\"nothing\"" },
                { "\"stage\":\"mined\"", "\"stage\":\"final\"" },
                { "\"nonce\":4711", "\"nonce\":-471" },
                { "\"attempts\":[\"", "\"attempts\":[],\"x\":[\"" },
                { "\"data\":\"dada", "\"data\":\"dad\",\"x\":\"" },
                { "\"contract\":\"c0", "\"contract\":\"" },
                { "\"reverts\":2", "\"reverts\":2,\"reverts\":2" },
                { "\"reverts\":2", "\"reverts\":4294967296" },
        };
        char text[STATE_TEXT_MAX + 64], changed[STATE_TEXT_MAX + 64];
        State s, back;
        size_t len;

        make(&s);
        s.sent.data_len = s.sent.raw_len = 8;
        s.sent.attempt_count = 1;
        assert_int_equal(state_format(&s, text, &len), 0);
        text[len] = '\0';
        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                char *at = strstr(text, changes[i][0]);
                assert_non_null(at);
                int n = snprintf(changed, sizeof changed, "%.*s%s%s", (int) (at - text), text, changes[i][1],
                                at + strlen(changes[i][0]));
                assert_int_equal(state_parse(changed, (size_t) n, &back), -EBADMSG);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_read),
                cmocka_unit_test(nothing_sent_is_kept_too),
                cmocka_unit_test(damage_is_refused_or_harmless),
                cmocka_unit_test(values_that_cannot_be_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
