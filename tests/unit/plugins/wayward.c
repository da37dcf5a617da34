/* A chain connector in front of another one ("behind", a shared object), which breaks one promise of the interface, "flaw":
 * what tests/conformance has to find. Without a flaw it keeps them all. It saves what it is about to send, as one does that
 * spends money on it. */
#include <dlfcn.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wardstone/chain_plugin.h"

enum { STATE_TEXT_MAX = 512 };

typedef struct Wayward {
        const struct wardstone_host *host;
        const struct wardstone_chain_plugin *behind;
        void *object, *self;
        char flaw[32];
        struct wardstone_chain_head remembered;
} Wayward;

static bool has(const Wayward *w, const char *flaw) {
        return strcmp(w->flaw, flaw) == 0;
}

/* Settings that are not the wayward one's own go on to the one behind. */
static int open_behind(Wayward *w, json_t *settings) {
        const char *behind = NULL, *flaw = "";

        if (json_unpack(settings, "{s:s,s?s}", "behind", &behind, "flaw", &flaw) < 0)
                return w->host->fail(w->host, WARDSTONE_CONFIGURATION, "behind: expected a plugin");
        (void) snprintf(w->flaw, sizeof w->flaw, "%s", flaw);
        w->object = dlopen(behind, RTLD_NOW | RTLD_LOCAL);
        w->behind = w->object ? dlsym(w->object, "wardstone_chain_plugin") : NULL;
        if (!w->behind)
                return w->host->fail(w->host, WARDSTONE_CONFIGURATION, "behind: %s", dlerror());
        (void) json_object_del(settings, "behind");
        (void) json_object_del(settings, "flaw");
        if (has(w, "takes-any-setting"))
                (void) json_object_del(settings, "no_such_setting");
        char *config = json_dumps(settings, JSON_COMPACT);
        int r = config ? w->behind->open(w->host, config, &w->self) : WARDSTONE_RETRY;
        free(config);
        return r;
}

static int wayward_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        json_t *settings = json_loads(config, 0, NULL);
        Wayward *w = calloc(1, sizeof *w);
        int r = WARDSTONE_RETRY;

        if (settings && w) {
                w->host = host;
                r = open_behind(w, settings);
        }
        json_decref(settings);
        if (r == WARDSTONE_OK)
                *ret_self = w;
        else
                free(w);
        return r;
}

static int twist(const Wayward *w, int r, struct wardstone_chain_head *ret) {
        if (r == WARDSTONE_CONTRADICTED && has(w, "vague"))
                return w->host->fail(w->host, WARDSTONE_RETRY, "perhaps later");
        if (r != WARDSTONE_OK || ret->size == 0)
                return r;
        if (has(w, "no-receipt"))
                ret->receipt[0] = '\0';
        if (has(w, "wrong-root"))
                ret->root[0] ^= 1;
        if (has(w, "final-early"))
                ret->final_size = ret->size + 1;
        return r;
}

/* "stuck" and "trusts-state" look at what was saved. */
static int recall(const Wayward *w, struct wardstone_chain_head *ret) {
        char state[WARDSTONE_STATE_MAX];
        unsigned long long size;
        size_t n = 0;

        int r = w->host->load(w->host, state, &n);
        if (r != WARDSTONE_OK || n == 0)
                return r;
        state[n < STATE_TEXT_MAX ? n : STATE_TEXT_MAX] = '\0';
        if (has(w, "trusts-state") && strncmp(state, "sent ", 5) != 0)
                return w->host->fail(w->host, WARDSTONE_CONFIGURATION, "the state is damaged");
        if (has(w, "stuck") && sscanf(state, "sent %llu", &size) == 1 && size > ret->size)
                ret->pending_size = size;
        return WARDSTONE_OK;
}

static int wayward_head(void *self, const char *origin, struct wardstone_chain_head *ret) {
        Wayward *w = self;

        if (has(w, "forgets")) {
                *ret = w->remembered;
                return WARDSTONE_OK;
        }
        int r = w->behind->head(w->self, origin, ret);
        if (r == WARDSTONE_OK)
                r = recall(w, ret);
        return twist(w, r, ret);
}

static int wayward_poll(void *self, const char *origin, struct wardstone_chain_head *ret) {
        const Wayward *w = self;

        if (has(w, "crashes"))
                abort();
        if (has(w, "hangs"))
                for (;;)
                        (void) pause();
        return wayward_head(self, origin, ret);
}

static int save(const Wayward *w, const struct wardstone_checkpoint *c) {
        char text[STATE_TEXT_MAX];
        time_t began = time(NULL);

        int n = snprintf(text, sizeof text, "sent %llu of %.200s", (unsigned long long) c->size, c->origin);
        int r = w->host->save(w->host, text, (size_t) n);
        if (has(w, "ignores-save"))
                return WARDSTONE_OK;
        if (r == WARDSTONE_OK && has(w, "impatient") && time(NULL) > began)
                return w->host->fail(w->host, WARDSTONE_RETRY, "the gateway took too long");
        return r;
}

static int wayward_anchor(
                void *self, const struct wardstone_checkpoint *c, struct wardstone_chain_head *ret) {
        Wayward *w = self;
        struct wardstone_chain_head before = { 0 };

        if (has(w, "repeats-not") && w->behind->head(w->self, c->origin, &before) == WARDSTONE_OK &&
                        before.size == c->size)
                return w->host->fail(w->host, WARDSTONE_CONTRADICTED, "it is there already");
        int r = save(w, c);
        if (r == WARDSTONE_OK && has(w, "volatile")) { /* says so, and does not do it */
                *ret = (struct wardstone_chain_head){
                        .size = c->size, .final_size = c->size, .receipt = "soon"
                };
                memcpy(ret->root, c->root, sizeof ret->root);
                return r;
        }
        if (r == WARDSTONE_OK)
                r = w->behind->anchor(w->self, c, ret);
        if (r == WARDSTONE_CONTRADICTED && has(w, "forks")) {
                ret->size = ret->final_size = c->size;
                memcpy(ret->root, c->root, sizeof ret->root);
                r = WARDSTONE_OK;
        }
        if (r == WARDSTONE_OK)
                w->remembered = *ret;
        return twist(w, r, ret);
}

static void wayward_close(void *self) {
        Wayward *w = self;

        if (has(w, "lingers"))
                (void) sleep(3);
        w->behind->close(w->self);
        free(w);
}

const struct wardstone_chain_plugin wardstone_chain_plugin = {
        .abi = WARDSTONE_CHAIN_ABI,
        .name = "wayward",
        .open = wayward_open,
        .head = wayward_head,
        .anchor = wayward_anchor,
        .poll = wayward_poll,
        .close = wayward_close,
};
