/* What a sensor of the tests has to say: the services and characteristics of health devices, and their values. Shared by
 * the fake of BlueZ and by the peripheral that is advertised through the real one, so that a test expects the same
 * readings of both.
 *
 * Values are a function of a counter i (and of the device's clock, where a characteristic carries a time):
 *
 *   2A37  heart rate 60 + i % 40, contact, one RR interval     2A35  systolic 110 + i % 20, diastolic 70 + i % 10 mmHg,
 *   2A1C  36.5 + i % 20 / 10 degrees Celsius, body                   pulse 60 + i % 40
 *   2A5E  SpO2 95 + i % 5, pulse rate 60 + i % 40              2A9D  70.0 + i % 10 / 2 kg
 *   2A5F  the same, without a time                             2A19  90 - i % 50 percent
 *   2A18  see glucose.h                                        2A2B  the clock */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

enum { PROFILE_VALUE_MAX = 32, PROFILE_UUID_SIZE = 37 };

typedef struct ProfileCharacteristic {
        uint16_t uuid;
        const char *flags; /* as BlueZ names them, with commas */
        bool secret;       /* health data: a device that seals gives it to bonded centrals only */
        const char *value; /* what a read gives, value_len bytes; NULL: the newest sample */
        size_t value_len;
} ProfileCharacteristic;

typedef struct ProfileService {
        uint16_t uuid;
        const char *word; /* its name on command lines */
        const ProfileCharacteristic *characteristics;
        size_t n_characteristics;
} ProfileService;

extern const ProfileService profile_services[];
extern const size_t n_profile_services;

const ProfileService *profile_service(const char *word); /* NULL: none of that name */

static inline bool profile_has_flag(const ProfileCharacteristic *c, const char *flag) {
        size_t n = strlen(flag);

        for (const char *p = strstr(c->flags, flag); p; p = strstr(p + 1, flag))
                if ((p == c->flags || p[-1] == ',') && (p[n] == ',' || !p[n]))
                        return true;
        return false;
}

static inline bool profile_notifies(const ProfileCharacteristic *c) {
        return profile_has_flag(c, "notify") || profile_has_flag(c, "indicate");
}

/* The value of that number; clock_s is the device's clock in seconds since 1970. Returns its length; 0 where the
 * characteristic has no samples. */
size_t profile_sample(uint16_t uuid, unsigned i, int64_t clock_s, uint8_t ret[static PROFILE_VALUE_MAX]);

/* "0000180d-0000-1000-8000-00805f9b34fb" */
void profile_uuid(uint16_t uuid, char ret[static PROFILE_UUID_SIZE]);
/* The other way, also of "180D"; 0: not one of Bluetooth's own. */
uint16_t profile_uuid_parse(const char *text);

/* Date time (Bluetooth assigned type): year, month, day, hour, minute, second. */
enum { PROFILE_TIME_SIZE = 7, PROFILE_CURRENT_TIME_SIZE = 10 };
void profile_put_time(uint8_t ret[static PROFILE_TIME_SIZE], int64_t clock_s);
/* -1 on what is no time. */
int profile_take_time(Bytes b, int64_t *ret_clock_s) _must_check_;

static inline void le16_write(uint8_t *p, uint16_t v) {
        p[0] = (uint8_t) v;
        p[1] = (uint8_t) (v >> 8);
}

static inline uint16_t le16_read(const uint8_t *p) {
        return (uint16_t) (p[0] | p[1] << 8);
}

/* IEEE 11073-20601 SFLOAT: mantissa of 12 bits, exponent of 4. */
static inline void sfloat_write(uint8_t *p, int mantissa, int exponent) {
        le16_write(p, (uint16_t) (((unsigned) exponent & 0xf) << 12 | ((unsigned) mantissa & 0xfff)));
}
