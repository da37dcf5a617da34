#include "ledger/layout.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "ledger/entry.h"

typedef enum SomeEnum { SOME_ENUM } SomeEnum;
static_assert(sizeof(SomeEnum) == sizeof(uint32_t), "enums are read and written as 32 bits");
static_assert(sizeof(bool) == 1, "a bool is one byte");

static uint64_t load_uint(const Field *f, const uint8_t *p) {
        uint64_t v64 = 0;
        uint32_t v32;
        uint16_t v16;

        if (f->kind == FIELD_UINT64) {
                memcpy(&v64, p, sizeof v64);
        } else if (f->kind == FIELD_UINT16) {
                memcpy(&v16, p, sizeof v16);
                v64 = v16;
        } else {
                memcpy(&v32, p, sizeof v32);
                v64 = v32;
        }
        return v64;
}

static int64_t load_int(const uint8_t *p) {
        int64_t v;

        memcpy(&v, p, sizeof v);
        return v;
}

static double load_double(const uint8_t *p) {
        double v;

        memcpy(&v, p, sizeof v);
        return v;
}

static bool is_left_out(const Field *f, const uint8_t *base) {
        const uint8_t *p = base + f->offset;

        if (f->given > 0)
                return base[f->given] == 0;
        if (!f->optional)
                return false;
        switch (f->kind) {
        case FIELD_UINT64:
        case FIELD_UINT32:
        case FIELD_UINT16:
        case FIELD_ENUM:
                return load_uint(f, p) == 0;
        case FIELD_INT64:
                return load_int(p) == 0;
        case FIELD_TIME:
                return load_int(p) == TIME_NONE;
        case FIELD_DOUBLE:
                return isnan(load_double(p));
        case FIELD_BOOL:
        case FIELD_TEXT:
                return *p == 0;
        case FIELD_BYTES:
                return false;
        }
        return false;
}

static void put_field(CborWriter *w, const Field *f, const uint8_t *p) {
        switch (f->kind) {
        case FIELD_UINT64:
        case FIELD_UINT32:
        case FIELD_UINT16:
        case FIELD_ENUM:
                cbor_put_uint(w, load_uint(f, p));
                return;
        case FIELD_INT64:
        case FIELD_TIME:
                cbor_put_int(w, load_int(p));
                return;
        case FIELD_DOUBLE:
                w->overflow |= !isfinite(load_double(p));
                cbor_put_double(w, load_double(p));
                return;
        case FIELD_BOOL:
                cbor_put_bool(w, *p != 0);
                return;
        case FIELD_TEXT:
                w->overflow |= !utf8_is_valid(BYTES_STRING((const char *) p));
                cbor_put_text(w, (const char *) p);
                return;
        case FIELD_BYTES:
                cbor_put_bytes(w, BYTES(p, f->size));
                return;
        }
}

void layout_put(CborWriter *w, const Layout *l, const void *from) {
        const uint8_t *base = from;
        size_t pairs = 0;

        for (size_t i = 0; i < l->count; i++)
                pairs += !is_left_out(&l->fields[i], base);
        cbor_put_map(w, pairs);
        for (size_t i = 0; i < l->count; i++) {
                const Field *f = &l->fields[i];
                if (is_left_out(f, base))
                        continue;
                cbor_put_uint(w, f->key);
                put_field(w, f, base + f->offset);
        }
}

static int take_uint(CborReader *r, const Field *f, uint8_t *p) {
        uint64_t v;

        if (cbor_take_uint(r, &v) < 0)
                return -EBADMSG;
        uint64_t max = f->kind == FIELD_UINT64   ? UINT64_MAX
                       : f->kind == FIELD_UINT32 ? UINT32_MAX
                       : f->kind == FIELD_UINT16 ? UINT16_MAX
                                                 : f->size;
        if (v > max)
                return -EBADMSG;
        uint32_t v32 = (uint32_t) v;
        uint16_t v16 = (uint16_t) v;
        if (f->kind == FIELD_UINT64)
                memcpy(p, &v, sizeof v);
        else if (f->kind == FIELD_UINT16)
                memcpy(p, &v16, sizeof v16);
        else
                memcpy(p, &v32, sizeof v32);
        return 0;
}

static int take_field(CborReader *r, const Field *f, uint8_t *p) {
        int64_t i;
        double d;
        bool b;
        Bytes run;

        switch (f->kind) {
        case FIELD_UINT64:
        case FIELD_UINT32:
        case FIELD_UINT16:
        case FIELD_ENUM:
                return take_uint(r, f, p);
        case FIELD_INT64:
        case FIELD_TIME:
                if (cbor_take_int(r, &i) < 0)
                        return -EBADMSG;
                memcpy(p, &i, sizeof i);
                return 0;
        case FIELD_DOUBLE:
                if (cbor_take_double(r, &d) < 0)
                        return -EBADMSG;
                memcpy(p, &d, sizeof d);
                return 0;
        case FIELD_BOOL:
                if (cbor_take_bool(r, &b) < 0)
                        return -EBADMSG;
                *p = b;
                return 0;
        case FIELD_TEXT:
                return cbor_take_text(r, (char *) p, f->size);
        case FIELD_BYTES:
                if (cbor_take_bytes(r, &run) < 0 || run.len != f->size)
                        return -EBADMSG;
                memcpy(p, run.data, run.len);
                return 0;
        }
        return -EBADMSG;
}

static void set_absent(const Field *f, uint8_t *p) {
        int64_t none = TIME_NONE;
        double nan = NAN;

        if (f->kind == FIELD_TIME)
                memcpy(p, &none, sizeof none);
        else if (f->kind == FIELD_DOUBLE)
                memcpy(p, &nan, sizeof nan);
}

int layout_get(const Layout *l, Bytes data, void *ret) {
        _Alignas(max_align_t) uint8_t base[LAYOUT_SIZE_MAX];
        uint8_t again[BODY_MAX];
        CborReader r = cbor_reader(data);
        size_t pairs;

        assert(l->size <= sizeof base);
        memset(base, 0, l->size);
        if (cbor_take_map(&r, &pairs) < 0)
                return -EBADMSG;
        for (size_t i = 0; i < l->count; i++) {
                const Field *f = &l->fields[i];
                CborReader next = r;
                uint64_t key;
                if (cbor_take_uint(&next, &key) < 0 || key != f->key) {
                        set_absent(f, base + f->offset);
                        continue;
                }
                if (take_field(&next, f, base + f->offset) < 0)
                        return -EBADMSG;
                if (f->given > 0)
                        base[f->given] = 1;
                r = next;
        }
        /* A count, an order, a length, a missing, unknown or repeated key, a trailing byte: whatever is not as we
         * write it shows here. */
        CborWriter w = cbor_writer(again, sizeof again);
        layout_put(&w, l, base);
        if (w.overflow || !bytes_equal(BYTES(again, w.len), data))
                return -EBADMSG;
        memcpy(ret, base, l->size);
        return 0;
}
