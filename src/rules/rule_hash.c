#include <errno.h>
#include <math.h>

#include "base/cbor.h"
#include "rules/rule_read.h"

/* One blank for each run of blanks, so that folding an expression over lines does not make it another rule. */
static void collapse_blanks(const char *text, char ret[static EXPRESSION_LENGTH_MAX + 1]) {
        static const char blanks[] = " \t\r\n";
        size_t n = 0;

        for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
                size_t word = strcspn(text, blanks);
                if (n > 0)
                        ret[n++] = ' ';
                memcpy(ret + n, text, word);
                n += word;
                text += word;
        }
        ret[n] = '\0';
}

/* The vitals whose fresh values and the limits that a rule uses, in the order in which it first does. */
typedef struct Uses {
        VitalId vitals[VITALS_MAX];
        uint16_t limits[GROUP_LIMITS_MAX]; /* rows */
        size_t vital_count, limit_count;
} Uses;

static void note_vital(Uses *u, VitalId v) {
        for (size_t i = 0; i < u->vital_count; i++)
                if (u->vitals[i] == v)
                        return;
        u->vitals[u->vital_count++] = v;
}

static void note_limit(Uses *u, uint16_t row) {
        for (size_t i = 0; i < u->limit_count; i++)
                if (u->limits[i] == row)
                        return;
        u->limits[u->limit_count++] = row;
}

static void note_uses(Uses *u, const Expression *x) {
        for (size_t i = 0; i < x->count; i++) {
                if (x->ops[i].code == OP_VITAL)
                        note_vital(u, x->ops[i].vital);
                else if (x->ops[i].code == OP_LIMIT)
                        note_limit(u, x->ops[i].slot);
        }
        for (size_t i = 0; i < x->count_count; i++)
                note_uses(u, &x->counts[i].condition);
}

static void put_vitals(CborWriter *w, const Vocabulary *words, const Uses *u) {
        size_t assumed = 0;

        cbor_put_array(w, u->vital_count);
        for (size_t i = 0; i < u->vital_count; i++) {
                cbor_put_array(w, 2);
                cbor_put_text(w, catalogue_at(words->catalogue, u->vitals[i])->name);
                cbor_put_int(w, words->fresh_us[u->vitals[i]]);
                assumed += !isnan(words->assume[u->vitals[i]]);
        }
        cbor_put_array(w, assumed);
        for (size_t i = 0; i < u->vital_count; i++) {
                if (isnan(words->assume[u->vitals[i]]))
                        continue;
                cbor_put_array(w, 2);
                cbor_put_text(w, catalogue_at(words->catalogue, u->vitals[i])->name);
                cbor_put_double(w, words->assume[u->vitals[i]]);
        }
}

static void put_limits(CborWriter *w, const RuleSet *s, const Uses *u) {
        cbor_put_array(w, u->limit_count);
        for (size_t i = 0; i < u->limit_count; i++) {
                cbor_put_array(w, 2);
                cbor_put_text(w, s->limits[u->limits[i]].name);
                cbor_put_double(w, s->limits[u->limits[i]].number);
        }
}

int rule_hash(const RuleSet *s, const Group *g, const Vocabulary *words, const Rule *rule, const char *expr,
                uint8_t ret[static 32]) {
        uint8_t buffer[16384];
        char collapsed[EXPRESSION_LENGTH_MAX + 1];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        const AlertRule *a = &rule->alert;
        Uses uses = { .vital_count = 0 };
        Hash h;

        note_uses(&uses, &rule->expression);
        for (size_t i = 0; i < rule->summary.count; i++)
                note_uses(&uses, &rule->summary.parts[i].number);
        collapse_blanks(expr, collapsed);
        cbor_put_array(&w, 14);
        cbor_put_text(&w, a->name);
        cbor_put_text(&w, collapsed);
        cbor_put_int(&w, a->for_us);
        cbor_put_int(&w, a->keep_firing_us);
        cbor_put_int(&w, a->reraise_us);
        cbor_put_bool(&w, a->latch);
        cbor_put_text(&w, priority_name(a->priority));
        cbor_put_text(&w, a->labels);
        cbor_put_text(&w, a->summary);
        match_put(&w, &g->match);
        if (g->has_except)
                match_put(&w, &g->except);
        else
                cbor_put_null(&w);
        put_vitals(&w, words, &uses);
        put_limits(&w, s, &uses);
        if (w.overflow)
                return -EINVAL;
        sha256(BYTES(buffer, w.len), &h);
        memcpy(ret, h.bytes, sizeof h.bytes);
        return 0;
}
