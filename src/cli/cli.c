/* The `wardstone` command: finds the row of the table, reads its arguments, runs it, and says how it ended. */
#include <errno.h>
#include <getopt.h>

#include "base/yaml.h"
#include "cli/caret.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/text.h"

static const Command *const commands[] = {
        &command_init,
        &command_check,
        &command_status,
        &command_top,
        &command_tail,
        &command_readings,
        &command_alerts,
        &command_ack,
        &command_silence,
        &command_silences,
        &command_unsilence,
        &command_subjects,
        &command_devices,
        &command_quarantine,
        &command_assign,
        &command_release,
        &command_set,
        &command_block,
        &command_checkpoint,
        &command_prove,
        &command_verify,
        &command_chain,
        &command_ble,
        &command_decode,
        &command_test_rules,
        &command_backtest,
        &command_sim,
        &command_reload,
};

static void print_help(FILE *out) {
        fputs("Usage: wardstone [--socket PATH] COMMAND [OPTION...]\n"
              "\n"
              "Steers and reads a Wardstone gateway, and checks what it has recorded.\n"
              "\n"
              "Commands:\n",
                        out);
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
        fputs("  version      Print the version\n"
              "  help         Print this text, or that of a command\n"
              "\n"
              "wardstone COMMAND --help says more. Times are UTC.\n"
              "Exit status: 0 done, 1 failed or not verified, 2 wrong usage.\n",
                        out);
}

static const Command *command_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (streq(commands[i]->name, name))
                        return commands[i];
        return NULL;
}

static int unknown_command(const char *name) {
        const char *names[ELEMENTS(commands)];

        for (size_t i = 0; i < ELEMENTS(commands); i++)
                names[i] = commands[i]->name;
        const char *near = nearest_word(name, names, ELEMENTS(names));
        if (near)
                fprintf(stderr, "wardstone: unknown command \"%s\"; did you mean \"%s\"?\n", name, near);
        else
                fprintf(stderr, "wardstone: unknown command \"%s\"; see wardstone help\n", name);
        return CLI_USAGE;
}

static int run_command(const Command *command, int argc, char **argv, const char *socket) {
        _cleanup_free_ void *values = calloc(1, command->values_size + 1);
        Invocation in = { .socket = socket };
        Error e = { .message = "" };
        char prefix[64];

        if (!values) {
                fputs("wardstone: out of memory\n", stderr);
                return 1;
        }
        int r = options_read(command, argc, argv, values, &in, &e);
        if (r == OPTIONS_HELP)
                return 0;
        if (r == 0)
                r = command->run(&in, &e);
        if (r == CLI_USAGE) {
                fprintf(stderr, "wardstone %s: %s\nSee wardstone %s --help\n", command->name, e.message,
                                command->name);
                return CLI_USAGE;
        }
        if (r < 0) {
                (void) fflush(stdout); /* what was found before comes first */
                (void) snprintf(prefix, sizeof prefix, "wardstone %s: ", command->name);
                caret_print(stderr, prefix, e.message[0] ? e.message : strerror(-r));
        }
        return r != 0;
}

static int help_command(int argc, char **argv) {
        const Command *command = argc > 1 ? command_find(argv[1]) : NULL;

        if (argc > 1 && !command)
                return unknown_command(argv[1]);
        if (command)
                options_help(command, stdout);
        else
                print_help(stdout);
        return 0;
}

static int dispatch(int argc, char **argv, const char *socket) {
        if (streq(argv[0], "help"))
                return help_command(argc, argv);
        if (streq(argv[0], "version")) {
                puts("wardstone " WARDSTONE_VERSION);
                return 0;
        }
        const Command *command = command_find(argv[0]);
        return command ? run_command(command, argc, argv, socket) : unknown_command(argv[0]);
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "socket", required_argument, NULL, 's' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { NULL, 0, NULL, 0 },
        };
        const char *socket = NULL;
        int c, r = 0;

        while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
                if (c == 's')
                        socket = optarg;
                else if (c == 'h') {
                        print_help(stdout);
                        return 0;
                } else if (c == 'V') {
                        puts("wardstone " WARDSTONE_VERSION);
                        return 0;
                } else
                        return CLI_USAGE; /* getopt has said why */
        }
        if (optind == argc) {
                print_help(stderr);
                return CLI_USAGE;
        }
        r = dispatch(argc - optind, argv + optind, socket);
        if (fflush(stdout) != 0 || ferror(stdout)) {
                fprintf(stderr, "wardstone: can't write the output: %s\n", strerror(errno));
                return 1;
        }
        return r;
}
