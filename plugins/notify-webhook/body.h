/* What notify-webhook sends. Pure: time is an argument. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/macro.h"

enum { SIGNATURE_SIZE = 96 };

/* "t=<unix seconds>,v1=<hex>" with HMAC-SHA256(key, "<t>.<body>"): the time is signed, so that what was overheard can't
 * be played back later. */
void signature_make(const char *key, int64_t time_s, const char *body, char ret[static SIGNATURE_SIZE]);

/* May an operator add this header: RFC 9110 5.1 and 5.5, and none that the plugin or the connection sets. */
bool header_is_valid(const char *name, const char *value);

/* When Alertmanager is to take an alert for over that it hears nothing of any more. */
#define ALERTMANAGER_HOLD_US (300 * INT64_C(1000000))

/* Alerts as Alertmanager's v2 API takes them: a new array, or NULL where memory is out or one of them is none.
 *
 * Alertmanager knows an alert by its labels, so they must stay the same for its life. All but one come from what does
 * not change; the label (a bed) may: places, an object of alert id to label, remembers what was told first, and gets
 * what is new. now_us is Alertmanager's time, skew_us what it is ahead of the times in alerts. */
json_t *alertmanager_alerts(
                const json_t *alerts, const char *gateway, json_t *places, int64_t now_us, int64_t skew_us);
