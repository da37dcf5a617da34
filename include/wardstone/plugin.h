/* What chain and notification plugins share: results and the host that they run in.
 *
 * A plugin is a shared object that the program wardstone-worker loads, one process a connector. All of its
 * functions are called from one thread, one at a time, never from two. It may start threads of its own; they
 * may call host->log and host->acknowledge and nothing else of the host. It may be killed at any
 * instruction: on a missed deadline the process gets SIGKILL and a new one is started. SIGTERM and SIGINT
 * are ignored in it: the gateway decides when a worker ends.
 *
 * Secrets are read by the plugin (files, $CREDENTIALS_DIRECTORY): they exist in this process only and are
 * never written to the log or to the saved state in the clear. Standard output and error end up in the
 * gateway's journal. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What every function of a plugin returns. A failure is made with host->fail(), which keeps the text for
 * the operator. */
enum wardstone_result {
        WARDSTONE_OK = 0,
        WARDSTONE_RETRY = -1, /* may succeed later: unreachable, busy, or unknown whether it happened */
        WARDSTONE_CONTRADICTED = -2,  /* the chain and the ledger disagree (a fork): never tried again */
        WARDSTONE_CONFIGURATION = -3, /* an operator has to change something first: tried again seldom */
};

/* As syslog's. */
enum wardstone_level {
        WARDSTONE_ERROR = 3,
        WARDSTONE_WARNING = 4,
        WARDSTONE_INFO = 6,
        WARDSTONE_DEBUG = 7,
};

enum { WARDSTONE_STATE_MAX = 32 * 1024 };

/* Bytes of what acknowledge() takes, each with its NUL. */
enum { WARDSTONE_ALERT_ID_MAX = 40, WARDSTONE_WHO_MAX = 64, WARDSTONE_NOTE_MAX = 160 };

/* Given to open(), valid until close() has returned. */
struct wardstone_host {
        const char *name;      /* the connector's name in the configuration */
        const char *state_dir; /* a folder of the connector's own that may be written to, or NULL */

        /* Returns result (a failure) and keeps the text (one line, at most 512 bytes) for the status and
         * the journal. */
        int (*fail)(const struct wardstone_host *host, int result, const char *format, ...)
                        __attribute__((format(printf, 3, 4)));

        void (*log)(const struct wardstone_host *host, enum wardstone_level level, const char *format, ...)
                        __attribute__((format(printf, 3, 4)));

        /* Keeps up to WARDSTONE_STATE_MAX bytes over crashes and restarts, replacing what was kept
         * before. WARDSTONE_OK only once it is on disk: save what is needed to settle an unknown outcome
         * (a signed transaction, its hash) before sending it. Chain plugins only, and not from within
         * open(). At most 16 calls of save and load within one call of the plugin. */
        int (*save)(const struct wardstone_host *host, const void *state, size_t size);
        /* What was saved last; *ret_size is 0 where nothing ever was. state has WARDSTONE_STATE_MAX
         * bytes. */
        int (*load)(const struct wardstone_host *host, void *state, size_t *ret_size);

        /* Somebody who is entitled to (the plugin has made sure of that) acknowledges an alert over this
         * channel. who: a name for the record, which the gateway keeps as "<connector>:<who>"; note: what
         * they said, or NULL; a note that is too long is cut. Notification plugins only, from any thread;
         * never waits. WARDSTONE_OK says that it was handed over; that the alert is acknowledged is told to
         * all who know of it, by deliver(). WARDSTONE_RETRY: the gateway is too busy.
         * WARDSTONE_CONFIGURATION: an id or a name that is empty, too long or not printable UTF-8. No text is
         * kept of either. */
        int (*acknowledge)(const struct wardstone_host *host, const char *alert, const char *who,
                        const char *note);

        void *context; /* the host's own */
};

#ifdef __cplusplus
}
#endif
