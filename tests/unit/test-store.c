/* The store: ordered by position, whole batches, honest about damage. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "store/pack.h"
#include "store/store.h"

static char folder[64], path[96];
static Error error;

static int make_folder(void **state) {
        (void) snprintf(folder, sizeof folder, "/tmp/test-store.XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        (void) snprintf(path, sizeof path, "%s/db", folder);
        return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *at) {
        return remove(name);
}

static int remove_folder(void **state) {
        return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static Store *open_store(bool create) {
        Store *s = NULL;

        if (store_open(path, create, &s, &error) < 0)
                fail_msg("%s", error.message);
        return s;
}

static void put(Store *s, StoreKey key, const char *value) {
        _cleanup_(store_batch_freep) StoreBatch *b = NULL;

        assert_int_equal(store_batch_new(&b), 0);
        store_batch_put(b, key, BYTES_STRING(value));
        assert_int_equal(store_write(s, b, true, &error), 0);
}

static void what_was_put_is_there_after_opening_again(void **state) {
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_free_ uint8_t *data = NULL;
        size_t len;

        assert_int_equal(store_open(path, false, &s, &error), -ENOENT);
        assert_int_equal(access(path, F_OK), -1);
        s = open_store(true);
        put(s, (StoreKey){ .index = 5, .kind = RECORD_KEPT }, "five");
        s = store_free(s);
        s = open_store(false);
        assert_int_equal(
                        store_get(s, (StoreKey){ .index = 5, .kind = RECORD_KEPT }, &data, &len, &error), 0);
        assert_true(bytes_equal(BYTES(data, len), BYTES_STRING("five")));
        assert_int_equal(store_get(s, (StoreKey){ .index = 5 }, &data, &len, &error), -ENOENT);
        assert_int_equal(store_get(s, (StoreKey){ .index = 6, .kind = RECORD_KEPT }, &data, &len, &error),
                        -ENOENT);
}

static void a_batch_is_put_and_deleted_as_one(void **state) {
        _cleanup_(store_freep) Store *s = open_store(true);
        _cleanup_(store_batch_freep) StoreBatch *b = NULL;
        _cleanup_free_ uint8_t *data = NULL;
        size_t len;

        put(s, (StoreKey){ .index = 1 }, "old");
        assert_int_equal(store_batch_new(&b), 0);
        store_batch_delete(b, (StoreKey){ .index = 1 });
        store_batch_put(b, (StoreKey){ .index = 2 }, BYTES_STRING("new"));
        assert_int_equal(store_write(s, b, false, &error), 0);
        assert_int_equal(store_get(s, (StoreKey){ .index = 1 }, &data, &len, &error), -ENOENT);
        assert_int_equal(store_get(s, (StoreKey){ .index = 2 }, &data, &len, &error), 0);
        store_batch_clear(b);
        put(s, (StoreKey){ .index = 1 }, "again");
        assert_int_equal(store_write(s, b, false, &error), 0);
        free(data);
        assert_int_equal(store_get(s, (StoreKey){ .index = 1 }, &data, &len, &error), 0);
}

static void cursors_go_by_index_then_kind_then_ordinal(void **state) {
        static const StoreKey ordered[] = { { 0, RECORD_META, 0 }, { 1, RECORD_ENTRIES, 0 },
                { 1, RECORD_BLOCK, 0 }, { 1, RECORD_CHANGES, 0 }, { 1, RECORD_CHANGES, 1 },
                { 1, RECORD_CHANGES, 256 }, { 2, RECORD_ENTRIES, 0 }, { 255, RECORD_TILE, 0 },
                { 256, RECORD_ENTRIES, 0 }, { UINT64_MAX, RECORD_META, 0 } };
        _cleanup_(store_freep) Store *s = open_store(true);
        _cleanup_(store_cursor_freep) StoreCursor *c = NULL;
        size_t n = 0;

        for (size_t i = ELEMENTS(ordered); i-- > 0;)
                put(s, ordered[i], "x");
        assert_int_equal(store_cursor_new(s, &c), 0);
        for (int r = store_cursor_seek(c, (StoreKey){ 0 }, &error); r > 0;
                        r = store_cursor_next(c, &error), n++) {
                StoreKey k = store_cursor_key(c);
                assert_int_equal(k.index, ordered[n].index);
                assert_int_equal(k.kind, ordered[n].kind);
                assert_int_equal(k.ordinal, ordered[n].ordinal);
        }
        assert_int_equal(n, ELEMENTS(ordered));
        assert_int_equal(store_cursor_before(c, (StoreKey){ .index = 255 }, &error), 1);
        assert_int_equal(store_cursor_key(c).index, 2);
        assert_int_equal(store_cursor_before(c, (StoreKey){ .index = UINT64_MAX, .kind = 255 }, &error), 1);
        assert_int_equal(store_cursor_key(c).index, UINT64_MAX);
        assert_int_equal(store_cursor_before(c, (StoreKey){ 0 }, &error), 0);
}

static void one_process_at_a_time(void **state) {
        _cleanup_(store_freep) _unused_ Store *s = open_store(true);
        Store *other = NULL;

        assert_int_equal(store_open(path, false, &other, &error), -EBUSY);
}

static void damage_is_told_from_absence(void **state) {
        _cleanup_(store_freep) Store *s = open_store(true);
        char name[128];

        put(s, (StoreKey){ .index = 1 }, "x");
        store_free(TAKE(s));
        (void) snprintf(name, sizeof name, "%s/CURRENT", path);
        FILE *f = fopen(name, "we");
        assert_non_null(f);
        assert_true(fputs("MANIFEST-999999\n", f) >= 0);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(store_open(path, false, &s, &error), -EBADMSG);
        assert_int_equal(store_repair(path, &error), 0);
        s = open_store(false);
        _cleanup_free_ uint8_t *data = NULL;
        size_t len;
        assert_int_equal(store_get(s, (StoreKey){ .index = 1 }, &data, &len, &error), 0);
}

static void an_error_says_why(void **state) {
        _cleanup_(store_freep) Store *s = NULL;

        assert_int_equal(store_open("/proc/no-such-place", true, &s, &error) < 0, 1);
        assert_non_null(strstr(error.message, "/proc/no-such-place"));
}

/* --- packed records --- */

static void numbers_and_bytes_come_back(void **state) {
        static const uint64_t numbers[] = { 0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX >> 1, UINT64_MAX };
        static const int64_t signs[] = { 0, -1, 1, -64, 64, INT64_MIN, INT64_MAX };
        Pack p = { 0 };

        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                pack_uint(&p, numbers[i]);
        for (size_t i = 0; i < ELEMENTS(signs); i++)
                pack_int(&p, signs[i]);
        pack_counted(&p, BYTES_STRING("hello"));
        pack_counted(&p, BYTES(NULL, 0));
        assert_false(p.failed);
        Unpack u = unpack(pack_bytes(&p));
        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                assert_true(unpack_uint(&u) == numbers[i]);
        for (size_t i = 0; i < ELEMENTS(signs); i++)
                assert_true(unpack_int(&u) == signs[i]);
        assert_true(bytes_equal(unpack_counted(&u), BYTES_STRING("hello")));
        assert_int_equal(unpack_counted(&u).len, 0);
        assert_int_equal(u.len, 0);
        assert_false(u.failed);
        pack_done(&p);
}

static void malformed_records_fail_and_stay_failed(void **state) {
        static const uint8_t endless[] = { 0x80, 0x80 },
                             large[] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 2 };
        static const uint8_t counted[] = { 5, 'a', 'b' }, good[] = { 1 };

        Unpack u = unpack(BYTES(endless, sizeof endless));
        assert_int_equal(unpack_uint(&u), 0);
        assert_true(u.failed);
        u = unpack(BYTES(large, sizeof large));
        assert_int_equal(unpack_uint(&u), 0);
        assert_true(u.failed);
        u = unpack(BYTES(counted, sizeof counted));
        assert_int_equal(unpack_counted(&u).len, 0);
        assert_true(u.failed);
        u.data = good;
        u.len = sizeof good;
        assert_int_equal(unpack_uint(&u), 0);
        assert_true(u.failed);
}

int main(void) {
#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, make_folder, remove_folder)
        const struct CMUnitTest tests[] = {
                STORE_TEST(what_was_put_is_there_after_opening_again),
                STORE_TEST(a_batch_is_put_and_deleted_as_one),
                STORE_TEST(cursors_go_by_index_then_kind_then_ordinal),
                STORE_TEST(one_process_at_a_time),
                STORE_TEST(damage_is_told_from_absence),
                STORE_TEST(an_error_says_why),
                cmocka_unit_test(numbers_and_bytes_come_back),
                cmocka_unit_test(malformed_records_fail_and_stay_failed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
