/* chain status: what the chain has of a gateway's ledger, beside what the gateway says. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "cli/chain_contract.h"
#include "cli/request.h"

enum { LAST_MAX = 5, SEARCH_BLOCKS = 5000 };

typedef struct Anchored {
        uint64_t epoch, size, block;
        Hash transaction;
} Anchored;

typedef struct State {
        Contract contract;
        json_t *daemon; /* status; NULL: no daemon */
        char name[ORIGIN_MAX];
        AbiGatewayInfo gateway;
        AbiHead head;
        uint64_t balance, nonce;
        Anchored last[LAST_MAX]; /* the newest last */
        size_t last_count;
        const char *agrees; /* does the chain's root fit the ledger's */
        Error reason;       /* why no daemon */
} State;

static void state_done(State *s) {
        contract_close(&s->contract);
        json_decref(s->daemon);
}

static const json_t *ledger_of(const State *s, const char *key) {
        return json_object_get(json_object_get(s->daemon, "ledger"), key);
}

static int on_anchored(void *userdata, const ContractEvent *event, Error *e) {
        State *s = userdata;

        if (s->last_count == LAST_MAX)
                memmove(s->last, s->last + 1, --s->last_count * sizeof *s->last);
        Anchored *a = &s->last[s->last_count++];
        *a = (Anchored){ .block = event->block, .transaction = event->transaction };
        if (event->topic_count < 3 || contract_event_number(event, 0, &a->size) < 0)
                return error_set(e, -EBADMSG, "an event that is not the contract's");
        a->epoch = be64_read(event->topics[2].bytes + SHA256_SIZE - 8);
        return 0;
}

/* "yes", "no", or what stands in the way of knowing. */
static const char *compare(const Invocation *in, const State *s) {
        _cleanup_(json_decrefp) json_t *row = NULL;
        json_t *request;
        Checkpoint c;
        Error e;

        if (s->head.size == 0)
                return "nothing is anchored";
        if ((json_int_t) s->head.epoch != json_integer_value(ledger_of(s, "epoch")))
                return (json_int_t) s->head.epoch > json_integer_value(ledger_of(s, "epoch"))
                                       ? "no: the chain has a later epoch"
                                       : "the chain has an earlier epoch";
        if ((json_int_t) s->head.size > json_integer_value(ledger_of(s, "checkpoint_size")))
                return "no: the chain has more than the ledger";
        request = request_new("consistency");
        request_number(&request, "from", 0);
        request_number(&request, "to", (int64_t) s->head.size);
        if (client_call(in->socket, request, &row, &e) < 0)
                return "unknown: the gateway does not say";
        if (checkpoint_parse(BYTES_STRING(row_text(row, "note")), &c, NULL) < 0)
                return "no: no block of the ledger ends there";
        return hash_equal(&c.root, &s->head.root) ? "yes" : "no: the ledger has another root";
}

static int ask_daemon(const Invocation *in, State *s, Error *e) {
        int r = client_call(in->socket, request_new("status"), &s->daemon, &s->reason);
        const char *name = in->operand_count > 0 ? in->operands[0] : row_text(s->daemon, "name");

        if (in->operand_count > 0 && !streq(name, row_text(s->daemon, "name"))) {
                json_decref(s->daemon); /* of another gateway */
                s->daemon = NULL;
        }
        if (!*name)
                return error_set(e, r < 0 ? r : -EBADMSG, "which gateway? give its NAME (%.300s)",
                                s->reason.message);
        if (snprintf(s->name, sizeof s->name, "%s", name) >= (int) sizeof s->name)
                return error_set(e, CLI_USAGE, "NAME: longer than a gateway's");
        return 0;
}

static int ask_chain(State *s, const Hash *gateway, Error *e) {
        const uint64_t newest = s->contract.newest.number;
        const ContractEvents q = { .signature = EVENT_ANCHORED,
                .gateway = gateway,
                .first = newest > SEARCH_BLOCKS ? newest - SEARCH_BLOCKS : 0,
                .last = newest,
                .fn = on_anchored,
                .userdata = s };
        RpcError refusal;

        int r = contract_gateway(&s->contract, gateway, &s->gateway, e);
        if (r == 0)
                r = contract_head(&s->contract, gateway, &s->head, e);
        if (r == 0)
                r = contract_events(&s->contract, &q, e);
        if (r < 0)
                return r;
        r = rpc_balance(contract_rpc(&s->contract), &s->gateway.sender, &s->balance, &refusal);
        if (r == WARDSTONE_OK)
                r = rpc_nonce(contract_rpc(&s->contract), &s->gateway.sender, "latest", &s->nonce, &refusal);
        return r == WARDSTONE_OK ? 0 : contract_failed(&s->contract, r, "eth_getBalance", &refusal, e);
}

/* --- how it is said --- */

static json_t *last_json(const State *s) {
        char text[HASH_TEXT_SIZE];
        json_t *list = json_array();

        for (size_t i = s->last_count; i-- > 0;) {
                hex_write(BYTES(s->last[i].transaction.bytes, SHA256_SIZE), text);
                (void) json_array_append_new(
                                list, json_pack("{sI sI sI ss}", "epoch", (json_int_t) s->last[i].epoch,
                                                      "size", (json_int_t) s->last[i].size, "block",
                                                      (json_int_t) s->last[i].block, "transaction", text));
        }
        return list;
}

/* Entries that are signed and not anchored; null where either is unknown or of another epoch. */
static json_t *lag_json(const State *s) {
        json_int_t signed_size = json_integer_value(ledger_of(s, "checkpoint_size"));

        if (!s->daemon)
                return json_null();
        if ((json_int_t) s->head.epoch != json_integer_value(ledger_of(s, "epoch")))
                return json_integer(signed_size);
        return json_integer(MAX(signed_size - (json_int_t) s->head.size, 0));
}

static json_t *state_json(const State *s) {
        char sender[ADDRESS_TEXT_SIZE], time[CLOCK_TEXT_SIZE], root[2 * SHA256_SIZE + 1];

        address_format(&s->gateway.sender, sender);
        chain_time_format(s->head.time, time);
        sodium_bin2hex(root, sizeof root, s->head.root.bytes, SHA256_SIZE);
        json_t *row = json_pack("{ss sI ss sb sb ss so sI so so? ss}", "gateway", s->name, "chain_id",
                        (json_int_t) s->contract.chain_id, "contract", s->contract.address_text,
                        "registered", s->gateway.name[0] != '\0', "active", s->gateway.active, "sender",
                        sender, "balance",
                        s->balance == UINT64_MAX
                                        ? json_string("plenty")
                                        : json_integer((json_int_t) MIN(s->balance, (uint64_t) INT64_MAX)),
                        "transactions", (json_int_t) s->nonce, "lag", lag_json(s), "connectors",
                        json_incref(json_object_get(s->daemon, "chains")), "same_ledger",
                        s->agrees ? s->agrees : "unknown: no daemon");
        if (s->head.size > 0)
                (void) json_object_set_new(row, "head",
                                json_pack("{sI sI ss sI ss}", "epoch", (json_int_t) s->head.epoch, "size",
                                                (json_int_t) s->head.size, "root", root, "block",
                                                (json_int_t) s->head.block, "time", time));
        (void) json_object_set_new(row, "last", last_json(s));
        return row;
}

static void print_gateway(const State *s, const json_t *row) {
        char balance[TEXT_MAX];

        text_json(json_object_get(row, "balance"), balance, sizeof balance);
        printf("gateway:     %s, in contract %s on chain %llu\n", s->name, s->contract.address_text,
                        (unsigned long long) s->contract.chain_id);
        if (!s->gateway.name[0]) {
                puts("             not registered there: wardstone chain register");
                return;
        }
        printf("account:     %s%s, %s wei, %llu transactions\n", row_text(row, "sender"),
                        s->gateway.active ? "" : " (REVOKED)", balance, (unsigned long long) s->nonce);
}

static void print_ledger(const State *s, const json_t *row) {
        if (s->head.size > 0)
                printf("anchored:    %llu entries of epoch %llu, in block %llu at %s\n",
                                (unsigned long long) s->head.size, (unsigned long long) s->head.epoch,
                                (unsigned long long) s->head.block,
                                row_text(json_object_get(row, "head"), "time"));
        else
                puts("anchored:    nothing yet");
        if (!s->daemon) {
                printf("ledger:      unknown: %s\n",
                                *s->reason.message ? s->reason.message
                                                   : "the daemon here is another gateway's");
                return;
        }
        printf("ledger:      %lld entries are signed in epoch %lld; %lld of them wait for an anchor\n",
                        (long long) json_integer_value(ledger_of(s, "checkpoint_size")),
                        (long long) json_integer_value(ledger_of(s, "epoch")),
                        (long long) json_integer_value(json_object_get(row, "lag")));
        printf("same ledger: %s\n", s->agrees);
}

static int print_tables(const json_t *row) {
        static const Column connectors[] = {
                { "CONNECTOR", "name", COLUMN_TEXT },
                { "HEALTH", "health", COLUMN_TEXT },
                { "FINAL", "anchored_size", COLUMN_NUMBER },
                { "PENDING", "pending_size", COLUMN_NUMBER },
                { "ANCHORS", "anchors", COLUMN_NUMBER },
                { "FAILURES", "failures", COLUMN_NUMBER },
                { "RECEIPT", "receipt", COLUMN_TEXT },
                { "REASON", "reason", COLUMN_TEXT },
        };
        static const Column last[] = {
                { "EPOCH", "epoch", COLUMN_NUMBER },
                { "SIZE", "size", COLUMN_NUMBER },
                { "BLOCK", "block", COLUMN_NUMBER },
                { "TRANSACTION", "transaction", COLUMN_TEXT },
        };

        int r = table_print(json_object_get(row, "connectors"), connectors, ELEMENTS(connectors));
        return r < 0 ? r : table_print(json_object_get(row, "last"), last, ELEMENTS(last));
}

int chain_status(const Invocation *in, const ChainValues *v, Error *e) {
        _cleanup_(state_done) State s = { 0 };
        _cleanup_(json_decrefp) json_t *row = NULL;
        Hash gateway;

        int r = ask_daemon(in, &s, e);
        if (r == 0)
                r = chain_open(v, &s.contract, e);
        if (r != 0)
                return r;
        abi_gateway(BYTES_STRING(s.name), &gateway);
        r = ask_chain(&s, &gateway, e);
        if (r < 0)
                return r;
        if (s.daemon)
                s.agrees = compare(in, &s);
        row = state_json(&s);
        if (!row)
                return error_set(e, -ENOMEM, "out of memory");
        if (in->json) {
                row_print_json(row);
                return 0;
        }
        print_gateway(&s, row);
        print_ledger(&s, row);
        return print_tables(row) < 0 ? error_set(e, -ENOMEM, "out of memory") : 0;
}
