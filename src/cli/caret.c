#include "cli/caret.h"

#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "base/yaml.h"

enum { TAB_WIDTH = 8, SHOWN_WIDTH = 100 };

/* --- where --- */

/* ":<digits>" at text: its length, 0 where there is none. */
static size_t number_length(const char *text, unsigned *ret) {
        char *end;

        if (text[0] != ':' || text[1] < '1' || text[1] > '9')
                return 0;
        unsigned long v = strtoul(text + 1, &end, 10);
        if (v > UINT32_MAX)
                return 0;
        *ret = (unsigned) v;
        return (size_t) (end - text);
}

bool caret_place(const char *message, Place *ret) {
        for (const char *p = strchr(message, ':'); p; p = strchr(p + 1, ':')) {
                unsigned line, column;
                size_t length = (size_t) (p - message), n = number_length(p, &line), m;

                if (n == 0 || (m = number_length(p + n, &column)) == 0 || !startswith(p + n + m, ": "))
                        continue;
                if (length == 0 || length >= sizeof ret->path)
                        return false;
                *ret = (Place){ .line = line, .column = column, .length = length + n + m + 1 };
                memcpy(ret->path, message, length);
                return true;
        }
        return false;
}

/* --- the line --- */

/* The next character of a line, as it may be printed. */
typedef struct Glyph {
        const uint8_t *bytes;
        size_t length; /* in the line */
        bool printable;
} Glyph;

static Glyph glyph_at(Bytes line, size_t i) {
        const Bytes rest = BYTES(line.data + i, line.len - i);
        size_t n = utf8_length(rest);
        const bool control = rest.data[0] < 0x20 || rest.data[0] == 0x7f ||
                             (n == 2 && rest.data[0] == 0xc2 && rest.data[1] < 0xa0); /* C1 */

        return (Glyph){ .bytes = rest.data, .length = n > 0 ? n : 1, .printable = n > 0 && !control };
}

static size_t glyph_width(const Glyph *g, size_t at) {
        return g->bytes[0] == '\t' ? TAB_WIDTH - at % TAB_WIDTH : 1;
}

/* Columns of the whole line, and those before its column. */
static size_t measure(Bytes line, unsigned column, size_t *ret_before) {
        size_t width = 0;
        unsigned count = 1;

        *ret_before = SIZE_MAX;
        for (size_t i = 0; i < line.len; count++) {
                Glyph g = glyph_at(line, i);
                if (count == column)
                        *ret_before = width;
                width += glyph_width(&g, width);
                i += g.length;
        }
        *ret_before = MIN(*ret_before, width);
        return width;
}

void caret_render(Bytes line, unsigned column, size_t width, char ret[static CARET_WIDTH_MAX * 4 + 1],
                size_t *ret_caret) {
        static const char cut[] = "...";
        const size_t dots = sizeof cut - 1;
        size_t before, from = 0, at = 0, n = 0;
        size_t total = measure(line, column, &before);
        const size_t needed = MAX(total, before + 1); /* the caret may stand after the end */

        if (needed > width && before >= width * 2 / 3)
                from = MIN(before - width * 2 / 3, needed - width);
        const size_t first = from > 0 ? from + dots : 0;
        const size_t last = total > from + width ? from + width - dots : from + width;
        if (from > 0)
                n = (size_t) (stpcpy(ret, cut) - ret);
        for (size_t i = 0; i < line.len && at < last;) {
                Glyph g = glyph_at(line, i);
                size_t columns = glyph_width(&g, at);

                for (size_t k = 0; k < columns; k++, at++) {
                        if (at < first || at >= last)
                                continue;
                        if (columns > 1 || g.bytes[0] == '\t')
                                ret[n++] = ' ';
                        else if (!g.printable)
                                ret[n++] = '?';
                        else
                                n = (size_t) ((char *) mempcpy(ret + n, g.bytes, g.length) - ret);
                }
                i += g.length;
        }
        if (total > from + width)
                n += (size_t) (stpcpy(ret + n, cut) - (ret + n));
        ret[n] = '\0';
        *ret_caret = before - from;
}

static bool find_line(Bytes text, unsigned number, Bytes *ret) {
        const uint8_t *end = text.data + text.len, *p = text.data;

        for (unsigned i = 1; p < end; i++) {
                const uint8_t *newline = memchr(p, '\n', (size_t) (end - p));
                const uint8_t *stop = newline ? newline : end;
                if (i == number) {
                        if (stop > p && stop[-1] == '\r')
                                stop--;
                        *ret = BYTES(p, (size_t) (stop - p));
                        return true;
                }
                p = stop + 1;
        }
        return false;
}

static bool wants_colour(FILE *out) {
        const char *no_color = getenv("NO_COLOR"); /* no-color.org */

        return isatty(fileno(out)) && !(no_color && *no_color);
}

static void print_line(FILE *out, const Place *at, bool colour) {
        char text[CARET_WIDTH_MAX * 4 + 1];
        _cleanup_free_ char *data = NULL;
        size_t len, caret;
        Bytes line;

        if (file_read(at->path, YAML_FILE_MAX, &data, &len, NULL) < 0 ||
                        !find_line(BYTES(data, len), at->line, &line))
                return;
        caret_render(line, at->column, SHOWN_WIDTH, text, &caret);
        fprintf(out, "%5u | %s\n      | %*s%s^%s\n", at->line, text, (int) caret, "",
                        colour ? "\033[1;32m" : "", colour ? "\033[0m" : "");
}

void caret_print(FILE *out, const char *prefix, const char *message) {
        const bool colour = wants_colour(out);
        Place at;

        if (!caret_place(message, &at)) {
                fprintf(out, "%s%s\n", prefix, message);
                return;
        }
        fprintf(out, "%s%s%.*s%s%s\n", prefix, colour ? "\033[1m" : "", (int) at.length, message,
                        colour ? "\033[0m" : "", message + at.length);
        print_line(out, &at, colour);
}
