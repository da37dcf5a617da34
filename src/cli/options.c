#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>

#include "base/clock.h"

enum { OPTIONS_MAX = 24, VALUE_BASE = 0x100, VALUE_HELP, VALUE_SOCKET, VALUE_JSON, VALUE_FIRST };

static size_t option_count(const Command *command) {
        size_t n = 0;

        while (command->options && command->options[n].name)
                n++;
        return n;
}

static void help_line(FILE *out, const char *left, const char *text) {
        fprintf(out, strlen(left) < 26 ? "  %-26s%s\n" : "  %s\n                            %s\n", left,
                        text);
}

void options_help(const Command *command, FILE *out) {
        char left[96];

        fprintf(out, "Usage: wardstone %s [OPTION...]%s%s\n\n%s.\n", command->name,
                        command->operands ? " " : "", command->operands ? command->operands : "",
                        command->summary);
        if (command->details)
                fprintf(out, "\n%s\n", command->details);
        fputs("\nOptions:\n", out);
        for (size_t i = 0; i < option_count(command); i++) {
                const Option *o = &command->options[i];
                char letter[8] = "";
                if (o->letter)
                        (void) snprintf(letter, sizeof letter, "-%c, ", o->letter);
                (void) snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                                o->argument ? o->argument : "");
                help_line(out, left, o->help);
        }
        if (command->talks) {
                help_line(out, "--socket PATH", "the daemon's control socket");
                help_line(out, "--json", "one JSON object a line");
        }
        help_line(out, "-h, --help", "this text");
}

int count_parse(const char *text, const char *what, uint64_t max, uint64_t *ret, Error *e) {
        char *end;

        errno = 0;
        unsigned long long v = strtoull(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v > max)
                return error_set(e, CLI_USAGE, "%s: expected a whole number up to %llu, got \"%s\"", what,
                                (unsigned long long) max, text);
        *ret = v;
        return 0;
}

static int read_count(const Option *o, const char *text, uint64_t *ret, Error *e) {
        char what[64];
        uint64_t v;

        (void) snprintf(what, sizeof what, "--%s", o->name);
        int r = count_parse(text, what, o->max > 0 ? (uint64_t) o->max : UINT64_MAX, &v, e);
        if (r != 0)
                return r;
        if ((double) v < o->min)
                return error_set(e, CLI_USAGE, "--%s: expected at least %.0f, got \"%s\"", o->name, o->min,
                                text);
        *ret = v;
        return 0;
}

static int read_number(const Option *o, const char *text, double *ret, Error *e) {
        char *end;
        double v = strtod(text, &end);

        if (end == text || *end != '\0' || !isfinite(v) || v < o->min || v > o->max)
                return error_set(e, CLI_USAGE, "--%s: expected a number from %g to %g, got \"%s\"", o->name,
                                o->min, o->max, text);
        *ret = v;
        return 0;
}

static int read_time(const Option *o, const char *text, int64_t *ret, Error *e) {
        int64_t ago;
        Stamp now;

        if (clock_parse(text, ret) == 0)
                return 0;
        if (duration_parse(text, &ago) < 0)
                return error_set(e, CLI_USAGE,
                                "--%s: expected a time such as 2026-11-20T08:15:00Z or a duration ago such "
                                "as "
                                "2h, got \"%s\"",
                                o->name, text);
        clock_now(&now);
        *ret = now.wall_us - ago;
        return 0;
}

static int add_text(const Option *o, const char *text, TextList *list, Error *e) {
        if (!*text)
                return error_set(e, CLI_USAGE, "--%s: must not be empty", o->name);
        if (list->count == TEXT_LIST_MAX)
                return error_set(e, CLI_USAGE, "--%s: given more than %d times", o->name, TEXT_LIST_MAX);
        list->items[list->count++] = text;
        return 0;
}

static int read_option(const Option *o, char *text, void *values, Error *e) {
        void *member = (char *) values + o->offset;

        switch (o->type) {
        case OPTION_FLAG:
                *(bool *) member = true;
                return 0;
        case OPTION_TEXT:
                if (!*text)
                        return error_set(e, CLI_USAGE, "--%s: must not be empty", o->name);
                *(const char **) member = text;
                return 0;
        case OPTION_COUNT:
                return read_count(o, text, member, e);
        case OPTION_NUMBER:
                return read_number(o, text, member, e);
        case OPTION_DURATION:
                if (duration_parse(text, member) < 0)
                        return error_set(e, CLI_USAGE,
                                        "--%s: expected a duration such as 90s or 1h30m, got \"%s\"",
                                        o->name, text);
                return 0;
        case OPTION_TIME:
                return read_time(o, text, member, e);
        case OPTION_LIST:
                return add_text(o, text, member, e);
        }
        return error_set(e, -EINVAL, "--%s: unknown type", o->name);
}

/* getopt's tables for the command: its own options first, then those that every command has. */
static void tables(const Command *command, struct option ret_long[static OPTIONS_MAX + 4],
                char ret_short[static OPTIONS_MAX * 2 + 4]) {
        size_t n = option_count(command);
        char *p = ret_short;

        *p++ = ':';
        *p++ = 'h';
        for (size_t i = 0; i < n && i < OPTIONS_MAX; i++) {
                const Option *o = &command->options[i];
                int takes = o->type != OPTION_FLAG;
                *ret_long++ = (struct option){ o->name, takes, NULL, VALUE_FIRST + (int) i };
                if (o->letter) {
                        *p++ = o->letter;
                        if (takes)
                                *p++ = ':';
                }
        }
        *p = '\0';
        *ret_long++ = (struct option){ "help", no_argument, NULL, VALUE_HELP };
        if (command->talks) {
                *ret_long++ = (struct option){ "socket", required_argument, NULL, VALUE_SOCKET };
                *ret_long++ = (struct option){ "json", no_argument, NULL, VALUE_JSON };
        }
        *ret_long = (struct option){ NULL };
}

static const Option *option_find(const Command *command, int value) {
        if (value >= VALUE_FIRST)
                return &command->options[value - VALUE_FIRST];
        for (size_t i = 0; i < option_count(command); i++)
                if (command->options[i].letter == value)
                        return &command->options[i];
        return NULL;
}

static int check_operands(const Command *command, int n, Error *e) {
        if (n >= command->operands_min && n <= command->operands_max)
                return 0;
        if (!command->operands)
                return error_set(e, CLI_USAGE, "takes no operands");
        return error_set(e, CLI_USAGE, "%s operands: expected %s",
                        n < command->operands_min ? "too few" : "too many", command->operands);
}

int options_read(const Command *command, int argc, char **argv, void *values, Invocation *in, Error *e) {
        struct option long_options[OPTIONS_MAX + 4];
        char short_options[OPTIONS_MAX * 2 + 4];
        int c, r;

        if (command->values)
                memcpy(values, command->values, command->values_size);
        tables(command, long_options, short_options);
        optind = 0; /* glibc: start anew, the global options were read before */
        while ((c = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
                if (c == ':')
                        return error_set(e, CLI_USAGE, "%s: needs an argument", argv[optind - 1]);
                if (c == '?')
                        return error_set(e, CLI_USAGE, "unknown option %s", argv[optind - 1]);
                if (c == 'h' || c == VALUE_HELP) {
                        options_help(command, stdout);
                        return OPTIONS_HELP;
                }
                if (c == VALUE_SOCKET)
                        in->socket = optarg;
                else if (c == VALUE_JSON)
                        in->json = true;
                else {
                        r = read_option(option_find(command, c), optarg, values, e);
                        if (r != 0)
                                return r;
                }
        }
        r = check_operands(command, argc - optind, e);
        if (r != 0)
                return r;
        in->command = command;
        in->values = values;
        in->operands = argv + optind;
        in->operand_count = argc - optind;
        return 0;
}
