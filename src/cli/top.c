/* top: the board, live. A screen that can't be live says so in its first line. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/board.h"
#include "cli/request.h"

typedef struct Values {
        bool once;
} Values;

static const Option options[] = {
        { "once", '1', OPTION_FLAG, offsetof(Values, once), .help = "print it once, without control codes" },
        { NULL },
};

enum { FRAME_US = 1000 * 1000, STALE_US = 5 * 1000 * 1000, DEFAULT_WIDTH = 80, DEFAULT_HEIGHT = 24 };

typedef struct Top {
        const char *socket;
        Client *board, *status_client;
        json_t *rows, *incoming; /* arrays: what is shown, what is being received */
        json_t *status;
        Error trouble;               /* of the connection; message empty: none */
        int64_t rows_us, attempt_us; /* monotonic: rows came, last attempt to connect */
        int signals;
        struct termios saved;
} Top;

static void top_done(Top *t) {
        client_free(t->board);
        client_free(t->status_client);
        json_decref(t->rows);
        json_decref(t->incoming);
        json_decref(t->status);
        t->signals = fd_close(t->signals);
}

static int64_t now_us(void) {
        Stamp now;

        clock_now(&now);
        return now.mono_us;
}

static json_t *board_request(bool follow) {
        json_t *request = request_new("board");

        request_flag(&request, "follow", follow);
        return request;
}

static void screen_size(BoardView *v) {
        struct winsize size;

        v->width = DEFAULT_WIDTH;
        v->height = DEFAULT_HEIGHT;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 1) {
                v->width = size.ws_col;
                v->height = size.ws_row;
        }
}

/* One write a frame, so that a slow line never shows half of one. */
static int draw(Top *t, Error *e) {
        BoardView view = { .colour = true, .elapsed_s = (double) (now_us() - t->rows_us) / 1e6 };
        _cleanup_free_ char *frame = NULL;
        size_t len = 0;
        int r = -ENOMEM;

        screen_size(&view);
        view.height--; /* the last line would scroll */
        if (t->trouble.message[0])
                view.trouble = t->trouble.message;
        else if (view.elapsed_s * 1e6 > STALE_US)
                view.trouble = "the daemon sends nothing";
        FILE *out = open_memstream(&frame, &len);
        if (out) {
                fputs("\033[H", out);
                r = board_print(out, t->rows, t->status, &view);
                fputs("\033[J\033[2mq quits\033[0m\033[K", out);
                if (fclose(out) != 0)
                        r = -ENOMEM;
        }
        if (r < 0)
                return error_set(e, r, "out of memory");
        (void) fwrite(frame, 1, len, stdout);
        (void) fflush(stdout);
        return 0;
}

static void lost(Top *t) {
        t->board = client_free(t->board);
        t->status_client = client_free(t->status_client);
}

static void connect_again(Top *t) {
        if (t->board || now_us() - t->attempt_us < FRAME_US)
                return;
        t->attempt_us = now_us();
        json_array_clear(t->incoming);
        if (client_open(t->socket, board_request(true), &t->board, &t->trouble) < 0)
                t->board = NULL; /* trouble says why, and the screen with it */
}

/* A tick ends a whole board: it is what is shown from now on. */
static int take_board(Top *t, Error *e) {
        const json_t *row;
        int r;

        while ((r = client_next(t->board, 0, &row, &t->trouble)) == CLIENT_ROW) {
                if (!json_object_get(row, "tick")) {
                        if (json_array_append_new(t->incoming, json_deep_copy(row)) < 0)
                                return error_set(e, -ENOMEM, "out of memory");
                        continue;
                }
                json_t *old = t->rows;
                t->rows = t->incoming;
                t->incoming = old;
                json_array_clear(t->incoming);
                t->rows_us = now_us();
                t->trouble.message[0] = '\0';
                if (!t->status_client &&
                                client_open(t->socket, request_new("status"), &t->status_client, NULL) < 0)
                        t->status_client = NULL; /* asked again after the next board */
        }
        if (r == -EAGAIN)
                return 0;
        if (r == CLIENT_END)
                (void) error_set(&t->trouble, 0, "the daemon is going down");
        lost(t);
        return 0;
}

static void take_status(Top *t) {
        const json_t *row;
        int r;

        while ((r = client_next(t->status_client, 0, &row, NULL)) == CLIENT_ROW) {
                json_decref(t->status);
                t->status = json_deep_copy(row);
        }
        if (r != -EAGAIN)
                t->status_client = client_free(t->status_client);
}

/* 1: the user or a signal ends it. */
static int take_input(Top *t, const struct pollfd *keys, const struct pollfd *signals) {
        struct signalfd_siginfo info;
        char c;

        if (keys->revents)
                if (read(STDIN_FILENO, &c, 1) != 1 || c == 'q' || c == 'Q' || c == 3 /* ^C */)
                        return 1;
        if (signals->revents && read(t->signals, &info, sizeof info) == sizeof info)
                return info.ssi_signo != SIGWINCH;
        return 0;
}

static int run_loop(Top *t, Error *e) {
        for (;;) {
                connect_again(t);
                int r = draw(t, e);
                if (r < 0)
                        return r;
                struct pollfd fds[] = {
                        { .fd = STDIN_FILENO, .events = POLLIN },
                        { .fd = t->signals, .events = POLLIN },
                        { .fd = t->board ? client_fd(t->board) : -1, .events = POLLIN },
                        { .fd = t->status_client ? client_fd(t->status_client) : -1, .events = POLLIN },
                };
                if (poll(fds, ELEMENTS(fds), FRAME_US / 1000) < 0 && errno != EINTR)
                        return error_set(e, -errno, "can't wait: %s", strerror(errno));
                if (take_input(t, &fds[0], &fds[1]))
                        return 0;
                if (fds[3].revents)
                        take_status(t);
                if (fds[2].revents) {
                        r = take_board(t, e);
                        if (r < 0)
                                return r;
                }
        }
}

static int open_signals(Top *t, Error *e) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                sigaddset(&set, signals[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
                t->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
        return t->signals < 0 ? error_set(e, -errno, "can't watch signals: %s", strerror(errno)) : 0;
}

static int run_live(Top *t, Error *e) {
        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &t->saved) < 0)
                return error_set(e, CLI_USAGE, "not a terminal; --once prints the board once");
        int r = client_open(t->socket, board_request(true), &t->board, e);
        if (r == 0)
                r = open_signals(t, e);
        if (r < 0)
                return r;
        t->rows_us = t->attempt_us = now_us();
        struct termios raw = t->saved;
        raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO | ISIG);
        (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
        /* the alternate screen, no cursor, no wrapping at the edge */
        fputs("\033[?1049h\033[?25l\033[?7l\033[2J", stdout);
        r = run_loop(t, e);
        fputs("\033[?7h\033[?25h\033[?1049l", stdout);
        (void) fflush(stdout);
        (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &t->saved);
        return r;
}

static int print_once(Top *t, Error *e) {
        BoardView view = { 0 };
        const json_t *row;

        int r = client_open(t->socket, board_request(false), &t->board, e);
        if (r < 0)
                return r;
        while ((r = client_next(t->board, CLIENT_TIMEOUT_MS, &row, e)) == CLIENT_ROW)
                if (json_array_append_new(t->rows, json_deep_copy(row)) < 0)
                        return error_set(e, -ENOMEM, "out of memory");
        if (r == CLIENT_END)
                r = client_call(t->socket, request_new("status"), &t->status, e);
        if (r < 0)
                return r;
        screen_size(&view);
        view.height = 0;
        return board_print(stdout, t->rows, t->status, &view) < 0 ? error_set(e, -ENOMEM, "out of memory")
                                                                  : 0;
}

static int run_top(const Invocation *in, Error *e) {
        const Values *v = in->values;
        _cleanup_(top_done) Top t = {
                .socket = in->socket, .signals = -1, .rows = json_array(), .incoming = json_array()
        };
        const RowsView rows = { .format = ROWS_JSON, .live = !v->once };

        if (in->json)
                return rows_print(in, board_request(!v->once), &rows, e);
        if (!t.rows || !t.incoming)
                return error_set(e, -ENOMEM, "out of memory");
        return v->once ? print_once(&t, e) : run_live(&t, e);
}

const Command command_top = {
        .name = "top",
        .summary = "Watch the ward's vitals and alerts in the terminal",
        .details = "Worst alerts come first. A dim value is older than a minute, or doubted where a ? "
                   "follows it.\n"
                   "This board is no certified alarm: it shows what the gateway knows.",
        .options = options,
        .values_size = sizeof(Values),
        .talks = true,
        .run = run_top,
};
