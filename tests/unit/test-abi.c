/* The contract's calls, answers and errors. The expected texts are ethers 6's for the contract's published ABI. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "abi.h"
#include "hex-fixture.h"

#define WORD_OF(digit) digit digit digit digit digit digit digit digit
#define GATEWAY        "f741ecda2598ee67525f77be7760bce310bb39d0d1ca865e37dfc988c07101ee"
#define SENDER         "0000000000000000000000009d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"
#define ZEROS_24       "000000000000000000000000000000000000000000000000"
#define UINT(digits)   ZEROS_24 digits

static Hash gateway(void) {
        Hash h;

        abi_gateway(BYTES_STRING("ward7.example"), &h);
        return h;
}

static Hash all_of(uint8_t byte) {
        Hash h;

        memset(h.bytes, byte, sizeof h.bytes);
        return h;
}

static Address sender(void) {
        Address a;

        assert_int_equal(address_parse("0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F", &a), 0);
        return a;
}

static void assert_call(int r, uint8_t *data, size_t len, const char *expected) {
        assert_int_equal(r, 0);
        assert_hex_equal(BYTES(data, len), expected);
        free(data);
}

/* --- calls --- */

static void a_gateway_is_the_hash_of_its_name(void **state) {
        Hash g = gateway();

        assert_hex_equal(BYTES(g.bytes, sizeof g.bytes), "0x" GATEWAY);
}

static void anchoring_carries_its_proof(void **state) {
        const Hash proof[] = { all_of(2), all_of(3) };
        AbiAnchor a = { .gateway = gateway(),
                .epoch = 1,
                .old_size = 7,
                .size = 9,
                .root = all_of(1),
                .proof = (const uint8_t(*)[SHA256_SIZE]) proof,
                .proof_count = 2 };
        uint8_t *data = NULL;
        size_t len = 0;

        int r = abi_call_anchor(&a, &data, &len);
        assert_call(r, data, len,
                        "0xb840da20" GATEWAY UINT("0000000000000001") UINT("0000000000000007") UINT(
                                        "0000000000000009") WORD_OF("01010101") UINT("00000000000000c0")
                                        UINT("0000000000000002") WORD_OF("02020202") WORD_OF("03030303"));
        a = (AbiAnchor){ .gateway = gateway(), .epoch = 2, .size = UINT64_MAX, .root = all_of(1) };
        r = abi_call_anchor(&a, &data, &len);
        assert_call(r, data, len,
                        "0xb840da20" GATEWAY UINT("0000000000000002") UINT("0000000000000000")
                                        UINT("ffffffffffffffff") WORD_OF("01010101") UINT("00000000000000c0")
                                                        UINT("0000000000000000"));
}

static void views_take_a_gateway(void **state) {
        Hash g = gateway();
        uint8_t *data = NULL;
        size_t len = 0;

        int r = abi_call_head(&g, &data, &len);
        assert_call(r, data, len, "0xf339e3b2" GATEWAY);
        r = abi_call_anchored(&g, 1, 9, &data, &len);
        assert_call(r, data, len, "0x8ac8e156" GATEWAY UINT("0000000000000001") UINT("0000000000000009"));
        r = abi_call_gateway_info(&g, &data, &len);
        assert_call(r, data, len, "0x19ae658e" GATEWAY);
}

static void any_call_can_be_encoded(void **state) {
        Address addresses[] = { sender(), { { 0 } } };
        const Hash g = gateway(), key = all_of(4), seven = all_of(7);
        uint8_t *data = NULL;
        size_t len = 0;

        memset(addresses[1].bytes, 0x35, ADDRESS_SIZE);
        const AbiValue registration[] = { ABI_BYTES_OF(BYTES_STRING("ward7.example")),
                ABI_ADDRESS_OF(&addresses[0]), ABI_WORD_OF(&key) };
        int r = abi_encode("register(string,address,bytes32)", registration, 3, &data, &len);
        assert_call(r, data, len,
                        "0xf34b95b3" UINT("0000000000000060") SENDER WORD_OF("04040404")
                                        UINT("000000000000000d") "77617264372e6578616d706c650000000000000000"
                                                                 "0000000000000000000000");
        const AbiValue admin[] = { ABI_ADDRESS_OF(&addresses[0]), ABI_UINT_OF(true) };
        r = abi_encode("setAdmin(address,bool)", admin, 2, &data, &len);
        assert_call(r, data, len, "0x4b0bddd2" SENDER UINT("0000000000000001"));
        r = abi_encode(NULL, &ABI_ADDRESSES_OF(addresses, 2), 1, &data, &len);
        assert_call(r, data, len,
                        "0x" UINT("0000000000000020") UINT("0000000000000002") SENDER
                        "0000000000000000000000003535353535353535353535353535353535353535");

        /* several tails, one of them longer than a word */
        const AbiValue fork[] = { ABI_WORD_OF(&g), ABI_BYTES_OF(BYTES("\1\2", 2)),
                ABI_BYTES_OF(BYTES_STRING("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")), ABI_WORDS_OF(&seven, 1) };
        r = abi_encode(NULL, fork, 4, &data, &len);
        assert_call(r, data, len,
                        "0x" GATEWAY UINT("0000000000000080") UINT("00000000000000c0") UINT(
                                        "0000000000000120")
                                        UINT("0000000000000002") "0102000000000000" ZEROS_24 UINT(
                                                        "0000000000000021")
                                                        WORD_OF("78787878") "7800000000000000" ZEROS_24 UINT(
                                                                        "0000000000000001")
                                                                        WORD_OF("07070707"));
}

/* --- answers --- */

#define HEAD_ANSWER                                                                                         \
        "0x" UINT("0000000000000001") UINT("0000000000000009") WORD_OF("01010101") UINT("000000000000004d") \
                        UINT("000000006b0002b0")
#define INFO_ANSWER                                                                                         \
        "0x" UINT("0000000000000080") SENDER WORD_OF("04040404") UINT("0000000000000001")                   \
                        UINT("000000000000000d") "77617264372e6578616d706c65000000000000000000000000000000" \
                                                 "00000000"

static void answers_are_read(void **state) {
        Hash ones = all_of(1), fours = all_of(4);
        Address a = sender();
        AbiHead head;
        AbiAnchored anchored;
        AbiGatewayInfo info;
        size_t len;

        uint8_t *data = bytes_of(HEAD_ANSWER, &len);
        assert_int_equal(abi_read_head(BYTES(data, len), &head), 0);
        assert_true(head.epoch == 1 && head.size == 9 && head.block == 77 && head.time == 1795162800);
        assert_true(hash_equal(&head.root, &ones));
        /* anchored()'s answer is its last three words */
        assert_int_equal(abi_read_anchored(BYTES(data + 64, len - 64), &anchored), 0);
        assert_true(anchored.block == 77 && anchored.time == 1795162800 &&
                        hash_equal(&anchored.root, &ones));
        free(data);

        data = bytes_of(INFO_ANSWER, &len);
        assert_int_equal(abi_read_gateway_info(BYTES(data, len), &info), 0);
        assert_string_equal(info.name, "ward7.example");
        assert_true(info.active && address_equal(&info.sender, &a) && hash_equal(&info.public_key, &fours));
        free(data);
}

static void a_gateway_may_be_unknown(void **state) {
        uint8_t zeros[5 * 32] = { 0 };
        AbiGatewayInfo info;
        AbiHead head;

        zeros[31] = 0x80;
        assert_int_equal(abi_read_gateway_info(BYTES(zeros, sizeof zeros), &info), 0);
        assert_true(!info.active && info.name[0] == '\0' && info.sender.bytes[0] == 0);
        zeros[31] = 0;
        assert_int_equal(abi_read_head(BYTES(zeros, sizeof zeros), &head), 0);
        assert_true(head.size == 0 && head.block == 0);
}

static void short_answers_are_refused(void **state) {
        AbiGatewayInfo info;
        AbiHead head;
        size_t len;

        uint8_t *data = bytes_of(HEAD_ANSWER, &len);
        for (size_t n = 0; n < len; n++)
                assert_int_equal(abi_read_head(BYTES(data, n), &head), -EBADMSG);
        data[0] = 1; /* an epoch of 256 bits */
        assert_int_equal(abi_read_head(BYTES(data, len), &head), -EBADMSG);
        free(data);
        data = bytes_of(INFO_ANSWER, &len);
        for (size_t n = 0; n < 5 * 32 + 13; n++)
                assert_int_equal(abi_read_gateway_info(BYTES(data, n), &info), -EBADMSG);
        free(data);
}

static void lying_answers_are_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t byte;
        } lies[] = {
                { 23, 1 },    /* an offset beyond 64 bits */
                { 30, 1 },    /* beyond the end */
                { 31, 0xa0 }, /* at the name itself: a length */
                { 32, 1 },    /* an address of 32 bytes */
                { 127, 2 },   /* a bool of 2 */
                { 159, 64 },  /* a name that is longer than what is there */
                { 160, '\n' },
                { 160, 0 },
                { 163, 0 },
                { 163, 0xc3 },
        };
        AbiGatewayInfo info;
        size_t len;

        for (size_t i = 0; i < ELEMENTS(lies); i++) {
                uint8_t *data = bytes_of(INFO_ANSWER, &len);
                data[lies[i].at] = lies[i].byte;
                assert_int_equal(abi_read_gateway_info(BYTES(data, len), &info), -EBADMSG);
                free(data);
        }
}

/* --- errors --- */

static AbiError error_of(const char *text) {
        size_t len;
        AbiError e;

        uint8_t *data = bytes_of(text, &len);
        abi_read_error(BYTES(data, len), &e);
        free(data);
        return e;
}

static void the_contracts_errors_have_names(void **state) {
        static const struct {
                const char *data;
                AbiErrorId id;
                const char *text;
        } cases[] = {
                { "0x3a81d6fc", ABI_ALREADY_REGISTERED, "AlreadyRegistered" },
                { "0x153736cd", ABI_BAD_NAME, "BadName" },
                { "0x01da28b4", ABI_BAD_NOTE, "BadNote" },
                { "0xd1960f6f" UINT("0000000000000009"), ABI_EARLIER_EPOCH, "EarlierEpoch(9)" },
                { "0xdf0e465e", ABI_LAST_ADMIN, "LastAdmin" },
                { "0x6ba03b5c", ABI_NO_FORK, "NoFork" },
                { "0x81d117a5", ABI_NO_SHA256, "NoSha256" },
                { "0x7bfa4b9f", ABI_NOT_ADMIN, "NotAdmin" },
                { "0x27408936", ABI_NOT_CONSISTENT, "NotConsistent" },
                { "0x20758e92", ABI_NOT_LARGER, "NotLarger" },
                { "0xaba47339", ABI_NOT_REGISTERED, "NotRegistered" },
                { "0xb2c3aa6b", ABI_NOT_SENDER, "NotSender" },
                { "0xcd370b98", ABI_REVOKED, "Revoked_" },
                { "0x01029f6d" UINT("ffffffffffffffff"), ABI_WRONG_OLD_SIZE,
                                "WrongOldSize(18446744073709551615)" },
                { "0x7c946ed7", ABI_ZERO_VALUE, "ZeroValue" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AbiError e = error_of(cases[i].data);
                assert_int_equal(e.id, cases[i].id);
                assert_string_equal(e.text, cases[i].text);
        }
        assert_true(error_of("0x01029f6d" UINT("0000000000000009")).has == 9);
}

static void other_errors_are_described(void **state) {
        AbiError e = error_of("0x");

        assert_int_equal(e.id, ABI_ERROR_UNKNOWN);
        assert_string_equal(e.text, "reverted without a reason");
        e = error_of("0x08c379a0" UINT("0000000000000020")
                                        UINT("0000000000000006") "6e6f0a7761790000" ZEROS_24);
        assert_int_equal(e.id, ABI_ERROR_UNKNOWN);
        assert_string_equal(e.text, "no?way");
        e = error_of("0x4e487b71" UINT("0000000000000011"));
        assert_string_equal(e.text, "panic 0x11");
        e = error_of("0x12345678" UINT("0000000000000011"));
        assert_string_equal(e.text, "reverted with an unknown error 0x12345678");
        /* one that says what the contract has, without it */
        e = error_of("0x01029f6d");
        assert_int_equal(e.id, ABI_ERROR_UNKNOWN);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_gateway_is_the_hash_of_its_name),
                cmocka_unit_test(anchoring_carries_its_proof),
                cmocka_unit_test(views_take_a_gateway),
                cmocka_unit_test(any_call_can_be_encoded),
                cmocka_unit_test(answers_are_read),
                cmocka_unit_test(a_gateway_may_be_unknown),
                cmocka_unit_test(short_answers_are_refused),
                cmocka_unit_test(lying_answers_are_refused),
                cmocka_unit_test(the_contracts_errors_have_names),
                cmocka_unit_test(other_errors_are_described),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
