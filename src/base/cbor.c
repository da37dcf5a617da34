#include "base/cbor.h"

#include <errno.h>
#include <math.h>

static void put_raw(CborWriter *w, Bytes b) {
        if (w->overflow || w->size - w->len < b.len) {
                w->overflow = true;
                return;
        }
        if (b.len > 0)
                memcpy(w->data + w->len, b.data, b.len);
        w->len += b.len;
}

/* Major type and argument in the fewest bytes: RFC 8949 3, 4.2.1. */
static void put_head(CborWriter *w, unsigned major, uint64_t v) {
        uint8_t head[9];
        size_t n;

        be64_write(head + 1, v);
        if (v < 24)
                n = 0;
        else if (v <= UINT8_MAX)
                n = 1;
        else if (v <= UINT16_MAX)
                n = 2;
        else
                n = v <= UINT32_MAX ? 4 : 8;
        unsigned info = n == 0 ? (unsigned) v : n == 1 ? 24 : n == 2 ? 25 : n == 4 ? 26 : 27;
        head[8 - n] = (uint8_t) (major << 5 | info);
        put_raw(w, BYTES(head + 8 - n, n + 1));
}

void cbor_put_uint(CborWriter *w, uint64_t v) {
        put_head(w, 0, v);
}

void cbor_put_int(CborWriter *w, int64_t v) {
        put_head(w, v < 0, v < 0 ? (uint64_t) (-1 - v) : (uint64_t) v);
}

void cbor_put_bytes(CborWriter *w, Bytes b) {
        put_head(w, 2, b.len);
        put_raw(w, b);
}

void cbor_put_text(CborWriter *w, const char *s) {
        put_head(w, 3, strlen(s));
        put_raw(w, BYTES_STRING(s));
}

void cbor_put_map(CborWriter *w, size_t pairs) {
        put_head(w, 5, pairs);
}

void cbor_put_array(CborWriter *w, size_t items) {
        put_head(w, 4, items);
}

void cbor_put_bool(CborWriter *w, bool v) {
        put_head(w, 7, v ? 21 : 20);
}

void cbor_put_null(CborWriter *w) {
        put_head(w, 7, 22);
}

/* The half-precision bits of f where it fits exactly (RFC 8949 appendix D, the other way). */
static bool half_exact(float f, uint16_t *ret) {
        uint32_t bits;

        memcpy(&bits, &f, sizeof bits);
        uint16_t sign = (uint16_t) (bits >> 16 & 0x8000);
        int exponent = (int) (bits >> 23 & 0xff) - 127;
        uint32_t mantissa = bits & 0x7fffff;
        if (isinf(f)) {
                *ret = sign | 0x7c00;
                return true;
        }
        if (f == 0) {
                *ret = sign;
                return true;
        }
        if (exponent >= -14 && exponent <= 15 && (mantissa & 0x1fff) == 0) {
                *ret = (uint16_t) (sign | (unsigned) (exponent + 15) << 10 | mantissa >> 13);
                return true;
        }
        if (exponent >= -24 && exponent < -14) {
                uint32_t whole = mantissa | 0x800000;
                unsigned shift = (unsigned) (-exponent - 1);
                if ((whole & ((UINT32_C(1) << shift) - 1)) == 0) {
                        *ret = (uint16_t) (sign | whole >> shift);
                        return true;
                }
        }
        return false;
}

void cbor_put_double(CborWriter *w, double v) {
        uint8_t bytes[9] = { 0xf9, 0x7e, 0x00 };
        size_t len = 3;
        uint16_t half;

        if (!isnan(v)) {
                float f = (float) v;
                if ((double) f != v) {
                        uint64_t bits;
                        memcpy(&bits, &v, sizeof bits);
                        bytes[0] = 0xfb;
                        be64_write(bytes + 1, bits);
                        len = 9;
                } else if (half_exact(f, &half)) {
                        be16_write(bytes + 1, half);
                } else {
                        uint32_t bits;
                        memcpy(&bits, &f, sizeof bits);
                        bytes[0] = 0xfa;
                        be32_write(bytes + 1, bits);
                        len = 5;
                }
        }
        put_raw(w, BYTES(bytes, len));
}

/* The head of one item: RFC 8949 3. Returns its size, 0 where there is none or its length is indefinite. */
static size_t head(const CborReader *r, unsigned *ret_major, unsigned *ret_info, uint64_t *ret_value) {
        if (r->len < 1)
                return 0;
        unsigned info = r->data[0] & 0x1f;
        size_t n = info < 24 ? 0 : info <= 27 ? (size_t) 1 << (info - 24) : SIZE_MAX;
        if (n == SIZE_MAX || r->len < 1 + n)
                return 0;
        uint64_t v = info;
        if (n > 0) {
                v = 0;
                for (size_t i = 0; i < n; i++)
                        v = v << 8 | r->data[1 + i];
        }
        *ret_major = r->data[0] >> 5;
        *ret_info = info;
        *ret_value = v;
        return 1 + n;
}

static void step(CborReader *r, size_t n) {
        r->data += n;
        r->len -= n;
}

static int get_head(CborReader *r, unsigned want, uint64_t *ret) {
        unsigned major, info;
        uint64_t v;

        size_t n = head(r, &major, &info, &v);
        if (n == 0 || major != want)
                return -EBADMSG;
        step(r, n);
        *ret = v;
        return 0;
}

int cbor_take_uint(CborReader *r, uint64_t *ret) {
        return get_head(r, 0, ret);
}

int cbor_take_int(CborReader *r, int64_t *ret) {
        unsigned major, info;
        uint64_t v;

        size_t n = head(r, &major, &info, &v);
        if (n == 0 || major > 1 || v > INT64_MAX)
                return -EBADMSG;
        step(r, n);
        *ret = major == 0 ? (int64_t) v : -1 - (int64_t) v;
        return 0;
}

static int get_run(CborReader *r, unsigned major, Bytes *ret) {
        CborReader at = *r;
        uint64_t n;

        if (get_head(&at, major, &n) < 0 || n > at.len)
                return -EBADMSG;
        *ret = BYTES(at.data, (size_t) n);
        step(&at, (size_t) n);
        *r = at;
        return 0;
}

int cbor_take_bytes(CborReader *r, Bytes *ret) {
        return get_run(r, 2, ret);
}

int cbor_take_text(CborReader *r, char *ret, size_t size) {
        CborReader at = *r;
        Bytes b;

        if (get_run(&at, 3, &b) < 0 || b.len >= size || (b.len > 0 && memchr(b.data, '\0', b.len)))
                return -EBADMSG;
        if (b.len > 0)
                memcpy(ret, b.data, b.len);
        ret[b.len] = '\0';
        *r = at;
        return 0;
}

static int get_count(CborReader *r, unsigned major, size_t *ret) {
        CborReader at = *r;
        uint64_t n;

        /* Each item takes a byte at least: a larger count is a lie, and must not size anything. */
        if (get_head(&at, major, &n) < 0 || n > at.len)
                return -EBADMSG;
        *r = at;
        *ret = (size_t) n;
        return 0;
}

int cbor_take_map(CborReader *r, size_t *ret_pairs) {
        return get_count(r, 5, ret_pairs);
}

int cbor_take_array(CborReader *r, size_t *ret_items) {
        return get_count(r, 4, ret_items);
}

int cbor_take_bool(CborReader *r, bool *ret) {
        if (r->len < 1 || (r->data[0] != 0xf4 && r->data[0] != 0xf5))
                return -EBADMSG;
        *ret = r->data[0] == 0xf5;
        step(r, 1);
        return 0;
}

int cbor_take_null(CborReader *r) {
        if (r->len < 1 || r->data[0] != 0xf6)
                return -EBADMSG;
        step(r, 1);
        return 0;
}

/* RFC 8949 appendix D. */
static double half_decode(uint16_t half) {
        int exponent = half >> 10 & 0x1f;
        int mantissa = half & 0x3ff;
        double v;

        if (exponent == 0)
                v = ldexp(mantissa, -24);
        else if (exponent != 31)
                v = ldexp(mantissa + 1024, exponent - 25);
        else
                v = mantissa == 0 ? INFINITY : NAN;
        return half & 0x8000 ? -v : v;
}

int cbor_take_double(CborReader *r, double *ret) {
        unsigned major, info;
        uint64_t v;
        int64_t i;

        if (cbor_take_int(r, &i) == 0) {
                *ret = (double) i;
                return 0;
        }
        size_t n = head(r, &major, &info, &v);
        if (n == 0 || major != 7 || info < 25 || info > 27)
                return -EBADMSG;
        if (info == 25) {
                *ret = half_decode((uint16_t) v);
        } else if (info == 26) {
                uint32_t bits = (uint32_t) v;
                float f;
                memcpy(&f, &bits, sizeof f);
                *ret = (double) f;
        } else {
                memcpy(ret, &v, sizeof *ret);
        }
        step(r, n);
        return 0;
}

static int skip(CborReader *r, unsigned depth) {
        unsigned major, info;
        uint64_t v;

        size_t n = head(r, &major, &info, &v);
        if (n == 0 || depth > 16)
                return -EBADMSG;
        step(r, n);
        if (major == 2 || major == 3) {
                if (v > r->len)
                        return -EBADMSG;
                step(r, (size_t) v);
                return 0;
        }
        if (major != 4 && major != 5 && major != 6)
                return 0;
        if (major != 6 && v > r->len) /* each item takes a byte at least */
                return -EBADMSG;
        uint64_t items = major == 4 ? v : major == 5 ? v * 2 : 1;
        for (uint64_t i = 0; i < items; i++)
                if (skip(r, depth + 1) < 0)
                        return -EBADMSG;
        return 0;
}

int cbor_skip(CborReader *r) {
        CborReader at = *r;

        if (skip(&at, 0) < 0)
                return -EBADMSG;
        *r = at;
        return 0;
}
