/* Small words that every file uses: ownership, bytes, bounds. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _must_check_   __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))

/* Hands ownership out of a _cleanup_ variable. */
#define TAKE(p)                                                                                             \
        ({                                                                                                  \
                typeof(p) _taken = (p);                                                                     \
                (p) = NULL;                                                                                 \
                _taken;                                                                                     \
        })

/* Defines x_freep() for _cleanup_ from x_free(). */
#define DEFINE_CLEANUP(type, func)                                                                          \
        static inline void func##p(type *p) {                                                               \
                if (*p)                                                                                     \
                        func(*p);                                                                           \
        }                                                                                                   \
        struct _semicolon_##func

#define ELEMENTS(a)                     (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *) ((char *) (ptr) -offsetof(type, member)))

#define MIN(a, b)                                                                                           \
        ({                                                                                                  \
                typeof(a) _min_a = (a);                                                                     \
                typeof(b) _min_b = (b);                                                                     \
                _min_a < _min_b ? _min_a : _min_b;                                                          \
        })
#define MAX(a, b)                                                                                           \
        ({                                                                                                  \
                typeof(a) _max_a = (a);                                                                     \
                typeof(b) _max_b = (b);                                                                     \
                _max_a > _max_b ? _max_a : _max_b;                                                          \
        })

/* A borrowed run of bytes: whoever passes it keeps it alive for the call. */
typedef struct Bytes {
        const uint8_t *data;
        size_t len;
} Bytes;

#define BYTES(p, n)     ((Bytes){ (const uint8_t *) (p), (n) })
#define BYTES_STRING(s) BYTES((s), strlen(s))

static inline int bytes_equal(Bytes a, Bytes b) {
        return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline int streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

static inline int startswith(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

static inline void freep(void *p) {
        free(*(void **) p);
}
#define _cleanup_free_ _cleanup_(freep)

static inline void be16_write(uint8_t *p, uint16_t v) {
        p[0] = (uint8_t) (v >> 8);
        p[1] = (uint8_t) v;
}

static inline void be32_write(uint8_t *p, uint32_t v) {
        be16_write(p, (uint16_t) (v >> 16));
        be16_write(p + 2, (uint16_t) v);
}

static inline void be64_write(uint8_t *p, uint64_t v) {
        be32_write(p, (uint32_t) (v >> 32));
        be32_write(p + 4, (uint32_t) v);
}

static inline uint16_t be16_read(const uint8_t *p) {
        return (uint16_t) ((unsigned) p[0] << 8 | p[1]);
}

static inline uint32_t be32_read(const uint8_t *p) {
        return (uint32_t) be16_read(p) << 16 | be16_read(p + 2);
}

static inline uint64_t be64_read(const uint8_t *p) {
        return (uint64_t) be32_read(p) << 32 | be32_read(p + 4);
}
