/* wardstone-worker NAME PLUGIN: started by wardstoned, never by hand. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "worker/child.h"
#include "worker/launch.h"

enum { FILES_MAX = 256 };

static int harden(void) {
        /* 1, not 0: with a core_pattern that is a pipe the kernel disregards 0; no limit of 1 lets a core
         * through */
        const struct rlimit no_core = { 1, 1 }, files = { FILES_MAX, FILES_MAX };

        /* The signal comes when the thread that started this process ends: in wardstoned that is the main
         * thread. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                        setrlimit(RLIMIT_CORE, &no_core) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
                return -1;
        /* The service manager and a terminal signal the whole group; wardstoned may still have something
         * to deliver then, and closes the socket when it hasn't. */
        (void) signal(SIGTERM, SIG_IGN);
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGHUP, SIG_IGN);
        (void) signal(SIGPIPE, SIG_IGN);
        return 0;
}

int main(int argc, char *argv[]) {
        int type = 0;
        socklen_t len = sizeof type;

        if (argc != 3 || getsockopt(WORKER_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
                        type != SOCK_SEQPACKET) {
                (void) fputs("wardstone-worker is started by wardstoned\n", stderr);
                return 2;
        }
        if (harden() < 0) {
                perror("wardstone-worker");
                return 1;
        }
        _cleanup_free_ Child *c = calloc(1, sizeof *c);
        if (!c)
                return 1;
        c->fd = WORKER_FD;
        c->host.name = argv[1];
        return child_serve(c, argv[2]) < 0;
}
