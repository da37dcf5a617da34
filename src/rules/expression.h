/* A rule's condition, or a number that its summary shows: parsed once into a small postfix program, evaluated for each
 * reading. Pure.
 *
 * One stack of doubles carries numbers and truths; NaN is the unknown of both. A number that is not finite (a division
 * by zero) is unknown. Truths are 0 and 1 and join as Kleene's three-valued logic has it: false and unknown is false,
 * true or unknown is true, else what has an unknown part is unknown. */
#pragma once

#include "base/clock.h"
#include "base/heap.h"
#include "model/alert.h"
#include "rules/window.h"

enum {
        EXPRESSION_LENGTH_MAX = 2048, /* bytes of text */
        EXPRESSION_OPS_MAX = 512,
        EXPRESSION_STACK_MAX = 24,
        EXPRESSION_DEPTH_MAX = 32, /* parentheses, `not` and unary minus within each other */
        EXPRESSION_COUNTS_MAX = 8, /* counts across subjects */
        GROUP_LIMITS_MAX = 32,     /* named numbers of a group of rules */
};

#define FRESHNESS_DEFAULT (60 * USEC_PER_SEC)
#define AGE_MIN           USEC_PER_SEC
#define AGE_MAX           (INT64_C(604800) * USEC_PER_SEC)

typedef enum Operator {
        OPERATOR_ADD,
        OPERATOR_SUBTRACT,
        OPERATOR_MULTIPLY,
        OPERATOR_DIVIDE,
        OPERATOR_LT,
        OPERATOR_LE,
        OPERATOR_GT,
        OPERATOR_GE,
        OPERATOR_EQ,
        OPERATOR_NE,
        OPERATOR_AND,
        OPERATOR_OR,
        OPERATOR_ELSE, /* the left one, the right one where the left one is unknown; has no text */
} Operator;

typedef enum OpCode {
        OP_NUMBER, /* each of these pushes one: */
        OP_VITAL,  /* the last value, unknown where it is age_us old */
        OP_ABSENT, /* whether the last value is age_us old, unknown where there was none */
        OP_AGE,    /* seconds since the last value; number is what they are compared with */
        OP_WINDOW, /* statistic `which` of the window of age_us */
        OP_LIMIT,  /* the subject's own, or the group's number */
        OP_O2,     /* the subject's attribute o2 */
        OP_COUNT,  /* count `slot` of the expression: how many subjects */
        OP_NEGATE, /* takes one, pushes one */
        OP_NOT,
        OP_ABS,
        OP_BINARY, /* Operator `which`: takes two, pushes one */
        OP_NEWS2,  /* News2Score `which`: takes its values in the order of News2Part, pushes one */
} OpCode;

/* What OP_NEWS2 gives, beyond the parts of News2Part. */
enum { NEWS2_TOTAL = 100, NEWS2_ANY };

typedef struct Op {
        uint8_t code, which;
        VitalId vital; /* OP_VITAL, OP_ABSENT, OP_AGE, OP_WINDOW */
        uint16_t slot; /* place among a subject's vitals, windows or limits: set by the rule set, OP_COUNT: by the parser */
        union {
                double number;  /* OP_NUMBER, OP_AGE, OP_LIMIT: the group's */
                int64_t age_us; /* OP_VITAL: freshness; OP_ABSENT, OP_WINDOW: duration */
        };
} Op;

typedef struct Count Count;

typedef struct Expression {
        Op *ops;
        size_t count;
        size_t value;  /* the op that leaves the number that an alert shows; count where there is none */
        Count *counts; /* some: it is across subjects */
        size_t count_count;
        char by[ATTRIBUTE_NAME_MAX]; /* the attribute that subjects have in common */
} Expression;

/* count(condition by attribute, duration) */
struct Count {
        Expression condition;
        int64_t duration_us; /* 0: now */
};

/* A named number that subjects may have their own of. */
typedef struct Limit {
        char name[ATTRIBUTE_NAME_MAX];
        double number;
        uint16_t row; /* of the rule set's limits */
        bool used;    /* set by the parser */
} Limit;

/* What words mean in the expressions of a group of rules. */
typedef struct Vocabulary {
        const Catalogue *catalogue;
        int64_t fresh_us[VITALS_MAX];
        double assume[VITALS_MAX]; /* NaN: nothing */
        Limit limits[GROUP_LIMITS_MAX];
        size_t limit_count;
} Vocabulary;

void vocabulary_init(Vocabulary *v, const Catalogue *c);

typedef enum ExpressionUse {
        EXPRESSION_RULE,    /* a condition that names a vital */
        EXPRESSION_SUMMARY, /* a number, not across subjects */
        EXPRESSION_PROBE,   /* either, not across subjects */
} ExpressionUse;

/* -EINVAL with what is wrong, and where: the byte of text. */
int expression_parse(const char *text, ExpressionUse use, Vocabulary *words, Expression *ret,
                size_t *ret_offset, Error *e) _must_check_;
void expression_done(Expression *x);

/* What one subject last had of one vital. */
typedef struct Latest {
        HeapNode timer; /* no later than the next age that a rule waits for */
        double value;
        int64_t seen_us; /* monotonic; TIME_NONE: never */
        uint32_t next;   /* the age it waits for: index into the slot's expiries */
} Latest;

/* What one subject had of one vital for a while. */
typedef struct Recent {
        HeapNode timer; /* where rules wait for values to leave */
        Window *window; /* NULL: it never had the vital */
} Recent;

/* What an expression is evaluated against. */
typedef struct Scope {
        const Latest *latest;
        const Recent *recent;
        const double *limits;
        const uint32_t *counts;
        double o2;   /* NaN: not said of the subject */
        bool scale2; /* of SpO2 in NEWS2 */
        int64_t now_us;
} Scope;

/* A truth is 0 or 1, NaN is unknown. *ret_value is the number that an alert shows, NaN where there is none. */
double expression_evaluate(const Expression *x, const Scope *s, double *ret_value);

static inline Truth truth_of(double v) {
        return v != v ? TRUTH_UNKNOWN : v != 0 ? TRUTH_TRUE : TRUTH_FALSE;
}
