/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "providers/runtime/docker/exec_stream.h"
#include "tests/lib/group.h"

#define TWO_FRAMES "\1\0\0\0\0\0\0\3one\2\0\0\0\0\0\0\4 two"

static const char *text_in_pieces(const char *bytes, size_t size, size_t piece, struct arena *a) {
        struct exec_stream s = EXEC_STREAM_INIT;

        for (size_t at = 0; at < size; at += piece)
                assert_int_equal(exec_stream_feed(bytes + at, piece < size - at ? piece : size - at, &s), 0);
        return exec_stream_text(&s, a);
}

static void frames_of_both_streams_are_one_text_however_they_arrive(void **state) {
        own_arena struct arena *a = arena_new();

        for (size_t piece = 1; piece <= sizeof(TWO_FRAMES); piece++)
                assert_string_equal(text_in_pieces(TWO_FRAMES, sizeof(TWO_FRAMES) - 1, piece, a), "one two");
}

static void what_is_no_frame_is_text(void **state) {
        static const char refused[] =
                "OCI runtime exec failed: exec: \"x\": executable file not found in $PATH: unknown\r\n";
        own_arena struct arena *a = arena_new();

        for (size_t piece = 1; piece < 20; piece++) {
                assert_string_equal(
                        text_in_pieces(refused, sizeof(refused) - 1, piece, a),
                        "OCI runtime exec failed: exec: \"x\": executable file not found in $PATH: unknown \n");
                assert_string_equal(text_in_pieces("\1\0\0x", 4, piece, a), "???x");
                /* Behind a frame, too. */
                assert_string_equal(text_in_pieces("\1\0\0\0\0\0\0\1aend", 12, piece, a), "aend");
        }
}

static void an_end_in_the_middle_is_an_end(void **state) {
        own_arena struct arena *a = arena_new();

        assert_string_equal(text_in_pieces(TWO_FRAMES, 0, 1, a), "");
        assert_string_equal(text_in_pieces(TWO_FRAMES, 5, 1, a), "");
        assert_string_equal(text_in_pieces(TWO_FRAMES, 9, 1, a), "o");
        assert_string_equal(text_in_pieces("\1\0\0\0\377\377\377\377x", 9, 9, a), "x");
        assert_string_equal(text_in_pieces("\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1x", 17, 3, a), "x");
}

static void the_text_is_harmless_and_has_a_limit(void **state) {
        own_arena struct arena *a = arena_new();
        struct exec_stream s = EXEC_STREAM_INIT;
        static char frame[8 + 100000];
        const char *text;

        assert_string_equal(text_in_pieces("\1\0\0\0\0\0\0\x0a\33[31m\0\377\t\n\r", 18, 18, a), "?[31m??\t\n ");
        memcpy(frame, "\1\0\0\0\0\1\x86\xa0", 8);
        memset(frame + 8, 'x', 100000);
        assert_int_equal(exec_stream_feed(frame, sizeof(frame), &s), 0);
        assert_int_equal(exec_stream_feed(TWO_FRAMES, sizeof(TWO_FRAMES) - 1, &s), 0);
        text = exec_stream_text(&s, a);
        assert_int_equal(strlen(text), LIMIT_EXEC_OUTPUT_BYTES);
        assert_int_equal(text[LIMIT_EXEC_OUTPUT_BYTES - 1], 'x');
        assert_int_equal(s.left, 0);
        assert_false(s.raw);
}

static void of_much_text_the_last_whole_lines_can_be_kept(void **state) {
        own_arena struct arena *a = arena_new();
        static char text[3 * LIMIT_EXEC_OUTPUT_BYTES];
        size_t size = 0;

        for (int i = 0; size + 20 < sizeof(text); i++)
                size += (size_t)snprintf(text + size, sizeof(text) - size, "line %d\n", i);
        for (size_t piece = 1; piece <= size; piece += piece < 70 ? 1 : 997) {
                struct exec_stream s = { .last = true, .raw = true };
                const char *kept;

                for (size_t at = 0; at < size; at += piece)
                        assert_int_equal(exec_stream_feed(text + at, piece < size - at ? piece : size - at, &s), 0);
                kept = exec_stream_text(&s, a);
                assert_memory_equal(kept, "line ", 5);
                assert_string_equal(kept, text + size - strlen(kept));
                assert_in_range(strlen(kept), LIMIT_EXEC_OUTPUT_BYTES - 10, LIMIT_EXEC_OUTPUT_BYTES);
        }
}

static void what_fits_is_kept_from_its_first_line_on(void **state) {
        own_arena struct arena *a = arena_new();
        struct exec_stream s = { .last = true };
        static char frame[8 + LIMIT_EXEC_OUTPUT_BYTES];

        assert_int_equal(exec_stream_feed("\1\0\0\0\0\0\0\4a\nb\n", 12, &s), 0);
        assert_string_equal(exec_stream_text(&s, a), "a\nb\n");
        /* One line that is too long is cut. */
        memcpy(frame, "\1\0\0\0\0\0\x10\0", 8);
        memset(frame + 8, 'x', LIMIT_EXEC_OUTPUT_BYTES);
        assert_int_equal(exec_stream_feed(frame, sizeof(frame), &s), 0);
        assert_int_equal(strspn(exec_stream_text(&s, a), "x"), LIMIT_EXEC_OUTPUT_BYTES);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_both_streams_are_one_text_however_they_arrive),
        cmocka_unit_test(what_is_no_frame_is_text),
        cmocka_unit_test(an_end_in_the_middle_is_an_end),
        cmocka_unit_test(the_text_is_harmless_and_has_a_limit),
        cmocka_unit_test(of_much_text_the_last_whole_lines_can_be_kept),
        cmocka_unit_test(what_fits_is_kept_from_its_first_line_on),
};

TEST_GROUP(exec_stream, tests);
