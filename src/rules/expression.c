#include "rules/expression.h"

#include <math.h>

#include "rules/news2.h"
#include "rules/statistic.h"

void vocabulary_init(Vocabulary *v, const Catalogue *c) {
        v->catalogue = c;
        v->limit_count = 0;
        for (size_t i = 0; i < VITALS_MAX; i++) {
                v->fresh_us[i] = FRESHNESS_DEFAULT;
                v->assume[i] = (double) NAN;
        }
}

void expression_done(Expression *x) {
        /* counts do not nest: what is in one has none */
        for (size_t i = 0; i < x->count_count; i++)
                free(x->counts[i].condition.ops);
        free(x->counts);
        free(x->ops);
        *x = (Expression){ 0 };
}

static double known(double v) {
        return isfinite(v) ? v : (double) NAN;
}

/* How old the last value is; negative where there is none, or where it is still to come (see rule_engine_prime()). */
static int64_t age_us(const Op *op, const Scope *s) {
        int64_t seen_us = s->latest[op->slot].seen_us;

        return seen_us != TIME_NONE ? s->now_us - seen_us : -1;
}

static double fresh_value(const Op *op, const Scope *s) {
        int64_t age = age_us(op, s);

        return age >= 0 && age < op->age_us ? s->latest[op->slot].value : (double) NAN;
}

static double is_absent(const Op *op, const Scope *s) {
        int64_t age = age_us(op, s);

        return age < 0 ? (double) NAN : age >= op->age_us;
}

static double age_seconds(const Op *op, const Scope *s) {
        int64_t age = age_us(op, s);

        return age < 0 ? (double) NAN : (double) age / (double) USEC_PER_SEC;
}

static double statistic_of(const Op *op, const Scope *s) {
        const Statistic *t = statistic(op->which);
        Window *w = s->recent[op->slot].window;

        if (!w)
                return t->nothing;
        window_advance(w, s->now_us);
        return known(t->of(w));
}

static double push(const Op *op, const Scope *s) {
        switch ((OpCode) op->code) {
        case OP_NUMBER:
                return op->number;
        case OP_VITAL:
                return fresh_value(op, s);
        case OP_ABSENT:
                return is_absent(op, s);
        case OP_AGE:
                return age_seconds(op, s);
        case OP_WINDOW:
                return statistic_of(op, s);
        case OP_LIMIT:
                return s->limits[op->slot];
        case OP_O2:
                return s->o2;
        case OP_COUNT:
                return s->counts[op->slot];
        case OP_NEGATE:
        case OP_NOT:
        case OP_ABS:
        case OP_BINARY:
        case OP_NEWS2:
                break;
        }
        return (double) NAN;
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

static double binary(Operator o, double a, double b) {
        switch (o) {
        case OPERATOR_ADD:
                return known(a + b);
        case OPERATOR_SUBTRACT:
                return known(a - b);
        case OPERATOR_MULTIPLY:
                return known(a * b);
        case OPERATOR_DIVIDE:
                return known(a / b);
        case OPERATOR_LT:
                return compared(a, b, a < b);
        case OPERATOR_LE:
                return compared(a, b, a <= b);
        case OPERATOR_GT:
                return compared(a, b, a > b);
        case OPERATOR_GE:
                return compared(a, b, a >= b);
        case OPERATOR_EQ:
                return compared(a, b, a == b);
        case OPERATOR_NE:
                return compared(a, b, a != b);
        case OPERATOR_AND:
                return kleene_and(a, b);
        case OPERATOR_OR:
                return kleene_not(kleene_and(kleene_not(a), kleene_not(b)));
        case OPERATOR_ELSE:
                return isnan(a) ? b : a;
        }
        return (double) NAN;
}

/* Takes its values off the stack. */
static double *news2(uint8_t which, bool scale2, double *top) {
        News2 n = { .scale2 = scale2 };

        for (size_t i = 0; i < NEWS2_PARTS; i++)
                n.value[i] = (double) NAN;
        if (which == NEWS2_TOTAL || which == NEWS2_ANY) {
                top -= NEWS2_PARTS;
                memcpy(n.value, top, sizeof n.value);
                *top++ = which == NEWS2_TOTAL ? news2_total(&n) : news2_any(&n);
                return top;
        }
        if (which == NEWS2_SPO2) /* on scale 2 it depends on the oxygen */
                n.value[NEWS2_O2] = *--top;
        n.value[which] = *--top;
        *top++ = news2_part(&n, (News2Part) which);
        return top;
}

double expression_evaluate(const Expression *x, const Scope *s, double *ret_value) {
        double stack[EXPRESSION_STACK_MAX] = { 0 }; /* the parser has bounded what is pushed */
        double *top = stack, value = (double) NAN;  /* top: the first free one */

        for (size_t i = 0; i < x->count; i++) {
                const Op *op = &x->ops[i];

                switch ((OpCode) op->code) {
                case OP_NUMBER:
                case OP_VITAL:
                case OP_ABSENT:
                case OP_AGE:
                case OP_WINDOW:
                case OP_LIMIT:
                case OP_O2:
                case OP_COUNT:
                        *top++ = push(op, s);
                        break;
                case OP_NEGATE:
                        top[-1] = -top[-1];
                        break;
                case OP_NOT:
                        top[-1] = kleene_not(top[-1]);
                        break;
                case OP_ABS:
                        top[-1] = fabs(top[-1]);
                        break;
                case OP_BINARY:
                        top--;
                        top[-1] = binary((Operator) op->which, top[-1], top[0]);
                        break;
                case OP_NEWS2:
                        top = news2(op->which, s->scale2, top);
                        break;
                }
                if (i == x->value)
                        value = top[-1];
        }
        *ret_value = value;
        return stack[0];
}
