/* A command's arguments, read with getopt_long as its table of options says. */
#pragma once

#include "cli/cli.h"

enum { OPTIONS_HELP = 3 }; /* --help was asked for and printed */

/* Options that come before the command's name: --socket, --help, --version are the caller's. argv[0] is the command.
 * Fills socket, json, operands of in, and values (command->values_size bytes, set to the defaults first).
 * 0, OPTIONS_HELP, or CLI_USAGE with a message. */
int options_read(const Command *command, int argc, char **argv, void *values, Invocation *in,
                Error *e) _must_check_;

/* An unsigned decimal of the whole text, at most max; for operands. CLI_USAGE with a message that names what. */
int count_parse(const char *text, const char *what, uint64_t max, uint64_t *ret, Error *e) _must_check_;

void options_help(const Command *command, FILE *out);
