/* init: keys, folders and a first configuration. Nothing that exists is touched. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/templates.h"
#include "ledger/keyring.h"
#include "ledger/note.h"
#include "model/registry.h"

typedef struct Values {
        const char *dir, *state, *name;
} Values;

static const Option options[] = {
        { "dir", 'd', OPTION_TEXT, offsetof(Values, dir), .argument = "DIR",
                        .help = "for configuration and keys (default /etc/wardstone)" },
        { "state", 's', OPTION_TEXT, offsetof(Values, state), .argument = "DIR",
                        .help = "for the ledger (default /var/lib/wardstone)" },
        { "name", 'n', OPTION_TEXT, offsetof(Values, name), .argument = "NAME",
                        .help = "the gateway's name in checkpoints (default: host name)" },
        { NULL },
};

/* Writes a file that is not there yet, whole or not at all; says which. */
static int write_new(const char *path, const char *text, mode_t mode, Error *e) {
        char temporary[PATH_MAX];
        bool made = false;
        int r = 0;

        if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int) sizeof temporary)
                return error_set(e, -ENAMETOOLONG, "%s: path too long", path);
        if (access(path, F_OK) < 0) {
                r = file_replace(temporary, BYTES_STRING(text), mode, e);
                if (r < 0)
                        return r;
                made = link(temporary, path) == 0; /* never over a file that came meanwhile */
                r = made || errno == EEXIST ? 0 : -errno;
                (void) unlink(temporary);
        }
        if (r < 0)
                return error_set(e, r, "%s: %s", path, strerror(-r));
        printf("%-8s %s\n", made ? "made" : "kept", path);
        return 0;
}

static int join(char ret[static PATH_MAX], const char *folder, const char *name, Error *e) {
        int n = snprintf(ret, PATH_MAX, "%s/%s", folder, name);

        return n < 0 || n >= PATH_MAX ? error_set(e, -ENAMETOOLONG, "%s/%s: path too long", folder, name)
                                      : 0;
}

static void wipe_key(SigningKey *k) {
        signing_key_done(k);
}

static int generate_signing_key(const char *path, Error *e) {
        _cleanup_(wipe_key) SigningKey key = { 0 };
        char text[128], line[sizeof text + 1];

        int r = signing_key_generate(&key);
        if (r == 0)
                r = signing_key_format(&key, text, sizeof text);
        if (r < 0)
                return error_set(e, r, "can't make a signing key: %s", strerror(-r));
        (void) snprintf(line, sizeof line, "%.*s\n", (int) strcspn(text, "\n"), text);
        r = write_new(path, line, 0600, e);
        sodium_memzero(text, sizeof text);
        sodium_memzero(line, sizeof line);
        return r;
}

/* Makes the signing key where there is none, then reads it back: the verifier key is always that of the file. */
static int init_signing_key(const char *dir, const char *name, Error *e) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(wipe_key) SigningKey key = { 0 };
        char path[PATH_MAX], origin[ORIGIN_MAX], verifier[ORIGIN_MAX + 128], line[sizeof verifier + 1];
        size_t len;

        int r = join(path, dir, "signing-key", e);
        if (r < 0)
                return r;
        if (access(path, F_OK) == 0)
                printf("%-8s %s\n", "kept", path);
        else {
                r = generate_signing_key(path, e);
                if (r < 0)
                        return r;
        }
        r = file_read_secret(path, 4096, &text, &len, e);
        if (r < 0)
                return r;
        r = signing_key_parse(text, &key, e);
        sodium_memzero(text, len);
        if (r < 0)
                return error_prefix(e, r, "%s", path);
        (void) snprintf(origin, sizeof origin, "%s/1", name);
        r = note_verifier_key(origin, key.public, verifier, sizeof verifier);
        if (r < 0)
                return error_set(e, r, "%s: name too long", name);
        (void) snprintf(line, sizeof line, "%s\n", verifier);
        r = join(path, dir, "verifier-key", e);
        return r < 0 ? r : write_new(path, line, 0644, e);
}

static int init_encryption_key(const char *dir, Error *e) {
        uint8_t key[KEY_SIZE];
        char path[PATH_MAX], base64[64], text[128];

        int r = join(path, dir, "key-encryption-key", e);
        if (r < 0)
                return r;
        randombytes_buf(key, sizeof key);
        sodium_bin2base64(base64, sizeof base64, key, sizeof key, sodium_base64_VARIANT_ORIGINAL);
        (void) snprintf(text, sizeof text, "wardstone-key-encryption-key-v1 %s\n", base64);
        r = write_new(path, text, 0600, e);
        sodium_memzero(key, sizeof key);
        sodium_memzero(base64, sizeof base64);
        sodium_memzero(text, sizeof text);
        return r;
}

static int init_configuration(const Values *v, const char *name, Error *e) {
        _cleanup_free_ char *main_file = NULL;
        char path[PATH_MAX], file[NAME_MAX + 1];

        if (asprintf(&main_file, template_main, name, v->state, name) < 0)
                return error_set(e, -ENOMEM, "out of memory");
        int r = join(path, v->dir, "wardstone.yaml", e);
        if (r == 0)
                r = write_new(path, main_file, 0644, e);
        if (r == 0)
                r = join(path, v->dir, "devices.yaml", e);
        if (r == 0)
                r = write_new(path, template_devices, 0644, e);
        if (r == 0)
                r = join(path, v->dir, "rules.d", e);
        if (r == 0)
                r = dir_make(path, 0755, e);
        for (const RuleTemplate *t = template_rules; r == 0 && t->name; t++) {
                (void) snprintf(file, sizeof file, "rules.d/%s", t->name);
                r = join(path, v->dir, file, e);
                if (r == 0)
                        r = write_new(path, t->text, 0644, e);
        }
        return r;
}

static int print_next(const Values *v, Error *e) {
        _cleanup_free_ char *key = NULL;
        char path[PATH_MAX];

        int r = join(path, v->dir, "verifier-key", e);
        if (r == 0)
                r = file_read(path, 4096, &key, NULL, e);
        if (r < 0)
                return r;
        printf("\nVerifier key (give it to auditors; it is public):\n  %s\n"
               "Next:\n"
               "  keep copies of %s/signing-key and %s/key-encryption-key off this box\n"
               "  edit %s/wardstone.yaml and %s/devices.yaml\n"
               "  wardstone check --config %s/wardstone.yaml\n"
               "  systemctl enable --now wardstoned\n",
                        key, v->dir, v->dir, v->dir, v->dir, v->dir);
        return 0;
}

static int run_init(const Invocation *in, Error *e) {
        const Values *v = in->values;
        char host[NAME_MAX_LENGTH] = "";
        const char *name = v->name;

        if (!name) {
                (void) gethostname(host, sizeof host - 1);
                name = host;
        }
        if (!name_is_valid(name))
                return error_set(e, CLI_USAGE,
                                "--name: \"%s\": expected 1 to %d letters, digits, '.', '_', ':' or '-', "
                                "not starting "
                                "with '.'",
                                name, NAME_MAX_LENGTH - 1);
        if (v->state[0] != '/')
                return error_set(e, CLI_USAGE, "--state: expected an absolute path, got \"%s\"", v->state);
        if (sodium_init() < 0)
                return error_set(e, -EIO, "libsodium can't start");
        int r = dir_make(v->dir, 0755, e);
        if (r == 0)
                r = dir_make(v->state, 0700, e);
        if (r == 0)
                r = init_signing_key(v->dir, name, e);
        if (r == 0)
                r = init_encryption_key(v->dir, e);
        if (r == 0)
                r = init_configuration(v, name, e);
        if (r == 0)
                r = dir_sync(v->dir) < 0 ? error_set(e, -EIO, "%s: can't make it durable", v->dir) : 0;
        return r < 0 ? r : print_next(v, e);
}

static const Values defaults = { .dir = "/etc/wardstone", .state = "/var/lib/wardstone" };

const Command command_init = {
        .name = "init",
        .summary = "Make keys, folders and a first configuration",
        .details = "What exists already is kept and named; keys are never overwritten.",
        .options = options,
        .values_size = sizeof(Values),
        .values = &defaults,
        .run = run_init,
};
