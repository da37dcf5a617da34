/* block, checkpoint and prove: what the ledger can show. */
#include <errno.h>

#include "base/file.h"
#include "cli/options.h"
#include "cli/request.h"

typedef struct Values {
        const char *output;
        bool disclose, key;
} Values;

static const Option checkpoint_options[] = {
        { "key", 'k', OPTION_FLAG, offsetof(Values, key),
                        .help = "print the verifier key instead of the checkpoint" },
        { NULL },
};

static const Option prove_options[] = {
        { "output", 'o', OPTION_TEXT, offsetof(Values, output), .argument = "FILE",
                        .help = "write the proof there (default: standard output)" },
        { "disclose", 'd', OPTION_FLAG, offsetof(Values, disclose),
                        .help = "with the key of this one reading: whoever has the file can read it" },
        { NULL },
};

static void print_field(const char *title, const json_t *value, bool is_time) {
        char text[TEXT_MAX];

        if (is_time)
                text_time(value, text, sizeof text);
        else
                text_json(value, text, sizeof text);
        printf("%-15s %s\n", title, text);
}

static int print_block(const json_t *row) {
        static const Column columns[] = { { "INDEX", "index", COLUMN_NUMBER },
                { "TYPE", "type", COLUMN_TEXT }, { "STREAM", "stream", COLUMN_NUMBER },
                { "SEQ", "seq", COLUMN_NUMBER } };
        static const struct {
                const char *title, *key;
                bool is_time;
        } fields[] = {
                { "block", "height", false },
                { "first entry", "first", false },
                { "entries", "count", false },
                { "first time", "first_us", true },
                { "last time", "last_us", true },
                { "sealed", "seal_us", true },
                { "rules", "rules", false },
                { "previous size", "previous_size", false },
                { "previous root", "previous_root", false },
                { "size", "size", false },
                { "root", "root", false },
        };
        _cleanup_(table_freep) Table *table = NULL;
        const json_t *entries = json_object_get(row, "entries");

        for (size_t i = 0; i < ELEMENTS(fields); i++)
                print_field(fields[i].title, json_object_get(row, fields[i].key), fields[i].is_time);
        printf("\n%s\n", row_text(row, "note"));
        if (table_new(stdout, columns, ELEMENTS(columns), &table) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(entries); i++)
                if (table_add(table, json_array_get(entries, i)) < 0)
                        return -ENOMEM;
        table_flush(table);
        return 0;
}

static int run_block(const Invocation *in, Error *e) {
        _cleanup_(json_decrefp) json_t *row = NULL;
        uint64_t height;

        int r = count_parse(in->operands[0], "HEIGHT", INT64_MAX, &height, e);
        if (r != 0)
                return r;
        json_t *request = request_new("block");
        request_number(&request, "height", (int64_t) height);
        r = client_call(in->socket, request, &row, e);
        if (r < 0)
                return r;
        if (!in->json)
                return print_block(row) < 0 ? error_set(e, -ENOMEM, "out of memory") : 0;
        row_print_json(row);
        return 0;
}

static int run_checkpoint(const Invocation *in, Error *e) {
        const Values *v = in->values;
        _cleanup_(json_decrefp) json_t *row = NULL;

        int r = client_call(in->socket, request_new("checkpoint"), &row, e);
        if (r < 0)
                return r;
        if (in->json)
                row_print_json(row);
        else if (v->key)
                puts(row_text(row, "verifier_key"));
        else
                fputs(row_text(row, "note"), stdout);
        return 0;
}

static int run_prove(const Invocation *in, Error *e) {
        const Values *v = in->values;
        _cleanup_(json_decrefp) json_t *row = NULL;
        uint64_t index;

        int r = count_parse(in->operands[0], "INDEX", INT64_MAX, &index, e);
        if (r != 0)
                return r;
        json_t *request = request_new("prove");
        request_number(&request, "index", (int64_t) index);
        request_flag(&request, "disclose", v->disclose);
        r = client_call(in->socket, request, &row, e);
        if (r < 0)
                return r;
        const char *proof = row_text(row, "proof");
        if (!*proof)
                return error_set(e, -EBADMSG, "the daemon sent no proof");
        if (v->output) {
                /* a disclosed reading is a patient's data: the file is for its owner */
                r = file_replace(v->output, BYTES_STRING(proof), v->disclose ? 0600 : 0644, e);
                if (r < 0)
                        return r;
        }
        if (in->json)
                row_print_json(row);
        else if (v->output)
                printf("%s: proof of entry %llu; check it with: wardstone verify %s\n", v->output,
                                (unsigned long long) index, v->output);
        else
                fputs(proof, stdout);
        return 0;
}

const Command command_block = {
        .name = "block",
        .operands = "HEIGHT",
        .summary = "Show a block's header, checkpoint and entries",
        .operands_min = 1,
        .operands_max = 1,
        .talks = true,
        .run = run_block,
};

const Command command_checkpoint = {
        .name = "checkpoint",
        .summary = "Print the newest signed checkpoint, or the key that verifies it",
        .options = checkpoint_options,
        .values_size = sizeof(Values),
        .talks = true,
        .run = run_checkpoint,
};

const Command command_prove = {
        .name = "prove",
        .operands = "INDEX",
        .summary = "Write the proof that an entry is in the ledger",
        .details = "Without --disclose the proof shows that the entry is there, unchanged, and nothing of "
                   "what it says.",
        .options = prove_options,
        .values_size = sizeof(Values),
        .operands_min = 1,
        .operands_max = 1,
        .talks = true,
        .run = run_prove,
};
