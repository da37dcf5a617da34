/* The vectors of another implementation, read at run time: $WARDSTONE_DATA/vectors/ethereum-ethers. */
#pragma once

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* NULL where they are not here. */
static json_t *ethers_vectors(const char *name) {
        const char *folder = getenv("WARDSTONE_DATA");
        char path[4096];

        if (!folder || !*folder)
                return NULL;
        (void) snprintf(path, sizeof path, "%s/vectors/ethereum-ethers/%s.json", folder, name);
        return json_load_file(path, 0, NULL);
}
