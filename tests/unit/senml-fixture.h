/* What the tests of SenML share: a list of samples a test, and decoding at a fixed time. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "decode/decode.h"

static const int64_t now_us = 1790000000 * USEC_PER_SEC;

static int set_up(void **state) {
        *state = calloc(1, sizeof(SampleList));
        return *state ? 0 : -1;
}

static int tear_down(void **state) {
        sample_list_done(*state);
        free(*state);
        return 0;
}

/* A copy of exactly the payload's size, so that a sanitizer sees a read beyond it. */
static int decode(DecodeFormat format, Bytes payload, SampleList *l, Error *e) {
        uint8_t *copy = malloc(payload.len ? payload.len : 1);

        assert_non_null(copy);
        if (payload.len > 0)
                memcpy(copy, payload.data, payload.len);
        int r = decode_payload(&(Decoding){ .format = format }, BYTES(copy, payload.len), now_us, l, e);
        free(copy);
        assert_true(r == 0 || r == -EBADMSG);
        if (r < 0)
                assert_int_equal(l->count, 0);
        return r;
}
