/* State "latest/<subject>" is sealed CBOR [wall, monotonic, boot, [vital, value, seen (monotonic)]...]. */
#include "gateway/latest.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/log.h"
#include "gateway/sealed.h"

enum { VALUES_MAX = 40, KEY_MAX = NAME_MAX_LENGTH + 16 };

/* Nothing that old counts for any rule. */
#define OLD_US (INT64_C(604800) * USEC_PER_SEC)

/* One subject's values, gathered until the next subject's begin. */
typedef struct Gathered {
        Gateway *gateway;
        const Stamp *now;
        SubjectId subject;
        size_t count;
        struct {
                VitalId vital;
                double value;
                int64_t seen_us;
        } values[VALUES_MAX];
} Gathered;

static void put_values(Gathered *v) {
        uint8_t buffer[SEALED_MAX];
        CborWriter w = cbor_writer(buffer, sizeof buffer);
        char key[KEY_MAX];

        if (v->count == 0)
                return;
        const Subject *s = registry_subject(v->gateway->registry, v->subject);
        (void) snprintf(key, sizeof key, "latest/%s", s->name);
        cbor_put_array(&w, 3 + 3 * v->count);
        cbor_put_int(&w, v->now->wall_us);
        cbor_put_int(&w, v->now->mono_us);
        cbor_put_uint(&w, v->gateway->clock.boot);
        for (size_t i = 0; i < v->count; i++) {
                cbor_put_text(&w, catalogue_at(v->gateway->catalogue, v->values[i].vital)->name);
                cbor_put_double(&w, v->values[i].value);
                cbor_put_int(&w, v->values[i].seen_us);
        }
        sealed_put(v->gateway, key, s, &w);
        v->count = 0;
}

static void gather(void *userdata, SubjectId subject, VitalId vital, double value, int64_t seen_us) {
        Gathered *v = userdata;

        if (subject != v->subject)
                put_values(v);
        v->subject = subject;
        if (v->count == VALUES_MAX || v->now->mono_us - seen_us > OLD_US)
                return;
        v->values[v->count].vital = vital;
        v->values[v->count].value = value;
        v->values[v->count++].seen_us = seen_us;
}

void latest_save(Gateway *g, const Stamp *now, bool force) {
        Gathered v = { .gateway = g, .now = now };

        if (!force && now->mono_us < g->latest_us)
                return;
        g->latest_us = now->mono_us + LATEST_EVERY_US;
        rule_engine_visit(g->engine, gather, &v);
        put_values(&v);
}

void latest_forget(Gateway *g, const char *subject) {
        char key[KEY_MAX];

        (void) snprintf(key, sizeof key, "latest/%s", subject);
        sealed_remove(g, key);
}

typedef struct Restore {
        Gateway *gateway;
        const Stamp *now;
} Restore;

/* The age of what was seen then, by the boot's own clock where it is still the same. */
static int64_t age_of(const Restore *r, int64_t wall_us, int64_t mono_us, uint64_t boot, int64_t seen_us) {
        return boot == r->gateway->clock.boot ? r->now->mono_us - seen_us
                                              : r->now->wall_us - (wall_us - (mono_us - seen_us));
}

static int prime(const Restore *r, CborReader *reader, SubjectId subject, size_t n) {
        int64_t wall_us, mono_us, seen_us;
        char name[VITAL_NAME_MAX];
        uint64_t boot;
        double value;
        bool kept = false;

        if (cbor_take_int(reader, &wall_us) < 0 || cbor_take_int(reader, &mono_us) < 0 ||
                        cbor_take_uint(reader, &boot) < 0)
                return -EBADMSG;
        for (n -= 3; n > 0; n -= 3) {
                if (cbor_take_text(reader, name, sizeof name) < 0 || cbor_take_double(reader, &value) < 0 ||
                                cbor_take_int(reader, &seen_us) < 0)
                        return -EBADMSG;
                const Vital *v = catalogue_find(r->gateway->catalogue, name);
                int64_t age = age_of(r, wall_us, mono_us, boot, seen_us);
                if (!v || age < 0 || age > OLD_US)
                        continue;
                kept = true;
                int k = rule_engine_prime(r->gateway->engine, subject, v->id, value, r->now->mono_us - age);
                if (k < 0)
                        return k;
        }
        return kept ? 0 : -ENODATA;
}

static int restore_values(void *userdata, const char *key, Bytes value) {
        const Restore *r = userdata;
        uint8_t plain[SEALED_MAX];
        char subject[NAME_MAX_LENGTH];
        size_t len, n;

        int k = sealed_open(r->gateway, key, value, plain, &len, subject);
        if (k < 0 && k != -ENOENT && k != -EBADMSG)
                return k;
        const Subject *s = registry_find_subject(r->gateway->registry, key + strlen("latest/"));
        CborReader reader = cbor_reader(BYTES(plain, k == 0 ? len : 0));
        if (k == -ENOENT || !s)
                k = -ENODATA; /* erased, or nobody's device is left */
        else if (k < 0 || cbor_take_array(&reader, &n) < 0 || n < 3 || n % 3 != 0)
                k = -EBADMSG;
        else
                k = prime(r, &reader, s->id, n);
        if (k < 0 && k != -ENODATA) /* a start matters more */
                log_warning("%s can't be restored: %s", key, strerror(-k));
        if (k == -ENODATA || k == -EBADMSG)
                sealed_remove(r->gateway, key);
        return 0;
}

int latest_restore(Gateway *g, const Stamp *now, Error *e) {
        Restore restore = { .gateway = g, .now = now };

        int r = ledger_visit_state(g->ledger, "latest/", restore_values, &restore);
        return r < 0 ? error_set(e, r, "last values in the ledger can't be read: %s", strerror(-r)) : 0;
}
