/* The alerts that the dispatch follows, by id. */
#include <errno.h>

#include "alert/dispatch_internal.h"

enum { ROOM_MIN = 64 };

/* FNV-1a */
static uint64_t hash(const char *id) {
        uint64_t h = 14695981039346656037U;

        for (; *id; id++)
                h = (h ^ (uint8_t) *id) * 1099511628211U;
        return h;
}

static Told **chain_of(const ToldTable *table, uint64_t h) {
        return &table->chains[(h ^ h >> 32) & (table->room - 1)];
}

Told *told_find(const Dispatch *d, const char *id) {
        if (d->table.count == 0)
                return NULL;
        for (Told *t = *chain_of(&d->table, hash(id)); t; t = t->chain)
                if (streq(t->event.id, id))
                        return t;
        return NULL;
}

static int grow(ToldTable *table) {
        ToldTable bigger = *table;

        bigger.room = MAX(table->room * 2, (size_t) ROOM_MIN);
        bigger.chains = calloc(bigger.room, sizeof(Told *));
        bigger.order = calloc(bigger.room, sizeof(Told *));
        if (!bigger.chains || !bigger.order) {
                free((void *) bigger.chains);
                free((void *) bigger.order);
                return -ENOMEM;
        }
        for (size_t i = 0; i < table->room; i++)
                for (Told *t = table->chains[i], *next; t; t = next) {
                        Told **chain = chain_of(&bigger, t->timer.tie);
                        next = t->chain;
                        t->chain = *chain;
                        *chain = t;
                }
        free((void *) table->chains);
        free((void *) table->order);
        *table = bigger;
        return 0;
}

int told_add(Dispatch *d, const AlertEvent *e, Told **ret) {
        ToldTable *table = &d->table;

        if ((table->count == table->room && grow(table) < 0) ||
                        heap_reserve(&d->timers, table->count + 1) < 0 || group_reserve(d, e->subject) < 0)
                return -ENOMEM;
        Told *t = calloc(1, sizeof *t);
        if (!t)
                return -ENOMEM;
        t->event = *e;
        t->repeat_us = INT64_MAX;
        t->timer.tie = hash(e->id);
        Told **chain = chain_of(table, t->timer.tie);
        t->chain = *chain;
        *chain = t;
        table->count++;
        *ret = t;
        return 0;
}

void told_drop(Dispatch *d, Told *t) {
        Told **at = chain_of(&d->table, t->timer.tie);

        tell_withdraw(d, t);
        if (t->event.state == ALERT_RESOLVED)
                told_list_remove(&d->over, t);
        heap_remove(&d->timers, &t->timer);
        while (*at != t)
                at = &(*at)->chain;
        *at = t->chain;
        d->table.count--;
        free(t);
}

static int by_age(const void *a, const void *b) {
        const Told *x = *(Told *const *) a, *y = *(Told *const *) b;

        if (x->event.since_us != y->event.since_us)
                return x->event.since_us < y->event.since_us ? -1 : 1;
        return strcmp(x->event.id, y->event.id);
}

Told **told_sorted(const Dispatch *d) {
        const ToldTable *table = &d->table;
        size_t n = 0;

        for (size_t i = 0; i < table->room; i++)
                for (Told *t = table->chains[i]; t; t = t->chain)
                        table->order[n++] = t;
        if (n > 1)
                qsort((void *) table->order, n, sizeof(Told *), by_age);
        return table->order;
}

void told_done(Dispatch *d) {
        for (size_t i = 0; i < d->table.room; i++)
                for (Told *t = d->table.chains[i], *next; t; t = next) {
                        next = t->chain;
                        free(t);
                }
        free((void *) d->table.chains);
        free((void *) d->table.order);
}

bool told_before(const Told *a, const Told *b) {
        bool a_over = a->event.state == ALERT_RESOLVED, b_over = b->event.state == ALERT_RESOLVED;

        if (a->event.priority != b->event.priority)
                return a->event.priority > b->event.priority;
        if (a_over != b_over)
                return b_over;
        if (a->event.raised_us != b->event.raised_us)
                return a->event.raised_us < b->event.raised_us;
        return strcmp(a->event.id, b->event.id) < 0;
}

void told_changed(Dispatch *d, Told *t) {
        if (t->dirty)
                d->callbacks.changed(d->callbacks.userdata, &t->event);
        t->dirty = false;
}

void told_list_add(ToldList *l, Told *t) {
        t->previous = l->last;
        t->next = NULL;
        *(l->last ? &l->last->next : &l->first) = t;
        l->last = t;
        l->count++;
}

void told_list_remove(ToldList *l, Told *t) {
        *(t->previous ? &t->previous->next : &l->first) = t->next;
        *(t->next ? &t->next->previous : &l->last) = t->previous;
        t->previous = t->next = NULL;
        l->count--;
}
