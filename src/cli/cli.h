/* What a command of `wardstone` is: a row of the table in cli.c, one handler a file.
 *
 * A handler returns 0 when it did what was asked, CLI_NO when the answer is no and has been said (a proof that does not
 * hold), CLI_USAGE with a message where the arguments make no sense together, or a negative errno with a message.
 * Messages are printed by main alone. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

enum { CLI_NO = 1, CLI_USAGE = 2 };

typedef enum OptionType {
        OPTION_FLAG,     /* bool, takes no argument */
        OPTION_TEXT,     /* const char *: borrowed from argv */
        OPTION_COUNT,    /* uint64_t in [min, max] */
        OPTION_NUMBER,   /* double in [min, max] */
        OPTION_DURATION, /* int64_t microseconds */
        OPTION_TIME,     /* int64_t wall microseconds: ISO 8601, or a duration ago */
        OPTION_LIST,     /* TextList: may be given again and again */
} OptionType;

enum { TEXT_LIST_MAX = 32 };

typedef struct TextList {
        const char *items[TEXT_LIST_MAX]; /* borrowed from argv */
        size_t count;
} TextList;

typedef struct Option {
        const char *name; /* "from", given as --from */
        char letter;      /* 0: none */
        OptionType type;
        size_t offset; /* of the member in the command's values */
        double min, max;
        const char *argument; /* what the help calls its argument */
        const char *help;
} Option;

typedef struct Invocation Invocation;

typedef struct Command {
        const char *name;
        const char *operands;  /* for the usage line; NULL: none */
        const char *summary;   /* one line */
        const char *details;   /* printed by --help; NULL: none */
        const Option *options; /* ended by a row without a name; NULL: none */
        size_t values_size;
        const void *values; /* the defaults; NULL: all zero */
        int operands_min, operands_max;
        bool talks; /* speaks with the daemon: takes --socket and --json */
        int (*run)(const Invocation *in, Error *e);
} Command;

struct Invocation {
        const Command *command;
        const char *socket; /* --socket, or NULL */
        bool json;
        const void *values;
        char **operands;
        int operand_count;
};

extern const Command command_init, command_check, command_status, command_top, command_tail,
                command_readings, command_alerts, command_ack, command_silence, command_silences,
                command_unsilence, command_subjects, command_set, command_devices, command_quarantine,
                command_assign, command_release, command_block, command_checkpoint, command_prove,
                command_verify, command_chain, command_ble, command_decode, command_test_rules,
                command_backtest, command_sim, command_reload;
