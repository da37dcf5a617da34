/* Header lines of recordings. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "cli/csv_internal.h"

typedef struct Known {
        const char *title;
        const char *vital, *unit;
} Known;

/* Numerics of monitors, as WFDB and BIDMC title them; where invasive and cuff pressures stand side by side, both count. */
static const Known numerics[] = {
        { "RESP [pm]", "rr", "/min" },
        { "NBPSys", "sbp", "mm[Hg]" },
        { "NBPDias", "dbp", "mm[Hg]" },
        { "NBPMean", "map", "mm[Hg]" },
        { "ABPSys", "sbp", "mm[Hg]" },
        { "ABPDias", "dbp", "mm[Hg]" },
        { "ABPMean", "map", "mm[Hg]" },
};

/* PhysioNet/Computing in Cardiology challenge 2019. */
static const Known sepsis[] = {
        { "HR", "hr", "/min" },
        { "O2Sat", "spo2", "%" },
        { "Temp", "temp", "Cel" },
        { "SBP", "sbp", "mm[Hg]" },
        { "MAP", "map", "mm[Hg]" },
        { "DBP", "dbp", "mm[Hg]" },
        { "Resp", "rr", "/min" },
        { "EtCO2", "etco2", "mm[Hg]" },
        { "FiO2", "fio2", "1" },
        { "Glucose", "glucose", "mg/dL" },
};

/* PhysioNet/Computing in Cardiology challenge 2012. */
static const Known events[] = {
        { "HR", "hr", "/min" },
        { "RespRate", "rr", "/min" },
        { "Temp", "temp", "Cel" },
        { "SysABP", "sbp", "mm[Hg]" },
        { "NISysABP", "sbp", "mm[Hg]" },
        { "DiasABP", "dbp", "mm[Hg]" },
        { "NIDiasABP", "dbp", "mm[Hg]" },
        { "MAP", "map", "mm[Hg]" },
        { "NIMAP", "map", "mm[Hg]" },
        { "SaO2", "spo2", "%" },
        { "FiO2", "fio2", "1" },
        { "Glucose", "glucose", "mg/dL" },
};

static const struct {
        const char *title;
        int64_t unit_us; /* 0: as it looks */
} times[] = {
        { "time", 0 },
        { "timestamp", 0 },
        { "datetime", 0 },
        { "date", 0 },
        { "charttime", 0 },
        { "seconds", USEC_PER_SEC },
        { "second", USEC_PER_SEC },
        { "minutes", 60 * USEC_PER_SEC },
        { "minute", 60 * USEC_PER_SEC },
        { "hours", 3600 * USEC_PER_SEC },
        { "hour", 3600 * USEC_PER_SEC },
        { "ICULOS", 3600 * USEC_PER_SEC },
};

/* --- words --- */

static char *trim(char *s) {
        s += strspn(s, " \t\"");
        size_t len = strlen(s);
        while (len > 0 && strchr(" \t\r\"", s[len - 1]))
                s[--len] = '\0';
        return s;
}

/* A separator within quotes is none (RFC 4180). */
char *csv_cell(char **line, char separator) {
        char *start = *line, *p = start;
        bool quoted = false;

        if (!start)
                return NULL;
        for (; *p && (quoted || *p != separator); p++)
                quoted ^= *p == '"';
        *line = *p ? p + 1 : NULL;
        *p = '\0';
        return trim(start);
}

static char find_separator(const char *line) {
        static const char candidates[] = ",;|\t";
        size_t at = strcspn(line, candidates);

        return line[at] ? line[at] : ',';
}

static bool parse_time_unit(const char *text, int64_t *ret) {
        static const struct {
                const char *name;
                int64_t us;
        } units[] = {
                { "ms", USEC_PER_MSEC },
                { "s", USEC_PER_SEC },
                { "sec", USEC_PER_SEC },
                { "min", 60 * USEC_PER_SEC },
                { "h", 3600 * USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (streq(text, units[i].name)) {
                        *ret = units[i].us;
                        return true;
                }
        return false;
}

/* "HR [bpm]" or "HR (bpm)": cuts the unit off and returns it, "" where there is none. */
static const char *split_unit(char *title) {
        char *open = strpbrk(title, "[(");
        size_t len = strlen(title);

        if (!open || open == title || (title[len - 1] != ']' && title[len - 1] != ')'))
                return "";
        title[len - 1] = '\0';
        *open = '\0';
        (void) trim(title);
        return open + 1;
}

static bool find_known(const Known *table, size_t n, const char *title, const Catalogue *c, CsvColumn *ret) {
        for (size_t i = 0; i < n; i++)
                if (strcasecmp(title, table[i].title) == 0) {
                        ret->vital = catalogue_find(c, table[i].vital);
                        (void) snprintf(ret->unit, sizeof ret->unit, "%s", table[i].unit);
                        return true;
                }
        return false;
}

/* --- what a column is --- */

static int find_by_map(const CsvMap *m, const Catalogue *c, const char *title, CsvLayout *l, int number) {
        if (streq(title, m->time)) {
                l->time = number;
                l->unit_us = m->unit_us;
        }
        for (size_t i = 0; i < m->count; i++)
                if (streq(title, m->columns[i].title)) {
                        l->columns[number].vital = catalogue_at(c, m->columns[i].vital);
                        memcpy(l->columns[number].unit, m->columns[i].unit, VITAL_UNIT_MAX);
                        return 1;
                }
        return 0;
}

static bool find_time(const char *title, const char *unit, CsvLayout *l, int number) {
        for (size_t i = 0; i < ELEMENTS(times); i++)
                if (l->time == CSV_NO_COLUMN && strcasecmp(title, times[i].title) == 0) {
                        l->time = number;
                        l->unit_us = times[i].unit_us;
                        (void) parse_time_unit(unit, &l->unit_us);
                        return true;
                }
        return false;
}

/* 1 for a vital, 0 for what is none. */
static int find_by_title(
                const char *path, char *title, const CsvOptions *o, CsvLayout *l, int number, Error *e) {
        CsvColumn *column = &l->columns[number];
        double unused;

        if (l->sepsis && find_known(sepsis, ELEMENTS(sepsis), title, o->catalogue, column))
                return 1;
        if (!l->sepsis && find_known(numerics, ELEMENTS(numerics), title, o->catalogue, column))
                return 1;
        const char *unit = split_unit(title);
        if (find_time(title, unit, l, number) || l->sepsis)
                return 0;
        if (find_known(numerics, ELEMENTS(numerics), title, o->catalogue, column))
                return 1;
        const Vital *v = catalogue_find_alias(o->catalogue, title);
        if (!v)
                return 0;
        if (strlen(unit) >= sizeof column->unit || unit_convert(unit, v, 1, &unused) < 0)
                return error_set(e, -EINVAL,
                                "%s:1: column \"%s\": \"%s\" is no known unit of %s: name it in a map "
                                "(--map)",
                                path, title, unit, v->name);
        column->vital = v;
        (void) snprintf(column->unit, sizeof column->unit, "%s", unit);
        return 1;
}

/* A file with a row a value names its columns in one of these ways. */
static void find_roles(const char *title, CsvLayout *l, int number) {
        const struct {
                const char *title;
                int *place;
        } roles[] = {
                { "parameter", &l->name },
                { "vital", &l->name },
                { "value", &l->value },
                { "unit", &l->unit },
                { "flags", &l->flags },
        };

        for (size_t i = 0; i < ELEMENTS(roles); i++)
                if (strcasecmp(title, roles[i].title) == 0 && *roles[i].place == CSV_NO_COLUMN)
                        *roles[i].place = number;
}

static bool is_challenge_2019(const char *line) {
        return strstr(line, "|ICULOS") && strstr(line, "O2Sat");
}

static bool is_challenge_2012(const char *line) {
        return strncasecmp(line, "Time,Parameter,Value", strlen("Time,Parameter,Value")) == 0;
}

int csv_layout_read(const char *path, char *line, const CsvOptions *o, CsvLayout *ret, Error *e) {
        CsvLayout *l = ret;
        char *cell;
        int used = 0;

        *l = (CsvLayout){
                .separator = find_separator(line),
                .time = CSV_NO_COLUMN,
                .label = CSV_NO_COLUMN,
                .name = CSV_NO_COLUMN,
                .value = CSV_NO_COLUMN,
                .unit = CSV_NO_COLUMN,
                .flags = CSV_NO_COLUMN,
                .sepsis = is_challenge_2019(line),
                .events = is_challenge_2012(line),
        };
        for (; (cell = csv_cell(&line, l->separator)); l->count++) {
                if (l->count == CSV_COLUMNS_MAX)
                        return error_set(e, -EINVAL, "%s:1: more than %d columns", path, CSV_COLUMNS_MAX);
                int number = (int) l->count;
                if (o->label && streq(cell, o->label))
                        l->label = number;
                find_roles(cell, l, number);
                int r = o->map ? find_by_map(o->map, o->catalogue, cell, l, number)
                               : find_by_title(path, cell, o, l, number, e);
                if (r < 0)
                        return r;
                used += r;
                if (used > CSV_VALUES_MAX)
                        return error_set(e, -EINVAL, "%s:1: more than %d columns are vitals", path,
                                        CSV_VALUES_MAX);
        }
        if (o->map || l->value == CSV_NO_COLUMN)
                l->name = CSV_NO_COLUMN;
        if (o->map) {
                memcpy(l->missing, o->map->missing, sizeof l->missing);
                l->missing_count = o->map->missing_count;
        } else if (l->events)
                l->missing[l->missing_count++] = -1;
        if (l->time == CSV_NO_COLUMN)
                return error_set(e, -EINVAL, "%s:1: no column is the time: expected %s", path,
                                o->map ? o->map->time : "\"Time [s]\", minute, hour, timestamp or ICULOS");
        if (used == 0 && l->name == CSV_NO_COLUMN)
                return error_set(e, -EINVAL,
                                "%s:1: no column is a vital: expected names such as hr, spo2, sbp, or a map "
                                "(--map)",
                                path);
        if (o->label && l->label == CSV_NO_COLUMN)
                return error_set(e, -EINVAL, "%s:1: no column is \"%s\" (--label)", path, o->label);
        return 0;
}

bool csv_find_vital(const CsvLayout *l, const Catalogue *c, const char *name, CsvColumn *ret) {
        *ret = (CsvColumn){ 0 };
        if (l->events)
                return find_known(events, ELEMENTS(events), name, c, ret);
        ret->vital = catalogue_find_alias(c, name);
        return ret->vital != NULL;
}

/* --- maps --- */

typedef struct MapText {
        char *column, *vital, *unit;
} MapText;

static void map_text_done(MapText *t) {
        free(t->column);
        free(t->vital);
        free(t->unit);
}

static int copy_title(const YamlNode *n, const char *text, char ret[static CSV_TITLE_MAX], Error *e) {
        if (strlen(text) >= CSV_TITLE_MAX)
                return yaml_error(n, e, -EINVAL, "column: longer than %d characters", CSV_TITLE_MAX - 1);
        (void) snprintf(ret, CSV_TITLE_MAX, "%s", text);
        return 0;
}

static int read_map_time(const YamlNode *n, CsvMap *m, Error *e) {
        static const YamlField fields[] = {
                { "column", YAML_STRING, offsetof(MapText, column), .required = true },
                { "unit", YAML_STRING, offsetof(MapText, unit) },
                { NULL },
        };
        _cleanup_(map_text_done) MapText t = { 0 };

        int r = yaml_read(n, fields, &t, e);
        if (r < 0)
                return r;
        if (t.unit && !parse_time_unit(t.unit, &m->unit_us))
                return yaml_error(n, e, -EINVAL, "unit: '%.20s': expected one of: ms, s, min, h", t.unit);
        return copy_title(n, t.column, m->time, e);
}

static int read_map_column(const YamlNode *n, const Catalogue *c, CsvMap *m, Error *e) {
        static const YamlField fields[] = {
                { "column", YAML_STRING, offsetof(MapText, column), .required = true },
                { "vital", YAML_STRING, offsetof(MapText, vital), .required = true },
                { "unit", YAML_STRING, offsetof(MapText, unit) },
                { NULL },
        };
        _cleanup_(map_text_done) MapText t = { 0 };
        double unused;

        int r = yaml_read(n, fields, &t, e);
        if (r < 0)
                return r;
        if (m->count == CSV_VALUES_MAX)
                return yaml_error(n, e, -EINVAL, "more than %d columns", CSV_VALUES_MAX);
        const Vital *v = catalogue_find(c, t.vital);
        const char *near = v ? NULL : catalogue_nearest(c, t.vital);
        if (!v)
                return yaml_error(n, e, -EINVAL, "unknown vital '%.40s'%s%s%s", t.vital,
                                near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
        if (t.unit && (strlen(t.unit) >= VITAL_UNIT_MAX || unit_convert(t.unit, v, 1, &unused) < 0))
                return yaml_error(n, e, -EINVAL, "unit: '%.20s' is no known unit of %s", t.unit, v->name);
        m->columns[m->count].vital = v->id;
        (void) snprintf(m->columns[m->count].unit, VITAL_UNIT_MAX, "%s", t.unit ? t.unit : "");
        return copy_title(n, t.column, m->columns[m->count++].title, e);
}

int csv_map_read(const char *path, const Catalogue *c, CsvMap *ret, Error *e) {
        static const YamlField number = { "missing", YAML_DOUBLE, 0 };
        struct {
                YamlNode time, columns, missing;
        } nodes = { 0 };
        const YamlField fields[] = {
                { "time", YAML_NODE, offsetof(typeof(nodes), time), .required = true },
                { "columns", YAML_NODE, offsetof(typeof(nodes), columns), .required = true },
                { "missing", YAML_NODE, offsetof(typeof(nodes), missing) },
                { NULL },
        };
        _cleanup_(yaml_unloadp) YamlDocument *d = NULL;

        *ret = (CsvMap){ .count = 0 };
        int r = yaml_load_file(path, &d, e);
        if (r < 0)
                return r;
        YamlNode root = yaml_root(d);
        r = yaml_read(&root, fields, &nodes, e);
        if (r == 0)
                r = read_map_time(&nodes.time, ret, e);
        if (r == 0)
                r = yaml_expect_sequence(&nodes.columns, "columns", e);
        for (size_t i = 0; r == 0 && i < yaml_length(&nodes.columns); i++) {
                YamlNode item = yaml_item(&nodes.columns, i);
                r = read_map_column(&item, c, ret, e);
        }
        if (r == 0)
                r = yaml_expect_sequence(&nodes.missing, "numbers", e);
        for (size_t i = 0; r == 0 && i < yaml_length(&nodes.missing); i++) {
                YamlNode item = yaml_item(&nodes.missing, i);
                if (ret->missing_count == CSV_MISSING_MAX)
                        return yaml_error(
                                        &item, e, -EINVAL, "missing: more than %d numbers", CSV_MISSING_MAX);
                r = yaml_read_value(&item, &number, &ret->missing[ret->missing_count++], e);
        }
        return r;
}
