#include "acknowledgement.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"

static_assert(ACKNOWLEDGEMENT_MAC_SIZE == crypto_auth_hmacsha256_BYTES, "HMAC-SHA256");
static_assert(PERSON_KEY_SIZE == crypto_auth_hmacsha256_KEYBYTES, "a key of its size");

static int take(const char *name, const char *text, size_t len, char *ret, size_t size, Error *e) {
        if (len >= size)
                return error_set(e, -EBADMSG, "%s: longer than %zu bytes", name, size - 1);
        memcpy(ret, text, len + 1);
        return 0;
}

static int take_line(const char *name, const char *text, size_t len, char *ret, size_t size, Error *e) {
        if (len == 0)
                return error_set(e, -EBADMSG, "%s: empty", name);
        for (size_t i = 0; i < len; i++)
                if ((unsigned char) text[i] < ' ' || text[i] == 0x7f)
                        return error_set(e, -EBADMSG, "%s: has a control character", name);
        return take(name, text, len, ret, size, e);
}

static int take_members(json_t *object, Acknowledgement *a, Error *e) {
        const char *id, *who, *time, *mac, *note = "";
        size_t id_len, who_len, time_len, mac_len, note_len = 0, n;
        json_error_t why;

        /* the '!' refuses what the mac does not cover */
        if (json_unpack_ex(object, &why, 0, "{s:s%,s:s%,s:s%,s:s%,s?:s%!}", "id", &id, &id_len, "who", &who,
                            &who_len, "time", &time, &time_len, "mac", &mac, &mac_len, "note", &note,
                            &note_len) < 0)
                return error_set(e, -EBADMSG, "%s", why.text);
        int r = take_line("id", id, id_len, a->id, sizeof a->id, e);
        if (r == 0)
                r = take_line("who", who, who_len, a->who, sizeof a->who, e);
        if (r == 0)
                r = take_line("time", time, time_len, a->time, sizeof a->time, e);
        if (r == 0)
                r = take("note", note, note_len, a->note, sizeof a->note, e);
        if (r < 0)
                return r;
        if (clock_parse(time, &a->time_us) < 0 || time[time_len - 1] != 'Z')
                return error_set(e, -EBADMSG, "time: expected RFC 3339 in UTC");
        if (mac_len != (size_t) 2 * sizeof a->mac ||
                        sodium_hex2bin(a->mac, sizeof a->mac, mac, mac_len, NULL, &n, NULL) != 0 ||
                        n != sizeof a->mac)
                return error_set(e, -EBADMSG, "mac: expected %zu hex digits", 2 * sizeof a->mac);
        return 0;
}

int acknowledgement_parse(Bytes message, Acknowledgement *ret, Error *e) {
        Acknowledgement a;
        json_error_t why;

        if (message.len > ACKNOWLEDGEMENT_MAX)
                return error_set(e, -EBADMSG, "longer than %d bytes", ACKNOWLEDGEMENT_MAX);
        json_t *object = json_loadb((const char *) message.data, message.len, JSON_REJECT_DUPLICATES, &why);
        if (!object)
                return error_set(e, -EBADMSG, "no JSON: %s", why.text);
        int r = take_members(object, &a, e);
        json_decref(object);
        if (r == 0)
                *ret = a;
        return r;
}

bool acknowledgement_verify(const Acknowledgement *a, const uint8_t key[static PERSON_KEY_SIZE]) {
        char text[sizeof a->id + sizeof a->who + sizeof a->time + sizeof a->note];

        int n = snprintf(text, sizeof text, "%s\n%s\n%s\n%s", a->id, a->who, a->time, a->note);
        return crypto_auth_hmacsha256_verify(a->mac, (const uint8_t *) text, (size_t) n, key) == 0;
}
