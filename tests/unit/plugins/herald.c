/* A notification channel that does what it is told to: the notice's key is the command. Its refresh fails with what it
 * got, so that a test sees it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wardstone/notify_plugin.h"

enum { FLOOD = 200 };

typedef struct Speech {
        const struct wardstone_host *host;
        int count, taken;
} Speech;

static void *speak(void *userdata) {
        Speech *s = userdata;
        char alert[WARDSTONE_ALERT_ID_MAX];

        for (int i = 0; i < s->count; i++) {
                (void) snprintf(alert, sizeof alert, "alert-%d", i);
                s->taken += s->host->acknowledge(s->host, alert, "anna", "on my way") == WARDSTONE_OK;
        }
        return NULL;
}

/* From a thread of its own, while the call is under way; gives how many were taken. */
static int speak_aside(const struct wardstone_host *host, int count) {
        Speech s = { .host = host, .count = count };
        pthread_t thread;

        if (pthread_create(&thread, NULL, speak, &s) != 0)
                abort();
        (void) pthread_join(thread, NULL);
        return s.taken;
}

static int bad_words(const struct wardstone_host *host) {
        static const char *const names[] = { "", "two\nlines", "half \xc3", "del\x7f",
                "0123456789012345678901234567890123456789012345678901234567890123" };
        int taken = 0;

        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                taken += host->acknowledge(host, "a1", names[i], NULL) != WARDSTONE_CONFIGURATION;
                taken += host->acknowledge(host, names[i], "anna", NULL) != WARDSTONE_CONFIGURATION;
        }
        return taken;
}

static int long_note(const struct wardstone_host *host) {
        char note[512] = "a\nb\t";

        while (strlen(note) < 400)
                (void) strcat(note, "\xe2\x82\xac");
        int r = host->acknowledge(host, "a1", "anna", note);
        if (r == WARDSTONE_OK)
                r = host->acknowledge(host, "a1", "anna", "good, then \xff bad");
        return r;
}

static int herald_deliver(void *self, const char *notice) {
        const struct wardstone_host *host = self;

        if (strstr(notice, "\"key\":\"speak\""))
                return speak_aside(host, 1) == 1 ? WARDSTONE_OK : WARDSTONE_CONFIGURATION;
        if (strstr(notice, "\"key\":\"flood\""))
                return host->fail(host, WARDSTONE_RETRY, "%d", speak_aside(host, FLOOD));
        if (strstr(notice, "\"key\":\"bad\""))
                return host->fail(host, WARDSTONE_RETRY, "%d", bad_words(host));
        if (strstr(notice, "\"key\":\"long\""))
                return long_note(host);
        return host->fail(host, WARDSTONE_RETRY, "%s", notice);
}

static int herald_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        *ret_self = (void *) host;
        return strstr(config, "speak") && speak_aside(host, 1) != 1 ? WARDSTONE_RETRY : WARDSTONE_OK;
}

#ifndef HERALD_WITHOUT_REFRESH
static int herald_refresh(void *self, const char *alerts) {
        const struct wardstone_host *host = self;

        return host->fail(host, WARDSTONE_RETRY, "%s", alerts);
}
#endif

static void herald_close(void *self) {
}

const struct wardstone_notify_plugin wardstone_notify_plugin = {
        .abi = WARDSTONE_NOTIFY_ABI,
        .name = "herald",
        .open = herald_open,
        .deliver = herald_deliver,
#ifndef HERALD_WITHOUT_REFRESH
        .refresh = herald_refresh,
#endif
        .close = herald_close,
};
