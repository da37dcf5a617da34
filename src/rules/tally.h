/* Rules across subjects: how many subjects of a group a condition is true of. A tally is a rule's numbers for one group;
 * each subject of it is a member for each of the rule's counts. */
#pragma once

#include "model/name_index.h"
#include "rules/rule_set.h"

typedef struct Tally Tally;

struct Tally {
        uint32_t rule;
        SubjectId group;
        bool is_changed;
        Tally *next_changed;
        char key[ATTRIBUTE_VALUE_MAX + 16]; /* "<rule>:<the attribute's value>" */
        uint32_t numbers[EXPRESSION_COUNTS_MAX];
};

/* A zeroed table is empty. Tallies stay as long as it does: one a rule across subjects and value of its attribute. */
typedef struct TallyTable {
        NameIndex index;
        Tally **items;
        size_t count, room;
        Tally *changed, *changed_last; /* in the order in which they came to be */
} TallyTable;

void tally_table_done(TallyTable *t);
/* The tally of the rule for subjects with that value, made with the group's row where it is new (then it is changed).
 * -ENOSPC, -ENOMEM. */
int tally_find(TallyTable *t, const RuleSet *s, Registry *registry, uint32_t rule, const char *value,
                Tally **ret) _must_check_;
/* Takes one out of the changed ones; NULL: there is none. */
Tally *tally_next_changed(TallyTable *t);
void tally_note(TallyTable *t, Tally *y);

/* A subject's part in one count. */
typedef struct Member {
        HeapNode timer; /* when what was true does not count any more */
        Tally *tally;   /* NULL: the rule is not for the subject */
        bool is_true, is_counted;
} Member;

/* part: which of the rule's counts. */
void member_move(TallyTable *t, Member *m, uint32_t part, Tally *to, Heap *timers);
void member_set(TallyTable *t, Member *m, uint32_t part, int64_t duration_us, bool is_true, int64_t now_us,
                Heap *timers);
void member_end(TallyTable *t, Member *m, uint32_t part, Heap *timers);
