/* Answers consistency proofs from standard input, for tests that put the same ones to another verifier. A case is a
 * struct Case and its hashes, in the machine's own byte order; the answer is a line: 1 where the proof holds, else 0. */
#include "ledger/merkle.h"

#include <stdio.h>
#include <stdlib.h>

struct Case {
        uint64_t old_size, new_size;
        Hash old_root, new_root;
        uint64_t count;
};

enum { PROOF_MAX = 256 };

int main(void) {
        struct Case c;
        Hash proof[PROOF_MAX];

        while (fread(&c, sizeof c, 1, stdin) == 1) {
                if (c.count > PROOF_MAX || fread(proof, sizeof proof[0], c.count, stdin) != c.count)
                        return EXIT_FAILURE;
                int r = merkle_verify_consistency(
                                c.old_size, &c.old_root, c.new_size, &c.new_root, proof, c.count);
                puts(r == 0 ? "1" : "0");
        }
        return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
