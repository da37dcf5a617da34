/* Consciousness as devices write it, one letter, to the code that the catalogue gives it. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

/* 0 alert, 1 new confusion, 2 voice, 3 pain, 4 unresponsive; false for any other text. */
static inline bool acvpu_parse(Bytes text, double *ret_code) {
        static const char letters[] = "ACVPU";
        const char *at = text.len == 1 ? memchr(letters, text.data[0], sizeof letters - 1) : NULL;

        if (!at)
                return false;
        *ret_code = (double) (at - letters);
        return true;
}
