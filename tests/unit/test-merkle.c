/* The Merkle tree against its definition (RFC 6962 2.1), against itself for all small trees, and against the vectors of
 * another implementation. */
#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <cmocka.h>

#include "ledger/merkle.h"

enum { LEAVES = 130, LEVELS = 8 };

static Hash leaves[LEAVES], subtrees[LEVELS][LEAVES];

/* MTH(D[begin:end]) as RFC 6962 2.1 writes it. */
static Hash root_by_definition(uint64_t begin, uint64_t end) {
        uint64_t n = end - begin, k = 1;
        Hash h;

        if (n == 0) {
                merkle_empty(&h);
                return h;
        }
        if (n == 1)
                return leaves[begin];
        while (k * 2 < n)
                k *= 2;
        Hash left = root_by_definition(begin, begin + k), right = root_by_definition(begin + k, end);
        merkle_node(&left, &right, &h);
        return h;
}

static int make_trees(void **state) {
        for (unsigned i = 0; i < LEAVES; i++) {
                uint8_t data[4];
                be32_write(data, i);
                merkle_leaf(BYTES(data, sizeof data), &leaves[i]);
        }
        for (unsigned level = 0; level < LEVELS; level++)
                for (uint64_t i = 0; (i + 1) << level <= LEAVES; i++)
                        subtrees[level][i] = root_by_definition(i << level, (i + 1) << level);
        return 0;
}

static int node(void *userdata, unsigned level, uint64_t index, Hash *ret) {
        uint64_t *size = userdata;

        /* Only whole subtrees of the tree may be asked for. */
        assert_true((index + 1) << level <= *size);
        *ret = subtrees[level][index];
        return 0;
}

static int broken_node(void *userdata, unsigned level, uint64_t index, Hash *ret) {
        return -EIO;
}

static void flip(Hash *h, size_t bit) {
        h->bytes[bit / 8 % SHA256_SIZE] ^= (uint8_t) (1 << bit % 8);
}

static void hashes_are_those_of_rfc_6962(void **state) {
        static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        static const char leaf[] = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        char text[2 * SHA256_SIZE + 1];
        Hash h;

        merkle_empty(&h);
        assert_string_equal(sodium_bin2hex(text, sizeof text, h.bytes, sizeof h.bytes), empty);
        merkle_leaf(BYTES(NULL, 0), &h);
        assert_string_equal(sodium_bin2hex(text, sizeof text, h.bytes, sizeof h.bytes), leaf);
}

static void frontier_has_the_root_at_every_size(void **state) {
        Frontier f = { 0 };

        for (uint64_t size = 0; size <= LEAVES; size++) {
                NodeSource source = { node, &size };
                Hash want = root_by_definition(0, size), have, at;
                frontier_root(&f, &have);
                assert_true(hash_equal(&want, &have));
                assert_int_equal(merkle_root_at(&source, size, &at), 0);
                assert_true(hash_equal(&want, &at));
                assert_int_equal(f.size, size);
                assert_int_equal(f.count, __builtin_popcountll(size));
                if (size < LEAVES)
                        frontier_append(&f, &leaves[size]);
        }
}

/* proof verifies, and with anything about it changed it does not. */
static void check_inclusion(uint64_t index, uint64_t size, Hash *proof, size_t n, Hash *root) {
        Hash leaf = leaves[index];

        assert_int_equal(merkle_verify_inclusion(&leaf, index, size, proof, n, root), 0);
        for (size_t i = 0; i < n; i++) {
                size_t bit = (index * 31 + size * 7 + i * 13) % 256;
                flip(&proof[i], bit);
                assert_int_equal(merkle_verify_inclusion(&leaf, index, size, proof, n, root), -EBADMSG);
                flip(&proof[i], bit);
        }
        flip(&leaf, index);
        assert_int_equal(merkle_verify_inclusion(&leaf, index, size, proof, n, root), -EBADMSG);
        flip(&leaf, index);
        flip(root, size);
        assert_int_equal(merkle_verify_inclusion(&leaf, index, size, proof, n, root), -EBADMSG);
        flip(root, size);
        for (uint64_t bit = 1; bit <= 256; bit <<= 1)
                assert_int_equal(
                                merkle_verify_inclusion(&leaf, index ^ bit, size, proof, n, root), -EBADMSG);
        assert_int_equal(merkle_verify_inclusion(&leaf, index, size, proof, n + 1, root), -EBADMSG);
        if (n > 0)
                assert_int_equal(merkle_verify_inclusion(&leaf, index, size, proof, n - 1, root), -EBADMSG);
        assert_int_equal(merkle_verify_inclusion(&leaf, size, size, proof, n, root), -EBADMSG);
}

static void every_inclusion_proof_verifies_and_no_changed_one_does(void **state) {
        for (uint64_t size = 1; size <= LEAVES; size++) {
                NodeSource source = { node, &size };
                Hash root = root_by_definition(0, size);
                for (uint64_t index = 0; index < size; index++) {
                        Hash proof[MERKLE_PROOF_MAX] = { 0 };
                        size_t n;
                        assert_int_equal(merkle_inclusion_proof(&source, index, size, proof, &n), 0);
                        assert_true(n <= LEVELS);
                        check_inclusion(index, size, proof, n, &root);
                }
        }
}

static void check_consistency(uint64_t old_size, Hash *old_root, uint64_t new_size, Hash *new_root,
                Hash *proof, size_t n) {
        assert_int_equal(merkle_verify_consistency(old_size, old_root, new_size, new_root, proof, n), 0);
        for (size_t i = 0; i < n; i++) {
                size_t bit = (old_size * 31 + new_size * 7 + i * 13) % 256;
                flip(&proof[i], bit);
                assert_int_equal(merkle_verify_consistency(old_size, old_root, new_size, new_root, proof, n),
                                -EBADMSG);
                flip(&proof[i], bit);
        }
        flip(old_root, new_size);
        assert_int_equal(merkle_verify_consistency(old_size, old_root, new_size, new_root, proof, n),
                        -EBADMSG);
        flip(old_root, new_size);
        flip(new_root, old_size);
        assert_int_equal(merkle_verify_consistency(old_size, old_root, new_size, new_root, proof, n),
                        -EBADMSG);
        flip(new_root, old_size);
        assert_int_equal(merkle_verify_consistency(old_size, old_root, new_size, new_root, proof, n + 1),
                        -EBADMSG);
        if (n > 0)
                assert_int_equal(merkle_verify_consistency(
                                                 old_size, old_root, new_size, new_root, proof, n - 1),
                                -EBADMSG);
        assert_int_equal(merkle_verify_consistency(new_size + 1, old_root, new_size, new_root, proof, n),
                        -EBADMSG);
        assert_int_equal(merkle_verify_consistency(0, old_root, new_size, new_root, proof, n), -EBADMSG);
}

static void every_consistency_proof_verifies_and_no_changed_one_does(void **state) {
        for (uint64_t new_size = 1; new_size <= LEAVES; new_size++) {
                NodeSource source = { node, &new_size };
                Hash new_root = root_by_definition(0, new_size);
                for (uint64_t old_size = 1; old_size <= new_size; old_size++) {
                        Hash proof[MERKLE_PROOF_MAX] = { 0 }, old_root = root_by_definition(0, old_size);
                        size_t n;
                        assert_int_equal(
                                        merkle_consistency_proof(&source, old_size, new_size, proof, &n), 0);
                        check_consistency(old_size, &old_root, new_size, &new_root, proof, n);
                }
        }
}

static void nothing_is_needed_from_the_empty_tree(void **state) {
        uint64_t size = LEAVES;
        NodeSource source = { node, &size };
        Hash proof[MERKLE_PROOF_MAX];
        size_t n = 1;

        assert_int_equal(merkle_consistency_proof(&source, 0, size, proof, &n), 0);
        assert_int_equal(n, 0);
}

static void errors_of_the_source_travel_up(void **state) {
        NodeSource source = { broken_node, NULL };
        Hash proof[MERKLE_PROOF_MAX], root;
        size_t n;

        assert_int_equal(merkle_inclusion_proof(&source, 2, 5, proof, &n), -EIO);
        assert_int_equal(merkle_consistency_proof(&source, 3, 5, proof, &n), -EIO);
        assert_int_equal(merkle_root_at(&source, 5, &root), -EIO);
}

/* Roots that a careless reader would reach by a longer way than the tree has. */
static void a_proof_longer_than_the_tree_is_refused(void **state) {
        Hash root, old_root;

        merkle_node(&leaves[1], &leaves[0], &root);
        assert_int_equal(merkle_verify_inclusion(&leaves[0], 0, 1, &leaves[1], 1, &root), -EBADMSG);
        assert_int_equal(merkle_verify_inclusion(&leaves[0], 1, 1, NULL, 0, &leaves[0]), -EBADMSG);

        const Hash proof[] = { leaves[1], leaves[2] };
        merkle_node(&leaves[0], &leaves[1], &root);
        merkle_node(&leaves[2], &root, &root);
        merkle_node(&leaves[2], &leaves[0], &old_root);
        assert_int_equal(merkle_verify_consistency(1, &old_root, 2, &root, proof, 2), -EBADMSG);
}

/* --- vectors of transparency-dev/merkle --- */

/* false for what our types can't hold, and so every reader refuses: nothing, or more than 32 bytes. Shorter ones are
 * placeholders of vectors in which the hash does not matter. */
static bool hash_of(const json_t *base64, Hash *ret) {
        size_t len;

        *ret = (Hash){ 0 };
        return sodium_base642bin(ret->bytes, sizeof ret->bytes, json_string_value(base64),
                               json_string_length(base64), NULL, &len, NULL,
                               sodium_base64_VARIANT_ORIGINAL) == 0 &&
               len > 0;
}

static bool proof_of(const json_t *list, Hash *ret, size_t *ret_n) {
        *ret_n = json_array_size(list);
        if (*ret_n > MERKLE_PROOF_MAX)
                return false;
        for (size_t i = 0; i < *ret_n; i++)
                if (!hash_of(json_array_get(list, i), &ret[i]))
                        return false;
        return true;
}

static uint64_t number_of(const json_t *o, const char *key) {
        const json_t *v = json_object_get(o, key);

        assert_true(json_is_number(v));
        /* One vector has 2^64 - 1, which the JSON library can't hold as an integer. */
        return json_number_value(v) >= 0x1p64 ? UINT64_MAX : (uint64_t) json_number_value(v);
}

static int run_inclusion(const json_t *v) {
        Hash proof[MERKLE_PROOF_MAX], root, leaf;
        size_t n;

        if (!proof_of(json_object_get(v, "proof"), proof, &n) ||
                        !hash_of(json_object_get(v, "root"), &root) ||
                        !hash_of(json_object_get(v, "leafHash"), &leaf))
                return -EBADMSG;
        return merkle_verify_inclusion(
                        &leaf, number_of(v, "leafIdx"), number_of(v, "treeSize"), proof, n, &root);
}

static int run_consistency(const json_t *v) {
        Hash proof[MERKLE_PROOF_MAX], old_root, new_root;
        size_t n;

        if (!proof_of(json_object_get(v, "proof"), proof, &n) ||
                        !hash_of(json_object_get(v, "root1"), &old_root) ||
                        !hash_of(json_object_get(v, "root2"), &new_root))
                return -EBADMSG;
        return merkle_verify_consistency(
                        number_of(v, "size1"), &old_root, number_of(v, "size2"), &new_root, proof, n);
}

static const char *vectors(void) {
        static char folder[4096];
        const char *data = getenv("WARDSTONE_DATA");

        if (!data || !*data)
                return NULL;
        (void) snprintf(folder, sizeof folder, "%s/vectors/rfc6962", data);
        return folder;
}

static void run_files(const char *kind, int (*run)(const json_t *)) {
        char pattern[4200];
        glob_t files;
        size_t good = 0;

        if (!vectors()) {
                print_message("# WARDSTONE_DATA is not set: vectors are skipped\n");
                skip();
        }
        (void) snprintf(pattern, sizeof pattern, "%s/%s/*/*.json", vectors(), kind);
        int r = glob(pattern, 0, NULL, &files);
        (void) snprintf(pattern, sizeof pattern, "%s/%s/*/*/*.json", vectors(), kind);
        if (r == GLOB_NOMATCH || (glob(pattern, GLOB_APPEND, NULL, &files) != 0 && files.gl_pathc == 0)) {
                print_message("# %s: absent, vectors are skipped\n", vectors());
                skip();
        }
        for (size_t i = 0; i < files.gl_pathc; i++) {
                json_error_t error;
                json_t *v = json_load_file(files.gl_pathv[i], JSON_DECODE_INT_AS_REAL, &error);
                assert_non_null(v);
                bool refused = run(v) < 0;
                if (refused != json_is_true(json_object_get(v, "wantErr")))
                        fail_msg("%s: %s", files.gl_pathv[i], refused ? "refused" : "accepted");
                good += !refused;
                json_decref(v);
        }
        print_message("# %zu files of %s, %zu of them proofs that hold\n", files.gl_pathc, kind, good);
        assert_true(good > 1);
        globfree(&files);
}

static void inclusion_vectors_agree(void **state) {
        run_files("inclusion", run_inclusion);
}

static void consistency_vectors_agree(void **state) {
        run_files("consistency", run_consistency);
}

static Hash vector_leaves[8];

static int vector_node(void *userdata, unsigned level, uint64_t index, Hash *ret) {
        Hash left, right;

        if (level == 0) {
                *ret = vector_leaves[index];
                return 0;
        }
        assert_int_equal(vector_node(NULL, level - 1, 2 * index, &left), 0);
        assert_int_equal(vector_node(NULL, level - 1, 2 * index + 1, &right), 0);
        merkle_node(&left, &right, ret);
        return 0;
}

static void assert_is_list(const json_t *want, const Hash *have, size_t n) {
        assert_int_equal(json_array_size(want), n);
        for (size_t i = 0; i < n; i++) {
                char text[2 * SHA256_SIZE + 1];
                (void) sodium_bin2hex(text, sizeof text, have[i].bytes, SHA256_SIZE);
                assert_string_equal(json_string_value(json_array_get(want, i)), text);
        }
}

static void proofs_of_trees_to_8_leaves_are_the_published_ones(void **state) {
        NodeSource source = { vector_node, NULL };
        char path[4200];
        json_error_t error;
        Hash proof[MERKLE_PROOF_MAX];
        const json_t *v;
        size_t i, n;

        (void) snprintf(path, sizeof path, "%s/all_proofs_size1to8.json", vectors() ? vectors() : "");
        json_t *all = json_load_file(path, 0, &error);
        if (!all) {
                print_message("# %s: absent, vectors are skipped\n", path);
                skip();
        }
        json_array_foreach(json_object_get(all, "leaves_hex"), i, v) {
                uint8_t data[64];
                size_t len;
                assert_int_equal(sodium_hex2bin(data, sizeof data, json_string_value(v),
                                                 json_string_length(v), NULL, &len, NULL),
                                0);
                merkle_leaf(BYTES(data, len), &vector_leaves[i]);
        }
        Frontier f = { 0 };
        json_array_foreach(json_object_get(all, "roots"), i, v) {
                char text[2 * SHA256_SIZE + 1];
                Hash root;
                frontier_root(&f, &root);
                assert_string_equal(sodium_bin2hex(text, sizeof text, root.bytes, SHA256_SIZE),
                                json_string_value(v));
                if (i < ELEMENTS(vector_leaves))
                        frontier_append(&f, &vector_leaves[i]);
        }
        json_array_foreach(json_object_get(all, "inclusion"), i, v) {
                assert_int_equal(merkle_inclusion_proof(&source, number_of(v, "leaf"), number_of(v, "size"),
                                                 proof, &n),
                                0);
                assert_is_list(json_object_get(v, "proof"), proof, n);
        }
        json_array_foreach(json_object_get(all, "consistency"), i, v) {
                assert_int_equal(merkle_consistency_proof(&source, number_of(v, "first"),
                                                 number_of(v, "second"), proof, &n),
                                0);
                assert_is_list(json_object_get(v, "proof"), proof, n);
        }
        json_decref(all);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hashes_are_those_of_rfc_6962),
                cmocka_unit_test(frontier_has_the_root_at_every_size),
                cmocka_unit_test(every_inclusion_proof_verifies_and_no_changed_one_does),
                cmocka_unit_test(every_consistency_proof_verifies_and_no_changed_one_does),
                cmocka_unit_test(nothing_is_needed_from_the_empty_tree),
                cmocka_unit_test(errors_of_the_source_travel_up),
                cmocka_unit_test(a_proof_longer_than_the_tree_is_refused),
                cmocka_unit_test(inclusion_vectors_agree),
                cmocka_unit_test(consistency_vectors_agree),
                cmocka_unit_test(proofs_of_trees_to_8_leaves_are_the_published_ones),
        };

        return cmocka_run_group_tests(tests, make_trees, NULL);
}
