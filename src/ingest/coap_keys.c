#include "ingest/coap_keys.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/file.h"
#include "model/name_index.h"

enum { KEYS_MAX = DEVICES_MAX };

struct PskTable {
        PskKey *keys; /* rows stay where they are: the indexes borrow their names */
        size_t count, room;
        NameIndex identities, devices;
};

PskTable *psk_table_free(PskTable *t) {
        if (!t)
                return NULL;
        name_index_done(&t->identities);
        name_index_done(&t->devices);
        if (t->keys)
                explicit_bzero(t->keys, t->room * sizeof *t->keys);
        free(t->keys);
        free(t);
        return NULL;
}

bool psk_identity_is_valid(const char *identity) {
        size_t n = 0;

        while (identity[n] > ' ' && identity[n] <= '~')
                n++;
        return n > 0 && n < PSK_IDENTITY_MAX && identity[n] == '\0';
}

int psk_key_parse(const char *text, uint8_t ret[static PSK_KEY_MAX], size_t *ret_len) {
        uint8_t key[PSK_KEY_MAX];
        const char *end;
        size_t len;

        if (sodium_hex2bin(key, sizeof key, text, strlen(text), NULL, &len, &end) != 0 || *end != '\0' ||
                        len < PSK_KEY_MIN)
                return -EINVAL;
        memcpy(ret, key, len);
        explicit_bzero(key, sizeof key);
        *ret_len = len;
        return 0;
}

/* What the message says never has the key in it. */
static int read_line(PskTable *t, const char *path, unsigned line, char *text, Error *e) {
        char *rest = NULL, *identity = strtok_r(text, " \t\r", &rest),
             *device = strtok_r(NULL, " \t\r", &rest), *key = strtok_r(NULL, " \t\r", &rest);
        PskKey *row = &t->keys[t->count];

        if (!identity || identity[0] == '#')
                return 0;
        if (!device || !key || strtok_r(NULL, " \t\r", &rest))
                return error_at(e, -EINVAL, path, line, 1,
                                "expected an identity, a device and a key, with blanks between");
        if (!psk_identity_is_valid(identity))
                return error_at(e, -EINVAL, path, line, 1, "identity: expected 1 to %d visible characters",
                                PSK_IDENTITY_MAX - 1);
        if (!name_is_valid(device))
                return error_at(e, -EINVAL, path, line, 1,
                                "device '%.64s': expected letters, digits and . _ : -", device);
        if (psk_key_parse(key, row->bytes, &row->len) < 0)
                return error_at(e, -EINVAL, path, line, 1,
                                "the key of '%s': expected %d to %d hexadecimal digits", identity,
                                2 * PSK_KEY_MIN, 2 * PSK_KEY_MAX);
        if (psk_table_find(t, identity))
                return error_at(e, -EINVAL, path, line, 1, "identity '%s' stands there twice", identity);
        if (psk_table_has_device(t, device))
                return error_at(e, -EINVAL, path, line, 1, "device '%s' has two identities", device);
        (void) snprintf(row->identity, sizeof row->identity, "%s", identity);
        (void) snprintf(row->device, sizeof row->device, "%s", device);
        if (name_index_add(&t->identities, row->identity, (uint32_t) t->count) < 0 ||
                        name_index_add(&t->devices, row->device, (uint32_t) t->count) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        t->count++;
        return 0;
}

static size_t count_lines(const char *text) {
        size_t n = 1;

        for (const char *c = text; *c; c++)
                n += *c == '\n';
        return n;
}

int psk_table_parse(const char *path, char *text, PskTable **ret, Error *e) {
        _cleanup_(psk_table_freep) PskTable *t = calloc(1, sizeof *t);
        unsigned line = 0;

        if (!t)
                return error_set(e, -ENOMEM, "out of memory");
        t->room = MIN(count_lines(text), (size_t) KEYS_MAX);
        t->keys = calloc(t->room, sizeof *t->keys);
        if (!t->keys)
                return error_set(e, -ENOMEM, "out of memory");
        for (char *at = text, *next; at; at = next) {
                next = strchr(at, '\n');
                if (next)
                        *next++ = '\0';
                line++;
                if (t->count == t->room && at[strspn(at, " \t\r")] != '\0')
                        return error_at(e, -EINVAL, path, line, 1, "more than %d identities", KEYS_MAX);
                if (t->count == t->room)
                        continue;
                int r = read_line(t, path, line, at, e);
                if (r < 0)
                        return r;
        }
        *ret = TAKE(t);
        return 0;
}

int psk_table_read(const char *path, PskTable **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t len;

        int r = file_read_secret(path, PSK_FILE_MAX, &text, &len, e);
        if (r < 0)
                return r;
        if (strlen(text) != len)
                r = error_set(e, -EINVAL, "%s: not a text", path);
        else
                r = psk_table_parse(path, text, ret, e);
        explicit_bzero(text, len);
        return r;
}

const PskKey *psk_table_find(const PskTable *t, const char *identity) {
        uint32_t row;

        return t && name_index_find(&t->identities, identity, &row) ? &t->keys[row] : NULL;
}

bool psk_table_has_device(const PskTable *t, const char *device) {
        uint32_t row;

        return t && name_index_find(&t->devices, device, &row);
}

size_t psk_table_count(const PskTable *t) {
        return t ? t->count : 0;
}
