/* Notices: who is told what, at once or later. */
#include <stdio.h>

#include "alert/dispatch_internal.h"
#include "base/sha256.h"

const char *notice_kind_name(NoticeKind k) {
        static const char *const names[] = {
                [NOTICE_ALERT] = "alert",
                [NOTICE_GROUP] = "group",
                [NOTICE_DIGEST] = "digest",
        };

        return names[k];
}

/* --- keys --- */

/* After an alert was raised again all but its end happens anew, and a receiver that goes by keys must not take that for
 * what it had. */
static void key_of(const Told *t, const Telling *news, char ret[static NOTICE_KEY_MAX]) {
        const AlertEvent *e = &t->event;
        const char *name = alert_transition_name(news->transition);
        char step[16] = "", round[32] = "";

        if (news->step > 0)
                (void) snprintf(step, sizeof step, "-%u", news->step);
        if (news->transition != TRANSITION_RAISED && news->transition != TRANSITION_RESOLVED && t->reraised)
                (void) snprintf(round, sizeof round, "-%lld", (long long) e->raised_us);
        (void) snprintf(ret, NOTICE_KEY_MAX, "%s:%s%s%s", e->id, name, step, round);
}

/* Of one alert its own key. Of several, in the order of the notice, a hash; of none at all (a digest that only counts)
 * the time makes the difference. */
static void key_of_all(unsigned receiver, NoticeKind kind, Told *const *items, size_t count,
                const Stamp *now, char ret[static NOTICE_KEY_MAX]) {
        char keys[NOTICE_ALERTS_MAX * (NOTICE_KEY_MAX + 1)] = "";
        size_t n = 0;
        Hash h;

        if (count == 1) {
                key_of(items[0], &items[0]->last[receiver], ret);
                return;
        }
        for (size_t i = 0; i < count; i++) {
                key_of(items[i], &items[i]->last[receiver], keys + n);
                n += strlen(keys + n);
                keys[n++] = '\n';
        }
        if (count == 0)
                n = (size_t) snprintf(keys, sizeof keys, "%lld", (long long) now->wall_us);
        sha256(BYTES(keys, n), &h);
        n = (size_t) snprintf(ret, NOTICE_KEY_MAX, "%s-", notice_kind_name(kind));
        for (size_t i = 0; i < SHA256_SIZE; i++)
                n += (size_t) snprintf(ret + n, NOTICE_KEY_MAX - n, "%02x", h.bytes[i]);
}

/* --- one notice --- */

static void describe(const Told *t, const Telling *news, const Stamp *now, AlertEvent *ret) {
        *ret = t->event;
        ret->step = news->step;
        if (news->transition == t->event.transition)
                return;
        ret->transition = news->transition;
        ret->time_us = now->wall_us;
        ret->note[0] = '\0';
}

void telling_record(Dispatch *d, const Told *t, Telling news, const char *receiver, const char *note,
                const Stamp *now) {
        AlertEvent e;

        describe(t, &news, now, &e);
        (void) snprintf(e.receiver, sizeof e.receiver, "%s", receiver);
        (void) snprintf(e.note, sizeof e.note, "%s", note);
        d->callbacks.record(d->callbacks.userdata, &e);
}

void telling_send(Dispatch *d, unsigned receiver, NoticeKind kind, Told *const *items, size_t count,
                uint64_t more, const Stamp *now) {
        Notice n = { .receiver = receiver, .kind = kind, .alerts = d->shown, .count = count, .more = more };

        key_of_all(receiver, kind, items, count, now, n.key);
        for (size_t i = 0; i < count; i++) {
                describe(items[i], &items[i]->last[receiver], now, &d->shown[i]);
                n.priority = MAX(n.priority, items[i]->event.priority);
                items[i]->known |= 1U << receiver;
                items[i]->dirty = true;
        }
        d->callbacks.notify(d->callbacks.userdata, &n);
}

void telling_pick(Told *shown[static NOTICE_ALERTS_MAX], size_t *count, Told *t) {
        size_t i = *count;

        if (i == NOTICE_ALERTS_MAX && !told_before(t, shown[--i]))
                return;
        *count = i + 1;
        for (; i > 0 && told_before(t, shown[i - 1]); i--)
                shown[i] = shown[i - 1];
        shown[i] = t;
}

/* --- at once or later --- */

static bool is_raising(AlertTransition t) {
        return t == TRANSITION_RAISED || t == TRANSITION_RERAISED;
}

static void send_one(Dispatch *d, Told *t, unsigned receiver, const Stamp *now) {
        telling_send(d, receiver, NOTICE_ALERT, &t, 1, 0, now);
        if (is_raising(t->last[receiver].transition))
                group_told(d, t, receiver, now);
}

void tell_forget(Dispatch *d, Told *t, unsigned receiver) {
        if (t->waiting & 1U << receiver)
                group_leave(d, t, receiver);
        if (t->held & 1U << receiver)
                held_remove(d, t, receiver);
}

void tell(Dispatch *d, Told *t, unsigned receiver, Telling news, const Stamp *now) {
        Priority priority = t->event.priority;

        t->last[receiver] = news;
        t->stale &= ~(1U << receiver);
        t->dirty |= (t->known >> receiver & 1) != 0;
        if (priority == PRIORITY_HIGH) {
                tell_forget(d, t, receiver);
                send_one(d, t, receiver, now);
                return;
        }
        if ((t->waiting | t->held) & 1U << receiver)
                return;
        if (is_raising(news.transition) && group_wait(d, t, receiver, now))
                return;
        if (held_put(d, t, receiver, now))
                return;
        held_take(d, receiver, now);
        send_one(d, t, receiver, now);
}

void tell_known(Dispatch *d, Told *t, Telling news, const Stamp *now) {
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (t->known & 1U << r)
                        tell(d, t, r, news, now);
                else
                        t->last[r] = news;
}

void tell_withdraw(Dispatch *d, Told *t) {
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                tell_forget(d, t, r);
}

/* Takes it from a receiver that is not told of it by name any more. */
static void give_up(Dispatch *d, Told *t, unsigned receiver) {
        if (t->waiting & 1U << receiver)
                group_over(d, t, receiver);
        if (t->held & 1U << receiver)
                held_over(d, t, receiver);
        tell_forget(d, t, receiver);
}

void tell_resolved(Dispatch *d, Told *t, const Stamp *now) {
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (!(t->known & 1U << r))
                        give_up(d, t, r);
                else if (t->waiting & 1U << r)
                        group_leave(d, t, r);
        told_list_add(&d->over, t);
        tell_known(d, t, (Telling){ TRANSITION_RESOLVED, 0 }, now);
        if (t->held == 0)
                told_drop(d, t);
        if (d->over.count <= ALERTS_MAX)
                return;
        Told *oldest = d->over.first;
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                give_up(d, oldest, r);
        oldest->dirty = true;
        told_changed(d, oldest);
        told_drop(d, oldest);
}
