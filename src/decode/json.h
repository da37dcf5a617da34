/* JSON payloads, parsed by jansson into a tree that the caller frees. */
#pragma once

#include <jansson.h>

#include "base/error.h"

/* Duplicate keys, bytes after the value, broken UTF-8, NUL characters and numbers beyond a double are refused; nesting is
 * bounded by jansson (2048) and size by the caller. All numbers come as reals: JSON knows no integers, and those beyond
 * 64 bits are legal. A bare number or string is a document too. -EBADMSG with the place. */
int json_parse(Bytes payload, json_t **ret, Error *e) _must_check_;
