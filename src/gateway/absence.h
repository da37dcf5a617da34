/* Absence is recorded: a device that says nothing for too long is a gap, noted when it begins and when it ends. */
#pragma once

#include "model/registry.h"

typedef struct Gateway Gateway;
typedef struct Absence Absence;

int absence_new(Absence **ret) _must_check_;
Absence *absence_free(Absence *s);

/* The device said something. */
void absence_note(Gateway *g, const Reading *r);
/* Looks at all devices: call now and then, O(devices). */
void absence_sweep(Gateway *g, const Stamp *now);
