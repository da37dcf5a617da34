#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/text.h"

enum { BAR_WIDTH = 30 };

void progress_start(Progress *p, const char *unit) {
        Stamp now;

        clock_now(&now);
        *p = (Progress){ .unit = unit, .terminal = isatty(STDERR_FILENO), .start_us = now.mono_us };
        p->next_us = now.mono_us + (p->terminal ? 100 * USEC_PER_MSEC : 5 * USEC_PER_SEC);
}

void progress_update(Progress *p, uint64_t done, uint64_t total) {
        char bar[BAR_WIDTH + 1], left[CLOCK_TEXT_SIZE] = "?";
        Stamp now;

        clock_now(&now);
        if (now.mono_us < p->next_us)
                return;
        p->next_us = now.mono_us + (p->terminal ? 100 * USEC_PER_MSEC : 5 * USEC_PER_SEC);
        double seconds = (double) (now.mono_us - p->start_us) / 1e6;
        double rate = (double) done / seconds;
        double part = total > 0 ? (double) MIN(done, total) / (double) total : 0;
        if (total > 0 && rate > 0)
                text_age((double) (total - MIN(done, total)) / rate, left);
        for (int i = 0; i < BAR_WIDTH; i++)
                bar[i] = i < (int) (part * BAR_WIDTH) ? '#' : '.';
        bar[BAR_WIDTH] = '\0';
        if (p->terminal)
                fprintf(stderr, "\r[%s] %3.0f %%  %.0f %s/s  %s left\033[K", bar, part * 100, rate, p->unit,
                                left);
        else
                fprintf(stderr, "%llu of %llu %s, %.0f %%, %.0f/s, %s left\n", (unsigned long long) done,
                                (unsigned long long) total, p->unit, part * 100, rate, left);
        p->drawn = true;
}

void progress_end(Progress *p) {
        if (p->terminal && p->drawn)
                fputs("\r\033[K", stderr);
}
