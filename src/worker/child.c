#include "worker/child.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

enum { LOG_LINE_MAX = 1024, STATE_TEXT_MAX = sodium_base64_ENCODED_LEN(WARDSTONE_STATE_MAX, 1) };

json_t *child_text(const char *text) {
        char ascii[CHILD_ERROR_MAX];
        json_t *string = json_string(text);
        size_t i;

        if (string)
                return string;
        for (i = 0; i < sizeof ascii - 1 && text[i]; i++)
                ascii[i] = (char) ((unsigned char) text[i] > 0x7f ? '?' : text[i]);
        ascii[i] = '\0';
        return json_string(ascii);
}

static int send_message(Child *c, const json_t *message) {
        size_t len = json_dumpb(message, c->buffer, sizeof c->buffer, JSON_COMPACT);

        if (len == 0 || len > sizeof c->buffer)
                return -EMSGSIZE;
        return send(c->fd, c->buffer, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* New reference; NULL where the gateway closed the socket or what came is no object (abandoned is set). */
static json_t *receive_message(Child *c) {
        ssize_t n;

        do
                n = recv(c->fd, c->buffer, sizeof c->buffer, 0);
        while (n < 0 && errno == EINTR);
        json_t *message = n > 0 ? json_loadb(c->buffer, (size_t) n, JSON_REJECT_DUPLICATES, NULL) : NULL;
        if (!json_is_object(message)) {
                json_decref(message);
                c->abandoned = true;
                return NULL;
        }
        return message;
}

static Child *child_of(const struct wardstone_host *host) {
        return host->context;
}

static int host_fail(const struct wardstone_host *host, int result, const char *format, ...) {
        Child *c = child_of(host);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(c->error, sizeof c->error, format, ap);
        va_end(ap);
        return result;
}

static void host_log(
                const struct wardstone_host *host, enum wardstone_level level, const char *format, ...) {
        char text[LOG_LINE_MAX];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof text, format, ap);
        va_end(ap);
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < ' ')
                        *p = ' ';
        /* one write a line, so that threads don't mix theirs; the journal takes the level from "<N>" */
        if (getenv("JOURNAL_STREAM"))
                (void) dprintf(STDERR_FILENO, "<%d>%s: %s\n", (int) level, host->name, text);
        else
                (void) dprintf(STDERR_FILENO, "%s: %s\n", host->name, text);
}

/* Takes request; *ret_answer is a new reference (an object) where the gateway granted it. */
static int ask(Child *c, json_t *request, json_t **ret_answer) {
        json_t *message = json_pack("{s:o}", "request", request);
        int r = message ? send_message(c, message) : -ENOMEM;

        json_decref(message);
        json_t *reply = r == 0 ? receive_message(c) : NULL;
        json_t *answer = json_incref(json_object_get(reply, "answer"));
        json_decref(reply);
        const json_t *result = json_object_get(answer, "r");
        if (json_is_integer(result) && json_integer_value(result) == 0) {
                *ret_answer = answer;
                return WARDSTONE_OK;
        }
        const char *error = json_string_value(json_object_get(answer, "error"));
        r = host_fail(&c->host, WARDSTONE_RETRY, "saved state: %s",
                        error ? error : "no answer by the gateway");
        json_decref(answer);
        return r;
}

static int host_save(const struct wardstone_host *host, const void *state, size_t size) {
        json_t *answer;

        if (size > WARDSTONE_STATE_MAX)
                return host_fail(host, WARDSTONE_CONFIGURATION, "saved state: %zu bytes are more than %d",
                                size, WARDSTONE_STATE_MAX);
        _cleanup_free_ char *text = malloc(STATE_TEXT_MAX);
        if (!text)
                return host_fail(host, WARDSTONE_RETRY, "out of memory");
        (void) sodium_bin2base64(text, STATE_TEXT_MAX, state, size, sodium_base64_VARIANT_ORIGINAL);
        int r = ask(child_of(host), json_pack("{s:s,s:s}", "op", "save", "state", text), &answer);
        if (r == WARDSTONE_OK)
                json_decref(answer);
        return r;
}

static int host_load(const struct wardstone_host *host, void *state, size_t *ret_size) {
        json_t *answer;

        int r = ask(child_of(host), json_pack("{s:s}", "op", "load"), &answer);
        if (r != WARDSTONE_OK)
                return r;
        const json_t *text = json_object_get(answer, "state");
        if (!json_is_string(text) || sodium_base642bin(state, WARDSTONE_STATE_MAX, json_string_value(text),
                                                     json_string_length(text), NULL, ret_size, NULL,
                                                     sodium_base64_VARIANT_ORIGINAL) != 0)
                r = host_fail(host, WARDSTONE_CONFIGURATION, "saved state: not base64");
        json_decref(answer);
        return r;
}

/* On the wire a result is the errno that the gateway's side acts on. */
static int result_to_errno(Child *c, int result) {
        switch (result) {
        case WARDSTONE_OK:
                return 0;
        case WARDSTONE_RETRY:
                return -EAGAIN;
        case WARDSTONE_CONTRADICTED:
                return -EBADMSG;
        case WARDSTONE_CONFIGURATION:
                return -EINVAL;
        default:
                (void) host_fail(&c->host, result, "plugin returned %d, which is no result", result);
                return -EAGAIN;
        }
}

static int run_operation(Child *c, const json_t *message, json_t *reply) {
        const char *op = json_string_value(json_object_get(message, "op"));

        for (const Operation *o = c->operations; op && o->op; o++)
                if (streq(o->op, op))
                        return o->run(c, message, reply);
        return host_fail(&c->host, WARDSTONE_CONFIGURATION, "this kind of plugin has no operation '%s'",
                        op ? op : "");
}

static int reply_to(Child *c, const json_t *message, const char *plugin) {
        json_t *reply = json_object();
        int result = WARDSTONE_OK;

        c->error[0] = '\0';
        if (c->self) {
                result = run_operation(c, message, reply);
        } else {
                result = child_load(c, plugin);
                if (result == WARDSTONE_OK)
                        result = child_open(c, message, reply);
        }
        int r = result_to_errno(c, result);
        if (r < 0) {
                json_object_clear(reply);
                (void) json_object_set_new(reply, "error", child_text(c->error));
        }
        (void) json_object_set(reply, "id", json_object_get(message, "id"));
        (void) json_object_set_new(reply, "r", json_integer(r));
        r = c->abandoned ? 0 : send_message(c, reply);
        json_decref(reply);
        return r;
}

int child_serve(Child *c, const char *plugin) {
        int r = 0;

        c->host.fail = host_fail;
        c->host.log = host_log;
        c->host.save = host_save;
        c->host.load = host_load;
        c->host.acknowledge = child_acknowledge;
        c->host.context = c;
        while (r == 0 && !c->abandoned) {
                json_t *message = receive_message(c);
                if (message)
                        r = reply_to(c, message, plugin);
                json_decref(message);
        }
        child_close(c);
        return r;
}
