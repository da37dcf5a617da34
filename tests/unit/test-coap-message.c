/* What a request says: its options, and which of them refuse it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "ingest/coap_message.h"

typedef struct Option {
        uint16_t number;
        const char *value;
        size_t len;
} Option;

#define OPTION(number, text)                                                                                \
        { number, text, sizeof(text) - 1 }

static size_t put(uint8_t *to, unsigned n) {
        if (n < 13)
                return 0;
        if (n < 269)
                to[0] = (uint8_t) (n - 13);
        else
                be16_write(to, (uint16_t) (n - 269));
        return n < 269 ? 1 : 2;
}

static unsigned nibble(unsigned n) {
        return n < 13 ? n : n < 269 ? 13 : 14;
}

/* Options in the order of their numbers, ended by one without a value. By hand, for libcoap makes no message that has an
 * option twice. */
static coap_pdu_t *make(const char *token, const Option *options, const char *payload) {
        uint8_t data[512] = { (uint8_t) (0x40 | strlen(token)), 2, 0x12, 0x34 }, *at = data + 4;
        unsigned previous = 0;

        at = mempcpy(at, token, strlen(token));
        for (; options->value; options++) {
                unsigned delta = options->number - previous;
                *at++ = (uint8_t) (nibble(delta) << 4 | nibble((unsigned) options->len));
                at += put(at, delta);
                at += put(at, (unsigned) options->len);
                at = mempcpy(at, options->value, options->len);
                previous = options->number;
        }
        if (payload) {
                *at++ = 0xff;
                at = mempcpy(at, payload, strlen(payload));
        }
        coap_pdu_t *p = coap_pdu_init(0, 0, 0, 1152);
        assert_non_null(p);
        assert_true(coap_pdu_parse(COAP_PROTO_UDP, data, (size_t) (at - data), p));
        return p;
}

static CoapRequest read_good(const char *token, const Option *options, const char *payload) {
        coap_pdu_t *p = make(token, options, payload);
        CoapRequest r;
        CoapAnswer a = { 0 };

        if (!request_read(p, &r, &a))
                fail_msg("refused: %s", a.text);
        r.payload = (Bytes){ .len = r.payload.len };
        coap_delete_pdu(p);
        return r;
}

static void a_request_is_read(void **state) {
        static const Option options[] = { OPTION(3, "gateway"), OPTION(6, ""), OPTION(7, "\x16\x33"),
                OPTION(11, "d"), OPTION(11, "monitor-07"), OPTION(12, "\x6e"), OPTION(15, "a=b"),
                OPTION(27, "\x1a"), OPTION(60, "\x01\x00"), OPTION(258, "\x02"), { 0 } };
        CoapRequest r = read_good("token", options, "hello");

        assert_int_equal(r.code, 2);
        assert_int_equal(r.head.mid, 0x1234);
        assert_true(r.head.confirmable);
        assert_int_equal(r.head.token_len, 5);
        assert_int_equal(r.path, PATH_DEVICE);
        assert_string_equal(r.device, "monitor-07");
        assert_int_equal(r.content_format, 110);
        assert_true(r.has_block);
        assert_int_equal(r.block.number, 1);
        assert_int_equal(r.size1, 256);
        assert_int_equal(r.head.no_response, 2);
        assert_int_equal(r.payload.len, 5);
}

static void a_bare_request_is_read(void **state) {
        static const Option options[] = { { 0 } };
        CoapRequest r = read_good("", options, NULL);

        assert_int_equal(r.path, PATH_OTHER);
        assert_int_equal(r.content_format, CONTENT_FORMAT_NONE);
        assert_false(r.has_block);
        assert_int_equal(r.size1, -1);
        assert_int_equal(r.payload.len, 0);
}

static void paths_name_devices(void **state) {
        static const struct {
                Option options[4];
                CoapPath path;
        } cases[] = {
                { { OPTION(11, "d") }, PATH_OWN },
                { { OPTION(11, "d"), OPTION(11, "") }, PATH_OWN },
                { { OPTION(11, "d"), OPTION(11, "x") }, PATH_DEVICE },
                { { OPTION(11, "d"), OPTION(11, "x"), OPTION(11, "") }, PATH_OTHER },
                { { OPTION(11, "D"), OPTION(11, "x") }, PATH_OTHER },
                { { OPTION(11, "d"), OPTION(11, "../x") }, PATH_OTHER },
                { { OPTION(11, "d"), OPTION(11, "x\0y") }, PATH_OTHER },
                { { OPTION(11, "d"), OPTION(11, "\xff") }, PATH_OTHER },
                { { OPTION(11, "") }, PATH_OTHER },
                { { OPTION(11, ".well-known"), OPTION(11, "core") }, PATH_DISCOVERY },
                { { OPTION(11, ".well-known") }, PATH_OTHER },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(read_good("", cases[i].options, NULL).path, cases[i].path);
}

static void what_is_critical_and_not_understood_refuses(void **state) {
        static const struct {
                Option options[4];
                unsigned code;
        } cases[] = {
                { { OPTION(1, "x") }, ANSWER_BAD_OPTION },                         /* If-Match */
                { { OPTION(5, "") }, ANSWER_BAD_OPTION },                          /* If-None-Match */
                { { OPTION(9, "") }, ANSWER_BAD_OPTION },                          /* OSCORE */
                { { OPTION(27, "\x08"), OPTION(27, "\x18") }, ANSWER_BAD_OPTION }, /* twice */
                { { OPTION(27, "\x0f") }, ANSWER_BAD_REQUEST },                    /* reserved */
                { { OPTION(2049, "x") }, ANSWER_BAD_OPTION },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                coap_pdu_t *p = make("t", cases[i].options, NULL);
                CoapRequest r;
                CoapAnswer a = { 0 };
                assert_false(request_read(p, &r, &a));
                assert_int_equal(a.code, cases[i].code);
                assert_int_equal(r.head.token_len, 1);
                coap_answer_done(&a);
                coap_delete_pdu(p);
        }
}

static void what_is_elective_and_strange_is_passed_over(void **state) {
        static const Option options[] = { OPTION(12, "\x6e"), OPTION(12, "\x32"), OPTION(60, "\x01"),
                OPTION(60, "\x02"), OPTION(258, "\x02"), OPTION(258, "\x08"), OPTION(2048, "x"), { 0 } };
        CoapRequest r = read_good("", options, NULL);

        assert_int_equal(r.content_format, 110);
        assert_int_equal(r.size1, 1);
        assert_int_equal(r.head.no_response, 2);
}

static void a_digest_is_of_all_that_makes_a_message(void **state) {
        static const Option plain[] = { OPTION(11, "d"), { 0 } }, other[] = { OPTION(11, "e"), { 0 } },
                            joined[] = { OPTION(11, "d"), OPTION(11, ""), { 0 } };
        uint64_t d = read_good("t", plain, "x").head.digest;

        assert_int_equal(read_good("t", plain, "x").head.digest, d);
        assert_int_not_equal(read_good("u", plain, "x").head.digest, d);
        assert_int_not_equal(read_good("t", plain, "y").head.digest, d);
        assert_int_not_equal(read_good("t", other, "x").head.digest, d);
        assert_int_not_equal(read_good("t", joined, "x").head.digest, d);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_request_is_read),
                cmocka_unit_test(a_bare_request_is_read),
                cmocka_unit_test(paths_name_devices),
                cmocka_unit_test(what_is_critical_and_not_understood_refuses),
                cmocka_unit_test(what_is_elective_and_strange_is_passed_over),
                cmocka_unit_test(a_digest_is_of_all_that_makes_a_message),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
