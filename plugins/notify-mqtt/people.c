#include "people.h"

#include <errno.h>
#include <sodium.h>

#include "base/file.h"
#include "base/utf8.h"

typedef struct Person {
        char name[WARDSTONE_WHO_MAX];
        uint8_t key[PERSON_KEY_SIZE];
} Person;

struct People {
        size_t count;
        Person items[PEOPLE_MAX];
};

#define SPACE " \t\r"

const uint8_t *people_key(const People *p, const char *who) {
        for (size_t i = 0; i < p->count; i++)
                if (streq(p->items[i].name, who))
                        return p->items[i].key;
        return NULL;
}

/* line is cut in pieces. */
static int take_person(People *p, char *line, const char *path, unsigned number, Error *e) {
        char *rest, *name = strtok_r(line, SPACE, &rest);
        Person *person = &p->items[p->count];
        size_t n;

        if (!name || *name == '#')
                return 0;
        char *key = strtok_r(NULL, SPACE, &rest);
        unsigned column = (unsigned) (name - line) + 1;
        if (strlen(name) >= sizeof person->name || !utf8_is_valid(BYTES_STRING(name)))
                return error_at(e, -EINVAL, path, number, column, "expected a name of at most %zu bytes",
                                sizeof person->name - 1);
        if (people_key(p, name))
                return error_at(e, -EINVAL, path, number, column, "%s has a key already", name);
        if (p->count == PEOPLE_MAX)
                return error_at(e, -EINVAL, path, number, column, "more than %d people", PEOPLE_MAX);
        if (key)
                column = (unsigned) (key - line) + 1;
        /* not said what is there instead: it is a secret */
        if (!key ||
                        sodium_base642bin(person->key, sizeof person->key, key, strlen(key), NULL, &n, NULL,
                                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
                        n != sizeof person->key)
                return error_at(e, -EINVAL, path, number, column, "expected a key of %zu bytes in base64",
                                sizeof person->key);
        char *more = strtok_r(NULL, SPACE, &rest);
        if (more)
                return error_at(e, -EINVAL, path, number, (unsigned) (more - line) + 1,
                                "expected nothing after the key");
        memcpy(person->name, name, strlen(name) + 1);
        p->count++;
        return 0;
}

static int take_lines(People *p, char *text, const char *path, Error *e) {
        unsigned number = 0;
        int r = 0;

        for (char *line; r == 0 && (line = strsep(&text, "\n"));)
                r = take_person(p, line, path, ++number, e);
        return r;
}

int people_read(const char *path, People **ret, Error *e) {
        _cleanup_(people_freep) People *p = calloc(1, sizeof *p);
        char *text = NULL;
        size_t len;

        if (!p)
                return error_set(e, -ENOMEM, "out of memory");
        int r = file_read_secret(path, PEOPLE_FILE_MAX, &text, &len, e);
        if (r < 0)
                return r;
        r = take_lines(p, text, path, e);
        sodium_memzero(text, len);
        free(text);
        if (r == 0)
                *ret = TAKE(p);
        return r;
}

People *people_free(People *p) {
        if (p)
                sodium_memzero(p, sizeof *p);
        free(p);
        return NULL;
}
