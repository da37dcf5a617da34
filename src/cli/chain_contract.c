#include "cli/chain_contract.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "chain-ethereum/hex.h"
#include "chain-ethereum/keccak.h"
#include "cli/chain_code.h"

enum { WORD = 32, EVENT_DATA_MAX = 16 * 1024, BLOCKS_AT_ONCE_MIN = 64 };

#define NODE_TIMEOUT_US (10 * USEC_PER_SEC)

/* --- the node --- */

static int keep_failure(const struct wardstone_host *host, int result, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

static int keep_failure(const struct wardstone_host *host, int result, const char *format, ...) {
        Error *failure = host->context;
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(failure->message, sizeof failure->message, format, ap);
        va_end(ap);
        return result;
}

/* What goes wrong is said by fail(); what a client thinks of on the way is nobody's concern here. */
static void say_nothing(const struct wardstone_host *host, enum wardstone_level level, const char *format,
                ...) __attribute__((format(printf, 3, 4)));

static void say_nothing(
                const struct wardstone_host *host, enum wardstone_level level, const char *format, ...) {
        (void) host;
        (void) level;
        (void) format;
}

Rpc *contract_rpc(Contract *c) {
        Stamp now = { 0 };

        clock_now(&now);
        rpc_begin(&c->rpc, now.mono_us + 2 * NODE_TIMEOUT_US);
        return &c->rpc;
}

int contract_failed(Contract *c, int r, const char *what, const RpcError *refusal, Error *e) {
        if (r == RPC_REFUSED)
                r = rpc_refused(&c->rpc, what, refusal);
        return error_set(e, r == WARDSTONE_CONFIGURATION ? -EINVAL : -EIO, "%s", c->failure.message);
}

int contract_refresh(Contract *c, Error *e) {
        RpcError refusal;

        int r = rpc_block(contract_rpc(c), "latest", &c->newest, &refusal);
        if (r != WARDSTONE_OK)
                return contract_failed(c, r, "eth_getBlockByNumber", &refusal, e);
        if (!c->newest.found)
                return error_set(e, -EIO, "the node has no block yet: is it still starting?");
        quantity_write(c->newest.number, c->block);
        return 0;
}

int contract_open(Contract *c, const ChainTarget *t, Error *e) {
        const RpcOptions options = {
                .endpoints = { t->url },
                .count = 1,
                .transfer = { .ca = t->ca,
                                .cert = t->cert,
                                .key = t->cert_key,
                                .timeout_us = NODE_TIMEOUT_US },
                .username = t->username,
                .password_file = t->password_file,
                .token_file = t->token_file,
        };
        RpcError refusal;

        *c = (Contract){ .host = { .name = "chain", .fail = keep_failure, .log = say_nothing },
                .settings = c->settings };
        c->host.context = &c->failure;
        if (t->contract && address_parse(t->contract, &c->address) < 0)
                return error_set(e, -EINVAL,
                                "%s: expected a contract's address, 0x and 40 digits, and of letters in "
                                "both "
                                "cases those that EIP-55 gives it",
                                t->contract);
        address_format(&c->address, c->address_text);
        int r = rpc_open(&c->rpc, &c->host, &options);
        if (r == WARDSTONE_OK)
                r = rpc_chain_id(contract_rpc(c), &c->chain_id, &refusal);
        if (r != WARDSTONE_OK)
                return contract_failed(c, r, "eth_chainId", &refusal, e);
        return contract_refresh(c, e);
}

void contract_close(Contract *c) {
        rpc_close(&c->rpc);
        json_decref(TAKE(c->settings));
}

/* --- views --- */

/* Takes data. */
static int view(Contract *c, int encoded, uint8_t *data, size_t len, uint8_t **ret, size_t *ret_len,
                Error *e) {
        _cleanup_free_ uint8_t *owned = encoded < 0 ? NULL : data;
        RpcError refusal;

        if (encoded < 0)
                return error_set(e, encoded, "out of memory");
        int r = rpc_view(contract_rpc(c), NULL, &c->address, BYTES(owned, len), c->block, ret, ret_len,
                        &refusal);
        return r == WARDSTONE_OK ? 0 : contract_failed(c, r, "eth_call", &refusal, e);
}

static int understood(const Contract *c, int r, Error *e) {
        return r == 0 ? 0
                      : error_set(e, r, "the contract at %s does not answer as WardstoneAnchors does",
                                        c->address_text);
}

int contract_code(Contract *c, ContractCode *ret, Hash *ret_hash, Error *e) {
        _cleanup_free_ uint8_t *code = NULL;
        json_t *result = NULL;
        RpcError refusal;
        size_t len = 0;
        Hash known;

        int r = rpc_call(contract_rpc(c), "eth_getCode", json_pack("[ss]", c->address_text, c->block),
                        &result, &refusal);
        if (r != WARDSTONE_OK)
                return contract_failed(c, r, "eth_getCode", &refusal, e);
        r = rpc_read_data(result, &code, &len);
        json_decref(result);
        if (r < 0)
                return error_set(e, r, "the node answers eth_getCode with something else");
        keccak256(BYTES(code, len), ret_hash);
        keccak256(BYTES(chain_code_deployed, chain_code_deployed_len), &known);
        *ret = len == 0 ? CODE_NONE : hash_equal(ret_hash, &known) ? CODE_KNOWN : CODE_OTHER;
        return 0;
}

int contract_gateway(Contract *c, const Hash *gateway, AbiGatewayInfo *ret, Error *e) {
        _cleanup_free_ uint8_t *answer = NULL;
        uint8_t *data = NULL;
        size_t len = 0, answer_len = 0;

        int r = abi_call_gateway_info(gateway, &data, &len);
        r = view(c, r, data, len, &answer, &answer_len, e);
        return r < 0 ? r : understood(c, abi_read_gateway_info(BYTES(answer, answer_len), ret), e);
}

int contract_head(Contract *c, const Hash *gateway, AbiHead *ret, Error *e) {
        _cleanup_free_ uint8_t *answer = NULL;
        uint8_t *data = NULL;
        size_t len = 0, answer_len = 0;

        int r = abi_call_head(gateway, &data, &len);
        r = view(c, r, data, len, &answer, &answer_len, e);
        return r < 0 ? r : understood(c, abi_read_head(BYTES(answer, answer_len), ret), e);
}

int contract_anchored(Contract *c, const Hash *gateway, uint64_t epoch, uint64_t size, AbiAnchored *ret,
                Error *e) {
        _cleanup_free_ uint8_t *answer = NULL;
        uint8_t *data = NULL;
        size_t len = 0, answer_len = 0;

        int r = abi_call_anchored(gateway, epoch, size, &data, &len);
        r = view(c, r, data, len, &answer, &answer_len, e);
        return r < 0 ? r : understood(c, abi_read_anchored(BYTES(answer, answer_len), ret), e);
}

static int word_number(Bytes data, size_t i, uint64_t *ret) {
        static const uint8_t zeros[WORD - 8];

        if (data.len / WORD <= i || memcmp(data.data + i * WORD, zeros, sizeof zeros) != 0)
                return -EBADMSG;
        *ret = be64_read(data.data + i * WORD + sizeof zeros);
        return 0;
}

int contract_fork_count(Contract *c, const Hash *gateway, uint64_t *ret, Error *e) {
        _cleanup_free_ uint8_t *answer = NULL;
        uint8_t *data = NULL;
        size_t len = 0, answer_len = 0;

        int r = abi_encode("forkCount(bytes32)", &ABI_WORD_OF(gateway), 1, &data, &len);
        r = view(c, r, data, len, &answer, &answer_len, e);
        return r < 0 ? r : understood(c, word_number(BYTES(answer, answer_len), 0, ret), e);
}

int contract_fork_block(Contract *c, const Hash *gateway, uint64_t index, uint64_t *ret, Error *e) {
        const AbiValue values[] = { ABI_WORD_OF(gateway), ABI_UINT_OF(index) };
        _cleanup_free_ uint8_t *answer = NULL;
        uint8_t *data = NULL;
        size_t len = 0, answer_len = 0;

        int r = abi_encode("fork(bytes32,uint256)", values, ELEMENTS(values), &data, &len);
        r = view(c, r, data, len, &answer, &answer_len, e);
        return r < 0 ? r : understood(c, word_number(BYTES(answer, answer_len), 3, ret), e);
}

/* --- events --- */

/* At most 32 bytes. */
static json_t *data_json(Bytes data) {
        char text[HASH_TEXT_SIZE];

        hex_write(data, text);
        return json_string(text);
}

static json_t *filter(const Contract *c, const ContractEvents *q, uint64_t first, uint64_t last) {
        char from[QUANTITY_SIZE], to[QUANTITY_SIZE];
        uint8_t epoch[WORD] = { 0 };
        Hash topic;

        quantity_write(first, from);
        quantity_write(last, to);
        keccak256(BYTES_STRING(q->signature), &topic);
        json_t *topics = json_pack("[o, o]", data_json(BYTES(topic.bytes, SHA256_SIZE)),
                        data_json(BYTES(q->gateway->bytes, SHA256_SIZE)));
        if (q->epoch) {
                be64_write(epoch + WORD - 8, *q->epoch);
                (void) json_array_append_new(topics, data_json(BYTES(epoch, sizeof epoch)));
        }
        return json_pack("[{s:s, s:s, s:s, s:o}]", "address", c->address_text, "fromBlock", from, "toBlock",
                        to, "topics", topics);
}

/* What a node gives must be what was asked for: it could have answered another's question. */
static int read_event(const Contract *c, const ContractEvents *q, const json_t *row, uint8_t *data,
                ContractEvent *ret) {
        const json_t *topics = json_object_get(row, "topics");
        const char *const from = json_string_value(json_object_get(row, "address"));
        const char *const text = json_string_value(json_object_get(row, "data"));
        const char *const name = json_string_value(json_object_get(row, "transactionHash"));
        uint8_t address[ADDRESS_SIZE];
        size_t len;
        Hash signature;

        ret->topic_count = json_array_size(topics);
        if (ret->topic_count < 2 || ret->topic_count > ELEMENTS(ret->topics) || !from || !text || !name ||
                        hex_read_exact(from, address, sizeof address) < 0 ||
                        memcmp(address, c->address.bytes, sizeof address) != 0 ||
                        hex_read_exact(name, ret->transaction.bytes, SHA256_SIZE) < 0 ||
                        hex_read(text, data, EVENT_DATA_MAX, &len) < 0 ||
                        rpc_read_quantity(json_object_get(row, "blockNumber"), &ret->block) < 0)
                return -EBADMSG;
        for (size_t i = 0; i < ret->topic_count; i++) {
                const char *topic = json_string_value(json_array_get(topics, i));
                if (!topic || hex_read_exact(topic, ret->topics[i].bytes, SHA256_SIZE) < 0)
                        return -EBADMSG;
        }
        keccak256(BYTES_STRING(q->signature), &signature);
        if (!hash_equal(&ret->topics[0], &signature) || !hash_equal(&ret->topics[1], q->gateway))
                return -EBADMSG;
        ret->data = BYTES(data, len);
        return 0;
}

static int hand_out(const Contract *c, const ContractEvents *q, const json_t *rows, Error *e) {
        _cleanup_free_ uint8_t *data = malloc(EVENT_DATA_MAX);
        ContractEvent event;

        if (!data)
                return error_set(e, -ENOMEM, "out of memory");
        if (!json_is_array(rows))
                return error_set(e, -EBADMSG, "the node answers eth_getLogs with something else");
        for (size_t i = 0; i < json_array_size(rows); i++) {
                if (read_event(c, q, json_array_get(rows, i), data, &event) < 0)
                        return error_set(e, -EBADMSG, "the node gives an event that was not asked for");
                int r = q->fn(q->userdata, &event, e);
                if (r != 0)
                        return r;
        }
        return 0;
}

int contract_events(Contract *c, const ContractEvents *q, Error *e) {
        uint64_t span = q->last - q->first + 1, first = q->first;
        RpcError refusal;

        while (first <= q->last) {
                const uint64_t last = q->last - first < span ? q->last : first + span - 1;
                json_t *rows = NULL;
                int r = rpc_call(contract_rpc(c), "eth_getLogs", filter(c, q, first, last), &rows, &refusal);
                if (r != WARDSTONE_OK && span > BLOCKS_AT_ONCE_MIN) {
                        /* too many blocks or events for this node: a refusal, an answer that is too long or a timeout */
                        span /= 2;
                        continue;
                }
                if (r != WARDSTONE_OK)
                        return contract_failed(c, r, "eth_getLogs", &refusal, e);
                r = hand_out(c, q, rows, e);
                json_decref(rows);
                if (r != 0)
                        return r;
                if (q->searched)
                        q->searched(q->userdata, last - q->first + 1, q->last - q->first + 1);
                first = last + 1;
        }
        return 0;
}

int contract_event_number(const ContractEvent *event, size_t i, uint64_t *ret) {
        return word_number(event->data, i, ret);
}

int contract_event_hash(const ContractEvent *event, size_t i, Hash *ret) {
        if (event->data.len / WORD <= i)
                return -EBADMSG;
        memcpy(ret->bytes, event->data.data + i * WORD, WORD);
        return 0;
}

int contract_event_bytes(const ContractEvent *event, size_t i, Bytes *ret) {
        const Bytes data = event->data;
        uint64_t at, len;

        if (word_number(data, i, &at) < 0 || at > data.len || at % WORD != 0 ||
                        word_number(data, (size_t) at / WORD, &len) < 0 || len > data.len - at - WORD)
                return -EBADMSG;
        *ret = BYTES(data.data + at + WORD, (size_t) len);
        return 0;
}

void chain_time_format(uint64_t time, char ret[static CLOCK_TEXT_SIZE]) {
        const uint64_t year_10000 = UINT64_C(253402300800);

        if (time >= year_10000)
                time /= UINT64_C(1000000000);
        clock_format((int64_t) time * USEC_PER_SEC, ret);
}

int origin_split(const char *origin, char ret_name[static ORIGIN_MAX], uint64_t *ret_epoch) {
        const char *slash = strrchr(origin, '/');
        char *end;

        if (!slash || slash == origin || (size_t) (slash - origin) >= ORIGIN_MAX || slash[1] < '1' ||
                        slash[1] > '9')
                return -EBADMSG;
        errno = 0;
        unsigned long long epoch = strtoull(slash + 1, &end, 10);
        if (errno != 0 || *end != '\0')
                return -EBADMSG;
        memcpy(ret_name, origin, (size_t) (slash - origin));
        ret_name[slash - origin] = '\0';
        *ret_epoch = epoch;
        return 0;
}
