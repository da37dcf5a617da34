/* Operations on what is recorded: in the session's thread, from the ledger, while the gateway goes on. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "gateway/internal.h"
#include "gateway/operations.h"

/* --- readings --- */

static int send_reading(void *userdata, const StoredReading *r) {
        Session *s = userdata;
        const ReadingBody *b = &r->body;
        bool believed = b->device_time_us != TIME_NONE && !(b->flags & FLAG_TIME_SKEWED);
        int64_t at = believed ? b->device_time_us : b->when.wall_us;
        char time[CLOCK_TEXT_SIZE];

        clock_format(at, time);
        json_t *row = json_pack("{s:I, s:s, s:s, s:s, s:f, s:s, s:s, s:I, s:I, s:b, s:o}", "index",
                        (json_int_t) r->index, "subject", r->subject, "device", b->device, "vital", b->vital,
                        "value", b->value, "unit", b->unit, "time", time, "time_us", (json_int_t) at,
                        "gateway_time_us", (json_int_t) b->when.wall_us, "synchronised",
                        b->when.synchronised, "flags", flags_to_json(b->flags));
        if (b->device_time_us != TIME_NONE)
                (void) json_object_set_new(row, "device_time_us", json_integer(b->device_time_us));
        if (b->device_clock_us != TIME_NONE)
                (void) json_object_set_new(row, "device_clock_us", json_integer(b->device_clock_us));
        if (b->has_seq)
                (void) json_object_set_new(row, "seq", json_integer((json_int_t) b->seq));
        return session_row(s, row);
}

int operation_readings(Session *s, const json_t *request, Error *e) {
        ReadingFilter f = { .from_us = TIME_NONE, .to_us = TIME_NONE, .after = UINT64_MAX };

        int r = argument_text(request, "subject", &f.subject, e);
        if (r == 0)
                r = argument_text(request, "vital", &f.vital, e);
        if (r == 0)
                r = argument_time(request, "from", &f.from_us, e);
        if (r == 0)
                r = argument_time(request, "to", &f.to_us, e);
        if (r == 0)
                r = argument_uint(request, "limit", &f.limit, e);
        if (r == 0)
                r = argument_uint(request, "after", &f.after, e);
        if (r == 0)
                r = argument_bool(request, "newest", &f.newest_first, e);
        if (r == 0)
                r = operations_record_access(s, "readings", f.subject, f.vital, f.from_us, f.to_us);
        return r < 0 ? r : ledger_readings(session_gateway(s)->ledger, &f, send_reading, s);
}

/* --- quarantine --- */

static int add_item(void *userdata, const QuarantineItem *item) {
        char payload[sodium_base64_ENCODED_LEN(QUARANTINE_PAYLOAD_MAX, sodium_base64_VARIANT_ORIGINAL)];
        json_t *rows = userdata;

        (void) sodium_bin2base64(payload, sizeof payload, item->payload, item->payload_len,
                        sodium_base64_VARIANT_ORIGINAL);
        return json_array_append_new(
                        rows, json_pack("{s:I, s:s, s:s, s:s, s:s}", "time_us", (json_int_t) item->time_us,
                                              "device", item->device, "origin", item->origin, "reason",
                                              item->reason, "payload", payload));
}

typedef struct QuarantineCall {
        uint64_t limit;
        json_t *rows;
} QuarantineCall;

static int gather_quarantine(Gateway *g, void *argument) {
        QuarantineCall *q = argument;
        return quarantine_visit(g, q->limit, add_item, q->rows);
}

int operation_quarantine(Session *s, const json_t *request, Error *e) {
        QuarantineCall q = { .limit = 100, .rows = json_array() };
        json_t *row;
        size_t i;

        int r = argument_uint(request, "limit", &q.limit, e);
        if (r == 0)
                r = operations_record_access(s, "quarantine", NULL, NULL, TIME_NONE, TIME_NONE);
        if (r == 0)
                r = session_on_loop(s, gather_quarantine, &q);
        for (int tries = 0; r == -EBUSY && tries < 500; tries++) { /* while a batch is written */
                r = session_sleep(s, 10);
                if (r == 0)
                        r = session_on_loop(s, gather_quarantine, &q);
        }
        json_array_foreach(q.rows, i, row) if (r == 0) r = session_row(s, json_incref(row));
        json_decref(q.rows);
        return r;
}
