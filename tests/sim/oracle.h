/* What the files of the oracle share. */
#pragma once

#include "sim.h"

enum { ORACLE_RULES = 14, ORACLE_GROUPS = 2 };

/* What concerns one subject, in order. */
typedef struct History {
        int number; /* of the patient */
        char subject[32];
        const Fact **facts;
        size_t *order; /* of each among all facts */
        size_t count;
        const Fact **said; /* attributes alone, in order */
        size_t said_count;
} History;

/* Something that may change what rules say of a subject. */
typedef struct Moment {
        int64_t mono_us;
        size_t order;    /* of its fact; SIZE_MAX: time alone */
        size_t end;      /* how many of the subject's facts had come */
        int64_t time_us; /* wall, as alerts tell it */
        bool forgets;
        Truth truth;
} Moment;

typedef struct Moments {
        Moment *items;
        size_t count, room;
} Moments;

void moments_add(Moments *list, const Moment *m);

/* What was said of the subject by then; "" where nothing was. */
const char *oracle_attribute(const History *h, const Moment *m, const char *name);

typedef struct OracleRule {
        const char *name;
        Truth (*condition)(const History *h, const Moment *m);
        struct {
                const char *vital;
                int64_t us;
        } ages[3]; /* which vitals it looks at, and which age of theirs matters */
        int64_t for_us, keep_us, reraise_us;
        bool latch;
        unsigned least;    /* of a ward: so many of its patients; 0: a rule of each patient */
        int64_t within_us; /* have or had it */
} OracleRule;

extern const OracleRule oracle_rules[ORACLE_RULES];

/* The rule's condition of the subject whenever it may have changed. */
void oracle_moments(const World *w, const History *h, const OracleRule *rule, Moments *ret);

typedef struct Expected {
        AlertRow *rows;
        size_t count, room;
} Expected;

/* The life of one rule's alerts of one subject. */
void oracle_live(const World *w, const OracleRule *rule, const char *subject, const Moments *moments,
                const Book *b, Expected *ret);
