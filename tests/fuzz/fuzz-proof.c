/* Proof files from outside: what reads is written again as the same text, and only entries
 * of the log that was signed verify. */
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "ledger/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        /* of the test vectors' signing key, with which the corpus is signed */
        static const uint8_t public[32] = { 0x03, 0xa1, 0x07, 0xbf, 0xf3, 0xce, 0x10, 0xbe, 0x1d, 0x70, 0xdd,
                0x18, 0xe7, 0x4b, 0xc0, 0x99, 0x67, 0xe4, 0xd6, 0x30, 0x9b, 0xa5, 0x0d, 0x5f, 0x1d, 0xdc,
                0x86, 0x64, 0x12, 0x55, 0x31, 0xb8 };
        char again[PROOF_TEXT_MAX];
        uint8_t plain[BODY_MAX];
        Checkpoint c;
        Proof p;
        size_t len;
        Error e;

        if (proof_parse(BYTES(data, size), &p, &e) < 0)
                return 0;
        if (proof_format(&p, again, &len) < 0 || !bytes_equal(BYTES(data, size), BYTES(again, len)))
                abort();
        if (proof_verify(&p, public, &c, plain, &len, &e) == 0 &&
                        (c.size != 5 || p.index >= 5 || p.entry.seq >= 5))
                abort();
        return 0;
}
