/* Notes and keys from outside: nothing opens but what was signed. */
#include <stdbool.h>
#include <stdlib.h>

#include "../fuzz/fuzz.h"
#include "ledger/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        /* of the test vectors' signing key, with which the corpus is signed */
        static const uint8_t public[32] = { 0x03, 0xa1, 0x07, 0xbf, 0xf3, 0xce, 0x10, 0xbe, 0x1d, 0x70, 0xdd,
                0x18, 0xe7, 0x4b, 0xc0, 0x99, 0x67, 0xe4, 0xd6, 0x30, 0x9b, 0xa5, 0x0d, 0x5f, 0x1d, 0xdc,
                0x86, 0x64, 0x12, 0x55, 0x31, 0xb8 };
        char name[ORIGIN_MAX], text[NOTE_READ_MAX];
        uint8_t key[32];
        SigningKey signing;
        Checkpoint c;
        Error e;

        bool parses = checkpoint_parse(BYTES(data, size), &c, &e) == 0;
        if (parses && c.origin[0] == '\0')
                abort();
        if (checkpoint_open(BYTES(data, size), public, &c, &e) == 0 &&
                        (!parses || !streq(c.origin, "ward-3.example/1") || c.size != 5))
                abort();
        if (size < sizeof text) {
                if (size > 0)
                        memcpy(text, data, size);
                text[size] = '\0';
                (void) !note_verifier_key_parse(text, name, sizeof name, key, &e);
                (void) !signing_key_parse(text, &signing, &e);
        }
        return 0;
}
