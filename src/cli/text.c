#include "cli/text.h"

#include <math.h>
#include <stdio.h>

static int is_continuation(char c) {
        return ((unsigned char) c & 0xc0) == 0x80;
}

void text_clean(const char *text, char *ret, size_t size) {
        size_t n = 0;

        for (const char *p = text; *p && n + 1 < size; p++) {
                unsigned char c = (unsigned char) *p;
                if (c < 0x20 || c == 0x7f)
                        ret[n++] = '?';
                else if (c == 0xc2 && ((unsigned char) p[1] & 0xe0) == 0x80) { /* U+0080 to U+009F */
                        ret[n++] = '?';
                        p++;
                } else
                        ret[n++] = *p;
                if (n + 1 == size && is_continuation(p[1]) && p[1]) { /* cut inside a character: drop it */
                        while (n > 0 && is_continuation(ret[n - 1]))
                                n--;
                        n -= n > 0;
                        break;
                }
        }
        ret[n] = '\0';
}

size_t text_width(const char *text) {
        size_t n = 0;

        for (; *text; text++)
                n += !is_continuation(*text);
        return n;
}

size_t text_fit(const char *text, size_t width) {
        size_t bytes = 0, n = 0;

        for (; text[bytes]; bytes++) {
                n += !is_continuation(text[bytes]);
                if (n > width)
                        break;
        }
        return bytes;
}

void text_age(double seconds, char ret[static CLOCK_TEXT_SIZE]) {
        static const struct {
                double length;
                char unit;
        } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };

        if (!(seconds >= 0)) /* a clock that stepped back, or no number */
                seconds = 0;
        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (seconds >= units[i].length || i + 1 == ELEMENTS(units)) {
                        (void) snprintf(ret, CLOCK_TEXT_SIZE, "%.0f%c", floor(seconds / units[i].length),
                                        units[i].unit);
                        return;
                }
}

void text_offset(int64_t us, char ret[static CLOCK_TEXT_SIZE]) {
        static const struct {
                const char *name;
                uint64_t us;
        } units[] = { { "d", 86400000000 }, { "h", 3600000000 }, { "m", 60000000 }, { "s", 1000000 },
                { "ms", 1000 }, { "us", 1 } };
        uint64_t left = us < 0 ? -(uint64_t) us : (uint64_t) us;
        size_t n = 0;

        if (us < 0)
                ret[n++] = '-';
        for (size_t i = 0; i < ELEMENTS(units) && left > 0; i++)
                if (left >= units[i].us) {
                        n += (size_t) snprintf(ret + n, CLOCK_TEXT_SIZE - n, "%llu%s",
                                        (unsigned long long) (left / units[i].us), units[i].name);
                        left %= units[i].us;
                }
        if (us == 0)
                (void) snprintf(ret, CLOCK_TEXT_SIZE, "0s");
}

void text_bytes(double bytes, char ret[static CLOCK_TEXT_SIZE]) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
        size_t i = 0;

        while (bytes >= 1024 && i + 1 < ELEMENTS(units)) {
                bytes /= 1024;
                i++;
        }
        (void) snprintf(ret, CLOCK_TEXT_SIZE, i > 0 && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}

static void join(const json_t *array, char *ret, size_t size) {
        size_t n = 0;

        for (size_t i = 0; i < json_array_size(array) && n + 2 < size; i++) {
                if (i > 0)
                        ret[n++] = ',';
                const json_t *item = json_array_get(array, i);
                if (json_is_array(item)) /* one level is what rows have */
                        continue;
                text_json(item, ret + n, size - n);
                n += strlen(ret + n);
        }
}

static void join_members(const json_t *object, char *ret, size_t size) {
        const char *name, *text;
        size_t n = 0;
        json_t *member;

        json_object_foreach((json_t *) object, name, member) {
                text = json_string_value(member); /* members of rows' objects are texts */
                if (!text || n + 2 >= size)
                        continue;
                if (n > 0)
                        ret[n++] = ',';
                text_clean(name, ret + n, size - n);
                n += strlen(ret + n);
                if (n + 2 >= size)
                        return;
                ret[n++] = '=';
                text_clean(text, ret + n, size - n);
                n += strlen(ret + n);
        }
}

void text_json(const json_t *value, char *ret, size_t size) {
        ret[0] = '\0';
        if (json_is_string(value))
                text_clean(json_string_value(value), ret, size);
        else if (json_is_integer(value))
                (void) snprintf(ret, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
                (void) snprintf(ret, size, "%.10g", json_real_value(value));
        else if (json_is_boolean(value))
                (void) snprintf(ret, size, "%s", json_is_true(value) ? "yes" : "no");
        else if (json_is_array(value))
                join(value, ret, size);
        else if (json_is_object(value))
                join_members(value, ret, size);
}

void text_time(const json_t *value, char *ret, size_t size) {
        char text[CLOCK_TEXT_SIZE] = "";

        if (json_is_number(value))
                clock_format((int64_t) json_number_value(value), text);
        (void) snprintf(ret, size, "%s", text);
}
