#include "ledger/entry.h"

#include <errno.h>
#include <sodium.h>

enum { VERSION = 1, FLAGS_KNOWN = ENTRY_SEALED_BODY };

static const char *const type_names[] = {
        [ENTRY_READING] = "READING",
        [ENTRY_KEY] = "KEY",
        [ENTRY_SEAL] = "SEAL",
        [ENTRY_GAP] = "GAP",
        [ENTRY_ERASE] = "ERASE",
        [ENTRY_ALERT] = "ALERT",
        [ENTRY_ASSIGN] = "ASSIGN",
        [ENTRY_CLOCK] = "CLOCK",
        [ENTRY_CONFIG] = "CONFIG",
        [ENTRY_ACCESS] = "ACCESS",
        [ENTRY_ATTRIBUTE] = "ATTRIBUTE",
        [ENTRY_SILENCE] = "SILENCE",
};

const char *entry_type_name(EntryType t) {
        return (size_t) t < ELEMENTS(type_names) ? type_names[t] : NULL;
}

void entry_encode_head(const Entry *e, uint8_t ret[static ENTRY_HEAD_SIZE]) {
        ret[0] = VERSION;
        ret[1] = (uint8_t) e->type;
        be16_write(ret + 2, e->flags);
        be32_write(ret + 4, e->stream);
        be64_write(ret + 8, e->seq);
        memcpy(ret + 16, e->key.bytes, KEY_ID_SIZE);
}

void entry_encode(const Entry *e, uint8_t ret[static ENTRY_SIZE]) {
        entry_encode_head(e, ret);
        memcpy(ret + ENTRY_HEAD_SIZE, e->body.bytes, SHA256_SIZE);
}

int entry_decode(const uint8_t data[static ENTRY_SIZE], Entry *ret) {
        Entry e = {
                .type = (EntryType) data[1],
                .flags = be16_read(data + 2),
                .stream = be32_read(data + 4),
                .seq = be64_read(data + 8),
        };

        if (data[0] != VERSION || !entry_type_name(e.type) || e.flags & ~FLAGS_KNOWN)
                return -EBADMSG;
        memcpy(e.key.bytes, data + 16, KEY_ID_SIZE);
        if (e.flags & ENTRY_SEALED_BODY && sodium_is_zero(e.key.bytes, KEY_ID_SIZE))
                return -EBADMSG;
        memcpy(e.body.bytes, data + ENTRY_HEAD_SIZE, SHA256_SIZE);
        *ret = e;
        return 0;
}
