/* RLP, against the vectors of another implementation, and what a full buffer does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rlp.h"
#include "ethers-fixture.h"
#include "hex-fixture.h"

enum { SIZE = 8192 };

static void put_item(RlpWriter *w, const json_t *item) {
        json_t *inner;
        size_t i, len;

        if (json_is_array(item)) {
                size_t list = rlp_begin_list(w);
                json_array_foreach((json_t *) item, i, inner) {
                        put_item(w, inner);
                }
                rlp_end_list(w, list);
                return;
        }
        uint8_t *data = bytes_of(json_string_value(item), &len);
        rlp_put_bytes(w, BYTES(data, len));
        free(data);
}

static void vectors_hold(void **state) {
        json_t *vectors = ethers_vectors("rlp-coder_subset"), *vector;
        uint8_t buffer[SIZE];
        size_t i;

        if (!vectors)
                skip();
        assert_true(json_array_size(vectors) > 50);
        json_array_foreach(vectors, i, vector) {
                RlpWriter w = rlp_writer(buffer, sizeof buffer);
                put_item(&w, json_object_get(vector, "decoded"));
                assert_false(w.overflow);
                assert_hex_equal(
                                BYTES(buffer, w.len), json_string_value(json_object_get(vector, "encoded")));
        }
        json_decref(vectors);
}

static void assert_uint(uint64_t v, const char *expected) {
        uint8_t buffer[16];
        RlpWriter w = rlp_writer(buffer, sizeof buffer);

        rlp_put_uint(&w, v);
        assert_hex_equal(BYTES(buffer, w.len), expected);
}

static void numbers_have_no_leading_zeros(void **state) {
        static const uint8_t r[32] = { [30] = 1, [31] = 2 };
        uint8_t buffer[16];
        RlpWriter w = rlp_writer(buffer, sizeof buffer);

        assert_uint(0, "0x80");
        assert_uint(1, "0x01");
        assert_uint(0x7f, "0x7f");
        assert_uint(0x80, "0x8180");
        assert_uint(0x400, "0x820400");
        assert_uint(UINT64_MAX, "0x88ffffffffffffffff");
        rlp_put_number(&w, BYTES(r, sizeof r));
        assert_hex_equal(BYTES(buffer, w.len), "0x820102");
}

static void lists_are_in_lists(void **state) {
        uint8_t buffer[16];
        RlpWriter w = rlp_writer(buffer, sizeof buffer);

        size_t outer = rlp_begin_list(&w);
        rlp_end_list(&w, rlp_begin_list(&w));
        size_t inner = rlp_begin_list(&w);
        rlp_put_bytes(&w, BYTES_STRING("dog"));
        rlp_end_list(&w, inner);
        rlp_end_list(&w, outer);
        assert_false(w.overflow);
        assert_hex_equal(BYTES(buffer, w.len), "0xc6c0c483646f67");
}

/* Whatever the buffer's size is: all of it or the word that it was too small, and nothing behind its end. */
static void a_full_buffer_is_remembered(void **state) {
        uint8_t long_string[60] = { 0 };

        for (size_t size = 0; size < 80; size++) {
                uint8_t *buffer = malloc(MAX(size, (size_t) 1));
                assert_non_null(buffer);
                RlpWriter w = rlp_writer(buffer, size);
                size_t list = rlp_begin_list(&w);
                rlp_put_bytes(&w, BYTES(long_string, sizeof long_string));
                rlp_put_uint(&w, 5);
                rlp_end_list(&w, list);
                assert_int_equal(w.overflow, size < 2 + 2 + sizeof long_string + 1);
                assert_true(w.len <= size);
                free(buffer);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(vectors_hold),
                cmocka_unit_test(numbers_have_no_leading_zeros),
                cmocka_unit_test(lists_are_in_lists),
                cmocka_unit_test(a_full_buffer_is_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
