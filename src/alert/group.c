/* What is raised of one subject goes together: the first at once, what follows within the interval in one notice. */
#include <errno.h>

#include "alert/dispatch_internal.h"

static Group *group_of(const Dispatch *d, SubjectId subject) {
        return d->groups[subject == SUBJECT_NONE ? 0 : (size_t) subject + 1];
}

int group_reserve(Dispatch *d, SubjectId subject) {
        size_t i = subject == SUBJECT_NONE ? 0 : (size_t) subject + 1;

        if (i >= d->group_room) {
                size_t room = MAX(i + 1, d->group_room * 2);
                Group **groups = reallocarray((void *) d->groups, room, sizeof(Group *));
                if (!groups)
                        return -ENOMEM;
                memset((void *) (groups + d->group_room), 0, (room - d->group_room) * sizeof(Group *));
                d->groups = groups;
                d->group_room = room;
        }
        if (d->groups[i])
                return 0;
        /* one timer a group: as many as there can be */
        if (heap_reserve(&d->group_timers, d->group_room) < 0)
                return -ENOMEM;
        Group *g = calloc(1, sizeof *g);
        if (!g)
                return -ENOMEM;
        for (size_t r = 0; r < ELEMENTS(g->until_us); r++)
                g->until_us[r] = INT64_MIN;
        g->timer.tie = i;
        d->groups[i] = g;
        return 0;
}

static void schedule(Dispatch *d, Group *g) {
        int64_t next_us = INT64_MAX;

        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (g->count[r] > 0)
                        next_us = MIN(next_us, g->until_us[r]);
        if (next_us == INT64_MAX)
                heap_remove(&d->group_timers, &g->timer);
        else
                heap_set(&d->group_timers, &g->timer, next_us);
}

bool group_wait(Dispatch *d, Told *t, unsigned receiver, const Stamp *now) {
        Group *g = group_of(d, t->event.subject);

        if (now->mono_us >= g->until_us[receiver] && g->count[receiver] == 0)
                return false;
        if (t->waiting == 0)
                told_list_add(&g->waiting, t);
        t->waiting |= 1U << receiver;
        g->count[receiver]++;
        d->outlets[receiver].waiting++;
        d->outlets[receiver].total++;
        schedule(d, g);
        return true;
}

void group_leave(Dispatch *d, Told *t, unsigned receiver) {
        Group *g = group_of(d, t->event.subject);

        t->waiting &= ~(1U << receiver);
        if (t->waiting == 0)
                told_list_remove(&g->waiting, t);
        g->count[receiver]--;
        d->outlets[receiver].waiting--;
        schedule(d, g);
}

void group_told(Dispatch *d, const Told *t, unsigned receiver, const Stamp *now) {
        Group *g = group_of(d, t->event.subject);

        /* what waits already is not put off once more */
        if (g->count[receiver] > 0)
                return;
        g->until_us[receiver] = now->mono_us + d->routing->group_interval_us;
        g->over[receiver] = 0;
}

void group_over(Dispatch *d, const Told *t, unsigned receiver) {
        group_of(d, t->event.subject)->over[receiver]++;
}

/* The interval is over. What is beyond NOTICE_ALERTS_MAX waits for the next one. */
static void tell_group(Dispatch *d, Group *g, unsigned receiver, const Stamp *now) {
        Told *shown[NOTICE_ALERTS_MAX];
        uint64_t more = g->over[receiver];
        size_t count = 0;

        for (Told *t = g->waiting.first, *next; t; t = next) {
                next = t->next;
                if (!(t->waiting & 1U << receiver))
                        continue;
                if (!held_put(d, t, receiver, now)) {
                        telling_pick(shown, &count, t);
                        continue;
                }
                group_leave(d, t, receiver);
                told_changed(d, t);
        }
        g->over[receiver] = 0;
        if (count == 0)
                return;
        for (size_t i = 0; i < count; i++)
                group_leave(d, shown[i], receiver);
        more += g->count[receiver];
        g->until_us[receiver] = now->mono_us + d->routing->group_interval_us;
        held_take(d, receiver, now);
        telling_send(d, receiver, count == 1 && more == 0 ? NOTICE_ALERT : NOTICE_GROUP, shown, count, more,
                        now);
        for (size_t i = 0; i < count; i++)
                told_changed(d, shown[i]);
}

void group_tick(Dispatch *d, const Stamp *now) {
        while (heap_key(&d->group_timers) <= now->mono_us) {
                Group *g = container_of(heap_top(&d->group_timers), Group, timer);

                for (unsigned r = 0; r < d->routing->receiver_count; r++)
                        if (g->count[r] > 0 && g->until_us[r] <= now->mono_us)
                                tell_group(d, g, r, now);
                schedule(d, g);
        }
}

void group_renumber(Dispatch *d, const int of[static ROUTING_RECEIVERS_MAX]) {
        for (size_t i = 0; i < d->group_room; i++) {
                Group *g = d->groups[i];
                if (!g)
                        continue;
                const Group old = *g;
                for (size_t r = 0; r < ROUTING_RECEIVERS_MAX; r++) {
                        bool known = of[r] >= 0;
                        g->until_us[r] = known ? old.until_us[of[r]] : INT64_MIN;
                        g->count[r] = known ? old.count[of[r]] : 0;
                        g->over[r] = known ? old.over[of[r]] : 0;
                }
                schedule(d, g);
        }
}

void group_done(Dispatch *d) {
        for (size_t i = 0; i < d->group_room; i++)
                free(d->groups[i]);
        free((void *) d->groups);
        heap_done(&d->group_timers);
}
