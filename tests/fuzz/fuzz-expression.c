/* Any text: refused with a place inside it, or a program that evaluates within its stack. */
#include <math.h>
#include <stdio.h>

#include "../fuzz/fuzz.h"
#include "rules/expression.h"

static void evaluate(const Expression *x) {
        Latest latest[VITALS_MAX];
        double value;

        for (size_t i = 0; i < VITALS_MAX; i++)
                latest[i] = (Latest){ .value = (double) i, .seen_us = i % 3 ? (int64_t) i : TIME_NONE };
        for (size_t i = 0; i < x->count; i++)
                x->ops[i].slot = x->ops[i].vital;
        for (int64_t now = 0; now < 100 * USEC_PER_SEC; now += 30 * USEC_PER_SEC) {
                Truth t = expression_evaluate(x, latest, now, &value);
                if (t != TRUTH_FALSE && t != TRUTH_TRUE && t != TRUTH_UNKNOWN)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        static Catalogue *catalogue;
        size_t offset;
        Expression x;
        Error e;

        if (!text || (!catalogue && catalogue_new(&catalogue) < 0))
                abort();
        if (expression_parse(text, catalogue, &x, &offset, &e) < 0) {
                if (offset > strlen(text) || e.message[0] == '\0')
                        abort();
                return 0;
        }
        evaluate(&x);
        expression_done(&x);
        return 0;
}
