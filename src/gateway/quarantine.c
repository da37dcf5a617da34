#include "gateway/quarantine.h"

#include <errno.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/sealed.h"

enum { ITEM_MAX = QUARANTINE_PAYLOAD_MAX + 600 };

struct Quarantine {
        SubjectKey key;
        RandomPool random;
        uint64_t total;
};

typedef struct Scan {
        Quarantine *q;
        uint64_t from; /* only numbers at or above */
        QuarantineFn fn;
        void *userdata;
} Scan;

/* State "quarantine/<slot>" is sealed CBOR [number, time, device, origin, reason, payload]; the key's text is the
 * associated data's seed, so that an item can't stand in another's slot. */
static int item_read(Bytes plain, QuarantineItem *ret, uint64_t *ret_number) {
        CborReader r = cbor_reader(plain);
        Bytes payload;
        size_t n;

        if (cbor_take_array(&r, &n) < 0 || n != 6 || cbor_take_uint(&r, ret_number) < 0 ||
                        cbor_take_int(&r, &ret->time_us) < 0 ||
                        cbor_take_text(&r, ret->device, sizeof ret->device) < 0 ||
                        cbor_take_text(&r, ret->origin, sizeof ret->origin) < 0 ||
                        cbor_take_text(&r, ret->reason, sizeof ret->reason) < 0 ||
                        cbor_take_bytes(&r, &payload) < 0 || payload.len > sizeof ret->payload)
                return -EBADMSG;
        memcpy(ret->payload, payload.data, payload.len);
        ret->payload_len = payload.len;
        return 0;
}

static int visit_slot(void *userdata, const char *key, Bytes value) {
        Scan *scan = userdata;
        uint8_t head[ENTRY_HEAD_SIZE], plain[ITEM_MAX];
        QuarantineItem item;
        uint64_t number;

        sealed_head(key, head);
        if (value.len < SEAL_OVERHEAD || value.len - SEAL_OVERHEAD > sizeof plain ||
                        body_open(&scan->q->key, head, value, plain) < 0 ||
                        item_read(BYTES(plain, value.len - SEAL_OVERHEAD), &item, &number) < 0)
                return 0; /* damaged: the ring goes on without it */
        if (!scan->fn) {
                scan->q->total = MAX(scan->q->total, number + 1);
                return 0;
        }
        return number >= scan->from ? scan->fn(scan->userdata, &item) : 0;
}

int quarantine_new(Gateway *g, Quarantine **ret, Error *e) {
        Quarantine *q = calloc(1, sizeof *q);
        bool new;

        if (!q)
                return error_set(e, -ENOMEM, "out of memory");
        int r = keyring_subject(g->keyring, "wardstone.quarantine", &q->key, &new, e);
        if (r == 0)
                r = ledger_visit_state(g->ledger, "quarantine/", visit_slot, &(Scan){ .q = q });
        if (r < 0) {
                free(q);
                return error_prefix(e, r, "quarantine");
        }
        *ret = q;
        return 0;
}

Quarantine *quarantine_free(Quarantine *q) {
        free(q);
        return NULL;
}

uint64_t quarantine_total(const Quarantine *q) {
        return q->total;
}

/* Text of hostile origin, cut and made printable. */
static void put_printable(CborWriter *w, const char *s, size_t max) {
        char text[256];
        size_t n = 0;

        for (; *s && n + 1 < MIN(max, sizeof text); s++)
                text[n++] = *s >= ' ' && *s <= '~' ? *s : '?';
        text[n] = '\0';
        cbor_put_text(w, text);
}

void quarantine_add(Gateway *g, const Frame *f, const char *reason, const Stamp *now) {
        Quarantine *q = g->quarantine;
        uint8_t plain[ITEM_MAX], sealed[ITEM_MAX + SEAL_OVERHEAD], head[ENTRY_HEAD_SIZE];
        CborWriter w = cbor_writer(plain, sizeof plain);
        char key[48];

        (void) snprintf(key, sizeof key, "quarantine/%08llu",
                        (unsigned long long) (q->total % (uint64_t) g->config->quarantine_limit));
        cbor_put_array(&w, 6);
        cbor_put_uint(&w, q->total);
        cbor_put_int(&w, now->wall_us);
        put_printable(&w, f->device, NAME_MAX_LENGTH);
        put_printable(&w, f->origin, 255);
        put_printable(&w, reason, 127);
        size_t kept = MIN(f->payload.len, (size_t) QUARANTINE_PAYLOAD_MAX);
        cbor_put_bytes(&w, BYTES(f->payload.data, kept));
        if (w.overflow)
                return;
        sealed_head(key, head);
        body_seal(&q->key, &q->random, head, BYTES(w.data, w.len), sealed);
        if (ledger_put_state(g->ledger, key, BYTES(sealed, w.len + SEAL_OVERHEAD)) == 0)
                q->total++;
        else
                g->pipeline.shed++;
}

int quarantine_visit(Gateway *g, uint64_t limit, QuarantineFn fn, void *userdata) {
        uint64_t total = g->quarantine->total;
        Scan scan = { .q = g->quarantine,
                .from = limit && total > limit ? total - limit : 0,
                .fn = fn,
                .userdata = userdata };

        return ledger_visit_state(g->ledger, "quarantine/", visit_slot, &scan);
}
