/* Switches that break the daemon on purpose, so that tests can see the guarantees fail or hold.
 *
 * They exist only in builds configured with -Dfaults=true; elsewhere each is a constant that the compiler
 * removes. The values come from small files in the folder named by WARDSTONE_FAULTS, read each time, so that a
 * test can change them while the daemon runs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef WARDSTONE_FAULTS

bool fault_is_set(const char *name);
int64_t fault_number(const char *name);

#else

static inline bool fault_is_set(const char *name) {
        (void) name;
        return false;
}

static inline int64_t fault_number(const char *name) {
        (void) name;
        return 0;
}

#endif

/* "clock-offset-us": added to the wall clock. */
static inline int64_t fault_clock_offset_us(void) {
        return fault_number("clock-offset-us");
}
/* "ack-early": acknowledgements leave before the commit. The crash test must see readings lost. */
static inline bool fault_ack_early(void) {
        return fault_is_set("ack-early");
}
/* "commit-delay-us": each commit takes that much longer, as on a slow card. */
static inline int64_t fault_commit_delay_us(void) {
        return fault_number("commit-delay-us");
}
/* "commit-error": each commit fails with EIO. */
static inline bool fault_commit_error(void) {
        return fault_is_set("commit-error");
}
/* "anchor-save-lost": what a connector saves before it sends is said to be on disk, and is not written. */
static inline bool fault_anchor_save_lost(void) {
        return fault_is_set("anchor-save-lost");
}
/* "same-epoch": a database that is behind its own checkpoint goes on in the same epoch, so the log forks. The chain must
 * refuse it. */
static inline bool fault_same_epoch(void) {
        return fault_is_set("same-epoch");
}
/* "coap-session-seconds": a CoAP session is forgotten after so much silence; 0: after as much as ever. */
static inline int64_t fault_coap_session_seconds(void) {
        return fault_number("coap-session-seconds");
}
