/* A message to the topic for acknowledgements. What is accepted fits its fields, and has one text that its mac is over. */
#include <stdlib.h>

#include "acknowledgement.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "../fuzz/fuzz.h"

static void check_line(const char *text, size_t size) {
        size_t len = strnlen(text, size);

        if (len == 0 || len >= size || strchr(text, '\n') || !utf8_is_valid(BYTES(text, len)))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint8_t key[PERSON_KEY_SIZE] = { 1 };
        Acknowledgement a;
        int64_t time_us;
        Error e = { "" };

        if (acknowledgement_parse(BYTES(data, size), &a, &e) < 0) {
                if (!e.message[0])
                        abort();
                return 0;
        }
        check_line(a.id, sizeof a.id);
        check_line(a.who, sizeof a.who);
        check_line(a.time, sizeof a.time);
        if (memchr(a.note, '\0', sizeof a.note) == NULL || clock_parse(a.time, &time_us) < 0 ||
                        time_us != a.time_us)
                abort();
        (void) acknowledgement_verify(&a, key);
        return 0;
}
