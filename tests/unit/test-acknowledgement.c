/* Acknowledgements over a channel: who may make them, what their mac covers, and that each counts once. */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "board.h"
#include "desk.h"

#define NOON  INT64_C(1795176000000000)
#define KEY_A "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

typedef struct Fixture {
        struct wardstone_host host;
        char folder[64], path[96];
        Desk *desk;
        Stamp now;
        unsigned said, lines;
        char alert[64], who[64], note[256], line[512];
        int result; /* of the host's acknowledge() */
} Fixture;

static int host_acknowledge(
                const struct wardstone_host *host, const char *alert, const char *who, const char *note) {
        Fixture *f = host->context;

        if (f->result != WARDSTONE_OK)
                return f->result;
        f->said++;
        (void) snprintf(f->alert, sizeof f->alert, "%s", alert);
        (void) snprintf(f->who, sizeof f->who, "%s", who);
        (void) snprintf(f->note, sizeof f->note, "%s", note ? note : "(none)");
        return WARDSTONE_OK;
}

static _printf_(3, 4) void host_log(
                const struct wardstone_host *host, enum wardstone_level level, const char *format, ...) {
        Fixture *f = host->context;
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(f->line, sizeof f->line, format, ap);
        va_end(ap);
        f->lines++;
}

static void write_keys(const Fixture *f, const char *text, mode_t mode) {
        assert_int_equal(file_replace(f->path, BYTES_STRING(text), mode, NULL), 0);
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof *f);

        if (!f)
                return -1;
        *state = f;
        f->host = (struct wardstone_host){ .log = host_log, .acknowledge = host_acknowledge, .context = f };
        (void) snprintf(f->folder, sizeof f->folder, "/tmp/test-acknowledgement-XXXXXX");
        if (!mkdtemp(f->folder))
                return -1;
        (void) snprintf(f->path, sizeof f->path, "%s/keys", f->folder);
        write_keys(f, "# the ward\nanna " KEY_A "\n\nbert\t" KEY_B " \n", 0600);
        f->now = (Stamp){ .wall_us = NOON - 600 * USEC_PER_SEC, .mono_us = 60 * USEC_PER_SEC };
        int r = desk_new(&f->host, f->path, &f->now, &f->desk, NULL);
        f->now.wall_us += 600 * USEC_PER_SEC;
        f->now.mono_us += 600 * USEC_PER_SEC;
        return r;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        desk_free(f->desk);
        (void) unlink(f->path);
        (void) rmdir(f->folder);
        free(f);
        return 0;
}

/* As another program would make it. */
static void seal(const char *key, const char *id, const char *who, const char *time, const char *note,
                char *ret, size_t size) {
        uint8_t k[32], mac[32];
        char text[1024], hex[65], members[512] = "";
        size_t n;

        assert_int_equal(sodium_base642bin(k, sizeof k, key, strlen(key), NULL, &n, NULL,
                                         sodium_base64_VARIANT_ORIGINAL),
                        0);
        (void) snprintf(text, sizeof text, "%s\n%s\n%s\n%s", id, who, time, note ? note : "");
        (void) crypto_auth_hmacsha256(mac, (const uint8_t *) text, strlen(text), k);
        if (note)
                (void) snprintf(members, sizeof members, ",\"note\":\"%s\"", note);
        (void) snprintf(ret, size, "{\"id\":\"%s\",\"who\":\"%s\",\"time\":\"%s\",\"mac\":\"%s\"%s}", id,
                        who, time, sodium_bin2hex(hex, sizeof hex, mac, sizeof mac), members);
}

static void take(Fixture *f, const char *message) {
        desk_take(f->desk, BYTES_STRING(message), &f->now);
}

/* By anna or bert, as they should be, at a time that many seconds from now. */
static void take_at(Fixture *f, const char *id, const char *who, int64_t seconds) {
        char message[1024], time[CLOCK_TEXT_SIZE];

        clock_format(f->now.wall_us + seconds * USEC_PER_SEC, time);
        seal(streq(who, "anna") ? KEY_A : KEY_B, id, who, time, NULL, message, sizeof message);
        take(f, message);
}

static void pass(Fixture *f, int64_t seconds) {
        f->now.wall_us += seconds * USEC_PER_SEC;
        f->now.mono_us += seconds * USEC_PER_SEC;
}

/* The newest message was refused, and the log says why. */
static void assert_refused(Fixture *f, uint64_t count, const char *reason) {
        assert_int_equal(f->said, 0);
        assert_int_equal(desk_refused(f->desk), count);
        if (!strstr(f->line, reason))
                fail_msg("expected '%s', got '%s'", reason, f->line);
        pass(f, 11);
}

static void a_good_one_is_said_with_its_name_and_note(void **state) {
        Fixture *f = *state;
        char message[1024], time[CLOCK_TEXT_SIZE];

        clock_format(f->now.wall_us, time);
        seal(KEY_A, "a1b2-7", "anna", time, "on my way", message, sizeof message);
        take(f, message);
        assert_int_equal(f->said, 1);
        assert_string_equal(f->alert, "a1b2-7");
        assert_string_equal(f->who, "anna");
        assert_string_equal(f->note, "on my way");
        take_at(f, "a1b2-7", "bert", 0);
        assert_int_equal(f->said, 2);
        assert_string_equal(f->note, "(none)");
        assert_int_equal(desk_refused(f->desk), 0);
        assert_int_equal(f->lines, 0);
}

/* HMAC-SHA256 as RFC 4231 and every library have it: made with another program. */
static void the_mac_is_hmac_sha256_over_four_lines(void **state) {
        static const char message[] =
                        "{\"id\":\"a1b2-7\",\"who\":\"anna\",\"note\":\"on my "
                        "way\",\"time\":\"2026-11-21T08:15:30.123Z\","
                        "\"mac\":\"6d31a2927660a61bad8a626d926f09a18ce1c74144b2e26083f78593dd9f6a79\"}";
        static const uint8_t key[PERSON_KEY_SIZE] = { 1 }, other[PERSON_KEY_SIZE] = { 2 };
        Acknowledgement a;
        Error e = { "" };

        assert_int_equal(acknowledgement_parse(BYTES_STRING(message), &a, &e), 0);
        assert_int_equal(a.time_us, INT64_C(1795248930123000));
        assert_true(acknowledgement_verify(&a, key));
        assert_false(acknowledgement_verify(&a, other));
}

static void every_member_is_covered_by_the_mac(void **state) {
        static const char *const changes[][2] = { { "a1", "a2" }, { "anna", "bert" },
                { "\"note\":\"hm", "\"note\":\"ho" }, { ".000Z", ".001Z" },
                { "\"mac\":\"", "\"mac\":\"0" } };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                char message[1024], forged[1024], time[CLOCK_TEXT_SIZE];
                clock_format(f->now.wall_us, time);
                seal(KEY_A, "a1", "anna", time, "hm", message, sizeof message);
                char *at = strstr(message, changes[i][0]);
                assert_non_null(at);
                (void) snprintf(forged, sizeof forged, "%.*s%s%s", (int) (at - message), message,
                                changes[i][1], at + strlen(changes[i][0]));
                take(f, forged);
                assert_refused(f, i + 1, i == 4 ? "mac: " : "not made with the key of");
        }
}

static void an_unknown_person_is_refused(void **state) {
        Fixture *f = *state;
        char message[1024], time[CLOCK_TEXT_SIZE];

        clock_format(f->now.wall_us, time);
        seal(KEY_A, "a1", "carl", time, NULL, message, sizeof message);
        take(f, message);
        assert_refused(f, 1, "carl is not in ");
}

static void what_is_too_old_or_too_new_is_refused(void **state) {
        Fixture *f = *state;

        take_at(f, "a1", "anna", -121);
        assert_refused(f, 1, "not made within the last two minutes");
        take_at(f, "a1", "anna", 121);
        assert_refused(f, 2, "not made within the last two minutes");
        take_at(f, "a1", "anna", -119);
        take_at(f, "a2", "anna", 119);
        assert_int_equal(f->said, 2);
}

static void each_counts_once(void **state) {
        Fixture *f = *state;
        char message[1024], again[1024], time[CLOCK_TEXT_SIZE], other[CLOCK_TEXT_SIZE + 8];

        clock_format(f->now.wall_us, time);
        seal(KEY_A, "a1", "anna", time, "one", message, sizeof message);
        take(f, message);
        assert_int_equal(f->said, 1);
        f->said = 0;
        take(f, message);
        assert_refused(f, 1, "came before");
        /* the same moment in other words, and another note */
        (void) snprintf(other, sizeof other, "%.*s000Z", (int) strlen(time) - 1, time);
        seal(KEY_A, "a1", "anna", other, "two", again, sizeof again);
        take(f, again);
        assert_refused(f, 2, "came before");
        pass(f, 95); /* the very end of its time */
        take(f, message);
        assert_refused(f, 3, "came before");
        take(f, message);
        assert_refused(f, 4, "not made within");
}

static void a_new_desk_takes_nothing_that_an_earlier_one_may_have_seen(void **state) {
        Fixture *f = *state;

        f->desk = desk_free(f->desk);
        assert_int_equal(desk_new(&f->host, f->path, &f->now, &f->desk, NULL), 0);
        pass(f, 10);
        take_at(f, "a1", "anna", -11);
        assert_refused(f, 1, "before the start of this channel");
        take_at(f, "a1", "anna", -9);
        assert_int_equal(f->said, 1);
        /* a clock that was set back meanwhile does not shut the desk */
        f->now.wall_us -= 3600 * USEC_PER_SEC;
        take_at(f, "a2", "anna", 0);
        assert_int_equal(f->said, 2);
}

static void one_that_the_gateway_did_not_take_may_come_again(void **state) {
        Fixture *f = *state;

        f->result = WARDSTONE_RETRY;
        take_at(f, "a1", "anna", 0);
        assert_refused(f, 1, "the gateway does not take it");
        f->result = WARDSTONE_OK;
        take_at(f, "a1", "anna", -11);
        assert_int_equal(f->said, 1);
}

static void what_is_remembered_is_bounded(void **state) {
        Fixture *f = *state;
        char id[WARDSTONE_ALERT_ID_MAX];

        for (int i = 0; i < 1024; i++) {
                (void) snprintf(id, sizeof id, "a%d", i);
                take_at(f, id, "anna", 0);
        }
        assert_int_equal(f->said, 1024);
        f->said = 0;
        take_at(f, "one more", "anna", 0);
        assert_refused(f, 1, "more than 1024");
        pass(f, 120);
        take_at(f, "one more", "anna", 0);
        assert_int_equal(f->said, 1);
}

static void the_log_is_not_flooded(void **state) {
        Fixture *f = *state;

        for (int i = 0; i < 1000; i++)
                take(f, "nonsense");
        assert_int_equal(f->lines, 1);
        pass(f, 10);
        take(f, "nonsense");
        assert_int_equal(f->lines, 2);
        assert_non_null(strstr(f->line, "1001 since the start"));
}

static void the_keys_are_read_anew_when_they_change(void **state) {
        Fixture *f = *state;

        write_keys(f, "bert " KEY_B "\n", 0600);
        take_at(f, "a1", "anna", 0);
        assert_refused(f, 1, "anna is not in ");
        take_at(f, "a1", "bert", 0);
        assert_int_equal(f->said, 1);
        f->said = 0;

        write_keys(f, "anna " KEY_A "\n", 0644);
        take_at(f, "a2", "anna", 0);
        assert_refused(f, 2, "is not in");
        assert_int_equal(f->lines, 3); /* two refused, and one of the file */
        assert_int_equal(chmod(f->path, 0600), 0);
        take_at(f, "a2", "anna", 0);
        assert_int_equal(f->said, 1);
        f->said = 0;

        assert_int_equal(unlink(f->path), 0);
        take_at(f, "a3", "anna", 0);
        assert_refused(f, 3, "is not in");
        write_keys(f, "anna " KEY_A "\n", 0600);
        take_at(f, "a3", "anna", 0);
        assert_int_equal(f->said, 1);
}

static void a_bad_keys_file_is_said_at_once_and_keeps_nothing_from_working(void **state) {
        Fixture *f = *state;

        f->desk = desk_free(f->desk);
        (void) unlink(f->path);
        assert_int_equal(desk_new(&f->host, f->path, &f->now, &f->desk, NULL), 0);
        assert_int_equal(f->lines, 1);
        assert_non_null(strstr(f->line, "no acknowledgement is taken: "));
        assert_non_null(strstr(f->line, "No such file"));
}

static void the_keys_file_is_checked(void **state) {
        static const struct {
                const char *text, *error;
        } cases[] = {
                { "anna\n", ":1:1: expected a key of 32 bytes" },
                { "\n  anna short\n", ":2:8: expected a key of 32 bytes" },
                { "anna " KEY_A KEY_A "\n", ":1:6: expected a key of 32 bytes" },
                { "anna " KEY_A " x\n", ":1:51: expected nothing after the key" },
                { "anna " KEY_A "\nanna " KEY_B "\n", ":2:1: anna has a key already" },
                { "\xff " KEY_A "\n", ":1:1: expected a name" },
                { "0123456789012345678901234567890123456789012345678901234567890123 " KEY_A "\n",
                                ":1:1: expected a name of at most 63 bytes" },
        };
        const Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                People *p = NULL;
                Error e = { "" };
                write_keys(f, cases[i].text, 0600);
                assert_int_equal(people_read(f->path, &p, &e), -EINVAL);
                if (!strstr(e.message, cases[i].error))
                        fail_msg("expected '%s', got '%s'", cases[i].error, e.message);
                assert_null(strstr(e.message, "AAAA")); /* no key in a message */
        }
}

static void malformed_messages_are_refused(void **state) {
#define MAC  "\"mac\":\"0000000000000000000000000000000000000000000000000000000000000000\""
#define TIME "\"time\":\"2026-11-21T08:15:30Z\""
        static const struct {
                const char *text, *error;
        } cases[] = {
                { "", "no JSON" },
                { "[]", "Expected object" },
                { "{\"id\":\"a\",\"id\":\"b\"}", "no JSON: duplicate" },
                { "{\"id\":7,\"who\":\"w\"," TIME "," MAC "}", "Expected string" },
                { "{\"who\":\"w\"," TIME "," MAC "}", "not found: id" },
                { "{\"id\":\"a\",\"who\":\"w\"," TIME "," MAC ",\"more\":1}", "more" },
                { "{\"id\":\"\",\"who\":\"w\"," TIME "," MAC "}", "id: empty" },
                { "{\"id\":\"a\",\"who\":\"w\\nx\"," TIME "," MAC "}", "who: has a control character" },
                { "{\"id\":\"0123456789012345678901234567890123456789\",\"who\":\"w\"," TIME "," MAC "}",
                                "id: longer than 39 bytes" },
                { "{\"id\":\"a\",\"who\":\"w\",\"time\":\"yesterday\"," MAC "}", "time: expected" },
                { "{\"id\":\"a\",\"who\":\"w\",\"time\":\"2026-11-21T08:15:30+01:00\"," MAC "}",
                                "time: expected" },
                { "{\"id\":\"a\",\"who\":\"w\"," TIME ",\"mac\":\"00\"}", "mac: expected 64 hex digits" },
                { "{\"id\":\"a\",\"who\":\"w\"," TIME ",\"note\":null," MAC "}", "Expected string" },
        };
        char big[ACKNOWLEDGEMENT_MAX + 2];
        Acknowledgement a;
        Error e;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                e = (Error){ "" };
                assert_int_equal(acknowledgement_parse(BYTES_STRING(cases[i].text), &a, &e), -EBADMSG);
                if (!strstr(e.message, cases[i].error))
                        fail_msg("%s: '%s', not '%s'", cases[i].text, e.message, cases[i].error);
        }
        memset(big, ' ', sizeof big);
        assert_int_equal(acknowledgement_parse(BYTES(big, sizeof big), &a, &e), -EBADMSG);
        assert_non_null(strstr(e.message, "longer than 2048"));
}

static void the_board_knows_what_is_shown(void **state) {
        json_t *kept = json_pack("{s:b}", "a", 0);
        Board *b = board_new();

        board_set(b, "a", BYTES_STRING("one"));
        board_set(b, "b", BYTES_STRING("two"));
        board_set(b, "c", BYTES_STRING("three"));
        board_set(b, "c", BYTES_STRING(""));
        assert_true(board_shows(b, "a", "one"));
        assert_false(board_shows(b, "a", "two"));
        assert_false(board_shows(b, "c", "three"));
        json_t *ids = board_beyond(b, kept, 10);
        assert_int_equal(json_array_size(ids), 1);
        assert_string_equal(json_string_value(json_array_get(ids, 0)), "b");
        json_decref(ids);
        ids = board_beyond(b, kept, 0);
        assert_int_equal(json_array_size(ids), 0);
        json_decref(ids);
        board_forget(b);
        assert_false(board_shows(b, "a", "one"));
        json_decref(kept);
        board_free(b);
}

static void the_board_is_bounded(void **state) {
        Board *b = board_new();
        json_t *none = json_object();
        char id[BOARD_ID_MAX + 2];

        for (int i = 0; i < BOARD_MAX + 10; i++) {
                (void) snprintf(id, sizeof id, "%d", i);
                board_set(b, id, BYTES_STRING("x"));
        }
        board_set(b, "0", BYTES_STRING("y")); /* what is known may change */
        assert_true(board_shows(b, "0", "y"));
        memset(id, 'i', sizeof id);
        id[BOARD_ID_MAX + 1] = '\0';
        board_set(b, "1", BYTES_STRING(""));
        board_set(b, id, BYTES_STRING("x"));
        json_t *ids = board_beyond(b, none, SIZE_MAX);
        assert_int_equal(json_array_size(ids), BOARD_MAX - 1);
        json_decref(ids);
        json_decref(none);
        board_free(b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(a_good_one_is_said_with_its_name_and_note),
                CASE(the_mac_is_hmac_sha256_over_four_lines),
                CASE(every_member_is_covered_by_the_mac),
                CASE(an_unknown_person_is_refused),
                CASE(what_is_too_old_or_too_new_is_refused),
                CASE(each_counts_once),
                CASE(a_new_desk_takes_nothing_that_an_earlier_one_may_have_seen),
                CASE(one_that_the_gateway_did_not_take_may_come_again),
                CASE(what_is_remembered_is_bounded),
                CASE(the_log_is_not_flooded),
                CASE(the_keys_are_read_anew_when_they_change),
                CASE(a_bad_keys_file_is_said_at_once_and_keeps_nothing_from_working),
                CASE(the_keys_file_is_checked),
                CASE(malformed_messages_are_refused),
                CASE(the_board_knows_what_is_shown),
                CASE(the_board_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
