/* decode: what the gateway would make of a payload, with no daemon. */
#include <errno.h>
#include <float.h>
#include <jansson.h>
#include <math.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "decode/advert.h"
#include "decode/decode.h"
#include "decode/mapping.h"
#include "decode/validate.h"
#include "gateway/config.h"

typedef struct Values {
        const char *format, *map, *config, *map_file, *key, *address;
        bool hex;
} Values;

enum { KEY_FILE_MAX = 256 };

static const char default_config[] = "/etc/wardstone/wardstone.yaml";

static const Option options[] = {
        { "format", 'f', OPTION_TEXT, offsetof(Values, format), .argument = "FORMAT",
                        .help = "senml+json, senml+cbor, json, bthome, gatt:CODE, adv:CODE or svc:CODE" },
        { "map", 'm', OPTION_TEXT, offsetof(Values, map), .argument = "NAME",
                        .help = "for json: the mapping, by its name in the configuration" },
        { "config", 'c', OPTION_TEXT, offsetof(Values, config), .argument = "FILE",
                        .help = "where that is (default /etc/wardstone/wardstone.yaml)" },
        { "map-file", 0, OPTION_TEXT, offsetof(Values, map_file), .argument = "FILE",
                        .help = "or a file with `maps:` alone" },
        { "key", 0, OPTION_TEXT, offsetof(Values, key), .argument = "FILE",
                        .help = "for encrypted adverts: the bind key, 32 hexadecimal digits" },
        { "address", 0, OPTION_TEXT, offsetof(Values, address), .argument = "ADDRESS",
                        .help = "and the address of their sender, as A4:C1:38:00:11:22" },
        { "hex", 0, OPTION_FLAG, offsetof(Values, hex), .help = "the payload is written in hexadecimal" },
        { NULL },
};

/* What decoding needs, from the configuration or by itself. */
typedef struct Context {
        Config *config;
        YamlDocument *document;
        Catalogue *own_catalogue;
        MappingSet *own_maps;
        const Catalogue *catalogue;
        Decoding decoding;
        AdvertSecret secret;
        YamlDocument *devices;
        Registry *registry; /* of the one device that the payload is from */
        Validator *validator;
} Context;

static void context_done(Context *c) {
        validator_free(c->validator);
        registry_free(c->registry);
        yaml_unload(c->devices);
        explicit_bzero(&c->secret, sizeof c->secret);
        mapping_set_free(c->own_maps);
        catalogue_free(c->own_catalogue);
        yaml_unload(c->document);
        config_free(c->config);
}

static int load_map_file(Context *c, const char *path, Error *e) {
        YamlNode maps = { 0 };
        const YamlField fields[] = { { "maps", YAML_NODE, 0, .required = true }, { NULL } };

        int r = yaml_load_file(path, &c->document, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(c->document);
        r = yaml_read(&root, fields, &maps, e);
        return r < 0 ? r : mapping_set_read(&maps, c->catalogue, &c->own_maps, e);
}

static int load(Context *c, const Values *v, Error *e) {
        const DecodeFormat format = c->decoding.format;
        const MappingSet *maps;
        int r;

        if (v->config || (format == DECODE_JSON && !v->map_file)) {
                r = config_load(v->config ? v->config : default_config, &c->config, e);
                if (r < 0)
                        return r;
                c->catalogue = c->config->catalogue;
        } else {
                r = catalogue_new(&c->own_catalogue);
                if (r < 0)
                        return error_set(e, r, "out of memory");
                c->catalogue = c->own_catalogue;
        }
        if (format != DECODE_JSON)
                return 0;
        if (v->map_file) {
                r = load_map_file(c, v->map_file, e);
                if (r < 0)
                        return r;
        }
        maps = v->map_file ? c->own_maps : c->config->maps;
        c->decoding.mapping = mapping_set_find(maps, v->map);
        if (!c->decoding.mapping)
                return error_set(e, -ENOENT, "%s has no map \"%s\"",
                                v->map_file ? v->map_file : c->config->path, v->map);
        return 0;
}

/* A ward of one device. The answer must not depend on when it is asked: no device time is out of bounds. */
static int make_validator(Context *c, Error *e) {
        static const char devices[] = "devices: [{id: device}]";
        const ValidatorOptions o = {
                .skew_past_us = INT64_MAX / 4, .skew_future_us = INT64_MAX / 4, .identities = 4096
        };

        int r = yaml_load("devices", BYTES_STRING(devices), &c->devices, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(c->devices);
        r = registry_new(&c->registry);
        if (r == 0)
                r = registry_read(c->registry, &root, e);
        if (r == 0)
                r = validator_new(&o, c->catalogue, &c->validator);
        return r < 0 ? error_set(e, r, "can't validate: %s", strerror(-r)) : 0;
}

static int hex_digit(char c) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *p = c ? strchr(digits, c) : NULL;

        return p ? (int) ((p - digits) % 16) : -1;
}

/* In place; white space between digits is passed over. */
static int from_hex(uint8_t *data, size_t len, size_t *ret_len, Error *e) {
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
                if (data[i] && strchr(" \t\r\n", data[i]))
                        continue;
                int digit = hex_digit((char) data[i]);
                if (digit < 0)
                        return error_set(e, -EINVAL, "byte %zu of the input is no hexadecimal digit", i + 1);
                data[n / 2] = (uint8_t) (n % 2 == 0 ? digit << 4 : data[n / 2] | digit);
                n++;
        }
        if (n % 2)
                return error_set(e, -EINVAL, "odd number of hexadecimal digits");
        *ret_len = n / 2;
        return 0;
}

/* The address as people write it, most significant byte first. */
static int parse_address(const char *text, uint8_t ret[static ADVERT_ADDRESS_SIZE], Error *e) {
        for (size_t i = 0; i < ADVERT_ADDRESS_SIZE; i++) {
                const char *p = text + 3 * i;
                int high = strlen(text) == 3 * ADVERT_ADDRESS_SIZE - 1 ? hex_digit(p[0]) : -1;
                int low = high >= 0 ? hex_digit(p[1]) : -1;
                if (low < 0 || p[2] != (i + 1 < ADVERT_ADDRESS_SIZE ? ':' : '\0'))
                        return error_set(e, CLI_USAGE,
                                        "--address: expected six pairs of hexadecimal digits with "
                                        "colons between them, got \"%s\"",
                                        text);
                ret[i] = (uint8_t) (high << 4 | low);
        }
        return 0;
}

static int load_secret(Context *c, const Values *v, Error *e) {
        char *text = NULL;
        size_t len;

        if (!v->key && !v->address)
                return 0;
        if (!v->key || !v->address)
                return error_set(e, CLI_USAGE, "--key and --address go together");
        if (c->decoding.format != DECODE_SERVICE && c->decoding.format != DECODE_MANUFACTURER)
                return error_set(e, CLI_USAGE, "--key is for adverts: bthome, adv:CODE and svc:CODE");
        int r = parse_address(v->address, c->secret.address, e);
        if (r != 0)
                return r;
        r = file_read_secret(v->key, KEY_FILE_MAX, &text, &len, e);
        if (r < 0)
                return r;
        r = from_hex((uint8_t *) text, len, &len, e);
        if (r == 0 && len != ADVERT_KEY_SIZE)
                r = error_set(e, -EINVAL, "%zu bytes: expected %d", len, ADVERT_KEY_SIZE);
        if (r == 0)
                memcpy(c->secret.key, text, ADVERT_KEY_SIZE);
        else
                r = error_prefix(e, r, "%s", v->key);
        explicit_bzero(text, len);
        free(text);
        c->decoding.secret = &c->secret;
        return r;
}

static int read_payload(bool hex, uint8_t *data, size_t size, size_t *ret_len, Error *e) {
        size_t len = fread(data, 1, size, stdin);

        if (ferror(stdin))
                return error_set(e, -EIO, "can't read the payload: %s", strerror(errno));
        if (hex) {
                int r = from_hex(data, len, &len, e);
                if (r < 0)
                        return r;
        }
        if (len > DECODE_PAYLOAD_MAX)
                return error_set(e, -EMSGSIZE, "the payload is larger than %d bytes", DECODE_PAYLOAD_MAX);
        *ret_len = len;
        return 0;
}

static json_t *flags_json(unsigned set_flags) {
        json_t *flags = json_array();

        for (unsigned bit = 0; reading_flag_name(bit); bit++)
                if (set_flags & 1U << bit)
                        (void) json_array_append_new(flags, json_string(reading_flag_name(bit)));
        return flags;
}

static void set(json_t *row, const char *key, json_t *value) {
        (void) json_object_set_new(row, key, value);
}

static json_t *time_json(int64_t wall_us) {
        char text[CLOCK_TEXT_SIZE];

        if (wall_us == TIME_NONE)
                return json_null();
        clock_format(wall_us, text);
        return json_string(text);
}

/* One sample as validation sees it: a reading in the vital's own unit, or the payload's words and the problem. */
static void print_sample(Context *c, const Sample *s, const Stamp *now) {
        const Arrival arrival = { .device = 0, .stamp = *now };
        Reading reading = { 0 };
        SequenceGap gap;
        json_t *row = json_object();

        Verdict verdict = validate_sample(c->validator, s, &arrival, c->registry, &reading, &gap);
        if (verdict == VERDICT_ACCEPTED) {
                const Vital *vital = catalogue_at(c->catalogue, reading.vital);
                set(row, "vital", json_string(vital->name));
                set(row, "value", json_real(reading.value));
                set(row, "unit", json_string(vital->unit));
        } else {
                set(row, "vital", json_null());
                set(row, "value", s->has_value && isfinite(s->value) ? json_real(s->value) : json_null());
                set(row, "unit", json_string(s->unit));
                set(row, "problem", json_string(verdict_name(verdict)));
        }
        set(row, "device_time", time_json(s->time_us));
        set(row, "flags", flags_json(verdict == VERDICT_ACCEPTED ? reading.flags : s->flags));
        set(row, "name", json_string(s->name));
        if (s->has_sum)
                set(row, "sum", json_real(s->sum));
        if (s->has_seq)
                set(row, "seq", json_integer((json_int_t) s->seq));
        (void) json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(DBL_DIG));
        putchar('\n');
        json_decref(row);
}

static int run_decode(const Invocation *in, Error *e) {
        const Values *v = in->values;
        _cleanup_(context_done) Context c = { 0 };
        _cleanup_(sample_list_done) SampleList list = { 0 };
        _cleanup_free_ uint8_t *payload = NULL;
        /* hexadecimal takes two bytes a byte and some white space; one more tells an oversized payload */
        const size_t size = (size_t) DECODE_PAYLOAD_MAX * (v->hex ? 4 : 1) + 1;
        size_t len = 0;
        Stamp now;

        if (!v->format)
                return error_set(e, CLI_USAGE, "--format is needed");
        if (decoding_parse(v->format, &c.decoding, e) < 0)
                return error_prefix(e, CLI_USAGE, "--format");
        if (c.decoding.format == DECODE_JSON && !v->map)
                return error_set(e, CLI_USAGE, "--format json needs --map NAME");
        payload = malloc(size);
        if (!payload)
                return error_set(e, -ENOMEM, "out of memory");
        int r = load_secret(&c, v, e);
        if (r == 0)
                r = load(&c, v, e);
        if (r == 0)
                r = make_validator(&c, e);
        if (r == 0)
                r = read_payload(v->hex, payload, size, &len, e);
        if (r != 0)
                return r;
        clock_now(&now);
        r = decode_payload(&c.decoding, BYTES(payload, len), now.wall_us, &list, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < list.count; i++)
                print_sample(&c, &list.items[i], &now);
        return 0;
}

const Command command_decode = {
        .name = "decode",
        .operands = "< PAYLOAD",
        .summary = "Show what the gateway makes of a payload",
        .details = "Prints one JSON object for each sample. `problem` says why validation would refuse it.",
        .options = options,
        .values_size = sizeof(Values),
        .run = run_decode,
};
