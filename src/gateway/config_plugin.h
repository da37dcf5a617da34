/* The `chains:` and `receivers:` lists. */
#pragma once

#include "gateway/config.h"

typedef enum PluginKind { PLUGIN_CHAIN, PLUGIN_RECEIVER } PluginKind;

/* Fills at most CONFIG_PLUGINS_MAX items; what was filled is counted also on failure. */
int plugin_configs_read(const YamlNode *list, PluginKind kind, PluginConfig *ret, size_t *ret_n,
                Error *e) _must_check_;
void plugin_config_done(PluginConfig *p);
