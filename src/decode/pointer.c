#include "decode/pointer.h"

#include <errno.h>

/* Undoes ~0 and ~1 in place (RFC 6901 4). */
static int unescape(char *key) {
        char *to = key;

        for (const char *from = key; *from; from++, to++) {
                *to = *from;
                if (*from != '~')
                        continue;
                from++;
                if (*from != '0' && *from != '1')
                        return -EINVAL;
                *to = *from == '0' ? '~' : '/';
        }
        *to = '\0';
        return 0;
}

/* Digits without leading zeros (RFC 6901 4). */
static size_t parse_index(const char *key) {
        size_t len = strspn(key, "0123456789");

        if (len == 0 || len > 9 || key[len] != '\0' || (len > 1 && key[0] == '0'))
                return SIZE_MAX;
        return (size_t) strtoul(key, NULL, 10);
}

int json_pointer_parse(const char *text, JsonPointer *ret, Error *e) {
        JsonPointer p = { 0 };

        if (text[0] != '\0' && text[0] != '/')
                return error_set(e, -EINVAL, "pointer: '%s': expected '' or a text that begins with '/'",
                                text);
        _cleanup_free_ char *copy = strdup(text);
        if (!copy)
                return error_set(e, -ENOMEM, "out of memory");
        char *rest = copy;
        (void) strsep(&rest, "/"); /* what is before the first '/': nothing */
        while (rest) {
                char *key = strsep(&rest, "/");
                if (p.count == POINTER_STEPS_MAX)
                        return error_set(e, -EINVAL, "pointer: '%s': more than %d steps", text,
                                        POINTER_STEPS_MAX);
                if (unescape(key) < 0)
                        return error_set(e, -EINVAL, "pointer: '%s': after '~' expected 0 or 1", text);
                p.steps[p.count].key = key;
                p.steps[p.count++].index = parse_index(key);
        }
        p.text = TAKE(copy);
        *ret = p;
        return 0;
}

void json_pointer_done(JsonPointer *p) {
        free(p->text);
        *p = (JsonPointer){ 0 };
}

const json_t *json_pointer_find(const JsonPointer *p, const json_t *root) {
        const json_t *at = root;

        for (size_t i = 0; i < p->count && at; i++)
                if (json_is_array(at))
                        at = json_array_get(at, p->steps[i].index);
                else
                        at = json_object_get(at, p->steps[i].key);
        return at;
}
