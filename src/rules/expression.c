#include "rules/expression.h"

#include <math.h>

void expression_done(Expression *x) {
        free(x->ops);
        *x = (Expression){ 0 };
}

static double known(double v) {
        return isfinite(v) ? v : (double) NAN;
}

static double fresh_value(const Op *op, const Latest *l, int64_t now_us) {
        return l->seen_us != TIME_NONE && now_us - l->seen_us < op->age_us ? l->value : (double) NAN;
}

static double is_absent(const Op *op, const Latest *l, int64_t now_us) {
        return l->seen_us == TIME_NONE ? (double) NAN : now_us - l->seen_us >= op->age_us;
}

/* truth, unknown where a or b is */
static double compared(double a, double b, bool truth) {
        return isnan(a) || isnan(b) ? (double) NAN : truth;
}

static double kleene_and(double a, double b) {
        if (a == 0 || b == 0)
                return 0;
        return isnan(a) || isnan(b) ? (double) NAN : 1;
}

static double kleene_not(double a) {
        return isnan(a) ? a : a == 0;
}

static double binary(OpCode code, double a, double b) {
        switch (code) {
        case OP_ADD:
                return known(a + b);
        case OP_SUBTRACT:
                return known(a - b);
        case OP_MULTIPLY:
                return known(a * b);
        case OP_DIVIDE:
                return known(a / b);
        case OP_LT:
                return compared(a, b, a < b);
        case OP_LE:
                return compared(a, b, a <= b);
        case OP_GT:
                return compared(a, b, a > b);
        case OP_GE:
                return compared(a, b, a >= b);
        case OP_EQ:
                return compared(a, b, a == b);
        case OP_NE:
                return compared(a, b, a != b);
        case OP_AND:
                return kleene_and(a, b);
        case OP_OR:
                return kleene_not(kleene_and(kleene_not(a), kleene_not(b)));
        case OP_NUMBER:
        case OP_VITAL:
        case OP_ABSENT:
        case OP_NEGATE:
        case OP_NOT:
                break;
        }
        return (double) NAN;
}

Truth expression_evaluate(const Expression *x, const Latest *latest, int64_t now_us, double *ret_value) {
        double stack[EXPRESSION_STACK_MAX] = { 0 }; /* the parser has bounded what is pushed */
        double *top = stack, value = (double) NAN;  /* top: the first free one */

        for (size_t i = 0; i < x->count; i++) {
                const Op *op = &x->ops[i];

                switch (op->code) {
                case OP_NUMBER:
                        *top++ = op->number;
                        break;
                case OP_VITAL:
                        *top = fresh_value(op, &latest[op->slot], now_us);
                        if (i == x->value)
                                value = *top;
                        top++;
                        break;
                case OP_ABSENT:
                        *top++ = is_absent(op, &latest[op->slot], now_us);
                        break;
                case OP_NEGATE:
                        top[-1] = -top[-1];
                        break;
                case OP_NOT:
                        top[-1] = kleene_not(top[-1]);
                        break;
                case OP_ADD:
                case OP_SUBTRACT:
                case OP_MULTIPLY:
                case OP_DIVIDE:
                case OP_LT:
                case OP_LE:
                case OP_GT:
                case OP_GE:
                case OP_EQ:
                case OP_NE:
                case OP_AND:
                case OP_OR:
                        top--;
                        top[-1] = binary(op->code, top[-1], top[0]);
                        break;
                }
        }
        *ret_value = value;
        return isnan(stack[0]) ? TRUTH_UNKNOWN : stack[0] != 0 ? TRUTH_TRUE : TRUTH_FALSE;
}
