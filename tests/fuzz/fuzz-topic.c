/* A filter, a pattern and a topic on a line each. Whatever they are: a device that comes out is a valid name, and a
 * pattern that the check refuses never gives one for a topic of its filter. */
#include <stdlib.h>
#include <string.h>

#include "ingest/topic.h"
#include "../fuzz/fuzz.h"

static char *take_line(const uint8_t **data, size_t *size) {
        const uint8_t *end = *size > 0 ? memchr(*data, '\n', *size) : NULL;
        size_t len = end ? (size_t) (end - *data) : *size;
        char *line = strndup((const char *) *data, len);

        *data += MIN(len + 1, *size);
        *size -= MIN(len + 1, *size);
        return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *filter = take_line(&data, &size);
        _cleanup_free_ char *pattern = take_line(&data, &size);
        _cleanup_free_ char *topic = take_line(&data, &size);
        char device[NAME_MAX_LENGTH];
        Error e;

        if (!filter || !pattern || !topic)
                return 0;
        bool good = topic_pattern_check(filter, pattern, &e) == 0;
        if (!topic_device(pattern, topic, device))
                return 0;
        if (!name_is_valid(device))
                abort();
        if (!good && topic_matches(filter, topic) && topic_pattern_check("#", pattern, &e) == 0)
                abort();
        return 0;
}
