#include "rules/rule_set.h"

#include <errno.h>

int rule_set_new(const Catalogue *c, RuleSet **ret) {
        RuleSet *s = calloc(1, sizeof *s);

        if (!s)
                return -ENOMEM;
        s->catalogue = c;
        for (size_t i = 0; i < VITALS_MAX; i++)
                s->slot_of[i] = SLOT_NONE;
        *ret = s;
        return 0;
}

void match_done(Match *m) {
        free(m->subject);
        free(m->label);
        *m = (Match){ 0 };
}

RuleSet *rule_set_free(RuleSet *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->match_count; i++)
                match_done(&s->matches[i]);
        for (size_t i = 0; i < s->count; i++) {
                free((char *) s->rules[i].alert.name);
                free((char *) s->rules[i].alert.summary);
                expression_done(&s->rules[i].condition);
        }
        for (size_t i = 0; i < s->slot_count; i++) {
                free(s->slots[i].rules);
                free(s->slots[i].expiries);
        }
        free(s->matches);
        free(s->rules);
        free(s->hashes);
        free(s->slots);
        free(s);
        return NULL;
}

bool match_subject(const Match *m, const Subject *s) {
        return (m->kind < 0 || m->kind == (int) s->kind) && (!m->subject || streq(m->subject, s->name)) &&
               (!m->label || streq(m->label, s->label));
}

/* Room for one more of an array of count items. */
static int grow(void **items, size_t count, size_t size) {
        void *p = reallocarray(*items, count + 1, size);

        if (!p)
                return -ENOMEM;
        *items = p;
        return 0;
}

int rule_set_add_match(RuleSet *s, const Match *m) {
        int r = grow((void **) &s->matches, s->match_count, sizeof *s->matches);
        if (r < 0)
                return r;
        s->matches[s->match_count++] = *m;
        return 0;
}

static int find_slot(RuleSet *s, VitalId vital, uint16_t *ret) {
        if (s->slot_of[vital] == SLOT_NONE) {
                int r = grow((void **) &s->slots, s->slot_count, sizeof *s->slots);
                if (r < 0)
                        return r;
                s->slots[s->slot_count] = (Slot){ 0 };
                s->slot_of[vital] = (uint16_t) s->slot_count++;
        }
        *ret = s->slot_of[vital];
        return 0;
}

static int slot_add_rule(Slot *slot, uint32_t rule) {
        if (slot->rule_count > 0 && slot->rules[slot->rule_count - 1] == rule)
                return 0;
        int r = grow((void **) &slot->rules, slot->rule_count, sizeof *slot->rules);
        if (r < 0)
                return r;
        slot->rules[slot->rule_count++] = rule;
        return 0;
}

static int slot_add_expiry(Slot *slot, int64_t age_us, uint32_t rule) {
        size_t i = slot->expiry_count;

        /* rules come in ascending order */
        while (i > 0 && slot->expiries[i - 1].age_us > age_us)
                i--;
        if (i > 0 && slot->expiries[i - 1].age_us == age_us && slot->expiries[i - 1].rule == rule)
                return 0;
        int r = grow((void **) &slot->expiries, slot->expiry_count, sizeof *slot->expiries);
        if (r < 0)
                return r;
        memmove(&slot->expiries[i + 1], &slot->expiries[i],
                        (slot->expiry_count - i) * sizeof *slot->expiries);
        slot->expiries[i] = (Expiry){ .age_us = age_us, .rule = rule };
        slot->expiry_count++;
        return 0;
}

static int index_rule(RuleSet *s, const Rule *rule, uint32_t number) {
        for (size_t i = 0; i < rule->condition.count; i++) {
                Op *op = &rule->condition.ops[i];

                if (op->code != OP_VITAL && op->code != OP_ABSENT)
                        continue;
                int r = find_slot(s, op->vital, &op->slot);
                if (r < 0)
                        return r;
                r = slot_add_rule(&s->slots[op->slot], number);
                if (r < 0)
                        return r;
                r = slot_add_expiry(&s->slots[op->slot], op->age_us, number);
                if (r < 0)
                        return r;
        }
        return 0;
}

int rule_set_add_rule(RuleSet *s, const Rule *rule) {
        int r = grow((void **) &s->rules, s->count, sizeof *s->rules);
        if (r < 0)
                return r;
        r = grow((void **) &s->hashes, s->count, sizeof *s->hashes);
        if (r < 0)
                return r;
        r = index_rule(s, rule, (uint32_t) s->count);
        if (r < 0)
                return r;
        memcpy(s->hashes[s->count].bytes, rule->alert.hash, SHA256_SIZE);
        s->rules[s->count] = *rule;
        s->rules[s->count].match = (uint32_t) s->match_count - 1;
        s->count++;
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

const AlertRule *rule_set_rule(const RuleSet *s, uint32_t i) {
        return &s->rules[i].alert;
}

void rule_set_hash(const RuleSet *s, uint8_t ret[static 32]) {
        Hash h;

        sha256(BYTES(s->hashes, s->count * sizeof *s->hashes), &h);
        memcpy(ret, h.bytes, SHA256_SIZE);
}
