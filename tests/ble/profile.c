#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "ble/profile.h"

#define VALUE(bytes) .value = (bytes), .value_len = sizeof(bytes) - 1

static const ProfileCharacteristic heart_rate[] = {
        { 0x2a37, "notify" }, { 0x2a38, "read", VALUE("\x01") }, /* chest */
};
static const ProfileCharacteristic thermometer[] = {
        { 0x2a1c, "indicate" }, { 0x2a1d, "read", VALUE("\x02") }, /* body */
};
static const ProfileCharacteristic oximeter[] = {
        { 0x2a5e, "indicate" },
        { 0x2a5f, "notify" },
        { 0x2a60, "read", VALUE("\x00\x00") },
};
static const ProfileCharacteristic blood_pressure[] = {
        { 0x2a35, "indicate" },
        { 0x2a36, "notify" },
        { 0x2a49, "read", VALUE("\x00\x00") },
};
static const ProfileCharacteristic glucose[] = {
        { 0x2a18, "notify", .secret = true },
        { 0x2a51, "read", VALUE("\x00\x00") },
        { 0x2a52, "write,indicate", .secret = true },
};
static const ProfileCharacteristic scale[] = {
        { 0x2a9d, "indicate" },
        { 0x2a9e, "read", VALUE("\x01\x00\x00\x00") },
};
static const ProfileCharacteristic battery[] = {
        { 0x2a19, "read,notify" },
};
static const ProfileCharacteristic current_time[] = {
        { 0x2a2b, "read,write,notify" },
};
static const ProfileCharacteristic information[] = {
        { 0x2a29, "read", VALUE("Example Devices") },
        { 0x2a24, "read", VALUE("WS-1") },
};

#define SERVICE(number, name, table)                                                                        \
        {                                                                                                   \
                .uuid = (number), .word = (name), .characteristics = (table),                               \
                .n_characteristics = ELEMENTS(table)                                                        \
        }

const ProfileService profile_services[] = {
        SERVICE(0x180d, "heart-rate", heart_rate),
        SERVICE(0x1809, "thermometer", thermometer),
        SERVICE(0x1822, "oximeter", oximeter),
        SERVICE(0x1810, "blood-pressure", blood_pressure),
        SERVICE(0x1808, "glucose", glucose),
        SERVICE(0x181d, "scale", scale),
        SERVICE(0x180f, "battery", battery),
        SERVICE(0x1805, "time", current_time),
        SERVICE(0x180a, "information", information),
};
const size_t n_profile_services = ELEMENTS(profile_services);

const ProfileService *profile_service(const char *word) {
        for (size_t i = 0; i < n_profile_services; i++)
                if (streq(profile_services[i].word, word))
                        return &profile_services[i];
        return NULL;
}

void profile_put_time(uint8_t ret[static PROFILE_TIME_SIZE], int64_t clock_s) {
        time_t t = clock_s;
        struct tm tm;

        (void) gmtime_r(&t, &tm);
        le16_write(ret, (uint16_t) (tm.tm_year + 1900));
        ret[2] = (uint8_t) (tm.tm_mon + 1);
        ret[3] = (uint8_t) tm.tm_mday;
        ret[4] = (uint8_t) tm.tm_hour;
        ret[5] = (uint8_t) tm.tm_min;
        ret[6] = (uint8_t) tm.tm_sec;
}

int profile_take_time(Bytes b, int64_t *ret_clock_s) {
        struct tm tm;

        if (b.len < PROFILE_TIME_SIZE)
                return -1;
        tm = (struct tm){
                .tm_year = le16_read(b.data) - 1900,
                .tm_mon = b.data[2] - 1,
                .tm_mday = b.data[3],
                .tm_hour = b.data[4],
                .tm_min = b.data[5],
                .tm_sec = b.data[6],
        };
        if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
                        tm.tm_min > 59 || tm.tm_sec > 59)
                return -1;
        *ret_clock_s = timegm(&tm);
        return 0;
}

static size_t sample_heart_rate(unsigned i, uint8_t *ret) {
        unsigned rate = 60 + i % 40;

        ret[0] = 0x16; /* contact is detected, RR intervals follow */
        ret[1] = (uint8_t) rate;
        le16_write(ret + 2, (uint16_t) (60 * 1024 / rate));
        return 4;
}

static size_t sample_temperature(unsigned i, int64_t clock_s, uint8_t *ret) {
        ret[0] = 0x06; /* Celsius, with time and type */
        le16_write(ret + 1, (uint16_t) (365 + i % 20));
        ret[3] = 0;
        ret[4] = 0xff; /* exponent -1 */
        profile_put_time(ret + 5, clock_s);
        ret[12] = 0x02;
        return 13;
}

static size_t sample_oximeter(bool spot, unsigned i, int64_t clock_s, uint8_t *ret) {
        ret[0] = spot ? 0x01 : 0x00;
        sfloat_write(ret + 1, 95 + (int) (i % 5), 0);
        sfloat_write(ret + 3, 60 + (int) (i % 40), 0);
        if (!spot)
                return 5;
        profile_put_time(ret + 5, clock_s);
        return 12;
}

static size_t sample_blood_pressure(unsigned i, int64_t clock_s, uint8_t *ret) {
        int systolic = 110 + (int) (i % 20), diastolic = 70 + (int) (i % 10);

        ret[0] = 0x16; /* mmHg, with time, pulse rate and status */
        sfloat_write(ret + 1, systolic, 0);
        sfloat_write(ret + 3, diastolic, 0);
        sfloat_write(ret + 5, (systolic + 2 * diastolic) / 3, 0);
        profile_put_time(ret + 7, clock_s);
        sfloat_write(ret + 14, 60 + (int) (i % 40), 0);
        le16_write(ret + 16, 0);
        return 18;
}

static size_t sample_weight(unsigned i, int64_t clock_s, uint8_t *ret) {
        ret[0] = 0x02;                                            /* kg, with time */
        le16_write(ret + 1, (uint16_t) (14000 + 100 * (i % 10))); /* in 5 g */
        profile_put_time(ret + 3, clock_s);
        return 10;
}

static size_t sample_clock(int64_t clock_s, uint8_t *ret) {
        /* 1970-01-01 was a Thursday, day 4; Monday is 1 */
        int64_t day = clock_s >= 0 ? clock_s / 86400 : -((86399 - clock_s) / 86400);

        profile_put_time(ret, clock_s);
        ret[7] = (uint8_t) (((day + 3) % 7 + 7) % 7 + 1);
        ret[8] = 0; /* fractions of 1/256 s */
        ret[9] = 0;
        return PROFILE_CURRENT_TIME_SIZE;
}

size_t profile_sample(uint16_t uuid, unsigned i, int64_t clock_s, uint8_t ret[static PROFILE_VALUE_MAX]) {
        switch (uuid) {
        case 0x2a37:
                return sample_heart_rate(i, ret);
        case 0x2a1c:
                return sample_temperature(i, clock_s, ret);
        case 0x2a5e:
                return sample_oximeter(true, i, clock_s, ret);
        case 0x2a5f:
                return sample_oximeter(false, i, clock_s, ret);
        case 0x2a35:
                return sample_blood_pressure(i, clock_s, ret);
        case 0x2a9d:
                return sample_weight(i, clock_s, ret);
        case 0x2a19:
                ret[0] = (uint8_t) (90 - i % 50);
                return 1;
        case 0x2a2b:
                return sample_clock(clock_s, ret);
        default:
                return 0;
        }
}

static const char base_uuid[] = "-0000-1000-8000-00805f9b34fb";

void profile_uuid(uint16_t uuid, char ret[static PROFILE_UUID_SIZE]) {
        (void) snprintf(ret, PROFILE_UUID_SIZE, "0000%04x%s", uuid, base_uuid);
}

uint16_t profile_uuid_parse(const char *text) {
        char *end;
        unsigned long v = strtoul(text, &end, 16);

        if ((end != text + 4 || *end) && (end != text + 8 || !streq(end, base_uuid)))
                return 0;
        return v > UINT16_MAX ? 0 : (uint16_t) v;
}
