/* The commit thread: one synced write a batch, then the checkpoint, then a step of pruning. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "ledger/ledger_internal.h"

void ledger_publish(Ledger *l) {
        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
        const Writer *w = l->writer;

        edge_copy(&l->shared.edge, &w->edge);
        l->shared.height = writer_height(w);
        l->shared.newest_seal = w->sealed.count > 0 ? block_seal(&w->sealed) : 0;
        l->shared.pruned_size = w->state.pruned_size;
}

int ledger_write_checkpoint(Ledger *l, Error *e) {
        Checkpoint c = { .size = l->writer->open.first, .root = l->writer->sealed_root };
        char path[PATH_MAX], note[NOTE_TEXT_MAX];

        (void) snprintf(c.origin, sizeof c.origin, "%s/%u", l->name, l->epoch);
        int r = checkpoint_sign(&c, l->options.signing_key, note);
        if (r < 0)
                return error_set(e, r, "cannot sign a checkpoint as \"%s\": %s", c.origin, strerror(-r));
        ledger_path(l, "checkpoint", path);
        r = file_replace(path, BYTES_STRING(note), 0644, e);
        if (r < 0)
                return r;
        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
        l->shared.checkpoint = c;
        memcpy(l->shared.note, note, sizeof note);
        return 0;
}

/* --- a batch --- */

static int reopen(Ledger *l, Error *e) {
        char path[PATH_MAX];

        ledger_path(l, "ledger", path);
        (void) pthread_rwlock_wrlock(&l->store_lock);
        int r = l->store ? 0 : store_open(path, false, &l->store, e);
        (void) pthread_rwlock_unlock(&l->store_lock);
        if (r == 0)
                r = writer_load(l->store, l->options.keyring, l->options.block_entries, &l->writer, e);
        /* Of the failed batch a SEAL may be there after all. */
        if (r == 0)
                l->checkpoint_due = true;
        return r;
}

/* LevelDB refuses all writes after a failed one, and what is in the writer's memory is not what is on disk. */
static void give_up(Ledger *l) {
        l->writer = writer_free(l->writer);
        (void) pthread_rwlock_wrlock(&l->store_lock);
        l->store = store_free(l->store);
        (void) pthread_rwlock_unlock(&l->store_lock);
}

static int seal_if_full(Ledger *l, const Batch *b, Error *e) {
        return writer_is_full(l->writer) ? writer_seal(l->writer, &b->when, &b->rules, e) : 0;
}

static int append_item(Ledger *l, const Batch *b, const BatchItem *i, Error *e) {
        const char *subject = batch_item_subject(b, i);
        SubjectKey key;
        int r;

        if (subject) {
                r = writer_subject_key(l->writer, subject, (SubjectKind) i->kind, &b->when, &key, e);
                if (r == 0)
                        r = seal_if_full(l, b, e);
                if (r < 0)
                        return r;
        }
        r = writer_append(l->writer, (EntryType) i->type, i->stream, subject ? &key : NULL,
                        batch_item_body(b, i), i->wall_us);
        sodium_memzero(&key, sizeof key);
        return r < 0 ? error_set(e, r, "cannot append: %s", strerror(-r)) : seal_if_full(l, b, e);
}

static int append_changes(Ledger *l, const Batch *b) {
        _cleanup_(pack_done) Pack record = { 0 };

        if (b->stream_count == 0 && b->state_count == 0)
                return 0;
        state_pack_changes(&record, l->writer->state.pruned_size, b->stream_count, pack_bytes(&b->streams),
                        b->state_count, pack_bytes(&b->state));
        return record.failed ? -ENOMEM : writer_put_changes(l->writer, pack_bytes(&record));
}

static int write_batch(Ledger *l, const Batch *b, Error *e) {
        if (fault_commit_error())
                return error_set(e, -EIO, "commit-error is set");
        int r = append_changes(l, b);
        if (r < 0)
                return error_set(e, r, "cannot keep changed state: %s", strerror(-r));
        for (size_t i = 0; r == 0 && i < b->count; i++)
                r = append_item(l, b, &b->items[i], e);
        if (r == 0 && b->seal)
                r = writer_seal(l->writer, &b->when, &b->rules, e);
        return r < 0 || (batch_is_empty(b) && !b->seal) ? r : writer_commit(l->writer, e);
}

static void commit(Ledger *l, const Batch *b, LedgerResult *result) {
        Error e = { 0 };

        *result = (LedgerResult){ .entries = b->count };
        if (fault_commit_delay_us() > 0)
                (void) usleep((useconds_t) fault_commit_delay_us());
        if (!l->writer)
                result->r = reopen(l, &e);
        if (result->r == 0) {
                uint64_t sealed = l->writer->open.first;
                result->r = write_batch(l, b, &e);
                l->checkpoint_due |= result->r == 0 && l->writer->open.first > sealed;
        }
        if (result->r < 0) {
                give_up(l);
        } else {
                ledger_publish(l);
                if (l->checkpoint_due && ledger_write_checkpoint(l, &e) == 0) {
                        l->checkpoint_due = false;
                        result->sealed = true;
                }
        }
        (void) snprintf(result->message, sizeof result->message, "%.*s", (int) sizeof result->message - 1,
                        e.message);
}

/* --- the thread --- */

static bool wait_submitted(Ledger *l) {
        _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);

        l->idle = !l->submitted || l->finished;
        while (!l->stop && (!l->submitted || l->finished))
                (void) pthread_cond_wait(&l->submitted_cond, &l->lock);
        return !l->stop;
}

static void report(Ledger *l, const LedgerResult *result) {
        const uint64_t one = 1;

        {
                _cleanup_(ledger_unlockp) _unused_ pthread_mutex_t *locked = ledger_lock(l);
                l->result = *result;
                l->block_open = l->writer && l->writer->open.count > 0;
                l->finished = true;
                (void) pthread_cond_signal(&l->finished_cond);
        }
        (void) !write(l->event_fd, &one, sizeof one);
}

static void upkeep(Ledger *l, const EntryTime *when) {
        Error e;

        store_trim_diary(l->store);
        if (ledger_prune(l, when, &e) < 0)
                give_up(l);
        else
                ledger_publish(l);
}

void *ledger_commit_thread(void *userdata) {
        Ledger *l = userdata;
        LedgerResult result;

        while (wait_submitted(l)) {
                EntryTime when = l->writing->when;
                commit(l, l->writing, &result);
                report(l, &result);
                if (result.r == 0 && result.sealed)
                        upkeep(l, &when);
        }
        return NULL;
}
