#include "store/store.h"

#include <errno.h>
#include <leveldb/c.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
        KEY_BYTES = 8 + 1 + 4,
        WRITE_BUFFER = 1024 * 1024,
        CACHE = 1024 * 1024,
        OPEN_FILES = 64,
        DIARY_MAX = 1024 * 1024,
};

struct Store {
        char path[PATH_MAX];
        leveldb_t *db;
        leveldb_cache_t *cache;
        leveldb_options_t *options;
        leveldb_readoptions_t *read;
        leveldb_writeoptions_t *write, *write_sync;
        _Atomic uint64_t reads;
};

struct StoreBatch {
        leveldb_writebatch_t *changes;
};

struct StoreCursor {
        Store *store;
        leveldb_iterator_t *it;
};

/* Big-endian, so that LevelDB's bytewise order is the log's order. */
static void key_encode(StoreKey k, char ret[static KEY_BYTES]) {
        uint8_t *p = (uint8_t *) ret;

        be64_write(p, k.index);
        p[8] = k.kind;
        be32_write(p + 9, k.ordinal);
}

/* --- errors: LevelDB tells the class of an error by the words in front of its text, the system's own reason by those
 * at the end --- */

static bool endswith(const char *s, const char *suffix) {
        size_t n = strlen(s), m = strlen(suffix);
        return n >= m && streq(s + n - m, suffix);
}

static int error_class(const char *text) {
        static const int reasons[] = { ENOSPC, EDQUOT, EROFS, EACCES, EPERM, EMFILE, ENOMEM, EFBIG };

        if (startswith(text, "IO error: lock "))
                return -EBUSY;
        /* A file that the database names and that isn't there is damage, too. */
        if (startswith(text, "Corruption") || startswith(text, "NotFound") ||
                        endswith(text, strerror(ENOENT)))
                return -EBADMSG;
        for (size_t i = 0; i < ELEMENTS(reasons); i++)
                if (endswith(text, strerror(reasons[i])))
                        return -reasons[i];
        return -EIO;
}

/* Takes the text. */
static int fail(const char *path, char *text, Error *e) {
        int r = error_set(e, error_class(text), "%s: %s", path, text);

        leveldb_free(text);
        return r;
}

/* --- opening --- */

static int options_new(Store *s, bool create) {
        s->options = leveldb_options_create();
        s->cache = leveldb_cache_create_lru(CACHE);
        s->read = leveldb_readoptions_create();
        s->write = leveldb_writeoptions_create();
        s->write_sync = leveldb_writeoptions_create();
        if (!s->options || !s->cache || !s->read || !s->write || !s->write_sync)
                return -ENOMEM;
        leveldb_options_set_create_if_missing(s->options, create);
        leveldb_options_set_paranoid_checks(s->options, true);
        leveldb_options_set_write_buffer_size(s->options, WRITE_BUFFER);
        leveldb_options_set_max_open_files(s->options, OPEN_FILES);
        leveldb_options_set_cache(s->options, s->cache);
        /* Ciphertext and hashes don't get smaller. */
        leveldb_options_set_compression(s->options, leveldb_no_compression);
        leveldb_readoptions_set_verify_checksums(s->read, true);
        leveldb_writeoptions_set_sync(s->write_sync, true);
        return 0;
}

static int store_new(const char *path, bool create, Store **ret, Error *e) {
        _cleanup_(store_freep) Store *s = calloc(1, sizeof *s);

        if (!s || options_new(s, create) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        int n = snprintf(s->path, sizeof s->path, "%s", path);
        if (n < 0 || (size_t) n >= sizeof s->path)
                return error_set(e, -ENAMETOOLONG, "%s: path too long", path);
        *ret = TAKE(s);
        return 0;
}

/* LevelDB would make the folder, readable for all, even where it may not make a database. */
static int prepare_folder(const char *path, bool create, Error *e) {
        char current[PATH_MAX];

        if (create)
                return dir_make(path, 0700, e);
        int n = snprintf(current, sizeof current, "%s/CURRENT", path);
        if (n < 0 || (size_t) n >= sizeof current)
                return error_set(e, -ENAMETOOLONG, "%s: path too long", path);
        if (access(current, F_OK) == 0)
                return 0;
        if (errno == ENOENT)
                return error_set(e, -ENOENT, "%s: no database here", path);
        return error_set(e, -errno, "%s: %s", path, strerror(errno));
}

int store_open(const char *path, bool create, Store **ret, Error *e) {
        _cleanup_(store_freep) Store *s = NULL;
        char *text = NULL;

        int r = prepare_folder(path, create, e);
        if (r < 0)
                return r;
        r = store_new(path, create, &s, e);
        if (r < 0)
                return r;
        s->db = leveldb_open(s->options, path, &text);
        if (text)
                return fail(path, text, e);
        *ret = TAKE(s);
        return 0;
}

Store *store_free(Store *s) {
        if (!s)
                return NULL;
        if (s->db)
                leveldb_close(s->db);
        if (s->write_sync)
                leveldb_writeoptions_destroy(s->write_sync);
        if (s->write)
                leveldb_writeoptions_destroy(s->write);
        if (s->read)
                leveldb_readoptions_destroy(s->read);
        if (s->options)
                leveldb_options_destroy(s->options);
        if (s->cache)
                leveldb_cache_destroy(s->cache);
        free(s);
        return NULL;
}

int store_repair(const char *path, Error *e) {
        _cleanup_(store_freep) Store *s = NULL;
        char *text = NULL;

        int r = store_new(path, false, &s, e);
        if (r < 0)
                return r;
        leveldb_repair_db(s->options, path, &text);
        return text ? fail(path, text, e) : 0;
}

/* --- reading and upkeep --- */

int store_get(Store *s, StoreKey key, uint8_t **ret_data, size_t *ret_len, Error *e) {
        char k[KEY_BYTES], *text = NULL;
        size_t len;

        key_encode(key, k);
        s->reads++;
        char *data = leveldb_get(s->db, s->read, k, sizeof k, &len, &text);
        if (text)
                return fail(s->path, text, e);
        if (!data)
                return error_set(e, -ENOENT, "%s: no record of kind %u at %llu", s->path, key.kind,
                                (unsigned long long) key.index);
        *ret_data = (uint8_t *) data;
        *ret_len = len;
        return 0;
}

uint64_t store_size(Store *s, StoreKey from, StoreKey to) {
        char a[KEY_BYTES], b[KEY_BYTES];
        const char *start = a, *limit = b;
        const size_t len = KEY_BYTES;
        uint64_t size = 0;

        key_encode(from, a);
        key_encode(to, b);
        leveldb_approximate_sizes(s->db, 1, &start, &len, &limit, &len, &size);
        return size;
}

void store_compact(Store *s, StoreKey from, StoreKey to) {
        char a[KEY_BYTES], b[KEY_BYTES];

        key_encode(from, a);
        key_encode(to, b);
        leveldb_compact_range(s->db, a, sizeof a, b, sizeof b);
}

void store_trim_diary(const Store *s) {
        char path[PATH_MAX + 4];
        struct stat st;

        (void) snprintf(path, sizeof path, "%s/LOG", s->path);
        /* LevelDB appends to it, so cutting it off under way does no harm; nor does failing to. */
        if (stat(path, &st) == 0 && st.st_size > DIARY_MAX)
                (void) !truncate(path, 0);
}

uint64_t store_reads(const Store *s) {
        return s->reads;
}

/* --- batches --- */

int store_batch_new(StoreBatch **ret) {
        _cleanup_(store_batch_freep) StoreBatch *b = calloc(1, sizeof *b);

        if (!b)
                return -ENOMEM;
        b->changes = leveldb_writebatch_create();
        if (!b->changes)
                return -ENOMEM;
        *ret = TAKE(b);
        return 0;
}

StoreBatch *store_batch_free(StoreBatch *b) {
        if (!b)
                return NULL;
        if (b->changes)
                leveldb_writebatch_destroy(b->changes);
        free(b);
        return NULL;
}

void store_batch_put(StoreBatch *b, StoreKey key, Bytes value) {
        char k[KEY_BYTES];

        key_encode(key, k);
        leveldb_writebatch_put(b->changes, k, sizeof k, (const char *) value.data, value.len);
}

void store_batch_delete(StoreBatch *b, StoreKey key) {
        char k[KEY_BYTES];

        key_encode(key, k);
        leveldb_writebatch_delete(b->changes, k, sizeof k);
}

void store_batch_clear(StoreBatch *b) {
        leveldb_writebatch_clear(b->changes);
}

int store_write(Store *s, const StoreBatch *b, bool sync, Error *e) {
        char *text = NULL;

        leveldb_write(s->db, sync ? s->write_sync : s->write, b->changes, &text);
        return text ? fail(s->path, text, e) : 0;
}

/* --- cursors --- */

int store_cursor_new(Store *s, StoreCursor **ret) {
        _cleanup_(store_cursor_freep) StoreCursor *c = calloc(1, sizeof *c);

        if (!c)
                return -ENOMEM;
        c->store = s;
        c->it = leveldb_create_iterator(s->db, s->read);
        if (!c->it)
                return -ENOMEM;
        *ret = TAKE(c);
        return 0;
}

StoreCursor *store_cursor_free(StoreCursor *c) {
        if (!c)
                return NULL;
        if (c->it)
                leveldb_iter_destroy(c->it);
        free(c);
        return NULL;
}

static int arrived(StoreCursor *c, Error *e) {
        char *text = NULL;
        size_t len;

        c->store->reads++;
        /* A damaged block doesn't end the iteration, it is passed over: so ask even on a record. */
        leveldb_iter_get_error(c->it, &text);
        if (text)
                return fail(c->store->path, text, e);
        if (!leveldb_iter_valid(c->it))
                return 0;
        (void) leveldb_iter_key(c->it, &len);
        if (len != KEY_BYTES)
                return error_set(e, -EBADMSG, "%s: a key of %zu bytes", c->store->path, len);
        return 1;
}

int store_cursor_seek(StoreCursor *c, StoreKey key, Error *e) {
        char k[KEY_BYTES];

        key_encode(key, k);
        leveldb_iter_seek(c->it, k, sizeof k);
        return arrived(c, e);
}

int store_cursor_before(StoreCursor *c, StoreKey key, Error *e) {
        int r = store_cursor_seek(c, key, e);
        if (r < 0)
                return r;
        return r > 0 ? store_cursor_previous(c, e) : store_cursor_last(c, e);
}

int store_cursor_last(StoreCursor *c, Error *e) {
        leveldb_iter_seek_to_last(c->it);
        return arrived(c, e);
}

int store_cursor_next(StoreCursor *c, Error *e) {
        leveldb_iter_next(c->it);
        return arrived(c, e);
}

int store_cursor_previous(StoreCursor *c, Error *e) {
        leveldb_iter_prev(c->it);
        return arrived(c, e);
}

StoreKey store_cursor_key(const StoreCursor *c) {
        size_t len;
        const uint8_t *k = (const uint8_t *) leveldb_iter_key(c->it, &len);

        return (StoreKey){ .index = be64_read(k), .kind = k[8], .ordinal = be32_read(k + 9) };
}

Bytes store_cursor_value(const StoreCursor *c) {
        size_t len;
        const char *v = leveldb_iter_value(c->it, &len);

        return BYTES(v, len);
}
