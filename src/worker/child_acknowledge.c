/* What a plugin says unasked. From any of its threads, so nothing of the child but what is set before open() is
 * touched: the socket keeps datagrams whole, and the text is the call's own. */
#include <errno.h>
#include <sys/socket.h>

#include "base/utf8.h"
#include "worker/child.h"

static bool is_control(char byte) {
        return (unsigned char) byte < ' ' || byte == 0x7f;
}

static bool is_name(const char *text, size_t size) {
        size_t len = strnlen(text, size);

        for (size_t i = 0; i < len; i++)
                if (is_control(text[i]))
                        return false;
        return len > 0 && len < size && utf8_is_valid(BYTES(text, len));
}

/* As much of the text as fits, without half a character, on one line. */
static void take_note(const char *text, char ret[static WARDSTONE_NOTE_MAX]) {
        size_t len = strlen(text), used = 0, n;

        while ((n = utf8_length(BYTES(text + used, len - used))) > 0 && used + n < WARDSTONE_NOTE_MAX) {
                memcpy(ret + used, text + used, n);
                if (is_control(ret[used]))
                        ret[used] = ' ';
                used += n;
        }
        ret[used] = '\0';
}

int child_acknowledge(
                const struct wardstone_host *host, const char *alert, const char *who, const char *note) {
        const Child *c = host->context;
        char text[WARDSTONE_NOTE_MAX];

        if (!c->notify || !is_name(alert, WARDSTONE_ALERT_ID_MAX) || !is_name(who, WARDSTONE_WHO_MAX))
                return WARDSTONE_CONFIGURATION;
        take_note(note ? note : "", text);
        json_t *message = json_pack("{s:{s:s,s:s,s:s,s:s}}", "said", "op", "acknowledge", "alert", alert,
                        "who", who, "note", text);
        _cleanup_free_ char *datagram = message ? json_dumps(message, JSON_COMPACT) : NULL;
        json_decref(message);
        if (!datagram || send(c->fd, datagram, strlen(datagram), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                return WARDSTONE_RETRY;
        return WARDSTONE_OK;
}
