/* verify FILE: a proof, checked with nothing but the file and the gateway's public key. */
#include "cli/verify.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <sodium.h>

#include "base/file.h"
#include "cli/request.h"
#include "cli/text.h"

static const char *const key_files[] = { "/etc/wardstone/verifier-key", "/var/lib/wardstone/verifier-key" };

static int read_default_key(char **ret, Error *e) {
        for (size_t i = 0; i < ELEMENTS(key_files); i++) {
                int r = file_read(key_files[i], 4096, ret, NULL, e);
                if (r != -ENOENT)
                        return r;
        }
        return error_set(e, -ENOENT,
                        "no verifier key: %s does not exist; ask the gateway's operator for it and give it "
                        "with --key "
                        "or --key-file",
                        key_files[0]);
}

int verify_load_key(const VerifyValues *v, char ret_name[static ORIGIN_MAX], uint8_t ret_public[static 32],
                Error *e) {
        _cleanup_free_ char *text = NULL;
        int r = 0;

        if (v->key) {
                text = strdup(v->key);
                if (!text)
                        return error_set(e, -ENOMEM, "out of memory");
        } else
                r = v->key_file ? file_read(v->key_file, 4096, &text, NULL, e) : read_default_key(&text, e);
        if (r < 0)
                return r;
        text[strcspn(text, "\r\n")] = '\0';
        r = note_verifier_key_parse(text, ret_name, ORIGIN_MAX, ret_public, e);
        return r < 0 ? error_prefix(e, r, "verifier key") : 0;
}

bool verify_same_gateway(const char *a, const char *b) {
        const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
        size_t len_a = slash_a ? (size_t) (slash_a - a) : strlen(a);
        size_t len_b = slash_b ? (size_t) (slash_b - b) : strlen(b);

        return len_a == len_b && memcmp(a, b, len_a) == 0;
}

int verify_read(const char *path, Proof *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t len;

        int r = file_read(path, PROOF_TEXT_MAX, &text, &len, e);
        return r < 0 ? r : proof_parse(BYTES(text, len), ret, e);
}

int verify_proof(Verified *v, const uint8_t public[static 32], Error *e) {
        int r = proof_verify(&v->proof, public, &v->checkpoint, v->plain, &v->plain_len, e);
        if (r < 0)
                return r;
        sodium_bin2base64(v->root, sizeof v->root, v->checkpoint.root.bytes, SHA256_SIZE,
                        sodium_base64_VARIANT_ORIGINAL);
        return 0;
}

static int check(const VerifyValues *v, const char *path, Verified *ret, Error *e) {
        char name[ORIGIN_MAX];
        uint8_t public[32];

        int r = verify_load_key(v, name, public, e);
        if (r < 0)
                return r;
        r = verify_read(path, &ret->proof, e);
        if (r == 0)
                r = verify_proof(ret, public, e);
        if (r == 0 && !verify_same_gateway(name, ret->checkpoint.origin))
                r = error_set(e, -EKEYREJECTED, "the checkpoint is of %s, the key of %s",
                                ret->checkpoint.origin, name);
        return r < 0 ? error_prefix(e, r, "%s: not verified", path) : 0;
}

static const char *type_name(EntryType t) {
        const char *name = entry_type_name(t);

        return name ? name : "entry of an unknown type";
}

static json_t *flags_json(unsigned flags) {
        json_t *list = json_array();

        for (unsigned bit = 0; reading_flag_name(bit); bit++)
                if (flags & 1U << bit)
                        (void) json_array_append_new(list, json_string(reading_flag_name(bit)));
        return list;
}

static json_t *time_json(int64_t wall_us) {
        char text[CLOCK_TEXT_SIZE];

        if (wall_us == TIME_NONE)
                return json_null();
        clock_format(wall_us, text);
        return json_string(text);
}

static json_t *reading_json(const ReadingBody *b) {
        return json_pack("{ss ss sf ss so so so so sb}", "device", b->device, "vital", b->vital, "value",
                        b->value, "unit", b->unit, "time", time_json(b->when.wall_us), "device_time",
                        time_json(b->device_time_us), "device_clock", time_json(b->device_clock_us), "flags",
                        flags_json(b->flags), "synchronised", b->when.synchronised);
}

static void print_reading(const ReadingBody *b) {
        char measured[CLOCK_TEXT_SIZE], recorded[CLOCK_TEXT_SIZE], device[NAME_MAX_LENGTH], flags[TEXT_MAX];
        json_t *list = flags_json(b->flags);

        text_clean(b->device, device, sizeof device);
        text_json(list, flags, sizeof flags);
        json_decref(list);
        clock_format(b->when.wall_us, recorded);
        printf("  The reading:  %s = %.10g %s, by device %s\n", b->vital, b->value, b->unit, device);
        if (b->device_time_us != TIME_NONE) {
                clock_format(b->device_time_us, measured);
                printf("  Measured:     %s, says the device\n", measured);
        }
        if (b->device_clock_us != TIME_NONE) {
                clock_format(b->device_clock_us, measured);
                printf("  Its clock:    showed %s\n", measured);
        }
        printf("  Recorded:     %s; the gateway's clock was %ssynchronised\n", recorded,
                        b->when.synchronised ? "" : "not ");
        if (*flags)
                printf("  Flags:        %s\n", flags);
}

/* What a body leaves out is not printed. */
static void print_text(const char *title, const char *text) {
        char clean[TEXT_MAX];

        if (!*text)
                return;
        text_clean(text, clean, sizeof clean);
        printf("  %-13s %s\n", title, clean);
}

static void print_alert(const AlertBody *b) {
        const AlertEvent *e = &b->event;
        /* early alerts tell of no transition: their state does */
        const char *what = e->transition == TRANSITION_RAISED ? alert_state_name(e->state)
                                                              : alert_transition_name(e->transition);
        char time[CLOCK_TEXT_SIZE], rule[ALERT_NAME_MAX];

        text_clean(e->rule, rule, sizeof rule);
        clock_format(e->time_us, time);
        printf("  The alert:    %s (%s priority): %s at %s\n", rule, priority_name(e->priority), what, time);
        print_text("Subject:", b->subject);
        print_text("Summary:", e->summary);
        print_text("Taken by:", e->who);
        print_text("Note:", e->note);
        print_text("Receiver:", e->receiver);
}

static void print_attribute(const AttributeBody *b) {
        char name[ATTRIBUTE_NAME_MAX], value[ATTRIBUTE_VALUE_MAX];

        text_clean(b->name, name, sizeof name);
        text_clean(b->value, value, sizeof value);
        if (*value)
                printf("  Attribute:    %s is %s, says user %u\n", name, value, b->uid);
        else
                printf("  Attribute:    %s is taken away, says user %u\n", name, b->uid);
        print_text("Subject:", b->subject);
        print_text("Why:", b->why);
}

static void print_silence(const SilenceBody *b) {
        char id[sizeof b->id], from[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];

        text_clean(b->id, id, sizeof id);
        clock_format(b->from_us, from);
        clock_format(b->until_us, until);
        printf("  The silence:  %s, %s %s until %s\n", id, b->over ? "over, was from" : "from", from, until);
        print_text("Rule:", b->rule);
        print_text("Subject:", b->subject);
        print_text("Label:", b->label);
        print_text("Labels:", b->labels);
        for (int p = PRIORITY_TECHNICAL; p <= PRIORITY_HIGH; p++)
                if (b->priorities & 1U << p)
                        print_text("Priority:", priority_name((Priority) p));
        for (int k = SUBJECT_PATIENT; k <= SUBJECT_GROUP; k++)
                if (b->kinds & 1U << k)
                        print_text("Kind:", subject_kind_name((SubjectKind) k));
        print_text(b->over ? "Ended by:" : "Begun by:", b->who);
        print_text("Why:", b->why);
}

static void print_body(const Verified *v) {
        const Bytes plain = BYTES(v->plain, v->plain_len);
        ReadingBody reading;
        AlertBody alert;
        AttributeBody attribute;
        SilenceBody silence;

        if (v->plain_len == 0)
                puts("  Its content is sealed and not disclosed: the proof shows that it is there "
                     "unchanged, not what "
                     "it says.");
        else if (v->proof.entry.type == ENTRY_READING && body_get_reading(plain, &reading) == 0)
                print_reading(&reading);
        else if (v->proof.entry.type == ENTRY_ALERT && body_get_alert(plain, &alert) == 0)
                print_alert(&alert);
        else if (v->proof.entry.type == ENTRY_ATTRIBUTE && body_get_attribute(plain, &attribute) == 0)
                print_attribute(&attribute);
        else if (v->proof.entry.type == ENTRY_SILENCE && body_get_silence(plain, &silence) == 0)
                print_silence(&silence);
        else
                printf("  Its content is %zu bytes of CBOR (see ledger-format).\n", v->plain_len);
}

void verify_print_entry(const Verified *v) {
        char origin[ORIGIN_MAX];

        text_clean(v->checkpoint.origin, origin, sizeof origin);
        printf("  Entry %llu is a %s, number %llu of stream %u.\n"
               "  It is one of the first %llu entries of the ledger %s, unchanged since the gateway signed "
               "them\n"
               "  as root %s.\n",
                        (unsigned long long) v->proof.index, type_name(v->proof.entry.type),
                        (unsigned long long) v->proof.entry.seq, v->proof.entry.stream,
                        (unsigned long long) v->checkpoint.size, origin, v->root);
        print_body(v);
}

json_t *verify_json(const Verified *v) {
        ReadingBody reading;
        json_t *row = json_pack("{sb sI ss si sI ss sI ss}", "verified", 1, "index",
                        (json_int_t) v->proof.index, "type", type_name(v->proof.entry.type), "stream",
                        (int) v->proof.entry.stream, "seq", (json_int_t) v->proof.entry.seq, "origin",
                        v->checkpoint.origin, "size", (json_int_t) v->checkpoint.size, "root", v->root);

        if (v->plain_len > 0 && v->proof.entry.type == ENTRY_READING &&
                        body_get_reading(BYTES(v->plain, v->plain_len), &reading) == 0)
                (void) json_object_set_new(row, "reading", reading_json(&reading));
        return row;
}

int verify_file(const Invocation *in, const char *path, Error *e) {
        _cleanup_free_ Verified *v = calloc(1, sizeof *v);

        if (!v)
                return error_set(e, -ENOMEM, "out of memory");
        if (sodium_init() < 0)
                return error_set(e, -EIO, "libsodium can't start");
        int r = check(in->values, path, v, e);
        if (r < 0)
                return r;
        if (in->json) {
                json_t *row = verify_json(v);
                row_print_json(row);
                json_decref(row);
        } else {
                printf("%s: verified\n", path);
                verify_print_entry(v);
        }
        return 0;
}

static const Option options[] = {
        { "key", 'k', OPTION_TEXT, offsetof(VerifyValues, key), .argument = "KEY",
                        .help = "the gateway's verifier key, as text" },
        { "key-file", 0, OPTION_TEXT, offsetof(VerifyValues, key_file), .argument = "FILE",
                        .help = "or in a file (default /etc/wardstone/verifier-key)" },
        { "all", 'a', OPTION_FLAG, offsetof(VerifyValues, all),
                        .help = "recompute the whole ledger of this gateway" },
        { "config", 'c', OPTION_TEXT, offsetof(VerifyValues, config), .argument = "FILE",
                        .help = "with --all: read the ledger itself, no daemon, as FILE says" },
        { "state", 's', OPTION_TEXT, offsetof(VerifyValues, state), .argument = "DIR",
                        .help = "with --all: likewise, in this state folder" },
        CHAIN_TARGET_OPTIONS(VerifyValues, chain),
        { "confirmations", 0, OPTION_COUNT, offsetof(VerifyValues, confirmations), .max = 1e6,
                        .argument = "N",
                        .help = "with --chain: the anchor's block and those above it have to be so many" },
        { "tag", 0, OPTION_TEXT, offsetof(VerifyValues, tag), .argument = "TAG",
                        .help = "or: at or below the block that the node calls finalized, or safe" },
        { "evidence", 0, OPTION_TEXT, offsetof(VerifyValues, evidence), .argument = "FILE",
                        .help = "with --chain: what wardstone chain export has written" },
        { "code", 0, OPTION_TEXT, offsetof(VerifyValues, code), .argument = "HASH",
                        .help = "with --chain: Keccak-256 of the contract's code, where it is another "
                                "version's" },
        { NULL },
};

static int run_verify(const Invocation *in, Error *e) {
        const VerifyValues *v = in->values;

        if (v->all && in->operand_count > 0)
                return error_set(e, CLI_USAGE, "--all and a FILE: choose one");
        if (v->all)
                return verify_all(in, e);
        if (in->operand_count == 0)
                return error_set(e, CLI_USAGE, "expected a FILE with a proof, or --all");
        if (v->key && v->key_file)
                return error_set(e, CLI_USAGE, "--key and --key-file: choose one");
        if (v->chain.url)
                return verify_chain(in, in->operands[0], e);
        if (v->chain.contract || v->chain.chain_id || v->confirmations || v->tag || v->evidence || v->code)
                return error_set(e, CLI_USAGE, "expected --chain URL, the node that is to be asked");
        return verify_file(in, in->operands[0], e);
}

const Command command_verify = {
        .name = "verify",
        .operands = "FILE",
        .summary = "Check a proof, offline or against a chain, or the whole ledger",
        .details = "A proof is checked with the file and the verifier key alone: no daemon, no network. "
                   "With "
                   "--chain and\n--contract it is checked against what the consortium's contract has on "
                   "record; the key is the one that\nthe contract has for the gateway.",
        .options = options,
        .values_size = sizeof(VerifyValues),
        .operands_max = 1,
        .talks = true,
        .run = run_verify,
};
