#include "transaction.h"

#include <errno.h>

#include "keccak.h"
#include "rlp.h"

/* What a transaction takes beside its data: ten numbers of at most 9 bytes, an address, r and s, and the heads. */
enum { BESIDE_DATA = 10 * 9 + 21 + 2 * 33 + 3 * 9 + 1, TYPE_EIP1559 = 2 };

/* v of EIP-155: 35 + 2 chain ids, and the recovery id, which is 0 or 1 */
static int legacy_v(uint64_t chain_id, uint64_t *ret) {
        if (chain_id > (UINT64_MAX - 36) / 2)
                return -ERANGE;
        *ret = 35 + 2 * chain_id;
        return 0;
}

static void put_signature(RlpWriter *w, const uint8_t signature[static SIGNATURE_SIZE]) {
        rlp_put_number(w, BYTES(signature, 32));
        rlp_put_number(w, BYTES(signature + 32, 32));
}

/* Whatever both types have in the same order. */
static void put_rest(RlpWriter *w, const Transaction *t) {
        rlp_put_uint(w, t->gas_limit);
        rlp_put_bytes(w, t->to ? BYTES(t->to->bytes, ADDRESS_SIZE) : BYTES(NULL, 0));
        rlp_put_uint(w, 0); /* value */
        rlp_put_bytes(w, t->data);
}

/* signature: NULL for what is signed. */
static void put_legacy(RlpWriter *w, const Transaction *t, uint64_t v, const uint8_t *signature) {
        size_t list = rlp_begin_list(w);

        rlp_put_uint(w, t->nonce);
        rlp_put_uint(w, t->max_fee);
        put_rest(w, t);
        rlp_put_uint(w, signature ? v + signature[SIGNATURE_SIZE - 1] : t->chain_id);
        if (signature) {
                put_signature(w, signature);
        } else {
                rlp_put_uint(w, 0);
                rlp_put_uint(w, 0);
        }
        rlp_end_list(w, list);
}

static void put_eip1559(RlpWriter *w, const Transaction *t, const uint8_t *signature) {
        w->data[w->len++] = TYPE_EIP1559; /* there is room: BESIDE_DATA */
        size_t list = rlp_begin_list(w);
        rlp_put_uint(w, t->chain_id);
        rlp_put_uint(w, t->nonce);
        rlp_put_uint(w, t->priority_fee);
        rlp_put_uint(w, t->max_fee);
        put_rest(w, t);
        rlp_end_list(w, rlp_begin_list(w)); /* access list */
        if (signature) {
                rlp_put_uint(w, signature[SIGNATURE_SIZE - 1]);
                put_signature(w, signature);
        }
        rlp_end_list(w, list);
}

static size_t put_transaction(RlpWriter *w, const Transaction *t, uint64_t v, const uint8_t *signature) {
        w->len = 0;
        switch (t->type) {
        case TRANSACTION_LEGACY:
                put_legacy(w, t, v, signature);
                break;
        case TRANSACTION_EIP1559:
                put_eip1559(w, t, signature);
                break;
        }
        return w->len;
}

int transaction_sign(
                const Transaction *t, const Account *a, uint8_t **ret_raw, size_t *ret_len, Hash *ret_hash) {
        size_t size = t->data.len + BESIDE_DATA;
        _cleanup_free_ uint8_t *raw = malloc(size);
        uint8_t signature[SIGNATURE_SIZE];
        RlpWriter w = rlp_writer(raw, size);
        uint64_t v = 0;
        Hash digest;

        if (!raw)
                return -ENOMEM;
        int r = t->type == TRANSACTION_LEGACY ? legacy_v(t->chain_id, &v) : 0;
        if (r < 0)
                return r;
        keccak256(BYTES(raw, put_transaction(&w, t, v, NULL)), &digest);
        r = account_sign(a, &digest, signature);
        if (r < 0)
                return r;
        size_t len = put_transaction(&w, t, v, signature);
        if (w.overflow)
                return -EMSGSIZE;
        keccak256(BYTES(raw, len), ret_hash);
        *ret_raw = TAKE(raw);
        *ret_len = len;
        return 0;
}
