/* Any text: refused with a place inside it, or a program that evaluates within its stack. */
#include <math.h>

#include "../fuzz/fuzz.h"
#include "rules/watched.h"

/* A value of each vital that is used, of two in three. */
static void remember(const RuleSet *s, Watched *w, int64_t now_us) {
        Heap timers = { 0 };

        for (uint16_t i = 0; i < s->slot_count; i++) {
                if (i % 3 == 2)
                        continue;
                if (heap_reserve(&timers, watched_timers(s)) < 0 ||
                                watched_add(w, s, i, (double) (now_us % 7), now_us, &timers) < 0)
                        abort();
                w->latest[i].value = i;
                w->latest[i].seen_us = now_us;
        }
        for (size_t i = 0; i < s->window_count; i++)
                heap_remove(&timers, &w->recent[i].timer);
        heap_done(&timers);
}

static void check(double v) {
        Truth t = truth_of(v);

        if (t != TRUTH_FALSE && t != TRUTH_TRUE && t != TRUTH_UNKNOWN)
                abort();
}

static void evaluate(const RuleSet *s, const Expression *x) {
        static const uint32_t counts[EXPRESSION_COUNTS_MAX] = { 3, 0, 1 };
        _cleanup_(watched_freep) Watched *w = NULL;
        double value;

        if (watched_new(s, 0, &w) < 0)
                abort();
        for (int64_t now = 0; now < 10000 * USEC_PER_SEC; now += 777 * USEC_PER_SEC) {
                remember(s, w, now);
                for (int64_t late = 0; late < 100 * USEC_PER_SEC; late += 30 * USEC_PER_SEC) {
                        Scope scope = watched_scope(w, now + late);
                        scope.counts = counts;
                        check(expression_evaluate(x, &scope, &value));
                        for (size_t i = 0; i < x->count_count; i++)
                                check(expression_evaluate(&x->counts[i].condition, &scope, &value));
                }
        }
}

static void run(const Catalogue *c, const char *text, ExpressionUse use) {
        _cleanup_(rule_set_freep) RuleSet *s = NULL;
        Vocabulary words;
        Expression x;
        size_t offset;
        Error e;

        vocabulary_init(&words, c);
        words.assume[0] = 1;
        words.limits[words.limit_count++] = (Limit){ .name = "spo2_low", .number = 91 };
        if (rule_set_new(c, &s) < 0 || rule_set_add_limit(s, "spo2_low", 91, &words.limits[0].row) < 0)
                abort();
        if (expression_parse(text, use, &words, &x, &offset, &e) < 0) {
                if (offset > strlen(text) || e.message[0] == '\0')
                        abort();
                return;
        }
        if (index_expression(s, &x, COUNT_NONE, &e) < 0)
                abort();
        for (size_t i = 0; i < x.count_count; i++)
                if (index_expression(s, &x.counts[i].condition, (uint32_t) i, &e) < 0)
                        abort();
        evaluate(s, &x);
        expression_done(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        static Catalogue *catalogue;

        if (!text || (!catalogue && catalogue_new(&catalogue) < 0))
                abort();
        run(catalogue, text, EXPRESSION_RULE);
        run(catalogue, text, EXPRESSION_SUMMARY);
        run(catalogue, text, EXPRESSION_PROBE);
        return 0;
}
