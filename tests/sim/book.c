/* What the ledger says, as rows. */
#include <stdlib.h>
#include <string.h>

#include "gateway/keys.h"
#include "ledger/ledger.h"
#include "sim.h"

typedef struct Writing {
        Ledger *ledger;
        Book *book;
} Writing;

static void copy(char *ret, size_t size, const char *text) {
        if (strlen(text) >= size)
                abort();
        memcpy(ret, text, strlen(text) + 1);
}

static Fact *add_fact(Book *b, FactType type, const EntryTime *when, const char *subject) {
        if (b->fact_count == BOOK_FACTS_MAX)
                abort();
        Fact *f = &b->facts[b->fact_count++];
        *f = (Fact){
                .type = type, .mono_us = when->mono_us, .wall_us = when->wall_us, .device_us = TIME_NONE
        };
        copy(f->subject, sizeof f->subject, subject);
        return f;
}

static void add_alert(Book *b, const AlertBody *a) {
        const AlertEvent *e = &a->event;

        if (b->alert_count == BOOK_ALERTS_MAX)
                abort();
        AlertRow *row = &b->alerts[b->alert_count++];
        *row = (AlertRow){ .transition = e->transition,
                .step = e->step,
                .mono_us = a->when.mono_us,
                .since_us = e->since_us,
                .time_us = e->time_us,
                .ended_us = e->ended_us };
        copy(row->id, sizeof row->id, e->id);
        copy(row->rule, sizeof row->rule, e->rule);
        copy(row->subject, sizeof row->subject, a->subject);
        copy(row->receiver, sizeof row->receiver, e->receiver);
        (void) snprintf(row->key, sizeof row->key, "%.79s", e->note);
}

static void add_reading(Book *b, Bytes body, const char *subject) {
        ReadingBody r;

        if (body_get_reading(body, &r) < 0)
                abort();
        Fact *f = add_fact(b, FACT_READING, &r.when, subject);
        f->device_us = r.device_time_us;
        f->value = r.value;
        f->flags = r.flags;
        copy(f->vital, sizeof f->vital, r.vital);
        copy(f->device, sizeof f->device, r.device);
}

static void add_assign(Book *b, Bytes body) {
        AssignBody a;

        if (body_get_assign(body, &a) < 0)
                abort();
        Fact *f = add_fact(b, FACT_ASSIGN, &a.when, a.subject);
        copy(f->device, sizeof f->device, a.device);
}

static void add_attribute(Book *b, Bytes body) {
        AttributeBody a;

        if (body_get_attribute(body, &a) < 0)
                abort();
        Fact *f = add_fact(b, FACT_ATTRIBUTE, &a.when, a.subject);
        copy(f->name, sizeof f->name, a.name);
        copy(f->text, sizeof f->text, a.value);
}

static int add_entry(void *userdata, const StoredEntry *stored) {
        Writing *w = userdata;
        uint8_t plain[BODY_MAX];
        char subject[NAME_MAX_LENGTH];
        AlertBody alert;
        size_t len;

        if (ledger_open_body(w->ledger, stored, plain, &len, subject) < 0)
                return 0;
        const Bytes body = BYTES(plain, len);
        if (stored->entry.type == ENTRY_READING)
                add_reading(w->book, body, subject);
        else if (stored->entry.type == ENTRY_ASSIGN)
                add_assign(w->book, body);
        else if (stored->entry.type == ENTRY_ATTRIBUTE)
                add_attribute(w->book, body);
        else if (stored->entry.type == ENTRY_ALERT && body_get_alert(body, &alert) == 0)
                add_alert(w->book, &alert);
        return 0;
}

void book_write(const Run *r, Book *b) {
        char path[128], state[128];
        Writing w = { .book = b };
        VerifyReport report = { 0 };
        LedgerRecovery recovery;
        LedgerHead head;
        SigningKey key;
        Keyring *keyring = NULL;
        Error e = { "" };

        (void) snprintf(path, sizeof path, "%s/signing-key", r->dir);
        int k = keys_load_signing(path, &key, &e);
        (void) snprintf(path, sizeof path, "%s/key-encryption-key", r->dir);
        (void) snprintf(state, sizeof state, "%s/state/keys", r->dir);
        if (k == 0)
                k = keys_open_keyring(path, state, &keyring, &e);
        (void) snprintf(state, sizeof state, "%s/state", r->dir);
        const LedgerOptions options = { .state_dir = state,
                .name = "ward.example",
                .signing_key = &key,
                .keyring = keyring,
                .read_only = true };
        if (k == 0)
                k = ledger_open(&options, &w.ledger, &recovery, &e);
        if (k == 0)
                k = ledger_head(w.ledger, &head);
        if (k == 0)
                k = ledger_entries(w.ledger, 0, head.size, add_entry, &w);
        if (k == 0)
                k = ledger_verify_all(w.ledger, NULL, NULL, &report);
        if (k < 0)
                (void) snprintf(b->failure, sizeof b->failure, "%s",
                                e.message[0] ? e.message : strerror(-k));
        else
                b->bad = report.bad;
        ledger_free(w.ledger);
        keyring_free(keyring);
}
