/* Keccak-256, against the vectors of another implementation and what everybody knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keccak.h"
#include "ethers-fixture.h"
#include "hex-fixture.h"

static void assert_keccak(Bytes data, const char *expected) {
        Hash hash;

        keccak256(data, &hash);
        assert_hex_equal(BYTES(hash.bytes, sizeof hash.bytes), expected);
}

static void it_is_not_sha3(void **state) {
        assert_keccak(BYTES_STRING(""),
                        "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        assert_keccak(BYTES_STRING("abc"),
                        "0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

/* Around the rate of 136 bytes, where padding needs another block. */
static void lengths_around_a_block_are_padded(void **state) {
        static const struct {
                size_t len;
                const char *hash;
        } cases[] = {
                { 135, "0x29e3704feeca7fb9ba229f0fa04d9b36449cf3ad6e1d85d9cfff3a10df9abc3e" },
                { 136, "0x3a5912a7c5faa06ee4fe906253e339467a9ce87d533c65be3c15cb231cdb25f9" },
                { 137, "0xbee7fbb405cb0d91a8775e338c4a5e4b5d6b2d051f687fa942043cffdc73bd28" },
                { 271, "0x3bb611e98ca876adc01436a582979ecfd012389033aca7dbf76dcb424fe02a0c" },
                { 272, "0xa8005c7a3125b6c3629b4181eca54d18721e41fef639718d205beb00b366ed7d" },
                { 273, "0x20494ff4ca5f71c4edb30f159611d235a403fdd6beb95a7c386176842c3fd109" },
        };
        uint8_t zeros[300] = { 0 };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_keccak(BYTES(zeros, cases[i].len), cases[i].hash);
}

static void vectors_hold(void **state) {
        json_t *vectors = ethers_vectors("hashes_subset"), *vector;
        size_t i, len;

        if (!vectors)
                skip();
        assert_true(json_array_size(vectors) > 50);
        json_array_foreach(vectors, i, vector) {
                uint8_t *data = bytes_of(json_string_value(json_object_get(vector, "data")), &len);
                assert_keccak(BYTES(data, len), json_string_value(json_object_get(vector, "keccak256")));
                free(data);
        }
        json_decref(vectors);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_is_not_sha3),
                cmocka_unit_test(lengths_around_a_block_are_padded),
                cmocka_unit_test(vectors_hold),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
