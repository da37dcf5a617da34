/* status: how the gateway is, on one screen. */
#include <errno.h>

#include "cli/request.h"

static const json_t *at(const json_t *row, const char *group, const char *key) {
        return json_object_get(json_object_get(row, group), key);
}

static long long number_at(const json_t *row, const char *group, const char *key) {
        return (long long) json_integer_value(at(row, group, key));
}

static void print_head(const json_t *row) {
        char name[TEXT_MAX], version[TEXT_MAX], state[TEXT_MAX], up[CLOCK_TEXT_SIZE];

        text_json(json_object_get(row, "name"), name, sizeof name);
        text_json(json_object_get(row, "version"), version, sizeof version);
        text_json(json_object_get(row, "state"), state, sizeof state);
        text_age(json_number_value(json_object_get(row, "uptime_s")), up);
        printf("%s: %s, up %s, version %s, clock %ssynchronised\n", name, state, up, version,
                        json_is_true(at(row, "clock", "synchronised")) ? "" : "not ");
        text_json(json_object_get(row, "store_error"), state, sizeof state);
        if (*state)
                printf("store:       %s\n", state);
}

static void print_ledger(const json_t *row) {
        char origin[TEXT_MAX], bytes[CLOCK_TEXT_SIZE];

        text_json(json_object_get(row, "origin"), origin, sizeof origin);
        text_bytes(json_number_value(at(row, "ledger", "bytes")), bytes);
        printf("ledger:      %s, %lld entries, %lld blocks, %s on disk; checkpoint at %lld\n", origin,
                        number_at(row, "ledger", "size"), number_at(row, "ledger", "height"), bytes,
                        number_at(row, "ledger", "checkpoint_size"));
        if (number_at(row, "ledger", "pruned_size") > 0)
                printf("             bodies below entry %lld are pruned\n",
                                number_at(row, "ledger", "pruned_size"));
        printf("commits:     %lld batches, %lld entries, %lld failed; %lld entries waiting, %lld shed\n",
                        number_at(row, "commits", "batches"), number_at(row, "commits", "entries"),
                        number_at(row, "commits", "failed"), number_at(row, "ledger", "open_entries"),
                        number_at(row, "commits", "shed"));
}

static void print_counts(const json_t *row) {
        const char *verdict;
        json_t *count;
        const char *separator = "";

        printf("ward:        %lld subjects, %lld devices, %lld rules\n",
                        (long long) json_integer_value(json_object_get(row, "subjects")),
                        (long long) json_integer_value(json_object_get(row, "devices")),
                        (long long) json_integer_value(json_object_get(row, "rules")));
        printf("alerts:      %lld active, %lld acknowledged, %lld silences in force\n",
                        number_at(row, "alerts", "active"), number_at(row, "alerts", "acknowledged"),
                        number_at(row, "alerts", "silences"));
        if (number_at(row, "alerts", "shed") > 0)
                printf("             %lld not followed: too many at once\n",
                                number_at(row, "alerts", "shed"));
        printf("readings:    ");
        json_object_foreach(json_object_get(row, "verdicts"), verdict, count) {
                if (json_integer_value(count) == 0 && !streq(verdict, "accepted"))
                        continue;
                printf("%s%lld %s", separator, (long long) json_integer_value(count), verdict);
                separator = ", ";
        }
        printf("\nquarantine:  %lld of at most %lld messages, %lld dropped\n",
                        number_at(row, "quarantine", "count"), number_at(row, "quarantine", "limit"),
                        number_at(row, "quarantine", "shed"));
}

static int print_lists(const json_t *row) {
        static const Column sources[] = {
                { "SOURCE", "name", COLUMN_TEXT },
                { "KIND", "kind", COLUMN_TEXT },
                { "UP", "up", COLUMN_TEXT },
                { "FRAMES", "frames", COLUMN_NUMBER },
                { "ACKED", "acknowledged", COLUMN_NUMBER },
                { "REDELIVERED", "redelivered", COLUMN_NUMBER },
                { "REFUSED", "refused", COLUMN_NUMBER },
                { "CONNECTS", "connects", COLUMN_NUMBER },
                { "DURABLE", "durable", COLUMN_TEXT },
                { "REASON", "reason", COLUMN_TEXT },
        };
        static const Column chains[] = {
                { "CHAIN", "name", COLUMN_TEXT },
                { "HEALTH", "health", COLUMN_TEXT },
                { "POLICY", "policy", COLUMN_TEXT },
                { "ANCHORED", "anchored_size", COLUMN_NUMBER },
                { "BLOCK", "anchored_height", COLUMN_NUMBER },
                { "PENDING", "pending_size", COLUMN_NUMBER },
                { "RECEIPT", "receipt", COLUMN_TEXT },
                { "REASON", "reason", COLUMN_TEXT },
        };
        static const Column receivers[] = {
                { "RECEIVER", "name", COLUMN_TEXT },
                { "STATE", "state", COLUMN_TEXT },
                { "DELIVERED", "delivered", COLUMN_NUMBER },
                { "FAILED", "failed", COLUMN_NUMBER },
                { "QUEUED", "queued", COLUMN_NUMBER },
                { "HELD", "held", COLUMN_NUMBER },
                { "GIVEN UP", "undelivered", COLUMN_NUMBER },
                { "REASON", "reason", COLUMN_TEXT },
        };

        int r = table_print(json_object_get(row, "sources"), sources, ELEMENTS(sources));
        if (r == 0)
                r = table_print(json_object_get(row, "chains"), chains, ELEMENTS(chains));
        if (r == 0)
                r = table_print(json_object_get(row, "receivers"), receivers, ELEMENTS(receivers));
        return r;
}

static int run_status(const Invocation *in, Error *e) {
        _cleanup_(json_decrefp) json_t *row = NULL;

        int r = client_call(in->socket, request_new("status"), &row, e);
        if (r < 0)
                return r;
        if (in->json) {
                (void) json_dumpf(row, stdout, JSON_COMPACT);
                putchar('\n');
                return 0;
        }
        print_head(row);
        print_ledger(row);
        print_counts(row);
        return print_lists(row) < 0 ? error_set(e, -ENOMEM, "out of memory") : 0;
}

const Command command_status = {
        .name = "status",
        .summary = "Show how the gateway is",
        .talks = true,
        .run = run_status,
};
