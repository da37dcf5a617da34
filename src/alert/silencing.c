/* What silences do to alerts. */
#include <errno.h>
#include <stdio.h>

#include "alert/dispatch_internal.h"

static const Silence *find(const Dispatch *d, const AlertEvent *e) {
        return d->silences.count == 0 ? NULL : silence_find(&d->silences, e, told_subject(d, e));
}

bool silencing_begin(Dispatch *d, Told *t, const Stamp *now) {
        const Silence *s = find(d, &t->event);

        t->silenced = s != NULL;
        if (!s)
                return false;
        tell_withdraw(d, t);
        if (t->event.state == ALERT_ACTIVE && !t->silence_recorded) {
                t->silence_recorded = t->dirty = true;
                telling_record(d, t, (Telling){ TRANSITION_SILENCED, 0 }, "", s->id, now);
        }
        return true;
}

/* As if it were raised now, with all steps whose time has come meanwhile. */
static void end(Dispatch *d, Told *t, const Stamp *now) {
        t->silenced = false;
        if (t->event.state == ALERT_ACTIVE) {
                escalation_run(d, t, true, now);
                t->repeat_us = escalation_repeat(t, now);
                t->dirty = true;
        } else {
                /* acknowledged meanwhile */
                tell_known(d, t, (Telling){ t->event.transition, 0 }, now);
        }
        escalation_schedule(d, t);
        told_changed(d, t);
}

static void look_again(Dispatch *d, const Stamp *now) {
        Told **all = told_sorted(d);

        for (size_t i = 0, n = d->table.count; i < n; i++)
                if (all[i]->silenced && all[i]->event.state != ALERT_RESOLVED && !find(d, &all[i]->event))
                        end(d, all[i], now);
}

void silencing_tick(Dispatch *d, const Stamp *now) {
        if (silence_deadline(&d->silences) > now->mono_us)
                return;
        for (size_t i = 0; i < d->silences.count;) {
                const Silence s = d->silences.items[i];
                if (s.until_mono_us > now->mono_us || silence_remove(&d->silences, s.id) < 0)
                        i++;
                else
                        d->callbacks.silence_over(d->callbacks.userdata, &s);
        }
        look_again(d, now);
}

int dispatch_silence(Dispatch *d, const Silence *s, const Stamp *now) {
        if (s->until_us <= now->wall_us || s->until_us - now->wall_us > d->routing->silence_max_us)
                return -EINVAL;
        int r = silence_add(&d->silences, s, now);
        if (r < 0)
                return r;
        Told **all = told_sorted(d);
        for (size_t i = 0, n = d->table.count; i < n; i++) {
                Told *t = all[i];
                if (t->event.state != ALERT_ACTIVE || t->silenced || !silencing_begin(d, t, now))
                        continue;
                escalation_schedule(d, t);
                told_changed(d, t);
        }
        return 0;
}

int dispatch_unsilence(Dispatch *d, const char *id, const Stamp *now) {
        int r = silence_remove(&d->silences, id);

        if (r == 0)
                look_again(d, now);
        return r;
}

const SilenceList *dispatch_silences(const Dispatch *d) {
        return &d->silences;
}

const Silence *dispatch_silence_of(const Dispatch *d, const AlertEvent *e) {
        return e->state == ALERT_ACTIVE ? find(d, e) : NULL;
}
