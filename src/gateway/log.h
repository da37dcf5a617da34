/* The only place that writes to the journal (or to stderr where there is none). Structured fields carry what a search
 * needs; messages are for people. No personal data: subjects by pseudonym only. */
#pragma once

#include <syslog.h>

#include "base/macro.h"

/* A field of the journal: "WARDSTONE_<name>", so that `journalctl WARDSTONE_EVENT=alert WARDSTONE_RULE=SpO2Low` finds it. The
 * names in use are listed in docs/operations.md. */
typedef struct LogField {
        const char *name, *value;
} LogField;

enum { LOG_FIELDS_MAX = 8 };

#define LOG_FIELDS(...) ((const LogField[]){ __VA_ARGS__, { NULL, NULL } })

/* priority: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG. fields: LOG_FIELDS(...), may be NULL. */
void log_message(int priority, const LogField *fields, const char *format, ...) _printf_(3, 4);

#define log_error(...)   log_message(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, NULL, __VA_ARGS__)
