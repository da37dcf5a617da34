/* What is said of names that mean nothing where they stand, with what may have been meant. */
#include <errno.h>
#include <stdio.h>

#include "rules/parser.h"

/* Vitals come first: of names that are equally near the first is taken. */
static const char *nearest(const Parser *p, const char *word) {
        const char *names[VITALS_MAX + GROUP_LIMITS_MAX + FUNCTIONS_MAX];
        const Vocabulary *w = p->words;
        size_t n = 0;

        for (; n < catalogue_count(w->catalogue); n++)
                names[n] = catalogue_at(w->catalogue, (VitalId) n)->name;
        for (size_t i = 0; i < w->limit_count; i++)
                names[n++] = w->limits[i].name;
        n += function_names(names + n);
        return nearest_word(word, names, n);
}

int mistake_name(Parser *p, const Token *name) {
        const char *arguments = function_arguments(name->text);
        const char *near = nearest(p, name->text);

        if (arguments)
                (void) error_set(p->e, -EINVAL, "'%s' is a function: write %s(%s)", name->text, name->text,
                                arguments);
        else if (near)
                (void) error_set(p->e, -EINVAL, "unknown vital '%s': did you mean '%s'?", name->text, near);
        else
                (void) error_set(p->e, -EINVAL,
                                "unknown vital '%s': expected one of the catalogue's, such as hr",
                                name->text);
        return parser_fail(p, name->offset);
}

/* "a, b, c" */
static void list_functions(char *ret, size_t size) {
        const char *names[FUNCTIONS_MAX];
        size_t count = function_names(names), used = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < count && used < size; i++) {
                int n = snprintf(ret + used, size - used, "%s%s", i ? ", " : "", names[i]);
                used += n > 0 ? (size_t) n : 0;
        }
}

int mistake_function(Parser *p, const Token *name) {
        const char *names[FUNCTIONS_MAX], *near = nearest_word(name->text, names, function_names(names));
        char list[400];

        if (catalogue_find(p->words->catalogue, name->text)) {
                (void) error_set(p->e, -EINVAL,
                                "'%s' is a vital, not a function: write %s, or a function of it such as "
                                "mean(%s, 1m)",
                                name->text, name->text, name->text);
        } else if (near) {
                (void) error_set(p->e, -EINVAL, "unknown function '%s': did you mean '%s'?", name->text,
                                near);
        } else {
                list_functions(list, sizeof list);
                (void) error_set(p->e, -EINVAL, "unknown function '%s': expected one of: %s", name->text,
                                list);
        }
        return parser_fail(p, name->offset);
}
