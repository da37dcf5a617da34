#include "rules/tally.h"

#include <errno.h>
#include <stdio.h>

void tally_table_done(TallyTable *t) {
        for (size_t i = 0; i < t->count; i++)
                free(t->items[i]);
        free((void *) t->items);
        name_index_done(&t->index);
        *t = (TallyTable){ 0 };
}

static int make_room(TallyTable *t) {
        if (t->count < t->room)
                return 0;
        size_t room = t->room * 2 + 16;
        Tally **items = reallocarray((void *) t->items, room, sizeof(Tally *));
        if (!items)
                return -ENOMEM;
        t->items = items;
        t->room = room;
        return 0;
}

int tally_find(TallyTable *t, const RuleSet *s, Registry *registry, uint32_t rule, const char *value,
                Tally **ret) {
        char key[sizeof(*ret)->key];
        uint32_t row;

        (void) snprintf(key, sizeof key, "%u:%s", rule, value);
        if (name_index_find(&t->index, key, &row)) {
                *ret = t->items[row];
                return 0;
        }
        _cleanup_free_ Tally *y = calloc(1, sizeof *y);
        if (!y || make_room(t) < 0)
                return -ENOMEM;
        int r = registry_group(registry, s->rules[rule].expression.by, value, &y->group);
        if (r < 0)
                return r;
        y->rule = rule;
        memcpy(y->key, key, sizeof key);
        if (name_index_add(&t->index, y->key, (uint32_t) t->count) < 0)
                return -ENOMEM;
        *ret = t->items[t->count++] = TAKE(y);
        tally_note(t, *ret);
        return 0;
}

void tally_note(TallyTable *t, Tally *y) {
        if (y->is_changed)
                return;
        y->is_changed = true;
        y->next_changed = NULL;
        *(t->changed ? &t->changed_last->next_changed : &t->changed) = y;
        t->changed_last = y;
}

Tally *tally_next_changed(TallyTable *t) {
        Tally *y = t->changed;

        if (!y)
                return NULL;
        t->changed = y->next_changed;
        y->is_changed = false;
        return y;
}

static void count(TallyTable *t, Member *m, uint32_t part, bool is_counted) {
        if (m->is_counted == is_counted)
                return;
        m->is_counted = is_counted;
        m->tally->numbers[part] += is_counted ? 1 : -1U;
        tally_note(t, m->tally);
}

void member_move(TallyTable *t, Member *m, uint32_t part, Tally *to, Heap *timers) {
        bool is_counted = m->is_counted;

        if (m->tally == to)
                return;
        if (m->tally)
                count(t, m, part, false);
        m->tally = to;
        if (to) {
                count(t, m, part, is_counted);
        } else {
                heap_remove(timers, &m->timer);
                m->is_true = false;
        }
}

void member_set(TallyTable *t, Member *m, uint32_t part, int64_t duration_us, bool is_true, int64_t now_us,
                Heap *timers) {
        bool was_true = m->is_true;

        m->is_true = is_true;
        if (is_true) {
                heap_remove(timers, &m->timer);
                count(t, m, part, true);
        } else if (was_true && duration_us > 0) {
                heap_set(timers, &m->timer, now_us + duration_us);
        } else if (was_true) {
                count(t, m, part, false);
        }
}

void member_end(TallyTable *t, Member *m, uint32_t part, Heap *timers) {
        heap_remove(timers, &m->timer);
        count(t, m, part, false);
}
