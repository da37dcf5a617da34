/* The functions of the language: one row each, and how what stands in their parentheses is read. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "rules/news2.h"
#include "rules/parser.h"
#include "rules/statistic.h"

typedef struct Function Function;

struct Function {
        const char *name, *arguments;
        int (*parse)(Parser *p, const Function *f, Type *ret); /* from behind the opening parenthesis */
        uint8_t which;
};

static int parse_absent(Parser *p, const Function *f, Type *ret);
static int parse_abs(Parser *p, const Function *f, Type *ret);
static int parse_age(Parser *p, const Function *f, Type *ret);
static int parse_count(Parser *p, const Function *f, Type *ret);
static int parse_window(Parser *p, const Function *f, Type *ret);
static int parse_news2(Parser *p, const Function *f, Type *ret);

static const char window[] = "vital, duration";
static const Function functions[] = {
        { "absent", "vital, duration", parse_absent, 0 },
        { "age", "vital", parse_age, 0 },
        { "abs", "number", parse_abs, 0 },
        { "mean", window, parse_window, STATISTIC_MEAN },
        { "min", window, parse_window, STATISTIC_MIN },
        { "max", window, parse_window, STATISTIC_MAX },
        { "stddev", window, parse_window, STATISTIC_STDDEV },
        { "delta", window, parse_window, STATISTIC_DELTA },
        { "rate", window, parse_window, STATISTIC_RATE },
        { "zscore", window, parse_window, STATISTIC_ZSCORE },
        { "ewma", window, parse_window, STATISTIC_EWMA },
        { "count", "vital, duration) or count(condition by attribute", parse_count, STATISTIC_COUNT },
        { "median", window, parse_window, STATISTIC_MEDIAN },
        { "mad", window, parse_window, STATISTIC_MAD },
        { "robust_zscore", window, parse_window, STATISTIC_ROBUST_ZSCORE },
        { "noise", window, parse_window, STATISTIC_NOISE },
        { "stuck", window, parse_window, STATISTIC_STUCK },
        { "news2", "", parse_news2, NEWS2_TOTAL },
        { "news2_any", "", parse_news2, NEWS2_ANY },
        { "news2_rr", "", parse_news2, NEWS2_RR },
        { "news2_spo2", "", parse_news2, NEWS2_SPO2 },
        { "news2_o2", "", parse_news2, NEWS2_O2 },
        { "news2_sbp", "", parse_news2, NEWS2_SBP },
        { "news2_pulse", "", parse_news2, NEWS2_PULSE },
        { "news2_acvpu", "", parse_news2, NEWS2_ACVPU },
        { "news2_temp", "", parse_news2, NEWS2_TEMP },
};
_Static_assert(ELEMENTS(functions) <= FUNCTIONS_MAX, "function_names() has room");

static const Function *find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(functions); i++)
                if (streq(name, functions[i].name))
                        return &functions[i];
        return NULL;
}

size_t function_names(const char *ret[static FUNCTIONS_MAX]) {
        for (size_t i = 0; i < ELEMENTS(functions); i++)
                ret[i] = functions[i].name;
        return ELEMENTS(functions);
}

const char *function_arguments(const char *name) {
        const Function *f = find(name);
        return f ? f->arguments : NULL;
}

int parser_call(Parser *p, const Token *name, Type *ret) {
        const Function *f = find(name->text);

        if (!f)
                return mistake_function(p, name);
        int r = parser_next(p);
        return r < 0 ? r : f->parse(p, f, ret);
}

static int parse_vital(Parser *p, const Function *f, const char *rest, const Vital **ret) {
        Token name = p->token;
        char what[128];

        (void) snprintf(what, sizeof what, "a vital, such as %s(temp%s)", f->name, rest);
        int r = parser_accept(p, TOKEN_NAME, what);
        return r < 0 ? r : parser_find_vital(p, &name, ret);
}

static int parse_duration(Parser *p, int64_t min_us, int64_t max_us, int64_t *ret_us) {
        char low[CLOCK_TEXT_SIZE], high[CLOCK_TEXT_SIZE], what[128];

        duration_format(min_us, low);
        duration_format(max_us, high);
        (void) snprintf(what, sizeof what, "a duration from %s to %s", low, high);
        *ret_us = p->token.duration_us;
        if (p->token.type != TOKEN_DURATION || *ret_us < min_us || *ret_us > max_us)
                return parser_expected(p, what);
        return parser_next(p);
}

/* vital, duration) */
static int parse_vital_duration(
                Parser *p, const Function *f, int64_t max_us, VitalId *ret_vital, int64_t *ret_us) {
        const Vital *v;
        char what[128];

        int r = parse_vital(p, f, ", 10m", &v);
        if (r < 0)
                return r;
        (void) snprintf(what, sizeof what, "',' and a duration, such as %s(%s, 10m)", f->name, v->name);
        r = parser_accept(p, TOKEN_COMMA, what);
        if (r < 0)
                return r;
        r = parse_duration(p, WINDOW_LENGTH_MIN, max_us, ret_us);
        if (r < 0)
                return r;
        *ret_vital = v->id;
        return parser_accept(p, TOKEN_CLOSE, "')'");
}

static int parse_absent(Parser *p, const Function *f, Type *ret) {
        Op op = { .code = OP_ABSENT };

        int r = parse_vital_duration(p, f, AGE_MAX, &op.vital, &op.age_us);
        if (r < 0)
                return r;
        *ret = TYPE_CONDITION;
        return parser_emit(p, &op, 1);
}

static int parse_window(Parser *p, const Function *f, Type *ret) {
        Op op = { .code = OP_WINDOW, .which = f->which };

        int r = parse_vital_duration(p, f, WINDOW_LENGTH_MAX, &op.vital, &op.age_us);
        if (r < 0)
                return r;
        *ret = f->which == STATISTIC_STUCK ? TYPE_CONDITION : TYPE_NUMBER;
        r = parser_emit(p, &op, 1);
        if (r == 0 && *ret == TYPE_NUMBER)
                parser_show(p);
        return r;
}

static int parse_age(Parser *p, const Function *f, Type *ret) {
        size_t name = p->name;
        const Vital *v;

        int r = parse_vital(p, f, "", &v);
        if (r < 0)
                return r;
        r = parser_accept(p, TOKEN_CLOSE, "')'");
        if (r < 0)
                return r;
        if (p->program->age == 0) {
                p->program->age = name + 1;
                p->program->age_op = p->program->count;
        }
        *ret = TYPE_NUMBER;
        r = parser_emit(p, &(Op){ .code = OP_AGE, .vital = v->id, .number = (double) NAN }, 1);
        if (r == 0)
                parser_show(p);
        return r;
}

static int parse_abs(Parser *p, const Function *f, Type *ret) {
        size_t offset = p->token.offset;

        int r = parser_operators(p, PRECEDENCE_OR, ret);
        if (r < 0)
                return r;
        if (*ret != TYPE_NUMBER) {
                (void) error_set(p->e, -EINVAL, "%s() takes a number: found a condition", f->name);
                return parser_fail(p, offset);
        }
        r = parser_accept(p, TOKEN_CLOSE, "an operator or ')'");
        return r < 0 ? r : parser_emit(p, &(Op){ .code = OP_ABS }, 0);
}

/* --- NEWS2 --- */

/* The vitals of each part, in the order in which they are asked. */
static const char *const news2_vitals[NEWS2_PARTS][2] = {
        [NEWS2_RR] = { "rr" },
        [NEWS2_SPO2] = { "spo2" },
        [NEWS2_O2] = { "o2" },
        [NEWS2_SBP] = { "sbp" },
        [NEWS2_PULSE] = { "pulse", "hr" },
        [NEWS2_ACVPU] = { "acvpu" },
        [NEWS2_TEMP] = { "temp" },
};

/* A part's value: what is fresh, what is said of the subject, what the group assumes. */
static int emit_part(Parser *p, News2Part part) {
        VitalId vitals[2];
        size_t n = 0;
        int r = 0;

        for (; r == 0 && n < 2 && news2_vitals[part][n]; n++) {
                vitals[n] = catalogue_find(p->words->catalogue, news2_vitals[part][n])->id;
                r = parser_emit_fresh(p, vitals[n]);
                if (r == 0 && n > 0)
                        r = parser_emit_else(p);
        }
        if (r == 0 && part == NEWS2_O2) {
                r = parser_emit(p, &(Op){ .code = OP_O2 }, 1);
                if (r == 0)
                        r = parser_emit_else(p);
        }
        for (size_t i = 0; r == 0 && i < n; i++)
                r = parser_emit_assumed(p, vitals[i]);
        return r;
}

static int parse_news2(Parser *p, const Function *f, Type *ret) {
        bool whole = f->which == NEWS2_TOTAL || f->which == NEWS2_ANY;
        News2Part first = whole ? 0 : (News2Part) f->which;
        News2Part last = whole ? NEWS2_PARTS - 1 : first == NEWS2_SPO2 ? NEWS2_O2 : first;

        int r = parser_accept(p, TOKEN_CLOSE, "')': it takes its vitals by itself");
        for (News2Part part = first; r == 0 && part <= last; part++)
                r = emit_part(p, part);
        if (r < 0)
                return r;
        *ret = TYPE_NUMBER;
        r = parser_emit(p, &(Op){ .code = OP_NEWS2, .which = f->which }, (int) first - (int) last);
        if (r == 0)
                parser_show(p);
        return r;
}

/* --- count: of a subject's values, or of subjects --- */

/* The first argument stands alone: count(vital, duration), or what is meant to be that. */
static bool counts_values(const Parser *p) {
        Token after;

        if (p->token.type != TOKEN_NAME)
                return p->token.type == TOKEN_DURATION;
        if (token_read(p->text, p->token.offset + p->token.len, &after, NULL) < 0)
                return false;
        return after.type == TOKEN_COMMA || after.type == TOKEN_CLOSE;
}

static int refuse_count(Parser *p) {
        if (p->in_count)
                (void) error_set(p->e, -EINVAL, "count(... by ...) does not stand inside another one");
        else
                (void) error_set(p->e, -EINVAL,
                                "count(... by ...) is for a rule's expr: {{ value }} shows its first one");
        return parser_fail(p, p->name);
}

/* The condition, into a program of its own. */
static int parse_counted(Parser *p, Expression *ret) {
        Program inner = { .count = 0 }, *outer = p->program;
        size_t offset = p->token.offset;
        Type type = TYPE_NUMBER;

        p->program = &inner;
        p->in_count = true;
        int r = parser_operators(p, PRECEDENCE_OR, &type);
        p->in_count = false;
        p->program = outer;
        if (r < 0)
                return r;
        if (type != TYPE_CONDITION || !inner.vital) {
                (void) error_set(p->e, -EINVAL,
                                "expected a condition on vitals, such as count(temp > 38 by ward)");
                return parser_fail(p, offset);
        }
        if (inner.age > 0)
                return parser_fail_age(p, inner.age - 1);
        if (!parser_copy(&inner, ret)) {
                (void) error_set(p->e, -ENOMEM, "out of memory");
                return parser_fail(p, offset);
        }
        return 0;
}

/* by attribute; the same one in all counts of a rule */
static int parse_by(Parser *p) {
        int r = parser_accept(p, TOKEN_BY, "'by' and an attribute, such as count(temp > 38 by ward)");
        if (r < 0)
                return r;
        Token name = p->token;
        r = parser_accept(p, TOKEN_NAME, "an attribute of subjects, such as ward");
        if (r < 0)
                return r;
        if (name.len >= sizeof p->by || !attribute_is_valid(name.text, "")) {
                (void) error_set(p->e, -EINVAL,
                                "'%s': expected an attribute: a small letter, then up to %d small letters, "
                                "digits or '_'",
                                name.text, ATTRIBUTE_NAME_MAX - 2);
                return parser_fail(p, name.offset);
        }
        if (p->by[0] && !streq(p->by, name.text)) {
                (void) error_set(p->e, -EINVAL,
                                "all counts of a rule are by the same attribute: expected %s", p->by);
                return parser_fail(p, name.offset);
        }
        memcpy(p->by, name.text, name.len + 1);
        return 0;
}

/* What comes behind the condition. */
static int parse_count_rest(Parser *p, Count *c) {
        int r = parse_by(p);
        if (r < 0 || p->token.type == TOKEN_CLOSE)
                return r < 0 ? r : parser_next(p);
        r = parser_accept(p, TOKEN_COMMA, "',' and a duration, or ')'");
        if (r < 0)
                return r;
        r = parse_duration(p, AGE_MIN, AGE_MAX, &c->duration_us);
        return r < 0 ? r : parser_accept(p, TOKEN_CLOSE, "')'");
}

static int parse_count(Parser *p, const Function *f, Type *ret) {
        if (counts_values(p))
                return parse_window(p, f, ret);
        if (p->in_count || p->use != EXPRESSION_RULE)
                return refuse_count(p);
        if (p->count_count == EXPRESSION_COUNTS_MAX) {
                (void) error_set(p->e, -EINVAL, "more than %d counts: split it into two rules",
                                EXPRESSION_COUNTS_MAX);
                return parser_fail(p, p->name);
        }
        Count *c = &p->counts[p->count_count];
        int r = parse_counted(p, &c->condition);
        if (r < 0)
                return r;
        const Op op = { .code = OP_COUNT, .slot = (uint16_t) p->count_count++ };
        r = parse_count_rest(p, c);
        if (r < 0)
                return r;
        *ret = TYPE_NUMBER;
        r = parser_emit(p, &op, 1);
        if (r == 0)
                parser_show(p);
        return r;
}
