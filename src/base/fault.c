#include "base/fault.h"

#ifdef WARDSTONE_FAULTS

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int64_t fault_number(const char *name) {
        char path[PATH_MAX], text[32];

        const char *folder = secure_getenv("WARDSTONE_FAULTS");
        if (!folder)
                return 0;
        (void) snprintf(path, sizeof path, "%s/%s", folder, name);
        FILE *f = fopen(path, "re");
        if (!f)
                return 0;
        const char *line = fgets(text, sizeof text, f);
        (void) fclose(f);
        return line ? strtoll(line, NULL, 10) : 0;
}

bool fault_is_set(const char *name) {
        return fault_number(name) != 0;
}

#endif
