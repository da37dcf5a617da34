/* A notification channel: brings alerts to people. Exports one object, as a chain connector does:
 *
 *     const struct wardstone_notify_plugin wardstone_notify_plugin = {
 *             .abi = WARDSTONE_NOTIFY_ABI, .name = "notify-mqtt", .open = ..., };
 */
#pragma once

#include "wardstone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counts up with each change that is not compatible; a plugin with another number is not loaded. */
#define WARDSTONE_NOTIFY_ABI 2

struct wardstone_notify_plugin {
        uint32_t abi;
        const char *name;

        /* config: the channel's settings as a JSON object. Should refuse settings that it doesn't know.
         * Begins to connect but does not wait for it: an absent server is a matter of deliver(). */
        int (*open)(const struct wardstone_host *host, const char *config, void **ret_self);

        /* Delivers one notice: WARDSTONE_OK only once the other side has taken responsibility for it (a
         * PUBACK, a 2xx). Gives up by itself well within the call's deadline (10 s where the configuration
         * names no other). After a failure the same notice may come again, and the receiver may see it
         * twice: its key tells.
         *
         * notice is a JSON object (docs/plugins.md has the whole of it):
         *   key      of this notice, the same each time it comes: an idempotency key; printable ASCII
         *   kind     "alert", "group" (several of one subject) or "digest" (what was held back)
         *   gateway  the gateway's name
         *   priority  the highest of its alerts
         *   summary  one line for people
         *   alerts   what it tells of, at least one unless more is above 0, each with
         *     id        the same from raise to resolve; letters, digits, '.', '_' and '-'
         *     rule, priority ("high", "medium", "low", "technical"), labels (an object)
         *     state     "active", "acknowledged" or "resolved"
         *     transition  why it is told: "raised", "escalated", "repeated", "acknowledged", "latched",
         *               "reraised", "resolved"
         *     subject, label, summary (texts for people), who and note where somebody acknowledged it
         *     value     number; absent where there is none
         *     since, time  of the condition and of this transition, RFC 3339 in UTC
         *   more     how many were held back and are not among alerts
         * A plugin passes members on that it doesn't know. */
        int (*deliver)(void *self, const char *notice);

        /* NULL where the channel has no state of its own. Called after each start of the process and then
         * about once a minute, for channels that show what is the case now: {"gateway": as in a notice,
         * "first": bool, "last": bool, "alerts": [...]} with all alerts that are active or acknowledged and
         * that this channel was told of, in parts of at most 32 from first to last. What the other side still
         * shows beyond them is over. A notice that comes between two parts is newer than they are; a round
         * may end without its last part. Results and deadline are as deliver()'s; a failure is tried again
         * with the next round. */
        int (*refresh)(void *self, const char *alerts);

        void (*close)(void *self);
};

extern const struct wardstone_notify_plugin wardstone_notify_plugin __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif
