/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/journal/journal.h"
#include "reconciler/journal/message.h"
#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

static const char *const ids[] = {
        MESSAGE_TALLYD_STARTED,
        MESSAGE_TALLYD_STOPPED,
        MESSAGE_PASS_FAILED,
        MESSAGE_PASS_LOST,
        MESSAGE_RELEASE_ACCEPTED,
        MESSAGE_RELEASE_REFUSED,
        MESSAGE_ROLLOUT_STARTED,
        MESSAGE_ROLLOUT_SETTLED,
        MESSAGE_ROLLOUT_REVERTED,
        MESSAGE_ROLLOUT_STUCK,
        MESSAGE_STEP,
        MESSAGE_DRIFT_FOUND,
        MESSAGE_DRIFT_REPAIRED,
        MESSAGE_LEDGER_ANOMALY,
        MESSAGE_CLOCK_EVENT,
};
#define N_IDS (sizeof(ids) / sizeof(*ids))

static void the_stream_is_ours_by_device_and_inode(void **state) {
        own_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        char right[64], wrong[64];
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        (void)snprintf(right, sizeof(right), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
        (void)snprintf(wrong, sizeof(wrong), "%llu:%llu", (unsigned long long)st.st_dev,
                       (unsigned long long)st.st_ino + 1);
        assert_true(journal_stream_is(right, fd));
        assert_false(journal_stream_is(wrong, fd));
        assert_false(journal_stream_is(right, -1));
}

static void what_is_no_stream_is_not_ours(void **state) {
        static const char *const wrong[] = { NULL,
                                             "",
                                             ":",
                                             "1",
                                             "1:",
                                             ":1",
                                             "a:b",
                                             "-1:2",
                                             "1:2:3",
                                             "99999999999999999999999999999999999999:1",
                                             "1:99999999999999999999999" };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
                assert_false(journal_stream_is(wrong[i], STDIN_FILENO));
}

/* Under a sanitizer this is where an overflow would show; what arrives is looked at by the systemd test. */
static void fields_beyond_the_most_are_left_out(void **state) {
        struct log_field fields[JOURNAL_FIELDS_MAX + 8];

        for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
                fields[i] = (struct log_field){ "TALLY_TEST", i % 3 ? "value" : NULL };
        journal_sink(LOG_LEVEL_DEBUG, "a test of tallyman's journal sink", fields, sizeof(fields) / sizeof(*fields));
        journal_sink(LOG_LEVEL_DEBUG, "", NULL, 0);
}

static void every_message_id_is_one_and_in_the_catalog(void **state) {
        own_buffer struct buffer catalog = BUFFER_INIT;
        size_t entries = 0;

        assert_int_equal(file_read(AT_FDCWD, CATALOG, 1024 * 1024, &catalog, NULL), 0);
        for (const char *p = buffer_str(&catalog); (p = strstr(p, "\n-- ")); p++)
                entries++;
        assert_int_equal(entries, N_IDS);

        for (size_t i = 0; i < N_IDS; i++) {
                char line[64];

                assert_true(hex_is_valid(ids[i], 32));
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(ids[i], ids[k]);
                (void)snprintf(line, sizeof(line), "\n-- %s\nSubject: ", ids[i]);
                assert_non_null(strstr(buffer_str(&catalog), line));
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_is_ours_by_device_and_inode),
        cmocka_unit_test(what_is_no_stream_is_not_ours),
        cmocka_unit_test(fields_beyond_the_most_are_left_out),
        cmocka_unit_test(every_message_id_is_one_and_in_the_catalog),
};

TEST_GROUP(journal, tests);
