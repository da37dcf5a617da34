/* Any text: refused with a place inside it, or a summary that is written within its bounds, in whole characters where the
 * text is. */
#include <math.h>

#include "../fuzz/fuzz.h"
#include "base/utf8.h"
#include "rules/watched.h"

static void render(const Template *t, const RuleSet *s, const char *source) {
        _cleanup_(watched_freep) Watched *w = NULL;
        Subject subject = { .name = "p1", .label = "Bed 7" };
        char text[ALERT_SUMMARY_MAX];

        if (watched_new(s, 0, &w) < 0)
                abort();
        for (size_t i = 0; i < s->slot_count; i += 2)
                w->latest[i] = (Latest){ .value = -1e300, .seen_us = 0 };
        const Scope scope = watched_scope(w, 0);
        template_render(t,
                        &(TemplateFields){ .value = 1.0 / 3,
                                        .subject = &subject,
                                        .rule = "R",
                                        .scope = &scope },
                        text);
        if (strnlen(text, sizeof text) == sizeof text)
                abort();
        if (utf8_is_valid(BYTES_STRING(source)) && !utf8_is_valid(BYTES_STRING(text)))
                abort();
}

static void run(const Catalogue *c, const char *text, bool across) {
        _cleanup_(rule_set_freep) RuleSet *s = NULL;
        Vocabulary words;
        Template t;
        size_t offset;
        Error e = { "" };

        vocabulary_init(&words, c);
        if (rule_set_new(c, &s) < 0)
                abort();
        if (template_parse(text, &words, across, &t, &offset, &e) < 0) {
                if (offset > strlen(text) || e.message[0] == '\0')
                        abort();
                return;
        }
        for (size_t i = 0; i < t.count; i++)
                if (index_expression(s, &t.parts[i].number, COUNT_NONE, &e) < 0)
                        abort();
        render(&t, s, text);
        template_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        static Catalogue *catalogue;

        if (!text || (!catalogue && catalogue_new(&catalogue) < 0))
                abort();
        run(catalogue, text, false);
        run(catalogue, text, true);
        return 0;
}
