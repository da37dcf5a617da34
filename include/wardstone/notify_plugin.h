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
#define WARDSTONE_NOTIFY_ABI 1

struct wardstone_notify_plugin {
        uint32_t abi;
        const char *name;

        /* config: the channel's settings as a JSON object. Should refuse settings that it doesn't know.
         * Begins to connect but does not wait for it: an absent server is a matter of deliver(). */
        int (*open)(const struct wardstone_host *host, const char *config, void **ret_self);

        /* Delivers one event: WARDSTONE_OK only once the other side has taken responsibility for it (a
         * PUBACK, a 2xx). Gives up by itself well within the call's deadline (10 s where the configuration
         * names no other). After a failure the same event may come again, and the receiver may see it twice:
         * id and state together tell.
         *
         * event is a JSON object (docs/plugins.md has the whole of it):
         *   id        of the alert, the same from raise to resolve; letters, digits, '.', '_' and '-'
         *   rule, priority ("high", "medium", "low", "technical"), state ("active", "resolved")
         *   subject, label, summary (texts for people)
         *   value     number; absent where there is none
         *   since, time  of the condition and of this transition, RFC 3339 in UTC
         * A plugin passes members on that it doesn't know. */
        int (*deliver)(void *self, const char *event);

        void (*close)(void *self);
};

extern const struct wardstone_notify_plugin wardstone_notify_plugin __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif
