/* chain resubmit: the daemon's connectors try now instead of after their wait. Nothing is sent from here: a transaction of
 * another process would compete with the connector for the account's next number. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "cli/chain.h"
#include "cli/client.h"
#include "cli/request.h"
#include "cli/table.h"

#define LOOK_US (200 * USEC_PER_MSEC)
#define SAY_US  (5 * USEC_PER_SEC)

enum { CHAINS_MAX = 8 };

typedef struct Wait {
        const Invocation *in;
        const char *name;  /* NULL: all */
        json_int_t wanted; /* what was signed at the beginning has to be final */
        json_int_t failures[CHAINS_MAX];
        json_t *status; /* the daemon's, as last asked */
} Wait;

static void wait_done(Wait *w) {
        json_decref(w->status);
}

static json_int_t number(const json_t *row, const char *name) {
        return json_integer_value(json_object_get(row, name));
}

static bool is_meant(const Wait *w, const json_t *chain) {
        return !w->name || streq(w->name, row_text(chain, "name"));
}

static int look(Wait *w, Error *e) {
        json_decref(w->status);
        w->status = NULL;
        return client_call(w->in->socket, request_new("status"), &w->status, e);
}

static int begin(Wait *w, Error *e) {
        const json_t *chain;
        size_t i;

        int r = look(w, e);
        if (r < 0)
                return r;
        w->wanted = number(json_object_get(w->status, "ledger"), "checkpoint_size");
        json_array_foreach(json_object_get(w->status, "chains"), i, chain) {
                if (i < CHAINS_MAX)
                        w->failures[i] = number(chain, "failures");
        }
        json_t *request = request_new("resubmit");
        if (request && w->name)
                (void) json_object_set_new(request, "chain", json_string(w->name));
        json_t *answer = NULL;
        r = client_call(w->in->socket, request, &answer, e);
        json_decref(answer);
        return r;
}

/* 0: all that was wanted is final; 1: not yet; an error where a connector has failed anew. */
static int judge(const Wait *w, Error *e) {
        const json_t *chain;
        int r = 0;
        size_t i;

        json_array_foreach(json_object_get(w->status, "chains"), i, chain) {
                if (!is_meant(w, chain) || i >= CHAINS_MAX || number(chain, "anchored_size") >= w->wanted)
                        continue;
                if (number(chain, "failures") > w->failures[i])
                        return error_set(e, -EAGAIN, "%s: %s", row_text(chain, "name"),
                                        row_text(chain, "reason"));
                r = 1;
        }
        return r;
}

static void say(const Wait *w) {
        const json_t *chain;
        size_t i;

        json_array_foreach(json_object_get(w->status, "chains"), i, chain) {
                if (is_meant(w, chain) && number(chain, "anchored_size") < w->wanted)
                        fprintf(stderr,
                                        "%s: %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
                                        " entries are final on the chain, %" JSON_INTEGER_FORMAT
                                        " under way\n",
                                        row_text(chain, "name"), number(chain, "anchored_size"), w->wanted,
                                        number(chain, "pending_size"));
        }
}

static int wait_for_chains(Wait *w, int64_t timeout_us, Error *e) {
        Stamp start = { 0 }, now = { 0 };

        clock_now(&start);
        int64_t say_us = start.mono_us + SAY_US;
        for (;;) {
                int r = look(w, e);
                if (r == 0)
                        r = judge(w, e);
                if (r <= 0)
                        return r;
                clock_now(&now);
                if (now.mono_us - start.mono_us > timeout_us)
                        return error_set(e, -ETIMEDOUT,
                                        "not final yet: the connector goes on; wardstone chain status shows "
                                        "how far it is");
                if (now.mono_us >= say_us) {
                        say(w);
                        say_us = now.mono_us + SAY_US;
                }
                (void) nanosleep(&(struct timespec){ .tv_nsec = LOOK_US * 1000 }, NULL);
        }
}

static int print(const Wait *w, Error *e) {
        static const Column columns[] = {
                { "CHAIN", "name", COLUMN_TEXT },
                { "FINAL", "anchored_size", COLUMN_NUMBER },
                { "RECEIPT", "receipt", COLUMN_TEXT },
        };
        _cleanup_(json_decrefp) json_t *rows = json_array();
        const json_t *chain;
        size_t i;

        json_array_foreach(json_object_get(w->status, "chains"), i, chain) {
                if (is_meant(w, chain))
                        (void) json_array_append(rows, (json_t *) chain);
        }
        if (!w->in->json)
                return table_print(rows, columns, ELEMENTS(columns)) < 0
                                       ? error_set(e, -ENOMEM, "out of memory")
                                       : 0;
        json_array_foreach(rows, i, chain) {
                row_print_json(chain);
        }
        return 0;
}

int chain_resubmit(const Invocation *in, const ChainValues *v, Error *e) {
        _cleanup_(wait_done) Wait w = { .in = in, .name = in->operand_count > 0 ? in->operands[0] : NULL };

        int r = begin(&w, e);
        if (r == 0)
                r = wait_for_chains(&w, v->timeout_us, e);
        return r == 0 ? print(&w, e) : r;
}
