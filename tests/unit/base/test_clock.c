/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "shared/base/clock.h"
#include "tests/lib/group.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static void wall_time_is_the_kernel_s(void **state) {
        int64_t before = (int64_t)time(NULL) * 1000;
        int64_t now = clock_wall_ms();

        assert_true(now >= before && now < before + 5000);
}

static void monotonic_time_passes_while_sleeping(void **state) {
        int64_t start = clock_monotonic_ns(), passed;

        clock_sleep_ms(30);
        clock_sleep_ms(0);
        clock_sleep_ms(-5);
        passed = clock_monotonic_ns() - start;
        assert_true(passed >= 30000000);
        assert_true(passed < 5000000000);
}

static void a_clock_the_kernel_calls_good_is_synchronized(void **state) {
        struct timex tx = { .modes = 0 };

        if (adjtimex(&tx) != TIME_ERROR)
                assert_true(clock_is_synchronized());
        else /* unsynchronised, or only kept from the hardware clock: the error it assumes tells */
                assert_int_equal(clock_is_synchronized(), tx.maxerror < 16000000);
}

static void the_boot_id_is_a_uuid_that_stays(void **state) {
        char a[37], b[37];

        assert_string_equal(clock_boot_id(a), clock_boot_id(b));
        assert_int_equal(strlen(a), 36);
        assert_int_equal(a[8], '-');
}

static void dates_are_written_and_read_back(void **state) {
        static const struct {
                int64_t ms;
                const char *text;
        } rows[] = {
                { 0, "1970-01-01T00:00:00Z" },
                { 1795428000000, "2026-11-23T10:00:00Z" },
                { 1795428000007, "2026-11-23T10:00:00.007Z" },
                { 951782400000, "2000-02-29T00:00:00Z" },
                { -1, "1969-12-31T23:59:59.999Z" },
                { -62135596800000, "0001-01-01T00:00:00Z" },
                { 253402300799999, "9999-12-31T23:59:59.999Z" },
                { 4107542399000, "2100-02-28T23:59:59Z" },
        };
        char buf[RFC3339_TEXT_MAX];

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t ms = 7;

                assert_string_equal(rfc3339_format(rows[i].ms, buf), rows[i].text);
                assert_int_equal(rfc3339_parse(buf, &ms), 0);
                assert_true(ms == rows[i].ms);
        }
}

static void every_day_of_800_years_agrees_with_gmtime(void **state) {
        for (int64_t day = -146097; day < 146097; day++) {
                char ours[RFC3339_TEXT_MAX], theirs[RFC3339_TEXT_MAX];
                time_t t = (time_t)day * 86400;
                struct tm tm;
                int64_t ms;

                assert_non_null(gmtime_r(&t, &tm));
                assert_true(strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
                assert_string_equal(rfc3339_format(day * 86400000, ours), theirs);
                assert_int_equal(rfc3339_parse(ours, &ms), 0);
                assert_true(ms == day * 86400000);
        }
}

static void the_ends_of_time_fit_the_buffer(void **state) {
        char buf[RFC3339_TEXT_MAX];

        assert_string_equal(rfc3339_format(INT64_MAX, buf), "292278994-08-17T07:12:55.807Z");
        assert_string_equal(rfc3339_format(INT64_MIN, buf), "-292275055-05-16T16:47:04.192Z");
}

static void offsets_fractions_and_leap_seconds_are_read(void **state) {
        static const struct {
                const char *text;
                int64_t ms;
        } rows[] = {
                { "2026-11-23T11:00:00+01:00", 1795428000000 },
                { "2026-11-23T04:30:00-05:30", 1795428000000 },
                { "2026-11-23T10:00:00.123456789Z", 1795428000123 },
                { "2026-11-23T10:00:00.1Z", 1795428000100 },
                { "2026-11-23T10:00:00.00000000000000000000001Z", 1795428000000 },
                { "2026-11-23t10:00:00z", 1795428000000 },
                { "2016-12-31T23:59:60Z", 1483228800000 },
                { "2017-01-01T00:59:60+01:00", 1483228800000 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int64_t ms = 7;

                assert_int_equal(rfc3339_parse(rows[i].text, &ms), 0);
                assert_true(ms == rows[i].ms);
        }
}

static void what_is_no_date_is_refused(void **state) {
        static const char *const bad[] = {
                "",
                "2026",
                "2026-11-23",
                "2026-11-23T10:00:00",
                "2026-11-23 10:00:00Z",
                "2026-13-01T00:00:00Z",
                "2026-00-01T00:00:00Z",
                "2026-02-29T00:00:00Z",
                "1900-02-29T00:00:00Z",
                "2026-04-31T00:00:00Z",
                "2026-01-00T00:00:00Z",
                "2026-01-01T24:00:00Z",
                "2026-01-01T00:60:00Z",
                "2026-01-01T00:00:61Z",
                "2026-01-01T00:00:60Z",
                "2026-01-01T00:00:00.Z",
                "2026-01-01T00:00:00,5Z",
                "2026-01-01T00:00:00+0100",
                "2026-01-01T00:00:00+24:00",
                "2026-01-01T00:00:00+01:60",
                "2026-01-01T00:00:00Zx",
                "2026-01-01T00:00:00+01:00Z",
                "+026-01-01T00:00:00Z",
                "2026-1-01T00:00:00Z",
                " 2026-01-01T00:00:00Z",
        };

        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                int64_t ms = 7;

                if (rfc3339_parse(bad[i], &ms) != -EINVAL || ms != 7)
                        fail_msg("'%s' was taken", bad[i]);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_is_the_kernel_s),
        cmocka_unit_test(monotonic_time_passes_while_sleeping),
        cmocka_unit_test(a_clock_the_kernel_calls_good_is_synchronized),
        cmocka_unit_test(the_boot_id_is_a_uuid_that_stays),
        cmocka_unit_test(dates_are_written_and_read_back),
        cmocka_unit_test(every_day_of_800_years_agrees_with_gmtime),
        cmocka_unit_test(the_ends_of_time_fit_the_buffer),
        cmocka_unit_test(offsets_fractions_and_leap_seconds_are_read),
        cmocka_unit_test(what_is_no_date_is_refused),
};

TEST_GROUP(clock, tests);
