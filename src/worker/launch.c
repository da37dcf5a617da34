#include "worker/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"

static int add_actions(posix_spawn_file_actions_t *actions, int fd) {
        int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
        if (r == 0) /* clears FD_CLOEXEC also where it has that number already */
                r = posix_spawn_file_actions_adddup2(actions, fd, WORKER_FD);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(actions, WORKER_FD + 1);
        return r;
}

static int add_signals(posix_spawnattr_t *attributes) {
        sigset_t all, none;

        (void) sigfillset(&all);
        (void) sigemptyset(&none);
        int r = posix_spawnattr_setsigdefault(attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        return r;
}

/* posix_spawn() gives errors as positive numbers; so does this. */
static int spawn(const char *program, const char *name, const char *plugin, int fd, pid_t *ret_pid) {
        const char *const arguments[] = { program, name, plugin, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;

        int r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return r;
        r = posix_spawnattr_init(&attributes);
        if (r == 0) {
                r = add_actions(&actions, fd);
                if (r == 0)
                        r = add_signals(&attributes);
                if (r == 0)
                        r = posix_spawn(ret_pid, program, &actions, &attributes, (char *const *) arguments,
                                        environ);
                (void) posix_spawnattr_destroy(&attributes);
        }
        (void) posix_spawn_file_actions_destroy(&actions);
        return r;
}

int worker_launch(const char *program, const char *name, const char *plugin, pid_t *ret_pid, int *ret_pidfd,
                int *ret_fd, Error *e) {
        int ends[2];
        pid_t pid = -1;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return error_set(e, -errno, "%s: cannot make a socket pair: %s", name, strerror(errno));
        _cleanup_(fd_closep) int mine = ends[0];
        _cleanup_(fd_closep) int theirs = ends[1];

        int r = -spawn(program, name, plugin, theirs, &pid);
        if (r < 0)
                return error_set(e, r, "%s: cannot start %s: %s", name, program, strerror(-r));
        int pidfd = pidfd_open(pid, 0); /* not reaped yet, so the number is surely this process */
        if (pidfd < 0) {
                r = -errno;
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, NULL, 0);
                return error_set(e, r, "%s: cannot watch the worker: %s", name, strerror(-r));
        }
        *ret_pid = pid;
        *ret_pidfd = pidfd;
        *ret_fd = fd_take(&mine);
        return 0;
}
