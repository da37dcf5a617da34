#include "gateway/sealed.h"

#include <errno.h>

#include "gateway/internal.h"

void sealed_head(const char *key, uint8_t ret[static ENTRY_HEAD_SIZE]) {
        Hash h;

        sha256(BYTES_STRING(key), &h);
        memcpy(ret, h.bytes, ENTRY_HEAD_SIZE);
}

void sealed_put(Gateway *g, const char *key, const Subject *subject, const CborWriter *text) {
        uint8_t value[1 + KEY_ID_SIZE + SEALED_MAX + SEAL_OVERHEAD], head[ENTRY_HEAD_SIZE];
        RandomPool random = { 0 };
        SubjectKey k;
        size_t len = 1;
        bool new;

        if (text->overflow || text->len > SEALED_MAX ||
                        (subject && keyring_subject(g->keyring, subject->name, &k, &new, NULL) < 0)) {
                g->pipeline.shed++;
                return;
        }
        value[0] = subject != NULL;
        if (subject) {
                memcpy(value + len, k.id.bytes, KEY_ID_SIZE);
                len += KEY_ID_SIZE;
                sealed_head(key, head);
                body_seal(&k, &random, head, BYTES(text->data, text->len), value + len);
                len += text->len + SEAL_OVERHEAD;
        } else {
                memcpy(value + len, text->data, text->len);
                len += text->len;
        }
        if (ledger_put_state(g->ledger, key, BYTES(value, len)) < 0)
                g->pipeline.shed++;
}

void sealed_remove(Gateway *g, const char *key) {
        if (ledger_put_state(g->ledger, key, (Bytes){ 0 }) < 0)
                g->pipeline.shed++;
}

int sealed_open(Gateway *g, const char *key, Bytes value, uint8_t ret[static SEALED_MAX], size_t *ret_len,
                char ret_subject[static NAME_MAX_LENGTH]) {
        uint8_t head[ENTRY_HEAD_SIZE];
        SubjectKey k;
        KeyId id;

        if (value.len < 1)
                return -EBADMSG;
        if (value.data[0] == 0) {
                if (value.len - 1 > SEALED_MAX)
                        return -EBADMSG;
                ret_subject[0] = '\0';
                *ret_len = value.len - 1;
                memcpy(ret, value.data + 1, *ret_len);
                return 0;
        }
        if (value.len < 1 + KEY_ID_SIZE + SEAL_OVERHEAD ||
                        value.len - 1 - KEY_ID_SIZE - SEAL_OVERHEAD > SEALED_MAX)
                return -EBADMSG;
        memcpy(id.bytes, value.data + 1, KEY_ID_SIZE);
        int r = keyring_find(g->keyring, &id, &k, ret_subject);
        if (r < 0)
                return r;
        Bytes sealed = BYTES(value.data + 1 + KEY_ID_SIZE, value.len - 1 - KEY_ID_SIZE);
        sealed_head(key, head);
        r = body_open(&k, head, sealed, ret);
        if (r == 0)
                *ret_len = sealed.len - SEAL_OVERHEAD;
        return r;
}
