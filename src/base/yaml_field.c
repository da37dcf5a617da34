/* Reading mappings through tables of fields. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/yaml.h"

enum { WORD_MAX_LENGTH = 64 };

static size_t edit_distance(const char *a, const char *b) {
        size_t row[WORD_MAX_LENGTH + 1], la = strlen(a), lb = strlen(b);

        if (la > WORD_MAX_LENGTH || lb > WORD_MAX_LENGTH)
                return SIZE_MAX;
        for (size_t j = 0; j <= lb; j++)
                row[j] = j;
        for (size_t i = 1; i <= la; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= lb; j++) {
                        size_t above = row[j];
                        size_t best = diagonal + (a[i - 1] != b[j - 1]);
                        best = MIN(best, above + 1);
                        row[j] = MIN(best, row[j - 1] + 1);
                        diagonal = above;
                }
        }
        return row[lb];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t n) {
        const char *best = NULL;
        size_t distance = strlen(word) / 3 + 2;

        for (size_t i = 0; i < n; i++) {
                size_t d = edit_distance(word, candidates[i]);
                if (d < distance) {
                        distance = d;
                        best = candidates[i];
                }
        }
        return best;
}

/* "a, b, c", cut at the end of ret. */
static void join_words(const char *const *words, size_t n, char *ret, size_t size) {
        size_t used = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < n && used < size; i++) {
                int k = snprintf(ret + used, size - used, "%s%s", i ? ", " : "", words[i]);
                used += k > 0 ? (size_t) k : 0;
        }
}

static int expected(const YamlNode *n, Error *e, const char *what, const YamlField *f) {
        const char *text = yaml_text(n);
        char range[96] = "";

        if (f->min != 0 || f->max != 0)
                (void) snprintf(range, sizeof range, " from %.15g to %.15g", f->min, f->max);
        return yaml_error(n, e, -EINVAL, "%s%s%s%.40s%s: expected %s%s", f->key ? f->key : "",
                        f->key ? ": " : "", text ? "'" : "", text ? text : "a list or mapping",
                        text ? "'" : "", what, range);
}

static bool in_range(const YamlField *f, double v) {
        return (f->min == 0 && f->max == 0) || (v >= f->min && v <= f->max);
}

static int read_number(const YamlNode *n, const YamlField *f, double *ret, Error *e) {
        const char *text = yaml_text(n);
        char *end;

        if (!text || *text == '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
                return expected(n, e, "a number", f);
        double v = strtod(text, &end);
        if (*end != '\0' || !isfinite(v) || !in_range(f, v))
                return expected(n, e, "a number", f);
        *ret = v;
        return 0;
}

static int read_integer(const YamlNode *n, const YamlField *f, int64_t *ret, Error *e) {
        const char *text = yaml_text(n);
        char *end;

        if (!text || *text == '\0' || strspn(text, "+-0123456789") != strlen(text))
                return expected(n, e, "a whole number", f);
        errno = 0;
        long long v = strtoll(text, &end, 10);
        if (errno != 0 || *end != '\0' || !in_range(f, (double) v))
                return expected(n, e, "a whole number", f);
        *ret = v;
        return 0;
}

static int read_duration(const YamlNode *n, const YamlField *f, int64_t *ret, Error *e) {
        char low[CLOCK_TEXT_SIZE], high[CLOCK_TEXT_SIZE], what[128];
        const char *text = yaml_text(n);
        int64_t us;

        if (text && duration_parse(text, &us) == 0 && in_range(f, (double) us)) {
                *ret = us;
                return 0;
        }
        duration_format((int64_t) f->min, low);
        duration_format((int64_t) f->max, high);
        if (f->max != 0)
                (void) snprintf(what, sizeof what, "a duration from %s to %s", low, high);
        else
                (void) snprintf(what, sizeof what, "a duration such as 250ms, 10s or 1h30m");
        return expected(n, e, what, &(YamlField){ .key = f->key });
}

static int read_bytes(const YamlNode *n, const YamlField *f, int64_t *ret, Error *e) {
        const char *text = yaml_text(n);
        char *end;
        int64_t v;

        if (!text || *text < '0' || *text > '9')
                return expected(n, e, "a size such as 64M or 2G", f);
        errno = 0;
        v = strtoll(text, &end, 10);
        static const char suffixes[] = "KMGT";
        const char *s = *end ? strchr(suffixes, *end) : NULL;
        if (errno != 0 || (*end && (!s || end[1] != '\0')))
                return expected(n, e, "a size such as 64M or 2G", f);
        for (ptrdiff_t i = s ? s - suffixes + 1 : 0; i > 0; i--)
                if (__builtin_mul_overflow(v, 1024, &v))
                        return expected(n, e, "a smaller size", f);
        if (!in_range(f, (double) v))
                return expected(n, e, "a size", f);
        *ret = v;
        return 0;
}

static int read_choice(const YamlNode *n, const YamlField *f, int *ret, Error *e) {
        const char *text = yaml_text(n);
        char list[256], what[300];
        size_t count = 0;

        for (; f->choices[count]; count++)
                if (text && streq(text, f->choices[count])) {
                        *ret = (int) count;
                        return 0;
                }
        join_words(f->choices, count, list, sizeof list);
        (void) snprintf(what, sizeof what, "one of: %s", list);
        return expected(n, e, what, f);
}

int yaml_read_value(const YamlNode *n, const YamlField *f, void *member, Error *e) {
        const char *text = yaml_text(n);

        switch (f->type) {
        case YAML_STRING: {
                if (!text || *text == '\0')
                        return expected(n, e, "a text", f);
                char *copy = strdup(text);
                if (!copy)
                        return error_set(e, -ENOMEM, "out of memory");
                free(*(char **) member);
                *(char **) member = copy;
                return 0;
        }
        case YAML_INT:
                return read_integer(n, f, member, e);
        case YAML_DOUBLE:
                return read_number(n, f, member, e);
        case YAML_BOOL:
                if (!text || (!streq(text, "true") && !streq(text, "false")))
                        return expected(n, e, "true or false", f);
                *(bool *) member = streq(text, "true");
                return 0;
        case YAML_DURATION:
                return read_duration(n, f, member, e);
        case YAML_BYTES:
                return read_bytes(n, f, member, e);
        case YAML_CHOICE:
                return read_choice(n, f, member, e);
        case YAML_NODE:
                *(YamlNode *) member = *n;
                return 0;
        }
        return -EINVAL;
}

static int unknown_key(const YamlNode *key, const YamlField *fields, Error *e) {
        const char *names[64];
        size_t n = 0;

        for (const YamlField *f = fields; f->key && n < ELEMENTS(names); f++)
                names[n++] = f->key;
        const char *near = nearest_word(yaml_text(key), names, n);
        if (near)
                return yaml_error(key, e, -EINVAL, "unknown key '%.60s': did you mean '%s'?", yaml_text(key),
                                near);
        char list[400];
        join_words(names, n, list, sizeof list);
        return yaml_error(key, e, -EINVAL, "unknown key '%.60s': expected one of: %s", yaml_text(key), list);
}

int yaml_read(const YamlNode *n, const YamlField *fields, void *object, Error *e) {
        if (!yaml_is_mapping(n))
                return yaml_error(n, e, -EINVAL, "expected a mapping (key: value)");
        for (size_t i = 0; i < yaml_length(n); i++) {
                YamlNode key, value, other, unused;
                const YamlField *f = fields;

                yaml_pair(n, i, &key, &value);
                if (!yaml_text(&key))
                        return yaml_error(&key, e, -EINVAL, "expected a plain key");
                for (size_t j = 0; j < i; j++) {
                        yaml_pair(n, j, &other, &unused);
                        if (streq(yaml_text(&other), yaml_text(&key)))
                                return yaml_error(&key, e, -EINVAL,
                                                "key '%.60s' is given twice, first on line %u",
                                                yaml_text(&key), yaml_line(&other));
                }
                while (f->key && !streq(f->key, yaml_text(&key)))
                        f++;
                if (!f->key)
                        return unknown_key(&key, fields, e);
                int r = yaml_read_value(&value, f, (char *) object + f->offset, e);
                if (r < 0)
                        return r;
        }
        for (const YamlField *f = fields; f->key; f++) {
                bool found = !f->required;
                for (size_t i = 0; i < yaml_length(n) && !found; i++) {
                        YamlNode key, value;
                        yaml_pair(n, i, &key, &value);
                        found = streq(yaml_text(&key), f->key);
                }
                if (!found)
                        return yaml_error(n, e, -EINVAL, "key '%s' is missing", f->key);
        }
        return 0;
}
