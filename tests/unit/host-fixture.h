/* The host of a plugin, which keeps the text of the last failure. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "base/macro.h"
#include "wardstone/plugin.h"

typedef struct TestHost {
        struct wardstone_host host;
        char text[512];
} TestHost;

static int test_fail(const struct wardstone_host *host, int result, const char *format, ...) {
        TestHost *t = container_of(host, TestHost, host);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(t->text, sizeof t->text, format, ap);
        va_end(ap);
        return result;
}

static void test_log(
                const struct wardstone_host *host, enum wardstone_level level, const char *format, ...) {
}

static TestHost test_host(void) {
        return (TestHost){ .host = { .fail = test_fail, .log = test_log } };
}
