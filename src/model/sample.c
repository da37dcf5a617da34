#include "model/sample.h"

enum { FIRST_ROOM = 16 };

const char *sample_vital(const Sample *s) {
        const char *vital = s->name;

        for (const char *p = s->name; *p; p++)
                if (*p == ':' || *p == '/')
                        vital = p + 1;
        return vital;
}

Sample *sample_list_add(SampleList *l) {
        if (l->count >= SAMPLES_MAX)
                return NULL;
        if (l->count == l->room) {
                size_t room = l->room ? l->room * 2 : FIRST_ROOM;
                Sample *items = reallocarray(l->items, room, sizeof *items);
                if (!items)
                        return NULL;
                l->items = items;
                l->room = room;
        }
        Sample *s = l->items + l->count++;
        memset(s, 0, sizeof *s);
        s->time_us = TIME_NONE;
        return s;
}

void sample_list_clear(SampleList *l) {
        l->count = 0;
}

void sample_list_done(SampleList *l) {
        free(l->items);
        *l = (SampleList){ 0 };
}
