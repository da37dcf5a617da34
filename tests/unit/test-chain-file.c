/* chain-file in a real worker process: a chain that takes what extends it and refuses everything else. */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "anchor/outbox.h"
#include "base/clock.h"
#include "base/file.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "worker/worker.h"

enum { LEAVES_MAX = 256, DEADLINE_S = 20, FILE_MAX = 1 << 20 };

/* A log that is only its leaves. */
typedef struct Log {
        char origin[32];
        SigningKey key;
        Hash leaves[LEAVES_MAX];
} Log;

typedef struct Fixture {
        sd_event *event;
        Worker *worker;
        Log log;
        char folder[64], path[128];
        json_t *settings;
        unsigned ready, backoffs, replies;
        char reason[512];
        int result;
        json_t *reply;

        Outbox *outbox; /* where a test has one */
        uint64_t newest;
} Fixture;

static int log_node(void *userdata, unsigned level, uint64_t index, Hash *ret) {
        const Log *l = userdata;
        Hash left, right;

        if (level == 0) {
                *ret = l->leaves[index];
                return 0;
        }
        (void) log_node(userdata, level - 1, 2 * index, &left);
        (void) log_node(userdata, level - 1, 2 * index + 1, &right);
        merkle_node(&left, &right, ret);
        return 0;
}

static void log_make(Log *l, const char *origin, const char *seed) {
        (void) snprintf(l->origin, sizeof l->origin, "%s", origin);
        for (size_t i = 0; i < LEAVES_MAX; i++) {
                uint8_t number[8];
                be64_write(number, i);
                sha256_prefixed(0, BYTES_STRING(seed), BYTES(number, sizeof number), &l->leaves[i]);
        }
}

static void log_checkpoint(const Log *l, uint64_t size, Checkpoint *ret, char note[static NOTE_TEXT_MAX]) {
        const NodeSource s = { log_node, (void *) l };

        *ret = (Checkpoint){ .size = size };
        (void) snprintf(ret->origin, sizeof ret->origin, "%s", l->origin);
        assert_int_equal(merkle_root_at(&s, size, &ret->root), 0);
        assert_int_equal(checkpoint_sign(ret, &l->key, note), 0);
}

static json_t *hex(const Hash *h) {
        char text[65];

        return json_string(sodium_bin2hex(text, sizeof text, h->bytes, sizeof h->bytes));
}

/* The arguments of "anchor". */
static json_t *log_anchor(const Log *l, uint64_t old_size, uint64_t size) {
        const NodeSource s = { log_node, (void *) l };
        Hash proof[MERKLE_PROOF_MAX];
        char note[NOTE_TEXT_MAX];
        Checkpoint c;
        size_t n = 0;

        log_checkpoint(l, size, &c, note);
        if (old_size > 0)
                assert_int_equal(merkle_consistency_proof(&s, old_size, size, proof, &n), 0);
        json_t *hashes = json_array();
        for (size_t i = 0; i < n; i++)
                (void) json_array_append_new(hashes, hex(&proof[i]));
        return json_pack("{s:s,s:s,s:I,s:I,s:o,s:o}", "origin", l->origin, "note", note, "old_size",
                        (json_int_t) old_size, "size", (json_int_t) size, "root", hex(&c.root), "proof",
                        hashes);
}

static void on_reply(void *userdata, Worker *w, int r, const json_t *reply) {
        Fixture *f = userdata;

        f->replies++;
        f->result = r;
        json_decref(f->reply);
        f->reply = json_deep_copy(reply);
}

static void wait_for(Fixture *f, const unsigned *counter, unsigned value) {
        Stamp begun = { 0 }, now = { 0 };

        clock_now(&begun);
        while (*counter < value) {
                assert_true(sd_event_run(f->event, 100 * USEC_PER_MSEC) >= 0);
                clock_now(&now);
                if (now.mono_us - begun.mono_us > DEADLINE_S * USEC_PER_SEC)
                        fail_msg("nothing happened within %d s (%s)", DEADLINE_S, f->reason);
        }
}

static void on_state(void *userdata, Worker *w, WorkerState state, const char *reason);
static json_t *on_request(void *userdata, Worker *w, const json_t *request);

static Worker *start_worker(Fixture *f) {
        const char *build = getenv("WARDSTONE_BUILD");
        char program[512], plugin[512];
        Worker *w = NULL;
        Error e = { "" };

        assert_non_null(build);
        (void) snprintf(program, sizeof program, "%s/src/worker/wardstone-worker", build);
        (void) snprintf(plugin, sizeof plugin, "%s/plugins/chain-file/chain-file.so", build);
        const WorkerOptions o = {
                .name = "file",
                .program = program,
                .plugin = plugin,
                .state_dir = f->folder,
                .config = f->settings,
                .backoff_min_us = 2 * USEC_PER_MSEC,
                .backoff_max_us = 20 * USEC_PER_MSEC,
        };
        const WorkerCallbacks c = { .state = on_state, .request = on_request, .userdata = f };
        if (worker_new(f->event, &o, &c, &w, &e) < 0)
                fail_msg("%s", e.message);
        return w;
}

static void start(Fixture *f) {
        f->worker = start_worker(f);
        wait_for(f, &f->ready, f->ready + 1);
}

/* --- calls that wait --- */

static int call(Fixture *f, const char *op, json_t *args) {
        assert_int_equal(worker_call(f->worker, op, args, on_reply, f), 0);
        json_decref(args);
        wait_for(f, &f->replies, f->replies + 1);
        return f->result;
}

static uint64_t head(Fixture *f, const char *origin) {
        assert_int_equal(call(f, "head", json_pack("{s:s}", "origin", origin)), 0);
        return (uint64_t) json_integer_value(json_object_get(f->reply, "size"));
}

static void accepted(Fixture *f, const Log *l, uint64_t old_size, uint64_t size) {
        if (call(f, "anchor", log_anchor(l, old_size, size)) < 0)
                fail_msg("%s", json_string_value(json_object_get(f->reply, "error")));
        assert_int_equal(json_integer_value(json_object_get(f->reply, "size")), size);
        assert_int_equal(json_integer_value(json_object_get(f->reply, "final_size")), size);
}

static void assert_error(const Fixture *f, const char *text) {
        const char *error = json_string_value(json_object_get(f->reply, "error"));

        if (!error || !strstr(error, text))
                fail_msg("expected '%s', got '%s'", text, error ? error : "nothing");
}

static void refused(Fixture *f, json_t *args, int r, const char *text) {
        assert_int_equal(call(f, "anchor", args), r);
        assert_error(f, text);
}

static void read_file(const char *path, char **ret) {
        if (file_read(path, FILE_MAX, ret, NULL, NULL) < 0)
                fail_msg("%s can't be read", path);
}

static size_t lines(const char *path) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        read_file(path, &text);
        for (const char *p = text; *p; p++)
                n += *p == '\n';
        return n;
}

static void overwrite(const char *path, const char *text) {
        assert_int_equal(file_replace(path, BYTES_STRING(text), 0600, NULL), 0);
}

/* --- */

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof *f);
        char key[512];

        if (!f || sodium_init() < 0 || sd_event_new(&f->event) < 0)
                return -1;
        (void) snprintf(f->folder, sizeof f->folder, "/tmp/test-chain-file-XXXXXX");
        if (!mkdtemp(f->folder))
                return -1;
        (void) snprintf(f->path, sizeof f->path, "%s/anchors.ndjson", f->folder);
        log_make(&f->log, "ward/1", "one");
        if (signing_key_generate(&f->log.key) < 0 ||
                        note_verifier_key(f->log.origin, f->log.key.public, key, sizeof key) < 0)
                return -1;
        f->settings = json_pack("{s:s}", "verifier_key", key);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        static const char *const names[] = { "", ".1", ".tmp", ".lock" };
        Fixture *f = *state;
        char path[256];

        worker_free(f->worker);
        outbox_free(f->outbox);
        sd_event_unref(f->event);
        json_decref(f->reply);
        json_decref(f->settings);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                (void) snprintf(path, sizeof path, "%s%s", f->path, names[i]);
                (void) unlink(path);
        }
        (void) snprintf(path, sizeof path, "%s/outbox.json", f->folder);
        (void) unlink(path);
        (void) rmdir(f->folder);
        free(f);
        return 0;
}

static void what_extends_is_taken(void **state) {
        Fixture *f = *state;

        start(f);
        assert_int_equal(head(f, "ward/1"), 0);
        accepted(f, &f->log, 0, 1);
        accepted(f, &f->log, 1, 7);
        accepted(f, &f->log, 7, 200);
        assert_int_equal(head(f, "ward/1"), 200);
        assert_int_equal(lines(f->path), 3);
        assert_non_null(strstr(json_string_value(json_object_get(f->reply, "receipt")), f->path));
        assert_int_equal(call(f, "poll", json_pack("{s:s}", "origin", "ward/1")), 0);
        assert_int_equal(json_integer_value(json_object_get(f->reply, "final_size")), 200);
}

static void it_survives_its_process(void **state) {
        Fixture *f = *state;

        start(f);
        accepted(f, &f->log, 0, 7);
        f->worker = worker_free(f->worker);
        start(f);
        assert_int_equal(head(f, "ward/1"), 7);
        accepted(f, &f->log, 7, 8);
}

static void a_repeat_is_taken_without_a_second_line(void **state) {
        Fixture *f = *state;

        start(f);
        accepted(f, &f->log, 0, 7);
        accepted(f, &f->log, 0, 7);
        accepted(f, &f->log, 7, 9);
        accepted(f, &f->log, 7, 9);
        assert_int_equal(lines(f->path), 2);
}

static void a_fork_is_refused_for_good(void **state) {
        Fixture *f = *state;
        Log fork = f->log;

        log_make(&fork, "ward/1", "another");
        start(f);
        accepted(f, &f->log, 0, 7);
        refused(f, log_anchor(&fork, 0, 7), -EBADMSG, "two roots at size 7");
        refused(f, log_anchor(&fork, 7, 9), -EBADMSG, "does not extend size 7");
        assert_int_equal(head(f, "ward/1"), 7);
        assert_int_equal(lines(f->path), 1);
        accepted(f, &f->log, 7, 9);
}

static void a_forged_proof_is_refused(void **state) {
        Fixture *f = *state;
        Hash zero = { 0 };

        start(f);
        accepted(f, &f->log, 0, 7);
        json_t *args = log_anchor(&f->log, 7, 100);
        (void) json_array_set_new(json_object_get(args, "proof"), 2, hex(&zero));
        refused(f, args, -EBADMSG, "does not extend size 7");
        args = log_anchor(&f->log, 7, 100);
        (void) json_array_clear(json_object_get(args, "proof"));
        refused(f, args, -EBADMSG, "does not extend size 7");
}

static void a_proof_from_another_size_is_tried_again(void **state) {
        Fixture *f = *state;

        start(f);
        refused(f, log_anchor(&f->log, 3, 7), -EAGAIN, "has to begin at size 0");
        accepted(f, &f->log, 0, 7);
        refused(f, log_anchor(&f->log, 3, 9), -EAGAIN, "expected a proof from size 7, got one from 3");
        refused(f, log_anchor(&f->log, 0, 5), -EAGAIN, "expected a proof from size 7, got one from 0");
}

static void a_strange_signature_is_refused(void **state) {
        Fixture *f = *state;
        Log strange = f->log;

        assert_int_equal(signing_key_generate(&strange.key), 0);
        start(f);
        refused(f, log_anchor(&strange, 0, 7), -EINVAL, "");
        json_t *args = log_anchor(&f->log, 0, 7);
        (void) json_object_set_new(args, "note", json_string("no note"));
        refused(f, args, -EINVAL, "");
        args = log_anchor(&f->log, 0, 7);
        (void) json_object_set_new(args, "size", json_integer(8));
        refused(f, args, -EINVAL, "not of the checkpoint");
        args = log_anchor(&f->log, 0, 7);
        (void) json_object_set_new(args, "origin", json_string("ward/2"));
        refused(f, args, -EINVAL, "not of the checkpoint");
        assert_int_equal(head(f, "ward/1"), 0);
}

static void another_gateway_is_refused(void **state) {
        Fixture *f = *state;
        Log other = f->log, nameless = f->log;

        log_make(&other, "theatre/1", "one");
        log_make(&nameless, "ward", "one");
        start(f);
        refused(f, log_anchor(&other, 0, 7), -EINVAL, "verifier_key is that of 'ward/1'");
        refused(f, log_anchor(&nameless, 0, 7), -EINVAL, "is not NAME/EPOCH");
}

static void a_key_without_a_name_binds_to_the_first_gateway(void **state) {
        Fixture *f = *state;
        Log other = f->log;
        char key[64];

        log_make(&other, "theatre/1", "one");
        (void) sodium_bin2base64(key, sizeof key, f->log.key.public, sizeof f->log.key.public,
                        sodium_base64_VARIANT_ORIGINAL);
        json_decref(f->settings);
        f->settings = json_pack("{s:s}", "public_key", key);
        start(f);
        accepted(f, &f->log, 0, 7);
        refused(f, log_anchor(&other, 0, 7), -EINVAL, "belongs to 'ward/1', not to 'theatre/1'");
}

static void a_later_epoch_follows_and_names_its_predecessor(void **state) {
        Fixture *f = *state;
        Log second = f->log;

        log_make(&second, "ward/2", "two");
        start(f);
        accepted(f, &f->log, 0, 7);
        assert_int_equal(head(f, "ward/2"), 0);
        refused(f, log_anchor(&second, 3, 5), -EAGAIN, "'ward/2' has to begin at size 0");
        accepted(f, &second, 0, 3);
        accepted(f, &second, 3, 5);
        _cleanup_free_ char *text = NULL;
        read_file(f->path, &text);
        const char *line = strchr(text, '\n');
        assert_non_null(line);
        json_t *anchor = json_loads(line + 1, JSON_DISABLE_EOF_CHECK, NULL);
        const json_t *predecessor = json_object_get(anchor, "predecessor");
        assert_string_equal(json_string_value(json_object_get(predecessor, "origin")), "ward/1");
        assert_int_equal(json_integer_value(json_object_get(predecessor, "size")), 7);
        json_decref(anchor);
        assert_int_equal(lines(f->path), 3);
}

static void an_earlier_epoch_may_not_come_back(void **state) {
        Fixture *f = *state;
        Log second = f->log;

        log_make(&second, "ward/2", "two");
        start(f);
        accepted(f, &second, 0, 3);
        refused(f, log_anchor(&f->log, 0, 7), -EBADMSG, "'ward/1' was already followed by 'ward/2'");
        assert_int_equal(call(f, "head", json_pack("{s:s}", "origin", "ward/1")), -EBADMSG);
}

static void a_line_cut_by_a_crash_is_cut_off(void **state) {
        Fixture *f = *state;

        start(f);
        accepted(f, &f->log, 0, 7);
        _cleanup_free_ char *whole = NULL;
        read_file(f->path, &whole);
        _cleanup_free_ char *torn = NULL;
        assert_true(asprintf(&torn, "%s%.*s", whole, 100, whole) > 0);
        overwrite(f->path, torn);
        assert_int_equal(head(f, "ward/1"), 7);
        accepted(f, &f->log, 7, 9);
        assert_int_equal(lines(f->path), 2);
        assert_int_equal(head(f, "ward/1"), 9);
}

static void a_first_line_cut_by_a_crash_is_nothing(void **state) {
        Fixture *f = *state;

        overwrite(f->path, "{\"origin\":");
        start(f);
        assert_int_equal(head(f, "ward/1"), 0);
        accepted(f, &f->log, 0, 7);
        assert_int_equal(lines(f->path), 1);
}

static void an_edited_file_is_noticed(void **state) {
        Fixture *f = *state;

        start(f);
        accepted(f, &f->log, 0, 7);
        _cleanup_free_ char *text = NULL;
        read_file(f->path, &text);
        static const char *const members[] = { "\"size\":", "\"root\":\"", "\"origin\":\"" };
        for (size_t i = 0; i < ELEMENTS(members); i++) {
                char *value = strstr(text, members[i]);
                assert_non_null(value);
                value += strlen(members[i]);
                char was = *value;
                *value = was == '8' ? '9' : '8';
                overwrite(f->path, text);
                refused(f, log_anchor(&f->log, 7, 9), -EINVAL, "the last line is not what its note says");
                *value = was;
        }
        overwrite(f->path, "hello\n");
        refused(f, log_anchor(&f->log, 7, 9), -EINVAL, "the last line is no anchor");
        _cleanup_free_ char *large = calloc(1, 20000);
        assert_non_null(large);
        memset(large, 'x', 19998);
        large[19998] = '\n';
        overwrite(f->path, large);
        refused(f, log_anchor(&f->log, 7, 9), -EINVAL, "the last line is too long");
}

static void a_full_file_is_replaced_by_one_that_knows_the_head(void **state) {
        Fixture *f = *state;
        char old[256];
        struct stat st;

        (void) json_object_set_new(f->settings, "max_bytes", json_integer(16384));
        start(f);
        accepted(f, &f->log, 0, 1);
        for (uint64_t size = 2; size < 100; size++)
                accepted(f, &f->log, size - 1, size);
        assert_int_equal(head(f, "ward/1"), 99);
        assert_int_equal(stat(f->path, &st), 0);
        assert_true(st.st_size <= 16384);
        (void) snprintf(old, sizeof old, "%s.1", f->path);
        assert_int_equal(stat(old, &st), 0);
        assert_true(st.st_size <= 16384);
}

static void a_replacement_cut_by_a_crash_is_finished(void **state) {
        Fixture *f = *state;
        char next[256];

        start(f);
        accepted(f, &f->log, 0, 7);
        (void) snprintf(next, sizeof next, "%s.tmp", f->path);
        assert_int_equal(rename(f->path, next), 0); /* what is there between the two renames */
        assert_int_equal(head(f, "ward/1"), 7);
        assert_int_equal(access(f->path, F_OK), 0);
}

static void a_second_writer_is_kept_out(void **state) {
        Fixture *f = *state;

        start(f);
        Worker *second = start_worker(f);
        wait_for(f, &f->backoffs, 1);
        assert_non_null(strstr(f->reason, "in use by another process"));
        (void) worker_free(second);
}

static void bad_settings_are_explained(void **state) {
        static const struct {
                const char *settings, *reason;
        } cases[] = {
                { "{}", "verifier_key or public_key" },
                { "{\"public_key\":\"AAAA\"}", "verifier_key or public_key" },
                { "{\"verifier_key\":\"nonsense\"}", "verifier_key: " },
                { "{\"verifier_key\":7}", "config: " },
                { "{\"verifier_kye\":\"x\"}", "verifier_kye" },
                { "{\"max_bytes\":1}", "max_bytes: at least" },
                { "{\"file\":\"/nonexistent/"
                  "anchors\",\"public_key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
                                "/nonexistent/anchors: No such file" },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                json_decref(f->settings);
                f->settings = json_loads(cases[i].settings, 0, NULL);
                f->worker = start_worker(f);
                wait_for(f, &f->backoffs, f->backoffs + 1);
                if (!strstr(f->reason, cases[i].reason))
                        fail_msg("%s: expected '%s', got '%s'", cases[i].settings, cases[i].reason,
                                        f->reason);
                f->worker = worker_free(f->worker);
        }
        assert_int_equal(f->ready, 0);
}

/* --- the whole way: outbox, worker, plugin, file --- */

typedef struct Pending {
        OutboxReplyFn fn;
        void *userdata;
} Pending;

static void on_link_reply(void *userdata, Worker *w, int r, const json_t *reply) {
        _cleanup_free_ Pending *p = userdata;

        p->fn(p->userdata, r, reply);
}

static int link_call(
                void *userdata, const char *op, const json_t *args, OutboxReplyFn fn, void *fn_userdata) {
        Fixture *f = userdata;
        Pending *p = calloc(1, sizeof *p);

        assert_non_null(p);
        *p = (Pending){ fn, fn_userdata };
        int r = worker_call(f->worker, op, args, on_link_reply, p);
        if (r < 0)
                free(p);
        return r;
}

static void link_answer(void *userdata, const json_t *answer) {
        Fixture *f = userdata;

        worker_answer(f->worker, answer);
}

static void on_state(void *userdata, Worker *w, WorkerState state, const char *reason) {
        Fixture *f = userdata;
        const OutboxLink l = { .call = link_call, .answer = link_answer, .userdata = f };

        f->ready += state == WORKER_READY;
        f->backoffs += state == WORKER_BACKOFF;
        if (reason)
                (void) snprintf(f->reason, sizeof f->reason, "%s", reason);
        if (f->outbox)
                outbox_connect(f->outbox, state == WORKER_READY ? &l : NULL);
}

static json_t *on_request(void *userdata, Worker *w, const json_t *request) {
        Fixture *f = userdata;

        return f->outbox ? outbox_request(f->outbox, request) : NULL;
}

/* Each size is a checkpoint. */
static int ledger_checkpoint(void *userdata, uint64_t after, bool latest, AnchorHead *ret) {
        const Fixture *f = userdata;
        Checkpoint c;

        if (f->newest <= after)
                return -ENOENT;
        *ret = (AnchorHead){ .height = 0 };
        log_checkpoint(&f->log, latest ? f->newest : after + 1, &c, ret->text);
        ret->size = c.size;
        ret->root = c.root;
        (void) snprintf(ret->origin, sizeof ret->origin, "%s", c.origin);
        return 0;
}

static int ledger_proof(void *userdata, uint64_t old_size, uint64_t new_size,
                Hash ret[static PROOF_HASHES_MAX], size_t *ret_n) {
        Fixture *f = userdata;
        const NodeSource s = { log_node, &f->log };

        return merkle_consistency_proof(&s, old_size, new_size, ret, ret_n);
}

static void wait_anchored(Fixture *f, uint64_t size) {
        Stamp begun = { 0 }, now = { 0 };

        clock_now(&begun);
        while (outbox_status(f->outbox)->anchored_size != size) {
                assert_true(sd_event_run(f->event, 100 * USEC_PER_MSEC) >= 0);
                clock_now(&now);
                if (now.mono_us - begun.mono_us > DEADLINE_S * USEC_PER_SEC)
                        fail_msg("not anchored: %s", outbox_status(f->outbox)->reason);
        }
}

static void with_outbox(Fixture *f, OutboxPolicy policy) {
        char path[256];
        Error e = { "" };

        (void) snprintf(path, sizeof path, "%s/outbox.json", f->folder);
        const OutboxOptions o = { .name = "file",
                .state_path = path,
                .policy = policy,
                .retry_min_us = 2 * USEC_PER_MSEC,
                .retry_max_us = 20 * USEC_PER_MSEC };
        const OutboxLedger l = {
                .checkpoint = ledger_checkpoint, .consistency = ledger_proof, .userdata = f
        };
        if (outbox_new(f->event, &o, &l, &f->outbox, &e) < 0)
                fail_msg("%s", e.message);
        f->worker = start_worker(f);
}

static void the_outbox_brings_each_checkpoint(void **state) {
        Fixture *f = *state;

        f->newest = 20;
        with_outbox(f, OUTBOX_EVERY);
        wait_anchored(f, 20);
        assert_int_equal(lines(f->path), 20);
        f->newest = 25;
        outbox_wake(f->outbox);
        wait_anchored(f, 25);
        assert_int_equal(lines(f->path), 25);
        assert_int_equal(outbox_status(f->outbox)->health, OUTBOX_OK);
}

static void the_outbox_goes_on_after_its_worker_was_replaced(void **state) {
        Fixture *f = *state;

        f->newest = 20;
        with_outbox(f, OUTBOX_LATEST);
        wait_anchored(f, 20);
        f->worker = worker_free(f->worker);
        outbox_connect(f->outbox, NULL);
        f->newest = 30;
        outbox_wake(f->outbox);
        assert_int_equal(outbox_status(f->outbox)->health, OUTBOX_UNREACHABLE);
        f->worker = start_worker(f);
        wait_anchored(f, 30);
        assert_int_equal(lines(f->path), 2);
}

static void the_outbox_stops_at_a_chain_that_contradicts(void **state) {
        Fixture *f = *state;
        Log another = f->log;

        start(f);
        log_make(&another, "ward/1", "another");
        accepted(f, &another, 0, 7);
        f->worker = worker_free(f->worker);
        f->newest = 20;
        with_outbox(f, OUTBOX_LATEST);
        wait_for(f, (const unsigned *) &outbox_status(f->outbox)->health, OUTBOX_CONTRADICTED);
        assert_string_equal(
                        outbox_status(f->outbox)->reason, "the chain has another root at size 7 of ward/1");
        assert_int_equal(lines(f->path), 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(what_extends_is_taken),
                CASE(it_survives_its_process),
                CASE(a_repeat_is_taken_without_a_second_line),
                CASE(a_fork_is_refused_for_good),
                CASE(a_forged_proof_is_refused),
                CASE(a_proof_from_another_size_is_tried_again),
                CASE(a_strange_signature_is_refused),
                CASE(another_gateway_is_refused),
                CASE(a_key_without_a_name_binds_to_the_first_gateway),
                CASE(a_later_epoch_follows_and_names_its_predecessor),
                CASE(an_earlier_epoch_may_not_come_back),
                CASE(a_line_cut_by_a_crash_is_cut_off),
                CASE(a_first_line_cut_by_a_crash_is_nothing),
                CASE(an_edited_file_is_noticed),
                CASE(a_full_file_is_replaced_by_one_that_knows_the_head),
                CASE(a_replacement_cut_by_a_crash_is_finished),
                CASE(a_second_writer_is_kept_out),
                CASE(bad_settings_are_explained),
                CASE(the_outbox_brings_each_checkpoint),
                CASE(the_outbox_goes_on_after_its_worker_was_replaced),
                CASE(the_outbox_stops_at_a_chain_that_contradicts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
