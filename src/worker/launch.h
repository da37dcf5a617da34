/* Starting one worker process with one end of a SOCK_SEQPACKET pair. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

enum { WORKER_FD = 3 }; /* the socket in the worker */

/* The process has that socket, the parent's stderr as stdout and stderr, /dev/null as stdin and nothing
 * else; signals are as at a login. Safe where the parent has threads. */
int worker_launch(const char *program, const char *name, const char *plugin, pid_t *ret_pid, int *ret_pidfd,
                int *ret_fd, Error *e) _must_check_;
