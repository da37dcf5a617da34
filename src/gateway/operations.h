/* What can be asked of a running gateway, under the names that every way in shares: the control socket now. */
#pragma once

#include <stdbool.h>

#include "gateway/control.h"
#include "model/registry.h"

/* Runs {"op": NAME, ...}: rows go to the session; negative errno with the reason in e. */
int operations_run(Session *s, const json_t *request, Error *e) _must_check_;

/* One operation; request holds its arguments. */
typedef int (*OperationFn)(Session *s, const json_t *request, Error *e);

/* Of the gateway's present state (operations_live.c) */
int operation_status(Session *s, const json_t *request, Error *e) _must_check_;
int operation_board(Session *s, const json_t *request, Error *e) _must_check_;
int operation_tail(Session *s, const json_t *request, Error *e) _must_check_;
int operation_devices(Session *s, const json_t *request, Error *e) _must_check_;
/* Alerts: what caregivers see and do (operations_alerts.c) */
int operation_alerts(Session *s, const json_t *request, Error *e) _must_check_;
int operation_acknowledge(Session *s, const json_t *request, Error *e) _must_check_;
int operation_silence(Session *s, const json_t *request, Error *e) _must_check_;
int operation_silences(Session *s, const json_t *request, Error *e) _must_check_;
int operation_unsilence(Session *s, const json_t *request, Error *e) _must_check_;
/* Subjects and what is said of them (operations_subjects.c) */
int operation_subjects(Session *s, const json_t *request, Error *e) _must_check_;
int operation_set(Session *s, const json_t *request, Error *e) _must_check_;
/* That change something (operations_steer.c) */
int operation_assign(Session *s, const json_t *request, Error *e) _must_check_;
int operation_release(Session *s, const json_t *request, Error *e) _must_check_;
int operation_resubmit(Session *s, const json_t *request, Error *e) _must_check_;
int operation_reload(Session *s, const json_t *request, Error *e) _must_check_;
/* Of what is recorded (operations_ledger.c) */
int operation_readings(Session *s, const json_t *request, Error *e) _must_check_;
int operation_quarantine(Session *s, const json_t *request, Error *e) _must_check_;
/* Evidence (operations_proof.c) */
int operation_block(Session *s, const json_t *request, Error *e) _must_check_;
int operation_checkpoint(Session *s, const json_t *request, Error *e) _must_check_;
int operation_prove(Session *s, const json_t *request, Error *e) _must_check_;
int operation_consistency(Session *s, const json_t *request, Error *e) _must_check_;
int operation_verify(Session *s, const json_t *request, Error *e) _must_check_;

/* Arguments: absent or null is ret unchanged and 0; a wrong type is -EINVAL with the argument's name. */
int argument_text(const json_t *request, const char *name, const char **ret, Error *e) _must_check_;
int argument_uint(const json_t *request, const char *name, uint64_t *ret, Error *e) _must_check_;
int argument_int(const json_t *request, const char *name, int64_t *ret, Error *e) _must_check_;
int argument_bool(const json_t *request, const char *name, bool *ret, Error *e) _must_check_;
/* ISO 8601 text, or microseconds since 1970 as a number. */
int argument_time(const json_t *request, const char *name, int64_t *ret, Error *e) _must_check_;

/* The answer of an operation that changed something, which gave r: its row (taken) once the change is durable, so that a
 * client that has its answer has it for good. -EIO while the store fails: it is done, and will be stored when the store
 * works again. */
int operations_answer(Session *s, int r, json_t *row, Error *e) _must_check_;
/* Sends what was gathered, row by row; takes the list. */
int send_rows(Session *s, json_t *rows) _must_check_;
/* The subject's devices' names. New reference. */
json_t *devices_of(Gateway *g, SubjectId subject);
/* ["implausible", ...]. New reference. */
json_t *flags_to_json(uint16_t flags);
/* ACCESS: who read which subject's data. Waits for the loop. */
int operations_record_access(Session *s, const char *operation, const char *subject, const char *vital,
                int64_t from_us, int64_t to_us) _must_check_;
