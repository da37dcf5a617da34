/* Runs a fuzz target over its corpus and over fixed mutations of it (each prefix of small files, each bit of the first
 * bytes flipped, bytes repeated and removed), so that an ordinary test run covers the target. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "../fuzz/fuzz.h"

enum { PREFIX_MAX = 512, FLIP_MAX = 256 };

/* Each input in memory of its own size, so that a read past its end is seen. */
static void run(const char *data, size_t len) {
        uint8_t *copy = malloc(len ? len : 1);

        if (!copy)
                abort();
        if (len > 0)
                memcpy(copy, data, len);
        (void) LLVMFuzzerTestOneInput(copy, len);
        free(copy);
}

static void run_mutations(char *data, size_t len) {
        for (size_t n = 0; n < MIN(len, (size_t) PREFIX_MAX); n++)
                run(data, n);
        for (size_t i = 0; i < MIN(len, (size_t) FLIP_MAX); i++)
                for (int bit = 0; bit < 8; bit++) {
                        data[i] = (char) (data[i] ^ 1 << bit);
                        run(data, len);
                        data[i] = (char) (data[i] ^ 1 << bit);
                }
}

int main(int argc, char *argv[]) {
        char path[4096];
        struct dirent *item;
        int files = 0;

        DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
        if (!d) {
                (void) fprintf(stderr, "%s: no corpus\n", argc > 1 ? argv[1] : "usage: replay FOLDER");
                return 1;
        }
        while ((item = readdir(d))) {
                _cleanup_free_ char *data = NULL;
                Error e;
                size_t len;

                if (item->d_name[0] == '.')
                        continue;
                (void) snprintf(path, sizeof path, "%s/%s", argv[1], item->d_name);
                if (file_read(path, 1 << 20, &data, &len, &e) < 0) {
                        (void) fprintf(stderr, "%s\n", e.message);
                        (void) closedir(d);
                        return 1;
                }
                run(data, len);
                run_mutations(data, len);
                files++;
        }
        (void) closedir(d);
        (void) printf("%d inputs with their mutations\n", files);
        return files > 0 ? 0 : 1;
}
