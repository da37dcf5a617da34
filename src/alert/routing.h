/* Who is told of which alert, and when: the `alerts:` and `routes:` sections of the configuration. Immutable once read.
 *
 *     alerts:
 *       repeat: 15m             # of what nobody has acknowledged; not of technical ones; 0s: never
 *       group_interval: 30s     # of one subject, to one receiver: further ones within it go together; high ones don't wait
 *       expire: 24h             # undelivered ones other than high: given up
 *       silence_max: 24h        # no silence is longer
 *       quiet_hours: {from: "22:00", to: "06:00", priority: low}   # local time: up to that priority is held until the end
 *     routes:                   # the first that fits; none given: everything to every receiver at once
 *       - match: {priority: [high, medium], kind: patient, rule: SpO2*, subject: ..., label: ..., labels: {team: resp}}
 *         repeat: 5m            # instead of the general one, and of technical ones, too
 *         steps:
 *           - notify: [ward-mqtt, pager]
 *           - {after: 60s, notify: [charge-nurse]}   # since the alert was raised (again); not once acknowledged
 *           - {after: 5m, notify: [doctor]}
 *       - steps: [{notify: [ward-mqtt]}]
 *
 * The last route has no match, so that no alert falls through. Quiet hours "up to low" hold technical ones, too; of high
 * priority nothing is ever held back.
 *
 * And of each receiver: `min_priority`, and `rate: {notices: 10, per: 1m}`: that many at once, then one each
 * per / notices (a token bucket that fills evenly). Beyond it what isn't of high priority is held back and told in one
 * digest when there is room again. What is of high priority neither waits nor counts. */
#pragma once

#include "alert/filter.h"
#include "base/yaml.h"

enum {
        ROUTES_MAX = 64,
        ROUTE_STEPS_MAX = 8,
        ROUTING_RECEIVERS_MAX = 8,
};

typedef struct RouteStep {
        int64_t after_us;   /* 0 for the first, ascending */
        unsigned receivers; /* bits 1 << number of the receiver */
} RouteStep;

typedef struct Route {
        AlertFilter filter;
        RouteStep steps[ROUTE_STEPS_MAX];
        size_t step_count;
        int64_t repeat_us; /* 0: never */
        bool repeat_all;   /* the route itself says so: technical alerts and those of the gateway, too */
} Route;

typedef struct RoutingReceiver {
        const char *name; /* borrowed from the configuration */
        Priority min_priority;
        unsigned rate_notices; /* 0: no limit */
        int64_t rate_per_us;
} RoutingReceiver;

typedef struct QuietHours {
        int from_min, to_min; /* of the local day; equal: none */
        Priority priority;    /* up to this one */
} QuietHours;

typedef struct Routing {
        RoutingReceiver receivers[ROUTING_RECEIVERS_MAX];
        size_t receiver_count;
        Route routes[ROUTES_MAX];
        size_t route_count; /* at least 1 */
        int64_t group_interval_us, expire_us, silence_max_us;
        QuietHours quiet;
} Routing;

/* alerts and routes may be absent. Receivers are in r already. Mistakes with their place: an unknown receiver ("did you
 * mean"), a step before the one before, a route behind one that fits everything, none that fits everything. */
int routing_read(Routing *r, const YamlNode *alerts, const YamlNode *routes, Error *e) _must_check_;
/* A receiver's `rate:`, which may be absent. */
int routing_read_rate(RoutingReceiver *r, const YamlNode *rate, Error *e) _must_check_;
/* The route of the alert: the first that fits, NULL where none does. */
const Route *routing_find(const Routing *r, const AlertEvent *e, const Subject *subject);
