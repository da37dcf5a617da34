#include "mail.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "text.h"

enum {
        LINE_MAX_QUOTED = 76, /* RFC 2045 6.7 */
        WORD_BYTES = 39, /* in one encoded word: RFC 2047 2 allows 76 characters a line, "Subject: " included */
        KEY_MAX = 200,
};

bool mail_address_is_valid(const char *address) {
        const char *at = strchr(address, '@');

        return at && at > address && at[1] && !strchr(at + 1, '@') && text_is_printable(address) &&
               !strpbrk(address, " \"(),:;<>[]\\") && strlen(address) <= MAIL_ADDRESS_MAX;
}

/* --- headers --- */

/* Words that are not plain ASCII, or too long for a line, are encoded (RFC 2047), each with whole characters. */
static void put_subject(FILE *f, const char *text) {
        char base64[sodium_base64_ENCODED_LEN(WORD_BYTES, sodium_base64_VARIANT_ORIGINAL)];
        size_t len = strlen(text);

        if (text_is_printable(text) && len <= 66 && !strstr(text, "=?")) {
                (void) fprintf(f, "Subject: %s\r\n", text);
                return;
        }
        (void) fputs("Subject:", f);
        for (size_t at = 0, n; at < len; at += n) {
                for (n = 0; at + n < len;) {
                        size_t one = MAX(utf8_length(BYTES(text + at + n, len - at - n)), (size_t) 1);
                        if (n + one > WORD_BYTES)
                                break;
                        n += one;
                }
                (void) sodium_bin2base64(base64, sizeof base64, (const uint8_t *) text + at, n,
                                sodium_base64_VARIANT_ORIGINAL);
                (void) fprintf(f, "%s =?UTF-8?B?%s?=", at ? "\r\n" : "", base64);
        }
        (void) fputs("\r\n", f);
}

/* <key@gateway>; what RFC 5322 3.6.4 doesn't want on the left is =XX, so that two keys never make one id. */
static void put_message_id(FILE *f, const char *header, const char *key, const char *gateway) {
        (void) fprintf(f, "%s: <", header);
        for (const char *p = key; *p; p++)
                (void) fprintf(f, isalnum((unsigned char) *p) || strchr("-_", *p) ? "%c" : "=%02X",
                                (unsigned char) *p);
        (void) fputc('@', f);
        for (const char *p = gateway; *p; p++) {
                bool dot = *p == '.' && p > gateway && p[1] && p[1] != '.';
                (void) fputc(isalnum((unsigned char) *p) || dot ? *p : '-', f);
        }
        (void) fputs(">\r\n", f);
}

static void put_date(FILE *f, int64_t us) {
        time_t t = (time_t) (us / USEC_PER_SEC);
        char text[64];
        struct tm tm;

        if (gmtime_r(&t, &tm) && strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm) > 0)
                (void) fprintf(f, "Date: %s\r\n", text);
}

static void put_to(FILE *f, const json_t *to) {
        for (size_t i = 0; i < json_array_size(to); i++)
                (void) fprintf(f, "%s %s", i ? ",\r\n" : "To:", json_string_value(json_array_get(to, i)));
        (void) fputs("\r\n", f);
}

/* --- the text --- */

/* RFC 2045 6.7, of text with '\n' line ends. */
static void put_quoted(FILE *f, const char *text) {
        size_t column = 0;

        for (const char *p = text; *p; p++) {
                if (*p == '\n') {
                        (void) fputs("\r\n", f);
                        column = 0;
                        continue;
                }
                bool plain = *p >= ' ' && *p <= '~' && *p != '=' && !(*p == ' ' && (p[1] == '\n' || !p[1]));
                size_t width = plain ? 1 : 3;
                if (column + width >= LINE_MAX_QUOTED) {
                        (void) fputs("=\r\n", f);
                        column = 0;
                }
                (void) fprintf(f, plain ? "%c" : "=%02X", (unsigned char) *p);
                column += width;
        }
}

static const char *text_of(const json_t *object, const char *name) {
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : "";
}

/* One line of the text: what comes from elsewhere can't begin another. */
static void put_line(FILE *f, const char *name, const char *text) {
        if (!*text)
                return;
        (void) fprintf(f, "   %s: ", name);
        for (; *text; text++)
                (void) fputc((unsigned char) *text < ' ' || *text == 0x7f ? ' ' : *text, f);
        (void) fputc('\n', f);
}

static void put_alert(FILE *f, size_t number, const json_t *alert) {
        const json_t *value = json_object_get(alert, "value"), *label;
        char text[64] = "";
        const char *name;

        (void) fprintf(f, "\n%zu.\n", number);
        put_line(f, "alert", text_of(alert, "rule"));
        put_line(f, "priority", text_of(alert, "priority"));
        put_line(f, "state", text_of(alert, "state"));
        put_line(f, "because it was", text_of(alert, "transition"));
        put_line(f, "summary", text_of(alert, "summary"));
        put_line(f, "where", text_of(alert, "label"));
        put_line(f, "subject", text_of(alert, "subject"));
        if (json_is_number(value))
                (void) snprintf(text, sizeof text, "%.10g", json_number_value(value));
        put_line(f, "value", text);
        put_line(f, "since", text_of(alert, "since"));
        put_line(f, "at", text_of(alert, "time"));
        put_line(f, "by", text_of(alert, "who"));
        put_line(f, "note", text_of(alert, "note"));
        json_object_foreach(json_object_get(alert, "labels"), name, label) {
                (void) snprintf(text, sizeof text, "label %.50s", name);
                put_line(f, text, json_is_string(label) ? json_string_value(label) : "");
        }
        put_line(f, "id", text_of(alert, "id"));
}

/* NULL where memory is out; free() it. */
static char *make_text(const json_t *notice, const char *gateway, const char *summary) {
        json_int_t more = json_integer_value(json_object_get(notice, "more"));
        char *text = NULL;
        size_t len, i;
        json_t *alert;

        FILE *f = open_memstream(&text, &len);
        if (!f)
                return NULL;
        (void) fprintf(f, "%s\n", summary);
        json_array_foreach(json_object_get(notice, "alerts"), i, alert) {
                put_alert(f, i + 1, alert);
        }
        if (more > 0)
                (void) fprintf(f, "\n%lld more were held back and are not listed here.\n", (long long) more);
        (void) fprintf(f,
                        "\n-- \nSent by the gateway %s. It is a secondary notification system:"
                        " don't rely on mail alone.\n",
                        gateway);
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

/* --- the mail --- */

typedef struct Told {
        const char *key, *kind, *gateway;
        json_t *alerts;
        char *summary;   /* one line */
        int64_t time_us; /* of its newest alert */
} Told;

static int read_notice(const json_t *notice, int64_t now_us, Told *ret, Error *e) {
        const char *summary;
        json_error_t json_error;
        int64_t us;

        if (json_unpack_ex((json_t *) notice, &json_error, 0, "{s:s,s:s,s:s,s:s,s:o}", "key", &ret->key,
                            "kind", &ret->kind, "gateway", &ret->gateway, "summary", &summary, "alerts",
                            &ret->alerts) < 0)
                return error_set(e, -EINVAL, "notice: %s", json_error.text);
        if (!json_is_array(ret->alerts) || !text_is_printable(ret->key) || strlen(ret->key) > KEY_MAX ||
                        !text_is_printable(ret->gateway))
                return error_set(e, -EINVAL, "notice: expected a printable key and gateway, and alerts");
        ret->time_us = TIME_NONE;
        for (size_t i = 0; i < json_array_size(ret->alerts); i++)
                if (clock_parse(text_of(json_array_get(ret->alerts, i), "time"), &us) == 0)
                        ret->time_us = MAX(ret->time_us, us);
        if (ret->time_us == TIME_NONE)
                ret->time_us = now_us;
        ret->summary = strdup(summary);
        if (!ret->summary)
                return error_set(e, -ENOMEM, "out of memory");
        text_make_one_line(ret->summary);
        return 0;
}

static void put_headers(FILE *f, const MailOptions *o, const Told *t, const char *subject) {
        const json_t *alert = json_array_get(t->alerts, 0);
        char raised[KEY_MAX];

        put_date(f, t->time_us);
        (void) fprintf(f, "From: %s\r\n", o->from);
        put_to(f, o->to);
        put_subject(f, subject);
        put_message_id(f, "Message-ID", t->key, t->gateway);
        /* that of the mail that told of the alert first: clients show them together */
        if (streq(t->kind, "alert") && *text_of(alert, "id") &&
                        !streq(text_of(alert, "transition"), "raised")) {
                (void) snprintf(raised, sizeof raised, "%s:raised", text_of(alert, "id"));
                put_message_id(f, "In-Reply-To", raised, t->gateway);
                put_message_id(f, "References", raised, t->gateway);
        }
        (void) fprintf(f, "X-Wardstone-Key: %s\r\n", t->key);
        (void) fputs("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: "
                     "quoted-printable\r\n"
                     "\r\n",
                        f);
}

int mail_compose(const MailOptions *o, const json_t *notice, int64_t now_us, char **ret, size_t *ret_len,
                Error *e) {
        _cleanup_free_ char *subject = NULL, *text = NULL, *mail = NULL;
        Told t = { 0 };
        size_t len;

        int r = read_notice(notice, now_us, &t, e);
        if (r < 0)
                return r;
        _cleanup_free_ char *summary = t.summary;
        if (asprintf(&subject, "%s%s", o->subject_prefix, summary) < 0)
                subject = NULL;
        text = make_text(notice, t.gateway, summary);
        FILE *f = subject && text ? open_memstream(&mail, &len) : NULL;
        if (!f)
                return error_set(e, -ENOMEM, "out of memory");
        put_headers(f, o, &t, subject);
        put_quoted(f, text);
        if (fclose(f) != 0)
                return error_set(e, -ENOMEM, "out of memory");
        *ret = TAKE(mail);
        *ret_len = len;
        return 0;
}
