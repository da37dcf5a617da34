/* Bodies from outside: the first byte is the type. What reads is written again as the same bytes. */
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "ledger/entry.h"

#define CASE(type, noun, Struct)                                                                            \
        case type: {                                                                                        \
                Struct b;                                                                                   \
                if (body_get_##noun(body, &b) < 0)                                                          \
                        return -1;                                                                          \
                body_put_##noun(w, &b);                                                                     \
                return 0;                                                                                   \
        }

static int read_and_write(EntryType type, Bytes body, CborWriter *w) {
        switch (type) {
                CASE(ENTRY_READING, reading, ReadingBody)
                CASE(ENTRY_KEY, key, KeyBody)
                CASE(ENTRY_SEAL, seal, SealBody)
                CASE(ENTRY_GAP, gap, GapBody)
                CASE(ENTRY_ALERT, alert, AlertBody)
                CASE(ENTRY_ASSIGN, assign, AssignBody)
                CASE(ENTRY_CLOCK, clock, ClockBody)
                CASE(ENTRY_CONFIG, config, ConfigBody)
                CASE(ENTRY_ACCESS, access, AccessBody)
                CASE(ENTRY_ATTRIBUTE, attribute, AttributeBody)
                CASE(ENTRY_SILENCE, silence, SilenceBody)
        case ENTRY_ERASE:
                break;
        }
        return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t again[BODY_MAX];
        CborWriter w = cbor_writer(again, sizeof again);
        Entry entry;

        if (size >= ENTRY_SIZE && entry_decode(data, &entry) == 0) {
                uint8_t bytes[ENTRY_SIZE];
                entry_encode(&entry, bytes);
                if (memcmp(bytes, data, ENTRY_SIZE) != 0)
                        abort();
        }
        if (size < 1)
                return 0;
        EntryType type = (EntryType) data[0];
        Bytes body = BYTES(data + 1, size - 1);
        int r = read_and_write(type, body, &w);
        if ((r == 0) != (body_check(type, body) == 0))
                abort();
        if (r == 0 && (w.overflow || !bytes_equal(body, BYTES(again, w.len))))
                abort();
        return 0;
}
