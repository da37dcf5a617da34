/* What the files of this folder share. */
#pragma once

#include <systemd/sd-event.h>

#include "alert/dispatch.h"
#include "gateway/board.h"
#include "gateway/chains.h"
#include "gateway/clockwatch.h"
#include "gateway/config.h"
#include "gateway/control.h"
#include "gateway/gateway.h"
#include "gateway/pipeline.h"
#include "gateway/quarantine.h"
#include "gateway/receivers.h"
#include "gateway/absence.h"
#include "ledger/ledger.h"

typedef struct SourceWatch {
        Source *source;
        int64_t down_since_us; /* wall clock; TIME_NONE while up */
        char reason[128];      /* why it is down */
} SourceWatch;

struct Gateway {
        sd_event *event;
        Config *config;
        Catalogue *catalogue; /* the first configuration's: a reload can't change it */
        SigningKey signing_key;
        Keyring *keyring;
        Ledger *ledger;
        Registry *registry;
        Validator *validator;
        RuleEngine *engine;
        AlertManager *alerts;
        Dispatch *dispatch;
        Pipeline pipeline;
        ClockWatch clock;
        Absence *absence;
        Board *board;
        Quarantine *quarantine;
        Receivers *receivers;
        Chains *chains;
        Control *control;
        SourceWatch sources[CONFIG_SOURCES_MAX];
        size_t source_count;
        sd_event_source *timer, *post, *commit, *signals[3];
        int64_t next_second_us;  /* housekeeping */
        int64_t started_us;      /* monotonic */
        int64_t local_offset_us; /* of local time against UTC */
        int64_t latest_us;       /* monotonic: the next latest_save() */
        Hash rules_hash;
        bool replaying;      /* recorded entries pass: now is pipeline.now */
        bool replay_is_mute; /* and what rules say of them is nothing */
};

/* The clocks as of now; while readings are replayed, as of the one that is replayed. */
Stamp gateway_now(const Gateway *g);

/* What the loop's timer does, and when it is due next (monotonic us): housekeeping, and the pipeline's time passes. */
void gateway_tick(Gateway *g);
int64_t gateway_deadline(const Gateway *g);

/* One look at the clocks, with the boot's number: what every entry carries. */
EntryTime gateway_when(const Gateway *g, const Stamp *now);
