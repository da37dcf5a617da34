/* The first configuration that `wardstone init` writes. */
#pragma once

#include <stddef.h>

/* wardstone.yaml: printf() formats with the gateway's name, the state folder and the name again. */
extern const char template_main[];
extern const char template_devices[];
extern const char template_rules[];
