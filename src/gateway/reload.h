/* Reload: the new configuration is read and checked as a whole; a mistake in it leaves everything as it is. */
#pragma once

#include "base/clock.h"
#include "gateway/gateway.h"

/* On the loop thread. Sources, receivers and chains start anew only where wardstone.yaml changed. */
int gateway_reload(Gateway *g, Error *e) _must_check_;

/* Starts the sources of g->config. */
/* That the libraries of the configured sources do what the guarantees rest on. */
int gateway_test_sources(const Config *c, Error *e) _must_check_;
int gateway_start_sources(Gateway *g, Error *e) _must_check_;
void gateway_stop_sources(Gateway *g);
/* Alerts of rules that there are no more end. */
void gateway_retain_alerts(Gateway *g, const Stamp *now);
/* Alerts of devices that belong to nobody and that the configuration doesn't list any more end. */
void gateway_release_unlisted(Gateway *g, const Stamp *now);
/* CONFIG: the hash of configuration and rules in force. */
void gateway_append_config(Gateway *g);
