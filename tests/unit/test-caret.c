/* Mistakes with the line that they are about. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/caret.h"

static void expect_place(const char *message, const char *path, unsigned line, unsigned column) {
        Place at;

        assert_true(caret_place(message, &at));
        assert_string_equal(at.path, path);
        assert_int_equal(at.line, line);
        assert_int_equal(at.column, column);
        assert_int_equal(message[at.length], ' ');
        assert_int_equal(message[at.length - 1], ':');
}

static void a_message_begins_with_its_place(void **state) {
        Place at;

        expect_place("rules.d/a.yaml:12:15: unknown vital", "rules.d/a.yaml", 12, 15);
        expect_place("/a:b/c:1/d.yaml:3:4: at 5:6: no", "/a:b/c:1/d.yaml", 3, 4);
        assert_false(caret_place("a.yaml: no such file", &at));
        assert_false(caret_place("a.yaml:12: expected a header line", &at));
        assert_false(caret_place("a.yaml:0:1: lines count from 1", &at));
        assert_false(caret_place(":1:2: without a name", &at));
        assert_false(caret_place("", &at));
}

static void expect_line(const char *line, unsigned column, size_t width, const char *shown, size_t caret) {
        char text[CARET_WIDTH_MAX * 4 + 1];
        size_t at;

        caret_render(BYTES_STRING(line), column, width, text, &at);
        assert_string_equal(text, shown);
        assert_int_equal(at, caret);
}

static void a_short_line_is_shown_whole(void **state) {
        expect_line("expr: sp02 < 90", 7, 40, "expr: sp02 < 90", 6);
        expect_line("a", 1, 40, "a", 0);
        expect_line("abc", 4, 40, "abc", 3);  /* something is missing at the end */
        expect_line("abc", 99, 40, "abc", 3); /* the file has changed since */
        expect_line("", 1, 40, "", 0);
        expect_line("12345678901234567890", 20, 20, "12345678901234567890", 19);
}

static void columns_are_characters(void **state) {
        expect_line("Müßiggang: x", 12, 40, "Müßiggang: x", 11);
        expect_line("\tb: c", 2, 40, "        b: c", 8);
        expect_line("ab\tc", 4, 40, "ab      c", 8);
}

static void nothing_steers_the_terminal(void **state) {
        expect_line("a\x1b[2Jb\x7f", 2, 40, "a?[2Jb?", 1);
        expect_line("a\xc2\x9b"
                    "b\xff"
                    "c",
                        5, 40, "a?b?c", 4); /* C1, and a byte that is no UTF-8 */
}

static void a_long_line_is_cut_around_the_column(void **state) {
        expect_line("0123456789012345678901234567890123456789", 1, 20, "01234567890123456...", 0);
        expect_line("0123456789012345678901234567890123456789", 25, 20, "...45678901234567...", 13);
        expect_line("0123456789012345678901234567890123456789", 40, 20, "...34567890123456789", 19);
        expect_line("0123456789012345678901234567890123456789", 41, 20, "...4567890123456789", 19);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_message_begins_with_its_place),
                cmocka_unit_test(a_short_line_is_shown_whole),
                cmocka_unit_test(columns_are_characters),
                cmocka_unit_test(nothing_steers_the_terminal),
                cmocka_unit_test(a_long_line_is_cut_around_the_column),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
