/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "reconciler/tallyd/options.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

#define N_ARGS 12

static int read_options(struct options *ret, struct fault *reterr, const char *const *args) {
        char *argv[N_ARGS] = { NULL };
        int argc = 0;

        for (; args[argc]; argc++)
                argv[argc] = (char *)args[argc];
        return options_read(argc, argv, ret, reterr);
}

#define READ(ret, reterr, ...) \
        read_options(ret, reterr, (const char *const[]){ "tallyd", __VA_ARGS__ __VA_OPT__(, ) NULL })

static int without_environment(void **state) {
        return unsetenv("TALLY_CONFIG") | unsetenv("RUNTIME_DIRECTORY");
}

static void nothing_is_needed(void **state) {
        struct options o;

        assert_int_equal(READ(&o, NULL), 0);
        assert_null(o.config);
        assert_null(o.tally);
        assert_string_equal(o.run_dir, "/run/tally");
        assert_int_equal(o.limit_ms, 0);
        assert_int_equal(o.mode, OPTIONS_RUN);
}

static void every_option_is_read(void **state) {
        struct options o;

        assert_int_equal(READ(&o, NULL, "--config", "a", "--tally=b", "--run-dir", "c", "--limit", "10m", "--log",
                              "json"),
                         0);
        assert_string_equal(o.config, "a");
        assert_string_equal(o.tally, "b");
        assert_string_equal(o.run_dir, "c");
        assert_int_equal(o.limit_ms, 600000);
        assert_int_equal(o.format, LOG_FORMAT_JSON);
        assert_int_equal(READ(&o, NULL, "--help"), 0);
        assert_int_equal(o.mode, OPTIONS_HELP);
        assert_int_equal(READ(&o, NULL, "--version"), 0);
        assert_int_equal(o.mode, OPTIONS_VERSION);
}

static void the_environment_is_asked_where_no_option_is_given(void **state) {
        struct options o;

        (void)setenv("TALLY_CONFIG", "from-env", 1);
        (void)setenv("RUNTIME_DIRECTORY", "/run/other", 1);
        assert_int_equal(READ(&o, NULL), 0);
        assert_string_equal(o.config, "from-env");
        assert_string_equal(o.run_dir, "/run/other");
        assert_int_equal(READ(&o, NULL, "--config", "given", "--run-dir", "given"), 0);
        assert_string_equal(o.config, "given");
        assert_string_equal(o.run_dir, "given");
        (void)setenv("TALLY_CONFIG", "", 1);
        assert_int_equal(READ(&o, NULL), 0);
        assert_null(o.config);
}

static void wrong_usage_is_a_fault_of_the_user(void **state) {
        static const char *const wrong[][4] = {
                { "tallyd", "--nonsense" },      { "tallyd", "--config" },      { "tallyd", "argument" },
                { "tallyd", "--limit", "soon" }, { "tallyd", "--limit", "0s" }, { "tallyd", "--limit", "-1s" },
                { "tallyd", "--log", "xml" },
        };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
                own_fault struct fault fault = FAULT_INIT;
                struct options o = { .run_dir = "untouched" };

                assert_true(read_options(&o, &fault, wrong[i]) < 0);
                assert_int_equal(fault_exit_code(&fault), 2);
                assert_string_equal(o.run_dir, "untouched");
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_needed, without_environment),
        cmocka_unit_test_setup(every_option_is_read, without_environment),
        cmocka_unit_test_setup(the_environment_is_asked_where_no_option_is_given, without_environment),
        cmocka_unit_test_setup(wrong_usage_is_a_fault_of_the_user, without_environment),
};

TEST_GROUP(options, tests);
