/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/fault.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "tests/lib/group.h"

static char *printed(const struct fault *f) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        assert_non_null(out);
        fault_print(out, f);
        assert_int_equal(fclose(out), 0);
        return text;
}

static struct source source_of(const char *text) {
        return (struct source){ .name = "apps/shop/compose.yaml", .text = text, .size = strlen(text) };
}

/* What fault_print() shows for a position in @text. */
static void assert_shows(const char *text, unsigned line, unsigned column, const char *expected) {
        own_fault struct fault f = FAULT_INIT;
        own_free char *shown = NULL;
        struct source source = source_of(text);

        assert_int_equal(fault_set_at(&f, &(struct source_pos){ &source, line, column }, "wrong"), -EINVAL);
        shown = printed(&f);
        assert_string_equal(shown, expected);
}

static void set_fills_every_field_and_returns_the_errno(void **state) {
        own_fault struct fault f = FAULT_INIT;

        assert_false(fault_is_set(&f));
        assert_int_equal(fault_set(&f, FAULT_TRANSIENT, ENOSPC, "cannot write '%s'", "x"), -ENOSPC);
        assert_true(fault_is_set(&f));
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_int_equal(f.errno_value, ENOSPC);
        assert_string_equal(f.message, "cannot write 'x'");
        assert_null(f.code);
        fault_done(&f);
        assert_false(fault_is_set(&f));
        assert_int_equal(fault_set(&f, FAULT_CONFIG, 0, "no"), -EINVAL);
}

static void a_position_and_a_reason_go_together(void **state) {
        static const char text[] = "one\ntwo\n";
        struct source source = { .name = "a.yaml", .text = text, .size = sizeof(text) - 1 };
        own_fault struct fault f = FAULT_INIT;

        (void)state;
        assert_int_equal(fault_set_code_at(&f, &(struct source_pos){ &source, 2, 1 }, REASON_LOAD_LIMIT, "more than %d",
                                           7),
                         -EINVAL);
        assert_int_equal(f.kind, FAULT_CONFIG);
        assert_ptr_equal(f.code, REASON_LOAD_LIMIT);
        assert_string_equal(f.message, "more than 7");
        assert_string_equal(f.path, "a.yaml");
        assert_string_equal(f.excerpt, "two");
}

static void set_code_carries_a_reason(void **state) {
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(fault_set_code(&f, FAULT_DENIED, REASON_TRUST_UNSIGNED, "commit %d", 7), -EINVAL);
        assert_string_equal(f.code, "TRUST_UNSIGNED");
        assert_string_equal(f.message, "commit 7");
        assert_int_equal(fault_exit_code(&f), 4);
}

static void out_of_memory_can_be_said_twice_and_needs_no_memory(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_free char *line = NULL;

        assert_int_equal(fault_set_oom(&f), -ENOMEM);
        assert_int_equal(f.kind, FAULT_INTERNAL);
        line = fault_to_string(&f);
        assert_string_equal(line, "out of memory");
        assert_int_equal(fault_context(&f, -ENOMEM, "reading"), -ENOMEM);
        assert_string_equal(f.message, "reading: out of memory");
        fault_done(&f);
        assert_int_equal(fault_set_oom(&f), -ENOMEM);
        assert_string_equal(f.message, "out of memory");
}

static void context_goes_before_the_message_and_passes_the_result(void **state) {
        own_fault struct fault f = FAULT_INIT;

        (void)fault_set(&f, FAULT_TRANSIENT, EIO, "cause");
        assert_int_equal(fault_context(&f, -EIO, "inner %d", 1), -EIO);
        assert_int_equal(fault_context(&f, -EIO, "outer"), -EIO);
        assert_string_equal(f.message, "outer: inner 1: cause");
        assert_int_equal(f.errno_value, EIO);
}

static void the_first_hint_wins(void **state) {
        own_fault struct fault f = FAULT_INIT;

        (void)fault_set(&f, FAULT_CONFIG, 0, "m");
        fault_hint(&f, "first %d", 1);
        fault_hint(&f, "second");
        assert_string_equal(f.hint, "first 1");
}

static void move_leaves_nothing_behind(void **state) {
        own_fault struct fault from = FAULT_INIT, to = FAULT_INIT;

        (void)fault_set(&from, FAULT_CONFLICT, 0, "moved");
        fault_move(&to, &from);
        assert_false(fault_is_set(&from));
        assert_null(from.message);
        assert_string_equal(to.message, "moved");
}

static void kinds_have_names_and_exit_codes(void **state) {
        static const struct {
                enum fault_kind kind;
                const char *name;
                int exit_code;
        } rows[] = {
                { FAULT_CONFIG, "config", 2 },       { FAULT_DENIED, "denied", 4 },
                { FAULT_TRANSIENT, "transient", 1 }, { FAULT_CONFLICT, "conflict", 1 },
                { FAULT_INTERNAL, "internal", 1 },
        };
        struct fault none = FAULT_INIT;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                own_fault struct fault f = FAULT_INIT;

                (void)fault_set(&f, rows[i].kind, 0, "m");
                assert_string_equal(fault_kind_to_string(rows[i].kind), rows[i].name);
                assert_int_equal(fault_exit_code(&f), rows[i].exit_code);
        }
        assert_int_equal(fault_exit_code(&none), 0);
}

static void print_shows_position_cause_line_caret_and_hint(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_free char *shown = NULL, *first = NULL;
        struct source source = source_of("a: 1\nservices:\n  web: [\n");

        (void)fault_set_at(&f, &(struct source_pos){ &source, 3, 8 }, "a list where '%s' was expected", "map");
        fault_hint(&f, "write\nname: value");
        shown = printed(&f);
        assert_string_equal(shown, "apps/shop/compose.yaml:3:8: a list where 'map' was expected\n"
                                   "      web: [\n"
                                   "           ^\n"
                                   "  hint: write\n"
                                   "        name: value\n");
        first = fault_to_string(&f);
        assert_string_equal(first, "apps/shop/compose.yaml:3:8: a list where 'map' was expected");
}

static void print_ends_with_the_cause_of_a_system_call(void **state) {
        own_fault struct fault f = FAULT_INIT;
        own_free char *line = NULL;

        (void)fault_set(&f, FAULT_TRANSIENT, ENOSPC, "cannot write 'x'");
        line = fault_to_string(&f);
        assert_string_equal(line, "cannot write 'x': No space left on device");
}

static void the_caret_stands_under_its_character(void **state) {
        assert_shows("\t\tkey: x\n", 1, 8, "apps/shop/compose.yaml:1:8: wrong\n    \t\tkey: x\n    \t\t     ^\n");
        assert_shows("\xc3\xa4\xc3\xb6\xe2\x82\xac: x", 1, 4,
                     "apps/shop/compose.yaml:1:4: wrong\n    \xc3\xa4\xc3\xb6\xe2\x82\xac: x\n       ^\n");
        /* Two columns wide, and none: CJK, a combining accent. */
        assert_shows("\xe6\x97\xa5\xe6\x9c\xac: x", 1, 3,
                     "apps/shop/compose.yaml:1:3: wrong\n    \xe6\x97\xa5\xe6\x9c\xac: x\n        ^\n");
        assert_shows("e\xcc\x81: x", 1, 3, "apps/shop/compose.yaml:1:3: wrong\n    e\xcc\x81: x\n     ^\n");
        /* Just behind the last character, as for "expected more here". */
        assert_shows("ab", 1, 3, "apps/shop/compose.yaml:1:3: wrong\n    ab\n      ^\n");
}

static void unknown_places_are_left_out(void **state) {
        assert_shows("ab\n", 0, 0, "apps/shop/compose.yaml: wrong\n");
        assert_shows("ab\n", 1, 0, "apps/shop/compose.yaml:1: wrong\n    ab\n");
        assert_shows("ab\n", 1, 9, "apps/shop/compose.yaml:1:9: wrong\n    ab\n");
        assert_shows("ab\n", 7, 1, "apps/shop/compose.yaml:7:1: wrong\n");
        assert_shows("a\n\nb\n", 2, 1, "apps/shop/compose.yaml:2:1: wrong\n");
        assert_shows("", 1, 1, "apps/shop/compose.yaml:1:1: wrong\n");
}

static void a_position_without_source_or_text_is_served(void **state) {
        own_fault struct fault a = FAULT_INIT, b = FAULT_INIT, c = FAULT_INIT;
        struct source source = { .name = "f" };

        assert_int_equal(fault_set_at(&a, NULL, "m"), -EINVAL);
        assert_int_equal(fault_set_at(&b, &(struct source_pos){ NULL, 3, 1 }, "m"), -EINVAL);
        assert_int_equal(fault_set_at(&c, &(struct source_pos){ &source, 3, 1 }, "m"), -EINVAL);
        assert_null(a.path);
        assert_null(b.path);
        assert_int_equal(b.line, 0);
        assert_string_equal(c.path, "f");
        assert_null(c.excerpt);
        assert_int_equal(c.line, 3);
}

static void crlf_and_byte_order_mark_are_not_shown(void **state) {
        assert_shows("\xef\xbb\xbfkey: x\r\nb\r\n", 1, 1, "apps/shop/compose.yaml:1:1: wrong\n    key: x\n    ^\n");
        assert_shows("\xef\xbb\xbfkey: x\r\nb\r\n", 2, 1, "apps/shop/compose.yaml:2:1: wrong\n    b\n    ^\n");
}

static void control_characters_reach_no_terminal(void **state) {
        static const char text[] = "a\x1b[2J\x07 \0b\xff\xc2\x9b\xe2\x80\xae";
        own_fault struct fault f = FAULT_INIT;
        struct source source = { .name = "evil\n\x1b[31m", .text = text, .size = sizeof(text) - 1 };

        (void)fault_set_at(&f, &(struct source_pos){ &source, 1, 2 }, "bad '%s'", "\x1b]0;x\x07\r\n");
        (void)fault_context(&f, -EINVAL, "in '%s'", "\x1b");
        fault_hint(&f, "remove '%s'", "\x1b");
        assert_string_equal(f.path, "evil ?[31m");
        assert_string_equal(f.excerpt, "a?[2J? ?b???");
        assert_string_equal(f.message, "in '?': bad '?]0;x?  '");
        assert_string_equal(f.hint, "remove '?'");
}

static void a_long_line_is_cut_between_two_characters(void **state) {
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_free char *shown = NULL;
        char text[1000];
        struct source source = { .name = "f", .text = text, .size = sizeof(text) };

        memset(text, 'x', sizeof(text));
        (void)fault_set_at(&f, &(struct source_pos){ &source, 1, 900 }, "m");
        assert_int_equal(strlen(f.excerpt), LIMIT_EXCERPT_BYTES);
        shown = printed(&f);
        assert_null(strchr(shown, '^')); /* what it would point at is not shown */

        memcpy(text + LIMIT_EXCERPT_BYTES - 2, "\xe2\x82\xac", 3);
        (void)fault_set_at(&g, &(struct source_pos){ &source, 1, 1 }, "m");
        assert_int_equal(strlen(g.excerpt), LIMIT_EXCERPT_BYTES - 2);
}

static void done_accepts_an_unset_fault_and_keeps_errno(void **state) {
        struct fault f = FAULT_INIT;

        errno = EXDEV;
        fault_done(&f);
        (void)fault_set(&f, FAULT_CONFIG, 0, "m");
        errno = EXDEV;
        fault_done(&f);
        assert_int_equal(errno, EXDEV);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_every_field_and_returns_the_errno),
        cmocka_unit_test(set_code_carries_a_reason),
        cmocka_unit_test(a_position_and_a_reason_go_together),
        cmocka_unit_test(out_of_memory_can_be_said_twice_and_needs_no_memory),
        cmocka_unit_test(context_goes_before_the_message_and_passes_the_result),
        cmocka_unit_test(the_first_hint_wins),
        cmocka_unit_test(move_leaves_nothing_behind),
        cmocka_unit_test(kinds_have_names_and_exit_codes),
        cmocka_unit_test(print_shows_position_cause_line_caret_and_hint),
        cmocka_unit_test(print_ends_with_the_cause_of_a_system_call),
        cmocka_unit_test(the_caret_stands_under_its_character),
        cmocka_unit_test(unknown_places_are_left_out),
        cmocka_unit_test(a_position_without_source_or_text_is_served),
        cmocka_unit_test(crlf_and_byte_order_mark_are_not_shown),
        cmocka_unit_test(control_characters_reach_no_terminal),
        cmocka_unit_test(a_long_line_is_cut_between_two_characters),
        cmocka_unit_test(done_accepts_an_unset_fault_and_keeps_errno),
};

TEST_GROUP(fault, tests);
