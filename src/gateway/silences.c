#include "gateway/silences.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/restore.h"

void silence_to_body(const Silence *s, SilenceBody *ret) {
        const AlertFilter *f = &s->filter;

        *ret = (SilenceBody){ .from_us = s->from_us,
                .until_us = s->until_us,
                .priorities = (uint16_t) f->priorities,
                .kinds = (uint16_t) f->kinds };
        memcpy(ret->id, s->id, sizeof ret->id);
        memcpy(ret->rule, f->rule, sizeof ret->rule);
        memcpy(ret->subject, f->subject, sizeof ret->subject);
        memcpy(ret->label, f->label, sizeof ret->label);
        memcpy(ret->labels, f->labels, sizeof ret->labels);
        memcpy(ret->who, s->who, sizeof ret->who);
        memcpy(ret->why, s->why, sizeof ret->why);
}

void silence_from_body(const SilenceBody *b, Silence *ret) {
        *ret = (Silence){ .filter = { .priorities = b->priorities, .kinds = b->kinds },
                .from_us = b->from_us,
                .until_us = b->until_us };
        memcpy(ret->id, b->id, sizeof ret->id);
        memcpy(ret->filter.rule, b->rule, sizeof ret->filter.rule);
        memcpy(ret->filter.subject, b->subject, sizeof ret->filter.subject);
        memcpy(ret->filter.label, b->label, sizeof ret->filter.label);
        memcpy(ret->filter.labels, b->labels, sizeof ret->filter.labels);
        memcpy(ret->who, b->who, sizeof ret->who);
        memcpy(ret->why, b->why, sizeof ret->why);
}

static void record(Gateway *g, const Silence *s, bool over, const char *who) {
        uint8_t buffer[1024];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        Stamp now = gateway_now(g);
        SilenceBody body;

        silence_to_body(s, &body);
        body.when = gateway_when(g, &now);
        body.over = over;
        (void) snprintf(body.who, sizeof body.who, "%s", who);
        body_put_silence(&w, &body);
        pipeline_append(g, ENTRY_SILENCE, NULL, &w, &now);
        if (over)
                restore_forget_silence(g, s->id);
        else
                restore_save_silence(g, s);
        log_message(LOG_NOTICE,
                        LOG_FIELDS({ "EVENT", "silence" }, { "SILENCE", s->id },
                                        { "STATE", over ? "over" : "begun" }),
                        "silence %s %s%s%s: %s", s->id, over ? "over" : "begun", *who ? " by " : "", who,
                        s->why);
}

int silences_begin(Gateway *g, Silence *s, Error *e) {
        uint8_t random[8];
        char longest[CLOCK_TEXT_SIZE];
        Stamp now = gateway_now(g);

        randombytes_buf(random, sizeof random);
        (void) sodium_bin2hex(s->id, sizeof s->id, random, sizeof random);
        int r = dispatch_silence(g->dispatch, s, &now);
        if (r == -EINVAL) {
                duration_format(g->config->routing->silence_max_us, longest);
                return error_set(e, r, "a silence ends within %s (alerts.silence_max), and later than now",
                                longest);
        }
        if (r == -ENOSPC)
                return error_set(e, r, "there are %d silences already: end one with wardstone unsilence",
                                SILENCES_MAX);
        if (r < 0)
                return error_set(e, r, "%s", strerror(-r));
        record(g, s, false, s->who);
        return 0;
}

int silences_end(Gateway *g, const char *id, const char *who, Error *e) {
        const SilenceList *list = dispatch_silences(g->dispatch);
        Stamp now = gateway_now(g);

        for (size_t i = 0; i < list->count; i++)
                if (streq(list->items[i].id, id)) {
                        const Silence s = list->items[i];
                        int r = dispatch_unsilence(g->dispatch, id, &now);
                        if (r == 0)
                                record(g, &s, true, who);
                        return r;
                }
        return error_set(e, -ENOENT, "there is no silence '%.40s'; wardstone silences lists them", id);
}

void silences_over(void *userdata, const Silence *s) {
        record(userdata, s, true, "");
}
