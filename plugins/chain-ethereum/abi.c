#include "abi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "keccak.h"
#include "text.h"

enum { WORD = 32, SELECTOR = 4 };

/* --- writing --- */

static size_t padded(size_t len) {
        return (len + WORD - 1) / WORD * WORD;
}

static bool is_dynamic(const AbiValue *v) {
        return v->type == ABI_BYTES || v->type == ABI_WORDS || v->type == ABI_ADDRESSES;
}

/* Of its tail: the length, and what it has. */
static size_t tail_size(const AbiValue *v) {
        if (!is_dynamic(v))
                return 0;
        return WORD + (v->type == ABI_BYTES ? padded(v->bytes.len) : v->count * WORD);
}

static void put_number(uint8_t *p, uint64_t v) {
        be64_write(p + WORD - sizeof v, v);
}

static void put_address(uint8_t *p, const void *address) {
        memcpy(p + WORD - ADDRESS_SIZE, address, ADDRESS_SIZE);
}

/* p is zeroed and has what head and tail take; tail is from where offsets count. */
static void put_value(const AbiValue *v, uint8_t *p, uint8_t *tail) {
        const uint8_t *items = v->items;

        switch (v->type) {
        case ABI_UINT:
                put_number(p, v->number);
                break;
        case ABI_WORD:
                memcpy(p, v->word->bytes, WORD);
                break;
        case ABI_ADDRESS:
                put_address(p, v->address->bytes);
                break;
        case ABI_BYTES:
                put_number(tail, v->bytes.len);
                if (v->bytes.len > 0)
                        memcpy(tail + WORD, v->bytes.data, v->bytes.len);
                break;
        case ABI_WORDS:
                put_number(tail, v->count);
                if (v->count > 0)
                        memcpy(tail + WORD, items, v->count * WORD);
                break;
        case ABI_ADDRESSES:
                put_number(tail, v->count);
                for (size_t i = 0; i < v->count; i++)
                        put_address(tail + WORD + i * WORD, items + i * ADDRESS_SIZE);
                break;
        }
}

static void put_selector(const char *signature, uint8_t *ret) {
        Hash hash;

        keccak256(BYTES_STRING(signature), &hash);
        memcpy(ret, hash.bytes, SELECTOR);
}

int abi_encode(const char *signature, const AbiValue *values, size_t n, uint8_t **ret, size_t *ret_len) {
        size_t selector = signature ? SELECTOR : 0, tail = n * WORD, size = selector + tail;

        for (size_t i = 0; i < n; i++)
                size += tail_size(values + i);
        uint8_t *data = calloc(1, MAX(size, (size_t) 1));
        if (!data)
                return -ENOMEM;
        if (signature)
                put_selector(signature, data);
        for (size_t i = 0; i < n; i++) {
                uint8_t *head = data + selector + i * WORD;
                if (is_dynamic(values + i))
                        put_number(head, tail);
                put_value(values + i, head, data + selector + tail);
                tail += tail_size(values + i);
        }
        *ret = data;
        *ret_len = size;
        return 0;
}

/* --- calls of the contract --- */

void abi_gateway(Bytes name, Hash *ret) {
        keccak256(name, ret);
}

int abi_call_anchor(const AbiAnchor *a, uint8_t **ret, size_t *ret_len) {
        const AbiValue values[] = { ABI_WORD_OF(&a->gateway), ABI_UINT_OF(a->epoch),
                ABI_UINT_OF(a->old_size), ABI_UINT_OF(a->size), ABI_WORD_OF(&a->root),
                ABI_WORDS_OF(a->proof, a->proof_count) };

        return abi_encode("anchor(bytes32,uint64,uint64,uint64,bytes32,bytes32[])", values, ELEMENTS(values),
                        ret, ret_len);
}

int abi_call_head(const Hash *gateway, uint8_t **ret, size_t *ret_len) {
        return abi_encode("head(bytes32)", &ABI_WORD_OF(gateway), 1, ret, ret_len);
}

int abi_call_anchored(const Hash *gateway, uint64_t epoch, uint64_t size, uint8_t **ret, size_t *ret_len) {
        const AbiValue values[] = { ABI_WORD_OF(gateway), ABI_UINT_OF(epoch), ABI_UINT_OF(size) };

        return abi_encode("anchored(bytes32,uint64,uint64)", values, ELEMENTS(values), ret, ret_len);
}

int abi_call_gateway_info(const Hash *gateway, uint8_t **ret, size_t *ret_len) {
        return abi_encode("gatewayInfo(bytes32)", &ABI_WORD_OF(gateway), 1, ret, ret_len);
}

/* --- reading --- */

/* The i-th word; NULL where the answer ends before. */
static const uint8_t *word_at(Bytes b, size_t i) {
        return i < b.len / WORD ? b.data + i * WORD : NULL;
}

static bool is_zero(const uint8_t *p, size_t len) {
        while (len > 0 && p[len - 1] == 0)
                len--;
        return len == 0;
}

static int read_number(Bytes b, size_t i, uint64_t *ret) {
        const uint8_t *p = word_at(b, i);

        if (!p || !is_zero(p, WORD - sizeof *ret))
                return -EBADMSG;
        *ret = be64_read(p + WORD - sizeof *ret);
        return 0;
}

static int read_word(Bytes b, size_t i, Hash *ret) {
        const uint8_t *p = word_at(b, i);

        if (!p)
                return -EBADMSG;
        memcpy(ret->bytes, p, WORD);
        return 0;
}

static int read_address(Bytes b, size_t i, Address *ret) {
        const uint8_t *p = word_at(b, i);

        if (!p || !is_zero(p, WORD - ADDRESS_SIZE))
                return -EBADMSG;
        memcpy(ret->bytes, p + WORD - ADDRESS_SIZE, ADDRESS_SIZE);
        return 0;
}

/* Bytes whose offset is the i-th word; borrowed. */
static int read_bytes(Bytes b, size_t i, Bytes *ret) {
        uint64_t offset, len;

        if (read_number(b, i, &offset) < 0 || offset > b.len)
                return -EBADMSG;
        Bytes tail = BYTES(b.data + offset, b.len - offset);
        if (read_number(tail, 0, &len) < 0 || len > tail.len - WORD)
                return -EBADMSG;
        *ret = BYTES(tail.data + WORD, len);
        return 0;
}

int abi_read_head(Bytes answer, AbiHead *ret) {
        AbiHead h = { 0 };

        if (read_number(answer, 0, &h.epoch) < 0 || read_number(answer, 1, &h.size) < 0 ||
                        read_word(answer, 2, &h.root) < 0 || read_number(answer, 3, &h.block) < 0 ||
                        read_number(answer, 4, &h.time) < 0)
                return -EBADMSG;
        *ret = h;
        return 0;
}

int abi_read_anchored(Bytes answer, AbiAnchored *ret) {
        AbiAnchored a = { 0 };

        if (read_word(answer, 0, &a.root) < 0 || read_number(answer, 1, &a.block) < 0 ||
                        read_number(answer, 2, &a.time) < 0)
                return -EBADMSG;
        *ret = a;
        return 0;
}

int abi_read_gateway_info(Bytes answer, AbiGatewayInfo *ret) {
        AbiGatewayInfo info = { 0 };
        uint64_t active;
        Bytes name;

        if (read_bytes(answer, 0, &name) < 0 || read_address(answer, 1, &info.sender) < 0 ||
                        read_word(answer, 2, &info.public_key) < 0 || read_number(answer, 3, &active) < 0 ||
                        active > 1)
                return -EBADMSG;
        if (name.len > ABI_NAME_MAX || memchr(name.data, '\0', name.len))
                return -EBADMSG;
        memcpy(info.name, name.data, name.len);
        if (name.len > 0 && !text_is_printable(info.name))
                return -EBADMSG;
        info.active = active;
        *ret = info;
        return 0;
}

/* --- errors --- */

typedef struct Refusal {
        const char *signature;
        AbiErrorId id;
} Refusal;

static const Refusal refusals[] = {
        { "NotAdmin()", ABI_NOT_ADMIN },
        { "LastAdmin()", ABI_LAST_ADMIN },
        { "ZeroValue()", ABI_ZERO_VALUE },
        { "BadName()", ABI_BAD_NAME },
        { "AlreadyRegistered()", ABI_ALREADY_REGISTERED },
        { "NotRegistered()", ABI_NOT_REGISTERED },
        { "Revoked_()", ABI_REVOKED },
        { "NotSender()", ABI_NOT_SENDER },
        { "EarlierEpoch(uint64)", ABI_EARLIER_EPOCH },
        { "WrongOldSize(uint64)", ABI_WRONG_OLD_SIZE },
        { "NotLarger()", ABI_NOT_LARGER },
        { "NotConsistent()", ABI_NOT_CONSISTENT },
        { "NoFork()", ABI_NO_FORK },
        { "BadNote()", ABI_BAD_NOTE },
        { "NoSha256()", ABI_NO_SHA256 },
};

static bool is_of(const char *signature, Bytes data) {
        uint8_t selector[SELECTOR];

        put_selector(signature, selector);
        return data.len >= SELECTOR && memcmp(selector, data.data, SELECTOR) == 0;
}

/* Solidity's own two, and the selector of everything else. */
static void describe_unknown(Bytes data, AbiError *ret) {
        Bytes values = data.len >= SELECTOR ? BYTES(data.data + SELECTOR, data.len - SELECTOR)
                                            : BYTES(NULL, 0);
        uint64_t code;
        Bytes text;

        if (data.len < SELECTOR)
                (void) snprintf(ret->text, sizeof ret->text, "reverted without a reason");
        else if (is_of("Error(string)", data) && read_bytes(values, 0, &text) == 0 && text.len > 0)
                text_copy_printable(text, ret->text, sizeof ret->text);
        else if (is_of("Panic(uint256)", data) && read_number(values, 0, &code) == 0)
                (void) snprintf(ret->text, sizeof ret->text, "panic 0x%02" PRIx64, code);
        else
                (void) snprintf(ret->text, sizeof ret->text, "reverted with an unknown error 0x%08x",
                                be32_read(data.data));
}

void abi_read_error(Bytes data, AbiError *ret) {
        *ret = (AbiError){ .id = ABI_ERROR_UNKNOWN };
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                const char *signature = refusals[i].signature, *values = strchr(signature, '(');
                bool has = !streq(values, "()");
                if (!is_of(signature, data))
                        continue;
                if (has && read_number(BYTES(data.data + SELECTOR, data.len - SELECTOR), 0, &ret->has) < 0)
                        break;
                ret->id = refusals[i].id;
                int n = snprintf(ret->text, sizeof ret->text, "%.*s", (int) (values - signature), signature);
                if (has)
                        (void) snprintf(ret->text + n, sizeof ret->text - (size_t) n, "(%" PRIu64 ")",
                                        ret->has);
                return;
        }
        describe_unknown(data, ret);
}
