/* Which device a topic speaks of.
 *
 * A device pattern is written like the filter that it belongs to, with {device} as one level or a part of one:
 * filter "ward/+/senml", pattern "ward/{device}/senml" or "ward/bed-{device}/senml". It may use + and # for levels
 * that don't matter. Pure. */
#pragma once

#include <stdbool.h>

#include "model/registry.h"

/* Says why filter is not an MQTT filter, why pattern is not a device pattern, or that no topic of the filter could ever
 * match the pattern: -EINVAL. */
int topic_pattern_check(const char *filter, const char *pattern, Error *e) _must_check_;

/* MQTT's own matching, # and + and $ included. */
bool topic_matches(const char *filter, const char *topic);

/* The device's id out of a topic. False where the topic has another shape or the id is not name_is_valid(). */
bool topic_device(const char *pattern, const char *topic, char ret[static NAME_MAX_LENGTH]);
