/* The way of a reading: frame -> decode -> validate -> accept -> commit -> acknowledge. */
#pragma once

#include "gateway/gateway.h"
#include "ledger/ledger.h"

typedef enum StoreState {
        STORE_OK,
        STORE_SLOW, /* a commit takes too long: alerts go on over the live lanes */
        STORE_DOWN, /* a commit failed: likewise, and commits are tried again */
} StoreState;

typedef struct Pipeline {
        Stamp now; /* of the frame, timer or replayed reading that is being worked on */
        SampleList samples;
        uint64_t verdicts[VERDICT_COUNT];
        size_t waiting; /* samples that wait for the open batch's commit, at least one a message */
        int64_t batch_deadline_us; /* monotonic; INT64_MAX: nothing waits */
        size_t writing;            /* samples that wait for the batch that is being written */
        bool behind; /* the store was left with readings in the open batch: they come again, as duplicates */
        bool close_wanted;        /* close as soon as the one being written is done */
        int64_t patience_us;      /* how long a commit may take: see note_pace() */
        int64_t writing_since_us; /* monotonic; INT64_MAX: nothing is being written */
        StoreState store;
        Stamp store_since;    /* when it stopped being STORE_OK */
        int64_t retry_us;     /* monotonic: next try while STORE_DOWN */
        int64_t malformed_us; /* monotonic: of the last message that went to quarantine */
        uint64_t batches, entries, failed, shed;
        const char *telling; /* the alert whose event is worked on: it is saved at the end */
        char store_error[256];
} Pipeline;

void pipeline_init(Pipeline *p, const Config *config);
void pipeline_done(Pipeline *p);

/* The source interface, for every source. */
SourceSink pipeline_sink(Gateway *g);
/* What the rules say, and what alerts become of it. */
void pipeline_outcome(void *userdata, const RuleOutcome *o);
void pipeline_alert(void *userdata, const AlertEvent *event);
int pipeline_new_dispatch(Gateway *g) _must_check_;
/* An ALERT entry: what became of an alert, or what was done about it. */
void pipeline_record(Gateway *g, const AlertEvent *event);
/* Whose key seals what tells of the subject: nobody's, where it is a group, which names no patient, or NULL. */
const Subject *pipeline_sealing_subject(const Subject *s);

/* Appends an entry of the gateway's own; subject NULL: in the clear. Overflow is counted and becomes a GAP entry. */
void pipeline_append(Gateway *g, EntryType type, const Subject *subject, const CborWriter *body,
                const Stamp *now);
void pipeline_append_gap(Gateway *g, GapReason reason, const char *what, int64_t from_us, int64_t to_us,
                uint64_t first, uint64_t count, const char *detail);

/* Time passes: batches and blocks close, rules and alerts move on. */
void pipeline_tick(Gateway *g, const Stamp *now);
int64_t pipeline_deadline(const Gateway *g); /* monotonic us */
/* A batch is finished. */
void pipeline_committed(Gateway *g);
