#include "worker/said.h"

#include "base/macro.h"
#include "wardstone/plugin.h"

/* JSON's texts are UTF-8 without NUL already. */
static bool is_text(const json_t *text, size_t min, size_t size) {
        const char *p = json_string_value(text);
        size_t len = json_string_length(text);

        if (!p || len < min || len >= size)
                return false;
        for (size_t i = 0; i < len; i++)
                if ((unsigned char) p[i] < ' ' || p[i] == 0x7f)
                        return false;
        return true;
}

bool said_is_valid(const json_t *said) {
        const char *op = json_string_value(json_object_get(said, "op"));

        return op && streq(op, "acknowledge") &&
               is_text(json_object_get(said, "alert"), 1, WARDSTONE_ALERT_ID_MAX) &&
               is_text(json_object_get(said, "who"), 1, WARDSTONE_WHO_MAX) &&
               is_text(json_object_get(said, "note"), 0, WARDSTONE_NOTE_MAX);
}
