/* outbox_step() is the whole of it: with the worker there, nothing in flight and no wait after a failure,
 * it finds the one thing to do next: ask the chain what it has, anchor, poll, or nothing. Each reply is
 * checked against the ledger, taken over, and followed by the next step. */
#include "anchor/outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "anchor/chain_head.h"
#include "anchor/state_file.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/utf8.h"

typedef enum Activity { IDLE, ASKING, ANCHORING } Activity;
typedef enum Waiting { WAITING_NOT, WAITING_RETRY, WAITING_POLL } Waiting;

struct Outbox {
        char *name;
        OutboxOptions options;
        OutboxLedger ledger;
        OutboxLink link;
        bool linked;
        sd_event_source *timer;
        StateFile *file;
        OutboxState state;

        bool known; /* the chain was asked since the last doubt: state.head is what it has */
        Activity activity;
        uint64_t sent; /* size of the last anchor whose outcome is open, or 0 */
        Waiting waiting;
        unsigned failures; /* in a row */
        uint64_t save;     /* number of the write that a save request waits for, or 0 */

        OutboxStatus status, published;
};

static void outbox_step(Outbox *o);

static bool status_equal(const OutboxStatus *a, const OutboxStatus *b) {
        return a->health == b->health && a->anchored_size == b->anchored_size &&
               a->pending_size == b->pending_size && a->anchors == b->anchors && a->failures == b->failures;
}

static void publish(Outbox *o) {
        if (status_equal(&o->status, &o->published))
                return;
        o->published = o->status;
        if (o->options.changed)
                o->options.changed(o->options.userdata, o);
}

static uint64_t persist(Outbox *o) {
        char *text = outbox_state_format(&o->state);

        return text ? state_file_write(o->file, text) : 0;
}

static void wait_for(Outbox *o, Waiting why, uint64_t delay_us) {
        o->waiting = why;
        (void) sd_event_source_set_time_relative(o->timer, delay_us);
        (void) sd_event_source_set_enabled(o->timer, SD_EVENT_ONESHOT);
}

static void wait_no_more(Outbox *o) {
        o->waiting = WAITING_NOT;
        (void) sd_event_source_set_enabled(o->timer, SD_EVENT_OFF);
}

static void set_reason(Outbox *o, OutboxHealth health, const char *reason) {
        o->status.health = health;
        utf8_copy(reason, o->status.reason, sizeof o->status.reason);
}

/* Tried again later: after the longest wait where only an operator can help. */
static void outbox_failed(Outbox *o, int r, const char *reason) {
        uint64_t longest = (uint64_t) o->options.retry_max_us;

        o->known = false;
        o->status.failures++;
        o->failures++;
        set_reason(o, OUTBOX_UNREACHABLE, reason);
        wait_for(o, WAITING_RETRY,
                        r == -EINVAL ? longest
                                     : backoff_delay(o->options.retry_min_us, o->options.retry_max_us,
                                                       o->failures));
        publish(o);
}

static void outbox_contradicted(Outbox *o, const char *reason) {
        o->known = false;
        o->status.failures++;
        wait_no_more(o);
        set_reason(o, OUTBOX_CONTRADICTED, reason);
        publish(o);
}

static void outbox_refused(Outbox *o, int r, const char *reason) {
        if (r == -EBADMSG)
                outbox_contradicted(o, reason);
        else
                outbox_failed(o, r, reason);
}

/* Is `size` a size that this ledger signed a checkpoint for? -EBADMSG where not. */
static int find_checkpoint(Outbox *o, uint64_t size, AnchorHead *ret, Error *e) {
        int r = o->ledger.checkpoint(o->ledger.userdata, size - 1, false, ret);

        if (r == -ENOENT)
                return error_set(e, -EBADMSG,
                                "the chain has size %" PRIu64 " of %s, which is ahead of the ledger", size,
                                o->state.origin);
        if (r < 0)
                return error_set(e, r, "ledger: %s", strerror(-r));
        if (ret->size != size)
                return error_set(e, -EBADMSG,
                                "the chain has size %" PRIu64
                                " of %s, for which the ledger has no checkpoint",
                                size, o->state.origin);
        return 0;
}

static int check_head(Outbox *o, const ChainHead *h, uint64_t *ret_final_height, Error *e) {
        AnchorHead ours;

        if (h->size > 0) {
                int r = find_checkpoint(o, h->size, &ours, e);
                if (r < 0)
                        return r;
                if (!hash_equal(&ours.root, &h->root))
                        return error_set(e, -EBADMSG, "the chain has another root at size %" PRIu64 " of %s",
                                        h->size, o->state.origin);
        }
        *ret_final_height = 0;
        if (h->final_size > 0) {
                int r = find_checkpoint(o, h->final_size, &ours, e);
                if (r < 0)
                        return r;
                *ret_final_height = ours.height;
        }
        return 0;
}

static void take_over(Outbox *o, const ChainHead *h, uint64_t final_height) {
        bool moved = h->size != o->state.head.size || h->final_size != o->state.head.final_size;

        if (o->sent && h->size >= o->sent)
                o->status.anchors++;
        if (h->pending_size == 0)
                o->sent = 0;
        o->state.head = *h;
        o->state.final_height = final_height;
        o->known = true;
        o->failures = 0;
        wait_no_more(o);
        o->status.anchored_size = h->final_size;
        o->status.anchored_height = final_height;
        o->status.pending_size = h->pending_size ? h->pending_size : h->size > h->final_size ? h->size : 0;
        (void) snprintf(o->status.receipt, sizeof o->status.receipt, "%s", h->receipt);
        set_reason(o, OUTBOX_BEHIND, "");
        if (moved)
                (void) persist(o);
        outbox_step(o);
}

static void on_reply(void *userdata, int r, const json_t *reply) {
        Outbox *o = userdata;
        Activity was = o->activity;
        uint64_t final_height;
        ChainHead h;
        Error e;

        o->activity = IDLE;
        if (r < 0) {
                const char *error = json_string_value(json_object_get(reply, "error"));
                outbox_refused(o, r, error ? error : strerror(-r));
                return;
        }
        if (chain_head_parse(reply, &h) < 0) {
                outbox_failed(o, -EPROTO, "the connector sent a malformed reply");
                return;
        }
        if (was == ANCHORING && h.size < o->sent && h.pending_size == 0) {
                outbox_failed(o, -EPROTO,
                                "the connector says neither that the checkpoint was accepted nor that it is "
                                "under way");
                return;
        }
        r = check_head(o, &h, &final_height, &e);
        if (r < 0)
                outbox_refused(o, r, e.message);
        else
                take_over(o, &h, final_height);
}

/* Takes args. */
static void outbox_call(Outbox *o, Activity activity, const char *op, json_t *args) {
        o->activity = activity;
        int r = args ? o->link.call(o->link.userdata, op, args, on_reply, o) : -ENOMEM;
        json_decref(args);
        if (r < 0) {
                o->activity = IDLE;
                outbox_failed(o, r, strerror(-r));
        }
}

static void ask(Outbox *o, const char *op) {
        outbox_call(o, ASKING, op, json_pack("{s:s}", "origin", o->state.origin));
}

static void anchor(Outbox *o, const AnchorHead *next) {
        Hash proof[PROOF_HASHES_MAX];
        size_t n = 0;
        uint64_t old_size = o->state.head.size;

        int r = old_size > 0 ? o->ledger.consistency(o->ledger.userdata, old_size, next->size, proof, &n)
                             : 0;
        if (r < 0) {
                outbox_failed(o, r, "the ledger has no consistency proof");
                return;
        }
        json_t *hashes = json_array();
        for (size_t i = 0; i < n; i++)
                (void) json_array_append_new(hashes, hash_to_json(&proof[i]));
        o->sent = next->size;
        o->status.pending_size = next->size;
        publish(o);
        outbox_call(o, ANCHORING, "anchor",
                        json_pack("{s:s,s:s,s:I,s:I,s:o,s:o}", "origin", next->origin, "note", next->text,
                                        "old_size", (json_int_t) old_size, "size", (json_int_t) next->size,
                                        "root", hash_to_json(&next->root), "proof", hashes));
}

/* The gateway's first checkpoint, or a new epoch: the chain is asked what it has of that log. */
static void begin_origin(Outbox *o, const char *origin) {
        (void) snprintf(o->state.origin, sizeof o->state.origin, "%s", origin);
        o->state.head = (ChainHead){ 0 };
        o->state.final_height = 0;
        o->known = false;
        o->sent = 0;
        o->status.anchored_size = o->status.anchored_height = o->status.pending_size = 0;
        o->status.receipt[0] = '\0';
}

static void outbox_step(Outbox *o) {
        const ChainHead *h = &o->state.head;
        AnchorHead next;

        if (!o->linked || o->activity != IDLE || o->waiting == WAITING_RETRY ||
                        o->status.health == OUTBOX_CONTRADICTED)
                return;
        int r = o->ledger.checkpoint(o->ledger.userdata, 0, true, &next);
        if (r == -ENOENT)
                return;
        if (r == 0 && !streq(next.origin, o->state.origin))
                begin_origin(o, next.origin);
        if (r == 0 && !o->known) {
                ask(o, "head");
                return;
        }
        bool newer = r == 0 && next.size > h->size;
        if (newer && o->options.policy == OUTBOX_EVERY)
                r = o->ledger.checkpoint(o->ledger.userdata, h->size, false, &next);
        if (r < 0) {
                outbox_failed(o, r, "the ledger has no checkpoint");
                return;
        }
        o->status.health = newer || h->final_size < h->size ? OUTBOX_BEHIND : OUTBOX_OK;
        if (newer && h->pending_size == 0) {
                anchor(o, &next);
                return;
        }
        if ((h->pending_size > 0 || h->final_size < h->size) && o->waiting == WAITING_NOT)
                wait_for(o, WAITING_POLL, (uint64_t) o->options.retry_min_us);
        publish(o);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        Outbox *o = userdata;
        Waiting was = o->waiting;

        o->waiting = WAITING_NOT;
        /* a poll that an anchor overtook is not lost: its reply leads to the next one */
        if (was == WAITING_POLL && o->activity == IDLE)
                ask(o, "poll");
        else
                outbox_step(o);
        return 0;
}

static void on_written(void *userdata, uint64_t number, int r, const char *error) {
        Outbox *o = userdata;

        if (o->save == 0 || number < o->save)
                return;
        o->save = 0;
        json_t *answer = r < 0 ? json_pack("{s:i,s:s}", "r", r, "error", error) : json_pack("{s:i}", "r", 0);
        o->link.answer(o->link.userdata, answer);
        json_decref(answer);
}

static json_t *refuse(int r, const char *error) {
        return json_pack("{s:i,s:s}", "r", r, "error", error);
}

static json_t *request_save(Outbox *o, const json_t *state) {
        if (!json_is_string(state) || json_string_length(state) > CONNECTOR_STATE_MAX)
                return refuse(-EINVAL, "no state, or too large");
        if (!o->linked)
                return refuse(-EINVAL, "nothing can be saved from within open()");
        char *text = strdup(json_string_value(state));
        if (!text)
                return refuse(-ENOMEM, "out of memory");
        free(o->state.connector);
        o->state.connector = text;
        o->save = persist(o);
        return o->save ? NULL : refuse(-ENOMEM, "out of memory");
}

json_t *outbox_request(Outbox *o, const json_t *request) {
        const char *op = json_string_value(json_object_get(request, "op"));

        if (op && streq(op, "load"))
                return json_pack("{s:i,s:s}", "r", 0, "state", o->state.connector);
        if (op && streq(op, "save"))
                return request_save(o, json_object_get(request, "state"));
        return refuse(-EINVAL, "no such request");
}

void outbox_connect(Outbox *o, const OutboxLink *link) {
        o->linked = link;
        o->known = false;
        o->save = 0;
        wait_no_more(o);
        if (link) {
                o->link = *link;
                outbox_step(o);
                return;
        }
        if (o->status.health != OUTBOX_CONTRADICTED && o->status.health != OUTBOX_UNREACHABLE)
                set_reason(o, OUTBOX_UNREACHABLE, "the connector's process ended");
        publish(o);
}

void outbox_resubmit(Outbox *o) {
        if (o->status.health == OUTBOX_CONTRADICTED)
                set_reason(o, OUTBOX_BEHIND, "");
        o->failures = 0;
        if (o->activity == IDLE) {
                o->known = false;
                wait_no_more(o);
        }
        outbox_step(o);
        publish(o);
}

void outbox_wake(Outbox *o) {
        outbox_step(o);
}

/* What the chain was known to have before the restart, unless that was another epoch. */
static void recall(Outbox *o) {
        AnchorHead newest;

        if (o->ledger.checkpoint(o->ledger.userdata, 0, true, &newest) < 0 ||
                        !streq(newest.origin, o->state.origin))
                return;
        o->status.anchored_size = o->state.head.final_size;
        o->status.anchored_height = o->state.final_height;
        (void) snprintf(o->status.receipt, sizeof o->status.receipt, "%s", o->state.head.receipt);
}

int outbox_new(sd_event *event, const OutboxOptions *options, const OutboxLedger *ledger, Outbox **ret,
                Error *e) {
        _cleanup_(outbox_freep) Outbox *o = calloc(1, sizeof *o);

        if (!o)
                return error_set(e, -ENOMEM, "%s: out of memory", options->name);
        o->options = *options;
        o->options.name = o->options.state_path = NULL; /* borrowed for this call only */
        if (!o->options.retry_min_us)
                o->options.retry_min_us = 1 * USEC_PER_SEC;
        if (!o->options.retry_max_us)
                o->options.retry_max_us = 300 * USEC_PER_SEC;
        o->ledger = *ledger;
        o->name = strdup(options->name);
        if (!o->name)
                return error_set(e, -ENOMEM, "%s: out of memory", options->name);
        int r = outbox_state_read(options->state_path, &o->state, e);
        if (r < 0)
                return r;
        r = state_file_new(event, options->state_path, on_written, o, &o->file, e);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &o->timer, CLOCK_MONOTONIC, 0, 1, on_timer, o);
        if (r >= 0)
                r = sd_event_source_set_enabled(o->timer, SD_EVENT_OFF);
        if (r < 0)
                return error_set(e, r, "%s: %s", o->name, strerror(-r));
        o->status.health = OUTBOX_BEHIND;
        recall(o);
        o->published = o->status;
        *ret = TAKE(o);
        return 0;
}

Outbox *outbox_free(Outbox *o) {
        if (!o)
                return NULL;
        sd_event_source_disable_unref(o->timer);
        state_file_free(o->file);
        free(o->state.connector);
        free(o->name);
        free(o);
        return NULL;
}

const char *outbox_name(const Outbox *o) {
        return o->name;
}

const OutboxStatus *outbox_status(const Outbox *o) {
        return &o->status;
}
