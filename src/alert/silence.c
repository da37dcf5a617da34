#include "alert/silence.h"

#include <errno.h>

static Silence *find_id(const SilenceList *l, const char *id) {
        for (size_t i = 0; i < l->count; i++)
                if (streq(l->items[i].id, id))
                        return &l->items[i];
        return NULL;
}

void silence_list_done(SilenceList *l) {
        free(l->items);
        *l = (SilenceList){ 0 };
}

int silence_add(SilenceList *l, const Silence *s, const Stamp *now) {
        if (l->count == SILENCES_MAX)
                return -ENOSPC;
        if (find_id(l, s->id))
                return -EEXIST;
        if (!l->items)
                l->items = calloc(SILENCES_MAX, sizeof *l->items);
        if (!l->items)
                return -ENOMEM;
        l->items[l->count] = *s;
        l->items[l->count++].until_mono_us = now->mono_us + (s->until_us - now->wall_us);
        return 0;
}

int silence_remove(SilenceList *l, const char *id) {
        Silence *s = find_id(l, id);

        if (!s)
                return -ENOENT;
        l->count--;
        memmove(s, s + 1, (size_t) (l->items + l->count - s) * sizeof *s);
        return 0;
}

const Silence *silence_find(const SilenceList *l, const AlertEvent *e, const Subject *subject) {
        for (size_t i = 0; i < l->count; i++)
                if (alert_filter_fits(&l->items[i].filter, e, subject))
                        return &l->items[i];
        return NULL;
}

int64_t silence_deadline(const SilenceList *l) {
        int64_t first = INT64_MAX;

        for (size_t i = 0; i < l->count; i++)
                first = MIN(first, l->items[i].until_mono_us);
        return first;
}
