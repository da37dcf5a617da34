#include "gateway/board.h"

#include <errno.h>

enum { VITALS_SHOWN = 24 /* of one subject: a new one takes the place of the oldest */ };

typedef struct SubjectBoard {
        size_t count;
        Reading newest[VITALS_SHOWN];
} SubjectBoard;

struct Board {
        SubjectBoard *subjects[SUBJECTS_MAX]; /* NULL until the first reading */
        Reading recent[BOARD_RECENT];
        uint64_t total;
};

int board_new(Board **ret) {
        *ret = calloc(1, sizeof **ret);
        return *ret ? 0 : -ENOMEM;
}

Board *board_free(Board *b) {
        if (!b)
                return NULL;
        for (size_t i = 0; i < SUBJECTS_MAX; i++)
                free(b->subjects[i]);
        free(b);
        return NULL;
}

static Reading *slot(SubjectBoard *s, VitalId vital) {
        Reading *oldest = &s->newest[0];

        for (size_t i = 0; i < s->count; i++) {
                if (s->newest[i].vital == vital)
                        return &s->newest[i];
                if (s->newest[i].stamp.mono_us < oldest->stamp.mono_us)
                        oldest = &s->newest[i];
        }
        return s->count < VITALS_SHOWN ? &s->newest[s->count++] : oldest;
}

void board_note(Board *b, const Reading *r) {
        SubjectBoard **s = &b->subjects[r->subject];

        b->recent[b->total++ % BOARD_RECENT] = *r;
        if (!*s)
                *s = calloc(1, sizeof **s);
        if (*s && !(r->flags & FLAG_LATE))
                *slot(*s, r->vital) = *r;
}

void board_forget(Board *b, SubjectId subject) {
        free(b->subjects[subject]);
        b->subjects[subject] = NULL;
}

void board_visit(const Board *b, SubjectId subject, BoardFn fn, void *userdata) {
        const SubjectBoard *s = b->subjects[subject];

        for (size_t i = 0; s && i < s->count; i++)
                fn(userdata, &s->newest[i]);
}

uint64_t board_since(const Board *b, uint64_t *cursor, BoardFn fn, void *userdata) {
        uint64_t first = b->total > BOARD_RECENT ? b->total - BOARD_RECENT : 0;
        uint64_t missed = *cursor < first ? first - *cursor : 0;

        for (uint64_t i = MAX(*cursor, first); i < b->total; i++)
                fn(userdata, &b->recent[i % BOARD_RECENT]);
        *cursor = b->total;
        return missed;
}
