#include "decode/gatt_time.h"

#include <errno.h>

enum {
        DATE_TIME_SIZE = 7,
        CURRENT_TIME_SIZE = 10,
        YEAR_FIRST = 1583, /* the first whole year of the calendar that is counted in */
        YEAR_LAST = 9999,
        EXTERNAL_REFERENCE = 1 << 1, /* adjust reason */
};

static const int64_t usec_per_day = 86400 * USEC_PER_SEC;

typedef enum DateTime { DATE_TIME_KNOWN, DATE_TIME_UNKNOWN, DATE_TIME_IMPOSSIBLE } DateTime;

/* Days from 1970-01-01 in the Gregorian calendar; years are counted from March so that the leap day is the last. */
static int64_t days_of(int year, int month, int day) {
        int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
        int day_of_year = (153 * m + 2) / 5 + day - 1;

        return INT64_C(365) * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static void date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day) {
        int year = 1970 + (int) (days / 366), month = 1;

        while (days_of(year + 1, 1, 1) <= days)
                year++;
        while (year > YEAR_FIRST && days_of(year, 1, 1) > days)
                year--;
        while (month < 12 && days_of(year, month + 1, 1) <= days)
                month++;
        *ret_year = year;
        *ret_month = month;
        *ret_day = (int) (days - days_of(year, month, 1)) + 1;
}

static DateTime parse(Bytes b, int64_t *ret_us) {
        int year = b.data[0] | b.data[1] << 8, month = b.data[2], day = b.data[3];
        int hour = b.data[4], minute = b.data[5], second = b.data[6];

        /* Zero says that the device does not know (GATT Specification Supplement, Date Time). */
        if (year == 0 || month == 0 || day == 0)
                return DATE_TIME_UNKNOWN;
        if (year < YEAR_FIRST || year > YEAR_LAST || month > 12 || hour > 23 || minute > 59 || second > 59)
                return DATE_TIME_IMPOSSIBLE;
        int64_t first = days_of(year, month, 1), next = days_of(year + month / 12, month % 12 + 1, 1);
        if (day > next - first)
                return DATE_TIME_IMPOSSIBLE;
        *ret_us = (first + day - 1) * usec_per_day +
                  ((hour * INT64_C(60) + minute) * 60 + second) * USEC_PER_SEC;
        return DATE_TIME_KNOWN;
}

void gatt_take_time(Packet *p) {
        Bytes b = packet_bytes(p, DATE_TIME_SIZE);

        if (b.len > 0 && parse(b, &p->time_us) == DATE_TIME_IMPOSSIBLE)
                p->flags |= FLAG_TIME_SKEWED;
}

int gatt_clock_decode(uint16_t characteristic, Bytes value, int64_t *ret_wall_us, Error *e) {
        size_t size = characteristic == GATT_CURRENT_TIME ? CURRENT_TIME_SIZE : DATE_TIME_SIZE;
        int64_t us = 0;

        if (characteristic != GATT_CURRENT_TIME && characteristic != GATT_DATE_TIME)
                return error_set(e, -EBADMSG, "characteristic %04X is no clock", characteristic);
        if (value.len != size)
                return error_set(e, -EBADMSG, "a clock of %zu bytes: expected %zu", value.len, size);
        DateTime state = parse(BYTES(value.data, DATE_TIME_SIZE), &us);
        if (state != DATE_TIME_KNOWN)
                return error_set(e, -EBADMSG,
                                state == DATE_TIME_UNKNOWN ? "the device knows no time"
                                                           : "the device's clock shows an impossible time");
        if (characteristic == GATT_CURRENT_TIME)
                us += (value.data[8] * USEC_PER_SEC + 255) /
                      256; /* behind the day of the week; comes back as it was */
        *ret_wall_us = us;
        return 0;
}

int gatt_clock_encode(uint16_t characteristic, int64_t wall_us, uint8_t ret[static GATT_CLOCK_MAX]) {
        int64_t first_us = days_of(YEAR_FIRST, 1, 1) * usec_per_day,
                end_us = days_of(YEAR_LAST + 1, 1, 1) * usec_per_day;
        int year, month, day;

        if (wall_us < first_us || wall_us >= end_us)
                return -ERANGE;
        int64_t days = (wall_us - first_us) / usec_per_day, us = (wall_us - first_us) % usec_per_day;
        int64_t seconds = us / USEC_PER_SEC;
        days += days_of(YEAR_FIRST, 1, 1);
        date_of(days, &year, &month, &day);
        ret[0] = (uint8_t) year;
        ret[1] = (uint8_t) (year >> 8);
        ret[2] = (uint8_t) month;
        ret[3] = (uint8_t) day;
        ret[4] = (uint8_t) (seconds / 3600);
        ret[5] = (uint8_t) (seconds / 60 % 60);
        ret[6] = (uint8_t) (seconds % 60);
        if (characteristic != GATT_CURRENT_TIME)
                return DATE_TIME_SIZE;
        /* 1583-01-01 was a Saturday; 1 is Monday. */
        ret[7] = (uint8_t) ((days - days_of(YEAR_FIRST, 1, 1) + 5) % 7 + 1);
        ret[8] = (uint8_t) (us % USEC_PER_SEC * 256 / USEC_PER_SEC);
        ret[9] = EXTERNAL_REFERENCE;
        return CURRENT_TIME_SIZE;
}
