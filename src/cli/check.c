/* check: is this configuration one that the daemon would start with? */
#include "cli/cli.h"
#include "gateway/config.h"

typedef struct Values {
        const char *config;
} Values;

static const Option options[] = {
        { "config", 'c', OPTION_TEXT, offsetof(Values, config), .argument = "FILE",
                        .help = "default /etc/wardstone/wardstone.yaml" },
        { NULL },
};

static int run_check(const Invocation *in, Error *e) {
        const Values *v = in->values;
        _cleanup_(config_freep) Config *config = NULL;

        int r = config_load(v->config, &config, e);
        if (r < 0)
                return r;
        printf("%s: ok, %zu devices, %zu rules\n", v->config, config->device_count,
                        rule_set_count(config->rules));
        return 0;
}

static const Values defaults = { .config = "/etc/wardstone/wardstone.yaml" };

const Command command_check = {
        .name = "check",
        .summary = "Check a configuration with its devices and rules",
        .options = options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .run = run_check,
};
