/* File descriptors as owned values. */
#pragma once

#include <unistd.h>

#include "base/macro.h"

/* Closes and returns -1, so that `fd = fd_close(fd)` forgets it. */
static inline int fd_close(int fd) {
        if (fd >= 0)
                (void) close(fd);
        return -1;
}

static inline void fd_closep(int *fd) {
        *fd = fd_close(*fd);
}

static inline int fd_take(int *fd) {
        int taken = *fd;
        *fd = -1;
        return taken;
}
