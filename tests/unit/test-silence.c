/* Which alerts a filter is for, and the list of silences. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "alert/silence.h"

#define WALL INT64_C(1700000000000000)

static const Subject bed7 = { .id = 3, .name = "p7", .label = "Bed 7", .kind = SUBJECT_PATIENT };
static const Subject fridge = { .id = 4, .name = "fridge-1", .label = "", .kind = SUBJECT_ASSET };

/* Of bed 7 */
static const AlertEvent low = {
        .rule = "SpO2Low", .priority = PRIORITY_HIGH, .subject = 3, .labels = "floor=3,team=resp"
};
/* The gateway's own */
static const AlertEvent disk = {
        .rule = "StoreFailed", .priority = PRIORITY_TECHNICAL, .subject = SUBJECT_NONE
};

static void all_that_a_filter_says_has_to_fit(void **state) {
        static const struct {
                AlertFilter filter;
                bool bed, gateway; /* fits the alert of bed 7; of the gateway */
        } cases[] = {
                { { .rule = "" }, true, true },
                { { .rule = "SpO2Low" }, true, false },
                { { .rule = "SpO2" }, false, false },
                { { .rule = "SpO2LowVery" }, false, false },
                { { .rule = "SpO2*" }, true, false },
                { { .rule = "SpO2Low*" }, true, false },
                { { .rule = "SpO2LowV*" }, false, false },
                { { .rule = "S*" }, true, true },
                { { .rule = "*" }, true, true },
                { { .rule = "S*w" }, false, false },
                { { .rule = "spo2low" }, false, false },
                { { .subject = "p7" }, true, false },
                { { .subject = "p" }, false, false },
                { { .label = "Bed 7" }, true, false },
                { { .label = "Bed 71" }, false, false },
                { { .priorities = 1U << PRIORITY_HIGH }, true, false },
                { { .priorities = 1U << PRIORITY_TECHNICAL | 1U << PRIORITY_LOW }, false, true },
                { { .kinds = 1U << SUBJECT_PATIENT }, true, false },
                { { .kinds = 1U << SUBJECT_ASSET | 1U << SUBJECT_GROUP }, false, false },
                { { .kinds = 15 }, true, false },
                { { .labels = "floor=3" }, true, false },
                { { .labels = "team=resp" }, true, false },
                { { .labels = "floor=3,team=resp" }, true, false },
                { { .labels = "team=resp,floor=3" }, true, false },
                { { .labels = "floor=3,team=card" }, false, false },
                { { .labels = "floor=33" }, false, false },
                { { .labels = "floor=" }, false, false },
                { { .labels = "loor=3" }, false, false },
                { { .labels = "team=res" }, false, false },
                { { .rule = "SpO2*", .subject = "p7", .label = "Bed 7", .kinds = 1, .labels = "floor=3" },
                                true, false },
                { { .rule = "SpO2*", .subject = "p8", .label = "Bed 7", .kinds = 1, .labels = "floor=3" },
                                false, false },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (alert_filter_fits(&cases[i].filter, &low, &bed7) != cases[i].bed ||
                                alert_filter_fits(&cases[i].filter, &disk, NULL) != cases[i].gateway)
                        fail_msg("case %zu", i);
}

static void an_empty_label_is_no_label(void **state) {
        const AlertFilter bed = { .label = "Bed 7" }, asset = { .kinds = 1U << SUBJECT_ASSET };

        (void) state;
        assert_false(alert_filter_fits(&bed, &low, &fridge));
        assert_true(alert_filter_fits(&asset, &low, &fridge));
}

static Silence make(const char *id, const char *rule, int64_t until_us) {
        Silence s = { .from_us = WALL, .until_us = until_us };

        (void) snprintf(s.id, sizeof s.id, "%s", id);
        (void) snprintf(s.filter.rule, sizeof s.filter.rule, "%s", rule);
        return s;
}

static void add(SilenceList *l, const char *id, const char *rule, int64_t until_us, const Stamp *now) {
        Silence s = make(id, rule, until_us);

        assert_int_equal(silence_add(l, &s, now), 0);
}

static void the_first_silence_that_fits_counts(void **state) {
        const Stamp now = { .wall_us = WALL, .mono_us = 500 };
        SilenceList l = { 0 };

        (void) state;
        assert_null(silence_find(&l, &low, &bed7));
        assert_int_equal(silence_deadline(&l), INT64_MAX);
        add(&l, "a", "Other", WALL + 10, &now);
        add(&l, "b", "SpO2*", WALL + 30, &now);
        add(&l, "c", "SpO2Low", WALL + 20, &now);
        assert_string_equal(silence_find(&l, &low, &bed7)->id, "b");
        assert_int_equal(silence_remove(&l, "b"), 0);
        assert_string_equal(silence_find(&l, &low, &bed7)->id, "c");
        assert_int_equal(silence_remove(&l, "b"), -ENOENT);
        assert_int_equal(silence_remove(&l, "c"), 0);
        assert_null(silence_find(&l, &low, &bed7));
        assert_int_equal(l.count, 1);
        silence_list_done(&l);
        assert_int_equal(l.count, 0);
}

/* The wall clock may step meanwhile: the time that was asked for is over nevertheless when it is over. */
static void its_end_is_monotonic(void **state) {
        const Stamp now = { .wall_us = WALL, .mono_us = 500 },
                    stepped = { .wall_us = WALL + 7000, .mono_us = 510 };
        SilenceList l = { 0 };

        (void) state;
        add(&l, "a", "A", WALL + 100, &now);
        assert_int_equal(l.items[0].until_mono_us, 600);
        add(&l, "b", "A", WALL + 7050, &stepped);
        assert_int_equal(silence_deadline(&l), 560);
        assert_int_equal(silence_remove(&l, "b"), 0);
        assert_int_equal(silence_deadline(&l), 600);
        silence_list_done(&l);
}

static void there_is_a_limit(void **state) {
        const Stamp now = { .wall_us = WALL, .mono_us = 0 };
        SilenceList l = { 0 };
        char id[SILENCE_ID_MAX];

        (void) state;
        for (int i = 0; i < SILENCES_MAX; i++) {
                Silence again = make("0", "A", WALL + 1);

                (void) snprintf(id, sizeof id, "%d", i);
                add(&l, id, "A", WALL + 1, &now);
                if (i < SILENCES_MAX - 1)
                        assert_int_equal(silence_add(&l, &again, &now), -EEXIST);
        }
        Silence more = make("more", "A", WALL + 1);
        assert_int_equal(silence_add(&l, &more, &now), -ENOSPC);
        assert_int_equal(silence_remove(&l, "17"), 0);
        assert_int_equal(silence_add(&l, &more, &now), 0);
        silence_list_done(&l);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_that_a_filter_says_has_to_fit),
                cmocka_unit_test(an_empty_label_is_no_label),
                cmocka_unit_test(the_first_silence_that_fits_counts),
                cmocka_unit_test(its_end_is_monotonic),
                cmocka_unit_test(there_is_a_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
