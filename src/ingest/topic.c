#include <errno.h>
#include <mosquitto.h>

#include "ingest/topic.h"

static const char marker[] = "{device}";

/* What stands between two slashes. */
typedef struct Level {
        const char *text;
        size_t len;
} Level;

/* Cuts the first level off *rest, which becomes NULL after the last one. */
static Level level_take(const char **rest) {
        const char *end = strchrnul(*rest, '/');
        Level l = { *rest, (size_t) (end - *rest) };

        *rest = *end ? end + 1 : NULL;
        return l;
}

static bool level_is(Level l, const char *text) {
        return bytes_equal(BYTES(l.text, l.len), BYTES_STRING(text));
}

/* The part of a topic's level that stands for {device} in the pattern's, copied to ret. */
static bool level_device(Level pattern, const char *at, Level topic, char ret[static NAME_MAX_LENGTH]) {
        char device[NAME_MAX_LENGTH];
        size_t before = (size_t) (at - pattern.text), after = pattern.len - before - strlen(marker);

        if (topic.len <= before + after || topic.len - before - after >= sizeof device)
                return false;
        if (memcmp(topic.text, pattern.text, before) != 0 ||
                        memcmp(topic.text + topic.len - after, at + strlen(marker), after) != 0)
                return false;
        size_t len = topic.len - before - after;
        memcpy(device, topic.text + before, len);
        device[len] = '\0';
        if (!name_is_valid(device))
                return false;
        memcpy(ret, device, len + 1);
        return true;
}

static bool level_matches(Level pattern, Level topic, char ret[static NAME_MAX_LENGTH]) {
        const char *at = memmem(pattern.text, pattern.len, marker, strlen(marker));

        if (at)
                return level_device(pattern, at, topic, ret);
        return level_is(pattern, "+") ||
               bytes_equal(BYTES(pattern.text, pattern.len), BYTES(topic.text, topic.len));
}

/* What may be left where the other side has ended: nothing, or a # (which includes the level above it). */
static bool rest_is_empty(const char *rest) {
        return !rest || streq(rest, "#");
}

bool topic_device(const char *pattern, const char *topic, char ret[static NAME_MAX_LENGTH]) {
        char device[NAME_MAX_LENGTH] = "";

        /* Without wildcards the whole pattern is one level: no slash is part of a device's name. */
        if (!strpbrk(pattern, "+#")) {
                const char *at = strstr(pattern, marker);
                return at && level_device((Level){ pattern, strlen(pattern) }, at,
                                             (Level){ topic, strlen(topic) }, ret);
        }
        while (pattern && topic) {
                Level p = level_take(&pattern);
                if (level_is(p, "#")) {
                        topic = NULL;
                        break;
                }
                if (!level_matches(p, level_take(&topic), device))
                        return false;
        }
        if (topic || !rest_is_empty(pattern) || device[0] == '\0')
                return false;
        memcpy(ret, device, sizeof device);
        return true;
}

bool topic_matches(const char *filter, const char *topic) {
        bool matches = false;

        return mosquitto_topic_matches_sub(filter, topic, &matches) == MOSQ_ERR_SUCCESS && matches;
}

/* Whether a topic can exist that matches both. A literal level of the filter is what every topic has there. */
static bool can_match(const char *filter, const char *pattern) {
        char device[NAME_MAX_LENGTH];

        while (filter && pattern) {
                Level f = level_take(&filter), p = level_take(&pattern);
                if (level_is(f, "#") || level_is(p, "#"))
                        return true;
                if (!level_is(f, "+") && !level_matches(p, f, device))
                        return false;
        }
        return rest_is_empty(filter) && rest_is_empty(pattern);
}

int topic_pattern_check(const char *filter, const char *pattern, Error *e) {
        if (filter[0] == '\0' || mosquitto_sub_topic_check(filter) != MOSQ_ERR_SUCCESS)
                return error_set(e, -EINVAL,
                                "'%.80s' is not an MQTT topic filter: + and # stand for whole levels, # "
                                "only "
                                "for the last",
                                filter);
        const char *first = strstr(pattern, marker);
        if (!first || strstr(first + 1, marker))
                return error_set(e, -EINVAL, "'%.80s': expected %s exactly once", pattern, marker);
        if (mosquitto_sub_topic_check(pattern) != MOSQ_ERR_SUCCESS)
                return error_set(e, -EINVAL, "'%.80s': + and # stand for whole levels, # only for the last",
                                pattern);
        if (!can_match(filter, pattern))
                return error_set(e, -EINVAL, "'%.80s' can never match a topic of the filter '%.80s'",
                                pattern, filter);
        return 0;
}
