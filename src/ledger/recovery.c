/* Start-up: is this database what the newest checkpoint promised?
 *
 * The checkpoint file is the authority: what it was signed for must be in the database. A log must never sign two trees
 * that contradict each other, so whatever can't be shown to extend the checkpoint goes on as a new epoch under a new
 * origin. A new epoch is made beside the old database and takes its place in steps, each of which can be the last one
 * before a crash:
 *
 *   ledger.building       being filled; thrown away at the next start
 *   ledger.ready-<epoch>  complete; takes the place of ledger/ at the next start
 *   ledger/ of a later epoch than the checkpoint, its first entry the GAP with that very checkpoint: the checkpoint is
 *                         signed now */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "ledger/epoch.h"
#include "ledger/ledger_internal.h"

typedef struct Finding {
        LedgerStart start;
        bool store_there, checkpoint_there, checkpoint_damaged;
        bool sign; /* the checkpoint is owed */
        Checkpoint checkpoint;
        char note[NOTE_TEXT_MAX];
        uint32_t checkpoint_epoch, store_epoch; /* 0: unknown */
        char why[256];
} Finding;

static int conclude(Finding *f, LedgerStart start, const char *format, ...) _printf_(3, 4);

static int conclude(Finding *f, LedgerStart start, const char *format, ...) {
        va_list args;

        f->start = start;
        va_start(args, format);
        (void) vsnprintf(f->why, sizeof f->why, format, args);
        va_end(args);
        return 0;
}

/* --- the checkpoint file --- */

static int wrong_key(const Ledger *l, const char *path, const Checkpoint *c, Error *e) {
        char key[512];

        if (note_verifier_key(c->origin, l->options.signing_key->public, key, sizeof key) < 0)
                key[0] = '\0';
        return error_set(e, -EKEYREJECTED,
                        "wrong key: %s was signed by another key, expected verifier key %s", path, key);
}

static int read_checkpoint(Ledger *l, Finding *f, Error *e) {
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        size_t len;

        ledger_path(l, "checkpoint", path);
        int r = file_read(path, sizeof f->note - 1, &text, &len, e);
        if (r == -ENOENT)
                return 0;
        f->checkpoint_there = true;
        if (r == 0) {
                r = checkpoint_open(BYTES(text, len), l->options.signing_key->public, &f->checkpoint, e);
                if (r == -EKEYREJECTED && !epoch_note_names_key(text, l->options.signing_key->public)) {
                        r = checkpoint_parse(BYTES(text, len), &f->checkpoint, e);
                        return r < 0 ? r : wrong_key(l, path, &f->checkpoint, e);
                }
        }
        if (r == 0)
                r = epoch_of_origin(f->checkpoint.origin, &f->checkpoint_epoch);
        if (r == -EBADMSG || r == -EKEYREJECTED || r == -EFBIG) {
                f->checkpoint_damaged = true;
                f->checkpoint = (Checkpoint){ 0 };
                return 0;
        }
        if (r == 0)
                memcpy(f->note, text, len + 1);
        return r;
}

/* --- the database --- */

static int load_store(Ledger *l, Finding *f, Error *e) {
        char path[PATH_MAX];

        ledger_path(l, "ledger", path);
        f->store_there = access(path, F_OK) == 0;
        if (!f->store_there)
                return -ENODATA;
        int r = store_open(path, false, &l->store, e);
        if (r == -ENOENT)
                return epoch_folder_has_tables(path) ? -EBADMSG : -ENODATA;
        if (r < 0)
                return r;
        r = writer_load(l->store, l->options.keyring, l->options.block_entries, &l->writer, e);
        if (r == 0)
                f->store_epoch = l->writer->epoch;
        return r;
}

/* A new epoch whose checkpoint a crash has left unsigned. */
static bool is_unfinished_epoch(Ledger *l, const Finding *f) {
        RunCursor c;
        EntryView v;
        GapBody gap;
        Error e;

        bool is = run_cursor_open(&c, l->store) == 0 && run_cursor_get(&c, 0, &v, &e) == 0 &&
                  view_is_recovery(&v, &gap) && streq(gap.detail, f->note);
        run_cursor_done(&c);
        return is;
}

static int compare_trees(Ledger *l, Finding *f, Error *e) {
        TileSource source = { .store = l->store, .edge = &l->writer->edge };
        const Checkpoint *c = &f->checkpoint;
        uint64_t sealed = l->writer->open.first;
        Hash root;

        if (c->size > writer_size(l->writer))
                return conclude(f, LEDGER_ROLLBACK,
                                "the database has %llu entries, the checkpoint was signed for %llu",
                                (unsigned long long) writer_size(l->writer), (unsigned long long) c->size);
        NodeSource nodes = { tile_source_node, &source };
        int r = merkle_root_at(&nodes, c->size, &root);
        if (r == -EBADMSG)
                return conclude(f, LEDGER_CORRUPT, "the database is damaged: %.200s", source.error.message);
        if (r < 0)
                return error_set(e, r, "%s", source.error.message);
        if (!hash_equal(&root, &c->root) || c->size > sealed)
                return conclude(f, LEDGER_FORKED,
                                "the database contradicts the checkpoint that was signed at %llu entries",
                                (unsigned long long) c->size);
        f->sign = c->size < sealed;
        return 0;
}

static int compare(Ledger *l, Finding *f, Error *e) {
        if (f->checkpoint_damaged)
                return conclude(f, LEDGER_CORRUPT, "the checkpoint file is damaged");
        if (!f->checkpoint_there) {
                f->sign = true;
                /* Somewhere a checkpoint may be known that this database contradicts. */
                if (writer_height(l->writer) > 0)
                        return conclude(f, LEDGER_ROLLBACK, "the checkpoint file is missing");
                return conclude(f, LEDGER_CLEAN, "the checkpoint file was missing; no block was sealed yet");
        }
        if (f->store_epoch > f->checkpoint_epoch && is_unfinished_epoch(l, f)) {
                f->sign = true;
                return 0;
        }
        if (f->store_epoch > f->checkpoint_epoch)
                return conclude(f, LEDGER_FORKED, "the database is of epoch %u, the checkpoint of epoch %u",
                                f->store_epoch, f->checkpoint_epoch);
        if (f->store_epoch < f->checkpoint_epoch)
                return conclude(f, LEDGER_ROLLBACK,
                                "the database is of epoch %u, the checkpoint of epoch %u", f->store_epoch,
                                f->checkpoint_epoch);
        return compare_trees(l, f, e);
}

static int assess(Ledger *l, Finding *f, Error *e) {
        Error why = { 0 };

        int r = read_checkpoint(l, f, e);
        if (r < 0)
                return r;
        r = load_store(l, f, &why);
        if (r == 0)
                return compare(l, f, e);
        if (r == -EBADMSG)
                return conclude(f, LEDGER_CORRUPT, "the database is damaged: %.200s", why.message);
        if (r != -ENODATA)
                return error_set(e, r, "%s", why.message);
        /* Nothing was ever in it. */
        if (!f->checkpoint_there && !f->store_there && !l->options.create)
                return error_set(e, -ENOENT, "%s: no ledger here", l->dir);
        if (!f->checkpoint_there || (!f->checkpoint_damaged && f->checkpoint.size == 0))
                return conclude(f, LEDGER_CREATED, "%s", "");
        return conclude(f, LEDGER_ROLLBACK, "the database is %s", f->store_there ? "empty" : "missing");
}

/* --- what follows --- */

static int open_store(Ledger *l, bool create, Error *e) {
        char path[PATH_MAX];

        ledger_path(l, "ledger", path);
        l->store = store_free(l->store);
        return store_open(path, create, &l->store, e);
}

/* The checkpoint of no entries comes first: from then on its absence always means something. */
static int create(Ledger *l, const Finding *f, Error *e) {
        int r = open_store(l, true, e);

        if (r == 0)
                r = writer_new(l->store, l->options.keyring, l->options.block_entries, l->epoch, &l->writer);
        if (r < 0)
                return r;
        if (!f->checkpoint_there) {
                r = ledger_write_checkpoint(l, e);
                if (r < 0)
                        return r;
        }
        return writer_commit(l->writer, e);
}

static int build_epoch(Ledger *l, const Finding *f, Store *from, LedgerRecovery *ret, Error *e) {
        _cleanup_(store_freep) Store *to = NULL;
        char building[PATH_MAX];

        ledger_path(l, "ledger.building", building);
        int r = epoch_remove_folder(building, e);
        if (r == 0)
                r = store_open(building, true, &to, e);
        return r < 0 ? r : ledger_salvage(l, from, to, f->note, f->checkpoint.size, ret, e);
}

/* From what LevelDB can make of a copy. */
static int build_repaired(Ledger *l, const Finding *f, LedgerRecovery *ret, Error *e) {
        _cleanup_(store_freep) Store *repaired = NULL;
        char from[PATH_MAX], copy[PATH_MAX];

        ledger_path(l, "ledger", from);
        ledger_path(l, "ledger.salvage", copy);
        int r = epoch_link_folder(from, copy, e);
        if (r < 0)
                return r;
        r = store_repair(copy, e);
        if (r == 0)
                r = store_open(copy, false, &repaired, e);
        if (r == 0)
                r = build_epoch(l, f, repaired, ret, e);
        return r;
}

static int build(Ledger *l, const Finding *f, LedgerRecovery *ret, Error *e) {
        int r = f->store_there ? -EBADMSG : 0;

        l->writer = writer_free(l->writer);
        if (l->store)
                r = build_epoch(l, f, l->store, ret, e);
        l->store = store_free(l->store);
        if (r == -EBADMSG)
                r = build_repaired(l, f, ret, e);
        if (r == -EBADMSG || !f->store_there)
                r = build_epoch(l, f, NULL, ret, e);
        return r;
}

static int begin_epoch(Ledger *l, const Finding *f, LedgerRecovery *ret, Error *e) {
        char aside[EPOCH_NAME_MAX];

        int r = build(l, f, ret, e);
        if (r < 0)
                return error_prefix(e, r, "cannot begin epoch %u", l->epoch);
        r = epoch_keep_checkpoint(l->dir, l->epoch, e);
        if (r == 0)
                r = epoch_ready(l->dir, l->epoch, e);
        if (r == 0)
                r = epoch_swap(l->dir, aside, e);
        if (r == 0)
                r = open_store(l, false, e);
        if (r == 0)
                r = writer_load(l->store, l->options.keyring, l->options.block_entries, &l->writer, e);
        if (r < 0)
                return r;
        (void) snprintf(ret->message, sizeof ret->message,
                        "%s; epoch %u begins, %llu entries were taken over, %llu are lost%s%s", f->why,
                        l->epoch, (unsigned long long) ret->salvaged, (unsigned long long) ret->lost,
                        f->store_there ? "; the old database is kept in " : "", aside);
        return 0;
}

/* LevelDB's own lock comes too late: before it, folders change their names. */
static int lock_folder(Ledger *l, Error *e) {
        int r = l->options.read_only ? 0 : dir_make(l->dir, 0700, e);

        if (r < 0)
                return r;
        l->dir_fd = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (l->dir_fd < 0)
                return error_set(e, -errno, "%s: %s", l->dir, strerror(errno));
        if (flock(l->dir_fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        if (errno == EWOULDBLOCK)
                return error_set(e, -EBUSY, "%s: another process has the ledger open", l->dir);
        return error_set(e, -errno, "%s: cannot lock: %s", l->dir, strerror(errno));
}

static int tidy(Ledger *l, Error *e) {
        char aside[EPOCH_NAME_MAX], path[PATH_MAX];

        if (l->options.read_only)
                return 0;
        int r = epoch_swap(l->dir, aside, e);
        ledger_path(l, "ledger.building", path);
        if (r == 0)
                r = epoch_remove_folder(path, e);
        ledger_path(l, "ledger.salvage", path);
        return r == 0 ? epoch_remove_folder(path, e) : r;
}

static int act(Ledger *l, Finding *f, LedgerRecovery *ret, Error *e) {
        uint32_t newest = MAX(f->checkpoint_epoch, f->store_epoch);

        if (f->start == LEDGER_ROLLBACK && l->writer && fault_same_epoch()) {
                f->start = LEDGER_CLEAN;
                f->sign = true;
        }
        if (f->start == LEDGER_CLEAN) {
                l->epoch = f->store_epoch;
                (void) snprintf(ret->message, sizeof ret->message, "%s", f->why);
                return 0;
        }
        if (l->options.read_only)
                return error_set(
                                e, -EUCLEAN, "the ledger needs recovery, which the daemon does: %s", f->why);
        int r = epoch_newest_known(l->dir, &newest, e);
        if (r < 0)
                return r;
        if (f->start == LEDGER_CREATED) {
                l->epoch = f->checkpoint_there ? f->checkpoint_epoch : newest + 1;
                return create(l, f, e);
        }
        l->epoch = newest + 1;
        f->sign = true;
        return begin_epoch(l, f, ret, e);
}

int ledger_start(Ledger *l, LedgerRecovery *ret, Error *e) {
        Finding f = { 0 };

        int r = lock_folder(l, e);
        if (r == 0)
                r = tidy(l, e);
        if (r == 0)
                r = assess(l, &f, e);
        if (r < 0)
                return r;
        l->shared.checkpoint = f.checkpoint;
        memcpy(l->shared.note, f.note, sizeof f.note);
        r = act(l, &f, ret, e);
        if (r < 0)
                return r;
        if (f.sign && !l->options.read_only) {
                r = ledger_write_checkpoint(l, e);
                if (r < 0)
                        return r;
        }
        ledger_publish(l);
        ret->start = f.start;
        ret->epoch = l->epoch;
        return tidy(l, e);
}
