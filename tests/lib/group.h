/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Group: the tests of one module, for the runner of its folder
 *
 *      static const struct CMUnitTest tests[] = { cmocka_unit_test(strings_are_copied) };
 *
 *      TEST_GROUP(arena, tests);
 *      TEST_GROUP(probe, tests, .setup = start_server, .teardown = stop_server);
 *
 * The folder's meson.build names its groups. tests/lib/runner.c runs them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct test_group {
        const char *name;
        const struct CMUnitTest *tests;
        size_t n_tests;
        CMFixtureFunction setup, teardown; /* Optional; once for the group */
};

#define TEST_GROUP(name_, tests_, ...) \
        const struct test_group test_group_##name_ = { \
                .name = #name_, .tests = (tests_), .n_tests = sizeof(tests_) / sizeof((tests_)[0]), __VA_ARGS__ \
        }
