#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/timex.h>
#include <time.h>

#include "base/fault.h"
#include "base/fd.h"

static int64_t clock_us(clockid_t id) {
        struct timespec t;

        if (clock_gettime(id, &t) < 0)
                return 0;
        return (int64_t) t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void) {
        return clock_us(CLOCK_BOOTTIME);
}

void clock_now(Stamp *s) {
        s->wall_us = clock_us(CLOCK_REALTIME) + fault_clock_offset_us();
        s->mono_us = clock_mono_us();
}

void clock_now_full(Stamp *s) {
        struct timex t = { .modes = 0 };

        clock_now(s);
        s->synchronised = adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);
}

void clock_boot_id(BootId *ret) {
        char text[37] = "";
        size_t n = 0;

        memset(ret, 0, sizeof *ret);
        _cleanup_(fd_closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof text - 1) != (ssize_t) sizeof text - 1)
                return;
        if (sodium_hex2bin(ret->bytes, sizeof ret->bytes, text, sizeof text - 1, "-", &n, NULL) < 0 ||
                        n != sizeof ret->bytes)
                memset(ret, 0, sizeof *ret);
}

void clock_format(int64_t wall_us, char ret[static CLOCK_TEXT_SIZE]) {
        int64_t us = wall_us % USEC_PER_SEC;
        struct tm tm;

        if (us < 0)
                us += USEC_PER_SEC;
        time_t t = (time_t) ((wall_us - us) / USEC_PER_SEC);
        if (!gmtime_r(&t, &tm) || tm.tm_year + 1900 > 9999 || tm.tm_year + 1900 < 0) {
                (void) snprintf(ret, CLOCK_TEXT_SIZE, "-");
                return;
        }
        size_t n = strftime(ret, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
        (void) snprintf(ret + n, CLOCK_TEXT_SIZE - n, ".%03dZ", (int) (us / 1000) % 1000);
}

/* Takes exactly n digits at *p. */
static int digits(const char **p, int n, int *ret) {
        int v = 0;

        for (int i = 0; i < n; i++) {
                if (!isdigit((unsigned char) (*p)[i]))
                        return -EINVAL;
                v = v * 10 + ((*p)[i] - '0');
        }
        *p += n;
        *ret = v;
        return 0;
}

static int take(const char **p, char c) {
        if (**p != c)
                return -EINVAL;
        (*p)++;
        return 0;
}

static int parse_zone(const char **p, int64_t *ret_us) {
        int hours, minutes = 0;

        if (**p == 'Z' || **p == 'z') {
                (*p)++;
                *ret_us = 0;
                return 0;
        }
        if (**p != '+' && **p != '-')
                return -EINVAL;
        int sign = *(*p)++ == '-' ? -1 : 1;
        if (digits(p, 2, &hours) < 0)
                return -EINVAL;
        if (**p == ':')
                (*p)++;
        if (**p != '\0' && digits(p, 2, &minutes) < 0)
                return -EINVAL;
        if (hours > 23 || minutes > 59)
                return -EINVAL;
        *ret_us = sign * ((int64_t) hours * 60 + minutes) * 60 * USEC_PER_SEC;
        return 0;
}

/* The fraction's first six digits; more are read and dropped. */
static int64_t parse_fraction(const char **p) {
        int64_t us = 0, unit = 100000;

        for (; isdigit((unsigned char) **p); (*p)++, unit /= 10)
                us += (**p - '0') * unit;
        return us;
}

int clock_parse(const char *text, int64_t *ret_wall_us) {
        const char *p = text;
        struct tm tm = { 0 };
        int64_t fraction = 0, zone;

        if (digits(&p, 4, &tm.tm_year) < 0 || take(&p, '-') < 0 || digits(&p, 2, &tm.tm_mon) < 0 ||
                        take(&p, '-') < 0 || digits(&p, 2, &tm.tm_mday) < 0)
                return -EINVAL;
        if (*p != 'T' && *p != 't' && *p != ' ')
                return -EINVAL;
        p++;
        if (digits(&p, 2, &tm.tm_hour) < 0 || take(&p, ':') < 0 || digits(&p, 2, &tm.tm_min) < 0)
                return -EINVAL;
        if (*p == ':') {
                p++;
                if (digits(&p, 2, &tm.tm_sec) < 0)
                        return -EINVAL;
        }
        if (*p == '.' || *p == ',') {
                p++;
                if (!isdigit((unsigned char) *p))
                        return -EINVAL;
                fraction = parse_fraction(&p);
        }
        if (parse_zone(&p, &zone) < 0 || *p != '\0')
                return -EINVAL;
        if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
                        tm.tm_min > 59 || tm.tm_sec > 60)
                return -EINVAL;
        int day = tm.tm_mday, second = tm.tm_sec;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        tm.tm_sec = 0;
        time_t t = timegm(&tm);
        if (tm.tm_mday != day) /* 31 February became 3 March */
                return -EINVAL;
        *ret_wall_us = ((int64_t) t + second) * USEC_PER_SEC + fraction - zone;
        return 0;
}

int duration_parse(const char *text, int64_t *ret_us) {
        static const struct {
                const char *unit;
                int64_t us;
        } units[] = {
                { "ms", USEC_PER_MSEC },
                { "us", 1 },
                { "s", USEC_PER_SEC },
                { "m", 60 * USEC_PER_SEC },
                { "h", 3600 * USEC_PER_SEC },
                { "d", 86400 * USEC_PER_SEC },
                { "w", 604800 * USEC_PER_SEC },
        };
        const char *p = text;
        int64_t total = 0;

        if (*p == '\0')
                return -EINVAL;
        while (*p) {
                int64_t n = 0, part = 0;
                size_t u;

                if (!isdigit((unsigned char) *p))
                        return -EINVAL;
                for (; isdigit((unsigned char) *p); p++)
                        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
                                return -ERANGE;
                size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz");
                for (u = 0; u < ELEMENTS(units); u++)
                        if (strlen(units[u].unit) == len && strncmp(p, units[u].unit, len) == 0)
                                break;
                if (u == ELEMENTS(units))
                        return -EINVAL;
                p += len;
                if (__builtin_mul_overflow(n, units[u].us, &part) ||
                                __builtin_add_overflow(total, part, &total))
                        return -ERANGE;
        }
        *ret_us = total;
        return 0;
}

void duration_format(int64_t us, char ret[static CLOCK_TEXT_SIZE]) {
        static const struct {
                const char *unit;
                int64_t us;
        } units[] = {
                { "d", 86400 * USEC_PER_SEC },
                { "h", 3600 * USEC_PER_SEC },
                { "m", 60 * USEC_PER_SEC },
                { "s", USEC_PER_SEC },
                { "ms", USEC_PER_MSEC },
        };

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (us != 0 && us % units[i].us == 0) {
                        (void) snprintf(ret, CLOCK_TEXT_SIZE, "%lld%s", (long long) (us / units[i].us),
                                        units[i].unit);
                        return;
                }
        (void) snprintf(ret, CLOCK_TEXT_SIZE, us == 0 ? "0s" : "%lldus", (long long) us);
}
