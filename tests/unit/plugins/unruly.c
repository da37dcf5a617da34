/* A chain connector that does what it is told to: the origin of a call, or the setting "open", is the
 * command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wardstone/chain_plugin.h"

#ifndef UNRULY_ABI
#define UNRULY_ABI WARDSTONE_CHAIN_ABI
#endif

enum { SOCKET = 3, OVERSIZE = 70000 };

static void say(const char *text) {
        (void) !send(SOCKET, text, strlen(text), MSG_NOSIGNAL);
}

static int keep(const struct wardstone_host *host, const char *text, struct wardstone_chain_head *ret) {
        char state[WARDSTONE_STATE_MAX];
        size_t n;

        int r = host->save(host, text, strlen(text));
        if (r == WARDSTONE_OK)
                r = host->load(host, state, &n);
        if (r == WARDSTONE_OK)
                (void) snprintf(ret->receipt, sizeof ret->receipt, "%.*s", (int) n, state);
        return r;
}

static int obey(const struct wardstone_host *host, const char *command, struct wardstone_chain_head *ret) {
        static char oversize[OVERSIZE];
        char state[WARDSTONE_STATE_MAX];
        size_t n;

        if (strcmp(command, "crash") == 0)
                abort();
        if (strcmp(command, "exit") == 0)
                _exit(7);
        if (strcmp(command, "hang") == 0)
                for (;;)
                        (void) pause();
        if (strcmp(command, "close") == 0) {
                (void) close(SOCKET);
                for (;;)
                        (void) pause();
        }
        if (strcmp(command, "slow") == 0)
                (void) usleep(200 * 1000);
        if (strcmp(command, "garbage") == 0)
                say("no JSON");
        if (strcmp(command, "unasked") == 0)
                say("{\"id\":4711,\"r\":0}");
        if (strncmp(command, "say:", 4) == 0)
                say(command + 4);
        if (strcmp(command, "acknowledge") == 0)
                return host->acknowledge(host, "alert", "anna", NULL);
        if (strcmp(command, "oversize") == 0)
                (void) !send(SOCKET, oversize, sizeof oversize, MSG_NOSIGNAL);
        if (strcmp(command, "beg") == 0)
                for (;;)
                        (void) host->load(host, state, &n);
        if (strncmp(command, "keep:", 5) == 0)
                return keep(host, command + 5, ret);
        if (strcmp(command, "retry") == 0)
                return host->fail(host, WARDSTONE_RETRY, "try %s", "later");
        if (strcmp(command, "contradicted") == 0)
                return host->fail(host, WARDSTONE_CONTRADICTED, "a fork");
        if (strcmp(command, "configuration") == 0)
                return host->fail(host, WARDSTONE_CONFIGURATION, "no funds \xff");
        if (strcmp(command, "nonsense") == 0)
                return 42;
        if (strcmp(command, "impossible") == 0)
                ret->final_size = 1;
        if (strcmp(command, "name") == 0)
                (void) snprintf(ret->receipt, sizeof ret->receipt, "%s %s", host->name, host->state_dir);
        return WARDSTONE_OK;
}

static int unruly_open(const struct wardstone_host *host, const char *config, void **ret_self) {
        static const char *const commands[] = { "crash", "exit", "hang", "configuration" };
        struct wardstone_chain_head ignored;
        int r = WARDSTONE_OK;

        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
                if (strstr(config, commands[i]))
                        r = obey(host, commands[i], &ignored);
        if (r == WARDSTONE_OK)
                *ret_self = (void *) host;
        return r;
}

static int unruly_head(void *self, const char *origin, struct wardstone_chain_head *ret) {
        return obey(self, origin, ret);
}

static int unruly_anchor(
                void *self, const struct wardstone_checkpoint *c, struct wardstone_chain_head *ret) {
        ret->size = c->size;
        memcpy(ret->root, c->proof[c->proof_count - 1], sizeof ret->root);
        (void) snprintf(ret->receipt, sizeof ret->receipt, "%s %llu", c->note,
                        (unsigned long long) c->old_size);
        return WARDSTONE_OK;
}

static void unruly_close(void *self) {
        const struct wardstone_host *host = self;

        if (host->state_dir)
                (void) !chdir(host->state_dir);
        FILE *f = fopen("closed", "we");
        if (f)
                (void) fclose(f);
}

const struct wardstone_chain_plugin wardstone_chain_plugin = {
        .abi = UNRULY_ABI,
        .name = "unruly",
        .open = unruly_open,
        .head = unruly_head,
        .anchor = unruly_anchor,
        .poll = unruly_head,
        .close = unruly_close,
};
