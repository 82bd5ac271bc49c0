/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

/* Stderr goes into memory between capture() and captured(). */
static int memory, saved_stderr;

static void capture(void) {
        memory = memfd_create("log", MFD_CLOEXEC);
        saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
        assert_true(memory >= 0 && saved_stderr >= 0);
        assert_int_equal(dup2(memory, STDERR_FILENO), STDERR_FILENO);
}

static const char *captured(void) {
        static char text[64 * 1024];
        ssize_t n;

        assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
        (void)close(saved_stderr);
        n = pread(memory, text, sizeof(text) - 1, 0);
        assert_true(n >= 0);
        text[n] = '\0';
        (void)close(memory);
        return text;
}

static void text_lines_name_what_needs_attention(void **state) {
        log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, NULL);
        capture();
        log_error("e %d", 1);
        log_warning("w");
        log_notice("n");
        log_info("i");
        log_debug("d");
        assert_string_equal(captured(), "error: e 1\nwarning: w\nn\ni\ndebug: d\n");
}

static void levels_beyond_the_maximum_are_silent(void **state) {
        log_setup(LOG_LEVEL_WARNING, LOG_FORMAT_TEXT, NULL);
        capture();
        log_notice("n");
        log_debug("d");
        log_warning("w");
        assert_string_equal(captured(), "warning: w\n");
        assert_int_equal(log_max_level(), LOG_LEVEL_WARNING);
}

static void a_json_line_carries_time_level_and_fields(void **state) {
        const char *line, *rest;
        int64_t at = 0;
        char time[RFC3339_TEXT_MAX] = "";

        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, NULL);
        capture();
        log_write(LOG_LEVEL_WARNING,
                  LOG_FIELDS({ "TALLY_APP", "shop" }, { "TALLY_NONE", NULL }, { "TALLY_HOST", "w\"1" }),
                  "say \"%s\" \\ \xc3\xa4", "hi");
        line = captured();
        rest = strchr(line, ',');
        assert_non_null(rest);
        assert_string_equal(rest, ",\"level\":\"warning\",\"message\":\"say \\\"hi\\\" \\\\ \xc3\xa4\","
                                  "\"TALLY_APP\":\"shop\",\"TALLY_HOST\":\"w\\\"1\"}\n");
        line = str_after(line, "{\"time\":\"");
        assert_non_null(line);
        (void)snprintf(time, sizeof(time), "%.*s", (int)(rest - line - 1), line);
        assert_int_equal(rfc3339_parse(time, &at), 0);
        assert_true(at <= clock_wall_ms() && at > clock_wall_ms() - 10000);
}

static void control_characters_do_not_forge_lines(void **state) {
        const char *line;

        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL);
        capture();
        log_info("a\nerror: forged\x1b[2J\xff");
        assert_string_equal(captured(), "a error: forged?[2J?\n");

        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, NULL);
        capture();
        log_write(LOG_LEVEL_INFO, LOG_FIELDS({ "TALLY_X", "a\n\x1b\xc2\x9b\xff" }), "m");
        line = captured();
        assert_non_null(strstr(line, "\"TALLY_X\":\"a\\u000a\\u001b\\u009b\xef\xbf\xbd\"}\n"));
}

static void an_endless_message_is_cut_between_two_characters(void **state) {
        static char message[2 * LIMIT_LOG_MESSAGE];
        const char *line;

        memset(message, 'x', sizeof(message) - 1);
        memcpy(message + LIMIT_LOG_MESSAGE - 1, "\xe2\x82\xac", 3);
        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL);
        capture();
        log_info("%s", message);
        line = captured();
        assert_int_equal(strlen(line), LIMIT_LOG_MESSAGE);
        assert_true(str_ends_with(line, "xx\n"));
}

struct seen {
        enum log_level level;
        char message[32], field[32];
        size_t n_fields;
        int calls;
};

static struct seen seen;

static void remember(enum log_level level, const char *message, const struct log_field *fields, size_t n_fields) {
        seen.level = level;
        seen.n_fields = n_fields;
        seen.calls++;
        (void)snprintf(seen.message, sizeof(seen.message), "%s", message);
        (void)snprintf(seen.field, sizeof(seen.field), "%s", n_fields ? fields[0].value : "");
        errno = ENOTTY;
}

static void a_sink_gets_the_message_instead_of_stderr(void **state) {
        seen = (struct seen){ .calls = 0 };
        log_setup(LOG_LEVEL_NOTICE, LOG_FORMAT_TEXT, remember);
        capture();
        log_info("too quiet");
        log_write(LOG_LEVEL_NOTICE, LOG_FIELDS({ "TALLY_APP", "shop" }), "n %d", 3);
        assert_string_equal(captured(), "");
        assert_int_equal(seen.calls, 1);
        assert_int_equal(seen.level, LOG_LEVEL_NOTICE);
        assert_string_equal(seen.message, "n 3");
        assert_string_equal(seen.field, "shop");
        assert_int_equal(seen.n_fields, 1);
}

static void logging_keeps_errno(void **state) {
        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, remember);
        errno = EXDEV;
        log_error("m");
        assert_int_equal(errno, EXDEV);
}

static void a_closed_stderr_is_survived(void **state) {
        int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);

        log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL);
        (void)close(STDERR_FILENO);
        errno = 0;
        log_error("to nobody");
        assert_int_equal(errno, 0);
        assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        (void)close(saved);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_name_what_needs_attention),
        cmocka_unit_test(levels_beyond_the_maximum_are_silent),
        cmocka_unit_test(a_json_line_carries_time_level_and_fields),
        cmocka_unit_test(control_characters_do_not_forge_lines),
        cmocka_unit_test(an_endless_message_is_cut_between_two_characters),
        cmocka_unit_test(a_sink_gets_the_message_instead_of_stderr),
        cmocka_unit_test(logging_keeps_errno),
        cmocka_unit_test(a_closed_stderr_is_survived),
};

TEST_GROUP(log, tests);
