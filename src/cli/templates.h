/* The first configuration that `wardstone init` writes. */
#pragma once

#include <stddef.h>

/* wardstone.yaml: printf() formats with the gateway's name, the state folder and the name again. */
extern const char template_main[];
extern const char template_devices[];

typedef struct RuleTemplate {
        const char *name, *text;
} RuleTemplate;

/* The files of configs/rules.d as they are, made a part of the program by tools/embed-rules; the last has no name. */
extern const RuleTemplate template_rules[];
