/* The only place that writes to the journal (or to stderr where there is none). Structured fields carry what a search
 * needs; messages are for people. No personal data: subjects by pseudonym only. */
#pragma once

#include <syslog.h>

#include "base/macro.h"

/* priority: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG.
 * fields: NULL-terminated "KEY=value" strings, may be NULL. */
void log_message(int priority, const char *const *fields, const char *format, ...) _printf_(3, 4);

#define log_error(...)   log_message(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, NULL, __VA_ARGS__)
