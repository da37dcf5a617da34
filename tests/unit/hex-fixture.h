/* Texts of vectors as bytes. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "hex.h"

/* free() it */
static _unused_ uint8_t *bytes_of(const char *text, size_t *ret_len) {
        size_t size = strlen(text) / 2 + 1;
        uint8_t *data = malloc(size);

        assert_non_null(data);
        assert_int_equal(hex_read(text, data, size, ret_len), 0);
        return data;
}

static void assert_hex_equal(Bytes got, const char *expected) {
        char *text = malloc(HEX_SIZE(got.len));

        assert_non_null(text);
        hex_write(got, text);
        assert_string_equal(text, expected);
        free(text);
}
