#include "cli/chain_bridge.h"

#include <errno.h>
#include <sodium.h>

#include "base/file.h"
#include "cli/request.h"

enum { EVIDENCE_MAX = 256 * 1024 * 1024 };

static int read_size(const json_t *row, const char *key, uint64_t *ret) {
        const json_t *v = json_object_get(row, key);

        if (!json_is_integer(v) || json_integer_value(v) < 0)
                return -EBADMSG;
        *ret = (uint64_t) json_integer_value(v);
        return 0;
}

int bridge_read(const json_t *row, Bridge *ret) {
        const json_t *list = json_object_get(row, "proof");

        if (read_size(row, "from", &ret->from) < 0 || read_size(row, "to", &ret->to) < 0 ||
                        !json_is_array(list) || json_array_size(list) > ELEMENTS(ret->hashes))
                return -EBADMSG;
        ret->count = json_array_size(list);
        for (size_t i = 0; i < ret->count; i++) {
                const char *text = json_string_value(json_array_get(list, i)), *end;
                size_t len;
                if (!text || strlen(text) != (size_t) 2 * SHA256_SIZE ||
                                sodium_hex2bin(ret->hashes[i].bytes, SHA256_SIZE, text, strlen(text), NULL,
                                                &len, &end) < 0 ||
                                len != SHA256_SIZE || *end != '\0')
                        return -EBADMSG;
        }
        return 0;
}

int bridge_from_file(const char *path, const char *origin, uint64_t from, Bridge *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        json_error_t error;
        size_t len, i;
        json_t *row;
        Bridge found;
        int result = -ESRCH;

        int r = file_read(path, EVIDENCE_MAX, &text, &len, e);
        if (r < 0)
                return r;
        _cleanup_(json_decrefp) json_t *evidence = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
        if (!evidence)
                return error_set(e, -EBADMSG, "%s:%d:%d: %s", path, error.line, error.column, error.text);
        json_array_foreach(json_object_get(evidence, "consistency"), i, row) {
                if (bridge_read(row, &found) < 0)
                        return error_set(e, -EBADMSG,
                                        "%s: the consistency proof number %zu is not one that wardstone "
                                        "chain export has written",
                                        path, i + 1);
                if (!streq(row_text(row, "origin"), origin) || found.from != from ||
                                (result == 0 && found.to >= ret->to))
                        continue;
                *ret = found;
                result = 0;
        }
        return result;
}

int bridge_from_daemon(
                const char *socket, const char *origin, uint64_t from, uint64_t to, Bridge *ret, Error *e) {
        _cleanup_(json_decrefp) json_t *row = NULL;
        json_t *request = request_new("consistency");

        request_number(&request, "from", (int64_t) from);
        request_number(&request, "to", (int64_t) to);
        int r = client_call(socket, request, &row, e);
        if (r < 0)
                return r;
        if (!streq(row_text(row, "origin"), origin))
                return error_set(e, -ESTALE, "the gateway's ledger is %s now", row_text(row, "origin"));
        if (bridge_read(row, ret) < 0 || ret->from != from || ret->to != to)
                return error_set(e, -EBADMSG, "the daemon sent no such consistency proof");
        return 0;
}
