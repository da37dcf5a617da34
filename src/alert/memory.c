/* What is known of an alert, over a restart: CBOR
 *
 *     [1, the alert's last transition, its time, steps, repetitions, next repetition (us after it was raised, or
 *      null), flags, [receiver, transition, step, ...]]
 *
 * with three items for each receiver that knows of it: its name's hash (names are too long for all of them), and the
 * last news for it; the transition is null where that is of before the alert was raised again. */
#include <errno.h>

#include "alert/dispatch_internal.h"
#include "base/sha256.h"

enum { VERSION = 1, ITEMS = 8, PER_RECEIVER = 3 };
enum { RERAISED = 1, SILENCE_RECORDED = 2, HELD_RECORDED = 4, FLAGS = 7 };

static uint64_t receiver_hash(const char *name) {
        Hash h;

        sha256(BYTES_STRING(name), &h);
        return be64_read(h.bytes);
}

static unsigned flags_of(const Told *t) {
        return (t->reraised ? RERAISED : 0U) | (t->silence_recorded ? SILENCE_RECORDED : 0U) |
               (t->held_recorded ? HELD_RECORDED : 0U);
}

/* Of one that is over only those matter who are still to be told. */
static unsigned to_be_saved(const Told *t) {
        return t->event.state == ALERT_RESOLVED && !t->retell ? t->held : t->known;
}

int dispatch_save(const Dispatch *d, const char *alert, CborWriter *w) {
        const Told *t = told_find(d, alert);

        if (!t || (t->event.state == ALERT_RESOLVED && to_be_saved(t) == 0))
                return -ENOENT;
        const unsigned known = to_be_saved(t);
        cbor_put_array(w, ITEMS);
        cbor_put_uint(w, VERSION);
        cbor_put_uint(w, t->event.transition);
        cbor_put_int(w, t->event.time_us);
        cbor_put_uint(w, t->steps);
        cbor_put_uint(w, t->repeats);
        if (t->repeat_us == INT64_MAX)
                cbor_put_null(w);
        else
                cbor_put_int(w, t->repeat_us - t->raised_us);
        cbor_put_uint(w, flags_of(t));
        cbor_put_array(w, (size_t) __builtin_popcount(known) * PER_RECEIVER);
        for (unsigned r = 0; r < d->routing->receiver_count; r++)
                if (known & 1U << r) {
                        cbor_put_uint(w, receiver_hash(d->routing->receivers[r].name));
                        if (t->stale & 1U << r)
                                cbor_put_null(w);
                        else
                                cbor_put_uint(w, t->last[r].transition);
                        cbor_put_uint(w, t->last[r].step);
                }
        return 0;
}

typedef struct Memory {
        int64_t time_us, repeat_us; /* repeat_us: after it was raised; INT64_MAX: never */
        uint64_t transition, steps, repeats, flags;
        unsigned known, stale;
        Telling last[ROUTING_RECEIVERS_MAX];
} Memory;

static int read_receiver(const Dispatch *d, CborReader *r, Memory *m) {
        uint64_t hash, transition = TRANSITION_RAISED, step;

        if (cbor_take_uint(r, &hash) < 0)
                return -EBADMSG;
        bool stale = cbor_take_null(r) == 0;
        if ((!stale && cbor_take_uint(r, &transition) < 0) || cbor_take_uint(r, &step) < 0 ||
                        transition > TRANSITION_REPEATED || step > UINT32_MAX)
                return -EBADMSG;
        for (unsigned i = 0; i < d->routing->receiver_count; i++)
                if (receiver_hash(d->routing->receivers[i].name) == hash) {
                        m->known |= 1U << i;
                        m->stale |= stale ? 1U << i : 0;
                        m->last[i] = (Telling){ (AlertTransition) transition, (uint32_t) step };
                }
        return 0;
}

static int read_memory(const Dispatch *d, CborReader *r, Memory *m) {
        uint64_t version;
        size_t n;

        if (cbor_take_array(r, &n) < 0 || n != ITEMS || cbor_take_uint(r, &version) < 0 ||
                        version != VERSION || cbor_take_uint(r, &m->transition) < 0 ||
                        cbor_take_int(r, &m->time_us) < 0 || cbor_take_uint(r, &m->steps) < 0 ||
                        m->steps > ROUTE_STEPS_MAX || cbor_take_uint(r, &m->repeats) < 0 ||
                        m->repeats > UINT32_MAX)
                return -EBADMSG;
        m->repeat_us = INT64_MAX;
        if (cbor_take_null(r) < 0 && (cbor_take_int(r, &m->repeat_us) < 0 || m->repeat_us < 0))
                return -EBADMSG;
        if (cbor_take_uint(r, &m->flags) < 0 || m->flags > FLAGS || cbor_take_array(r, &n) < 0 ||
                        n % PER_RECEIVER != 0 || n > (size_t) ROUTING_RECEIVERS_MAX * PER_RECEIVER)
                return -EBADMSG;
        for (size_t i = 0; i < n; i += PER_RECEIVER)
                if (read_receiver(d, r, m) < 0)
                        return -EBADMSG;
        return r->len == 0 ? 0 : -EBADMSG;
}

static void apply(Told *t, const Memory *m, const Stamp *now) {
        const AlertEvent *e = &t->event;

        t->known = m->known;
        t->stale = m->stale;
        memcpy(t->last, m->last, sizeof t->last);
        t->reraised |= (m->flags & RERAISED) != 0;
        t->silence_recorded = (m->flags & SILENCE_RECORDED) != 0;
        t->held_recorded = (m->flags & HELD_RECORDED) != 0;
        t->retell = t->known != 0;
        if (m->time_us != e->time_us || m->transition != e->transition) {
                /* older than the alert's last transition: that is the news now; raised again, it starts anew */
                for (size_t i = 0; i < ROUTING_RECEIVERS_MAX; i++)
                        t->last[i] = (Telling){ e->transition, e->step };
                t->stale = e->transition == TRANSITION_RERAISED ? t->known : 0;
                if (e->transition == TRANSITION_RERAISED)
                        return;
        }
        t->steps = (uint32_t) m->steps;
        t->repeats = (uint32_t) m->repeats;
        if (t->repeat_us != INT64_MAX && m->repeat_us != INT64_MAX &&
                        __builtin_add_overflow(t->raised_us, m->repeat_us, &t->repeat_us))
                t->repeat_us = escalation_repeat(t, now);
}

static bool is_restorable(const AlertEvent *e) {
        return (e->state == ALERT_ACTIVE || e->state == ALERT_ACKNOWLEDGED || e->state == ALERT_RESOLVED) &&
               e->transition <= TRANSITION_REPEATED && e->priority <= PRIORITY_HIGH;
}

int dispatch_restore(Dispatch *d, const AlertEvent *e, Bytes memory, const Stamp *now) {
        CborReader reader = cbor_reader(memory);
        Memory m = { 0 };
        Told *t;

        if (!is_restorable(e))
                return -EINVAL;
        if (told_find(d, e->id))
                return -EEXIST;
        if (e->state == ALERT_RESOLVED && d->over.count >= ALERTS_MAX)
                return -ENOSPC;
        int bad = memory.len > 0 ? read_memory(d, &reader, &m) : 0;
        if (e->state == ALERT_RESOLVED && (bad < 0 || m.known == 0))
                return bad;
        int r = told_add(d, e, &t);
        if (r < 0)
                return r;
        t->route = routing_find(d->routing, e, told_subject(d, e));
        t->raised_us = e->raised_mono_us != 0 ? e->raised_mono_us : dispatch_mono(e->raised_us, now);
        t->reraised = e->transition == TRANSITION_RERAISED;
        t->repeat_us = escalation_repeat(t, now);
        if (memory.len > 0 && bad == 0)
                apply(t, &m, now);
        if (e->state == ALERT_RESOLVED)
                told_list_add(&d->over, t);
        heap_set(&d->timers, &t->timer, now->mono_us);
        return bad;
}
