/* Which conditions use which vital, and when the passing of time alone makes them worth another look. */
#include <errno.h>
#include <math.h>

#include "rules/rule_set.h"
#include "rules/statistic.h"

static int no_memory(Error *e) {
        return error_set(e, -ENOMEM, "out of memory");
}

/* Numbers come in ascending order. */
static int numbers_add(Numbers *n, uint32_t number) {
        if (n->count > 0 && n->items[n->count - 1] == number)
                return 0;
        int r = array_grow((void **) &n->items, n->count, sizeof *n->items);
        if (r < 0)
                return r;
        n->items[n->count++] = number;
        return 0;
}

static int find_slot(RuleSet *s, VitalId vital, uint16_t *ret) {
        if (s->slot_of[vital] == SLOT_NONE) {
                int r = array_grow((void **) &s->slots, s->slot_count, sizeof *s->slots);
                if (r < 0)
                        return r;
                s->slots[s->slot_count] = (Slot){ .vital = vital };
                s->slot_of[vital] = (uint16_t) s->slot_count++;
        }
        *ret = s->slot_of[vital];
        return 0;
}

static int add_expiry(Slot *slot, int64_t age_us, uint32_t condition) {
        size_t i = slot->expiry_count;

        /* conditions come in ascending order */
        while (i > 0 && slot->expiries[i - 1].age_us > age_us)
                i--;
        if (i > 0 && slot->expiries[i - 1].age_us == age_us && slot->expiries[i - 1].condition == condition)
                return 0;
        int r = array_grow((void **) &slot->expiries, slot->expiry_count, sizeof *slot->expiries);
        if (r < 0)
                return r;
        memmove(&slot->expiries[i + 1], &slot->expiries[i],
                        (slot->expiry_count - i) * sizeof *slot->expiries);
        slot->expiries[i] = (Expiry){ .age_us = age_us, .condition = condition };
        slot->expiry_count++;
        return 0;
}

static int find_window(RuleSet *s, Slot *slot, const Op *op, uint16_t *ret, Error *e) {
        size_t i = 0;

        while (i < s->window_count &&
                        (s->windows[i].vital != op->vital || s->windows[i].length_us != op->age_us))
                i++;
        *ret = (uint16_t) i;
        if (i < s->window_count)
                return 0;
        if (i == WINDOWS_MAX)
                return error_set(e, -ENOSPC,
                                "more than %d different windows (vital and duration) in all rules",
                                WINDOWS_MAX);
        if (array_grow((void **) &s->windows, i, sizeof *s->windows) < 0)
                return no_memory(e);
        s->windows[i] = (WindowSpec){ .vital = op->vital, .length_us = op->age_us };
        s->window_count++;
        return numbers_add(&slot->windows, (uint32_t) i) < 0 ? no_memory(e) : 0;
}

/* What time alone changes: a value gets too old, a window runs empty. A window whose values are waited for to leave
 * has a timer of its own. */
static int add_expiries(Slot *slot, const Op *op, uint32_t condition) {
        if (op->code == OP_WINDOW && statistic(op->which)->leaving)
                return 0;
        if (op->code != OP_AGE)
                return add_expiry(slot, op->age_us, condition);
        /* `>` becomes true a microsecond after `>=` */
        int64_t age_us = llround(op->number * (double) USEC_PER_SEC);
        int r = add_expiry(slot, age_us, condition);
        return r < 0 ? r : add_expiry(slot, age_us + 1, condition);
}

static int index_op(RuleSet *s, Op *op, uint32_t condition, Error *e) {
        bool leaving = false;
        uint16_t number;
        int r = 0;

        if (find_slot(s, op->vital, &number) < 0)
                return no_memory(e);
        Slot *slot = &s->slots[number];
        op->slot = number;
        if (op->code == OP_WINDOW) {
                const Statistic *t = statistic(op->which);
                r = find_window(s, slot, op, &op->slot, e);
                if (r < 0)
                        return r;
                s->windows[op->slot].sorted |= t->sorted;
                leaving = t->leaving;
        }
        if (condition == COUNT_NONE)
                return 0;
        r = numbers_add(&slot->conditions, condition);
        if (r == 0)
                r = add_expiries(slot, op, condition);
        if (r == 0 && leaving)
                r = numbers_add(&s->windows[op->slot].leaving, condition);
        return r < 0 ? no_memory(e) : 0;
}

int index_expression(RuleSet *s, const Expression *x, uint32_t condition, Error *e) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < x->count; i++) {
                uint8_t code = x->ops[i].code;
                if (code == OP_VITAL || code == OP_ABSENT || code == OP_AGE || code == OP_WINDOW)
                        r = index_op(s, &x->ops[i], condition, e);
        }
        return r;
}

int64_t index_reach(const Expression *x) {
        int64_t reach_us = 0;

        for (size_t i = 0; i < x->count; i++)
                if (x->ops[i].code == OP_WINDOW) {
                        int64_t us = x->ops[i].age_us * statistic(x->ops[i].which)->reach +
                                     x->ops[i].age_us / WINDOW_PANES_MAX;
                        reach_us = MAX(reach_us, us);
                }
        return reach_us;
}
