#include "cli/series.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

static const char blanks[] = " \t\r\n", digits[] = "0123456789";

enum { NUMBER_MAX = 32, REPEAT_DIGITS_MAX = 9 };

/* One word: value, value + step, ..., count of them. */
typedef struct Run {
        double value, step;
        size_t count;
} Run;

/* A decimal number's length, 0 where there is none. Not strtod()'s: "0x3" is three times nothing, not hexadecimal. */
static size_t number_length(const char *text) {
        size_t n = strspn(text, "+-") == 1;
        size_t whole = strspn(text + n, digits), fraction = 0;

        if (text[n + whole] == '.')
                fraction = 1 + strspn(text + n + whole + 1, digits);
        if (whole + fraction == 0 || (whole == 0 && fraction == 1))
                return 0;
        n += whole + fraction;
        if (text[n] == 'e' || text[n] == 'E') {
                size_t sign = 1 + (text[n + 1] == '+' || text[n + 1] == '-');
                size_t exponent = strspn(text + n + sign, digits);
                n += exponent > 0 ? sign + exponent : 0;
        }
        return n;
}

/* Takes a number at *p. */
static bool take_number(const char **p, double *ret) {
        char buffer[NUMBER_MAX];
        size_t n = number_length(*p);

        if (n == 0 || n >= sizeof buffer)
                return false;
        memcpy(buffer, *p, n);
        buffer[n] = '\0';
        *ret = strtod(buffer, NULL);
        *p += n;
        return isfinite(*ret);
}

/* Takes "x30" at *p; where there is none, *ret stays. */
static bool take_repeat(const char **p, size_t *ret) {
        if (**p != 'x')
                return true;
        size_t n = strspn(*p + 1, digits);
        if (n == 0 || n > REPEAT_DIGITS_MAX)
                return false;
        *ret = strtoul(*p + 1, NULL, 10);
        if (*ret == 0)
                return false;
        *p += 1 + n;
        return true;
}

/* *p is left where the mistake is. */
static bool read_run(const char **p, Run *ret) {
        *ret = (Run){ .value = (double) NAN, .count = 1 };
        if (**p == '_') {
                (*p)++;
                return take_repeat(p, &ret->count);
        }
        if (!take_number(p, &ret->value))
                return false;
        if (**p == '+' || **p == '-') {
                if (!take_number(p, &ret->step))
                        return false;
                if (**p != 'x' ||
                                !take_repeat(p, &ret->count)) /* a step without a count is a slip: "97 -2" */
                        return false;
                ret->count++;
                return true;
        }
        return take_repeat(p, &ret->count);
}

static int append(Series *s, const Run *run) {
        double *values = reallocarray(s->values, s->count + run->count, sizeof *values);

        if (!values)
                return -ENOMEM;
        s->values = values;
        for (size_t i = 0; i < run->count; i++) /* not summed up: 0.1 ten times is 1 */
                s->values[s->count++] = run->value + (double) i * run->step;
        return 0;
}

int series_parse(const char *text, Series *ret, size_t *ret_offset, Error *e) {
        _cleanup_(series_done) Series s = { 0 };
        const char *p = text + strspn(text, blanks);

        *ret_offset = 0;
        for (; *p; p += strspn(p, blanks)) {
                const char *word = p;
                Run run;

                if (!read_run(&p, &run) || (*p && !strchr(blanks, *p))) {
                        *ret_offset = (size_t) (p - text);
                        return error_set(e, -EINVAL,
                                        "'%.*s': expected a value (97), a repetition (97x30), a slope "
                                        "(97-2x10) or a gap (_x5)",
                                        (int) MIN(strcspn(word, blanks), (size_t) NUMBER_MAX), word);
                }
                if (run.count > SERIES_MAX - s.count) {
                        *ret_offset = (size_t) (word - text);
                        return error_set(e, -EINVAL, "more than %d values", SERIES_MAX);
                }
                if (append(&s, &run) < 0)
                        return error_set(e, -ENOMEM, "out of memory");
        }
        *ret = s;
        s = (Series){ 0 };
        return 0;
}

void series_done(Series *s) {
        free(s->values);
        *s = (Series){ 0 };
}
