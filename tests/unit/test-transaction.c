/* Accounts and signed transactions, against the vectors of another implementation. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "transaction.h"
#include "ethers-fixture.h"
#include "hex-fixture.h"

/* 0x46 32 times, EIP-155's example. */
static Account example_account(void) {
        uint8_t secret[SECRET_SIZE];
        Account a;

        memset(secret, 0x46, sizeof secret);
        assert_int_equal(account_from_secret(secret, &a), 0);
        return a;
}

static Address all_35(void) {
        Address a;

        memset(a.bytes, 0x35, sizeof a.bytes);
        return a;
}

static void assert_signed(const Transaction *t, const Account *a, const char *raw, const char *hash) {
        uint8_t *got;
        size_t len;
        Hash got_hash;

        assert_int_equal(transaction_sign(t, a, &got, &len, &got_hash), 0);
        assert_hex_equal(BYTES(got, len), raw);
        if (hash)
                assert_hex_equal(BYTES(got_hash.bytes, sizeof got_hash.bytes), hash);
        free(got);
}

/* --- accounts --- */

static void an_address_follows_from_the_key(void **state) {
        Account a = example_account();
        char text[ADDRESS_TEXT_SIZE];

        address_format(&a.address, text);
        assert_string_equal(text, "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
        account_forget(&a);
        static const Account nothing = { 0 };
        assert_memory_equal(&a, &nothing, sizeof a);
}

static void only_keys_of_the_curve_are_keys(void **state) {
        static const char *const wrong[] = {
                "0x0000000000000000000000000000000000000000000000000000000000000000",
                "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
                "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        };
        uint8_t secret[SECRET_SIZE];
        Account a;

        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                assert_int_equal(hex_read_exact(wrong[i], secret, sizeof secret), 0);
                assert_int_equal(account_from_secret(secret, &a), -EINVAL);
        }
        assert_int_equal(hex_read_exact("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
                                         secret, sizeof secret),
                        0);
        assert_int_equal(account_from_secret(secret, &a), 0);
}

/* EIP-55's own examples. */
static void addresses_carry_a_checksum_in_their_case(void **state) {
        static const char *const right[] = { "0x52908400098527886E0F7030069857D2E4169EE7",
                "0xde709f2102306220921060314715629080e2fb77", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
                "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb" };
        char text[ADDRESS_TEXT_SIZE];
        Address a, lower;

        for (size_t i = 0; i < ELEMENTS(right); i++) {
                assert_int_equal(address_parse(right[i], &a), 0);
                address_format(&a, text);
                assert_string_equal(text, right[i]);
        }
        assert_int_equal(address_parse("0xd1220a0cf47c7b9be7a2e6ba89f429762e7b9adb", &lower), 0);
        assert_true(address_equal(&a, &lower));
        assert_int_equal(address_parse("0xd1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb", &a), -EILSEQ);
        assert_int_equal(address_parse("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aD", &a), -EBADMSG);
        assert_int_equal(address_parse("D1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb00", &a), -EBADMSG);
        assert_int_equal(address_parse("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDg", &a), -EBADMSG);
}

/* --- transactions --- */

/* Fields that a vector does not have are 0 or empty. */
static uint64_t number_of(const json_t *vector, const char *name) {
        const char *text = json_string_value(json_object_get(vector, name));
        uint64_t v = 0;

        if (text)
                assert_int_equal(quantity_read(text, &v), 0);
        return v;
}

static void check_vector(const json_t *vector) {
        const char *to = json_string_value(json_object_get(vector, "to"));
        const char *data = json_string_value(json_object_get(vector, "data"));
        char address[ADDRESS_TEXT_SIZE];
        uint8_t secret[SECRET_SIZE], *bytes;
        Address to_address;
        Account a;
        size_t len;

        assert_int_equal(hex_read_exact(json_string_value(json_object_get(vector, "privateKey")), secret,
                                         sizeof secret),
                        0);
        assert_int_equal(account_from_secret(secret, &a), 0);
        hex_write(BYTES(a.address.bytes, ADDRESS_SIZE), address);
        assert_string_equal(address, json_string_value(json_object_get(vector, "accountAddress")));
        if (to)
                assert_int_equal(address_parse(to, &to_address), 0);
        bytes = bytes_of(data ? data : "0x", &len);
        const Transaction t = { .type = TRANSACTION_LEGACY,
                .chain_id = 5,
                .nonce = number_of(vector, "nonce"),
                .gas_limit = number_of(vector, "gasLimit"),
                .max_fee = number_of(vector, "gasPrice"),
                .to = to ? &to_address : NULL,
                .data = BYTES(bytes, len) };
        assert_signed(&t, &a, json_string_value(json_object_get(vector, "signedTransactionChainId5")), NULL);
        free(bytes);
}

static void legacy_vectors_hold(void **state) {
        json_t *vectors = ethers_vectors("transactions_subset"), *vector;
        unsigned checked = 0;
        size_t i;

        if (!vectors)
                skip();
        json_array_foreach(vectors, i, vector) {
                if (json_object_get(vector, "value")) /* ours carry none */
                        continue;
                check_vector(vector);
                checked++;
        }
        assert_true(checked >= 10);
        json_decref(vectors);
}

/* The expected texts below are ethers 6's. */
static void legacy_ones_may_be_free(void **state) {
        static const uint8_t data[] = { 1 };
        Account a = example_account();
        Address to = all_35();

        assert_signed(&(Transaction){ .type = TRANSACTION_LEGACY,
                                      .chain_id = 1337,
                                      .nonce = 9,
                                      .gas_limit = 90000,
                                      .to = &to,
                                      .data = BYTES(data, 1) },
                        &a,
                        "0xf862098083015f909435353535353535353535353535353535353535358001820a96a0a8bb3bf85e0"
                        "2b9c78f"
                        "3049f1a565df72a5ebbf19c448dc4165cc200ae108acd5a07e316342c51088a62df6b25bf0b7ab14e25"
                        "c9c1879"
                        "5611b22435e58231d66aa5",
                        "0xacb79e427db93bca78042763a586beaa61db021a148f23f0bad1c983f7135277");
}

static void a_chain_id_has_to_leave_room_for_v(void **state) {
        Account a = example_account();
        Transaction t = { .type = TRANSACTION_LEGACY,
                .chain_id = (UINT64_MAX - 36) / 2,
                .nonce = 9,
                .gas_limit = 21000,
                .max_fee = UINT64_C(20000000000) };
        uint8_t *raw;
        size_t len;
        Hash hash;

        assert_signed(&t, &a,
                        "0xf858098504a817c80082520880808088fffffffffffffffda0252c294fcb59b17203033ca08605b0b"
                        "dd3242f"
                        "10347db56ae56739ac5743253ea06481c74005743fefae96263f6dd50419e99a067d1d2d61aea72de4f"
                        "37912dd"
                        "87",
                        "0x8cce9a1ac917ae8f3bdc412a1aa42f0d4150d0472f50d0a91970ec5cf4b7f1f7");
        t.chain_id++;
        assert_int_equal(transaction_sign(&t, &a, &raw, &len, &hash), -ERANGE);
}

static void eip1559_ones_may_be_free(void **state) {
        Account a = example_account();
        Address to = all_35();

        assert_signed(&(Transaction){ .type = TRANSACTION_EIP1559,
                                      .chain_id = 1337,
                                      .gas_limit = 21000,
                                      .to = &to },
                        &a,
                        "0x02f8648205398080808252089435353535353535353535353535353535353535358080c080a035d27"
                        "d5b94fc"
                        "4fecfb2384af731dd3384bbc7074a1e7212f5412d38ef3d55241a057d0110e62da2a1bf26b426e393a9"
                        "d00cea9"
                        "59bc1e9a5df5fca9a2af07a86704",
                        "0x001588796cd80dc820967ba1dea8b9a5d3c2d30fea99fb84689bd1ff534105b3");
}

/* RLP has no leading zeros in numbers, and a signature is two of them. */
static void r_and_s_may_be_short(void **state) {
        Account a = example_account();
        Address to = all_35();

        assert_signed(&(Transaction){ .type = TRANSACTION_EIP1559,
                                      .chain_id = 1337,
                                      .nonce = 426,
                                      .gas_limit = 21000,
                                      .to = &to },
                        &a,
                        "0x02f8658205398201aa80808252089435353535353535353535353535353535353535358080c0019f5"
                        "367bb5228569fff1ad550050d11069b2312dc385c8922e7ebcf50197df115a072c8e3068f37cf00c8d7"
                        "24e5f6d2bc01aee9da0616450f2a2bb14d1ff7727555",
                        "0x0e3304b0397a39c2fd792ed919f24fd7f24cca5f23a42078b152e0278d291045");
        assert_signed(&(Transaction){ .type = TRANSACTION_EIP1559,
                                      .chain_id = 1337,
                                      .nonce = 83,
                                      .gas_limit = 21000,
                                      .to = &to },
                        &a,
                        "0x02f8638205395380808252089435353535353535353535353535353535353535358080c001a01c715"
                        "feaada096de8b68ca46974b68a0e0d47a9106d608cc54239b73ba894a1a9f32e5142964f389bc5b5060"
                        "444a0d772ad9d965c2f07c8ff8b58331c87730e5",
                        "0xe451bf3e498df02dc8c710c76a520dee1267cd213ae7852af2fbc200891edcb1");
}

static void eip1559_ones_carry_data_and_two_fees(void **state) {
        uint8_t data[80];
        Account a = example_account();
        Address to = all_35();

        for (size_t i = 0; i < sizeof data; i++)
                data[i] = i % 2 ? 0xff : 0;
        assert_signed(&(Transaction){ .type = TRANSACTION_EIP1559,
                                      .chain_id = 11155111,
                                      .nonce = 300,
                                      .gas_limit = 120000,
                                      .max_fee = UINT64_C(30000000000),
                                      .priority_fee = 1500000000,
                                      .to = &to,
                                      .data = BYTES(data, sizeof data) },
                        &a,
                        "0x02f8c283aa36a782012c8459682f008506fc23ac008301d4c09435353535353535353535353535353"
                        "53535353"
                        "53580b85000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00"
                        "ff00ff00"
                        "ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ffc080a"
                        "021b98ec"
                        "7928ce923a90c816581307e519e4727662c0bb26ca04a11c617ed6817a00a0960d9a84e994f7f63badc"
                        "7e349ba5"
                        "8dd8b4e2beb9622cc186501b5e69586d",
                        "0x55ffeb59f27e5415e07982c777c330aa3fbee397662cd0bc142294e135bd9926");
}

static void no_receiver_creates_a_contract(void **state) {
        static const uint8_t code[] = { 0x60, 0x01, 0x60, 0x00, 0x55, 0x00 };
        Account a = example_account();

        assert_signed(&(Transaction){ .type = TRANSACTION_EIP1559,
                                      .chain_id = 1,
                                      .nonce = 1,
                                      .gas_limit = 3000000,
                                      .max_fee = UINT64_MAX,
                                      .priority_fee = 1,
                                      .data = BYTES(code, sizeof code) },
                        &a,
                        "0x02f85d01010188ffffffffffffffff832dc6c0808086600160005500c080a0c57551e501a343346f4"
                        "bb8ef48"
                        "956c8b802409a896426f1843e055b653302da3a07f6edb2a865fec3d139d58d4dd45184c656debe6ab3"
                        "df4dcb2"
                        "cd6b4270da5fe6",
                        "0xeb44f25869b35d5cb972fed4c6ee3a8da8167ac0ed6343de767371021f5a3746");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_address_follows_from_the_key),
                cmocka_unit_test(only_keys_of_the_curve_are_keys),
                cmocka_unit_test(addresses_carry_a_checksum_in_their_case),
                cmocka_unit_test(legacy_vectors_hold),
                cmocka_unit_test(legacy_ones_may_be_free),
                cmocka_unit_test(a_chain_id_has_to_leave_room_for_v),
                cmocka_unit_test(eip1559_ones_may_be_free),
                cmocka_unit_test(r_and_s_may_be_short),
                cmocka_unit_test(eip1559_ones_carry_data_and_two_fees),
                cmocka_unit_test(no_receiver_creates_a_contract),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
