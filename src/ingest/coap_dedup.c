#include "ingest/coap_dedup.h"

DedupEntry *dedup_find(DedupRing *r, uint16_t mid, uint64_t digest, int64_t now_us) {
        for (size_t i = 0; i < DEDUP_SIZE; i++) {
                DedupEntry *e = &r->entries[i];
                if (e->state != DEDUP_FREE && e->mid == mid && e->digest == digest &&
                                (e->state == DEDUP_PENDING || now_us < e->until_us))
                        return e;
        }
        return NULL;
}

static void entry_clear(DedupEntry *e) {
        coap_answer_done(&e->answer);
        *e = (DedupEntry){ .state = DEDUP_FREE };
}

DedupEntry *dedup_begin(DedupRing *r, uint16_t mid, uint64_t digest, int64_t now_us) {
        DedupEntry *best = NULL;

        for (size_t i = 0; i < DEDUP_SIZE; i++) {
                DedupEntry *e = &r->entries[i];
                if (e->state == DEDUP_PENDING)
                        continue;
                if (!best || e->state == DEDUP_FREE ||
                                (best->state != DEDUP_FREE && e->until_us < best->until_us))
                        best = e;
        }
        if (!best)
                return NULL;
        entry_clear(best);
        best->state = DEDUP_PENDING;
        best->mid = mid;
        best->digest = digest;
        best->until_us = now_us + COAP_EXCHANGE_LIFETIME_US;
        return best;
}

void dedup_answered(DedupRing *r, uint16_t mid, uint64_t digest, const CoapAnswer *a, int64_t now_us) {
        DedupEntry *e = dedup_find(r, mid, digest, now_us);

        if (!e)
                return;
        e->state = DEDUP_ANSWERED;
        /* from the answer on, so that what was pending for long is known for as long as any other */
        e->until_us = now_us + COAP_EXCHANGE_LIFETIME_US;
        coap_answer_copy(&e->answer, a);
}

void dedup_done(DedupRing *r) {
        for (size_t i = 0; i < DEDUP_SIZE; i++)
                entry_clear(&r->entries[i]);
}
