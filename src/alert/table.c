#include "alert/table.h"

#include <errno.h>

enum { ROOM_MIN = 64 };

/* FNV-1a over the name, mixed with the subject */
uint32_t alert_hash(const char *rule, SubjectId subject) {
        uint32_t h = 2166136261;

        for (; *rule; rule++)
                h = (h ^ (uint8_t) *rule) * 16777619;
        h = (h ^ subject) * 0x9E3779B1;
        return h ^ h >> 15;
}

static size_t home(const AlertTable *t, uint32_t hash) {
        return hash & (t->room - 1);
}

static size_t after(const AlertTable *t, size_t i) {
        return (i + 1) & (t->room - 1);
}

Alert *alert_table_find(const AlertTable *t, uint32_t hash, const char *rule, SubjectId subject) {
        if (t->count == 0)
                return NULL;
        for (size_t i = home(t, hash); t->alerts[i]; i = after(t, i)) {
                Alert *a = t->alerts[i];
                if (a->hash == hash && a->event.subject == subject && streq(a->event.rule, rule))
                        return a;
        }
        return NULL;
}

static void put(AlertTable *t, Alert *a) {
        size_t i = home(t, a->hash);

        while (t->alerts[i])
                i = after(t, i);
        t->alerts[i] = a;
}

static int grow(AlertTable *t) {
        AlertTable bigger = *t;

        bigger.room = MAX(t->room * 2, (size_t) ROOM_MIN);
        bigger.alerts = calloc(bigger.room, sizeof(Alert *));
        if (!bigger.alerts)
                return -ENOMEM;
        for (size_t i = 0; i < t->room; i++)
                if (t->alerts[i])
                        put(&bigger, t->alerts[i]);
        free((void *) t->alerts);
        *t = bigger;
        return 0;
}

static int make_subject_room(AlertTable *t, SubjectId subject) {
        if (subject == SUBJECT_NONE || subject < t->subject_room)
                return 0;
        size_t room = MAX((size_t) subject + 1, t->subject_room * 2);
        uint32_t *of_subject = reallocarray(t->of_subject, room, sizeof *of_subject);
        if (!of_subject)
                return -ENOMEM;
        memset(of_subject + t->subject_room, 0, (room - t->subject_room) * sizeof *of_subject);
        t->of_subject = of_subject;
        t->subject_room = room;
        return 0;
}

int alert_table_add(AlertTable *t, Alert *a) {
        int r = make_subject_room(t, a->event.subject);
        if (r < 0)
                return r;
        r = t->count + 1 > t->room / 2 ? grow(t) : 0;
        if (r < 0)
                return r;
        if (a->event.subject != SUBJECT_NONE)
                t->of_subject[a->event.subject]++;
        a->hash = alert_hash(a->event.rule, a->event.subject);
        put(t, a);
        t->count++;
        return 0;
}

void alert_table_remove(AlertTable *t, const Alert *a) {
        size_t hole = home(t, a->hash);

        if (a->event.subject != SUBJECT_NONE)
                t->of_subject[a->event.subject]--;
        while (t->alerts[hole] != a)
                hole = after(t, hole);
        /* what was pushed on by the removed one moves up, so that probing needs no tombstones */
        for (size_t i = after(t, hole); t->alerts[i]; i = after(t, i)) {
                size_t distance = (i - home(t, t->alerts[i]->hash)) & (t->room - 1);
                if (distance >= ((i - hole) & (t->room - 1))) {
                        t->alerts[hole] = t->alerts[i];
                        hole = i;
                }
        }
        t->alerts[hole] = NULL;
        t->count--;
}

void alert_table_done(AlertTable *t) {
        for (size_t i = 0; i < t->room; i++)
                free(t->alerts[i]);
        free((void *) t->alerts);
        free(t->of_subject);
        *t = (AlertTable){ 0 };
}
