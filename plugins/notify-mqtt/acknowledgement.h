/* What somebody sends to acknowledge an alert: {"id", "who", "note"?, "time" (RFC 3339, UTC), "mac"}, where mac is
 * HMAC-SHA256 in hex, with the person's key, over "id\nwho\ntime\nnote". Pure. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "wardstone/plugin.h"

enum { ACKNOWLEDGEMENT_MAX = 2048, ACKNOWLEDGEMENT_MAC_SIZE = 32, PERSON_KEY_SIZE = 32 };

typedef struct Acknowledgement {
        char id[WARDSTONE_ALERT_ID_MAX], who[WARDSTONE_WHO_MAX], note[WARDSTONE_NOTE_MAX];
        char time[40]; /* as it was sent, for the mac */
        int64_t time_us;
        uint8_t mac[ACKNOWLEDGEMENT_MAC_SIZE];
} Acknowledgement;

/* -EBADMSG: id, who and time are without control characters after it, so that the mac's text has one meaning. */
int acknowledgement_parse(Bytes message, Acknowledgement *ret, Error *e) _must_check_;
/* In constant time. */
bool acknowledgement_verify(const Acknowledgement *a, const uint8_t key[static PERSON_KEY_SIZE]);
