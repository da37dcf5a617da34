/* A rule's condition: parsed once into a small postfix program, evaluated for each reading. Pure.
 *
 * One stack of doubles carries numbers and truths; NaN is the unknown of both. A number that is not finite (a division
 * by zero) is unknown. Truths are 0 and 1 and join as Kleene's three-valued logic has it: false and unknown is false,
 * true or unknown is true, else what has an unknown part is unknown. */
#pragma once

#include "base/clock.h"
#include "base/heap.h"
#include "model/alert.h"

enum {
        EXPRESSION_LENGTH_MAX = 2048, /* bytes of text */
        EXPRESSION_OPS_MAX = 512,
        EXPRESSION_STACK_MAX = 16,
        EXPRESSION_DEPTH_MAX = 32, /* parentheses, `not` and unary minus within each other */
};

#define FRESHNESS_DEFAULT (60 * USEC_PER_SEC)
#define AGE_MIN           USEC_PER_SEC
#define AGE_MAX           (INT64_C(604800) * USEC_PER_SEC)

typedef enum OpCode {
        OP_NUMBER,
        OP_VITAL,  /* pushes the last value, unknown where it is age_us old */
        OP_ABSENT, /* pushes whether the last value is age_us old, unknown where there was none */
        OP_NEGATE,
        OP_ADD,
        OP_SUBTRACT,
        OP_MULTIPLY,
        OP_DIVIDE,
        OP_LT,
        OP_LE,
        OP_GT,
        OP_GE,
        OP_EQ,
        OP_NE,
        OP_NOT,
        OP_AND,
        OP_OR,
} OpCode;

typedef struct Op {
        OpCode code;
        VitalId vital; /* OP_VITAL, OP_ABSENT */
        uint16_t slot; /* the vital's place among a subject's samples: set by the rule set */
        union {
                double number;  /* OP_NUMBER */
                int64_t age_us; /* OP_VITAL: the freshness, set by the rule set; OP_ABSENT: the duration */
        };
} Op;

typedef struct Expression {
        Op *ops;
        size_t count;
        size_t value; /* index of the first OP_VITAL, the number that an alert shows; count where there is none */
} Expression;

/* What one subject last had of one vital. */
typedef struct Latest {
        HeapNode timer; /* no later than the next age that a rule waits for */
        double value;
        int64_t seen_us; /* monotonic; TIME_NONE: never */
        uint32_t next;   /* the age it waits for: index into the slot's expiries */
} Latest;

/* -EINVAL with what is wrong, and where: the byte of text. */
int expression_parse(const char *text, const Catalogue *c, Expression *ret, size_t *ret_offset,
                Error *e) _must_check_;
void expression_done(Expression *x);

/* latest: the subject's, by slot. *ret_value is the fresh value that an alert shows, else NaN. */
Truth expression_evaluate(const Expression *x, const Latest *latest, int64_t now_us, double *ret_value);
