/* Alerts and notices as JSON: what plugins and the control socket see of them. docs/plugins.md is the specification. */
#pragma once

#include <jansson.h>

#include "alert/dispatch.h"

typedef struct Gateway Gateway;

/* New references; NULL where memory is out. */
json_t *alert_to_json(const Gateway *g, const AlertEvent *event);
json_t *notice_to_json(const Gateway *g, const Notice *n);
/* The row of a recorded event: subject is its name, the registry may not know it any more. */
json_t *alert_event_to_json(const AlertEvent *event, const char *subject, const char *label);
