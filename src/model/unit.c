/* Units by their UCUM, SenML (RFC 8428 12.1, RFC 8798) and common spellings. Each is a linear map to the first unit of
 * its quantity; two units of one quantity convert into each other. */
#include <errno.h>
#include <math.h>

#include "model/vital.h"

typedef enum Quantity {
        TEMPERATURE, /* Cel */
        RATE,        /* /min */
        PRESSURE,    /* Pa */
        RATIO,       /* 1 */
        MASS,        /* kg */
        LENGTH,      /* m */
        FLOW,        /* L/min */
        VOLTAGE,     /* V */
        CURRENT,     /* A */
        DURATION,    /* s */
        GLUCOSE,     /* mmol/L */
} Quantity;

/* base = (value + shift) * factor / divisor: two numbers, so that 5/9 and 1/60 are as exact as they can be. */
typedef struct Unit {
        char name[VITAL_UNIT_MAX];
        Quantity quantity;
        double factor, divisor, shift;
        const char *only; /* the one vital that the unit can be of, NULL: any */
} Unit;

#define UNIT(n, q, f)                                                                                       \
        { .name = (n), .quantity = (q), .factor = (f), .divisor = 1 }
#define UNIT_ONLY(n, q, f, d, v)                                                                            \
        { .name = (n), .quantity = (q), .factor = (f), .divisor = (d), .only = (v) }
#define FAHRENHEIT(n)                                                                                       \
        { .name = (n), .quantity = TEMPERATURE, .factor = 5, .divisor = 9, .shift = -32 }
#define KELVIN(n)                                                                                           \
        { .name = (n), .quantity = TEMPERATURE, .factor = 1, .divisor = 1, .shift = -273.15 }

static const Unit units[] = {
        UNIT("Cel", TEMPERATURE, 1),
        UNIT("degC", TEMPERATURE, 1),
        UNIT("\u00b0C", TEMPERATURE, 1),
        UNIT("C", TEMPERATURE, 1),
        UNIT("celsius", TEMPERATURE, 1),
        UNIT("Celsius", TEMPERATURE, 1),
        FAHRENHEIT("[degF]"),
        FAHRENHEIT("degF"),
        FAHRENHEIT("\u00b0F"),
        FAHRENHEIT("F"),
        FAHRENHEIT("fahrenheit"),
        FAHRENHEIT("Fahrenheit"),
        KELVIN("K"),
        KELVIN("kelvin"),

        UNIT("/min", RATE, 1),
        UNIT("1/min", RATE, 1),
        UNIT("bpm", RATE, 1),
        UNIT("beat/min", RATE, 1),
        UNIT("beats/min", RATE, 1),
        UNIT("{beat}/min", RATE, 1),
        UNIT("{beats}/min", RATE, 1),
        UNIT("breath/min", RATE, 1),
        UNIT("breaths/min", RATE, 1),
        UNIT("{breath}/min", RATE, 1),
        UNIT("{breaths}/min", RATE, 1),
        UNIT("/s", RATE, 60),
        UNIT("1/s", RATE, 60),
        UNIT("Hz", RATE, 60),

        UNIT("Pa", PRESSURE, 1),
        UNIT("hPa", PRESSURE, 100),
        UNIT("kPa", PRESSURE, 1000),
        UNIT("mbar", PRESSURE, 100),
        UNIT("bar", PRESSURE, 100000),
        UNIT("mm[Hg]", PRESSURE, 133.322387415),
        UNIT("mmHg", PRESSURE, 133.322387415),
        UNIT("cm[H2O]", PRESSURE, 98.0665),
        UNIT("cmH2O", PRESSURE, 98.0665),
        UNIT("[in_i'Hg]", PRESSURE, 3386.38864),
        UNIT("inHg", PRESSURE, 3386.38864),
        UNIT("[psi]", PRESSURE, 6894.757293168),
        UNIT("psi", PRESSURE, 6894.757293168),

        UNIT("1", RATIO, 1),
        UNIT("/", RATIO, 1),
        { .name = "%", .quantity = RATIO, .factor = 1, .divisor = 100 },
        { .name = "/100", .quantity = RATIO, .factor = 1, .divisor = 100 },
        { .name = "percent", .quantity = RATIO, .factor = 1, .divisor = 100 },
        { .name = "/1000", .quantity = RATIO, .factor = 1, .divisor = 1000 },
        UNIT_ONLY("%RH", RATIO, 1, 100, "humidity"),
        UNIT_ONLY("%EL", RATIO, 1, 100, "battery"),

        UNIT("kg", MASS, 1),
        { .name = "g", .quantity = MASS, .factor = 1, .divisor = 1000 },
        UNIT("[lb_av]", MASS, 0.45359237),
        UNIT("lb", MASS, 0.45359237),
        UNIT("lbs", MASS, 0.45359237),
        UNIT("[oz_av]", MASS, 0.028349523125),
        UNIT("oz", MASS, 0.028349523125),
        UNIT("[stone_av]", MASS, 6.35029318),
        UNIT("st", MASS, 6.35029318),

        UNIT("m", LENGTH, 1),
        { .name = "cm", .quantity = LENGTH, .factor = 1, .divisor = 100 },
        { .name = "mm", .quantity = LENGTH, .factor = 1, .divisor = 1000 },
        UNIT("[in_i]", LENGTH, 0.0254),
        UNIT("in", LENGTH, 0.0254),
        UNIT("[ft_i]", LENGTH, 0.3048),
        UNIT("ft", LENGTH, 0.3048),

        UNIT("L/min", FLOW, 1),
        UNIT("l/min", FLOW, 1),
        UNIT("l/s", FLOW, 60),
        UNIT("L/s", FLOW, 60),
        { .name = "mL/min", .quantity = FLOW, .factor = 1, .divisor = 1000 },

        UNIT("V", VOLTAGE, 1),
        { .name = "mV", .quantity = VOLTAGE, .factor = 1, .divisor = 1000 },
        UNIT("A", CURRENT, 1),
        { .name = "mA", .quantity = CURRENT, .factor = 1, .divisor = 1000 },
        UNIT("s", DURATION, 1),
        { .name = "ms", .quantity = DURATION, .factor = 1, .divisor = 1000 },
        UNIT("min", DURATION, 60),
        UNIT("h", DURATION, 3600),

        UNIT_ONLY("mmol/L", GLUCOSE, 1, 1, "glucose"),
        UNIT_ONLY("mmol/l", GLUCOSE, 1, 1, "glucose"),
        UNIT_ONLY("mg/dL", GLUCOSE, 1, 18.0156, "glucose"),
        UNIT_ONLY("mg/dl", GLUCOSE, 1, 18.0156, "glucose"),
};

static const Unit *find_unit(const char *name, const Vital *of) {
        for (const Unit *u = units; u < units + ELEMENTS(units); u++)
                if (u->name[0] == name[0] && streq(u->name, name))
                        return !u->only || streq(u->only, of->name) ? u : NULL;
        return NULL;
}

/* 98.6 [degF] is 37 Cel, not 36.99999999999999, which a rule would find below 37. */
static double tidy(double v) {
        double rounded = round(v * 1e9) / 1e9;

        return fabs(rounded - v) <= fabs(v) * 1e-12 ? rounded : v;
}

int unit_convert(const char *unit, const Vital *to, double value, double *ret) {
        if (unit[0] == '\0' || streq(unit, to->unit)) {
                /* RFC 8428 12.1 note 2: SenML's "%" is a ratio, though nearly all devices mean percent. Where no percentage
                 * that small is plausible (oxygen saturation) a value up to 1 can only be the ratio. */
                bool ratio = unit[0] == '%' && unit[1] == '\0' && to->min > 1 && value > 0 && value <= 1;
                *ret = ratio ? tidy(value * 100) : value;
                return 0;
        }
        const Unit *from = find_unit(unit, to), *into = find_unit(to->unit, to);
        if (!from || !into || from->quantity != into->quantity)
                return -EINVAL;
        double base = (value + from->shift) * from->factor / from->divisor;
        *ret = tidy(base * into->divisor / into->factor - into->shift);
        return 0;
}
