#include "state.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>

enum { STATE_VERSION = 1, DIGITS_MAX = 2 * SENT_RAW_MAX + 1 };

static const char *const stage_names[] = { "nothing", "open", "mined" };

/* --- writing --- */

static json_t *digits_to_json(const uint8_t *bytes, size_t len) {
        char hex[DIGITS_MAX];

        return json_string(sodium_bin2hex(hex, sizeof hex, bytes, len));
}

static json_t *attempts_to_json(const Sent *t) {
        json_t *list = json_array();

        for (size_t i = 0; i < t->attempt_count; i++)
                (void) json_array_append_new(list, digits_to_json(t->attempts[i].bytes, SHA256_SIZE));
        return list;
}

static json_t *sent_to_json(const Sent *t) {
        return json_pack("{s:s,s:I,s:o,s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:I,s:o,s:I,s:o}", "stage",
                        stage_names[t->stage], "chain_id", (json_int_t) t->chain_id, "contract",
                        digits_to_json(t->contract.bytes, ADDRESS_SIZE), "sender",
                        digits_to_json(t->sender.bytes, ADDRESS_SIZE), "origin", t->origin, "size",
                        (json_int_t) t->size, "nonce", (json_int_t) t->nonce, "gas_limit",
                        (json_int_t) t->gas_limit, "fee", (json_int_t) t->fee, "tip", (json_int_t) t->tip,
                        "data", digits_to_json(t->data, t->data_len), "raw",
                        digits_to_json(t->raw, t->raw_len), "sent_us", (json_int_t) t->sent_us, "attempts",
                        attempts_to_json(t), "block", (json_int_t) t->block, "mined",
                        digits_to_json(t->mined.bytes, SHA256_SIZE));
}

int state_format(const State *s, char ret[static STATE_TEXT_MAX], size_t *ret_len) {
        json_t *state = json_pack("{s:i,s:I}", "version", STATE_VERSION, "reverts", (json_int_t) s->reverts);
        int r = state ? 0 : -ENOMEM;

        if (r == 0 && s->sent.stage != SENT_NOTHING &&
                        json_object_set_new(state, "sent", sent_to_json(&s->sent)) < 0)
                r = -ENOMEM;
        size_t n = r == 0 ? json_dumpb(state, ret, STATE_TEXT_MAX, JSON_COMPACT) : 0;
        json_decref(state);
        if (r == 0 && (n == 0 || n > STATE_TEXT_MAX))
                r = -EMSGSIZE;
        if (r == 0)
                *ret_len = n;
        return r;
}

/* --- reading --- */

static bool stage_from_name(const char *name, SentStage *ret) {
        for (size_t i = SENT_OPEN; i < ELEMENTS(stage_names); i++)
                if (streq(name, stage_names[i])) {
                        *ret = (SentStage) i;
                        return true;
                }
        return false;
}

static bool digits_read(const char *hex, uint8_t *ret, size_t size, size_t *ret_len) {
        const char *end;

        return sodium_hex2bin(ret, size, hex, strlen(hex), NULL, ret_len, &end) == 0 && *end == '\0';
}

static bool digits_read_whole(const char *hex, uint8_t *ret, size_t size) {
        size_t n;

        return digits_read(hex, ret, size, &n) && n == size;
}

static bool attempts_read(const json_t *list, Sent *t) {
        size_t n = json_array_size(list);

        if (n == 0 || n > SENT_ATTEMPTS_MAX)
                return false;
        for (size_t i = 0; i < n; i++) {
                const char *hex = json_string_value(json_array_get(list, i));
                if (!hex || !digits_read_whole(hex, t->attempts[i].bytes, SHA256_SIZE))
                        return false;
        }
        t->attempt_count = n;
        return true;
}

static bool sent_read(json_t *object, Sent *t) {
        const char *stage, *contract, *sender, *origin, *data, *raw, *mined;
        json_int_t n[7], sent_us;
        json_t *attempts;

        if (json_unpack(object, "{s:s,s:I,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:s,s:s,s:I,s:o,s:I,s:s}", "stage",
                            &stage, "chain_id", &n[0], "contract", &contract, "sender", &sender, "origin",
                            &origin, "size", &n[1], "nonce", &n[2], "gas_limit", &n[3], "fee", &n[4], "tip",
                            &n[5], "data", &data, "raw", &raw, "sent_us", &sent_us, "attempts", &attempts,
                            "block", &n[6], "mined", &mined) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(n); i++)
                if (n[i] < 0)
                        return false;
        t->chain_id = (uint64_t) n[0];
        t->size = (uint64_t) n[1];
        t->nonce = (uint64_t) n[2];
        t->gas_limit = (uint64_t) n[3];
        t->fee = (uint64_t) n[4];
        t->tip = (uint64_t) n[5];
        t->block = (uint64_t) n[6];
        t->sent_us = sent_us;
        if (strlen(origin) >= sizeof t->origin)
                return false;
        (void) snprintf(t->origin, sizeof t->origin, "%s", origin);
        return stage_from_name(stage, &t->stage) &&
               digits_read_whole(contract, t->contract.bytes, ADDRESS_SIZE) &&
               digits_read_whole(sender, t->sender.bytes, ADDRESS_SIZE) &&
               digits_read(data, t->data, sizeof t->data, &t->data_len) &&
               digits_read(raw, t->raw, sizeof t->raw, &t->raw_len) &&
               digits_read_whole(mined, t->mined.bytes, SHA256_SIZE) && attempts_read(attempts, t);
}

int state_parse(const char *text, size_t len, State *ret) {
        State s = { 0 };
        json_int_t version, reverts;
        json_t *sent = NULL;

        if (len == 0) {
                *ret = s;
                return 0;
        }
        json_t *state = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
        bool good = state &&
                    json_unpack(state, "{s:I,s:I,s?:o!}", "version", &version, "reverts", &reverts, "sent",
                                    &sent) == 0 &&
                    version == STATE_VERSION && reverts >= 0 && reverts <= INT32_MAX &&
                    (!sent || sent_read(sent, &s.sent));
        json_decref(state);
        if (!good)
                return -EBADMSG;
        s.reverts = (unsigned) reverts;
        *ret = s;
        return 0;
}
