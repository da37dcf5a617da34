/* wardstoned: options, then gateway_run(). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "gateway/gateway.h"
#include "gateway/log.h"

static const char usage[] = "usage: wardstoned [--config FILE] [--check]\n"
                            "\n"
                            "  -c, --config FILE  configuration (default /etc/wardstone/wardstone.yaml)\n"
                            "      --check        read and check the configuration, start nothing\n"
                            "      --version      print the version\n"
                            "  -h, --help         print this text\n"
                            "\n"
                            "See wardstoned(8) and wardstone.yaml(5).\n";

enum { OPTION_CHECK = 256, OPTION_VERSION };

static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "check", no_argument, NULL, OPTION_CHECK },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "help", no_argument, NULL, 'h' },
        { NULL },
};

static int run(const char *path, bool check) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_(gateway_freep) Gateway *gateway = NULL;
        Error e = { "" };

        if (config_load(path, &config, &e) < 0) {
                log_error("%s", e.message);
                return EXIT_FAILURE;
        }
        if (check) {
                (void) printf("%s: ok, %zu devices, %zu rules\n", path, config->device_count,
                                rule_set_count(config->rules));
                return EXIT_SUCCESS;
        }
        if (gateway_new(&config, &gateway, &e) < 0) {
                log_error("%s", e.message);
                return EXIT_FAILURE;
        }
        int r = gateway_run(gateway);
        if (r < 0)
                log_error("the event loop failed: %s", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        const char *path = "/etc/wardstone/wardstone.yaml";
        bool check = false;
        int option;

        while ((option = getopt_long(argc, argv, "c:h", options, NULL)) >= 0)
                switch (option) {
                case 'c':
                        path = optarg;
                        break;
                case OPTION_CHECK:
                        check = true;
                        break;
                case OPTION_VERSION:
                        (void) printf("wardstoned %s\n", WARDSTONE_VERSION);
                        return EXIT_SUCCESS;
                case 'h':
                        (void) fputs(usage, stdout);
                        return EXIT_SUCCESS;
                default:
                        (void) fputs(usage, stderr);
                        return 2;
                }
        if (optind < argc) {
                (void) fprintf(stderr, "unexpected argument '%s'\n%s", argv[optind], usage);
                return 2;
        }
        return run(path, check);
}
