/* Payloads in blocks (RFC 7959): put together in order, within limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "ingest/coap_block.h"

static const BlockLimits roomy = { .payload = 4096, .bytes = 65536, .transfers = 8, .owner_transfers = 4 };
static const char text[] = "The quick brown fox jumps over the lazy dog, and back.";

static BlockStore *new_store(const BlockLimits *limits) {
        BlockStore *s = NULL;

        assert_int_equal(block_store_new(limits, &s), 0);
        return s;
}

/* Block n of the text, in blocks of 16 bytes. */
static BlockPart part(const void *owner, const char *device, uint32_t n) {
        size_t at = MIN((size_t) n * 16, strlen(text)), len = MIN(strlen(text) - at, (size_t) 16);

        return (BlockPart){ .owner = owner,
                .device = device,
                .format = 110,
                .option = { .number = n, .more = at + len < strlen(text) },
                .size1 = -1,
                .payload = BYTES(text + at, len) };
}

static BlockResult add(BlockStore *s, BlockPart p, int64_t now_us) {
        Bytes whole = { 0 };

        return block_store_add(s, &p, now_us, &whole);
}

static void options_are_numbers(void **state) {
        static const struct {
                const char *bytes;
                size_t len;
                uint32_t number;
                bool more;
                unsigned exponent;
        } cases[] = { { "", 0, 0, false, 0 }, { "\x0a", 1, 0, true, 2 }, { "\x16", 1, 1, false, 6 },
                { "\x01\x0e", 2, 16, true, 6 }, { "\xff\xff\xfe", 3, BLOCK_NUMBER_MAX, true, 6 } };
        BlockOption o;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_true(block_option_read(BYTES(cases[i].bytes, cases[i].len), &o));
                assert_int_equal(o.number, cases[i].number);
                assert_int_equal(o.more, cases[i].more);
                assert_int_equal(o.exponent, cases[i].exponent);
                uint32_t v = 0;
                for (size_t k = 0; k < cases[i].len; k++)
                        v = v << 8 | (uint8_t) cases[i].bytes[k];
                assert_int_equal(block_option_value(o), v);
        }
        assert_false(block_option_read(BYTES("\x07", 1), &o));
        assert_false(block_option_read(BYTES("\0\0\0\x06", 4), &o));
}

static void blocks_in_order_are_the_payload(void **state) {
        _cleanup_(block_store_freep) BlockStore *s = new_store(&roomy);
        Bytes whole = { 0 };
        int me;

        for (uint32_t n = 0; n < 3; n++)
                assert_int_equal(add(s, part(&me, "d1", n), 0), BLOCK_MORE);
        assert_int_equal(block_store_transfers(s), 1);
        BlockPart last = part(&me, "d1", 3);
        assert_int_equal(block_store_add(s, &last, 0, &whole), BLOCK_COMPLETE);
        assert_true(bytes_equal(whole, BYTES_STRING(text)));
        assert_int_equal(block_store_transfers(s), 0);
        assert_int_equal(block_store_bytes(s), 0);
}

static void owners_and_devices_have_their_own(void **state) {
        _cleanup_(block_store_freep) BlockStore *s = new_store(&roomy);
        int me, you;

        for (uint32_t n = 0; n < 3; n++) {
                assert_int_equal(add(s, part(&me, "d1", n), 0), BLOCK_MORE);
                assert_int_equal(add(s, part(&me, "d2", n), 0), BLOCK_MORE);
                assert_int_equal(add(s, part(&you, "d1", n), 0), BLOCK_MORE);
        }
        assert_int_equal(block_store_transfers(s), 3);
        block_store_forget(s, &me);
        assert_int_equal(block_store_transfers(s), 1);
        assert_int_equal(add(s, part(&you, "d1", 3), 0), BLOCK_COMPLETE);
        assert_int_equal(add(s, part(&me, "d1", 3), 0), BLOCK_INCOMPLETE);
}

static void what_does_not_continue_ends_it(void **state) {
        _cleanup_(block_store_freep) BlockStore *s = new_store(&roomy);
        int me;

        assert_int_equal(add(s, part(&me, "d1", 1), 0), BLOCK_INCOMPLETE);
        assert_int_equal(add(s, part(&me, "d1", 0), 0), BLOCK_MORE);
        assert_int_equal(add(s, part(&me, "d1", 2), 0), BLOCK_INCOMPLETE);
        assert_int_equal(add(s, part(&me, "d1", 1), 0), BLOCK_INCOMPLETE);
        assert_int_equal(add(s, part(&me, "d1", 0), 0), BLOCK_MORE);
        BlockPart other = part(&me, "d1", 1);
        other.format = 112;
        assert_int_equal(add(s, other, 0), BLOCK_INCOMPLETE);
        assert_int_equal(block_store_transfers(s), 0);
        assert_int_equal(block_store_bytes(s), 0);
}

static void a_first_block_begins_anew(void **state) {
        _cleanup_(block_store_freep) BlockStore *s = new_store(&roomy);
        int me;

        for (int i = 0; i < 100; i++) {
                assert_int_equal(add(s, part(&me, "d1", 0), 0), BLOCK_MORE);
                assert_int_equal(add(s, part(&me, "d1", 1), 0), BLOCK_MORE);
        }
        assert_int_equal(block_store_transfers(s), 1);
}

static void a_block_is_as_large_as_it_says(void **state) {
        _cleanup_(block_store_freep) BlockStore *s = new_store(&roomy);
        BlockPart p = part(&p, "d1", 0);

        p.payload.len = 15;
        assert_int_equal(add(s, p, 0), BLOCK_MALFORMED);
        p.payload.len = 17;
        assert_int_equal(add(s, p, 0), BLOCK_MALFORMED);
        p.option.more = false;
        assert_int_equal(add(s, p, 0), BLOCK_MALFORMED);
        p.payload.len = 0;
        assert_int_equal(add(s, p, 0), BLOCK_MALFORMED);
        p.payload.len = 1;
        assert_int_equal(add(s, p, 0), BLOCK_COMPLETE);
}

static void payloads_have_a_limit(void **state) {
        const BlockLimits limits = { .payload = 40, .bytes = 1000, .transfers = 8, .owner_transfers = 8 };
        _cleanup_(block_store_freep) BlockStore *s = new_store(&limits);
        BlockPart p = part(&p, "d1", 0);

        p.size1 = 41;
        assert_int_equal(add(s, p, 0), BLOCK_TOO_LARGE);
        p.size1 = 40;
        assert_int_equal(add(s, p, 0), BLOCK_MORE);
        assert_int_equal(add(s, part(&p, "d1", 1), 0), BLOCK_MORE);
        assert_int_equal(add(s, part(&p, "d1", 2), 0), BLOCK_TOO_LARGE);
        assert_int_equal(block_store_transfers(s), 0);
        p = part(&p, "d1", 0);
        p.option = (BlockOption){
                .number = BLOCK_NUMBER_MAX, .more = false, .exponent = BLOCK_EXPONENT_MAX
        };
        assert_int_equal(add(s, p, 0), BLOCK_TOO_LARGE);
}

static void transfers_and_their_bytes_have_limits(void **state) {
        const BlockLimits limits = { .payload = 64, .bytes = 50, .transfers = 3, .owner_transfers = 2 };
        _cleanup_(block_store_freep) BlockStore *s = new_store(&limits);
        int me, you, they;

        assert_int_equal(add(s, part(&me, "d1", 0), 0), BLOCK_MORE);
        assert_int_equal(add(s, part(&me, "d2", 0), 0), BLOCK_MORE);
        assert_int_equal(add(s, part(&me, "d3", 0), 0), BLOCK_NO_ROOM);
        assert_int_equal(add(s, part(&you, "d1", 0), 0), BLOCK_MORE);
        assert_int_equal(add(s, part(&they, "d1", 0), 0), BLOCK_NO_ROOM);
        assert_int_equal(block_store_bytes(s), 48);
        assert_int_equal(add(s, part(&me, "d1", 1), 0), BLOCK_NO_ROOM);
        assert_int_equal(block_store_bytes(s), 32);
        assert_int_equal(block_store_transfers(s), 2);
}

static void what_nobody_continues_is_given_up(void **state) {
        _cleanup_(block_store_freep) BlockStore *s = new_store(&roomy);
        int me, you;

        assert_int_equal(add(s, part(&me, "d1", 0), 0), BLOCK_MORE);
        assert_int_equal(add(s, part(&me, "d1", 1), BLOCK_PATIENCE_US - 1), BLOCK_MORE);
        assert_int_equal(add(s, part(&you, "d1", 0), BLOCK_PATIENCE_US), BLOCK_MORE);
        assert_int_equal(block_store_transfers(s), 2);
        assert_int_equal(add(s, part(&you, "d2", 0), 2 * BLOCK_PATIENCE_US - 1), BLOCK_MORE);
        assert_int_equal(block_store_transfers(s), 2);
        assert_int_equal(block_store_expired(s), 1);
        assert_int_equal(add(s, part(&me, "d1", 2), 2 * BLOCK_PATIENCE_US - 1), BLOCK_INCOMPLETE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_are_numbers),
                cmocka_unit_test(blocks_in_order_are_the_payload),
                cmocka_unit_test(owners_and_devices_have_their_own),
                cmocka_unit_test(what_does_not_continue_ends_it),
                cmocka_unit_test(a_first_block_begins_anew),
                cmocka_unit_test(a_block_is_as_large_as_it_says),
                cmocka_unit_test(payloads_have_a_limit),
                cmocka_unit_test(transfers_and_their_bytes_have_limits),
                cmocka_unit_test(what_nobody_continues_is_given_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
