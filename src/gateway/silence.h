/* Silence is recorded: a device that says nothing for too long is a gap, noted when it begins and when it ends. */
#pragma once

#include "model/registry.h"

typedef struct Gateway Gateway;
typedef struct Silence Silence;

int silence_new(Silence **ret) _must_check_;
Silence *silence_free(Silence *s);

/* The device said something. */
void silence_note(Gateway *g, const Reading *r);
/* Looks at all devices: call now and then, O(devices). */
void silence_sweep(Gateway *g, const Stamp *now);
