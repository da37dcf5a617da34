/* What the tests of binary formats share: bytes as hexadecimal digits, samples as a text. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "decode/advert.h"
#include "decode/decode.h"

enum { SAMPLES_TEXT_MAX = 8192 };

typedef struct Samples {
        SampleList list;
        char text[SAMPLES_TEXT_MAX];
        Error e;
} Samples;

static _unused_ int set_up(void **state) {
        *state = calloc(1, sizeof(Samples));
        return *state ? 0 : -1;
}

static _unused_ int tear_down(void **state) {
        Samples *s = *state;

        sample_list_done(&s->list);
        free(s);
        return 0;
}

static size_t from_hex(const char *hex, uint8_t *ret) {
        size_t n = 0;

        for (; *hex; hex++) {
                char pair[] = { hex[0], hex[1], '\0' }, *end;
                if (*hex == ' ')
                        continue;
                ret[n++] = (uint8_t) strtoul(pair, &end, 16);
                assert_ptr_equal(end, pair + 2);
                hex++;
        }
        return n;
}

/* From memory of exactly the payload's size, so that a sanitizer sees a read beyond it. */
static int decode_hex(Samples *s, const Decoding *d, const char *hex) {
        uint8_t *bytes = malloc(strlen(hex) + 1), *exact;

        assert_non_null(bytes);
        size_t n = from_hex(hex, bytes);
        exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, bytes, n);
        int r = decode_payload(d, BYTES(exact, n), 0, &s->list, &s->e);
        free(exact);
        free(bytes);
        assert_true(r == 0 || r == -EBADMSG);
        if (r < 0)
                assert_int_equal(s->list.count, 0);
        return r;
}

static size_t describe_sample(const Sample *s, char *ret, size_t size) {
        char when[CLOCK_TEXT_SIZE];
        size_t n = 0;

#define ADD(...) n += (size_t) snprintf(ret + n, size - n, __VA_ARGS__)
        ADD("%s ", s->name);
        if (s->has_value)
                ADD("%.15g %s", s->value, s->unit);
        else
                ADD("-");
        for (unsigned bit = 0; reading_flag_name(bit); bit++)
                if (s->flags >> bit & 1)
                        ADD(" %s", reading_flag_name(bit));
        if (s->time_us != TIME_NONE) {
                clock_format(s->time_us, when);
                ADD(" @%s", when);
        }
        if (s->has_seq)
                ADD(" #%llu", (unsigned long long) s->seq);
#undef ADD
        assert_true(n < size);
        return n;
}

/* "hr 85 /min sensor_off @2026-11-20T08:15:30.000Z #7; temp -": flags, device time and number where there are any. */
static const char *describe(Samples *s) {
        size_t n = 0;

        s->text[0] = '\0';
        for (size_t i = 0; i < s->list.count; i++) {
                if (i > 0)
                        n += (size_t) snprintf(s->text + n, sizeof s->text - n, "; ");
                n += describe_sample(s->list.items + i, s->text + n, sizeof s->text - n);
        }
        return s->text;
}

static _unused_ void expect(Samples *s, const Decoding *d, const char *hex, const char *samples) {
        if (decode_hex(s, d, hex) < 0)
                fail_msg("%s: %s", hex, s->e.message);
        if (!streq(describe(s), samples))
                fail_msg("%s: '%s', not '%s'", hex, s->text, samples);
}

static _unused_ void refuse(Samples *s, const Decoding *d, const char *hex, const char *reason) {
        if (decode_hex(s, d, hex) == 0)
                fail_msg("%s: accepted: %s", hex, describe(s));
        if (!strstr(s->e.message, reason))
                fail_msg("%s: '%s', not '%s'", hex, s->e.message, reason);
}

#define SAMPLES_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
