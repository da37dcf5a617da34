/* Datagrams, each with its length before it: libcoap parses one, we read its options, and blocks go to a small store.
 * Whatever they are: a device that comes out is a valid name, and no limit is passed. */
#include <stdlib.h>
#include <string.h>

#include "ingest/coap_message.h"
#include "../fuzz/fuzz.h"

static const BlockLimits limits = { .payload = 300, .bytes = 700, .transfers = 4, .owner_transfers = 3 };

static void check_block(BlockStore *s, const CoapRequest *r, int64_t now_us) {
        const BlockPart part = { .owner = s,
                .device = r->device,
                .format = r->content_format,
                .option = r->block,
                .size1 = r->size1,
                .payload = r->payload };
        Bytes whole = { 0 };

        BlockResult result = block_store_add(s, &part, now_us, &whole);
        if (result == BLOCK_COMPLETE && (whole.len == 0 || whole.len > limits.payload))
                abort();
        if (block_store_transfers(s) > limits.owner_transfers || block_store_bytes(s) > limits.bytes)
                abort();
}

static void run(BlockStore *s, const uint8_t *data, size_t size, int64_t now_us) {
        coap_pdu_t *pdu = coap_pdu_init(0, 0, 0, 1152);
        CoapAnswer a = { 0 };
        CoapRequest r;

        if (pdu && coap_pdu_parse(COAP_PROTO_UDP, data, size, pdu)) {
                bool good = request_read(pdu, &r, &a);
                if (good == (a.code != 0) || r.head.token_len > TOKEN_MAX)
                        abort();
                if (r.path == PATH_DEVICE && !name_is_valid(r.device))
                        abort();
                if (good && r.has_block)
                        check_block(s, &r, now_us);
        }
        coap_answer_done(&a);
        coap_delete_pdu(pdu);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(block_store_freep) BlockStore *s = NULL;
        int64_t now_us = 0;

        coap_set_log_level(LOG_EMERG);
        if (block_store_new(&limits, &s) < 0)
                return 0;
        while (size >= 2) {
                size_t len = MIN((size_t) data[1] << 8 | data[0], size - 2);
                /* memory of its own size: a read past its end is seen */
                uint8_t *copy = malloc(len + (len == 0));
                if (!copy)
                        return 0;
                memcpy(copy, data + 2, len);
                run(s, copy, len, now_us += INT64_C(20000000));
                free(copy);
                data += 2 + len;
                size -= 2 + len;
        }
        return 0;
}
