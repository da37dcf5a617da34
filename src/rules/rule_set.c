#include "rules/rule_set.h"

#include <errno.h>

int rule_set_new(const Catalogue *c, RuleSet **ret) {
        RuleSet *s = calloc(1, sizeof *s);

        if (!s)
                return -ENOMEM;
        s->catalogue = c;
        vocabulary_init(&s->words, c);
        for (size_t i = 0; i < VITALS_MAX; i++)
                s->slot_of[i] = SLOT_NONE;
        *ret = s;
        return 0;
}

static void free_rule(Rule *r) {
        free((char *) r->alert.name);
        free((char *) r->alert.labels);
        expression_done(&r->expression);
        template_done(&r->summary);
}

static void free_index(RuleSet *s) {
        for (size_t i = 0; i < s->slot_count; i++) {
                free(s->slots[i].conditions.items);
                free(s->slots[i].windows.items);
                free(s->slots[i].expiries);
        }
        for (size_t i = 0; i < s->window_count; i++)
                free(s->windows[i].leaving.items);
        free(s->slots);
        free(s->windows);
}

RuleSet *rule_set_free(RuleSet *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->group_count; i++) {
                match_done(&s->groups[i].match);
                match_done(&s->groups[i].except);
        }
        for (size_t i = 0; i < s->count; i++)
                free_rule(&s->rules[i]);
        for (size_t i = 0; i < s->probe_count; i++)
                expression_done(&s->probes[i]);
        free_index(s);
        free(s->groups);
        free(s->rules);
        free(s->conditions);
        free(s->counts);
        free(s->limits);
        free(s->probes);
        free(s->hashes);
        free(s);
        return NULL;
}

int array_grow(void **items, size_t count, size_t size) {
        void *p = reallocarray(*items, count + 1, size);

        if (!p)
                return -ENOMEM;
        *items = p;
        return 0;
}

int rule_set_add_group(RuleSet *s, const Group *g) {
        if (s->group_count == GROUPS_MAX)
                return -ENOSPC;
        int r = array_grow((void **) &s->groups, s->group_count, sizeof *s->groups);
        if (r < 0)
                return r;
        s->groups[s->group_count++] = *g;
        return 0;
}

int rule_set_add_limit(RuleSet *s, const char *name, double number, uint16_t *ret_row) {
        size_t i = 0;

        while (i < s->limit_count && (s->limits[i].number != number || !streq(s->limits[i].name, name)))
                i++;
        if (i == s->limit_count) {
                if (i == LIMITS_MAX)
                        return -ENOSPC;
                int r = array_grow((void **) &s->limits, i, sizeof *s->limits);
                if (r < 0)
                        return r;
                LimitSpec *l = &s->limits[s->limit_count++];
                l->number = number;
                memcpy(l->name, name, strlen(name) + 1);
        }
        *ret_row = (uint16_t) i;
        return 0;
}

const Expression *rule_set_condition(const RuleSet *s, const Condition *c) {
        const Rule *r = &s->rules[c->rule];

        return c->count == COUNT_NONE ? &r->expression
                                      : &r->expression.counts[c->count - r->first_count].condition;
}

/* A condition of the rule that is being added. */
static int add_condition(RuleSet *s, const Expression *x, uint32_t count, Error *e) {
        uint32_t number = (uint32_t) s->condition_count;

        if (array_grow((void **) &s->conditions, number, sizeof *s->conditions) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        s->conditions[s->condition_count++] = (Condition){ .rule = (uint32_t) s->count, .count = count };
        return index_expression(s, x, number, e);
}

static int add_count(RuleSet *s, const Count *c, Error *e) {
        if (s->count_count == COUNTS_MAX)
                return error_set(e, -ENOSPC, "more than %d counts across subjects in all rules", COUNTS_MAX);
        if (array_grow((void **) &s->counts, s->count_count, sizeof *s->counts) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        s->counts[s->count_count] =
                        (CountSpec){ .rule = (uint32_t) s->count, .duration_us = c->duration_us };
        return add_condition(s, &c->condition, (uint32_t) s->count_count++, e);
}

static int add_conditions(RuleSet *s, const Expression *x, Error *e) {
        int r = 0;

        if (x->count_count == 0)
                return add_condition(s, x, COUNT_NONE, e);
        for (size_t i = 0; r == 0 && i < x->count_count; i++)
                r = add_count(s, &x->counts[i], e);
        return r;
}

static void note_reach(RuleSet *s, const Rule *rule) {
        const Expression *x = &rule->expression;
        int64_t reach_us = index_reach(x);

        for (size_t i = 0; i < x->count_count; i++) {
                const Count *c = &x->counts[i];
                int64_t inner_us = index_reach(&c->condition) + c->duration_us;
                reach_us = MAX(reach_us, inner_us);
        }
        for (size_t i = 0; i < rule->summary.count; i++) {
                int64_t shown_us = index_reach(&rule->summary.parts[i].number);
                reach_us = MAX(reach_us, shown_us);
        }
        s->warmup_us = MAX(s->warmup_us, reach_us);
        s->holding_us = MAX(s->holding_us, rule->alert.for_us);
        s->holding_us = MAX(s->holding_us, rule->alert.keep_firing_us);
}

int rule_set_add_rule(RuleSet *s, const Rule *rule, Error *e) {
        uint32_t first_count = (uint32_t) s->count_count;

        if (array_grow((void **) &s->rules, s->count, sizeof *s->rules) < 0 ||
                        array_grow((void **) &s->hashes, s->count, sizeof *s->hashes) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        int r = add_conditions(s, &rule->expression, e);
        for (size_t i = 0; r == 0 && i < rule->summary.count; i++)
                r = index_expression(s, &rule->summary.parts[i].number, COUNT_NONE, e);
        if (r < 0)
                return r;
        note_reach(s, rule);
        memcpy(s->hashes[s->count].bytes, rule->alert.hash, SHA256_SIZE);
        s->rules[s->count] = *rule;
        s->rules[s->count].group = (uint32_t) s->group_count - 1;
        s->rules[s->count].first_count = first_count;
        s->count++;
        return 0;
}

int rule_set_add_probe(RuleSet *s, const char *expression, size_t *ret, Error *e) {
        Expression x;
        size_t offset;

        if (s->probe_count == PROBES_MAX)
                return error_set(e, -ENOSPC, "more than %d expressions", PROBES_MAX);
        int r = expression_parse(expression, EXPRESSION_PROBE, &s->words, &x, &offset, e);
        if (r < 0)
                return error_prefix(e, r, "at its character %zu", offset + 1);
        r = index_expression(s, &x, COUNT_NONE, e);
        if (r == 0 && array_grow((void **) &s->probes, s->probe_count, sizeof *s->probes) < 0)
                r = error_set(e, -ENOMEM, "out of memory");
        if (r < 0) {
                expression_done(&x);
                return r;
        }
        s->probes[s->probe_count] = x;
        *ret = s->probe_count++;
        return 0;
}

const Rule *rule_set_find(const RuleSet *s, const char *name) {
        for (size_t i = 0; i < s->count; i++)
                if (streq(s->rules[i].alert.name, name))
                        return &s->rules[i];
        return NULL;
}

size_t rule_set_count(const RuleSet *s) {
        return s->count;
}

const AlertRule *rule_set_find_alert(const RuleSet *s, const char *name) {
        const Rule *rule = rule_set_find(s, name);

        return rule ? &rule->alert : NULL;
}

const AlertRule *rule_set_rule(const RuleSet *s, uint32_t i) {
        return &s->rules[i].alert;
}

int64_t rule_set_warmup(const RuleSet *s) {
        return s->warmup_us;
}

int64_t rule_set_horizon(const RuleSet *s) {
        return s->warmup_us + s->holding_us;
}

void rule_set_hash(const RuleSet *s, uint8_t ret[static 32]) {
        Hash h;

        sha256(BYTES(s->hashes, s->count * sizeof *s->hashes), &h);
        memcpy(ret, h.bytes, SHA256_SIZE);
}
