/* Runs one rule test in virtual time and tells what came otherwise. */
#include <errno.h>
#include <math.h>

#include "cli/test_rules.h"
#include "cli/text.h"
#include "cli/trial.h"

typedef struct Happened {
        Moment moment;
        char alert[ALERT_NAME_MAX], summary[ALERT_SUMMARY_MAX];
} Happened;

typedef struct Run {
        const RuleTest *test;
        Trial *trial;
        SubjectId *subjects;
        FILE *out;
        Happened *happened;
        size_t count;
        bool overflow, differs;
} Run;

static void run_done(Run *r) {
        trial_free(r->trial);
        free(r->subjects);
        free(r->happened);
}

static void on_event(void *userdata, const AlertEvent *event) {
        Run *run = userdata;

        if ((run->count & (run->count - 1)) == 0 &&
                        run->count < TEST_MOMENTS_MAX) { /* full at powers of two */
                Happened *happened = reallocarray(run->happened, run->count * 2 + 1, sizeof *happened);
                run->overflow |= !happened;
                run->happened = happened ? happened : run->happened;
        }
        run->overflow |= run->count == TEST_MOMENTS_MAX;
        if (run->overflow)
                return;
        Happened *h = &run->happened[run->count++];
        h->moment = (Moment){
                .time_us = event->time_us,
                .transition = event->transition,
                .subject = trial_subject(run->trial, event->subject)->name,
        };
        memcpy(h->alert, event->rule, sizeof h->alert);
        memcpy(h->summary, event->summary, sizeof h->summary);
}

/* --- what happens --- */

static int set_attributes(Run *run, SubjectId id, const YamlNode *n, int64_t time_us, Error *e) {
        YamlNode key, value;

        for (size_t i = 0; i < yaml_length(n); i++) {
                yaml_pair(n, i, &key, &value);
                const char *name = yaml_text(&key), *text = yaml_text(&value);
                int r = name && text ? trial_set_attribute(run->trial, id, name, text, time_us) : -EINVAL;
                if (r < 0)
                        return yaml_error(&key, e, r, "attribute '%.60s': %s", name ? name : "",
                                        r == -EINVAL ? "expected a name of a-z, 0-9 and '_' and a value of "
                                                       "A-Z, a-z, 0-9, '.', '_', ':', '-'"
                                                     : strerror(-r));
        }
        return 0;
}

static int add_subjects(Run *run, Error *e) {
        const RuleTest *t = run->test;

        run->subjects = calloc(t->subject_count, sizeof *run->subjects);
        if (!run->subjects)
                return error_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < t->subject_count; i++) {
                const TestSubject *s = &t->subjects[i];
                int r = trial_add_subject(
                                run->trial, s->name, (SubjectKind) s->kind, s->label, &run->subjects[i]);
                if (r < 0)
                        return error_set(e, r, "%s: subject '%s': %s", t->name, s->name, strerror(-r));
                r = set_attributes(run, run->subjects[i], &s->attributes, 0, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int acknowledge(Run *run, const Step *s) {
        char time[CLOCK_TEXT_SIZE];
        SubjectId subject = s->subject == SUBJECT_ANY ? SUBJECT_NONE : run->subjects[s->subject];

        int r = trial_acknowledge(run->trial, s->alert, subject, s->time_us);
        if (r != -ENOENT)
                return r;
        text_offset(s->time_us, time);
        fprintf(run->out, "    %s: nothing to acknowledge: %s is not active\n", time, s->alert);
        run->differs = true;
        return 0;
}

static void number_text(double v, char ret[static 32]) {
        if (isnan(v))
                (void) snprintf(ret, 32, "unknown");
        else
                (void) snprintf(ret, 32, "%.15g", v);
}

static int probe(Run *run, const Step *s) {
        char time[CLOCK_TEXT_SIZE], expected[32], actual[32];

        int r = trial_advance(run->trial, s->time_us);
        if (r < 0)
                return r;
        double v = trial_probe(run->trial, s->probe.number, run->subjects[s->subject]);
        if ((isnan(v) && isnan(s->probe.value)) || fabs(v - s->probe.value) <= s->probe.within)
                return 0;
        text_offset(s->time_us, time);
        number_text(s->probe.value, expected);
        number_text(v, actual);
        fprintf(run->out, "    %s: %s is %s, expected %s\n", time, s->probe.expression, actual, expected);
        run->differs = true;
        return 0;
}

static int take_step(Run *run, const Step *s, Error *e) {
        int r = 0;

        switch (s->kind) {
        case STEP_SET:
                return set_attributes(run, run->subjects[s->subject], &s->attributes, s->time_us, e);
        case STEP_READING:
                r = trial_feed(run->trial, run->subjects[s->subject], s->reading.vital, s->reading.value,
                                s->time_us);
                break;
        case STEP_ACKNOWLEDGE:
                r = acknowledge(run, s);
                break;
        case STEP_PROBE:
                r = probe(run, s);
                break;
        }
        return r < 0 ? error_set(e, r, "%s: %s", run->test->name, strerror(-r)) : 0;
}

/* --- what came of it --- */

static bool all_fit(const RuleTest *t, const Moment *actual, size_t count, const size_t *pairs) {
        if (count != t->expected_count)
                return false;
        for (size_t i = 0; i < count; i++)
                if (pairs[i] == SIZE_MAX || !moment_fits(&t->expected[i], &actual[pairs[i]]))
                        return false;
        return true;
}

static int compare(Run *run, Error *e) {
        const RuleTest *t = run->test;
        _cleanup_free_ Moment *actual = calloc(run->count + 1, sizeof *actual);
        _cleanup_free_ size_t *pairs = calloc(t->expected_count + 1, sizeof *pairs);

        if (!actual || !pairs)
                return error_set(e, -ENOMEM, "out of memory");
        for (size_t i = 0; i < run->count; i++) {
                actual[i] = run->happened[i].moment;
                actual[i].alert = run->happened[i].alert;
                actual[i].summary = run->happened[i].summary;
        }
        timeline_pair(t->expected, t->expected_count, actual, run->count, pairs);
        if (all_fit(t, actual, run->count, pairs))
                return 0;
        run->differs = true;
        return timeline_print(run->out, t->expected, t->expected_count, actual, run->count) < 0
                               ? error_set(e, -ENOMEM, "out of memory")
                               : 0;
}

int rule_test_run(const RuleTest *t, const Catalogue *c, FILE *out, Error *e) {
        _cleanup_(run_done) Run run = { .test = t, .out = out };
        const TrialOptions o = {
                .catalogue = c,
                .rules = t->rules,
                .fn = on_event,
                .userdata = &run,
        };

        int r = trial_new(&o, &run.trial);
        if (r < 0)
                return error_set(e, r, "%s: %s", t->name, strerror(-r));
        r = add_subjects(&run, e);
        for (size_t i = 0; r == 0 && i < t->step_count; i++)
                r = take_step(&run, &t->steps[i], e);
        if (r == 0 && (r = trial_advance(run.trial, t->end_us)) < 0)
                (void) error_set(e, r, "%s: %s", t->name, strerror(-r));
        if (r == 0 && run.overflow)
                r = error_set(e, -E2BIG, "%s: more than %d transitions", t->name, TEST_MOMENTS_MAX);
        if (r == 0)
                r = compare(&run, e);
        return r < 0 ? r : run.differs;
}
