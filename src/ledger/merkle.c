#include "ledger/merkle.h"

#include <assert.h>
#include <errno.h>

void merkle_leaf(Bytes entry, Hash *ret) {
        sha256_prefixed(0x00, entry, BYTES(NULL, 0), ret);
}

void merkle_node(const Hash *left, const Hash *right, Hash *ret) {
        sha256_prefixed(0x01, BYTES(left->bytes, SHA256_SIZE), BYTES(right->bytes, SHA256_SIZE), ret);
}

void merkle_empty(Hash *ret) {
        sha256(BYTES(NULL, 0), ret);
}

void frontier_append(Frontier *f, const Hash *leaf) {
        Hash h = *leaf;

        /* Each low one bit of the size is a peak as large as what is carried: they become one. */
        for (uint64_t n = f->size; n & 1; n >>= 1)
                merkle_node(&f->peaks[--f->count], &h, &h);
        f->peaks[f->count++] = h;
        f->size++;
}

/* RFC 6962 2.1 from the right: peaks are largest first. */
static void join_peaks(const Hash *peaks, unsigned n, Hash *ret) {
        Hash h = peaks[n - 1];

        for (unsigned i = n - 1; i > 0; i--)
                merkle_node(&peaks[i - 1], &h, &h);
        *ret = h;
}

void frontier_root(const Frontier *f, Hash *ret) {
        if (f->count == 0)
                merkle_empty(ret);
        else
                join_peaks(f->peaks, f->count, ret);
}

/* Root of the n > 0 leaves from `begin` on, which is a multiple of the largest power of two in n. */
static int range_root(const NodeSource *s, uint64_t begin, uint64_t n, Hash *ret) {
        Hash peaks[64];
        unsigned count = 0;

        for (unsigned level = 64; level-- > 0;) {
                if (!(n >> level & 1))
                        continue;
                int r = s->node(s->userdata, level, begin >> level, &peaks[count++]);
                if (r < 0)
                        return r;
                begin += UINT64_C(1) << level;
        }
        join_peaks(peaks, count, ret);
        return 0;
}

/* The largest power of two below n >= 2: RFC 6962's k. */
static uint64_t split(uint64_t n) {
        return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

static void reverse(Hash *hashes, size_t n) {
        for (size_t i = 0; i < n / 2; i++) {
                Hash h = hashes[i];
                hashes[i] = hashes[n - 1 - i];
                hashes[n - 1 - i] = h;
        }
}

/* Both proofs walk from the root down to a subtree and name the sibling at each step: here [begin, begin + n) is the
 * subtree that the walk is in. */
typedef struct Walk {
        const NodeSource *source;
        uint64_t begin, n;
        Hash *hashes;
        size_t count;
} Walk;

static int step_left(Walk *w) {
        uint64_t k = split(w->n);

        int r = range_root(w->source, w->begin + k, w->n - k, &w->hashes[w->count]);
        if (r < 0)
                return r;
        w->count++;
        w->n = k;
        return 0;
}

static int step_right(Walk *w) {
        uint64_t k = split(w->n);

        int r = range_root(w->source, w->begin, k, &w->hashes[w->count]);
        if (r < 0)
                return r;
        w->count++;
        w->begin += k;
        w->n -= k;
        return 0;
}

int merkle_inclusion_proof(const NodeSource *s, uint64_t index, uint64_t size,
                Hash ret[static MERKLE_PROOF_MAX], size_t *ret_n) {
        Walk w = { .source = s, .n = size, .hashes = ret };

        assert(index < size);
        while (w.n > 1) {
                int r = index - w.begin < split(w.n) ? step_left(&w) : step_right(&w);
                if (r < 0)
                        return r;
        }
        reverse(ret, w.count);
        *ret_n = w.count;
        return 0;
}

int merkle_consistency_proof(const NodeSource *s, uint64_t old_size, uint64_t new_size,
                Hash ret[static MERKLE_PROOF_MAX], size_t *ret_n) {
        Walk w = { .source = s, .n = new_size, .hashes = ret };

        assert(old_size <= new_size);
        if (old_size == 0 || old_size == new_size) {
                *ret_n = 0;
                return 0;
        }
        /* SUBPROOF(m, D[n], b): m leaves of the subtree are old; b until the first step to the right. */
        while (old_size - w.begin < w.n) {
                int r = old_size - w.begin <= split(w.n) ? step_left(&w) : step_right(&w);
                if (r < 0)
                        return r;
        }
        if (w.begin > 0) {
                int r = range_root(s, w.begin, w.n, &ret[w.count]);
                if (r < 0)
                        return r;
                w.count++;
        }
        reverse(ret, w.count);
        *ret_n = w.count;
        return 0;
}

int merkle_root_at(const NodeSource *s, uint64_t size, Hash *ret) {
        if (size > 0)
                return range_root(s, 0, size, ret);
        merkle_empty(ret);
        return 0;
}

int merkle_verify_inclusion(const Hash *leaf, uint64_t index, uint64_t size, const Hash *proof, size_t n,
                const Hash *root) {
        if (index >= size)
                return -EBADMSG;

        Hash h = *leaf;
        uint64_t fn = index, sn = size - 1;
        for (size_t i = 0; i < n; i++) {
                if (sn == 0)
                        return -EBADMSG;
                if (fn & 1 || fn == sn) {
                        merkle_node(&proof[i], &h, &h);
                        for (; !(fn & 1) && fn != 0; fn >>= 1)
                                sn >>= 1;
                } else {
                        merkle_node(&h, &proof[i], &h);
                }
                fn >>= 1;
                sn >>= 1;
        }
        return sn == 0 && hash_equal(&h, root) ? 0 : -EBADMSG;
}

int merkle_verify_consistency(uint64_t old_size, const Hash *old_root, uint64_t new_size,
                const Hash *new_root, const Hash *proof, size_t n) {
        if (old_size == 0 || old_size > new_size)
                return -EBADMSG;
        if (old_size == new_size)
                return n == 0 && hash_equal(old_root, new_root) ? 0 : -EBADMSG;

        uint64_t fn = old_size - 1, sn = new_size - 1;
        for (; fn & 1; fn >>= 1)
                sn >>= 1;

        /* A perfect old tree is itself the first node; a proof then leaves it out. */
        size_t next = 0;
        if (fn != 0 && n == 0)
                return -EBADMSG;
        Hash fr = fn == 0 ? *old_root : proof[next++];
        Hash sr = fr;
        for (; next < n; next++) {
                if (sn == 0)
                        return -EBADMSG;
                if (fn & 1 || fn == sn) {
                        merkle_node(&proof[next], &fr, &fr);
                        merkle_node(&proof[next], &sr, &sr);
                        for (; !(fn & 1) && fn != 0; fn >>= 1)
                                sn >>= 1;
                } else {
                        merkle_node(&sr, &proof[next], &sr);
                }
                fn >>= 1;
                sn >>= 1;
        }
        return sn == 0 && hash_equal(&fr, old_root) && hash_equal(&sr, new_root) ? 0 : -EBADMSG;
}
