/* A notice as a mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

#include "base/clock.h"
#include "mail.h"

/* 2026-11-20T08:20:00Z */
#define NOW_US (INT64_C(1795162800) * USEC_PER_SEC)

static const char *const notice_text = "{\"key\": \"a1:raised\", \"kind\": \"alert\", \"gateway\": "
                                       "\"ward7.example\", \"summary\": \"SpO2 85 % in Bed 7\","
                                       " \"more\": 0, \"alerts\": [{\"id\": \"a1\", \"rule\": \"SpO2Low\", "
                                       "\"priority\": \"high\", \"state\": \"active\","
                                       " \"transition\": \"raised\", \"subject\": \"p-4711\", \"label\": "
                                       "\"Bed 7\", \"summary\": \"SpO2 85 %\","
                                       " \"value\": 85.5, \"since\": \"2026-11-20T08:15:30.123Z\", "
                                       "\"time\": \"2026-11-20T08:15:40.123Z\","
                                       " \"labels\": {\"floor\": \"3\"}}]}";

/* The mail of that notice with other members; free() it. */
static char *mail_at(const char *more, const char *alert_more, const char *prefix, int64_t now_us) {
        json_t *notice = json_loads(notice_text, 0, NULL), *changes = json_loads(more, 0, NULL),
               *alert_changes = json_loads(alert_more, 0, NULL);
        json_t *to = json_pack("[s,s]", "ward7@example.org", "duty@example.org");
        const MailOptions o = { .from = "gateway@example.org", .to = to, .subject_prefix = prefix };
        char *mail = NULL;
        size_t len;
        Error e = { "" };

        assert_non_null(notice);
        assert_non_null(changes);
        assert_non_null(alert_changes);
        assert_int_equal(json_object_update(json_array_get(json_object_get(notice, "alerts"), 0),
                                         alert_changes),
                        0);
        assert_int_equal(json_object_update(notice, changes), 0);
        if (mail_compose(&o, notice, now_us, &mail, &len, &e) < 0)
                fail_msg("%s", e.message);
        assert_int_equal(strlen(mail), len);
        json_decref(notice);
        json_decref(changes);
        json_decref(alert_changes);
        json_decref(to);
        return mail;
}

static char *mail_of(const char *more, const char *alert_more) {
        return mail_at(more, alert_more, "", NOW_US);
}

static void assert_has(const char *mail, const char *part) {
        if (!strstr(mail, part))
                fail_msg("'%s' is not in:\n%s", part, mail);
}

static void assert_has_not(const char *mail, const char *part) {
        if (strstr(mail, part))
                fail_msg("'%s' is in:\n%s", part, mail);
}

/* What every mail must be: CRLF line ends, printable ASCII, no line over 78 but those that can't be folded. */
static void assert_well_formed(const char *mail) {
        const char *line = mail;

        for (const char *p = mail; *p; p++) {
                if (*p == '\n') {
                        assert_true(p > mail && p[-1] == '\r');
                        assert_true(p - line <= 300);
                        line = p + 1;
                } else if (*p == '\r') {
                        assert_int_equal(p[1], '\n');
                } else {
                        assert_true(*p >= ' ' && *p <= '~');
                }
        }
}

static void a_mail_has_the_headers_that_clients_go_by(void **state) {
        char *mail = mail_of("{}", "{}");

        assert_well_formed(mail);
        assert_true(startswith(mail, "Date: Fri, 20 Nov 2026 08:15:40 +0000\r\n"
                                     "From: gateway@example.org\r\n"
                                     "To: ward7@example.org,\r\n duty@example.org\r\n"
                                     "Subject: SpO2 85 % in Bed 7\r\n"
                                     "Message-ID: <a1=3Araised@ward7.example>\r\n"
                                     "X-Wardstone-Key: a1:raised\r\n"
                                     "Auto-Submitted: auto-generated\r\n"
                                     "MIME-Version: 1.0\r\n"
                                     "Content-Type: text/plain; charset=UTF-8\r\n"
                                     "Content-Transfer-Encoding: quoted-printable\r\n"
                                     "\r\n"
                                     "SpO2 85 % in Bed 7\r\n"));
        assert_has(mail, "   alert: SpO2Low\r\n   priority: high\r\n   state: active\r\n   because it was: "
                         "raised\r\n");
        assert_has(mail, "   value: 85.5\r\n");
        assert_has(mail, "   label floor: 3\r\n");
        assert_has_not(mail, "In-Reply-To");
        assert_has_not(mail, "held back");
        free(mail);
}

static void the_same_notice_makes_the_same_mail(void **state) {
        char *first = mail_of("{}", "{}"), *again = mail_at("{}", "{}", "", NOW_US + 3600 * USEC_PER_SEC);

        assert_string_equal(first, again);
        free(first);
        free(again);
}

static void what_follows_refers_to_the_first(void **state) {
        char *mail = mail_of("{\"key\": \"a1:resolved\"}",
                        "{\"state\": \"resolved\", \"transition\": \"resolved\"}");

        assert_has(mail, "Message-ID: <a1=3Aresolved@ward7.example>\r\n"
                         "In-Reply-To: <a1=3Araised@ward7.example>\r\n"
                         "References: <a1=3Araised@ward7.example>\r\n");
        free(mail);
        /* several alerts belong to several threads */
        mail = mail_of("{\"key\": \"group-00ff\", \"kind\": \"group\"}", "{\"transition\": \"escalated\"}");
        assert_has_not(mail, "In-Reply-To");
        free(mail);
}

static void two_keys_never_make_one_message_id(void **state) {
        char *mail = mail_of("{\"key\": \"a=3Araised\"}", "{}");

        assert_has(mail, "Message-ID: <a=3D3Araised@ward7.example>\r\n");
        free(mail);
        mail = mail_of("{\"key\": \"..a.>b\", \"gateway\": \".ward:7..x.\"}", "{}");
        assert_has(mail, "Message-ID: <=2E=2Ea=2E=3Eb@-ward-7-.x->\r\n");
        free(mail);
}

static void a_subject_that_is_not_ascii_is_encoded_in_whole_characters(void **state) {
        char *mail = mail_at("{\"summary\": \"K\303\266rpertemperatur 39,5 \302\260C \342\200\223 Bett 7, "
                             "Zimmer 312, "
                             "S\303\274dfl\303\274gel\"}",
                        "{}", "[Station 7] ", NOW_US);

        assert_well_formed(mail);
        assert_has(mail, "Subject: =?UTF-8?B?W1N0YXRpb24gN10gS8O2cnBlcnRlbXBlcmF0dXIgMzksNSDCsEMg?=\r\n"
                         " =?UTF-8?B?4oCTIEJldHQgNywgWmltbWVyIDMxMiwgU8O8ZGZsw7xnZWw=?=\r\n");
        /* and the text is quoted-printable */
        assert_has(mail, "\r\n\r\nK=C3=B6rpertemperatur 39,5 =C2=B0C =E2=80=93 Bett 7, Zimmer 312, "
                         "S=C3=BCdfl=\r\n"
                         "=C3=BCgel\r\n");
        free(mail);
}

static void a_subject_that_looks_encoded_is_encoded(void **state) {
        char *mail = mail_of("{\"summary\": \"=?UTF-8?B?eA==?=\"}", "{}");

        assert_has(mail, "Subject: =?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=\r\n");
        free(mail);
}

static void no_text_adds_a_header_or_a_line(void **state) {
        char *mail = mail_of("{\"summary\": \"low\\r\\nBcc: other@example.org\\r\\n\\r\\nText\"}",
                        "{\"rule\": \"a\\n   state: resolved\", \"note\": \"b\\r\\n.\\r\\nQUIT\", "
                        "\"label\": \"\\u007fx\"}");

        assert_well_formed(mail);
        assert_has(mail, "Subject: low  Bcc: other@example.org    Text\r\n");
        assert_has_not(mail, "\r\nBcc");
        assert_has_not(mail, "\r\n   state: resolved");
        assert_has_not(mail, "\r\n.");
        free(mail);
}

static void long_and_odd_text_is_quoted(void **state) {
        char *mail = mail_of("{\"summary\": \"a=b   \"}", "{\"summary\": "
                                                          "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}");

        assert_well_formed(mail);
        assert_has(mail, "\r\n\r\na=3Db  =20\r\n");
        assert_has(mail, "   summary: "
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\r\naaaaaaaa");
        free(mail);
}

static void what_was_held_back_is_counted(void **state) {
        char *mail = mail_of(
                        "{\"kind\": \"digest\", \"key\": \"digest-1\", \"more\": 12, \"alerts\": []}", "{}");

        assert_has(mail, "Date: Fri, 20 Nov 2026 08:20:00 +0000\r\n");
        assert_has(mail, "\r\n12 more were held back and are not listed here.\r\n");
        free(mail);
}

static void every_alert_is_listed(void **state) {
        char *mail = mail_of("{\"kind\": \"group\", \"alerts\": [{\"rule\": \"A\", \"time\": "
                             "\"2026-11-20T08:00:00Z\"},"
                             " {\"rule\": \"B\", \"time\": \"2026-11-20T08:01:00Z\"}, {\"rule\": \"C\"}]}",
                        "{}");

        assert_has(mail, "Date: Fri, 20 Nov 2026 08:01:00 +0000\r\n");
        assert_has(mail, "\r\n1.\r\n   alert: A\r\n");
        assert_has(mail, "\r\n2.\r\n   alert: B\r\n");
        assert_has(mail, "\r\n3.\r\n   alert: C\r\n");
        free(mail);
}

static void what_is_no_notice_is_refused(void **state) {
        static const char *const cases[] = { "{}", "[]", "7", "{\"key\": \"\", \"kind\": \"alert\"}",
                "{\"key\": \"a\\r\\nBcc: x\", \"kind\": \"alert\", \"gateway\": \"g\", \"summary\": \"\", "
                "\"alerts\": []}",
                "{\"key\": \"a\", \"kind\": \"alert\", \"gateway\": \"\303\266\", \"summary\": \"\", "
                "\"alerts\": []}",
                "{\"key\": \"a\", \"kind\": \"alert\", \"gateway\": \"g\", \"summary\": \"\", \"alerts\": "
                "{}}" };
        const MailOptions o = { .from = "gateway@example.org", .subject_prefix = "" };
        char *mail = NULL;
        size_t len;
        Error e;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                json_t *notice = json_loads(cases[i], JSON_DECODE_ANY, NULL);
                assert_int_equal(mail_compose(&o, notice, NOW_US, &mail, &len, &e), -EINVAL);
                assert_null(mail);
                json_decref(notice);
        }
        assert_int_equal(mail_compose(&o, NULL, NOW_US, &mail, &len, &e), -EINVAL);
}

static void addresses_that_need_no_quoting_are_taken(void **state) {
        static const char *const good[] = { "a@b", "ward.7+night@mail.example.org", "o'neil@example.org" };
        static const char *const bad[] = { "", "a", "@b", "a@", "a@b@c", "a b@c", "A <a@b>",
                "a@b\r\nRCPT TO:<c@d>", "a@b,c@d", "\"a\"@b", "\303\266@b", "a@b\\" };

        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(mail_address_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(mail_address_is_valid(bad[i]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_mail_has_the_headers_that_clients_go_by),
                cmocka_unit_test(the_same_notice_makes_the_same_mail),
                cmocka_unit_test(what_follows_refers_to_the_first),
                cmocka_unit_test(two_keys_never_make_one_message_id),
                cmocka_unit_test(a_subject_that_is_not_ascii_is_encoded_in_whole_characters),
                cmocka_unit_test(a_subject_that_looks_encoded_is_encoded),
                cmocka_unit_test(no_text_adds_a_header_or_a_line),
                cmocka_unit_test(long_and_odd_text_is_quoted),
                cmocka_unit_test(what_was_held_back_is_counted),
                cmocka_unit_test(every_alert_is_listed),
                cmocka_unit_test(what_is_no_notice_is_refused),
                cmocka_unit_test(addresses_that_need_no_quoting_are_taken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
