/* Which requests are known, and what was said to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "ingest/coap_dedup.h"

#define SECOND INT64_C(1000000)

static void a_message_is_known_from_its_beginning(void **state) {
        DedupRing r = { 0 };

        assert_null(dedup_find(&r, 7, 70, 0));
        assert_non_null(dedup_begin(&r, 7, 70, 0));
        assert_int_equal(dedup_find(&r, 7, 70, SECOND)->state, DEDUP_PENDING);
        dedup_done(&r);
}

static void the_same_id_with_another_message_is_new(void **state) {
        DedupRing r = { 0 };

        assert_non_null(dedup_begin(&r, 7, 70, 0));
        assert_null(dedup_find(&r, 7, 71, 0));
        assert_null(dedup_find(&r, 8, 70, 0));
        assert_non_null(dedup_begin(&r, 7, 71, 0));
        assert_non_null(dedup_find(&r, 7, 70, 0));
        assert_non_null(dedup_find(&r, 7, 71, 0));
        dedup_done(&r);
}

static void an_answer_is_kept_whole(void **state) {
        DedupRing r = { 0 };
        CoapAnswer a = coap_answer(ANSWER_TOO_MANY, "wait %d", 3);

        a.max_age = 3;
        a.has_block = true;
        a.block = 0x1a;
        assert_non_null(dedup_begin(&r, 7, 70, 0));
        dedup_answered(&r, 7, 70, &a, SECOND);
        coap_answer_done(&a);
        DedupEntry *e = dedup_find(&r, 7, 70, 2 * SECOND);
        assert_int_equal(e->state, DEDUP_ANSWERED);
        assert_int_equal(e->answer.code, 157);
        assert_int_equal(e->answer.max_age, 3);
        assert_true(e->answer.has_block);
        assert_int_equal(e->answer.block, 0x1a);
        assert_string_equal(e->answer.text, "wait 3");
        dedup_done(&r);
}

static void an_answer_without_a_request_is_nobodys(void **state) {
        DedupRing r = { 0 };
        CoapAnswer a = { .code = ANSWER_CHANGED };

        dedup_answered(&r, 7, 70, &a, 0);
        assert_null(dedup_find(&r, 7, 70, 0));
}

static void it_is_known_for_the_lifetime_of_an_exchange(void **state) {
        DedupRing r = { 0 };
        CoapAnswer a = { .code = ANSWER_CHANGED };

        assert_non_null(dedup_begin(&r, 7, 70, 0));
        /* what is pending is known however long it takes */
        assert_non_null(dedup_find(&r, 7, 70, 2 * COAP_EXCHANGE_LIFETIME_US));
        dedup_answered(&r, 7, 70, &a, 10 * SECOND);
        assert_non_null(dedup_find(&r, 7, 70, 10 * SECOND + COAP_EXCHANGE_LIFETIME_US - 1));
        assert_null(dedup_find(&r, 7, 70, 10 * SECOND + COAP_EXCHANGE_LIFETIME_US));
}

static void the_oldest_answer_goes_first_and_nothing_pending_goes(void **state) {
        DedupRing r = { 0 };
        CoapAnswer a = { .code = ANSWER_CHANGED };

        for (int i = 0; i < DEDUP_SIZE; i++)
                assert_non_null(dedup_begin(&r, (uint16_t) i, (uint64_t) i, i));
        assert_null(dedup_begin(&r, 100, 100, 100));
        dedup_answered(&r, 9, 9, &a, 200);
        dedup_answered(&r, 5, 5, &a, 300);
        assert_non_null(dedup_begin(&r, 100, 100, 400));
        assert_null(dedup_find(&r, 9, 9, 400));
        assert_non_null(dedup_find(&r, 5, 5, 400));
        assert_non_null(dedup_begin(&r, 101, 101, 500));
        assert_null(dedup_find(&r, 5, 5, 500));
        assert_null(dedup_begin(&r, 102, 102, 600));
}

static void what_is_said_is_printable(void **state) {
        CoapAnswer a = coap_answer(ANSWER_BAD_REQUEST, "%s", "x\n\x1b[2J\xc3\xa4");

        assert_string_equal(a.text, "x??[2J??");
        coap_answer_done(&a);
        a = coap_answer(ANSWER_BAD_REQUEST, "%0500d", 1);
        assert_int_equal(strlen(a.text), ANSWER_TEXT_MAX - 1);
        coap_answer_done(&a);
        a = coap_answer(ANSWER_BAD_REQUEST, "%s", "");
        assert_null(a.text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_message_is_known_from_its_beginning),
                cmocka_unit_test(the_same_id_with_another_message_is_new),
                cmocka_unit_test(an_answer_is_kept_whole),
                cmocka_unit_test(an_answer_without_a_request_is_nobodys),
                cmocka_unit_test(it_is_known_for_the_lifetime_of_an_exchange),
                cmocka_unit_test(the_oldest_answer_goes_first_and_nothing_pending_goes),
                cmocka_unit_test(what_is_said_is_printable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
